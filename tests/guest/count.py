#!/usr/bin/env python3
"""Counts the cases of the guest tests by running every program natively: count.py LEAST PROGRAM...

Prints a line a family and the sum. Fails when a program names no case or one twice, or when there are fewer
cases than LEAST. A case that this host skips is not counted.
"""

import collections
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile


def cases_of(program):
    folder = tempfile.mkdtemp(prefix="orrery-count.")
    try:
        done = subprocess.run([program], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=120, check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    named, skipped = [], 0
    for line in done.stdout.decode(errors="replace").splitlines():
        if line.startswith("case "):
            named.append(line[5:])
        elif line.startswith("skip "):
            skipped += 1
    return named, skipped


def main():
    least, programs = int(sys.argv[1]), sys.argv[2:]
    families, trouble = collections.Counter(), []
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for program, (named, skipped) in zip(programs, pool.map(cases_of, programs)):
            name = os.path.basename(program).removeprefix("guest.")
            if not named:
                trouble.append(f"{name} names no case")
            for again in {each for each in named if named.count(each) > 1}:
                trouble.append(f"{name} names the case {again} twice")
            families[name.split(".")[0]] += len(named) - skipped
    for family, count in sorted(families.items()):
        print(f"{count:5} {family}")
    total = sum(families.values())
    print(f"{total:5} cases in {len(programs)} programs")
    if total < least:
        trouble.append(f"there are {total} cases, {least} are wanted")
    for each in trouble:
        print(each, file=sys.stderr)
    return 1 if trouble else 0


sys.exit(main())
