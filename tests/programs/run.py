#!/usr/bin/env python3
"""Runs each command line of a list natively and under `orrery record`, and compares stdout, stderr,
exit status and the files it left; then replays the recording, with its output and with --check. A
line marked `varies` is compared between recording and replay only; of one marked `addresses`, addresses and
process numbers count only there. What is known to fail is in tests/known_failures.txt, with the reason."""
import argparse
import atexit
import collections
import concurrent.futures
import difflib
import functools
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import campaign_fixtures
import fixtures
import sanitizers_fixtures
import servers_fixtures
import terminal
import threads_fixtures
import trees_fixtures

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TIMEOUT_SECONDS = 120
SKIPPED = 77  # what ctest takes for a test that was left out
# What the command lines of a list need beyond fixtures.py.
MORE_FIXTURES = {"campaign": campaign_fixtures, "sanitizers": sanitizers_fixtures, "servers": servers_fixtures, "threads": threads_fixtures,
                 "trees": trees_fixtures}
KNOWN_FAILURES = HERE.parent / "known_failures.txt"


class Case:
    def __init__(self, name, options, command, list_name):
        self.name, self.list_name = name, list_name
        words = options.split() if options != "-" else []
        self.varies, self.unshown = "varies" in words, "unshown" in words
        self.shows_addresses = "addresses" in words
        self.stdin = next((w.split("=", 1)[1] for w in words if w.startswith("stdin=")), None)
        self.keys = next((w.split("=", 1)[1] for w in words if w.startswith("pty=")), None)
        self.needs = next((w.split("=", 1)[1].split(",") for w in words if w.startswith("needs=")), [])
        self.command = split_command(command)


def split_command(line):
    """Words at blanks; quotes only where a word needs them. Backslashes, globs and | stand for themselves."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    return list(lexer)


def read_cases(path):
    cases = []
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, options, command = (cell.strip() for cell in line.split(" | ", 2))
            cases.append(Case(name, options, command, path.stem))
    return cases


@functools.cache
def template(list_name):
    """The folder that every work directory is a copy of."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="orrery-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fixtures.make(folder)
    if list_name in MORE_FIXTURES:
        MORE_FIXTURES[list_name].make(folder)
    return folder


class Run:
    """What a finished command left: streams, status, files."""

    def __init__(self, status, out, err, files):
        self.status, self.out, self.err, self.files = status, out, err, files


class Sandbox:
    """A folder of its own for one case: `work` is the command's, `data` holds the recordings."""

    def __init__(self, folder, case, store, path=None):
        self.folder, self.case = pathlib.Path(folder), case
        self.work = self.folder / "work"
        self.environment = {
            "SHELL": "/bin/sh", "PATH": (f"{path}:" if path else "") + "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "HOME": str(self.folder), "LC_ALL": "C", "TZ": "UTC",
            "TERM": "vt100" if case.keys else "dumb", "ORRERY_QUIET": "1" if case.keys else "", "XDG_DATA_HOME": str(store), "TMPDIR": str(self.work)}

    def run(self, prefix, fresh=True):
        if fresh:
            shutil.rmtree(self.work, ignore_errors=True)
            shutil.copytree(template(self.case.list_name), self.work, symlinks=True)
        if self.case.keys and fresh:
            status, shown, trouble = terminal.run([*prefix, *self.case.command], self.work / self.case.keys, TIMEOUT_SECONDS,
                                         self.environment, self.work, 0o022)
            return Run(status, shown, trouble.encode(), snapshot(self.work))
        stdin = open(self.work / self.case.stdin, "rb") if self.case.stdin else subprocess.DEVNULL
        try:
            # New files must not depend on who runs the tests.
            done = subprocess.run([*prefix, *(self.case.command if fresh else [])], cwd=self.work, env=self.environment,
                                  stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if self.case.keys else subprocess.PIPE, timeout=TIMEOUT_SECONDS, umask=0o022)
        except subprocess.TimeoutExpired as late:
            return Run(124, late.stdout or b"", (late.stderr or b"") + b"\ntimed out\n", {})
        return Run(done.returncode, done.stdout, done.stderr or b"", snapshot(self.work))


def snapshot(folder):
    """Every path below folder with its kind, permissions and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name, mode = str(path.relative_to(folder)), path.lstat().st_mode
        if path.is_symlink():
            found[name] = (mode, os.readlink(path))
        else:
            found[name] = (mode, path.read_bytes() if path.is_file() else b"")
    return found


def without_our_words(stderr):
    """orrery's own lines on stderr start with its name."""
    return b"".join(line for line in stderr.splitlines(keepends=True) if not line.startswith(b"orrery: "))


