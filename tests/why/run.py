#!/usr/bin/env python3
"""Records a broken program and checks what `orrery why` says of it.

The program's source says what must appear: lines `// why: WORDS`, and `// why-O0: WORDS` for builds without
optimisation. `{MARK}` in the words is the number of the line marked `// MARK`. The line that `why` points at
must be marked CRASH, CALLER, OPENS or TAIL. Natively the program must end the same way.
"""

import argparse
import errno
import json
import os
import re
import subprocess
import sys

PLACES = ("CRASH", "CALLER", "OPENS", "TAIL")


def marks(source):
    found = {}
    for number, line in enumerate(source, 1):
        match = re.search(r"//\s+([A-Z]+)$", line.rstrip())
        if match:
            found.setdefault(match.group(1), []).append(number)
    return found


def expected_words(source, level):
    numbers = marks(source)
    for line in source:
        match = re.match(r"(?://|#) why(-O\d)?: (.*)", line.rstrip())
        if match and match.group(1) in (None, f"-{level}"):
            yield re.sub(r"\{([A-Z]+)\}", lambda mark: str(numbers[mark.group(1)][0]), match.group(2))


def squeeze(text):
    return " ".join(text.split())


def run(words, environment, cwd):
    return subprocess.run(words, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, text=True, errors="replace")


def run_natively(words, environment, cwd):
    """A program that cannot start ends as a shell would have it: 127 not found, 126 not executable."""
    try:
        return run(words, environment, cwd)
    except OSError as error:
        return subprocess.CompletedProcess(words, 127 if error.errno == errno.ENOENT else 126)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--orrery", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--level", default="O0")
    parser.add_argument("--data", required=True, help="where recordings go")
    options = parser.parse_args()

    with open(options.source, encoding="utf-8") as file:
        source = file.readlines()
    environment = dict(os.environ, XDG_DATA_HOME=options.data, NO_COLOR="1")
    cwd = os.path.dirname(options.program)
    troubles = []

    native = run_natively([options.program], environment, cwd)
    recorded = run([options.orrery, "record", "--", options.program], environment, cwd)
    if recorded.returncode != native.returncode:
        troubles.append(f"recorded, it ends with {recorded.returncode}; natively with {native.returncode}")
    told = run([options.orrery, "why"], environment, cwd)
    failed = native.returncode != 0
    if told.returncode != (1 if failed else 0):
        troubles.append(f"`orrery why` exits with {told.returncode}")
    text = squeeze(told.stdout)
    for words in expected_words(source, options.level):
        if squeeze(words) not in text:
            troubles.append(f"missing: {words}")
    lines = [number for mark in PLACES for number in marks(source).get(mark, [])]
    told_json = run([options.orrery, "why", "--json"], environment, cwd)
    try:
        verdict = json.loads(told_json.stdout)
        place = verdict.get("place", {})
        if lines and place.get("line") not in lines:
            troubles.append(f"the place is {place.get('file')}:{place.get('line')}, not one of {lines}")
    except json.JSONDecodeError as error:
        troubles.append(f"--json is no JSON: {error}")
    if troubles:
        print("\n".join(troubles))
        print(told.stdout, told.stderr, recorded.stderr, sep="\n--\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
