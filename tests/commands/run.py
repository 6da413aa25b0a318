#!/usr/bin/env python3
"""Runs `orrery ls|info|dump|pack|rm|gc` on fresh recordings in a data directory of their own.

Each case is a function below; --only names one. A failed expectation ends the case with status 1 and says
what was expected. The programs recorded are Debian's own.
"""

import argparse
import csv
import ctypes
import fcntl
import json
import os
import pathlib
import pty
import re
import resource
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

import hosts
import trees


class Orrery:
    """One `orrery` with a data directory that nobody else uses."""

    def __init__(self, program, home):
        self.program = program
        self.home = pathlib.Path(home)
        self.environment = dict(os.environ, XDG_DATA_HOME=str(home), LC_ALL="C")
        self.recordings = self.home / "orrery" / "recordings"
        self.store = self.home / "orrery" / "store"

    def run(self, *words, status=0, before=None, environment=None):
        done = subprocess.run([self.program, *words], env=dict(self.environment, **(environment or {})),
                              capture_output=True, timeout=100, stdin=subprocess.DEVNULL, preexec_fn=before)
        done.stdout = done.stdout.decode(errors="replace")
        done.stderr = done.stderr.decode(errors="replace")
        expect(done.returncode, status, f"status of {' '.join(words)} ({done.stderr.strip()})")
        return done

    def record(self, *words, status=0):
        return self.run("record", "--", *words, status=status)

    def json(self, *words, status=0):
        return json.loads(self.run(*words, "--json", status=status).stdout)

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


def case_named_place(orrery):
    mine = orrery.home / "mine"
    said = orrery.run("record", "-o", str(mine), "--", "true").stderr
    expect_match(said, f"recorded to {mine}$", "a place is told as it was named")
    refused = orrery.run("record", "-o", str(mine), "--", "true", status=69).stderr
    expect_match(refused, f"{mine} is there already: remove it, or name another place with -o", "what is there stays")
    orrery.run("info", "--verify", str(mine))
    (orrery.home / "empty").mkdir()
    orrery.run("record", "-o", str(orrery.home / "empty"), "--", "true")


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


# A thread waits in read while another goes on calling, and is then given five bytes.
WAITING = r"""#include <pthread.h>
#include <unistd.h>
static int ends[2];
static void* wait_for_it(void* unused) {
  char bytes[16];
  return read(ends[0], bytes, sizeof bytes) == 5 ? unused : ends;
}
int main(void) {
  pthread_t thread;
  void* result = ends;
  if (pipe(ends) != 0 || pthread_create(&thread, 0, wait_for_it, 0) != 0) return 1;
  usleep(20000);
  if (access("/none", F_OK) == 0 || write(ends[1], "hello", 5) != 5) return 1;
  pthread_join(thread, &result);
  return result != 0 ? 1 : access("/none/too", F_OK) != 0 ? 7 : 1;
}
"""


def case_calls_of_threads(orrery):
    """A call that waits has the result that it returned with, whatever others call meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "waiting"
        subprocess.run(["gcc", "-x", "c", "-", "-o", program, "-pthread"], input=WAITING, text=True, check=True)
        orrery.record(str(program), status=7)
        text = orrery.run("dump", "--calls").stdout
        expect_match(text, r'read\(\d+, "hello", 16\) = 5$', "the call that waited")
        expect_match(text, r'access\("/none", F_OK\) = -1 ENOENT', "a call meanwhile")
        expect_match(text, r'write\(\d+, "hello", 5\) = 5$', "another")
        expect_match(text, r"(clock_nanosleep|nanosleep)\(.*\) = 0$", "one that waited too")
        facts = json.loads(orrery.run("why", "--json", status=1).stdout)
        calls = [each["text"] for each in facts.get("calls", [])]
        expect([each for each in calls if each.startswith("read(") and "hello" in each and not each.endswith("= 5")], [], "the calls that why saw")


CRASHING = """
import os, signal, sys
if os.fork() == 0:
    open("/none/" + sys.argv[1])
_, status = os.wait()
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGABRT)
_, status = os.waitpid(child, 0)
if sys.argv[1] == "passes_on":
    sys.exit(128 + os.WTERMSIG(status))
"""


def case_why_processes(orrery):
    """Down to the process that is to blame, and to any that is named."""
    python = ("/usr/bin/python3", "-c", CRASHING)
    orrery.record(*python, "passes_on", status=128 + signal.SIGABRT)
    why = orrery.json("why", status=1)
    expect((why["process"], why["signal"]), (2, "SIGABRT"), "the child whose end was passed on")
    expect([each["end"] for each in why["blaming"]], ["exit 134"], "who passed it on")
    text = " ".join(orrery.run("why", status=1).stdout.split())
    expect_match(text, "died of SIGABRT: it sent the signal to itself", "how it died")
    expect_match(text, "passed it on: exit 134", "who passed it on")
    first = orrery.json("why", "-p", "#1", status=1)
    expect((first["process"], first["exit_status"]), (1, 1), "the process that was named")
    expect_match(first["headline"], "/none/passes_on", "the call of that process which failed")
    expect(orrery.json("why", "-p", str(first["pid"]), status=1)["process"], 1, "the same by its pid")
    expect_match(orrery.run("why", "-p", "#7", status=2).stderr, "orrery ps lists them", "a process that is not there")

    orrery.record(*python, "goes_on")
    whole = orrery.json("why")
    expect((whole["process"], whole["category"]), (0, "clean"), "a parent that went on")
    expect([each["process"] for each in whole["crashed"]], [2], "the crash below")


def case_calls_of_a_child(orrery):
    orrery.record("/bin/sh", "-c", "cat /etc/debian_version | cat; exit 3", status=3)
    for number in ("#1", "#2"):
        text = orrery.run("dump", "--calls", "-p", number).stdout
        expect_match(text, r'execve\("/(usr/)?bin/cat"', "the calls before the child's exec")
        expect_match(text, r"exit_group\(0\) = \?$", "its last call")


SHARING = """
import ctypes, mmap, os, signal
shared = ctypes.c_long.from_buffer(mmap.mmap(-1, 4096))
for turn in range(3):
    child = os.fork()
    if child == 0:
        for _ in range(20000):
            shared.value += 1
        os._exit(shared.value & 0x7f | 1)
    for _ in range(20000):
        shared.value += 1
    os.wait()
