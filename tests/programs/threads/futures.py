"""Thread pools, a database shared under a lock, a timer and queues."""
import concurrent.futures
import queue
import sqlite3
import threading

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(lambda count: sum(i * i for i in range(count)), range(0, 2000, 50))))

database, lock = sqlite3.connect(":memory:", check_same_thread=False), threading.Lock()
database.execute("create table t (a)")


def insert(number):
    for i in range(50):
        with lock:
            database.execute("insert into t values (?)", (number * 1000 + i,))
            database.commit()


threads = [threading.Thread(target=insert, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(database.execute("select count(*), sum(a) from t").fetchone())

timer = threading.Timer(0.02, lambda: print("timer"))
timer.start()
timer.join()

jobs, done = queue.Queue(), []


def consume():
    while (job := jobs.get()) is not None:
        done.append(job)


consumers = [threading.Thread(target=consume) for _ in range(3)]
for consumer in consumers:
    consumer.start()
for job in [*range(100), None, None, None]:
    jobs.put(job)
for consumer in consumers:
    consumer.join()
print(sorted(done) == list(range(100)))
