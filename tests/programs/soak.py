#!/usr/bin/env python3
"""Records long runs of mixed programs and replays each with --check, until so many hours of guest CPU
time (user and system, as the kernel counts them for the recorded program) are through or one is not
equal. One run in five is also compared with a native one. What failed is kept, with its recording.

Runs differ by a seed each: `--again NAME SEED` does one of them anew. With --log, a soak that was
stopped goes on where it was."""
import argparse
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import run
import soak_jobs

LIMIT_SECONDS = 1800  # for one run, on a machine that does other work
NATIVE_EVERY = 5


class Outcome:
    """How one command went: status, what it printed and left, CPU time."""

    def __init__(self, prefix, task, folder, environment, output):
        stdin = open(folder / task.stdin, "rb") if task.stdin else open(os.devnull, "rb")
        with stdin, open(output, "wb") as out, open(f"{output}.err", "wb") as err:
            child = subprocess.Popen([*prefix, *task.command], cwd=folder, env=environment, stdin=stdin, stdout=out, stderr=err)
            timer = threading.Timer(LIMIT_SECONDS, child.kill)
            timer.start()
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = self.status = os.waitstatus_to_exitcode(status)
            timer.cancel()
        self.seconds = used.ru_utime + used.ru_stime
        self.output = output

    def error_text(self):
        return pathlib.Path(f"{self.output}.err").read_text(errors="replace")[-1500:]


def digest(*roots):
    """One hash over files and everything in folders."""
    state = hashlib.sha256()
    for root in roots:
        for path in [root, *sorted(root.rglob("*"))] if root.is_dir() else [root]:
            state.update(f"{path.relative_to(root.parent)} {path.lstat().st_mode}\n".encode())
            if path.is_file() and not path.is_symlink():
                state.update(path.read_bytes())
    return state.hexdigest()


class Soak:
    def __init__(self, chosen):
        self.chosen = chosen
        self.scratch = pathlib.Path(chosen.scratch or tempfile.mkdtemp(prefix="orrery-soak-"))
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.seconds, self.runs, self.failed, self.next = 0.0, 0, 0, 0
        self.log = open(chosen.log, "a+") if chosen.log else None
        if self.log:
            self.log.seek(0)
            for line in self.log:
                entry = json.loads(line)
                if not entry["problems"]:
                    self.seconds, self.runs = self.seconds + entry["guest_seconds"], self.runs + 1
                self.next = max(self.next, entry["number"] + 1)
        self.build = hashlib.sha256(pathlib.Path(chosen.orrery).with_name("orrery-engine").read_bytes()).hexdigest()[:12]

    def worker(self, number):
        names = self.chosen.only or list(soak_jobs.JOBS)
        while not self.stop.is_set():
            with self.lock:
                turn, self.next = self.next, self.next + 1
            name, seed = names[turn % len(names)], self.chosen.seed + turn
            folder = self.scratch / f"{name}-{seed}"
            try:
                entry = self.one(name, seed, folder, turn % NATIVE_EVERY == 0)
            except (OSError, subprocess.CalledProcessError) as error:  # no such tool, or it is not for this soak
                print(f"skipped {name} {seed}: {error}", flush=True)
                shutil.rmtree(folder, ignore_errors=True)
                continue
            self.report({"number": turn, **entry}, folder)

    def one(self, name, seed, folder, beside_native):
        """Record, check, perhaps compare; the entry for the log."""
        work, recording = folder / "work", folder / "recording"
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/games", "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC", "TERM": "dumb",
                       "XDG_DATA_HOME": str(self.scratch / "store"), "TMPDIR": str(work)}
        began, problems = time.time(), []
        task = soak_jobs.make(name, seed, work)
        profile = ["--cpu", self.chosen.cpu] if self.chosen.cpu else []
        recorded = Outcome([self.chosen.orrery, "record", *profile, "-o", recording, "--"], task, work, environment, folder / "recorded")
        beside_native = beside_native or recorded.status != 0
        left = digest(work, folder / "recorded") if beside_native else None
        size = sum(p.stat().st_size for p in recording.glob("trace*")) if recording.is_dir() else 0
        checked = Outcome([self.chosen.orrery, "replay", "--check", recording], soak_jobs.Job(), self.scratch, environment, folder / "checked")
        if checked.status != 0:
            problems.append(f"replay --check: exit status {checked.status}: {checked.error_text()}")
        if beside_native:
            shutil.move(work, folder / "recorded-work")
            shutil.move(folder / "recorded", folder / "recorded-output")
            soak_jobs.make(name, seed, work)
            native = Outcome([], task, work, environment, folder / "recorded")
            started = native.status != recorded.status and run.started_tasks(
                task.command, lambda prefix: Outcome(prefix, task, work, environment, folder / "traced"), folder / "strace")
            if started:
                raise OSError(started[0])
            if native.status != recorded.status:
                problems.append(f"exit status {recorded.status}, natively {native.status}: {recorded.error_text()}")
            elif not task.varies and digest(work, folder / "recorded") != left:
                problems.append("output or files are not those of the native run")
        return {"time": round(began), "program": name, "seed": seed, "command": shlex.join(task.command), "guest_seconds": round(recorded.seconds, 3),
                "check_seconds": round(checked.seconds, 3), "wall_seconds": round(time.time() - began, 1), "trace_bytes": size,
                "native": beside_native, "build": self.build, "status": recorded.status, "problems": problems}

    def report(self, entry, folder):
        with self.lock:
            if entry["problems"]:
                self.failed += 1
                self.stop.set()
            else:
                self.runs, self.seconds = self.runs + 1, self.seconds + entry["guest_seconds"]
                shutil.rmtree(folder, ignore_errors=True)
            if self.log:
                print(json.dumps(entry), file=self.log, flush=True)
            print(f"{self.seconds / 60:7.1f} min {self.runs:5} runs  {entry['program']:10} {entry['guest_seconds']:7.1f} s  seed {entry['seed']}", flush=True)
            for problem in entry["problems"]:
                print(f"FAIL {entry['program']}: {problem}", flush=True)
            if entry["problems"]:
                print(f"  kept in {folder}: work, recording\n"
                      f"  again:  ./dev soak --again {entry['program']} {entry['seed']}\n"
                      f"  look:   XDG_DATA_HOME={self.scratch}/store {self.chosen.orrery} replay --check {folder}/recording", flush=True)
            if self.seconds >= self.chosen.hours * 3600:
                self.stop.set()
            if self.runs % 20 == 0:  # what finished recordings shared is of no use to anyone
                subprocess.run([self.chosen.orrery, "gc", "--unused-hours", "1"], capture_output=True, env={"XDG_DATA_HOME": str(self.scratch / "store")})

    def go(self):
        workers = [threading.Thread(target=self.worker, args=(n,)) for n in range(self.chosen.workers)]
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, lambda *_: self.stop.set())
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
        print(f"{self.seconds / 3600:.2f} hours of guest CPU time, {self.runs} runs, {self.failed} not equal")
        if not self.failed and not self.chosen.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
        return 1 if self.failed else 0


