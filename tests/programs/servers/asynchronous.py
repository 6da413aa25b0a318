"""An asyncio server with clients in the same loop, subprocesses, signals, threads and a UNIX socket."""
import asyncio
import os
import signal


async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line[::-1].strip() + b"\n")
        await writer.drain()
    writer.close()


async def ask(number, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = []
    for turn in range(20):
        writer.write(f"{number}-{turn}\n".encode())
        heard.append((await reader.readline()).decode().strip())
    writer.close()
    return heard[-1]


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(await asyncio.gather(*(ask(number, port) for number in range(20))))
    server.close()
    child = await asyncio.create_subprocess_exec("sort", "-r", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print((await child.communicate(b"a\nc\nb\n"))[0].decode().split(), child.returncode)
    caught = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, caught.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(caught.wait(), 10)
    print(await asyncio.to_thread(sum, range(1000)))
    unix = await asyncio.start_unix_server(answer, "loop.sock")
    reader, writer = await asyncio.open_unix_connection("loop.sock")
    writer.write(b"rever\n")
    print(await reader.readline())
    writer.close()
    unix.close()
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.05)
    except asyncio.TimeoutError:
        print("timed out")


asyncio.run(main())
os.unlink("loop.sock")
