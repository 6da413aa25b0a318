#!/usr/bin/env python3
"""Runs programs of several threads and processes with --seed: the same seed must give the same output each time,
other seeds must give others, and a recording of such a run must have the output of the run, replay with --check, and
show that output again. One line a program; the outputs that differ are kept.

All runs of a program are made one after the other in one folder that is made anew each time: its name, the files in it
and the environment are inputs, which a seed does not decide."""
import argparse
import collections
import concurrent.futures
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_SECONDS = 300
SEED = 7

PROGRAMS = {
    "threads": ("src/contended.c", ["./contended"]),
    "shared": ("seeded/shared.c", ["./shared"]),
    "pipeline": ("seeded/pipeline.sh", ["bash", "pipeline.sh"]),
    "signals": ("seeded/signals.sh", ["bash", "signals.sh"]),
    "make": ("seeded/Makefile", ["make", "-j2"]),
    "workers": ("seeded/workers.py", ["python3", "workers.py"]),
    "forks": ("seeded/forks.pl", ["perl", "forks.pl"]),
}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C", "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"}


class Program:
    def __init__(self, name, folder, arguments):
        self.name, self.folder, self.arguments = name, folder, arguments
        self.source, self.command = PROGRAMS[name]
        self.problems = []

    def make_folder(self):
        """The folder of a run, as it is before each."""
        place = self.folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        source = HERE / self.source
        if source.suffix == ".c":
            built = self.folder / source.stem
            if not built.exists():
                subprocess.run(["cc", "-O1", "-pthread", "-o", built, source], check=True)
            shutil.copy(built, place)
        else:
            shutil.copy(source, place)
        return place

    def orrery(self, *words):
        environment = dict(ENVIRONMENT, ORRERY_QUIET="1", ORRERY_HOME=str(self.folder / "home"))
        return subprocess.run([self.arguments.orrery, *map(str, words)], cwd=self.folder / "place", env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TIMEOUT_SECONDS)

    def run(self, seed):
        self.make_folder()
        ran = self.orrery("run", "--seed", seed, "--", *self.command)
        if ran.returncode != 0:
            self.problems.append(f"seed {seed}: status {ran.returncode}: {ran.stdout[-300:]!r}")
        return ran.stdout

    def record(self, seed, expected):
        self.make_folder()
        recording = self.folder / "recording"
        shutil.rmtree(recording, ignore_errors=True)
        recorded = self.orrery("record", "--seed", seed, "-o", recording, "--", *self.command)
        if recorded.stdout != expected:
            self.keep({recorded.stdout: 1}, "recorded")
            self.problems.append("recorded, it has another output")
        checked = self.orrery("replay", "--check", recording)
        if checked.returncode != 0:
            self.problems.append(f"check: status {checked.returncode}: {checked.stdout[-300:]!r}")
        shown = self.orrery("replay", "-a", recording)
        if shown.stdout != expected:
            self.problems.append(f"the replay shows {shown.stdout[-300:]!r}")

    def keep(self, outputs, kind):
        if self.arguments.keep is None:
            return
        self.arguments.keep.mkdir(parents=True, exist_ok=True)
        for output in outputs:
            name = f"{self.name}-{kind}-{hashlib.sha256(output).hexdigest()[:12]}"
            (self.arguments.keep / name).write_bytes(output)

    def campaign(self):
        same = collections.Counter(self.run(SEED) for _ in range(self.arguments.count))
        other = collections.Counter(self.run(seed) for seed in range(100, 100 + self.arguments.seeds))
        if len(same) != 1:
            self.problems.append(f"one seed has {len(same)} outputs: {sorted(same.values(), reverse=True)}")
        if len(other) < 2:
            self.problems.append("all seeds have the same output")
        self.keep(same, "same")
        self.record(SEED, same.most_common(1)[0][0])
        for problem in self.problems:
            print(f"{self.name}: {problem}", flush=True)
        print(f"{self.name}: {self.arguments.count} runs with one seed, {len(same)} output; "
              f"{self.arguments.seeds} seeds, {len(other)} outputs; {len(self.problems)} problems", flush=True)
        return len(self.problems)


def try_program(name, arguments):
    with tempfile.TemporaryDirectory(prefix=f"orrery-seeds-{name}-") as folder:
        try:
            return Program(name, pathlib.Path(folder), arguments).campaign()
        except subprocess.TimeoutExpired as expired:
            print(f"{name}: still running after {TIMEOUT_SECONDS} s: {expired.cmd[:4]}", flush=True)
            return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=100, help="runs with one seed")
    parser.add_argument("--seeds", type=int, default=20, help="other seeds")
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--only", choices=sorted(PROGRAMS), nargs="*")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--keep", type=pathlib.Path, help="where to keep outputs")
    arguments = parser.parse_args()
    arguments.orrery = os.path.abspath(arguments.orrery)
    if not os.access(arguments.orrery, os.X_OK):
        sys.exit(f"no {arguments.orrery}")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        problems = sum(pool.map(lambda name: try_program(name, arguments), arguments.only or PROGRAMS))
    sys.exit(problems != 0)


if __name__ == "__main__":
    main()
