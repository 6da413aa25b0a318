#!/usr/bin/env python3
"""Changes ELF headers and program headers of small programs at random, and compares what execve makes of each
natively with what `orrery record` makes of it: the same errno, the same exit status or the same signal. A
file that natively runs into memory it was not given may die in another way on the machine, whose layout is
another; such deaths count as equal."""
import argparse
import concurrent.futures
import errno
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

SOURCES = {
    "static": ["-static", "-nostdlib", "-no-pie"],
    "pie": ["-static-pie", "-nostdlib"],
    "dynamic": [],
}
PROGRAM = """
#ifdef NOLIBC
void _start(void) { __asm__ volatile("mov $7, %edi; mov $60, %eax; syscall"); }
#else
int main(void) { return 7; }
#endif
"""
DEATHS = {-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE, -signal.SIGKILL, -signal.SIGTRAP}
WORDS = {"Exec format error": 8, "Permission denied": 13, "No such file or directory": 2, "Cannot allocate memory": 12,
         "Invalid argument": 22, "Bad address": 14, "Input/output error": 5, "Accessing a corrupted shared library": 80,
         "Too many levels of symbolic links": 40, "Is a directory": 21, "Argument list too long": 7}
INTERESTING = (0, 1, 2, 3, 6, 7, 0x1000, 0xfff, 0x1001, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 47, (1 << 47) - 4096,
               (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def build(folder):
    sources = []
    for name, flags in SOURCES.items():
        path = folder / name
        nolibc = ["-DNOLIBC"] if "-nostdlib" in flags else []
        done = subprocess.run(["gcc", "-O1", "-x", "c", "-", "-o", str(path), *flags, *nolibc], input=PROGRAM.encode(),
                              capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{name}: {done.stderr.decode()}")
        sources.append((name, path.read_bytes()))
    return sources


def change(rng, image):
    """One to three fields of the header or of the program headers, or a cut; what was done, in words."""
    words = []
    (table,) = struct.unpack_from("<Q", image, 32)
    (count,) = struct.unpack_from("<H", image, 56)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.random()
        if kind < 0.35:
            at, size = rng.choice([(o, 1) for o in range(16)] + [(16, 2), (18, 2), (20, 4), (24, 8), (32, 8), (48, 4), (52, 2),
                                                                 (54, 2), (56, 2), (58, 2), (60, 2), (62, 2)])
        elif kind < 0.9:
            field = rng.choice(((0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)))
            at, size = table + 56 * rng.randrange(count) + field[0], field[1]
        elif kind < 0.95:
            length = rng.randrange(len(image))
            del image[length:]
            words.append(f"cut at {length}")
            continue
        else:
            at, size = rng.randrange(min(len(image), 0x400)), 1
        if at + size > len(image):
            continue
        old = int.from_bytes(image[at:at + size], "little")
        new = rng.choice((rng.choice(INTERESTING), old ^ (1 << rng.randrange(8 * size)), old + rng.choice((-1, 1, 4096, -4096)),
                          rng.getrandbits(8 * size))) & ((1 << 8 * size) - 1)
        image[at:at + size] = new.to_bytes(size, "little")
        words.append(f"{size} bytes at {at}: {old:#x} to {new:#x}")
    return "; ".join(words)


def limit_core():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def natively(path, folder):
    try:
        done = subprocess.run([str(path)], cwd=folder, capture_output=True, timeout=20, stdin=subprocess.DEVNULL,
                              preexec_fn=limit_core)
    except OSError as error:
        if error.errno == errno.ETXTBSY:  # a child that another thread forks still holds the file for writing
            time.sleep(0.01)
            return natively(path, folder)
        return f"errno {error.errno}"
    except subprocess.TimeoutExpired:
        return "hangs"
    return f"status {done.returncode}"


def recorded(orrery, path, folder, recording, environment):
    try:
        done = subprocess.run([orrery, "record", "-o", str(recording), "--", str(path)], cwd=folder, capture_output=True,
                              timeout=60, stdin=subprocess.DEVNULL, env=environment)
    except subprocess.TimeoutExpired:
        return "hangs", ""
    said = done.stderr.decode(errors="replace")
    match = re.search(r"cannot start .*: ([^:\n]*)$", said, re.MULTILINE)
    if match and done.returncode in (126, 127):
        return f"errno {WORDS.get(match.group(1), match.group(1))}", said
    return f"status {done.returncode}", said


def same(native, got):
    if native == got:
        return True
    statuses = [int(text.split()[1]) if text.startswith("status") else None for text in (native, got)]
    return statuses[0] in DEATHS and statuses[1] in DEATHS


def try_one(orrery, seed, sources, folder):
    rng = random.Random(seed)
    name, image = rng.choice(sources)
    image = bytearray(image)
    words = change(rng, image)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        place = pathlib.Path(place)
        path = place / "program"
        path.write_bytes(image)
        path.chmod(0o755)
        environment = dict(os.environ, XDG_DATA_HOME=str(place / "data"), LC_ALL="C")
        native = natively(path, place)
        recording = place / "r"
        got, said = recorded(orrery, path, place, recording, environment)
        refused = "addresses that the engine occupies" in said  # in words, and so documented
        problem = None if refused or same(native, got) else f"native {native}, recorded {got}: {said[-200:]!r}"
        if problem is None and got.startswith("status"):
            check = subprocess.run([orrery, "replay", "--check", str(recording)], env=environment, capture_output=True, timeout=60)
            if check.returncode != 0:
                problem = f"does not replay: {check.stderr.decode(errors='replace')[-300:]!r}"
        return f"seed {seed}: {name}, {words}", native, problem


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=3000)
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--seed", type=int, default=int(time.time() // 86400) * 100000, help="of the first case; the day's by default")
    parser.add_argument("--jobs", type=int, default=3)
    arguments = parser.parse_args()
    orrery = shutil.which(os.path.abspath(arguments.orrery)) or sys.exit(f"no {arguments.orrery}")
    outcomes, failed = {}, 0
    with tempfile.TemporaryDirectory(prefix="orrery-elf-") as folder, \
            concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        sources = build(pathlib.Path(folder))
        runs = [pool.submit(try_one, orrery, arguments.seed + i, sources, folder) for i in range(arguments.count)]
        for done in concurrent.futures.as_completed(runs):
            name, native, problem = done.result()
            outcomes[native] = outcomes.get(native, 0) + 1
            if problem:
                failed += 1
                print(f"{name}: {problem}", flush=True)
    parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items(), key=lambda item: -item[1]))
    print(f"{arguments.count} changed ELF files from seed {arguments.seed} ({parts}): {arguments.count - failed} as natively, "
          f"{failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