"""


def case_calls_with_shared_memory(orrery):
    """What a child saw in shared memory comes from the replay of all."""
    orrery.record("/usr/bin/python3", "-c", SHARING)
    ends = {each["process"]: each["exit_status"] for each in orrery.json("ps")}
    for number in (1, 2, 3):
        text = orrery.run("dump", "--calls", "-p", f"#{number}").stdout
        expect_match(text, rf"exit_group\({ends[number]}\) = \?$", "the value that the child saw")


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


def limit(which, soft, hard=None):
    return lambda: resource.setrlimit(which, (soft, soft if hard is None else hard))


READ_MUCH = ("dd", "if=/dev/urandom", "of=/dev/null", "bs=64k", "count=640", "status=none")


def expect_gap(orrery, recording, said, reason):
    """One line says that the recording ends, the program runs on, and what is there replays."""
    expect(len(re.findall("recording ended early", said)), 1, "lines that say so")
    expect(len(said.strip().splitlines()), 2, f"lines in all: {said!r}")
    info = orrery.json("info", recording)
    expect(info["state"], "gap", "state")
    expect(info["events"] > 50, True, "events up to the gap")
    expect_match(orrery.run("replay", "--check", recording).stderr, reason, "why the replay ends")
    orrery.run("info", "--verify", recording)
    expect_match(orrery.run("dump", recording).stdout, "gap: events are missing", "the last event")


def case_disk_full(orrery):
    with hosts.Mount(orrery.home / "small", "size=8m") as small:
        refused = orrery.run("record", "-o", str(small / "none"), "--", "true", status=69).stderr
        expect_match(refused, r"only 8\.\d MB are free .* begins with 32 MB .*--min-free", "too little room is said before")
        expect((small / "none").exists(), False, "a recording that did not begin")
        said = orrery.run("record", "--min-free", "0", "-o", str(small / "r"), "--", *READ_MUCH).stderr
        expect_gap(orrery, str(small / "r"), said, "the disk was full")


def case_file_size_limit(orrery):
    said = orrery.run("record", "--", *READ_MUCH, before=limit(resource.RLIMIT_FSIZE, 20 << 20)).stderr
    expect_gap(orrery, "latest", said, "the disk was full")


def case_writer_out_of_memory(orrery):
    running = orrery.start("sh", "-c", "while :; do read x < /etc/debian_version || exit; [ -e %s ] && exit; done"
                           % (orrery.home / "stop"))
    wait_until(lambda: orrery.recordings.exists() and writer_of(running.pid), "the writer runs")
    time.sleep(0.3)
    writer = writer_of(running.pid)[0]
    # Not a byte more: what it asks for next it does not get, and the cached heap is used up soon.
    resource.prlimit(writer, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    time.sleep(0.5)
    (orrery.home / "stop").touch()
    expect(running.wait(60), 0, "the program's own status")
    info = orrery.json("info")
    expect(info["ending"] in ("exit 0", "out of memory", "recorder killed"), True, f"ending {info['ending']}")
    orrery.run("replay", "--check")
    orrery.run("info", "--verify")


def case_limits(orrery):
    for which, words in ((resource.RLIMIT_AS, "ulimit -v"), (resource.RLIMIT_DATA, "ulimit -d"), (resource.RLIMIT_FSIZE, "ulimit -f"),
                         (resource.RLIMIT_NOFILE, "ulimit -n")):
        value = 4 << 30 if which in (resource.RLIMIT_AS, resource.RLIMIT_DATA) else 12
        said = orrery.run("record", "--", "true", status=69, before=limit(which, value)).stderr
        expect_match(said, rf"^orrery: cannot record: .*{words}", f"a tight {words}")
        expect(len(said.splitlines()), 1, "lines")
        expect_match(orrery.run("doctor", status=69, before=limit(which, value)).stdout, rf"BAD .*\n.*{words}", "foretold")
    expect(orrery.recordings.exists() and list(orrery.recordings.iterdir()) != [], False, "recordings that never began")
    soft = limit(resource.RLIMIT_NOFILE, 8, 4096)
    said = orrery.run("record", "--", "sh", "-c", "ulimit -n", before=soft)
    expect(said.stdout, "8\n", "the program's own limit of descriptors")
    # With less stack the dynamic linker of any program may find none left, by where the kernel begins it.
    for which, value in ((resource.RLIMIT_NPROC, 1), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_MEMLOCK, 0),
                         (resource.RLIMIT_STACK, 256 << 10), (resource.RLIMIT_STACK, 32 << 10)):
        orrery.run("record", "--", "true", before=limit(which, value))
        orrery.run("replay", "--check")


def case_places(orrery):
    """Homes that are not there or cannot be written."""
    with hosts.Mount(orrery.home / "noexec", "noexec,size=64m") as noexec:
        said = orrery.run("record", "-o", str(noexec / "r"), "--", "true", status=69).stderr
        expect_match(said, "cannot record: .*mounted noexec", "a noexec file system")
        said = orrery.run("doctor", status=69, environment={"XDG_DATA_HOME": str(noexec)}).stdout
        expect_match(said, r"BAD +recordings", "foretold")
        shutil.copy("/bin/true", noexec / "program")
        said = orrery.run("record", "--", str(noexec / "program"), status=126).stderr
        expect_match(said, "Permission denied", "a program there")
        expect_match(orrery.run("doctor", str(noexec / "program"), status=69).stdout, "BAD +program.*noexec", "foretold")
    with hosts.Mount(orrery.home / "readonly", "ro") as readonly:
        said = orrery.run("record", "--min-free", "0", "--", "true", status=69,
                          environment={"XDG_DATA_HOME": str(readonly)}).stderr
        expect_match(said, "^orrery: .*Read-only file system", "a read-only home")
    with hosts.Mount(orrery.home / "inodes", "nr_inodes=10,size=64m") as inodes:
        said = orrery.run("record", "-o", str(inodes / "r"), "--", "true", status=69).stderr
        expect_match(said, "no inodes left", "a file system without inodes")


def case_inside(orrery):
    said = orrery.record(orrery.program, "record", "--", "true", status=69).stderr
    expect_match(said, "cannot be made inside a recording", "record inside record")
    said = orrery.record("sh", "-c", f"exec {orrery.program} record -- true", status=69).stderr
    expect_match(said, "cannot be made inside a recording", "record inside record, by way of a shell")
    expect_match(orrery.record(orrery.program, "ls", "--names").stdout, "sh-0", "other commands may be recorded")


def case_foreign_programs(orrery):
    for make, words, health in ((hosts.elf_of_other_machine, "built for another processor", "BAD"),
                                (hosts.elf_32, "32-bit program", "BAD")):
        program = orrery.home / "program"
        make(program)
        said = orrery.record(str(program), status=126).stderr
        expect_match(said, words, "refusal")
        expect_match(orrery.run("doctor", str(program), status=69).stdout, rf"{health} +program.*{words}", "foretold")
        program.unlink()
    program = orrery.home / "set-id"
    shutil.copy("/bin/true", program)
    program.chmod(0o4755)
    expect_match(orrery.record(str(program)).stderr, "set-user-ID or set-group-ID bit is ignored", "a warning")
    expect_match(orrery.run("doctor", str(program)).stdout, "warn +program.*set-user-ID", "foretold")
    program.chmod(0o755)
    try:
        os.setxattr(program, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    except OSError as error:
        print(f"file capabilities are not looked at: {error}")
    else:
        expect_match(orrery.record(str(program)).stderr, "file capabilities are ignored", "a warning")
        expect_match(orrery.run("doctor", str(program)).stdout, "warn +program.*file capabilities", "foretold")
    expect_match(orrery.run("doctor", "nosuch", status=69).stdout, "BAD +program.*nosuch: No such file", "foretold")


def case_foreign_hosts(orrery):
    """A /proc of our own in place of the host's: nobody changes a machine-wide setting for a test."""
    proc = orrery.home / "proc"
    (proc / "sys" / "vm").mkdir(parents=True)
    (proc / "sys" / "kernel").mkdir()
    for release, mode, words in (("6.1.0", "0", None), ("4.19.0-amd64", "0", "4.19.0-amd64 is too old"),
                                 ("5.2.21", "1", "5.2.21 is too old"), ("6.1.0", "2", "vm.overcommit_memory is 2")):
        (proc / "sys" / "kernel" / "osrelease").write_text(release + "\n")
        (proc / "sys" / "vm" / "overcommit_memory").write_text(mode + "\n")
        said = orrery.run("doctor", "--proc", str(proc), status=69 if words else 0).stdout
        if words:
            expect_match(said, words, "what is in the way")


