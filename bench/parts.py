#!/usr/bin/env python3
"""What single parts of orrery cost beside the programs that do the same: `show file` of an executable of 1 GB with
debug information beside readelf -hlSW, its names beside nm; and how many rows are written a second. All run interleaved; medians with quartiles, and the pages
that were faulted in, which do not depend on the load."""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def large_program(folder, orrery):
    """orrery itself, with 1 GB more of debug information."""
    extra, program = folder / "extra", folder / "large"
    with extra.open("wb") as file:
        file.truncate(1_000_000_000)
    subprocess.run(["objcopy", "--add-section", f".debug_extra={extra}", orrery, program], check=True)
    extra.unlink()
    return program


def run(command):
    """Wall and processor time in ms, and page faults."""
    begin = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = status
    if status != 0:
        sys.exit(f"{command}: status {status}")
    return wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3, usage.ru_minflt


def compare(title, commands, rounds):
    found = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(run(command))
    print(title)
    for name, runs in found.items():
        low, middle, high = statistics.quantiles([wall for wall, _, _ in runs], n=4)
        print(f"  {name:<34} {middle:7.2f} ms ({low:.2f} to {high:.2f})   processor {statistics.median(r[1] for r in runs):7.2f} ms"
              f"   {statistics.median(r[2] for r in runs):5.0f} page faults")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--orrery", default=ROOT / "build" / "release" / "orrery")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = large_program(pathlib.Path(folder), options.orrery)
        show = [options.orrery, "show", "file"]
        compare("what a file of 1.2 GB is", {"orrery show file": [*show, program], "readelf -hlSW": ["readelf", "-hlSW", program]},
                options.rounds)
        compare("its names", {"orrery show file --part symbols": [*show, "--part", "symbols", program], "nm -C": ["nm", "-C", program],
                              "the same --mangled": [*show, "--part", "symbols", "--mangled", program], "nm": ["nm", program]},
                max(options.rounds // 5, 2))
        rows = pathlib.Path(options.orrery).parent / "rows_bench"
        if rows.exists():
            print("rows into the tables:", subprocess.run([rows, folder], capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    main()
