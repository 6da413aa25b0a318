#!/usr/bin/env python3
"""What exact answers cost beside the tools that give the same: `show profile` of a recording beside a run under
Callgrind, `show cache` beside Cachegrind, `show races` beside Helgrind, `show errors` beside Memcheck without its check of values,
`collect -l undefined` beside Memcheck's search for undefined values alone, `show heap` beside a plain replay. Each answer is computed anew. All run
interleaved; medians with the least and the most, of wall and of processor time (all threads and processes), and the most memory that
one process of ours had."""
import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import workloads

ROOT = pathlib.Path(__file__).resolve().parents[1]
JSON = """
import json
rows = [{"number": i, "name": "row %d" % i, "parts": list(range(i % 7))} for i in range(500)]
for _ in range(SIZE):
    text = json.dumps(rows)
    assert json.loads(text) == rows
"""
SQL = """create table words(number integer primary key, word text, length integer);
with recursive counted(n) as (select 1 union all select n + 1 from counted where n < SIZE)
insert into words select n, printf('%d word %x', n % 977, n * 2654435761 % 4294967296), n % 31 from counted;
create index by_word on words(word);
select count(*), sum(length) from words where word like '1%' group by length % 5;"""


@dataclasses.dataclass
class Program:
    name: str
    command: object  # (folder, size) -> argument vector
    size: int
    questions: tuple = ("profile", "cache")


PROGRAMS = [
    Program("bzip2", lambda f, n: ["bzip2", "-9", "-c", workloads.text_file(f, n)], 4, ("profile", "cache", "errors", "definedness")),
    Program("python3 -m json", lambda f, n: ["/usr/bin/python3", "-I", "-S", "-c", JSON.replace("SIZE", str(n))], 60, ("profile", "cache", "errors", "definedness")),
    Program("awk", lambda f, n: ["awk", '{ for (i = 1; i <= NF; i++) count[$i]++ } END { for (word in count) sum += count[word]; print sum }', workloads.text_file(f, n)], 8,
            ("profile", "cache", "definedness")),
    Program("sort", lambda f, n: ["sort", f / f"lines-{n}.txt"], 4, ("profile", "cache", "errors", "definedness")),
    Program("sqlite3", lambda f, n: ["sqlite3", ":memory:", SQL.replace("SIZE", str(n))], 60_000, ("errors", "definedness")),
    Program("sha256sum", lambda f, n: ["sha256sum", workloads.text_file(f, n)], 8),
    Program("c++", lambda f, n: [f / "objects", str(n)], 150),
    Program("fib", lambda f, n: [f / "fib", str(n)], 32, ("profile",)),
    Program("pairs", lambda f, n: [f / "pairs", str(n)], 50_000_000, ("heap",)),
    Program("c++ heap", lambda f, n: [f / "objects", str(n)], 600, ("heap", "errors", "definedness")),
    Program("xz -T2", lambda f, n: ["xz", "-T2", "--block-size=100KiB", "-k", "-c", workloads.text_file(f, n)], 1, ("races",)),
    Program("sort --parallel", lambda f, n: ["sort", "--parallel=3", "-S", "40M", f / f"lines-{n}.txt"], 2, ("races",)),
]
LIMITS = {"profile": 0.2, "cache": 0.5, "heap": 4, "races": 0.25, "errors": 0.25, "definedness": 0.5}


def prepare(folder):
    for source, compiler in (("fib.c", "gcc"), ("pairs.c", "gcc"), ("objects.cc", "g++")):
        subprocess.run([compiler, "-O1", "-g", "-fno-optimize-sibling-calls", "-o", folder / source.split(".")[0], workloads.HERE / "src" / source], check=True)
    for program in PROGRAMS:
        if program.name.startswith("sort"):
            words = workloads.text_file(folder, program.size).read_text().split()
            (folder / f"lines-{program.size}.txt").write_text("\n".join(words) + "\n")