# Maps descriptor ARGV[1] shared, for reading or also for writing; prints the errno's name or what is there. "socket": the
# descriptor is a socket that brings the one to map.
MAP_SHARED_MEMORY = """
import errno, mmap, socket, sys
fd, how, protection = int(sys.argv[1]), sys.argv[2], mmap.PROT_READ | (mmap.PROT_WRITE if sys.argv[3] == "write" else 0)
if how == "socket":
    fd = socket.recv_fds(socket.socket(fileno=fd), 1, 1)[1][0]
try:
    print(mmap.mmap(fd, 4096, mmap.MAP_SHARED, protection)[:5].decode())
except OSError as error:
    print(errno.errorcode[error.errno])
"""
GET_SEGMENT = """
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
print("found" if libc.shmget(int(sys.argv[1]), 4096, 0o600) >= 0 else errno.errorcode[ctypes.get_errno()])
"""


def case_outside_memory(orrery):
    """What programs outside can write while the guest has it mapped."""

    def memory(seals=0):
        fd = os.memfd_create("outside", os.MFD_ALLOW_SEALING)
        os.pwrite(fd, b"words" + bytes(4091), 0)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return fd

    def mapped(fd, how, protection):
        """What the program prints, natively and recorded, and what orrery said."""
        outputs = []
        for way in ([], [orrery.program, "record", "--"]):
            passed = [fd]
            if how == "socket":
                ours, theirs = socket.socketpair()
                socket.send_fds(ours, [b"x"], [fd])
                passed = [theirs.fileno()]
            done = subprocess.run([*way, sys.executable, "-c", MAP_SHARED_MEMORY, str(passed[0]), how, protection],
                                  pass_fds=passed, env=orrery.environment, capture_output=True, timeout=100)
            outputs.append(done.stdout.decode().strip())
        orrery.run("replay", "--check")
        return outputs, done.stderr.decode()

    refused = "^orrery: .*mmap: ENODEV for /memfd:outside.*: programs outside the machine may write"
    for fd, how, protection, wanted in (
            (memory(), "socket", "write", "ENODEV"), (memory(), "socket", "read", "ENODEV"),
            (memory(fcntl.F_SEAL_WRITE), "socket", "read", "words"), (memory(), "inherited", "write", "ENODEV"),
            (memory(fcntl.F_SEAL_WRITE), "inherited", "read", "words")):
        what = f"a memfd, {how}, to {protection}"
        outputs, said = mapped(fd, how, protection)
        expect(outputs, ["words", wanted], what)
        if wanted == "ENODEV":
            expect_match(said, refused, what)
        os.close(fd)

    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x4f520000 + os.getpid() % 0xffff
    segment = libc.shmget(key, 4096, 0o1600)
    try:
        done = orrery.record(sys.executable, "-c", GET_SEGMENT, str(key))
    finally:
        libc.shmctl(segment, 0, None)
    expect(done.stdout.strip(), "EACCES", "a segment of others")
    expect_match(done.stderr, "the segment belongs to processes outside", "a segment of others")
    expect(orrery.record(sys.executable, "-c", GET_SEGMENT, str(key)).stdout.strip(), "ENOENT", "no segment")


def case_frozen_map(orrery):
    """A file that is mapped through a descriptor that cannot write it, and written later."""
    program = orrery.home / "frozen.py"
    program.write_text("import mmap, os, sys\nopen('f', 'w').write('before')\n"
                       "view = mmap.mmap(os.open('f', os.O_RDONLY), 6, mmap.MAP_SHARED, mmap.PROT_READ)\n"
                       "for _ in range(2):\n  os.pwrite(os.open('f', os.O_RDWR), b'behind', 0)\nprint(view[:].decode())\n")
    os.chdir(orrery.home)
    done = orrery.record(sys.executable, str(program))
    expect(done.stdout, "before\n", "what the mapping shows")
    expect_match(done.stderr, "^orrery: .*/f is mapped and now opened for writing", "a warning")
    expect(done.stderr.count("now opened for writing"), 1, "warnings")
    orrery.run("replay", "--check")


def case_graphics(orrery):
    """A /dev with a graphics card in it, of our own."""
    OPEN = "import os, sys\ntry:\n  os.open(sys.argv[1], os.O_RDWR)\n  print('open')\nexcept OSError as e:\n  print(e.strerror)"
    for name in ("dri/card0", "dri/renderD128", "nvidiactl", "kfd", "fb0"):
        done = orrery.run("record", "--", sys.executable, "-c", OPEN, "/dev/" + name, before=lambda: hosts.devices(name))
        expect(done.stdout, "Permission denied\n", f"opening /dev/{name}")
        expect_match(done.stderr, f"^orrery: .*/dev/{name} is refused: the program gets EACCES", "a refusal in words")
        orrery.run("replay", "--check")
        expect_match(orrery.run("doctor", before=lambda: hosts.devices(name)).stdout if name != "dri/renderD128" else "/dev/dri",
                     "/dev/" + name.split("/")[0], "foretold")
    done = orrery.record(sys.executable, "-c", OPEN, "/dev/fb7")
    expect(done.stdout, "No such file or directory\n", "a device that does not exist")


