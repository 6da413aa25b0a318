#!/usr/bin/env python3
"""Runs `orrery ls|info|dump|pack|rm|gc` on fresh recordings in a data directory of their own.

Each case is a function below; --only names one. A failed expectation ends the case with status 1 and says
what was expected. The programs recorded are Debian's own.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Orrery:
    """One `orrery` with a data directory that nobody else uses."""

    def __init__(self, program, home):
        self.program = program
        self.home = pathlib.Path(home)
        self.environment = dict(os.environ, XDG_DATA_HOME=str(home), LC_ALL="C")
        self.recordings = self.home / "orrery" / "recordings"
        self.store = self.home / "orrery" / "store"

    def run(self, *words, status=0):
        done = subprocess.run([self.program, *words], env=self.environment, capture_output=True, timeout=100,
                              stdin=subprocess.DEVNULL)
        done.stdout = done.stdout.decode(errors="replace")
        done.stderr = done.stderr.decode(errors="replace")
        expect(done.returncode, status, f"status of {' '.join(words)} ({done.stderr.strip()})")
        return done

    def record(self, *words, status=0):
        return self.run("record", "--", *words, status=status)

    def json(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def start(self, *words):
        return subprocess.Popen([self.program, "record", "--", *words], env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def expect(got, wanted, what):
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, expected {wanted!r}")


def expect_match(text, pattern, what):
    if not re.search(pattern, text, re.MULTILINE):
        sys.exit(f"{what}: no {pattern!r} in:\n{text}")


def wait_until(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"waited in vain until {what}")
        time.sleep(0.01)


def case_ls(orrery):
    expect_match(orrery.run("ls").stderr, "no recordings", "ls without recordings")
    expect(orrery.json("ls"), [], "ls --json without recordings")
    orrery.record("true")
    orrery.record("false", status=1)
    orrery.record("true")
    expect(orrery.run("ls", "--names").stdout.split(), ["true-0", "false-0", "true-1"], "names, oldest first")
    expect_match(orrery.run("ls").stdout, r"^false-0 .* exit 1 +false$", "ls")
    listed = orrery.json("ls")
    expect([each["exit_status"] for each in listed], [0, 1, 0], "exit status in ls --json")
    expect({each["state"] for each in listed}, {"complete"}, "state in ls --json")


def case_info(orrery):
    expect_match(orrery.run("info", status=69).stderr, "no recording yet", "info without recordings")
    orrery.record("echo", "two words", "it's")
    info = orrery.json("info")
    expect(info["arguments"], ["echo", "two words", "it's"], "arguments")
    expect(info["events"] > 10, True, "count of events")
    expect(info["event_bytes"] > info["trace_bytes"] > 0, True, "sizes")
    text = orrery.run("info", "--verify").stdout
    expect_match(text, r"^command +echo 'two words' 'it'\\''s'$", "command line")
    expect_match(text, r"^verified +whole", "verification")
    expect(orrery.json("info", "echo-0"), info, "info by name")
    expect(orrery.json("info", str(orrery.recordings / "echo-0")), info, "info by path")
    expect_match(orrery.run("info", "nosuch", status=69).stderr, "nosuch", "info of nothing")
    (orrery.recordings / "echo-0" / "files" / "0").unlink()
    expect_match(orrery.run("info", "--verify", status=1).stdout, "kept file is missing", "verification")


def case_dump(orrery):
    orrery.record("cat", "/etc/debian_version")
    version = pathlib.Path("/etc/debian_version").read_text().strip()
    text = orrery.run("dump").stdout
    expect_match(text, rf'read = \d+  "{re.escape(version)}\\n"', "the bytes that were read")
    expect_match(text, r"map .*/cat \(kept as files/\d+", "the program's file")
    expect_match(text, r"exit 0$", "the end")
    lines = orrery.run("dump", "--from", "3", "-n", "2").stdout.splitlines()
    expect([line.split()[0] for line in lines[1:]], ["3", "4"], "a range of events")
    events = [json.loads(line) for line in orrery.run("dump", "--json").stdout.splitlines()]
    expect([event["event"] for event in events], list(range(len(events))), "numbers without holes")
    expect(events[-1]["kind"], "exit", "last event")
    expect_match(orrery.run("dump", "--from", "999999", status=2).stderr, "events are", "beyond the end")


def case_calls(orrery):
    orrery.record("cat", "/etc/debian_version", "/none", status=1)
    text = orrery.run("dump", "--calls").stdout
    expect_match(text, r'openat\(AT_FDCWD, "/etc/debian_version", O_RDONLY\) = \d+$', "a call with its arguments")
    expect_match(text, r'openat\(AT_FDCWD, "/none", O_RDONLY\) = -1 ENOENT', "a call that failed")
    expect_match(text, r"exit_group\(1\) = \?$", "the last call")
    calls = [json.loads(line) for line in orrery.run("dump", "--calls", "--json").stdout.splitlines()]
    expect(calls[-1]["call"], "exit_group", "last call in JSON")
    expect(calls[-1]["arguments"][0], 1, "its argument")


def case_pack(orrery):
    orrery.record("ls", "/")
    recording = orrery.recordings / "ls-0"
    links = [path.stat().st_nlink for path in (recording / "files").iterdir()]
    expect(all(count > 1 for count in links), True, "kept files are links to the store")
    expect(orrery.run("pack").stdout.strip(), str(recording), "pack prints the directory")
    paths = [path for path in recording.rglob("*") if path.is_file()]
    expect({path.stat().st_nlink for path in paths}, {1}, "links after pack")
    shutil.rmtree(orrery.store)
    moved = orrery.home / "moved"
    shutil.move(recording, moved)
    expect_match(orrery.run("info", "--verify", str(moved)).stdout, "whole", "verification elsewhere")
    orrery.run("replay", "--check", str(moved))


def case_rm(orrery):
    for _ in range(3):
        orrery.record("true")
    orrery.run("rm", "true-1", str(orrery.recordings / "true-2"))
    expect(orrery.run("ls", "--names").stdout.split(), ["true-0"], "what is left")
    expect(orrery.json("info")["name"], "true-0", "the latest is the newest that is left")
    orrery.run("rm", status=2)
    orrery.run("rm", "true-7", status=69)
    victim = orrery.home / "precious"
    victim.mkdir()
    (victim / "data").write_text("x")
    orrery.run("rm", str(victim), status=69)
    expect((victim / "data").exists(), True, "a directory that is no recording")
    orrery.run("rm", "--all")
    expect(orrery.json("ls"), [], "after rm --all")


def case_gc(orrery):
    for _ in range(4):
        orrery.record("true")
    gone = orrery.run("gc", "--keep", "2", "--dry-run").stdout.split()
    expect(gone, ["true-0", "true-1"], "what would go")
    expect(len(orrery.json("ls")), 4, "nothing went in a dry run")
    orrery.run("gc", "--keep", "2")
    expect(orrery.run("ls", "--names").stdout.split(), ["true-2", "true-3"], "what is left")
    orrery.run("gc", "--max-size", "1B")
    expect(orrery.json("ls"), [], "a quota of nothing")
    entries = list(orrery.store.iterdir())
    expect(len(entries) > 0, True, "kept files stay for an hour")
    orrery.record("true")
    gone = orrery.json("gc", "--unused-hours", "0")["store_removed_entries"]
    expect(gone, 0, "entries that a recording links")
    orrery.run("rm", "true-0")
    orrery.run("gc", "--unused-hours", "0")
    expect(list(orrery.store.iterdir()), [], "entries after the last recording went")


def case_damage(orrery):
    orrery.record("ls", "/")
    trace = orrery.recordings / "ls-0" / "trace"
    whole = trace.read_bytes()
    for at in (0, 70, 100, 300, len(whole) // 2, len(whole) - 10):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        trace.write_bytes(damaged)
        found = orrery.run("info", "--verify", status=1)
        expect_match(found.stdout, r"byte \d+ of .*trace|no orrery trace|first bytes", f"damage at {at}")
    for size in (0, 10, 64, 200, len(whole) - 1):
        trace.write_bytes(whole[:size])
        for words in (("info",), ("ls",)):
            orrery.run(*words)
    trace.write_bytes(whole)
    orrery.run("info", "--verify")


def case_killed_guest(orrery):
    running = orrery.start("sh", "-c", "while :; do read x < /etc/debian_version; done")
    wait_until(lambda: orrery.recordings.exists() and orrery.json("ls"), "the recording is there")
    time.sleep(0.5)
    expect(orrery.json("ls")[0]["state"], "recording", "state while it runs")
    expect_match(orrery.run("rm", "latest", status=69).stderr, "being recorded", "rm while it runs")
    os.kill(orrery.json("info")["pid"], signal.SIGKILL)
    running.wait(30)
    info = orrery.json("info")
    expect(info["state"], "cut", "state after the kill")
    expect(info["ending"], "SIGKILL", "how it ended")
    expect(info["events"] > 1000, True, "events up to the kill")
    orrery.run("info", "--verify")


def writer_of(supervisor):
    """The child of `orrery record` that is not the guest: it runs the same executable."""
    children = pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    own = os.readlink(f"/proc/{supervisor}/exe")
    return [int(child) for child in children if os.readlink(f"/proc/{child}/exe") == own]


def case_killed_writer(orrery):
    running = orrery.start("sh", "-c", "i=0; while [ $i -lt 30000 ]; do read x < /etc/debian_version; "
                                       "i=$((i+1)); done; echo survived")
    wait_until(lambda: orrery.recordings.exists() and orrery.json("ls"), "the recording is there")
    wait_until(lambda: writer_of(running.pid), "the writer runs")
    time.sleep(0.3)
    os.kill(writer_of(running.pid)[0], signal.SIGKILL)
    words, said = running.communicate(timeout=90)
    expect(words, b"survived\n", "the program goes on without its writer")
    expect_match(said.decode(), "up to where the writer of the recording was killed", "the last line says so")
    info = orrery.json("info")
    expect(info["events"] > 0, True, "events up to the last flush")
    expect((info["state"], info["ending"]), ("gap", "recorder killed"), "state after the kill")
    orrery.run("info", "--verify")
    expect_match(orrery.run("replay", "--check").stderr, "the recorder was killed", "why the replay ends")


def case_killed_all(orrery):
    running = orrery.start("sh", "-c", "while :; do read x < /etc/debian_version; done")
    wait_until(lambda: orrery.recordings.exists() and orrery.json("ls"), "the recording is there")
    time.sleep(0.5)
    for victim in (running.pid, *writer_of(running.pid), orrery.json("info")["pid"]):
        os.kill(victim, signal.SIGKILL)
    running.wait(30)
    wait_until(lambda: orrery.json("ls")[0]["state"] != "recording", "the lock of the trace is gone")
    expect(orrery.json("ls")[0]["ending"], "recorder killed", "how it ended")
    expect(orrery.json("info")["events"] > 1000, True, "events up to the last flush")
    expect_match(orrery.run("replay", "--check").stderr, "the recorder was killed", "why the replay ends")


def case_interrupted(orrery):
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        running = orrery.start("sh", "-c", "while :; do read x < /etc/debian_version; done")
        wait_until(lambda: orrery.recordings.exists() and orrery.json("ls")
                   and orrery.json("ls")[-1]["events"] == 0 and orrery.json("ls")[-1]["pid"], "the recording is there")
        time.sleep(0.2)
        running.send_signal(number)  # to `orrery record` alone: it hands it on
        expect(running.wait(30), -number, "status as the program's own")
        info = orrery.json("info")
        expect(info["ending"], signal.Signals(number).name, "how it ended")
        expect(info["state"], "complete", "state: the engine saw the signal")
        orrery.run("replay", "--check")
        orrery.run("rm", "latest")


def case_hostile_names(orrery):
    orrery.record("echo", "\x1b[31mred\x07\n")
    text = orrery.run("ls").stdout + orrery.run("info").stdout
    expect("\x1b" in text or "\x07" in text, False, "control characters of a recording on a terminal")
    info = orrery.recordings / "echo-0" / "info"
    info.write_bytes(b"orrery recording 1\nargument: \xff\xfe\\x1b\nstate: nonsense\npid: x\n")
    orrery.run("ls")
    orrery.run("info")
    expect(orrery.json("info")["exit_status"], 0, "what the trace still tells is put right")


def main():
    cases = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
    parser = argparse.ArgumentParser()
    parser.add_argument("--orrery", required=True)
    parser.add_argument("--only", choices=sorted(cases))
    arguments = parser.parse_args()
    for name, case in cases.items():
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="orrery-commands-") as home:
                case(Orrery(os.path.abspath(arguments.orrery), home))
            print(f"{name}: ok")


if __name__ == "__main__":
    main()
