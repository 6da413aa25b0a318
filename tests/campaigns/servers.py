#!/usr/bin/env python3
"""Records redis-server, nginx and PostgreSQL for SECONDS each under a load that is not recorded, asks the layers memory,
heap, sched and io of the recordings, and checks what they say against what the client, the server and its log say.
Prints how long each question took and how much memory. --saturated: redis-benchmark asks as fast as it can."""
import argparse
import json
import os
import pathlib
import re
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MS = 1_000_000


class Asked:
    """The questions to one recording, with what they cost."""

    def __init__(self, orrery, recording, environment):
        self.orrery, self.recording, self.environment, self.seconds = orrery, recording, environment, 0

    def run(self, *words):
        began = time.monotonic()
        process = subprocess.Popen([self.orrery, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        out, error = process.communicate()
        took = time.monotonic() - began
        if process.returncode != 0:
            sys.exit(f"orrery {' '.join(map(str, words))}: {error.decode()}")
        return out.decode(), took

    def layer(self, name, *words):
        """A layer's report as JSON; the first question of a layer replays the recording, and its time counts."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        text, took = self.run("show", name, self.recording, *words, "--json")
        after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.seconds += took
        more = f", {after / 1024:.0f} MB resident" if after > before else ""
        print(f"    show {name} {' '.join(words)}: {took:.1f} s{more}", flush=True)
        return json.loads(text)

    def text(self, name, *words):
        return self.run("show", name, self.recording, *words)[0]

    def rows(self, sql):
        return json.loads(self.run("query", self.recording, sql, "--json")[0])


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def near(self, what, ours, theirs, slack=0, whose=""):
        """Equal but for `slack`."""
        good = abs(ours - theirs) <= slack
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        print(f"    {'as' if good else 'NOT AS'} {whose}: {what}: {ours}, {whose} {theirs}" + (f" (within {slack})" if slack else ""), flush=True)

    def true(self, what, good):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print(f"    {'yes' if good else 'NO'}: {what}", flush=True)


def free_port():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def until(done, process, what):
    for _ in range(600):
        if done():
            return
        if process.poll() is not None:
            sys.exit(f"{what} does not start")
        time.sleep(0.1)
    sys.exit(f"{what} takes too long to start")


class Clients:
    """So many connections on which so many requests a second are sent, one at a time on each."""

    def __init__(self, path, count):
        self.sockets = []
        for _ in range(count):
            self.sockets.append(socket.socket(socket.AF_UNIX))
            self.sockets[-1].connect(str(path))
        self.requests = self.longest_ns = 0

    def ask(self, number):
        key = number * 2654435761 % 20000
        words = [b"SET", b"key:%d" % key, b"v" * (16 + number * 7919 % 500)] if number % 4 == 0 else [b"GET", b"key:%d" % key]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    def run(self, seconds, rate):
        idle, poll, since = list(self.sockets), select.epoll(), {}
        by_fd = {each.fileno(): each for each in self.sockets}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds or len(idle) < len(self.sockets):
            while idle and self.requests < min(now, seconds) * rate:
                each = idle.pop()
                since[each.fileno()] = time.monotonic_ns()
                each.sendall(self.ask(self.requests))
                self.requests += 1
            for fd, _ in poll.poll(0.005):
                by_fd[fd].recv(1 << 16)
                self.longest_ns = max(self.longest_ns, time.monotonic_ns() - since.pop(fd))
                idle.append(by_fd[fd])


def info_of(text):
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def redis(orrery, folder, chosen, checks):
    path, recording = folder / "redis.sock", folder / "redis"
    server = subprocess.Popen([orrery, "record", "-o", recording, "--", "redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--loglevel", "warning"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    client = lambda *words: subprocess.run(["redis-cli", "-s", path, *words], capture_output=True, text=True)
    until(lambda: client("ping").returncode == 0, server, "redis-server")
    longest_ns = None
    if chosen.saturated:
        words = ["timeout", str(chosen.seconds), "redis-benchmark", "-s", path, "-l", "-q", "-c", "20", "-r", "20000", "-n", "200000", "-t", "set,get,incr,sadd,hset"]
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    else:
        clients = Clients(path, 50)
        clients.run(chosen.seconds, chosen.rate)
        longest_ns = clients.longest_ns
        print(f"    {clients.requests} requests by the client, {clients.requests / chosen.seconds:.0f} a second")
    info = info_of(subprocess.run(["redis-cli", "-s", path, "info"], capture_output=True).stdout.decode())
    client("shutdown", "nosave")
    server.wait()
    asked = Asked(orrery, recording, dict(os.environ))
    slowest = asked.layer("io", "--slowest", "10")
    memory = asked.layer("memory")
    heap = asked.layer("heap")
    print(f"    three answers: {asked.seconds:.1f} s of a run of {slowest['recording']['wall_ns'] / 1e9:.0f} s with {slowest['recording']['events']} events")
    if chosen.seconds >= 300:
        checks.true("less than 2 minutes", asked.seconds < 120)
    served = slowest["servers"][0]
    # A client that is cut off has asked, and nobody answered; INFO does not count itself, and a load that is cut off may be read twice in one.
    checks.near("requests", served["requests"], int(info["total_commands_processed"]) + 1, 25 if chosen.saturated else 1, "redis's total_commands_processed")
    checks.near("bytes in", served["bytes_in"], int(info["total_net_input_bytes"]), 5000, "redis's total_net_input_bytes")
    checks.near("bytes out", served["bytes_out"], int(info["total_net_output_bytes"]), 20000, "redis's total_net_output_bytes")
    for request in slowest["requests"]:
        checks.true(f"{request['latency_ns'] / MS:.2f} ms are the sum of its shares: " + ", ".join(
            f"{key[:-3]} {value / MS:.2f}" for key, value in request.items() if key in SHARES and value * 100 > request["latency_ns"]),
                    sum(request[share] for share in SHARES) == request["latency_ns"])
    if longest_ns is not None:
        # redis-cli's ping and info have 14 bytes.
        by_client = [request for request in slowest["requests"] if 20 < request["bytes_in"] < 1000]
        checks.true(f"the slowest took {by_client[0]['latency_ns'] / MS:.2f} ms, for the client {longest_ns / MS:.2f} ms", by_client[0]["latency_ns"] <= longest_ns)
    live, used = heap["programs"][0]["live_bytes"], int(info["used_memory"])
    # What redis counts is what its allocator has given, which is more than it was asked for.
    checks.true(f"live in the heap {live} bytes, redis's used_memory {used}", 0.7 * used <= live <= used)
    for site in heap["programs"][0]["sites"][:5]:
        print(f"    heap: {json.dumps(site)[:150]}")
    for row in memory["processes"][0]["over_time"]["meanings"][:4]:
        print(f"    memory: {row['meaning']} {row['begin_bytes'] >> 10} to {row['end_bytes'] >> 10} KiB, most {row['most_bytes'] >> 10}")


SHARES = ("queue_ns", "cpu_ns", "lock_ns", "disk_ns", "network_ns", "sched_ns", "other_ns")


def nginx(orrery, folder, chosen, checks):
    port, recording = free_port(), folder / "nginx"
    (folder / "site").mkdir()
    page = "".join(f"{number}\n" for number in range(1000))
    (folder / "site" / "numbers.txt").write_text(page)
    (folder / "nginx.conf").write_text(
        f"worker_processes 2; daemon off; pid {folder}/site.pid; error_log {folder}/error.log; {'user root;' if os.getuid() == 0 else ''}\n"
        "events { worker_connections 256; }\nhttp { access_log off; " +
        "".join(f"{name}_temp_path {folder}/temporary; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) +
        f"sendfile on; server {{ listen 127.0.0.1:{port}; root {folder}/site; }} }}\n")
    server = subprocess.Popen([orrery, "record", "-o", recording, "--", "nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with socket.socket() as made:
            return made.connect_ex(("127.0.0.1", port)) == 0
    until(answers, server, "nginx")
    text = subprocess.run(["ab", "-q", "-k", "-t", str(chosen.seconds), "-n", "1000000", "-c", "20", f"http://127.0.0.1:{port}/numbers.txt"],
                          capture_output=True, text=True).stdout
    complete = int(re.search(r"^Complete requests: +(\d+)", text, re.M)[1])
    body = int(re.search(r"^HTML transferred: +(\d+)", text, re.M)[1])
    subprocess.run(["kill", "-QUIT", (folder / "site.pid").read_text().strip()], check=True)
    server.wait()
    asked = Asked(orrery, recording, dict(os.environ))
    slowest = asked.layer("io", "--slowest", "10")
    sched = asked.layer("sched")
    memory = asked.layer("memory")
    print(f"    {slowest['recording']['events']} events")
    checks.near("requests", sum(row["requests"] for row in slowest["servers"]), complete, 20, "ab's complete requests")
    checks.true(f"bytes out {sum(row['bytes_out'] for row in slowest['servers'])}, ab's {body} and headers",
                body <= sum(row["bytes_out"] for row in slowest["servers"]) <= body + 20 * len(page) + 400 * (complete + 20))
    checks.near("processes", len({row["process"] for row in sched["threads"]}), 3, 0, "a master and two workers")
    checks.near("processes with memory", len(memory["processes"]), 3, 0, "a master and two workers")


def database(folder, words, **options):
    """As root, as the user postgres, who must own the folder."""
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data-home")}
    return subprocess.Popen([*prefix, *map(str, words)], cwd=folder, env=environment, stdin=subprocess.DEVNULL, **options)


def done(process):
    out, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{process.args}: {out}")
    return out.decode() if out else ""


HOLDER = "begin; update pgbench_branches set bbalance = bbalance + 1 where bid = 1; select pg_sleep(0.4); commit"


def postgres(orrery, folder, chosen, checks):
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    tool = lambda name, *words: done(database(folder, [programs / name, *words], **quiet))
    client = lambda name, *words: tool(name, "-h", folder, "-U", "postgres", *words)
    tool("initdb", "-D", folder / "cluster", "-U", "postgres", "-A", "trust", "-N")
    with open(folder / "cluster" / "postgresql.conf", "a") as settings:
        settings.write(f"unix_socket_directories = '{folder}'\nlisten_addresses = ''\nlog_lock_waits = on\ndeadlock_timeout = 100ms\n"
                       "log_connections = on\nlog_min_duration_statement = 200\nlog_line_prefix = '%p '\nautovacuum = off\n")
    tool("pg_ctl", "-D", folder / "cluster", "-w", "-s", "-l", folder / "first.log", "start")
    client("pgbench", "-i", "-q", "-s", "1", "postgres")
    tool("pg_ctl", "-D", folder / "cluster", "-w", "-s", "stop")
    recording, log = folder / "postgres", folder / "server.log"
    with open(log, "wb") as out:
        server = database(folder, [orrery, "record", "-o", recording, "--", programs / "postgres", "-D", folder / "cluster"], stdout=out, stderr=out)
    until(lambda: "ready to accept" in log.read_text(), server, "postgres")
    load = database(folder, [programs / "pgbench", "-h", folder, "-U", "postgres", "-c", "4", "-j", "2", "-T", chosen.seconds, "-n", "postgres"], **quiet)
    time.sleep(chosen.seconds / 3)
    client("psql", "-q", "-d", "postgres", "-c", HOLDER)
    shared = int(re.search(r"\d+", client("psql", "-At", "-d", "postgres", "-c", "show shared_memory_size"))[0])
    processed = int(re.search(r"actually processed: (\d+)", done(load))[1])
    tool("pg_ctl", "-D", folder / "cluster", "-m", "fast", "-w", "-s", "stop")
    server.wait()
    asked = Asked(orrery, recording, {**os.environ, "XDG_DATA_HOME": str(folder / "data-home")})
    slowest, sched, memory = asked.layer("io", "--slowest", "10"), asked.layer("sched"), asked.layer("memory")
    print(f"    {processed} transactions, {slowest['recording']['events']} events")
    said = log.read_text()
    check_postgres(asked, checks, said, shared, slowest, memory)
    print(asked.text("sched").split("WAITED FOR")[0][-1500:])


def check_postgres(asked, checks, said, shared, slowest, memory):
    processes = {row["pid"]: row["process"] for row in asked.rows("SELECT pid, process FROM process")}
    backends = {int(pid) for pid in re.findall(r"^(\d+) LOG:  connection received", said, re.M)}
    checks.true(f"each of the {len(backends)} backends of the log is a process", backends <= set(processes))
    # Besides them: the postmaster, checkpointer, background writer, WAL writer and launcher of logical replication; none at first start is left out.
    checks.near("processes", len(processes), len(backends) + 5, 2, "the log's connections and the postmaster with its own")
    # MB, rounded up, of what all backends share.
    sizes = {row["process"]: row["bytes_by_meaning"].get("shared", 0) for row in memory["processes"]}
    first = max(sizes.values())
    checks.near("MB of shared memory", -(-first // (1 << 20)), shared, 1, "shared_memory_size")
    checks.true("the same in each process", len(set(sizes.values())) <= 2)
    waits = re.findall(r"^(\d+) LOG:  process \d+ acquired (\w+) on .*? after ([\d.]+) ms", said, re.M)
    holders = dict(re.findall(r"^(\d+) DETAIL:  Process holding the lock: (\d+)", said, re.M))
    print(f"    {len(waits)} lock waits in the log")
    for pid, kind, milliseconds in sorted(waits, key=lambda row: -float(row[2]))[:5]:
        process, took = processes[int(pid)], float(milliseconds)
        # The alarm that makes it look for deadlocks and log divides the wait in two; its latch is set by a signal.
        rows = asked.rows(f"SELECT (s.end_ns - s.begin_ns) / 1e6 AS ms, s.reason, s.call, w.by_process, w.how FROM task_stretch s "
                          f"LEFT JOIN wakeup w ON w.process = s.process AND w.task = s.task AND w.time_ns = s.end_ns "
                          f"WHERE s.process = {process} AND s.state = 'blocked' AND s.reason = 'signal' AND s.end_ns - s.begin_ns > {(took - 130) * MS} ORDER BY 1 DESC")
        near = [row for row in rows if row["ms"] <= took]
        checks.true(f"{kind}: process {process} waited {took} ms by the log; ours: {near[:1]}", near)
        holder = processes.get(int(holders.get(pid, 0)))
        if near and holder is not None:
            woken = [row["by_process"] for row in near]
            checks.true(f"woken by the process that the log says held it, {holder}: {woken}", holder in woken)
    slow = [float(ms) for ms in re.findall(r"duration: ([\d.]+) ms +(?:statement|execute)", said)]
    for request in slowest["requests"][:5]:
        print("    " + f"{request['latency_ns'] / MS:.1f} ms: " + ", ".join(f"{share[:-3]} {request[share] / MS:.1f}" for share in SHARES if request[share] * 100 > request["latency_ns"]))
    longest = slowest["requests"][0]["latency_ns"] / MS
    locked = slowest["requests"][0]["lock_ns"] / MS
    checks.true(f"of which {locked:.1f} ms for a lock, by the log {max(float(row[2]) for row in waits)} at most", not waits or locked > 0.7 * longest)
    checks.true(f"the slowest request took {longest:.1f} ms; the slowest statement of the log {max(slow)} ms", abs(longest - max(slow)) < 0.1 * max(slow) + 20)


SERVERS = {"redis": (redis, ("redis-server", "redis-cli")), "nginx": (nginx, ("nginx", "ab")), "postgres": (postgres, ("pg_ctlcluster",))}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    parser.add_argument("--only", choices=SERVERS)
    parser.add_argument("--saturated", action="store_true")
    parser.add_argument("--rate", type=int, default=5000, help="requests a second for redis")
    parser.add_argument("--orrery", default=str(ROOT / "build/release/orrery"))
    parser.add_argument("--keep", action="store_true", help="leave the recordings where they are")
    chosen = parser.parse_args()
    chosen.orrery, checks = os.path.abspath(chosen.orrery), Checks()
    os.environ.pop("LD_LIBRARY_PATH", None)
    for name, (run, needed) in SERVERS.items():
        if chosen.only not in (None, name):
            continue
        missing = [program for program in needed if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None]
        if missing:
            print(f"{name}: not here: {' '.join(missing)}")
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="orrery-servers-"))
        print(f"{name}, {chosen.seconds} s", flush=True)
        try:
            run(chosen.orrery, folder, chosen, checks)
        finally:
            print(f"    in {folder}") if chosen.keep else shutil.rmtree(folder)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
