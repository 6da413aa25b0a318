#!/usr/bin/env python3
"""Runs each command line of programs.txt natively and under `orrery record`, and compares stdout,
stderr, exit status and the files it left; then replays the recording, with its output and with
--check. A line marked `varies` is compared between recording and replay only."""
import argparse
import concurrent.futures
import difflib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import fixtures

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TIMEOUT_SECONDS = 120


class Case:
    def __init__(self, name, options, command):
        self.name = name
        words = options.split() if options != "-" else []
        self.varies = "varies" in words
        self.stdin = next((w.split("=", 1)[1] for w in words if w.startswith("stdin=")), None)
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
            cases.append(Case(name, options, command))
    return cases


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
            "PATH": (f"{path}:" if path else "") + "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C", "TZ": "UTC",
            "TERM": "dumb", "XDG_DATA_HOME": str(store), "TMPDIR": str(self.work)}

    def run(self, prefix, fresh=True):
        if fresh:
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir()
            fixtures.make(self.work)
        stdin = open(self.work / self.case.stdin, "rb") if self.case.stdin else subprocess.DEVNULL
        try:
            # New files must not depend on who runs the tests.
            done = subprocess.run([*prefix, *(self.case.command if fresh else [])], cwd=self.work, env=self.environment,
                                  stdin=stdin, capture_output=True, timeout=TIMEOUT_SECONDS, umask=0o022)
        except subprocess.TimeoutExpired as late:
            return Run(124, late.stdout or b"", (late.stderr or b"") + b"\ntimed out\n", {})
        return Run(done.returncode, done.stdout, done.stderr, snapshot(self.work))


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


def check(case, orrery, store, path=None, keep=None):
    """The problems of one case; empty when all is equal."""
    if shutil.which(case.command[0], path=f"{path or ''}:/usr/local/bin:/usr/bin:/bin") is None:
        return [f"{case.command[0]} is not installed; ./dev setup"]
    folder = keep or tempfile.mkdtemp(prefix=f"orrery-{case.name}-")
    try:
        box = Sandbox(folder, case, store, path)
        recording = str(box.folder / "recording")
        native = box.run([])
        recorded = box.run([orrery, "record", "-o", recording, "--"])
        said = recorded.err
        recorded.err = without_our_words(recorded.err)
        problems = [] if case.varies else differences("recorded", native, recorded)
        if case.varies and recorded.status != native.status:
            problems.append(f"recorded: exit status {recorded.status}, expected {native.status}")
        if not os.path.isdir(recording):
            return problems + ["no recording was made: " + said.decode(errors="replace").strip()[-500:]]
        shown = box.run([orrery, "replay", recording, "-a"], fresh=False)
        shown.err = without_our_words(shown.err)
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


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orrery", default=str(ROOT / "build/release/orrery"))
    parser.add_argument("--list", type=pathlib.Path, default=HERE / "programs.txt", help="the file of command lines")
    parser.add_argument("--path", help="a folder to look for programs in first")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--store", help="XDG_DATA_HOME of the runs (default: a temporary one)")
    parser.add_argument("--keep", metavar="DIR", help="keep work files and recording there (with one --only)")
    parser.add_argument("--repeat", type=int, default=1, help="each so many times")
    parser.add_argument("--tasks", action="store_true", help="only check, with strace, that no task is started")
    parser.add_argument("--native", action="store_true", help="only check that two native runs agree")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    return parser.parse_args(arguments)


def main(arguments):
    chosen = options(arguments)
    cases = [c for c in read_cases(chosen.list) if not chosen.only or c.name in chosen.only]
    if not cases:
        sys.exit("no such command line")
    store = chosen.store or tempfile.mkdtemp(prefix="orrery-store-")

    def one(case):
        if chosen.tasks:
            return check_tasks(case)
        if chosen.native:
            return check_native(case)
        return check(case, chosen.orrery, store, chosen.path, chosen.keep)

    started, failed = time.monotonic(), 0
    work = [case for _ in range(chosen.repeat) for case in cases]
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        for case, problems in zip(work, pool.map(one, work)):
            failed += bool(problems)
            print(f"{'FAIL' if problems else 'ok  '} {case.name}: {shlex.join(case.command)[:100]}")
            for problem in problems:
                print("  " + problem)
    if not chosen.store:
        shutil.rmtree(store, ignore_errors=True)
    programs = {os.path.basename(c.command[0]) for c in cases}
    print(f"{len(cases)} command lines of {len(programs)} programs, {time.monotonic() - started:.1f} s")
    print(f"{len(work) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
