#!/usr/bin/env python3
"""What `orrery why` says of the programs of table.py: how many causes it names, and whether it says anything false.

A verdict is right if its category, its place and its words are those of the row; silent if it says less (a category that names no cause, or
no place); false if it names another cause or points at another line.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import builds
import table

LEVELS = ("O0", "O2")
HANG_SECONDS = "1.5"
SECONDS_BESIDES = 5


def marks(source):
    """{case: lines} of the `at: CASE` comments."""
    found = collections.defaultdict(list)
    for number, line in enumerate(source.read_text().splitlines(), 1):
        if match := re.search(r"(?://|#) at: (\w+)$", line):
            found[match[1]].append(number)
    return found


class Verdict:
    def __init__(self, row, level, said, seconds, replay_seconds):
        self.row, self.level, self.said, self.seconds, self.replay_seconds = row, level, said, seconds, replay_seconds
        self.result, self.reason = self.judge()

    @property
    def is_crash(self):
        """A signal of its own: what `why` must answer in SECONDS_BESIDES seconds besides a replay."""
        return self.said is not None and not self.row.how and "signal" in self.said

    @property
    def key(self):
        return self.row.source, self.row.case, self.level

    def judge(self):
        row, said = self.row, self.said
        if said is None:
            return "silent", "no answer"
        category = said["category"]
        text = " ".join([said["headline"], *said["sentences"], *(call["text"] for call in said["failing_calls"])])
        if category not in row.category:
            return ("silent" if category in table.NEUTRAL else "false"), f"{category}: {text}"
        place, wanted = said.get("place", {}), marks(builds.PROGRAMS / row.source).get(row.case, []) if row.source not in ("loader", "real") else []
        if row.place and wanted and place.get("line") not in wanted:
            # Without a line (no debug information, or the C library's own) it only says less.
            told = place.get("line") and pathlib.Path(place["file"]).name == row.source
            return ("false" if told else "silent"), f"place {place.get('file')}:{place.get('line')}, not {wanted}: {text}"
        for words in row.words:
            if not any(word in text for word in words.split("|")):
                return "silent", f"does not say {words!r}: {text}"
        return "right", ""


def recording_of(folder, row, level):
    return pathlib.Path(folder) / "recordings" / f"{row.source}-{row.case}-{level}"


def record(options, folder, row, level):
    command = builds.command_of(row, level, folder)
    recording = recording_of(folder, row, level)
    recording.parent.mkdir(exist_ok=True)
    shutil.rmtree(recording, ignore_errors=True)
    words = [options.orrery, "record", "-o", recording]
    if row.how == "hang":
        words += ["--timeout", HANG_SECONDS]
    environment = dict(os.environ, LC_ALL="C", XDG_DATA_HOME=folder, **builds.environment_of(row, level, folder))
    subprocess.run([*words, "--", *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=120, check=False)
    return recording


def ask(options, folder, row, level):
    recording = record(options, folder, row, level)
    told, seconds = timed(options.orrery, "why", recording, "--json")
    try:
        said = json.loads(told.stdout)
    except json.JSONDecodeError:
        print(f"{row.source} {row.case} {level}: {told.stderr.decode(errors='replace')}", file=sys.stderr)
        said = None
    return Verdict(row, level, said, seconds, timed(options.orrery, "replay", "--check", recording)[1])


def timed(*words):
    begun = time.monotonic()
    done = subprocess.run(words, capture_output=True, timeout=300, check=False)
    return done, time.monotonic() - begun


def time_again(options, folder, verdicts):
    """Crashes that took long while others ran beside them: alone."""
    for verdict in verdicts:
        if verdict.is_crash and verdict.seconds - verdict.replay_seconds > SECONDS_BESIDES / 4:
            recording = recording_of(folder, verdict.row, verdict.level)
            verdict.seconds = timed(options.orrery, "why", recording, "--json")[1]
            verdict.replay_seconds = timed(options.orrery, "replay", "--check", recording)[1]


def chosen(options):
    for row in table.REAL_ROWS if options.real else table.ROWS:
        if options.only and not re.search(options.only, f"{row.source} {row.case}"):
            continue
        for level in LEVELS:
            is_left_out = (row.source, row.case, level) in table.LEFT_OUT
            if level in builds.levels_of(row) and not is_left_out and (not options.level or level == options.level):
                yield row, level


def report_crashes(verdicts):
    """How many of them took longer than they may."""
    if not verdicts:
        return 0
    besides = sorted((verdict.seconds - verdict.replay_seconds, *verdict.key) for verdict in verdicts)
    print(f"{len(besides)} crashes: besides a replay, why took {besides[len(besides) // 2][0]:.2f} s at the median, "
          f"{besides[-1][0]:.2f} s at most ({' '.join(besides[-1][1:])})")
    return sum(each[0] > SECONDS_BESIDES for each in besides)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--orrery", default=builds.ROOT / "build/release/orrery", type=pathlib.Path)
    parser.add_argument("--only", help="a pattern of SOURCE CASE")
    parser.add_argument("--level", choices=LEVELS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--real", action="store_true", help="known bugs of real programs; some are built from Debian's sources")
    parser.add_argument("--keep", help="where programs and recordings are left")
    options = parser.parse_args()
    options.orrery = options.orrery.resolve()
    with tempfile.TemporaryDirectory(prefix="verdicts.") as scratch:
        folder = options.keep or scratch
        os.makedirs(folder, exist_ok=True)
        work = list(chosen(options))
        builds.build_all(work, folder)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            verdicts = list(pool.map(lambda one: ask(options, folder, *one), work))
        time_again(options, folder, verdicts)
    return report(verdicts)


def report(verdicts):
    unexpected = 0
    for verdict in verdicts:
        known = table.KNOWN.get(verdict.key)
        if verdict.result != "right":
            print(f"{verdict.result:6}  {' '.join(verdict.key)}: {verdict.reason}" + (f" [known: {known}]" if known else ""))
            unexpected += known is None or verdict.result == "false"
        elif known:
            print(f"right   {' '.join(verdict.key)}: but it is listed as known")
            unexpected += 1
    print(f"\n{'programs':20} {'level':5} {'right':>6} {'silent':>6} {'false':>6}")
    sums = collections.Counter((verdict.row.source, verdict.level, verdict.result) for verdict in verdicts)
    for source in dict.fromkeys(verdict.row.source for verdict in verdicts):
        for level in LEVELS:
            counts = [sums[source, level, result] for result in ("right", "silent", "false")]
            if any(counts):
                print(f"{source:20} {level:5} {counts[0]:6} {counts[1]:6} {counts[2]:6}")
    total = collections.Counter(verdict.result for verdict in verdicts)
    seconds = sorted(verdict.seconds for verdict in verdicts)
    if seconds:
        print(f"why took {seconds[len(seconds) // 2]:.2f} s at the median, {seconds[-1]:.2f} s at most")
        unexpected += report_crashes([verdict for verdict in verdicts if verdict.is_crash])
        print(f"{100 * total['right'] / len(verdicts):.1f} % of {len(verdicts)} named right, {total['silent']} silent, {total['false']} false")
    print(f"{len(verdicts) - unexpected} passed, {unexpected} failed")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
