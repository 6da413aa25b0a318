"""Children in all the ways that Python makes them."""
import multiprocessing
import os
import signal
import subprocess


def count(queue, lock, value):
    for _ in range(100):
        with lock:
            value.value += 1
    queue.put(os.getpid() > 0)


def main():
    print(subprocess.run(["sort"], input="b\na\n", capture_output=True, text=True).stdout, end="")
    print(subprocess.run("exit 5", shell=True).returncode)
    try:
        subprocess.run(["/nonexistent"])
    except FileNotFoundError as error:
        print(error)
    child = os.posix_spawn("/bin/echo", ["echo", "spawned"], os.environ)
    print(os.waitpid(child, 0)[1])
    child = os.fork()
    if child == 0:
        signal.pause()
    os.kill(child, signal.SIGTERM)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]))
    with multiprocessing.Pool(3) as pool:
        print(sum(pool.map(abs, range(-50, 50))))
    queue, lock, value = multiprocessing.Queue(), multiprocessing.Lock(), multiprocessing.Value("i", 0)
    workers = [multiprocessing.Process(target=count, args=(queue, lock, value)) for _ in range(3)]
    for worker in workers:
        worker.start()
    print(all(queue.get() for _ in workers))
    for worker in workers:
        worker.join()
    print(value.value)


if __name__ == "__main__":
    main()
