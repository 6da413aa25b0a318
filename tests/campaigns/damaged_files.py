#!/usr/bin/env python3
"""Changes ELF files and archives at random, in their headers, tables, strings, notes and debug information, and has
`orrery show file --all` read each, as text and as JSON: it must end in time, by itself, with every complaint naming an offset;
the JSON must be JSON; and a file whose end was cut off must not pass for whole. Of each tenth file readelf is asked as well, for
how many of its errors orrery notices."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import file_builds
import schema

# Small ones of every form: a change in a large file mostly hits code.
SOURCES = ("pie", "stripped", "library_versions", "object", "object_cxx", "object_clang", "object_s390", "object_mips64el", "program_32",
           "library_32", "debug_zlib", "split_dwarf", "dwarf64", "debug_file", "lld_relr", "sysv_hash", "emit_relocations", "core")
SECONDS_MOST = 20
BYTES_MOST = 3 << 20
MEMORY_MOST = 2 << 30
INTERESTING = (0, 1, 2, 3, 4, 7, 8, 16, 24, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xfff0, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
               1 << 47, (1 << 63) - 1, 1 << 63, (1 << 64) - 8, (1 << 64) - 1)
OFFSET = re.compile(r"at 0x[0-9a-f]+: |: and \d+ more$")


class Layout:
    """Where the tables of a whole file lie, so that changes hit them."""

    def __init__(self, image):
        self.wide, self.order = image[4] == 2, "<" if image[5] == 1 else ">"
        word, read = ("Q", 8) if self.wide else ("I", 4), self.read
        self.word = word[1]
        self.segments, self.sections = read(image, 32 if self.wide else 28, word[0]), read(image, 40 if self.wide else 32, word[0])
        counts = 54 if self.wide else 42
        self.segment_bytes, self.segment_count, self.section_bytes, self.section_count = (
            read(image, counts + 2 * i, "H") for i in range(4))
        self.ranges = []  # of the sections' contents, with their entries' size
        for i in range(self.section_count):
            row = self.sections + i * self.section_bytes
            offset, size = (read(image, row + (24 if self.wide else 16) + self.word * n, word[0]) for n in range(2))
            kind, entry = read(image, row + 4, "I"), read(image, row + self.section_bytes - self.word, word[0])
            if kind not in (0, 8) and 0 < size and offset + size <= len(image):
                self.ranges.append((offset, size, max(1, min(entry, size))))

    def read(self, image, at, form):
        return struct.unpack_from(self.order + form, image, at)[0]

    def pick(self, rng, size):
        """A place and a width, mostly where a reader looks."""
        kind = rng.random()
        if kind < 0.15:
            return rng.randrange(64 if self.wide else 52), rng.choice((1, 2, 4, 8))
        if kind < 0.3 and self.segment_count:
            return self.segments + rng.randrange(self.segment_count * self.segment_bytes) // 4 * 4, rng.choice((4, self.word))
        if kind < 0.6 and self.section_count:
            return self.sections + rng.randrange(self.section_count * self.section_bytes) // 4 * 4, rng.choice((4, self.word))
        if kind < 0.95 and self.ranges:
            offset, size, entry = rng.choice(self.ranges)
            return offset + rng.randrange(size // entry) * entry + rng.randrange(entry), rng.choice((1, 1, 2, 4, self.word))
        return rng.randrange(size), 1


def change(rng, image, layout):
    """Some fields changed, or a cut; what was done, in words, and whether bytes were cut off that the tables claim."""
    if rng.random() < 0.06:
        length = rng.randrange(len(image))
        del image[length:]
        return f"cut at {length}", True
    words = []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 20))):
        at, size = layout.pick(rng, len(image))
        if at + size > len(image):
            continue
        order = "little" if layout.order == "<" else "big"
        old = int.from_bytes(image[at:at + size], order)
        new = rng.choice((rng.choice(INTERESTING), old ^ (1 << rng.randrange(8 * size)), old + rng.choice((-1, 1, 8, -8, 4096)),
                          rng.getrandbits(8 * size))) & ((1 << 8 * size) - 1)
        image[at:at + size] = new.to_bytes(size, order)
        words.append(f"{size} at {at:#x}: {old:#x} to {new:#x}")
    return "; ".join(words), False


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MOST, MEMORY_MOST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def show(orrery, path, *words):
    """Status, what it said on stderr, stdout, seconds; a hang has no status."""
    start = time.monotonic()
    try:
        done = subprocess.run([orrery, "show", "file", *words, str(path)], capture_output=True, timeout=SECONDS_MOST, preexec_fn=limits,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None, "", b"", SECONDS_MOST
    return done.returncode, done.stderr.decode(errors="replace"), done.stdout, time.monotonic() - start


def problem_of(status, said, out, as_json, cut):
    if status is None:
        return f"no end after {SECONDS_MOST} s"
    if status not in (0, 1, 69):
        return f"status {status}: {said[-300:]!r}"
    lines = said.splitlines()
    if (status == 0) != (not lines):
        return f"status {status} with {len(lines)} complaints"
    without = [line for line in lines if not OFFSET.search(line)]
    if without:
        return f"a complaint without an offset: {without[0]!r}"
    if cut and status == 0:
        return "cut off, and not noticed"
    if as_json and status != 69:
        try:
            wrong = next(schema.problems(json.loads(out), schema.FILE_SCHEMA), None)
        except ValueError as error:
            return f"no JSON: {error}"
        if wrong:
            return f"not by the schema: {wrong}"
    return None


def readelf_complains(path):
    done = subprocess.run(["readelf", "-hlSdsrnW", str(path)], capture_output=True, timeout=60, preexec_fn=limits)
    return b"Error" in done.stderr or b"Warning" in done.stderr


def try_one(orrery, seed, sources, folder):
    rng = random.Random(seed)
    name, image, layout = rng.choice(sources)
    image = bytearray(image)
    words, cut = change(rng, image, layout)
    path = folder / f"changed-{seed}"
    path.write_bytes(image)
    as_json = rng.random() < 0.5
    status, said, out, seconds = show(orrery, path, "--all", *(["--json"] if as_json else []))
    problem = problem_of(status, said, out, as_json, cut and bool(layout.section_count))
    theirs = readelf_complains(path) if seed % 10 == 0 else None
    if not problem:
        path.unlink()
    return f"seed {seed}: {name}, {words}", status, problem, theirs, seconds


def sources_in(folder, wanted):
    file_builds.build_all(folder, wanted)
    sources = []
    for name in wanted:
        path = folder / name
        if path.exists() and path.stat().st_size <= BYTES_MOST:
            image = path.read_bytes()
            sources.append((name, image, Layout(image)))
    return sources or sys.exit("nothing could be built")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10000)
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--seed", type=int, default=int(time.time() // 86400) * 100000, help="of the first case; the day's by default")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--keep", help="keep the files that failed in this folder")
    arguments = parser.parse_args()
    orrery = shutil.which(os.path.abspath(arguments.orrery)) or sys.exit(f"no {arguments.orrery}")
    statuses, asked, noticed, failed, slowest = {}, 0, 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="orrery-damaged-") as folder, concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        folder = pathlib.Path(folder)
        sources = sources_in(folder, SOURCES)
        for name, status, problem, theirs, seconds in pool.map(
                lambda i: try_one(orrery, arguments.seed + i, sources, folder), range(arguments.count)):
            statuses[status] = statuses.get(status, 0) + 1
            slowest = max(slowest, seconds)
            if theirs:
                asked += 1
                noticed += status != 0
            if problem:
                failed += 1
                print(f"{name}: {problem}", flush=True)
        if arguments.keep and failed:
            pathlib.Path(arguments.keep).mkdir(exist_ok=True)
            for path in folder.glob("changed-*"):
                shutil.copy(path, arguments.keep)
    print(f"{arguments.count} changed files from seed {arguments.seed} of {len(sources)} kinds: {statuses.get(0, 0)} shown, "
          f"{statuses.get(1, 0)} shown with their damage, {statuses.get(69, 0)} refused, {failed} failed; slowest {slowest:.2f} s; "
          f"of {asked} that readelf complains of {noticed} are complained of here")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