def peak_of(pid, found):
    """The most memory a process of this tree had, in KB, as long as it lasts."""
    while found.get("on", True):
        pids, seen = [pid], 0
        while pids:
            at = pids.pop()
            try:
                status = pathlib.Path(f"/proc/{at}/status").read_text()
                found["kb"] = max(found.get("kb", 0), int(status.split("VmHWM:")[1].split()[0]))
                pids += map(int, pathlib.Path(f"/proc/{at}/task/{at}/children").read_text().split())
            except (OSError, IndexError):
                pass
            seen += 1
        time.sleep(0.02)


def timed(command, environment):
    """Wall and processor time in seconds, and peak memory in MB."""
    begin = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    found = {}
    watcher = threading.Thread(target=peak_of, args=(process.pid, found))
    watcher.start()
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    found["on"] = False
    watcher.join()
    process.returncode = status
    if status != 0:
        sys.exit(f"{command}: status {status}: {said.decode(errors='replace')}")
    return wall, usage.ru_utime + usage.ru_stime, found.get("kb", 0) / 1024


class Bench:
    def __init__(self, folder, orrery, rounds):
        self.folder, self.orrery, self.rounds = folder, orrery, rounds
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}

    def record(self, program, command):
        recording = self.folder / ("rec-" + "".join(c for c in program.name if c.isalnum()))
        if not recording.exists():
            subprocess.run([self.orrery, "record", "--cpu", "valgrind", "-o", recording, "--", *map(str, command)], env=self.environment,
                           stdout=subprocess.DEVNULL, check=True)
        return recording

    def ask(self, question, recording):
        (recording / "layers.sqlite").unlink(missing_ok=True)
        asked = ["collect", recording, "-l", "undefined"] if question == "definedness" else ["show", question, recording]
        return timed([self.orrery, *asked], self.environment)

    def other(self, question, recording, command):
        if question == "heap":
            return timed([self.orrery, "replay", recording], self.environment)
        if question == "races":
            return timed(["valgrind", "--tool=helgrind", "-q", *command], self.environment)
        if question == "errors":
            return timed(["valgrind", "-q", "--undef-value-errors=no", "--leak-check=full", f"--log-file={self.folder}/out", *command], self.environment)
        if question == "definedness":
            return timed(["valgrind", "-q", "--leak-check=no", f"--log-file={self.folder}/out", *command], self.environment)
        tool = {"profile": "callgrind", "cache": "cachegrind"}[question]
        return timed(["valgrind", f"--tool={tool}", f"--{tool}-out-file={self.folder}/out", *command], self.environment)

    def compare(self, program, question):
        command = program.command(self.folder, program.size)
        recording = self.record(program, command)
        ours, others = [], []
        for _ in range(self.rounds):
            others.append(self.other(question, recording, command))
            ours.append(self.ask(question, recording))
        ratios = [mine[0] / other[0] for mine, other in zip(ours, others)]
        processor = [mine[1] / other[1] for mine, other in zip(ours, others)]
        return {"program": program.name, "question": question, "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
                "processor": statistics.median(processor), "ours_s": statistics.median(r[0] for r in ours), "other_s": statistics.median(r[0] for r in others),
                "memory_mb": max(r[2] for r in ours), "limit": LIMITS[question]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", help="a program, or a question; may be repeated")
    parser.add_argument("--folder", type=pathlib.Path, help="keeps inputs and recordings there")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--orrery", default=ROOT / "build" / "release" / "orrery")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder)
        bench = Bench(folder.resolve(), options.orrery, options.rounds)
        rows = []
        for program in PROGRAMS:
            for question in program.questions:
                if options.only and not {program.name, question} & set(options.only):
                    continue
                row = bench.compare(program, question)
                rows.append(row)
                if not options.json:
                    print(f"{program.name:<16} {question:<11} {row['ratio']:6.3f} of the other's time ({row['least']:.3f} to {row['most']:.3f}; at most {row['limit']} wanted)"
                          f"   {row['ours_s']:6.2f} s beside {row['other_s']:6.2f} s   processor {row['processor']:6.3f}   {row['memory_mb']:5.0f} MB", flush=True)
        if options.json:
            print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