def without_numbers(run):
    """The same with every address, number of a process, and bytes of shadow as one word."""
    def plain(text):
        text = re.sub(rb"([pt]id=)\d+", rb"\1ID", text)
        text = re.sub(rb"==\d+==", b"==PID==", re.sub(rb"0x[0-9a-f]+", b"ADDRESS", text))
        return re.sub(rb"(?m)^(?:=>|  )ADDRESS:[ 0-9a-f\[\]]+$", b"SHADOW", text)
    return Run(run.status, plain(run.out), plain(run.err), run.files)


def differences(what, expected, got, files=True):
    """Words for every way in which `got` is not `expected`."""
    found = []
    if expected.status != got.status:
        found.append(f"{what}: exit status {got.status}, expected {expected.status}")
    for stream, a, b in (("stdout", expected.out, got.out), ("stderr", expected.err, got.err)):
        if a != b:
            found.append(f"{what}: {stream} differs\n{diff(a, b)}")
    if files:
        for name in sorted(set(expected.files) | set(got.files)):
            if expected.files.get(name) != got.files.get(name):
                found.append(f"{what}: the file {name} differs")
    return found


def diff(a, b):
    lines = difflib.unified_diff(a.decode(errors="backslashreplace").splitlines(),
                                 b.decode(errors="backslashreplace").splitlines(), "expected", "got", lineterm="", n=1)
    return "\n".join(f"    {line[:200]}" for line in list(lines)[:14]) or "    (line ends differ)"


def missing(programs, path=None):
    """Those that are not installed."""
    return [name for name in programs if shutil.which(name, path=f"{path or ''}:/usr/local/bin:/usr/bin:/bin:/usr/sbin") is None]


def check(case, orrery, store, path=None, keep=None, cpu=None):
    """The problems of one case; empty when all is equal."""
    if missing(case.command[:1], path):
        return [f"{case.command[0]} is not installed; ./dev setup"]
    folder = keep or tempfile.mkdtemp(prefix=f"orrery-{case.name}-")
    try:
        box = Sandbox(folder, case, store, path)
        recording = str(box.folder / "recording")
        native = box.run([])
        if native.status == 124:
            return ["the native run did not end: " + native.err.decode(errors="replace")[-300:]]
        recorded = box.run([orrery, "record", *(["--cpu", cpu] if cpu else []), "-o", recording, "--"])
        said = recorded.err or recorded.out
        recorded.err = without_our_words(recorded.err)
        if case.shows_addresses:
            problems = differences("recorded", without_numbers(native), without_numbers(recorded))
        elif not case.varies:
            problems = differences("recorded", native, recorded)
        elif case.keys:  # what is painted depends on when the keys come; what it leaves does not
            problems = differences("recorded", Run(native.status, b"", b"", native.files), Run(recorded.status, b"", b"", recorded.files))
        else:
            problems = differences("recorded", Run(native.status, b"", b"", {}), Run(recorded.status, b"", b"", {}))
        if not os.path.isdir(recording):
            return problems + ["no recording was made: " + said.decode(errors="replace").strip()[-500:]]
        shown = box.run([orrery, "replay", recording, "-a"], fresh=False)
        shown.err = without_our_words(shown.err)
        if case.keys:
            shown.out = shown.out.replace(b"\r", b"")
        if case.unshown:
            shown.out = recorded.out
        # The replay's own status says whether it went well; what it shows is the guest's.
        problems += differences("replayed", Run(shown.status, recorded.out, recorded.err, {}), shown, files=False)
        checked = box.run([orrery, "replay", recording, "--check"], fresh=False)
        if checked.status != 0:
            problems.append(f"replay --check: exit status {checked.status}\n    "
                            + checked.err.decode(errors="replace").strip()[-800:])
        return problems
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def check_native(case):
    """Two native runs must agree, or the line should say `varies`."""
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(folder, case, folder)
        first, second = box.run([]), box.run([])
        if case.shows_addresses:
            first, second = without_numbers(first), without_numbers(second)
        return differences("second native run", first, second) if not case.varies else []


def started_tasks(command, run, trace):
    """Problems for a command that starts a process or a thread; `run` runs it behind a prefix."""
    if shutil.which("strace") is None:
        return ["strace is not installed; ./dev setup"]
    run(["strace", "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork", "-o", str(trace)])
    lines = [line for line in trace.read_text().splitlines() if re.search(r"\b(?:v?fork|clone3?)\(", line)]
    return [f"{command[0]} starts a task: {lines[0]}"] if lines else []


def check_tasks(case):
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(folder, case, folder)
        return started_tasks(case.command, box.run, box.folder / "trace")