def again(chosen):
    name, seed = chosen.again
    soak = Soak(chosen)
    entry = soak.one(name, int(seed), soak.scratch / f"{name}-{seed}", True)
    print(json.dumps(entry, indent=2))
    print(f"kept in {soak.scratch}/{name}-{seed}")
    return 1 if entry["problems"] else 0


def check_tasks(chosen):
    """Whether some seeds of each job start a task."""
    found = 0
    for name in chosen.only or soak_jobs.JOBS:
        for seed in range(chosen.tasks):
            with tempfile.TemporaryDirectory() as folder:
                work = pathlib.Path(folder) / "work"
                task = soak_jobs.make(name, seed, work)
                problems = run.started_tasks(task.command, lambda prefix: Outcome(
                    prefix, task, work, {**os.environ, "HOME": folder, "TMPDIR": str(work), "LC_ALL": "C"}, work / "out"), pathlib.Path(folder) / "trace")
            found += bool(problems)
            print(f"{'FAIL' if problems else 'ok  '} {name} {seed}: {shlex.join(task.command)[:100]} {' '.join(problems)}", flush=True)
    return 1 if found else 0


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hours", nargs="?", type=float, default=2.0, help="of guest CPU time (default 2)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--orrery", default=str(run.ROOT / "build/release/orrery"), help="orrery-engine lies beside it")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", action="append", default=[], metavar="NAME", choices=list(soak_jobs.JOBS))
    parser.add_argument("--cpu", help="the processor the programs see, as of orrery record")
    parser.add_argument("--log", help="one JSON line a run; goes on from its total")
    parser.add_argument("--scratch", help="for inputs and recordings (default: a temporary folder)")
    parser.add_argument("--again", nargs=2, metavar=("NAME", "SEED"), help="one run, and keep it")
    parser.add_argument("--tasks", type=int, metavar="SEEDS", help="only check, with strace, that no job starts a task")
    return parser.parse_args(arguments)


def main(arguments):
    chosen = options(arguments)
    if chosen.tasks:
        return check_tasks(chosen)
    if chosen.again:
        return again(chosen)
    return Soak(chosen).go()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
