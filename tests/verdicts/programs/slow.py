"""Python programs that end well and take a second or more; the first argument says how."""
import os
import queue
import subprocess
import sys
import threading
import time

CASE = sys.argv[1]


def lock_over_sleep():
    lock = threading.Lock()

    def holds():
        with lock:
            time.sleep(1.5)

    holder = threading.Thread(target=holds)
    holder.start()
    time.sleep(0.05)
    with lock:
        pass
    time.sleep(0.1)
    holder.join()


def sleeps_between():
    for _ in range(12):
        time.sleep(0.12)


def nothing_comes():
    for _ in range(4):
        try:
            queue.Queue().get(timeout=0.4)
        except queue.Empty:
            pass


def starts_a_slow_one():
    subprocess.run(["sleep", "1.4"], check=True)


def syncs_each_line():
    path = f"journal-{os.getpid()}"
    end = time.monotonic() + 1.3
    with open(path, "wb", buffering=0) as file:
        while time.monotonic() < end:
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
    os.unlink(path)


def compares_all():
    end = time.monotonic() + 1.5
    pairs = 0
    text = "x" * 300
    while time.monotonic() < end:
        pairs += sum(one == other for one in text for other in text)


def quick():
    lock = threading.Lock()

    def takes_it_often():
        for _ in range(200):
            with lock:
                pass

    threads = [threading.Thread(target=takes_it_often) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


globals()[CASE]()
