#!/usr/bin/env python3
"""Kills a process of the guest, the writer, `orrery record` or all of them with SIGKILL at random moments of recordings
of several kinds. Every recording must replay to its last flush, or say that it was killed before the
program began; no reader may crash. One line a failure with the seed that shows it again."""
import argparse
import concurrent.futures
import fcntl
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import readers

PROGRAMS = {
    "calls": ["sh", "-c", "i=0; while [ $i -lt 15000 ]; do read x < /etc/debian_version; i=$((i+1)); done"],
    "cpu": ["perl", "-e", "for ($i = 0; $i < 6000000; $i++) { $s += $i * $i % 7 } print $s"],
    "signals": ["perl", "-e", "use Time::HiRes 'setitimer'; $SIG{ALRM} = sub { $n++ }; setitimer(0, 0.001, 0.001);"
                              "for ($i = 0; $n < 400; $i++) { $s += $i % 7 } print $n"],
    "reads": ["dd", "if=/dev/urandom", "of=/dev/null", "bs=1M", "count=100", "status=none"],
    "writes": ["dd", "if=/dev/zero", "of=written", "bs=8M", "count=40", "status=none"],
    "maps": ["python3", "-c", "import mmap, json, decimal, sqlite3, email, xml.dom.minidom\n"
                              "f = open('mapped', 'w+b'); f.truncate(1 << 20); m = mmap.mmap(f.fileno(), 0)\n"
                              "for i in range(300): m[i * 3000] = 7; f.seek(i * 100); f.write(b'x' * 99); f.flush()"],
    "small": ["ls", "-l", "/usr/bin"],
}
TREES = {
    "pipelines": ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do ls -l /usr/bin | sort -k 5n | tail -3; (read x < /etc/passwd; exit 3); done"],
    "parallel": ["sh", "-c", "for i in 1 2 3 4; do (j=0; while [ $j -lt 3000 ]; do read x < /etc/passwd; j=$((j+1)); done) & done; wait"],
    "left_behind": ["sh", "-c", "(i=0; while [ $i -lt 4000 ]; do read x < /etc/passwd; i=$((i+1)); done) & ls /"],
    "subprocesses": ["python3", "-c", "import subprocess\nfor i in range(12): subprocess.run(['ls', '/'], stdout=subprocess.DEVNULL)"],
}
VICTIMS = ("guest", "writer", "recorder", "all")
SECONDS_MOST = 90


def children_of(pid):
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def cast(recorder):
    """Who plays which part: the recorder's children are engines and another `orrery`, the writer; engines have more."""
    parts = {"recorder": recorder, "guests": []}
    left = children_of(recorder)
    while left:
        child = left.pop()
        try:
            executable = os.readlink(f"/proc/{child}/exe")
        except OSError:
            continue
        if executable.endswith("orrery-engine"):
            parts["guests"].append(child)
            left += children_of(child)
        elif "writer" not in parts:
            parts["writer"] = child
    return parts


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_all(parts):
    """Also what is forked meanwhile."""
    kill(parts["recorder"])
    kill(parts.get("writer", parts["recorder"]))
    seen = set()
    while left := [pid for pid in parts["guests"] if pid not in seen]:
        for pid in left:
            parts["guests"] += [child for child in children_of(pid) if child not in parts["guests"]]
            kill(pid)
            seen.add(pid)


def wait_for_all(pidfds):
    deadline = time.monotonic() + SECONDS_MOST
    for pidfd in pidfds:
        if not select.select([pidfd], [], [], max(0, deadline - time.monotonic()))[0]:
            return False
    return True


class Kill:
    """One recording that somebody is killed in."""

    def __init__(self, orrery, programs, seed, folder):
        rng = random.Random(seed)
        self.orrery, self.seed, self.folder = orrery, seed, folder
        self.rng = rng
        self.program = rng.choice(sorted(programs))
        self.words = programs[self.program]
        self.victim = rng.choice(VICTIMS)
        self.delay = rng.uniform(0, rng.choice((0.03, 0.2, 0.8)))
        self.environment = dict(os.environ, XDG_DATA_HOME=str(folder / "data"), LC_ALL="C")
        self.recording = folder / "data" / "orrery" / "recordings" / "run"
        self.refused = False
        self.events = 0

    def name(self):
        return f"seed {self.seed}: {self.victim} of {self.program} after {self.delay * 1000:.0f} ms"

    def problems(self):
        self.recording.parent.mkdir(parents=True)
        recorder = subprocess.Popen([self.orrery, "record", "-o", str(self.recording), "--", *self.words],
                                    cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(self.delay)
        parts = cast(recorder.pid)
        pidfds = []
        for pid in (recorder.pid, *parts["guests"], *([parts["writer"]] if "writer" in parts else [])):
            try:
                pidfds.append(os.pidfd_open(pid))
            except ProcessLookupError:
                pass
        if self.victim == "all":
            kill_all(parts)
        elif self.victim == "guest" and parts["guests"]:
            kill(self.rng.choice(parts["guests"]))
        else:
            kill(parts.get(self.victim, recorder.pid))
        recorder.wait()
        ended = wait_for_all(pidfds)
        for pidfd in pidfds:
            os.close(pidfd)
        return self.judge() if ended and self.is_closed() else ["a process of the recording did not end"]

    def is_closed(self):
        """The writer, which ends after all guests, holds a lock on the trace."""
        deadline = time.monotonic() + SECONDS_MOST
        while time.monotonic() < deadline:
            try:
                with open(self.recording / "trace", "rb") as trace:
                    fcntl.flock(trace, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return True
            except FileNotFoundError:
                return True
            except BlockingIOError:
                time.sleep(0.02)
        return False

    def judge(self):
        if not (self.recording / "trace").exists():
            self.refused = True  # killed before there was anything but its folder
            return []
        problems, check = readers.read_all(self.orrery, self.recording, self.environment)
        self.events = readers.events_replayed(check)
        self.refused = self.events is None
        if self.refused and "killed before" not in check.err:
            problems.append(f"does not replay: {check.status}: {check.err[-400:]!r}")
        return problems


def try_one(orrery, programs, seed):
    with tempfile.TemporaryDirectory(prefix="orrery-kills-") as folder:
        case = Kill(orrery, programs, seed, pathlib.Path(folder))
        try:
            return case, case.problems()
        except Exception as error:  # a fault of the campaign is a failure of the case, not the end of all
            return case, [f"the campaign failed: {error!r}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=500)
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--seed", type=int, default=int(time.time() // 86400) * 100000, help="of the first case; the day's by default")
    parser.add_argument("--jobs", type=int, default=3)
    arguments = parser.parse_args()
    orrery = shutil.which(os.path.abspath(arguments.orrery)) or sys.exit(f"no {arguments.orrery}")
    programs = dict(PROGRAMS, **TREES) if readers.records_trees(orrery) else PROGRAMS
    failed, refused, events, by_victim = 0, 0, 0, dict.fromkeys(VICTIMS, 0)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [pool.submit(try_one, orrery, programs, arguments.seed + i) for i in range(arguments.count)]
        for done in concurrent.futures.as_completed(runs):
            case, problems = done.result()
            by_victim[case.victim] += 1
            refused += case.refused
            events += case.events or 0
            failed += bool(problems)
            for problem in problems:
                print(f"{case.name()}: {problem}", flush=True)
    parts = ", ".join(f"{count} {victim}" for victim, count in by_victim.items())
    print(f"{arguments.count} kills ({parts}) from seed {arguments.seed}: {arguments.count - failed - refused} replay to their "
          f"last flush ({events} events), {refused} were killed before the program began, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
