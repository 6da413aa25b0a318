"""Processes with a queue, a lock, shared memory and a pool, and a command with its output."""
import multiprocessing
import os
import random
import subprocess
import time


def work(number, queue, lock, total):
    for step in range(3):
        os.write(1, f"worker {number} step {step} pid {os.getpid()}\n".encode())
        with lock:
            total.value += number
        if step == 1:
            time.sleep(0.01 * random.random())
    queue.put((number, os.getpid()))


if __name__ == "__main__":
    queue, lock, total = multiprocessing.Queue(), multiprocessing.Lock(), multiprocessing.Value("i", 0)
    workers = [multiprocessing.Process(target=work, args=(n, queue, lock, total)) for n in range(4)]
    for worker in workers:
        worker.start()
    for _ in workers:
        print(queue.get(), flush=True)
    for worker in workers:
        worker.join()
        print(worker.pid, worker.exitcode, flush=True)
    with multiprocessing.Pool(3) as pool:
        print(total.value, pool.map(abs, range(-10, 0)), list(pool.imap_unordered(abs, range(20))))
    print(subprocess.run("echo out; echo err >&2; echo $$", shell=True, capture_output=True, timeout=10))
    print(time.time(), random.random())
