#!/usr/bin/env python3
"""Runs `tests/programs/run.py` with the given arguments in an unprivileged container of our own: a user namespace with a
user without rights (not its root), its own processes and mounts, a root that is read-only, 8 MB of /dev/shm, and a seccomp
filter that denies ptrace, perf_event_open, process_vm_readv and process_vm_writev, as Docker's did."""
import ctypes
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

PROGRAMS = pathlib.Path(__file__).resolve().parents[1] / "programs/run.py"
DENIED = {"ptrace": 101, "perf_event_open": 298, "process_vm_readv": 310, "process_vm_writev": 311}
INSIDE = "inside"
MOUNTS = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=3g tmpfs "$1"
mount -t tmpfs -o size=8m tmpfs /dev/shm
mount -o remount,bind,ro /
shift
exec unshare --user --map-user=1000 --map-group=1000 "$@"
"""


def deny():
    """The filter: load the number; for each denied one answer EPERM."""
    instruction, (load, equal, answer) = struct.Struct("HBBI"), (0x20, 0x15, 0x06)
    rows = [(load, 0, 0, 0)]
    for left, number in zip(range(len(DENIED) - 1, -1, -1), DENIED.values()):
        rows.append((equal, left + 1, 0, number))
    rows += [(answer, 0, 0, 0x7FFF0000), (answer, 0, 0, 0x00050001)]  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO | EPERM
    code = ctypes.create_string_buffer(b"".join(instruction.pack(*row) for row in rows))
    program = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    for words in ((no_new_privileges, 1, 0, 0, 0), (set_seccomp, filter_mode, program, 0, 0)):
        if libc.prctl(*words) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    assert libc.ptrace(0, 0, 0, 0) == -1, "ptrace is not denied"


def main():
    if sys.argv[1:2] == [INSIDE]:
        deny()
        os.execv("/usr/bin/python3", ["python3", str(PROGRAMS), *sys.argv[2:]])
    with tempfile.TemporaryDirectory(prefix="orrery-container-") as scratch:
        os.chmod(scratch, 0o755)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
        if os.getuid() == 0:
            os.chown(scratch, 65534, 65534)
        command = [*user, "unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", MOUNTS, "sh", scratch,
                   "/usr/bin/python3", __file__, INSIDE, *sys.argv[1:]]
        environment = {"PATH": os.environ["PATH"], "HOME": scratch, "TMPDIR": scratch, "LC_ALL": "C"}
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
