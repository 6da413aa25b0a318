#!/usr/bin/env python3
"""Records programs whose threads contend, again and again. Every recording must replay, with `--check` and to
the output that the recorded run had; and the runs must differ among themselves, else nothing was contended.
With --seed, one seed must give one output and another seed another one. One line a failure; the recordings
that failed are kept."""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCES = pathlib.Path(__file__).resolve().parent / "src"
TIMEOUT_SECONDS = 300


def build_c(folder):
    subprocess.run(["cc", "-O1", "-pthread", "-o", folder / "contended", SOURCES / "contended.c"], check=True)
    return [str(folder / "contended")]


def build_java(folder):
    if shutil.which("javac") is None:
        return None
    subprocess.run(["javac", "-d", folder, SOURCES / "Contended.java"], check=True)
    # Without its file in /tmp, which another JVM with the same process id, the seed's, would meet.
    return ["java", "-XX:-UsePerfData", "-Xmx64m", "-cp", str(folder), "Contended"]


PROGRAMS = {"c": build_c, "java": build_java}


class Run:
    """One recording, its check and its replay."""

    def __init__(self, orrery, command, folder, seed=None):
        self.problems = []
        recording = folder / "recording"
        seeded = [] if seed is None else ["--seed", seed]
        recorded = self.run(orrery, "record", *seeded, "-o", recording, "--", *command)
        self.output = recorded.stdout
        if recorded.returncode != 0:
            self.problems.append(f"recorded: status {recorded.returncode}: {recorded.stderr[-300:]!r}")
            return
        checked = self.run(orrery, "replay", "--check", recording)
        if checked.returncode != 0:
            self.problems.append(f"check: status {checked.returncode}: {checked.stderr[-300:]!r}")
            return
        replayed = self.run(orrery, "replay", "-a", recording)
        if replayed.stdout != self.output:
            self.problems.append(f"shows {replayed.stdout[-300:]!r}, was {self.output[-300:]!r}")

    @staticmethod
    def run(*words):
        return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT_SECONDS)


def try_one(orrery, name, command, number, keep, seed=None):
    with tempfile.TemporaryDirectory(prefix="orrery-threads-") as folder:
        try:
            run = Run(orrery, command, pathlib.Path(folder), seed)
            problems, output = run.problems, run.output
        except subprocess.TimeoutExpired as expired:
            problems, output = [f"still running after {TIMEOUT_SECONDS} s: {expired.cmd[:2]}"], None
        if problems and keep:
            shutil.copytree(folder, keep / f"{name}-{number}", dirs_exist_ok=True)
        return problems, output


def outputs_of(orrery, name, command, arguments, seeds):
    """One run for each of `seeds`: how many failed, and each run's output."""
    failed, outputs = 0, [None] * len(seeds)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {pool.submit(try_one, orrery, name, command, number, arguments.keep, seed): number
                for number, seed in enumerate(seeds)}
        for done in concurrent.futures.as_completed(runs):
            problems, outputs[runs[done]] = done.result()
            failed += bool(problems)
            for problem in problems:
                print(f"{name}, run {runs[done]}: {problem}", flush=True)
    return failed, outputs


def campaign(orrery, name, command, arguments):
    failed, outputs = outputs_of(orrery, name, command, arguments, [None] * arguments.count)
    different = len(set(outputs))
    if arguments.count > 2 and different < 2:
        print(f"{name}: all runs print the same: nothing was contended", flush=True)
        failed += 1
    print(f"{name}: {arguments.count} runs, {different} different outputs, {failed} failed", flush=True)
    return failed


def seeded_campaign(orrery, name, command, arguments):
    same, other = [7] * arguments.count, list(range(100, 100 + max(3, arguments.count // 10)))
    failed, outputs = outputs_of(orrery, name, command, arguments, same + other)
    one, many = set(outputs[:len(same)]), set(outputs[len(same):])
    if len(one) != 1:
        print(f"{name}: one seed printed {len(one)} different outputs", flush=True)
        failed += 1
    if len(many) < 2:
        print(f"{name}: all seeds print the same", flush=True)
        failed += 1
    print(f"{name}: {len(same)} runs with one seed, {len(one)} output; {len(other)} seeds, {len(many)} outputs; "
          f"{failed} failed", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=100)
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--only", choices=sorted(PROGRAMS))
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--keep", type=pathlib.Path, help="where to keep what failed")
    arguments = parser.parse_args()
    orrery = shutil.which(os.path.abspath(arguments.orrery)) or sys.exit(f"no {arguments.orrery}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="orrery-threads-") as folder:
        for name, build in PROGRAMS.items():
            if arguments.only in (None, name):
                command = build(pathlib.Path(folder))
                if command is None:
                    print(f"{name}: skipped, its compiler is not installed")
                else:
                    failed += campaign(orrery, name, command, arguments)
                    failed += seeded_campaign(orrery, name, command, arguments)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
