"""Runs a program on a terminal of its own and types at it, as a script of `< text to wait for` and
`> keys to type` lines says. What it shows is returned without the carriage returns a terminal adds."""
import errno
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

SETTLE_SECONDS = 0.05  # without output, before the next keys
ROWS, COLUMNS = 24, 80


def steps(script):
    """(expected bytes, keys) pairs; \\x1b and the like stand for themselves."""
    expected, found = b"", []
    for line in script.read_text().splitlines():
        words = line[2:].encode().decode("unicode_escape").encode("latin-1")
        if line.startswith("<"):
            expected = words
        elif line.startswith(">"):
            found.append((expected, words))
            expected = b""
    return found


def run(command, script, timeout_seconds, environment, folder, umask):
    """(exit status as subprocess has it, all that was shown, what went wrong). 124 when it did not end
    or never showed what the script waits for."""
    child, terminal = pty.fork()
    if child == 0:
        try:
            prepare()
            os.chdir(folder)
            os.umask(umask)
            os.execvpe(command[0], command, environment)
        finally:
            os._exit(127)
    os.set_blocking(terminal, False)
    shown, trouble, deadline = b"", "", time.monotonic() + timeout_seconds
    for expected, keys in steps(script):
        mark = len(shown)
        while expected not in shown[mark:] and not trouble:
            more = read(terminal, 1)
            if more is None or time.monotonic() > deadline:
                trouble = f"{expected!r} was not shown after {shown[mark:]!r}"
            shown += more or b""
        if trouble:
            break
        shown += settled(terminal)
        os.write(terminal, keys)
    while not trouble and (more := read(terminal, 1)) is not None:
        shown += more
        if time.monotonic() > deadline:
            trouble = "it did not end"
    if trouble:
        os.kill(child, signal.SIGKILL)
    waited = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    return (124 if trouble else waited), shown.replace(b"\r", b""), trouble


def prepare():
    """In the child: a screen of fixed size that does not repeat what is typed before the program has set it up."""
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
    modes = termios.tcgetattr(0)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, modes)


def read(terminal, seconds):
    """What was shown; b"" when nothing was for so long; None at the end."""
    if not select.select([terminal], [], [], seconds)[0]:
        return b""
    try:
        return os.read(terminal, 65536) or None
    except OSError as error:
        if error.errno == errno.EIO:  # the last descriptor of the other side is closed
            return None
        raise


def settled(terminal):
    shown = b""
    while more := read(terminal, SETTLE_SECONDS):
        shown += more
    return shown
