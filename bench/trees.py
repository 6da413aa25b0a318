#!/usr/bin/env python3
"""What recording costs programs that have many processes, threads or clients, or that make their own code: ratios of
wall time to native, or for a server of throughput. Runs are interleaved, round by round; a ratio is taken
within its round, and the median is reported with the least and the greatest."""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
GUESTS = ROOT / "tests/guest"
REDIS_TESTS = "set,get,incr,lpush,lrange_100"


def run(command, **options):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: status {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


class Bench:
    def __init__(self, folder, orrery, size):
        self.folder, self.orrery, self.size = folder, orrery, size
        self.recording = folder / "recording"

    def prefix(self, recorded):
        shutil.rmtree(self.recording, ignore_errors=True)
        return [self.orrery, "record", "-o", self.recording, "--"] if recorded else []

    def wall(self, command, recorded, **options):
        words = [*self.prefix(recorded), *command]
        began = time.perf_counter()
        run(words, **options)
        return time.perf_counter() - began

    # --- workloads: each returns a cost, in seconds or in seconds a request ---

    def bash(self, recorded):
        return self.wall(["bash", "-c", "for i in $(seq 200); do /bin/true; done"], recorded)

    def make(self, recorded, compiler):
        """make -j2 of C programs: the guest tests of three families, some thirty files."""
        shutil.rmtree(self.folder / "objects", ignore_errors=True)
        (self.folder / "objects").mkdir()
        makefile = self.folder / "Makefile"
        sources = [path for family in ("thread", "process", "signal") for path in sorted((GUESTS / family).glob("*.c"))]
        objects = [f"objects/{path.parent.name}-{path.stem}.o" for path in sources]
        rules = "".join(f"{made}: {path}\n\t{compiler} -O2 -D_GNU_SOURCE -w -I{GUESTS}/include -DSIGNAL=1 -c $< -o $@\n"
                        for made, path in zip(objects, sources))
        makefile.write_text(f"all: {' '.join(objects)}\n{rules}")
        return self.wall(["make", "-s", "-j2"], recorded, cwd=self.folder)

    def make_gcc(self, recorded):
        return self.make(recorded, "gcc")

    def make_clang(self, recorded):
        return self.make(recorded, "clang-14")

    def node(self, recorded):
        return self.wall(["node", HERE / "inputs/work.js", str(150 * self.size)], recorded)

    def java(self, recorded):
        if not (self.folder / "Work.class").exists():
            run(["javac", "-d", self.folder, HERE / "inputs/Work.java"])
        return self.wall(["java", "-Xmx64m", "-cp", self.folder, "Work", str(200 * self.size)], recorded)

    def redis(self, recorded):
        """Only the server is recorded. The harmonic mean of the tests' throughputs, turned over."""
        sock = self.folder / "redis.sock"
        server = subprocess.Popen([str(word) for word in [*self.prefix(recorded), "redis-server", "--port", "0", "--unixsocket", sock, "--save", ""]],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        while subprocess.run(["redis-cli", "-s", sock, "ping"], capture_output=True).returncode != 0:
            time.sleep(0.05)
        out = run(["redis-benchmark", "-s", sock, "-n", str(30000 * self.size), "-c", "20", "-t", REDIS_TESTS, "--csv"])
        subprocess.run(["redis-cli", "-s", sock, "shutdown", "nosave"], capture_output=True)
        server.wait()
        return sum(1 / float(rate) for rate in re.findall(r'^"[^"]+","([\d.]+)"', out, re.M))


# name: (what, program that must be there, the most it may be)
WORKLOADS = {
    "bash": ("bash starts 200 programs", "bash", 12.0),
    "make_gcc": ("make -j2 with gcc", "gcc", 4.0),
    "make_clang": ("make -j2 with clang", "clang-14", 4.0),
    "node": ("node", "node", 3.0),
    "java": ("java", "javac", 3.0),
    "redis": ("redis-server's time for a request", "redis-server", 3.0),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orrery", type=os.path.abspath, default=str(ROOT / "build/release/orrery"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a third of the work, three rounds")
    parser.add_argument("--only", action="append", default=[], choices=WORKLOADS)
    chosen = parser.parse_args()
    names = [name for name in WORKLOADS if not chosen.only or name in chosen.only]
    for name in [name for name in names if shutil.which(WORKLOADS[name][1]) is None]:
        print(f"skip {name}: without {WORKLOADS[name][1]}")
        names.remove(name)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="orrery-trees-") as folder:
        os.environ.setdefault("XDG_DATA_HOME", f"{folder}/data")
        bench = Bench(pathlib.Path(folder), chosen.orrery, 1 if chosen.quick else 3)
        ratios = {name: [] for name in names}
        for number in range(-1, 3 if chosen.quick else chosen.rounds):  # the first warms, and is not counted
            for name in names:
                print(f"\rround {number + 1}: {name:12}", end="", file=sys.stderr, flush=True)
                native, recorded = (getattr(bench, name)(way) for way in (False, True))
                if number >= 0:
                    ratios[name].append(recorded / native)
        print("\r" + " " * 30 + "\r", end="", file=sys.stderr)
        for name in names:
            what, _, most = WORKLOADS[name]
            median = statistics.median(ratios[name])
            missed += median > most
            print(f"{'ok  ' if median <= most else 'MISS'} {what:36} {median:6.2f} ({min(ratios[name]):5.2f}..{max(ratios[name]):5.2f})  at most {most:g}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
