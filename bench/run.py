#!/usr/bin/env python3
"""What recording and replay cost, as ratios to native, beside Debian's valgrind --tool=none and
qemu-x86_64. All tools run interleaved, round by round; a ratio is taken within its round, and the
median of the rounds is reported with the least and the greatest."""
import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

import workloads

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOOLS = ("native", "record", "replay", "valgrind", "qemu")
FOREIGN = ("valgrind", "qemu")

# The targets: what, how it is worded, the most it may be.
TARGETS = {
    "record_geomean": ("recording, CPU-bound, geometric mean", 1.6),
    "record_worst": ("recording, CPU-bound, worst", 2.2),
    "syscalls": ("recording a million cheap syscalls", 3.0),
    "true": ("recording /bin/true, warm store", 15.0),
    "replay": ("replay against recording, worst", 1.2),
    "size": ("recording size, CPU-bound, MB a minute, worst", 1.0),
}


class Bench:
    def __init__(self, folder, orrery, foreign_rounds):
        self.folder, self.orrery, self.foreign_rounds = folder, str(orrery), foreign_rounds
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=folder))  # two may measure at once
        self.recording = self.scratch / "recording"
        self.environment = {**os.environ, "LC_ALL": "C", "XDG_DATA_HOME": str(folder / "data")}

    def argv(self, tool, command):
        if tool == "record":
            shutil.rmtree(self.recording, ignore_errors=True)
            return [self.orrery, "record", "-o", str(self.recording), "--", *command]
        if tool == "replay":
            return [self.orrery, "replay", str(self.recording), "--check"]
        if tool == "valgrind":
            return ["valgrind", "-q", "--tool=none", *command]
        if tool == "qemu":
            return ["qemu-x86_64", shutil.which(command[0]), *command[1:]]
        return command

    def time(self, tool, command):
        """Wall seconds of one run; fails loudly when the run does."""
        out, err = self.scratch / f"{tool}.out", self.scratch / f"{tool}.err"
        done = subprocess.run([self.folder / "timed", out, err, *self.argv(tool, command)], env=self.environment,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{tool}: {done.stderr.strip()}")
        wall, _, _, status, _ = map(int, done.stdout.split())
        if status != 0:
            raise RuntimeError(f"{tool}: exit status {status}: {err.read_text(errors='replace').strip()[-300:]}")
        if tool != "native" and tool != "replay" and out.read_bytes() != (self.scratch / "native.out").read_bytes():
            raise RuntimeError(f"{tool}: printed something else than the native run")
        return wall / 1e9

    def recording_bytes(self):
        """What the run itself wrote: without the kept files and the kept engine, which are stored once."""
        return sum(p.stat().st_size for p in self.recording.rglob("*")
                   if p.is_file() and not p.is_symlink() and "files" not in p.relative_to(self.recording).parts
                   and not p.name.startswith("engine"))

    def round(self, workload, size, number, results):
        command = workload.command(self.folder, size)
        times = {}
        for tool in TOOLS:
            if tool in results["errors"] or (tool in FOREIGN and number >= self.foreign_rounds):
                continue
            if tool == "replay" and "record" in results["errors"]:
                continue
            try:
                times[tool] = statistics.median(self.time(tool, command) for _ in range(workload.repeat))
            except (RuntimeError, OSError) as error:
                results["errors"][tool] = str(error)
                print(f"{workload.name}: {error}", file=sys.stderr)
                continue
            if tool == "record":
                results["bytes"].append(self.recording_bytes())
            if tool != "native":
                results["ratios"].setdefault(tool, []).append(times[tool] / times["native"])
            if tool == "replay":
                results["ratios"].setdefault("replay/record", []).append(times["replay"] / times["record"])
        for tool, seconds in times.items():
            results["seconds"].setdefault(tool, []).append(seconds)


def measure(bench, chosen, rounds, quick):
    results = {w.name: {"ratios": {}, "seconds": {}, "bytes": [], "errors": {}} for w in chosen}
    for workload in chosen:  # warms the page cache, the content store and the CPU; not counted
        for tool in ("native", "record"):
            try:
                bench.time(tool, workload.command(bench.folder, workload.quick))
            except RuntimeError as error:
                if tool == "native":
                    sys.exit(f"{workload.name}: {error}")
    for number in range(rounds):
        for workload in chosen:
            print(f"\rround {number + 1} of {rounds}: {workload.name:12}", end="", file=sys.stderr, flush=True)
            bench.round(workload, workload.quick if quick else workload.full, number, results[workload.name])
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return results


def median(values):
    return statistics.median(values) if values else None


def geomean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def spread(values):
    if not values:
        return f"{'-':>20}"
    return f"{statistics.median(values):6.2f} ({min(values):5.2f}..{max(values):5.2f})"


def verdicts(results, chosen, quick):
    """(key, measured or None) for each target that the chosen workloads decide. The size of a quick run is
    that of its start-up, so it decides nothing."""
    cpu = [w for w in chosen if w.cpu_bound]
    record = {w.name: median(results[w.name]["ratios"].get("record", [])) for w in chosen}
    found = []
    if cpu:
        ratios = [record[w.name] for w in cpu]
        found.append(("record_geomean", geomean(ratios) if all(ratios) else None))
        found.append(("record_worst", max(ratios) if all(ratios) else None))
    found += [(key, record[name]) for key, name in (("syscalls", "syscalls"), ("true", "/bin/true")) if name in record]
    replays = [median(results[w.name]["ratios"].get("replay/record", [])) for w in chosen]
    found.append(("replay", max(replays) if all(replays) else None))
    sizes = [megabytes_a_minute(results[w.name]) for w in cpu if not w.reads]
    if sizes and not quick:
        found.append(("size", max(sizes) if all(s is not None for s in sizes) else None))
    return found


def megabytes_a_minute(result):
    if not result["bytes"] or not result["seconds"].get("record"):
        return None
    return median(result["bytes"]) / 1e6 / (median(result["seconds"]["record"]) / 60)


def print_table(results, chosen):
    print(f"\n{'ratio to native':12}{'record':>23}{'replay':>22}{'valgrind none':>22}{'qemu-x86_64':>22}"
          f"{'native s':>10}{'MB/min':>9}")
    for workload in chosen:
        result = results[workload.name]
        cells = "  ".join(spread(result["ratios"].get(tool, [])) for tool in TOOLS[1:])
        size = megabytes_a_minute(result)
        note = "*" if workload.reads else " "
        print(f"{workload.name:12}   {cells}{median(result['seconds'].get('native', [])) or 0:10.3f}"
              f"{'-' if size is None else f'{size:.3f}':>8}{note}")
    cpu = [w for w in chosen if w.cpu_bound]
    cells = []
    for tool in TOOLS[1:]:
        ratios = [median(results[w.name]["ratios"].get(tool, [])) for w in cpu]
        cells.append(f"{geomean(ratios):6.2f}{'':15}" if ratios and all(ratios) else f"{'-':>20} ")
    print(f"{'geomean':12}   {' '.join(cells)}   (CPU-bound)")
    print("* reads its input through read(2): the input is part of the recording and not of the size target")


def print_verdicts(found):
    failed = 0
    for key, value in found:
        words, most = TARGETS[key]
        good = value is not None and value <= most
        failed += not good
        print(f"{'pass' if good else 'FAIL'}  {words}: {'not measured' if value is None else f'{value:.3g}'}, at most {most:g}")
    return failed


def print_comparison(old, new):
    print(f"\nagainst {old['when']} ({old['commit']}):")
    for name, result in new["results"].items():
        for tool, ratios in result["ratios"].items():
            before = median(old["results"].get(name, {}).get("ratios", {}).get(tool, []))
            if before:
                change = 100 * (median(ratios) / before - 1)
                mark = "worse" if change > 5 else "better" if change < -5 else ""
                print(f"  {name:12} {tool:14} {before:6.2f} -> {median(ratios):6.2f}  {change:+6.1f} %  {mark}")


def commit():
    run = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "describe", "--always", "--dirty"],
                         capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orrery", type=pathlib.Path, default=ROOT / "build/release/orrery")
    parser.add_argument("--quick", action="store_true", help="runs of half a second, three rounds")
    parser.add_argument("--only", action="append", metavar="NAME", help="this workload (may be repeated)")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--foreign-rounds", type=int, help="rounds of valgrind and qemu, which are slow (default 2)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/bench.json")
    parser.add_argument("--compare", type=pathlib.Path, metavar="OLD.json")
    return parser.parse_args(arguments)


