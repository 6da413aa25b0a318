#!/usr/bin/env python3
"""Signals from outside the machine: run.py ORRERY GUEST

Each scenario is played to the program natively, on the machine, and recorded; status and output must be the same,
and the recording must replay to it. The guest process is found as the child of `orrery`.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ORRERY, GUEST = sys.argv[1:3]
LIBC = ctypes.CDLL(None, use_errno=True)


def sigqueue(pid, number, value):
    while LIBC.sigqueue(pid, number, ctypes.c_void_p(value)) != 0:
        if ctypes.get_errno() != 11:  # EAGAIN: the queue is full; the guest will take some
            raise OSError(ctypes.get_errno(), "sigqueue")
        time.sleep(0.001)


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def wait_for_state(pid, wanted):
    for _ in range(1000):
        if state_of(pid) in wanted:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} is {state_of(pid)}, wanted {wanted}")


def guest_of(process, way):
    """The process that runs the program: ours, or the engine below orrery."""
    if way == "native":
        return process.pid
    for _ in range(500):
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/comm", encoding="ascii", errors="replace") as name:
                    if not name.read().startswith("orrery\n"):
                        return int(child)
        time.sleep(0.01)
    raise AssertionError("there is no guest process")


def stop_and_continue(number):
    def play(_process, pid):
        time.sleep(0.1)
        os.kill(pid, number)
        wait_for_state(pid, "T")
        time.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        wait_for_state(pid, "SRXZ")
    return play


def only_continue(_process, pid):
    time.sleep(0.1)
    os.kill(pid, signal.SIGCONT)


def stop_spinning(_process, pid):
    for _ in range(20):
        os.kill(pid, signal.SIGSTOP)
        wait_for_state(pid, "T")
        os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGUSR2)


def flood(count):
    def play(_process, pid):
        for value in range(count):
            sigqueue(pid, signal.SIGRTMIN, value)
        os.kill(pid, signal.SIGUSR2)
    return play


def end_by(number):
    def play(_process, pid):
        time.sleep(0.05)
        os.kill(pid, number)
    return play


def disturb(number):
    """Signals while the program's one large write waits for a slow reader."""
    def play(_process, pid):
        time.sleep(0.2)
        for _ in range(50):
            os.kill(pid, number)
            time.sleep(0.002)
    return play


def give_input(process, pid):
    stop_and_continue(signal.SIGSTOP)(process, pid)
    process.stdin.write(b"x")
    process.stdin.flush()


def nothing(_process, _pid):
    pass


def ignore_some():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGTERM])


SCENARIOS = [
    ("epoll_wait stopped and continued", "epoll", stop_and_continue(signal.SIGSTOP), None),
    ("poll stopped and continued", "poll", stop_and_continue(signal.SIGSTOP), None),
    ("nanosleep stopped and continued", "sleep", stop_and_continue(signal.SIGSTOP), None),
    ("read stopped and continued", "read", give_input, None),
    ("epoll_wait continued though not stopped", "epoll", only_continue, None),
    ("poll continued though not stopped", "poll", only_continue, None),
    ("computation stopped and continued", "spin", stop_spinning, None),
    ("poll stopped by SIGTSTP", "poll", stop_and_continue(signal.SIGTSTP), None),
    ("epoll_wait stopped by SIGTTIN", "epoll", stop_and_continue(signal.SIGTTIN), None),
    ("1,000 queued signals during computation", "spin", flood(1000), None),
    ("1,000 queued signals, blocked", "blocked", flood(1000), None),
    ("computation ended by SIGTERM", "spin", end_by(signal.SIGTERM), None),
    ("sleep ended by SIGINT", "sleep", end_by(signal.SIGINT), None),
    ("read ended by SIGKILL", "read", end_by(signal.SIGKILL), None),
    ("write disturbed by an ignored signal", "write-ignoring", disturb(signal.SIGUSR1), None),
    ("write disturbed by a blocked signal", "write-blocking", disturb(signal.SIGUSR1), None),
    ("write disturbed by SIGWINCH", "write-default", disturb(signal.SIGWINCH), None),
    ("inherited dispositions and mask", "inherited", nothing, ignore_some),
]


def play(way, mode, action, before, folder):
    command = {"native": [GUEST, mode], "machine": [ORRERY, "run", "--", GUEST, mode],
               "recorded": [ORRERY, "record", "-o", folder + "/recording", "--", GUEST, mode]}[way]
    # In a process group of its own, which is not orphaned wherever this script runs: a terminal's stop signals do
    # not stop an orphaned one (kernel/signal.c, is_current_pgrp_orphaned).
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               preexec_fn=before, restore_signals=True, process_group=0)
    try:
        output = process.stdout.readline()
        while not output.endswith(b"ready\n"):
            line = process.stdout.readline()
            if not line:
                break
            output += line
        action(process, guest_of(process, way)) if action is not nothing else None
        output += process.stdout.read()
        return process.wait(60), output
    finally:
        process.kill()
        process.wait()


def replayed(folder, killed):
    done = subprocess.run([ORRERY, "replay", "-a", folder + "/recording"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=False)
    trouble = done.stderr.decode(errors="replace") if b"differs" in done.stderr or done.returncode == 3 else ""
    check = subprocess.run([ORRERY, "replay", "--check", folder + "/recording"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=120, check=False)
    if check.returncode != 0 and not killed:
        trouble += check.stdout.decode(errors="replace")
    return done.stdout, trouble


def run(name, mode, action, before):
    folder = tempfile.mkdtemp(prefix="orrery-outside.")
    try:
        native = play("native", mode, action, before, folder)
        for way in ("machine", "recorded"):
            got = play(way, mode, action, before, folder)
            if got != native:
                return f"{way}: {got[0]} {got[1][-120:]!r}, natively {native[0]} {native[1][-120:]!r}"
        output, trouble = replayed(folder, name.endswith("SIGKILL"))
        if trouble or output != native[1]:
            return f"replay: {trouble}{output[-120:]!r}, natively {native[1][-120:]!r}"
        return ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    failed = 0
    for name, mode, action, before in SCENARIOS:
        if len(sys.argv) > 3 and sys.argv[3] not in name:
            continue
        trouble = run(name, mode, action, before)
        print(f"{'FAIL' if trouble else 'ok  '} {name} {trouble}", flush=True)
        failed += trouble != ""
    return 1 if failed else 0


sys.exit(main())
