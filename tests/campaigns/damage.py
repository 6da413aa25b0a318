#!/usr/bin/env python3
"""Cuts recordings at random bytes and flips random bits in them, in the trace most of all. Every recording
must replay to the end of the last chunk before the damage, or be refused with the place; other processes' events must
be whole; no reader may crash, hang or eat the host's memory. What the trace still holds is told here by a reader of its own."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import readers

PROGRAMS = {
    "small": ["ls", "-l", "/"],
    "calls": ["sh", "-c", "i=0; while [ $i -lt 400 ]; do read x < /etc/debian_version; i=$((i+1)); done"],
    "pauses": ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do read x < /etc/debian_version; sleep=$i; "
                           "read -t 0.15 y < /dev/tty || read -r z < /etc/passwd; done 2>/dev/null; kill -SEGV $$"],
    "signals": ["perl", "-e", "use Time::HiRes 'setitimer'; $SIG{ALRM} = sub { $n++ }; setitimer(0, 0.01, 0.01);"
                              "for ($i = 0; $n < 60; $i++) { $s += $i % 7 } print $n"],
    "reads": ["dd", "if=/dev/urandom", "of=/dev/null", "bs=1M", "count=6", "status=none"],
}
TREES = {
    "tree": ["sh", "-c", "for i in 1 2 3; do ls / | sort | head -3; (read x < /etc/passwd; exit 3); done; (sleep 0.3; read y < /etc/passwd) & "],
}
TARGETS = ["trace"] * 14 + ["info", "launch", "launch", "files", "files", "engine"]


def chunks_of(trace):
    """(process, begin, end, events) of every chunk, as docs/format.md has them."""
    chunks, at = [], 64
    while trace[at:at + 4] == b"OCHK":
        count, _, stored, process = struct.unpack_from("<IIII", trace, at + 16)
        chunks.append((process, at, at + 80 + stored, count))
        at += 80 + stored
    return chunks


class Source:
    """A sound recording that copies are made of."""

    def __init__(self, orrery, name, words, folder):
        self.name, self.path = name, folder / name
        environment = dict(os.environ, XDG_DATA_HOME=str(folder / "data"))
        subprocess.run([orrery, "record", "-o", str(self.path), "--", *words], env=environment,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        done = subprocess.run([orrery, "replay", "--check", str(self.path)], env=environment, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{name} does not replay even undamaged: {done.stderr.decode()}")
        self.trace = (self.path / "trace").read_bytes()
        self.chunks = chunks_of(self.trace)

    def whole_events(self, at, end):
        """Of each process, the events up to its first chunk that has a byte of at .. end."""
        counts, ended = {}, set()
        for process, begin, chunk_end, count in self.chunks:
            if begin < end and at < chunk_end:
                ended.add(process)
            if process not in ended:
                counts[process] = counts.get(process, 0) + count
        return counts


def flip(rng, data):
    """Bits at one place, or a number that is all ones, or zeros as a lost page leaves them."""
    at = rng.randrange(len(data))
    kind = rng.random()
    if kind < 0.7:
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            data[min(len(data) - 1, at + rng.randrange(8))] ^= 1 << rng.randrange(8)
    elif kind < 0.85:
        data[at:at + 8] = bytes([rng.choice((0xff, 0x7f, 0x80))]) * len(data[at:at + 8])
    else:
        data[at:at + 4096] = bytes(len(data[at:at + 4096]))
    return at


class Damage:
    """One damaged copy of a recording."""

    def __init__(self, orrery, seed, sources, folder):
        self.rng = random.Random(seed)
        self.orrery, self.seed, self.folder = orrery, seed, folder
        self.source = self.rng.choice(sources)
        self.target = self.rng.choice(TARGETS)
        self.cut = self.rng.random() < 0.5
        self.environment = dict(os.environ, XDG_DATA_HOME=str(folder / "data"), LC_ALL="C")
        self.recording = folder / "data" / "orrery" / "recordings" / "run"
        self.what = ""
        self.refused = False

    def name(self):
        return f"seed {self.seed}: {self.source.name}, {self.what}"

    def make(self):
        """The first damaged byte, and where the damage ends."""
        shutil.copytree(self.source.path, self.recording, copy_function=os.link)
        victim = self.recording / self.target
        if self.target == "files":
            victim = self.rng.choice(sorted(victim.iterdir()))
        whole = data = bytearray(victim.read_bytes())
        if self.cut:
            at = self.rng.randrange(len(data))
            data = data[:at]
        else:
            data = bytearray(whole)
            at = flip(self.rng, data)
        victim.unlink()
        victim.write_bytes(data)
        self.what = f"{victim.relative_to(self.recording)} {'cut' if self.cut else 'changed'} at byte {at}"
        original = (self.source.path / victim.relative_to(self.recording)).read_bytes()
        different = [i for i, (a, b) in enumerate(zip(data, original)) if a != b]
        if len(data) != len(original):
            return len(data), len(original)
        return (different[0], different[-1] + 1) if different else (len(data), len(data))

    def events_dumped(self):
        """Of each process, the events that dump shows."""
        done = subprocess.run([self.orrery, "dump", "--json", str(self.recording)], env=self.environment, capture_output=True)
        counts = {}
        for line in done.stdout.splitlines():
            process = json.loads(line)["process"]
            counts[process] = counts.get(process, 0) + 1
        return counts

    def problems(self):
        at, end = self.make()
        problems, check = readers.read_all(self.orrery, self.recording, self.environment)
        replayed = readers.events_replayed(check)
        self.refused = replayed is None
        if self.target == "trace" and at >= 64:
            wanted, dumped = self.source.whole_events(at, end), self.events_dumped()
            if dumped != wanted:
                problems.append(f"of the processes are {wanted} events whole, dumped {dumped}")
            if self.source.name not in TREES and replayed != wanted.get(0, 0):
                problems.append(f"{wanted} events are whole, replayed {replayed}: {check.status} {check.err[-300:]!r}")
        return problems


def try_one(orrery, seed, sources):
    with tempfile.TemporaryDirectory(prefix="orrery-damage-", dir=sources[0].path.parent) as folder:
        damage = Damage(orrery, seed, sources, pathlib.Path(folder))
        try:
            return damage, damage.problems()
        except Exception as error:  # a fault of the campaign is a failure of the case, not the end of all
            return damage, [f"the campaign failed: {error!r}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=2000)
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--seed", type=int, default=int(time.time() // 86400) * 100000, help="of the first case; the day's by default")
    parser.add_argument("--jobs", type=int, default=3)
    arguments = parser.parse_args()
    orrery = shutil.which(os.path.abspath(arguments.orrery)) or sys.exit(f"no {arguments.orrery}")
    failed, refused, cuts = 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="orrery-damage-") as folder, \
            concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        programs = dict(PROGRAMS, **TREES) if readers.records_trees(orrery) else PROGRAMS
        sources = [Source(orrery, name, words, pathlib.Path(folder)) for name, words in programs.items()]
        runs = [pool.submit(try_one, orrery, arguments.seed + i, sources) for i in range(arguments.count)]
        for done in concurrent.futures.as_completed(runs):
            damage, problems = done.result()
            cuts += damage.cut
            refused += damage.refused
            failed += bool(problems)
            for problem in problems:
                print(f"{damage.name()}: {problem}", flush=True)
    print(f"{arguments.count} damages ({cuts} cuts) from seed {arguments.seed}: {arguments.count - failed - refused} replay to "
          f"the last whole chunk, {refused} are refused with the place, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
