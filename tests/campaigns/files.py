#!/usr/bin/env python3
"""What `orrery show file --all --json` says of ELF files, fact by fact beside readelf -hlSdsrnW, nm, size, objdump -h and
checksec on the same file. The files are those that a compiler makes in every way (file_builds.py) and, for the rest of the
count, programs, libraries, objects and debug files of this machine, a random choice with the day's seed."""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import file_builds
import file_oracles
import schema

FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/games")
BYTES_MOST = 3 << 20  # of larger ones the tables are longer, and no others


def is_elf(path):
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def machine_files(rng, count):
    """ELF files of this machine, each once, of different folders and kinds."""
    found = collections.defaultdict(list)
    for folder in FOLDERS:
        for place, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(place, name)
                if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > BYTES_MOST:
                    continue
                suffix = ".so" if ".so" in name else os.path.splitext(name)[1]
                found[(folder, suffix if suffix in (".so", ".o", ".debug", ".ko", "") else "")].append(path)
    chosen, kinds = [], sorted(found)
    for paths in found.values():
        rng.shuffle(paths)
    while len(chosen) < count and any(found[kind] for kind in kinds):
        for kind in kinds:
            while found[kind]:
                path = found[kind].pop()
                if is_elf(path):
                    chosen.append(path)
                    break
    return chosen[:count]


def compare(orrery, path, tools):
    """What differs, in words."""
    command = [orrery, "show", "file", "--all", "--mangled", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, timeout=300)
    if done.returncode != 0:
        return [f"status {done.returncode}: {done.stderr.decode(errors='replace')[:300]}"]
    facts = json.loads(done.stdout)
    text = subprocess.run([orrery, "show", "file", "--all", str(path)], capture_output=True, timeout=300)
    problems = [] if text.returncode == 0 and len(text.stdout) > 300 else [f"as text: status {text.returncode}"]
    # The first rows of a table are made as all its others are.
    first_rows = {name: value[:300] if isinstance(value, list) else value for name, value in facts.items()}
    problems += list(schema.problems(first_rows, schema.FILE_SCHEMA))[:3]
    for name, check in file_oracles.CHECKS.items():
        try:
            problems += [f"{name}: {problem}" for problem in check(facts, str(path), tools)]
        except file_oracles.CannotTell as reason:
            tools.skipped[f"{name}: {reason}"] += 1
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=300)
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--seed", type=int, default=int(time.time() // 86400))
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--only", help="this file instead")
    arguments = parser.parse_args()
    orrery = shutil.which(os.path.abspath(arguments.orrery)) or sys.exit(f"no {arguments.orrery}")
    with tempfile.TemporaryDirectory(prefix="orrery-files-") as folder, \
            concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        folder = pathlib.Path(folder)
        tools = file_oracles.Tools(folder)
        built = [arguments.only] if arguments.only else file_builds.build_all(folder)
        rest = [] if arguments.only else machine_files(random.Random(arguments.seed), max(0, arguments.count - len(built)))
        files = built + rest
        failed = 0
        for path, problems in zip(files, pool.map(lambda each: compare(orrery, each, tools), files)):
            failed += bool(problems)
            for problem in problems[:5]:
                print(f"{path}: {problem}", flush=True)
    skipped = "".join(f"\n  {count} times {what}" for what, count in sorted(tools.skipped.items()))
    print(f"{len(files)} files ({len(built)} built, {len(rest)} of this machine, seed {arguments.seed}): "
          f"{len(files) - failed} agree, {failed} failed{skipped}")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