def case_foreign_processor(orrery):
    """Recordings that say they come from another processor than this one."""
    def vendor(block):
        names = (b"GenuineIntel", b"AuthenticAMD")
        name = next(name for name in names if name in block)
        at = block.index(name)
        block[at:at + 12] = names[name == names[0]]

    def row(block, leaf, subleaf):
        """Where the row begins: leaf, subleaf, eax, ebx, ecx, edx."""
        return block.index(struct.pack("<II", leaf, subleaf))

    def vector_state(block):
        at = row(block, 0xd, 2) + 12
        struct.pack_into("<I", block, at, struct.unpack_from("<I", block, at)[0] + 64)

    for profile, change, words in (("host", vendor, "another vendor's processor, without --cpu x86-64-v2"),
                                   ("host", vector_state, "this processor arranges its vector state differently"),
                                   ("x86-64-v2", vendor, None)):
        orrery.run("record", "--cpu", profile, "-o", str(orrery.home / "r"), "--", "true")
        hosts.change_launch(orrery.home / "r", lambda block: None)
        orrery.run("replay", "--check", str(orrery.home / "r"))
        hosts.change_launch(orrery.home / "r", change)
        done = orrery.run("replay", "--check", str(orrery.home / "r"), status=69 if words else 0)
        if words:
            expect_match(done.stderr, rf"^orrery: .*replay here: .*{words}", "a refusal in words")
            expect(len(done.stderr.splitlines()), 1, "lines")
        shutil.rmtree(orrery.home / "r")


def case_confined(orrery):
    """Under a filter, as containers have one."""
    calls = {"personality": 135, "pidfd_open": 434, "memfd_create": 319, "seccomp": 317, "setsid": 112}
    for name, possible in (("personality", True), ("seccomp", True), ("setsid", True), ("memfd_create", False)):
        before = lambda: hosts.deny(calls[name])
        done = orrery.run("record", "--", "true", status=0 if possible else 69, before=before)
        if possible:
            orrery.run("replay", "--check", before=before)
        else:
            expect_match(done.stderr, "^orrery: .*Operation not permitted", f"a refusal in words without {name}")
    expect_match(orrery.run("doctor", status=69, before=lambda: hosts.deny(calls["memfd_create"])).stdout, "BAD +memfd",
                 "foretold")
    expect_match(orrery.run("doctor", status=69, before=lambda: hosts.deny(calls["pidfd_open"])).stdout,
                 "BAD +calls +refused: pidfd_open", "foretold")
    expect_match(orrery.run("doctor", before=lambda: hosts.deny(calls["personality"])).stdout, "warn +personality",
                 "foretold")


def case_gc_quota(orrery):
    for _ in range(3):
        orrery.record("true")
    gone = orrery.run("gc", "-n", environment={"ORRERY_GC_KEEP": "1"}).stdout.split()
    expect(gone, ["true-0", "true-1"], "a quota of the environment")
    # Shared files count once: three recordings of one program take little more than one of them.
    one = sum(path.stat().st_size for path in (orrery.recordings / "true-0").rglob("*") if path.is_file())
    expect(orrery.run("gc", "-n", "--max-size", f"{one * 3 // 2}B").stdout.split(), [], "shared files count once")
    expect(len(orrery.run("gc", "-n", "--max-size", f"{one // 2}B").stdout.split()), 3, "a quota below one recording")
    left = orrery.recordings / ".removing-true-9.1"
    (left / "files").mkdir(parents=True)
    (left / "trace").write_text("x")
    expect(len(orrery.json("ls")), 3, "what a killed remover left is not listed")
    orrery.run("gc")
    expect(left.exists(), False, "what a killed remover left")


