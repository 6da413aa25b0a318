"""Requests of servers: where their time went, against servers whose requests take known times."""
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "campaigns"))
import schema

MS = 1_000_000


def server(orrery):
    program = orrery.home / "server"
    subprocess.run(["gcc", "-g", "-O1", "-o", program, HERE / "server.c", "-pthread"], check=True)
    return orrery.record([program])


def case_requests(orrery, expect):
    """A sleep of 20 ms, 20 ms of computing, a file with fsync, a lock held for 30 ms, a signal awaited for 40 ms, and one that waits for the one before it."""
    recording = server(orrery)
    said = {what: int(ns) for what, ns in re.findall(r"^request (\w) (\d+)$", orrery.run("replay", "-a", recording), re.M)}
    requests = orrery.rows(recording, "SELECT * FROM request ORDER BY arrived_ns, answered_ns")
    expect(len(requests), 7, "requests")
    parts = ("queue_ns", "cpu_ns", "lock_ns", "disk_ns", "network_ns", "sched_ns", "other_ns")
    for row in requests:
        expect(sum(row[part] for part in parts), row["latency_ns"], f"the sum of the shares of {row}")
        expect(row["latency_ns"], row["answered_ns"] - row["arrived_ns"], "the latency")
    for what, row, share, least in (("s", requests[0], "other_ns", 19 * MS), ("c", requests[1], "cpu_ns", 19 * MS), ("l", requests[3], "lock_ns", 25 * MS), ("w", requests[4], "lock_ns", 35 * MS)):
        # A busy host may take the processor away anywhere.
        expect(row[share] >= least and row[share] == max(row[part] for part in parts), True, f"the share {share} of {row}")
        # The client may have its answer before the call that wrote it is over, which is the network's share.
        expect(row["latency_ns"] - row["network_ns"] <= said[what] + 5 * MS, True, f"latency of {what}: the client says {said[what]}")
    fsyncs = orrery.rows(recording, "SELECT coalesce(sum(end_ns - begin_ns), 0) AS ns FROM task_stretch WHERE reason = 'disk' AND process = 0")[0]["ns"]
    expect(requests[2]["disk_ns"] > 0.3 * requests[2]["latency_ns"] and requests[2]["disk_ns"] <= fsyncs + MS, True, f"the disk's share of {requests[2]}")
    last = sorted(requests[5:], key=lambda row: row["queue_ns"])
    sleeper = max(last, key=lambda row: row["other_ns"])
    other = last[0] if sleeper is last[1] else last[1]
    # On a busy host the client may be held up between the two, and then nothing waits.
    together = other["arrived_ns"] < sleeper["answered_ns"]
    expect(sleeper["other_ns"] >= 19 * MS and (other["queue_ns"] >= 19 * MS or not together), True, f"who waits for the one before ({last})")
    summary = orrery.rows(recording, "SELECT * FROM server")
    expect([(row["process"], row["requests"], row["bytes_in"], row["bytes_out"]) for row in summary], [(0, 7, 7, 7)], "the server")
    document = json.loads(orrery.run("show", "io", recording, "--slowest", "3", "--json"))
    wanted = json.loads((HERE.parents[1] / "docs" / "requests.schema.json").read_text())
    expect(list(schema.problems(document, wanted, wanted)), [], "requests.schema.json")
    expect([row["rank"] for row in document["requests"]], [1, 2, 3], "--slowest 3")
    text = orrery.run("show", "io", recording, "--slowest")
    expect(len(re.findall(r"^ +\S+ \S+ +\d+\.\d+ ms  [a-zL~]{29,30} +#0 thread", text, re.M)), 7, f"bars in {text}")
    expect("took turns on one processor" in text and "took turns on one processor" in orrery.run("info", recording), True, "what recording did to the timing")
    timing = json.loads(orrery.run("info", recording, "--json"))["timing"]
    expect(0 < timing["event_ns"] < MS and timing["threads_at_a_time"] == 1, True, f"timing {timing}")


def masked(text):
    """Without what differs from run to run: addresses, pids and ports, times."""
    text = re.sub(r"0x[0-9a-f]+|\b\d{4,}\b", "N", text)
    return re.sub(r"\s+", " ", text)


def case_calls(orrery, expect):
    """The log of calls is what strace prints of a native run."""
    log = orrery.home / "strace"
    words = ["/bin/sh", "-c", "cd /tmp; umask 027; read line < /etc/hostname; test -e /nowhere; echo $line > /dev/null"]
    subprocess.run(["strace", "-f", "-qq", "-o", log, *words], check=True)
    native = [masked(re.sub(r"^\d+ +", "", line)) for line in log.read_text().splitlines()]
    recording = orrery.record(words)
    ours = [masked(line) for line in re.findall(r"^ +#0 +\d+ +\d+ +\d+\.\d+  (.*?)(?: <\d+\.\d+>)?$", orrery.run("show", "io", recording, "--calls"), re.M)]
    kinds = ("openat(", "read(", "write(", "close(", "umask(", "chdir(", "dup2(", "faccessat2(", "newfstatat(", "fcntl(", "geteuid(", "exit_group(")
    # Where the loader stands among libraries of the cache is the same; what ASLR moves is masked.
    wanted = [line for line in native if line.startswith(kinds)]
    got = [line for line in ours if line.startswith(kinds)]
    differing = [(left, right) for left, right in zip(got, wanted) if left != right]
    expect((len(got), differing[:3]), (len(wanted), []), "calls as strace prints them")


CASES = {"requests": case_requests, "calls": case_calls}