def main(arguments):
    asked = options(arguments)
    chosen = [w for w in workloads.WORKLOADS if not asked.only or w.name in asked.only]
    if not chosen:
        sys.exit("no such workload; there are: " + " ".join(w.name for w in workloads.WORKLOADS))
    folder = ROOT / "build/bench"
    workloads.prepare(folder)
    foreign = asked.foreign_rounds if asked.foreign_rounds is not None else 2
    bench = Bench(folder, asked.orrery, foreign)
    try:
        results = measure(bench, chosen, asked.rounds or (3 if asked.quick else 5), asked.quick)
    finally:
        shutil.rmtree(bench.scratch, ignore_errors=True)
    report = {"when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit(),
              "kernel": platform.release(), "processor": processor(), "cpus": os.cpu_count(), "quick": asked.quick,
              "results": results, "targets": {key: {"measured": value, "most": TARGETS[key][1]}
                                              for key, value in verdicts(results, chosen, asked.quick)}}
    old = json.loads(asked.compare.read_text()) if asked.compare else None
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{report['processor']}, {report['cpus']} CPUs, Linux {report['kernel']}, commit {report['commit']}")
    print_table(results, chosen)
    print()
    failed = print_verdicts(verdicts(results, chosen, asked.quick))
    if old:
        print_comparison(old, report)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