def read_known_failures(driver="programs"):
    """Name to reason."""
    rows = [line.split(" | ", 2) for line in KNOWN_FAILURES.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return {name.strip(): reason.strip() for where, name, reason in rows if where.strip() == driver}


class Load:
    """Keeps every processor busy, and the disk a little, at ordinary priority."""

    WORK = "import os, sys\nwhile 1:\n  sum(i * i for i in range(10**5)); f = open(sys.argv[1], 'wb'); f.write(os.urandom(1 << 20)); f.close()"

    def __init__(self, wanted):
        self.folder = tempfile.mkdtemp(prefix="orrery-load-")
        self.children = [subprocess.Popen([sys.executable, "-c", self.WORK, f"{self.folder}/{n}"]) for n in range(2 * os.cpu_count() * wanted)]

    def stop(self):
        for child in self.children:
            child.kill()
            child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


LISTS = {"programs": ["programs.txt"], "campaign": ["campaign.txt"], "all": ["programs.txt", "campaign.txt"], "sanitizers": ["sanitizers.txt"], "threads": ["threads.txt"], "trees": ["trees.txt"],
         "servers": ["servers.txt"], "nondeterminism": ["nondeterminism.txt"]}


def read_list(name):
    return [case for path in ([HERE / f for f in LISTS[name]] if name in LISTS else [pathlib.Path(name)]) for case in read_cases(path)]


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orrery", default=str(ROOT / "build/release/orrery"))
    parser.add_argument("--list", default="programs", help=f"a file of command lines, or {', '.join(LISTS)}")
    parser.add_argument("--path", help="a folder to look for programs in first")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--store", help="XDG_DATA_HOME of the runs (default: a temporary one)")
    parser.add_argument("--keep", metavar="DIR", help="keep work files and recording there (with one --only)")
    parser.add_argument("--rounds", type=int, default=1, help="each so many times")
    parser.add_argument("--load", action="store_true", help="with the processors busy with other work, twice over")
    parser.add_argument("--cpu", metavar="PROFILE", help="the processor the programs see: x86-64-v2 or another of orrery record's")
    parser.add_argument("--tasks", "--verify-single", action="store_true", help="only check, with strace, that no task is started")
    parser.add_argument("--native", action="store_true", help="only check that two native runs agree")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    return parser.parse_args(arguments)


def report(cases, passed, problems_of, known, rounds, seconds):
    """The table, then what failed. How many failed that are not known to."""
    failed = 0
    for case in cases:
        good, problems = passed[case.name], problems_of[case.name]
        word = "ok  " if good == rounds else "KNOWN" if case.name in known else "FAIL"
        failed += word == "FAIL"
        count = f" {good}/{rounds}" if rounds > 1 else ""
        print(f"{word}{count} {case.name}: {shlex.join(case.command)[:100]}")
        for problem in [known[case.name]] if word == "KNOWN" else problems[:3]:
            print("  " + problem)
        if good == rounds and case.name in known:
            print("  known to fail, but it passed: take its row out of tests/known_failures.txt")
    programs = {os.path.basename(c.command[0]) for c in cases}
    whole = [c for c in cases if passed[c.name] == rounds]
    print(f"{len(cases)} command lines of {len(programs)} programs, {rounds} rounds, {seconds:.1f} s")
    print(f"{len(whole)} passed each time, of {len({os.path.basename(c.command[0]) for c in whole})} programs")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return failed


def main(arguments):
    chosen = options(arguments)
    cases = [c for c in read_list(chosen.list) if not chosen.only or c.name in chosen.only]
    if not cases:
        sys.exit("no such command line")
    for case in [c for c in cases if missing(c.needs, chosen.path)]:
        print(f"skip {case.name}: without {' '.join(missing(case.needs, chosen.path))}; ./dev programs --list {case.list_name} installs it")
        cases.remove(case)
    if not cases:
        return SKIPPED
    for list_name in {case.list_name for case in cases}:
        template(list_name)
    store = chosen.store or tempfile.mkdtemp(prefix="orrery-store-")

    def one(case):
        if chosen.tasks:
            return check_tasks(case)
        if chosen.native:
            return check_native(case)
        return check(case, chosen.orrery, store, chosen.path, chosen.keep, chosen.cpu)

    started, load = time.monotonic(), Load(chosen.load)
    passed, problems_of = collections.Counter(), collections.defaultdict(list)
    work = [case for _ in range(chosen.rounds) for case in cases]
    try:
        with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
            for case, problems in zip(work, pool.map(one, work)):
                passed[case.name] += not problems
                problems_of[case.name] += problems
    finally:
        load.stop()
    if not chosen.store:
        shutil.rmtree(store, ignore_errors=True)
    known = {} if chosen.tasks or chosen.native else read_known_failures()
    return 1 if report(cases, passed, problems_of, known, chosen.rounds, time.monotonic() - started) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