def case_gc_beside_others(orrery):
    """Recorders and replays beside gc, which is killed now and then: what is left is whole."""
    stop = time.monotonic() + 6
    tidy = lambda: subprocess.Popen([orrery.program, "gc", "--keep", "2", "--unused-hours", "0"], env=orrery.environment,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    collectors, recorders, rounds = [], [], 0
    while time.monotonic() < stop:
        rounds += 1
        recorders = [running for running in recorders if running.poll() is None]
        while len(recorders) < 3:
            recorders.append(orrery.start("ls", "/"))
        collectors.append(tidy())
        time.sleep(0.02)
        if rounds % 3 == 0:
            collectors[-1].kill()
    for running in recorders:
        expect(running.wait(60), 0, "status of a recorded program")
    for collector in collectors:
        collector.wait(60)
    for name in orrery.run("ls", "--names").stdout.split():
        orrery.run("info", "--verify", name)
        orrery.run("replay", "--check", name)
    orrery.record("sh", "-c", "i=0; while [ $i -lt 30000 ]; do read x < /etc/debian_version; i=$((i+1)); done")
    replay = subprocess.Popen([orrery.program, "replay", "--check", "sh-0"], env=orrery.environment,
                              stderr=subprocess.PIPE)
    stop_once_locked(replay, orrery.recordings / "sh-0" / "trace")
    expect_match(orrery.run("rm", "sh-0", status=69).stderr, "being replayed", "rm of what is replayed")
    orrery.run("gc", "--keep", "0", status=69)
    replay.send_signal(signal.SIGCONT)
    expect(replay.wait(60), 0, "the replay beside gc")
    orrery.run("gc", "--keep", "0")
    expect((orrery.recordings / "sh-0").exists(), False, "what nobody replays any more")


def stop_once_locked(running, path):
    """Stops the process when it holds a lock on the file: neither its start nor its end is then a matter of luck."""
    with open(path, "rb") as file:
        while running.poll() is None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(file, fcntl.LOCK_UN)
                time.sleep(0.001)
            except BlockingIOError:
                running.send_signal(signal.SIGSTOP)
                return
    sys.exit(f"it ended with {running.returncode} and had not been seen to lock {path}")


def case_query(orrery):
    """The tables of a tree of processes: as many calls as `dump --calls` shows of each, in one replay."""
    orrery.record("sh", "-c", "echo one | cat; (exit 3); ls / > /dev/null; true")
    processes = json.loads(orrery.run("query", "--json", "SELECT process, pid, exit_status FROM process").stdout)
    expect([row["pid"] for row in processes], [row["pid"] for row in orrery.json("ps")], "processes")
    expect(sorted(row["exit_status"] for row in processes), [0, 0, 0, 0, 3], "exit states")
    counted = orrery.run("query", "sh-0", "SELECT process, count(*) FROM call GROUP BY process", "--csv").stdout
    for line in counted.splitlines()[1:]:
        process, count = line.split(",")
        calls = orrery.run("dump", "--calls", "-p", f"#{process}", "--json").stdout.splitlines()
        texts = [json.loads(call)["words"] for call in calls]
        expect(int(count), len(texts), f"calls of process {process}")
        there = json.loads(orrery.run("query", "--json", f"SELECT text FROM call WHERE process = {process} ORDER BY number").stdout)
        expect([row["text"] for row in there], texts, f"the calls of process {process}")
    table = orrery.run("query", "SELECT name, count(*) AS calls FROM call WHERE name = 'execve' GROUP BY name").stdout
    expect_match(table, "^name    calls\nexecve      [0-9]\n$", "a table for people")
    typed = subprocess.run([orrery.program, "query", "sh-0"], env=orrery.environment, capture_output=True, text=True,
                           input="SELECT count(*) AS n\nFROM process;\nSELECT 7 AS seven")
    expect((typed.returncode, typed.stdout), (0, "n\n5\nseven\n    7\n"), "statements from stdin")
    for sql, words in (("DELETE FROM call", "not authorized"), ("SELECT * FROM nowhere", "no such table: nowhere"),
                       ("SELECT 1; SELECT 2", "more than one statement"), ("ATTACH 'x' AS y", "not authorized")):
        expect_match(orrery.run("query", "sh-0", sql, status=2).stderr, f"^orrery: .*{words}", sql)


def case_query_threads(orrery):
    """A call that waits while other threads make theirs is a row too, with its own thread's result."""
    orrery.record("python3", "-c", """if True:
        import os, threading
        reading, writing = os.pipe()
        waits = threading.Thread(target=lambda: os.read(reading, 7))
        waits.start()
        os.getppid(), os.write(writing, b"seven b")
        waits.join()""")
    rows = json.loads(orrery.run("query", "--json", "SELECT task, name, result, text FROM call").stdout)
    pipe = re.search(r"\[(\d+), ", next(row["text"] for row in rows if row["name"].startswith("pipe"))).group(1)
    reads = [row for row in rows if row["text"].startswith(f"read({pipe}, ")]
    expect(reads[-1]["result"], 7, "what the waiting thread read")
    expect(reads[-1]["task"] != rows[0]["task"], True, "it is another thread")


def case_query_cache(orrery):
    """What was found is kept with mode 0600, found again where it is of another lens or spoiled, and found nevertheless
    where nothing can be kept."""
    orrery.record("true")
    recording = orrery.recordings / "true-0"
    layers, count = recording / "layers.sqlite", ("query", "SELECT count(*) FROM call", "--csv")
    wanted = orrery.run(*count).stdout
    expect(layers.stat().st_mode & 0o777, 0o600, "mode of the tables")
    with sqlite3.connect(layers) as database:
        database.execute("DELETE FROM call")
    expect(orrery.run(*count).stdout.split(), ["count(*)", "0"], "what was kept is used")
    with sqlite3.connect(layers) as database:
        database.execute("UPDATE collected SET version = 0")
    expect(orrery.run(*count).stdout, wanted, "found by another version")
    for spoil in (lambda: layers.write_bytes(b"no database at all" * 1000), lambda: layers.write_bytes(b""),
                  lambda: os.truncate(layers, 5000)):
        spoil()
        expect(orrery.run(*count).stdout, wanted, "found again")
    layers.unlink()
    layers.mkdir()
    expect(orrery.run(*count).stdout, wanted, "where nothing can be kept")
    layers.rmdir()
    trace = bytearray((recording / "trace").read_bytes())
    trace[len(trace) // 2] ^= 1
    (recording / "trace").write_bytes(trace)
    expect_match(orrery.run(*count).stderr, "are damaged: what was found ends there", "of a damaged recording")


def case_export(orrery):
    orrery.record("sh", "-c", "cat /dev/null; true")
    orrery.run("export", "--perfetto", "-o", str(orrery.home / "trace"))
    expect((orrery.home / "trace").stat().st_mode & 0o777, 0o600, "mode of the trace")
    with open(orrery.home / "trace", "rb") as file:
        decoded = subprocess.run(["protoc", "--decode_raw"], stdin=file, capture_output=True, check=True).stdout.decode()
    calls, wakes, stretches = (int(orrery.run("query", f"SELECT count(*) FROM {table}", "--csv").stdout.split()[1])
                               for table in ("call", "wakeup", "task_stretch"))
    expect(stretches >= 2, True, "stretches of threads: how many hangs on who is first")
    expect(decoded.count("    9: 3\n"), calls + 2 * wakes, "instants: calls, and both ends of each arrow")
    expect(len(re.findall(r"^    47: ", decoded, re.M)), 2 * wakes, "ends of arrows")
    expect(decoded.count("    9: 1\n"), 2 + stretches, "processes and stretches that begin")
    expect(decoded.count("    9: 2\n"), 2 + stretches, "processes and stretches that end")
    expect_match(decoded, r'6: "sh -c ', "a process's name")
    folded = dict(line.rsplit(" ", 1) for line in orrery.run("export", "--folded").stdout.splitlines())
    expect(sorted(folded), ["dash", "dash;cat"], "stacks")
    rows = list(csv.DictReader(orrery.run("export", "--csv", "process").stdout.splitlines()))
    expect([int(row["ticks"]) for row in rows], [int(folded["dash"]), int(folded["dash;cat"])], "ticks")
    orrery.run("export", "--sqlite", "-o", str(orrery.home / "all.db"))
    with sqlite3.connect(orrery.home / "all.db") as database:
        expect(database.execute("SELECT count(*) FROM call").fetchone()[0], calls, "calls in the database")
    for words, said in ((("--sqlite",), "needs a file"), (("--csv", "nowhere"), "no table nowhere"),
                        (("--sqlite", "-o", str(orrery.home / "all.db")), "File exists")):
        expect_match(orrery.run("export", *words, status=69).stderr, said, f"export {words}")


def case_hostile_directory(orrery):
    """FIFOs, devices, links and directories in place of a recording's files: nobody waits for them."""
    orrery.record("true")
    recording = orrery.recordings / "true-0"
    for name in ("trace", "info", "launch", "engine", "files/0", "files/1"):
        victim, aside = recording / name, orrery.home / "aside"
        shutil.move(victim, aside)
        for make in (lambda: os.mkfifo(victim), lambda: victim.symlink_to("/dev/zero"), lambda: victim.mkdir(),
                     lambda: victim.symlink_to(victim), lambda: victim.symlink_to("/dev/full")):
            make()
            for words in (("info",), ("info", "--verify"), ("ls",), ("dump",), ("why",), ("replay", "--check"), ("pack",)):
                done = subprocess.run([orrery.program, words[0], *([] if words == ("ls",) else ["true-0"]), *words[1:]],
                                      env=orrery.environment, capture_output=True, timeout=30, stdin=subprocess.DEVNULL)
                expect(done.returncode in (0, 1, 2, 3, 69), True,
                       f"{words} with a strange {name}: {done.returncode} {done.stderr[-200:]}")
            if victim.is_dir() and not victim.is_symlink():
                victim.rmdir()
            else:
                victim.unlink()
        shutil.move(aside, victim)
    orrery.run("replay", "--check", "true-0")


def make_tree(orrery):
    """A shell that forks a pipeline, a subshell that is killed and a daemon that outlives it."""
    orrery.record("true")
    recording = orrery.recordings / "true-0"
    shell = trees.Process(0, 100)
    shell.add("syscall", 1000, 5, detail=39)
    ls = shell.fork(2000, 1, 101)
    ls.add("exec", 3000, 0, trees.strings("/usr/bin/ls", "ls", "two words"))
    killed = shell.fork(4000, 2, 102)
    killed.add("syscall", 4500, 0, detail=35)
    grandchild = ls.fork(5000, 3, 103)
    ls.add("exit", 6000, 0)
    shell.add("syscall", 7000, 102, (9).to_bytes(4, "little"), detail=61)
    shell.fork(8000, 4, 104)  # of whose events nothing is there
    told = shell.fork(8100, 5, 105)
    shell.add("signal", 8200, signal.SIGCHLD, struct.pack("<iii4xiIi100x", signal.SIGCHLD, 0, 2, 105, 0, signal.SIGTERM))
    shell.add("exit", 9000, 3)
    grandchild.add("syscall", 9500, 0, detail=39)
    grandchild.add("exit", 20000, 0x10b)
    places = trees.write_trace(recording / "trace", [shell, ls, killed, grandchild, told])
    info = (recording / "info").read_text()
    for key, value in (("pid", 100), ("exit_status", 3), ("event_count", 18), ("process_count", 5), ("killed_count", 2)):
        info = re.sub(rf"^{key}: .*$", f"{key}: {value}", info, flags=re.MULTILINE)
    (recording / "info").write_text(info)
    return recording, places


def case_ps(orrery):
    expect_match(orrery.run("ps", status=69).stderr, "no recording yet", "ps without recordings")
    make_tree(orrery)
    text = orrery.run("ps").stdout
    expect_match(text, r"^ +0 +100 +[1-9][0-9]* +8 +0.000000 +0.000008  exit 3 +true$", "the first process")
    expect_match(text, r"^ +1 +101 +100 +4 .*  exit 0 +  ls 'two words'$", "a child with a program of its own")
    expect_match(text, r"^ +3 +103 +101 +3 .*  SIGSEGV +    \(ls 'two words'\)$", "a grandchild without")
    expect_match(text, r"^ +2 +102 +100 +2 .*  SIGKILL +  \(true\)$", "a killed child")
    expect_match(text, r"^ +4 +104 +100 +0 .*  no events", "a child that did nothing yet")
    expect_match(text, r"^ +5 +105 +100 +1 .*  SIGTERM", "a child whose parent was signalled")
    expect([line.split()[0] for line in text.splitlines()[1:]], ["0", "1", "3", "2", "4", "5"], "the tree's order")
    processes = orrery.json("ps")
    expect([each["pid"] for each in processes], [100, 101, 102, 103, 104, 105], "pids")
    expect([each["parent"] for each in processes], [None, 0, 0, 1, 0, 0], "parents")
    expect(processes[0]["children"], [1, 2, 4, 5], "children in order")
    expect([each["fork_event"] for each in processes], [None, 1, 2, 2, 4, 5], "the forks in the parents' events")
    expect([each["events"] for each in processes], [8, 4, 2, 3, 0, 1], "events")
    expect((processes[1]["start_ns"], processes[1]["end_ns"]), (1001, 5000), "a lifetime")


def case_processes(orrery):
    """dump and info of a tree, whole, damaged and cut."""
    recording, places = make_tree(orrery)
    lines = orrery.run("dump").stdout.splitlines()
    expect(lines[0].split()[:2], ["PID", "EVENT"], "columns")
    expect([line.split()[0] for line in lines[1:6]], ["100", "100", "101", "101", "100"], "all processes by time")
    expect_match(lines[2], r"fork = 101  process #1$", "a fork")
    expect_match(lines[3], r"start of process #1, forked by #0 \(pid 100\) in event 1$", "a start")
    expect_match(lines[4], r"exec /usr/bin/ls: ls 'two words'$", "an exec")
    one = orrery.run("dump", "-p", "101").stdout
    expect(orrery.run("dump", "-p", "#1").stdout, one, "a process by pid and by number")
    expect(len(one.splitlines()), 5, "events of one process")
    expect(len(orrery.run("dump", "-p", "101", "--from", "3").stdout.splitlines()), 2, "from an event on")
    expect_match(orrery.run("dump", "--from", "3", status=2).stderr, "-p", "events are counted for each process")
    expect_match(orrery.run("dump", "-p", "7", status=2).stderr, "no process 7", "a pid that is not there")
    events = [json.loads(line) for line in orrery.run("dump", "--json").stdout.splitlines()]
    expect([event["time_ns"] for event in events], sorted(event["time_ns"] for event in events), "order of time")
    expect(len(events), 18, "all events")
    expect(orrery.json("info")["processes"], 5, "processes in info --json")
    expect_match(orrery.run("info").stdout, r"^processes +5 \(2 killed\)$", "processes in info")
    whole = (recording / "trace").read_bytes()
    offset = next(place for place, number in places if number == 1)
    (recording / "trace").write_bytes(whole[:offset + 90] + b"\xff" + whole[offset + 91:])
    expect_match(orrery.run("dump", status=1).stderr, rf"damaged at byte {offset} .*process #1 ", "the place")
    expect(len(orrery.run("dump", status=1).stdout.splitlines()), 15, "the others' events")
    expect_match(orrery.run("ps", status=1).stdout, r"^ +1 +101 .*  damaged", "whose events are damaged")
    (recording / "trace").write_bytes(whole[:offset - 1])
    expect_match(orrery.run("ps").stdout, r"^ +0 +100 .*  exit 3", "a cut tree")


def case_old_version(orrery):
    orrery.record("true")
    trace = orrery.recordings / "true-0" / "trace"
    data = bytearray(trace.read_bytes())
    data[8] = 1
    trace.write_bytes(data)
    for words in (("dump",), ("ps",), ("replay", "--check")):
        said = orrery.run(*words, status=69).stderr
        expect_match(said, f"has format version 1; this orrery reads version {trees.VERSION}$", "an old recording is refused")
        expect(said.count("\n"), 1, "in one line")


def case_timeout(orrery):
    for script, least, most in (("sleep 60", 0.4, 20), ('trap "" TERM; while :; do :; done', 5, 40)):
        begin = time.monotonic()
        said = orrery.run("record", "--timeout", "0.4", "--", "sh", "-c", f"exec {script}" if "trap" not in script else script,
                          status=124).stderr
        expect(least <= time.monotonic() - begin <= most, True, f"time of {script}: {time.monotonic() - begin}")
        expect_match(said, "the time was over", "words")
        orrery.run("replay", "--check")
    expect(orrery.run("record", "--timeout", "60", "--", "sh", "-c", "exit 5", status=5).stderr.count("over"), 0, "in time")
    orrery.run("record", "--timeout", "-1", "--", "true", status=2)


def case_group_signals(orrery):
    """A program that signals its process group reaches its recorder too: nobody gets it twice, and nobody dies of it."""
    for name in ("USR1", "TERM", "INT", "ALRM", "HUP"):
        script = f"trap 'n=$((n + 1))' {name}; n=0; kill -{name} 0; for i in 1 2 3 4 5 6 7 8; do read x < /etc/passwd; done; " \
                 "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo got $n"
        done = subprocess.run([orrery.program, "record", "--", "sh", "-c", script], env=orrery.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, start_new_session=True)
        expect((done.returncode, done.stdout), (0, b"got 1\n"), f"{name} to the own group ({done.stderr})")
        orrery.run("replay", "--check")
    # What somebody else sends to the recorder is handed on.
    running = subprocess.Popen([orrery.program, "record", "--", "sh", "-c", "trap 'echo got; exit 4' USR1; echo ready; while :; do :; done"],
                               env=orrery.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    expect(running.stdout.readline(), b"ready\n", "the program's first line")
    running.send_signal(signal.SIGUSR1)
    expect(running.wait(30), 4, "status after a signal that was handed on")
    expect(running.stdout.read(), b"got\n", "the program's last line")
    running.stdout.close()
    running.stderr.close()


def with_native_engine(orrery):
    """An orrery whose engine runs programs as they are: forks and all."""
    if orrery.native_engine is None:
        print("no --native-engine was given")
        sys.exit(77)
    folder = orrery.home / "native"
    folder.mkdir()
    shutil.copy(orrery.program, folder / "orrery")
    shutil.copy(orrery.native_engine, folder / "orrery-engine")
    return Orrery(str(folder / "orrery"), orrery.home)


def processes_named(word):
    """Living processes with this word in their command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def case_left_behind(orrery):
    """The recording goes on until the last process has ended; the status is the first one's."""
    native = with_native_engine(orrery)
    begin = time.monotonic()
    done = native.run("record", "--", "sh", "-c", "(sleep 0.6; echo late) & (setsid sh -c 'sleep 0.8; echo later' &) ; exit 3",
                      status=3)
    expect(done.stdout, "late\nlater\n", "what was left behind still ran")
    expect(0.8 <= time.monotonic() - begin < 20, True, "time")
    expect(native.json("info")["state"], "cut", "closed by its writer")
    # A killed program's status is its own too, and the tree is waited for.
    done = native.run("record", "--", "sh", "-c", "(sleep 0.4; echo late) & kill -SEGV $$", status=-signal.SIGSEGV)
    expect(done.stdout, "late\n", "what a killed program left behind")
    # Hundreds of orphans are reaped as they end.
    native.run("record", "--", "sh", "-c", "for i in $(seq 300); do (true &); done; exit 4", status=4)


REPORT = """
import os, resource, signal, sys
print(sys.argv[1:], os.environ["WORD"], os.getpgrp() == os.getppid(), os.getcwd(), oct(os.umask(0)))
print(signal.getsignal(signal.SIGUSR1), signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending())
print([resource.getrlimit(limit) for limit in range(16)], sorted(os.listdir("/proc/self/fd"))[:-1])
print("orrery" in os.readlink("/proc/self/exe"), open("/proc/self/personality").read())
"""

NATIVE_CHILDREN = """
import os, signal, subprocess
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
def status_of(*words):
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGUSR2)
        try:
            os.execvp(words[0], words)
        except OSError:
            os._exit(77)
    return os.waitpid(child, 0)[1]
print(status_of("sh", "-c", "exit 3"), status_of("sh", "-c", "kill -TERM $$"), status_of("/none"))
print(subprocess.run(["sh", "-c", "echo vforked; exit 4"]).returncode)
child = os.posix_spawn("/bin/sh", ["sh", "-c", "grep -c . /proc/self/maps > /dev/null; exit 6"], {}, setsigmask=[])
print(os.waitid(os.P_PID, child, os.WEXITED).si_status, os.fork() == 0 and os._exit(9) or os.wait()[1])
"""


def case_no_follow(orrery):
    """A process that is not followed is recorded until it executes, and then runs as if it had never been ours."""
    script = """export WORD=green; trap '' USR1; ulimit -S -n 200; ulimit -S -s 4096; ulimit -c 0; umask 31; cd /usr
                /usr/bin/python3 -c "$0" one 'two words'; echo $?; (sh -c 'kill -TERM $$'); echo $?; (exit 5); echo $?
                seq 4 | sort -r | head -n 2"""
    words = ["sh", "-c", script, REPORT]
    wanted = subprocess.run(words, env=orrery.environment, capture_output=True, stdin=subprocess.DEVNULL).stdout.decode()
    for options, native in ((["--no-follow"], ["exit 0", "SIGTERM", "exit 0", "exit 0", "exit 0"]),
                            (["--only", "python?.*"], ["SIGTERM", "exit 0", "exit 0", "exit 0"]),
                            (["--only", "*/s*"], ["exit 0", "exit 0"]), (["--only", "*"], [])):
        done = orrery.run("record", *options, "--", *words)
        expect(done.stdout, wanted, f"what it prints with {options}")
        orrery.run("replay", "--check")
        shown = orrery.json("ps")
        expect([each["ending"] for each in shown if each["native"]], ["native, " + each for each in native],
               f"who ran natively with {options}")
        expect(len(shown), 7, "all processes are listed")
    expect_match(orrery.run("ps").stdout, r"^ +0 .* exit 0 +sh -c", "the first process")
    orrery.run("record", "--no-follow", "--only", "x", "--", "true", status=2)
    expect_match(orrery.run("record", "-f", "--", "true", status=69).stderr, "-f, which is no option", "an option that is none")
    orrery.run("record", "--only", "", "--", "true", status=2)
    orrery.run("record", "--only", "x" * 256, "--", "true", status=2)
    expect(orrery.run("record", "--seed", "1", "--no-follow", "--", "true", status=2).stderr.count("\n"), 1, "a line")


def case_no_follow_children(orrery):
    """However a child came to be and to its program: its parent, its end and `why` tell of it."""
    words = ["/usr/bin/python3", "-c", NATIVE_CHILDREN]
    for options in (["--no-follow"], ["--only", "grep"]):
        done = orrery.run("record", *options, "--", *words)
        expect(done.stdout, "768 15 19712\nvforked\n4\n6 2304\n", f"what it prints with {options}")
        orrery.run("replay", "--check")
        expect(orrery.run("replay", "-a").stdout, "768 15 19712\n4\n6 2304\n", "what the recorded process printed")
        endings = [each["ending"] for each in orrery.json("ps")]
        expect(endings, ["exit 0", "native, exit 3", "native, SIGTERM", "exit 77", "native, exit 4", "native, exit 6",
                         "exit 9"], f"ends with {options}")
    # What it starts is native too, and is waited for; a first process may execute what it likes.
    done = orrery.run("record", "--only", "grep", "--", "sh", "-c", "exec sh -c \"sh -c '(sleep 0.3; echo late) & grep -q x x' & wait; { sleep 0.2; false; } | env false\"", status=1)
    expect(done.stdout, "late\n", "what a native program left behind")
    expect([each["native"] for each in orrery.json("ps")][:2], [False, True], "who is native")
    orrery.run("replay", "--check")
    why = orrery.json("why", status=1)
    expect((why["process"], why["native"]["command"], why["native"]["end"]), (0, "env false", "native, exit 1"), "whom it blames: the pipeline's last command, though it ends first")
    expect_match(orrery.run("why", "-p", "#1", status=69).stderr, "ran natively and was not recorded", "why of a native process")
    expect_match(orrery.run("dump", "-p", "#1").stdout, "goes on natively$", "the last event of a native process")


SPARSE = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 6 << 30)
shared = mmap.mmap(file, 6 << 30)
shared[5 << 30] = 65
if sys.argv[2:]:
    child = os.fork()
    if child == 0:
        other = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 6 << 30)
        other[3 << 30] = other[5 << 30] + 1
        os._exit(0)
    os.waitpid(child, 0)
print(shared[5 << 30], shared[3 << 30])
"""


def disk_bytes(directory):
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def case_sparse_files(orrery):
    """A file of gigabytes of which a program uses a page costs a page, in the recording and in a replay."""
    for words, printed in (((), "65 0\n"), (("child",), "65 66\n")):
        path = orrery.home / f"sparse-{len(words)}"
        done = orrery.record("/usr/bin/python3", "-c", SPARSE, str(path), *words)
        expect(done.stdout, printed, "what it prints")
        expect(disk_bytes(orrery.home / "orrery") < 100 << 20, True, "what the recording takes")
        orrery.run("replay", "--check")
        expect(orrery.run("replay", "-a").stdout, printed, "what a replay shows")
    # The kept copy of a file that two processes map is looked at as any other.
    recording = max(orrery.recordings.iterdir(), key=lambda each: each.stat().st_mtime)
    big = [each for each in (recording / "files").iterdir() if each.stat().st_size == 6 << 30]
    expect(len(big), 1, "kept once")
    os.chmod(big[0], 0o600)
    os.truncate(big[0], 4096)
    said = orrery.run("replay", "--check", status=3).stderr
    expect_match(said, rf"missing or damaged.*files/{big[0].name} is not what was kept", "a shortened copy")


def case_left_behind_interrupted(orrery):
    """Ctrl-C ends what ignores it once the program itself has ended."""
    native = with_native_engine(orrery)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(native.program, [native.program, "record", "--", "sh", "-c", "sleep 61.25 & echo started; exit 6"],
                  native.environment)
    text = b""
    while b"Ctrl-C ends them" not in text:
        text += os.read(terminal, 4096)
    expect(len(processes_named("61.25")) >= 1, True, "it still runs")
    begin = time.monotonic()
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    expect(os.waitstatus_to_exitcode(status), 6, "the program's status")
    expect(time.monotonic() - begin < 20, True, "it ended soon")
    expect(processes_named("61.25"), [], "nothing is left")


def case_tree_timeout(orrery):
    native = with_native_engine(orrery)
    script = "sleep 62.25 & (setsid sh -c 'trap \"\" TERM; while :; do sleep 62.25; done' &); sleep 62.25"
    native.run("record", "--timeout", "0.5", "--", "sh", "-c", script, status=124)
    expect(processes_named("62.25"), [], "nothing is left")


def case_tree_signals(orrery):
    """A signal that a child sends to the whole group is the recorder's too, and does not reach the program twice."""
    native = with_native_engine(orrery)
    script = "trap 'n=$((n + 1))' USR1; n=0; (kill -USR1 0) ; (sh -c 'kill -USR1 0'; :); sleep 0.3; echo got $n"
    done = subprocess.run([native.program, "record", "--", "bash", "-c", script], env=native.environment,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, start_new_session=True)
    expect((done.returncode, done.stdout), (0, b"got 2\n"), f"status and output ({done.stderr})")


def case_recorder_killed(orrery):
    """Without its recorder the tree goes on, and its writer closes the recording when the last process has ended."""
    native = with_native_engine(orrery)
    running = native.start("sh", "-c", "(sleep 0.7; echo late) & echo early; exit 0")
    expect(running.stdout.readline(), b"early\n", "the first line")
    running.kill()
    running.wait()
    recording = native.recordings / "sh-0"
    expect(native.json("info")["state"], "recording", "while a process lives")
    expect(running.stdout.readline(), b"late\n", "the last line")
    wait_until(lambda: native.json("info")["state"] != "recording", "the writer has ended")
    expect(native.json("info")["events"], 1, "events")
    expect((recording / ".reserve").exists(), False, "the writer's reserve")
    running.stdout.close()
    running.stderr.close()


def case_replay_killed(orrery):
    """A replay that is killed leaves no process behind, not even one that runs on without looking around."""
    orrery.record("sh", "-c", "(while :; do :; done) & sleep 1; kill -9 $!")
    prctl = ctypes.CDLL(None).prctl
    PR_SET_CHILD_SUBREAPER = 36
    expect(prctl(PR_SET_CHILD_SUBREAPER, 1), 0, "becoming the orphans' parent")
    replay = subprocess.Popen([orrery.program, "replay", "--check"], env=orrery.environment)

    def children(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return []

    def forked_engines():
        """The first engine's, or ours when that has ended."""
        of_first = [child for first in children(replay.pid) for child in children(first)]
        return of_first or [child for child in children(os.getpid()) if int(child) != replay.pid]

    wait_until(forked_engines, "the engine of the forked process")
    replay.kill()
    replay.wait()

    def all_gone():
        try:
            while os.waitpid(-1, os.WNOHANG)[0] > 0:
                pass
        except ChildProcessError:
            return True
        return False

    wait_until(all_gone, "the end of all engines")


def main():
    cases = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
    parser = argparse.ArgumentParser()
    parser.add_argument("--orrery", required=True)
    parser.add_argument("--native-engine", help="runs programs natively, for what is not the machine's work")
    parser.add_argument("--only", choices=sorted(cases))
    arguments = parser.parse_args()
    for name, case in cases.items():
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="orrery-commands-") as home:
                orrery = Orrery(os.path.abspath(arguments.orrery), home)
                orrery.native_engine = arguments.native_engine
                case(orrery)
            print(f"{name}: ok")


if __name__ == "__main__":
    main()
