"""Every command that reads a recording, run on one that may be damaged: none may crash, hang or eat the
host's memory, and a replay is either equal up to where the recording ends or refused with the place."""
import os
import re
import resource
import subprocess
import tempfile
import time

READERS = (("info",), ("info", "--verify"), ("info", "--json"), ("ps",), ("ps", "--json"), ("dump",), ("dump", "--json"),
           ("dump", "--calls"), ("why",), ("why", "--json"), ("replay", "--check"), ("pack",))
TIMEOUT_SECONDS = 60
MEMORY_BYTES_MOST = 2 << 30
FILE_BYTES_MOST = 4 << 30
STATUSES = {0, 1, 2, 3, 69}  # docs: found nothing, found something, wrong use, differs, cannot run

# What a refusal must name: the byte, the event or the file at fault, or that nothing was recorded yet.
PLACE = re.compile(r"at byte \d+|event \d+|launch block|is no orrery trace|has format version|not a regular file|"
                   r"killed before|before the program's first instruction|cannot open |kept file|files/\d+|there is no recording|recording's (trace|files|info)")
OUR_FAULT = re.compile(r"CHECK|AddressSanitizer|terminate called|core dumped|Traceback|std::|Assertion")


class Reading:
    """What one command said of a recording."""

    def __init__(self, words, status, out, err, peak_bytes):
        self.words, self.status, self.out, self.err, self.peak_bytes = words, status, out, err, peak_bytes

    def problem(self):
        name = " ".join(self.words)
        if self.status is None:
            return f"{name}: still running after {TIMEOUT_SECONDS} s"
        if self.status not in STATUSES:
            return f"{name}: ended with {self.status}: {self.err[-300:]!r}"
        if OUR_FAULT.search(self.err):
            return f"{name}: {self.err[-300:]!r}"
        if self.peak_bytes > MEMORY_BYTES_MOST:
            return f"{name}: took {self.peak_bytes} bytes of memory"
        if self.status in (3, 69) and not PLACE.search(self.err):
            return f"{name}: refused without a place: {self.err[-300:]!r}"
        return None


def run(orrery, words, environment):
    """The words' status, output and peak of memory; the time and the size of its files are limited."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([orrery, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment,
                                 start_new_session=True,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                       (FILE_BYTES_MOST, FILE_BYTES_MOST)))
        deadline = time.monotonic() + TIMEOUT_SECONDS
        delay = 0.001
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid == child.pid:
                break
            if time.monotonic() > deadline:
                os.killpg(child.pid, 9)
                os.wait4(child.pid, 0)
                status = None
                break
            time.sleep(delay)
            delay = min(delay * 1.5, 0.05)
        child.returncode = 0  # it has been waited for here
        out.seek(0)
        err.seek(0)
        code = None if status is None else os.waitstatus_to_exitcode(status)
        return Reading(words, code, out.read(1 << 20).decode(errors="replace"), err.read(1 << 20).decode(errors="replace"),
                       0 if status is None else usage.ru_maxrss * 1024)


def read_all(orrery, recording, environment):
    """All readers' words; the problems found, and the reading of `replay --check`."""
    problems, check = [], None
    for words in READERS:
        reading = run(orrery, [words[0], str(recording), *words[1:]], environment)
        if problem := reading.problem():
            problems.append(problem)
        if words[0] == "replay":
            check = reading
    if problem := run(orrery, ["ls"], environment).problem():
        problems.append(problem)
    return problems, check


def records_trees(orrery):
    """Whether this orrery records and replays processes that fork."""
    with tempfile.TemporaryDirectory(prefix="orrery-trees-") as folder:
        environment = dict(os.environ, XDG_DATA_HOME=folder)
        for words in (["record", "--", "sh", "-c", "(exit 3); [ $? = 3 ] && ls / | wc -l"], ["replay", "--check"]):
            if subprocess.run([orrery, *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
                return False
    return True


def events_replayed(check):
    """The count that `replay --check` tells when it was equal as far as the recording goes."""
    match = re.search(r"is equal(?: up to there)?: (\d+) events", check.err)
    return int(match.group(1)) if match else None
