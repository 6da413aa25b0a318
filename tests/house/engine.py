"""The built engine, looked at as data: static, no libc, no TLS, no constructors, nothing undefined, no
mutable globals but the listed ones, no vector registers but in the listed functions, and lean."""
import re
import subprocess
import sys

import house

SIZE_MOST = 2 << 20       # loaded bytes of text and data
DATA_MOST = 4096          # bytes of .data and .bss together
VECTOR = re.compile(r"%[xyz]mm\d|%k[0-7]\b|%mm\d|\b(?:f?xsave\w*|f?xrstor\w*|fninit|ldmxcsr|stmxcsr|vzero\w+)\b")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def allow_list(file):
    return [re.compile(pattern) for pattern, _ in house.table(house.HOUSE / file, 2)]


def is_allowed(symbol, allowed):
    return any(pattern.search(symbol) for pattern in allowed)


def globals_in(nm_output, allowed):
    """Problems for each symbol of .data or .bss that is not listed, and the bytes of all of them."""
    problems, total = [], 0
    for line in nm_output.splitlines():
        match = re.match(r"[0-9a-f]+ ([0-9a-f]+) ([bBdDgG]) (.*)", line)
        if match:
            total += int(match.group(1), 16)
            if not is_allowed(match.group(3), allowed):
                problems.append(f"mutable global: {match.group(3)} ({int(match.group(1), 16)} bytes)")
    return problems, total


def vectors_in(disassembly, allowed):
    """Problems for each function that touches a vector register and is not listed."""
    problems, function = {}, "?"
    for line in disassembly.splitlines():
        match = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if match:
            function = match.group(1)
        elif "\t" in line and VECTOR.search(line.split("\t", 1)[1]) and not is_allowed(function, allowed):
            problems.setdefault(function, line.split("\t")[-1].strip())
    return [f"touches the guest's vector registers: {f}: {text}" for f, text in problems.items()]


def shape_problems(engine):
    problems = []
    segments = run("readelf", "-lW", engine)
    for word, what in (("INTERP", "an interpreter"), ("TLS", "thread-local storage"), ("DYNAMIC", "dynamic linking")):
        if re.search(rf"^\s+{word}\s", segments, re.M):
            problems.append(f"the engine has {what}")
    sections = run("readelf", "-SW", engine)
    for section in (".init_array", ".ctors", ".tdata", ".tbss"):
        if re.search(rf" {re.escape(section)}\s", sections):
            problems.append(f"the engine has {section}: no static constructors, no TLS")
    undefined = run("nm", "-u", engine).split()
    problems += [f"undefined: {s}" for s in undefined if s not in ("U", "w")]
    loaded = sum(int(m, 16) for m in re.findall(r"^\s+LOAD(?:\s+0x[0-9a-f]+){4}\s+0x([0-9a-f]+)", segments, re.M))
    if loaded > SIZE_MOST:
        problems.append(f"the engine loads {loaded} bytes; {SIZE_MOST} are the most")
    return problems


if __name__ == "__main__":
    engine = sys.argv[1]
    problems = shape_problems(engine)
    found, total = globals_in(run("nm", "-SC", engine), allow_list("engine_globals.txt"))
    problems += found
    if total > DATA_MOST:
        problems.append(f"{total} bytes of mutable globals; {DATA_MOST} are the most")
    problems += vectors_in(run("objdump", "-dC", "--no-show-raw-insn", engine), allow_list("engine_vectors.txt"))
    house.finish(problems, 1)
