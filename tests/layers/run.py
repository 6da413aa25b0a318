#!/usr/bin/env python3
"""The layers before main, on real recordings: what `orrery` says of linking and loading against what the dynamic linker
says of itself (LD_DEBUG) in a native run."""
import argparse
import functools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import arena_cases
import cache_cases
import difference_cases
import errors_cases
import guided_cases
import heap_cases
import instant_cases
import io_cases
import memory_cases
import origin_cases
import process_cases
import profile_cases
import programs
import race_cases
import request_cases
import sched_cases
import sharing_cases
import stack_cases
import table_cases
import verdict_cases

HERE = pathlib.Path(__file__).resolve().parent


class Orrery:
    def __init__(self, program, home):
        self.program, self.home = os.path.abspath(program), pathlib.Path(home)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
        self.environment.update(XDG_DATA_HOME=str(self.home / "data"), LC_ALL="C")
        self.count = 0

    def record(self, words, environment=None, status=0, options=()):
        """Returns the recording's directory. `status`: None for any."""
        self.count += 1
        recording = self.home / f"r{self.count}"
        done = subprocess.run([self.program, "record", *options, "-o", recording, "--", *map(str, words)],
                              env={**self.environment, **(environment or {})}, capture_output=True, text=True, cwd=self.home)
        if status is not None:
            expect(done.returncode, status, f"status of {words}: {done.stderr}")
        return recording

    def run(self, *words, status=0):
        done = subprocess.run([self.program, *map(str, words)], env=self.environment, capture_output=True, text=True)
        expect(done.returncode, status, f"status of {words}: {done.stderr}")
        return done.stdout

    def rows(self, recording, sql):
        return json.loads(self.run("query", recording, sql, "--json"))

    def native(self, what, words, environment=None, status=0):
        """What LD_DEBUG says of a native run."""
        for old in self.home.glob("debug.*"):
            old.unlink()
        process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.home,
                                   env={**self.environment, **(environment or {}), "LD_DEBUG": what, "LD_DEBUG_OUTPUT": str(self.home / "debug")})
        expect(process.wait(), status, f"native status of {words}")
        return (self.home / f"debug.{process.pid}").read_text(errors="replace")


def expect(got, wanted, what):
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, expected {wanted!r}")


def expect_in(part, whole, what):
    if part not in whole:
        sys.exit(f"{what}: {part!r} is not in {whole!r}")


BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: normal symbol `([^']*)'(?: \[([^\]]*)\])?")
# Looked up by the linker itself or by dlsym, not for a relocation.
LOOKED_UP = {"malloc", "calloc", "realloc", "free"}


def linkers_bindings(text, program):
    found = set()
    for match in BINDING.finditer(text):
        user, provider, symbol, version = match[1], match[2], match[3], match[4] or ""
        if "vdso" in user or symbol.startswith("PyInit_"):
            continue
        found.add((name_of(user, program), name_of(provider, program), symbol, version))
    return found


def name_of(path, program):
    same = path == os.path.basename(program) or os.path.realpath(path) == os.path.realpath(program)
    return "PROGRAM" if same else path


def our_bindings(orrery, recording, program):
    rows = orrery.rows(recording, "SELECT * FROM link_binding WHERE process = 0 AND program = 0")
    bound = {(name_of(row["object"], program), name_of(row["provider"], program), row["symbol"], row["version"] or "")
             for row in rows if row["after"] is not None and row["symbol"] and row["provider"]}
    return bound, rows


def compare_bindings(orrery, words, environment=None):
    program = shutil.which(words[0])
    said = linkers_bindings(orrery.native("bindings", words, environment), program)
    recording = orrery.record(words, environment)
    bound, rows = our_bindings(orrery, recording, program)
    missing = {each for each in said - bound if each[2] not in LOOKED_UP}
    extra = {each for each in bound - said if each[2] not in LOOKED_UP}
    expect((sorted(missing)[:5], sorted(extra)[:5]), ([], []), f"bindings of {words}")
    return recording, rows


def case_lazy_bindings(orrery):
    """Every call of a hundred functions binds once: with its instant, its slot before and after, as LD_DEBUG has it."""
    program, functions = programs.hundred_calls(orrery.home, "-Wl,-z,lazy")
    expect(functions >= 100, True, "a hundred functions")
    recording, rows = compare_bindings(orrery, [program])
    lazy = [row for row in rows if row["kind"] == "lazy" and row["object"] == str(program)]
    expect(len([row for row in lazy if row["after"] is not None]) >= 100, True, f"lazy bindings ({len(lazy)})")
    for row in lazy:
        expect(row["after"] != row["before"] and row["cost_ticks"] > 0 and row["caller"] is not None, True, f"{row}")
    expect([row["ticks"] for row in lazy], sorted(row["ticks"] for row in lazy), "the order of the instants")
    order = re.findall(r"binding file \S*hundred \[0\] to .*normal symbol `([^']*)'", orrery.native("bindings", [program]))
    mine = [row["symbol"] for row in lazy]
    expect([symbol for symbol in order if symbol in set(mine) and symbol not in LOOKED_UP],
           [symbol for symbol in mine if symbol not in LOOKED_UP], "the order of the bindings")
    compare_bindings(orrery, [program], {"LD_BIND_NOW": "1"})
    now, _ = programs.hundred_calls(orrery.home, "-Wl,-z,now")
    _, rows = compare_bindings(orrery, [now])
    expect([row for row in rows if row["kind"] == "lazy" and row["object"] == str(now)], [], "lazy bindings of -z now")


def case_large_programs(orrery):
    compare_bindings(orrery, ["ls", "/"])
    compare_bindings(orrery, ["/usr/bin/python3", "-c", "import json, ssl, sqlite3"])
    compare_bindings(orrery, ["gdb", "--version"], {"LD_BIND_NOW": "1"})


def case_plugins(orrery):
    """dlopen and dlmopen."""
    plugin = programs.library(orrery.home, "plugin.so", "#include <string.h>\nint twice(const char* s) { return 2 * (int)strlen(s); }\n",
                              "-fno-builtin")
    program = programs.build(orrery.home, "opens", f"""#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char** argv) {{
  void* handle = argc > 1 ? dlmopen(LM_ID_NEWLM, "{plugin}", RTLD_LAZY) : dlopen("{plugin}", RTLD_LAZY);
  int (*twice)(const char*) = handle ? (int (*)(const char*))dlsym(handle, "twice") : 0;
  return twice ? twice("abc") - 6 : 1;
}}
""")
    for words in ([program], [program, "new"]):
        recording = orrery.record(words)
        objects = orrery.rows(recording, "SELECT path, name_space, ticks FROM link_object")
        mine = [row for row in objects if row["path"] == str(plugin)]
        expect(len(mine), 1, f"the plugin among {objects}")
        expect(mine[0]["name_space"], 1 if len(words) > 1 else 0, "its namespace")
        main = orrery.rows(recording, "SELECT main_ticks FROM program")[0]["main_ticks"]
        expect(mine[0]["ticks"] > main, True, "it was loaded after main")
        bound = orrery.rows(recording, f"SELECT provider, kind FROM link_binding WHERE object = '{plugin}' AND symbol = 'strlen'")
        expect(len(bound) == 1 and bound[0]["provider"].endswith("libc.so.6"), True, f"its binding: {bound}")


def attempts(text):
    """The files that LD_DEBUG=libs says were tried."""
    return re.findall(r"trying file=(\S+)", text)


def case_searches(orrery):
    """Every place that is tried, and the rule that hits."""
    one, two = orrery.home / "one", orrery.home / "two"
    for folder in (one, two):
        programs.library(folder, "libgreet.so", "int greet(void) { return 0; }\n", "-Wl,-soname,libgreet.so")
    source = "int greet(void);\nint main(void) { return greet(); }\n"
    link = ("-L" + str(one), "-lgreet")
    cases = (("DT_RPATH", ("-Wl,--disable-new-dtags,-rpath," + f"/nowhere:{one}",), {}, one),
             ("DT_RUNPATH", ("-Wl,--enable-new-dtags,-rpath," + f"/nowhere:{one}",), {}, one),
             ("DT_RUNPATH", ("-Wl,--enable-new-dtags,-rpath,$ORIGIN/one",), {}, one),
             ("LD_LIBRARY_PATH", ("-Wl,--enable-new-dtags,-rpath," + str(one),), {"LD_LIBRARY_PATH": f"/nowhere2:{two}"}, two),
             ("DT_RPATH", ("-Wl,--disable-new-dtags,-rpath," + str(one),), {"LD_LIBRARY_PATH": str(two)}, one))
    for number, (rule, flags, environment, folder) in enumerate(cases):
        program = programs.build(orrery.home, f"greets{number}", source, *link, *flags)
        recording = orrery.record([program], environment)
        tried = orrery.rows(recording, "SELECT path, rule, found, needed_by FROM link_search ORDER BY number")
        said = attempts(orrery.native("libs", [program], environment))
        # LD_DEBUG also names directories that the linker knows to be missing and does not try again.
        expect([row["path"] for row in tried if row["path"] not in said], [], "places that LD_DEBUG does not name")
        found = [row for row in tried if row["found"] and row["path"].endswith("libgreet.so")]
        expect([(row["path"], row["rule"]) for row in found], [(f"{folder}/libgreet.so", rule)], f"the rule of case {number}")
        expect(found[0]["needed_by"], str(program), "who needs it")
        libc = [row for row in tried if row["found"] and row["path"].endswith("libc.so.6")]
        expect([row["rule"] for row in libc], ["cache"], "the rule that finds libc")


def troubles(orrery, recording):
    return {(row["kind"], row["subject"]): row["words"]
            for row in orrery.rows(recording, "SELECT kind, subject, words FROM link_trouble")}


def case_troubles(orrery):
    """The reason for what is missing, shadowed or interposed."""
    home = orrery.home
    deep = programs.library(home / "deep", "libdeep.so", "int deep(void) { return 0; }\n", "-Wl,-soname,libdeep.so")
    programs.library(home / "mid", "libmid.so", "int deep(void);\nint mid(void) { return deep(); }\n", "-L" + str(deep.parent), "-ldeep",
                     "-Wl,-soname,libmid.so")
    program = programs.build(home, "needs", "int mid(void);\nint main(void) { return mid(); }\n", "-L" + str(home / "mid"), "-lmid",
                             "-Wl,--enable-new-dtags,-rpath," + f"{home}/mid:{home}/deep", "-Wl,-rpath-link," + f"{home}/deep")
    recording = orrery.record([program], status=127)
    found = troubles(orrery, recording)
    expect(list(found), [("missing library", "libdeep.so")], "what is missing")
    rules = orrery.rows(recording, "SELECT DISTINCT rule FROM link_search WHERE name = 'libdeep.so'")
    expect([row["rule"] for row in rules], ["default"], "the rules by which it was looked for")
    reason = found[("missing library", "libdeep.so")]
    expect_in(f"{home}/mid/libmid.so needs it", reason, "who needs it")
    expect_in("serves only what that file needs itself", reason, "why the RUNPATH does not help")

    script = home / "versions.map"
    script.write_text("V1 { global: f; };\nV2 { global: g; } V1;\n")
    source = "int f(void) { return 0; }\nint g(void) { return 0; }\n"
    new = programs.library(home / "versions", "libv.so", source, f"-Wl,--version-script={script}", "-Wl,-soname,libv.so")
    program = programs.build(home, "versioned", "int g(void);\nint main(void) { return g(); }\n", "-L" + str(new.parent), "-lv",
                             "-Wl,-rpath," + str(new.parent))
    script.write_text("V1 { global: f; g; };\n")
    programs.library(home / "versions", "libv.so", source, f"-Wl,--version-script={script}", "-Wl,-soname,libv.so")
    found = troubles(orrery, orrery.record([program], status=1))
    expect_in("does not define it", found[("missing version", "V2")], "a missing version")

    programs.library(home / "versions", "libw.so", "int w(void) { return 0; }\n", "-Wl,-soname,libw.so")
    for flags in ("-Wl,-z,lazy", "-Wl,-z,now"):
        programs.library(home / "versions", "libw.so", "int w(void) { return 0; }\n", "-Wl,-soname,libw.so")
        program = programs.build(home, "uses", "int w(void);\nint main(void) { return w(); }\n", flags, "-L" + str(new.parent), "-lw",
                                 "-Wl,-rpath," + str(new.parent))
        programs.library(home / "versions", "libw.so", "int other(void) { return 0; }\n", "-Wl,-soname,libw.so")
        found = troubles(orrery, orrery.record([program], status=127))
        expect_in("no loaded object defines it", found[("missing symbol", "w")], f"a missing symbol, {flags}")

    shutil.copy("/lib/x86_64-linux-gnu/libz.so.1", home / "libz.so.1")
    program = programs.build(home, "zips", "const char* zlibVersion(void);\nint main(void) { return !zlibVersion(); }\n",
                             "-l:libz.so.1")
    found = troubles(orrery, orrery.record([program], {"LD_LIBRARY_PATH": str(home)}))
    expect_in("by LD_LIBRARY_PATH before /lib/x86_64-linux-gnu/libz.so.1", found[("shadowed", "libz.so.1")], "a shadowed library")

    expect(troubles(orrery, orrery.record(["ls", "/"])), {}, "troubles of a program without any")


WRAPPER = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
static void* (*next)(size_t);
unsigned long counted;
void* malloc(size_t size) {
  if (!next) next = (void* (*)(size_t))dlsym(RTLD_NEXT, "malloc");
  ++counted;
  return next(size);
}
"""


def case_interposed_malloc(orrery):
    """A malloc of LD_PRELOAD under python3: every binding that it won, as LD_DEBUG has them."""
    wrapper = programs.library(orrery.home, "counting.so", WRAPPER)
    words = ["/usr/bin/python3", "-c", "import ssl"]
    recording, _ = compare_bindings(orrery, words, {"LD_PRELOAD": str(wrapper)})
    said = {each[0] for each in linkers_bindings(orrery.native("bindings", words, {"LD_PRELOAD": str(wrapper)}), words[0])
            if each[1] == str(wrapper) and each[2] == "malloc"}
    won = orrery.rows(recording, f"SELECT DISTINCT object FROM link_binding WHERE symbol = 'malloc' AND provider = '{wrapper}'")
    expect({name_of(row["object"], words[0]) for row in won} - {str(wrapper)} >= said - {str(wrapper), "PROGRAM"}, True, "who was bound to it")
    expect_in(f"{wrapper} provides it in place of", troubles(orrery, recording)[("interposed", "malloc")], "the reason")
    expect_in("interposed malloc", orrery.run("show", "link", recording), "the report")


def case_steps(orrery):
    """From execve to main: the steps lie end to end, and follow the order that the linker tells of."""
    for words in (["/usr/bin/python3", "-c", "pass"], ["ls", "/"], ["gdb", "-q", "-nx", "-batch"]):
        recording = orrery.record(words)
        steps = orrery.rows(recording, "SELECT * FROM load_step WHERE process = 0 AND program = 0 ORDER BY number")
        row = orrery.rows(recording, "SELECT * FROM program WHERE process = 0 AND program = 0")[0]
        for before, after in zip(steps, steps[1:]):
            expect(before["start_ns"] + before["time_ns"], after["start_ns"], f"no gap behind step {before['number']}")
            expect(before["start_ticks"] + before["ticks"], after["start_ticks"], f"no ticks lost behind step {before['number']}")
        expect(sum(step["time_ns"] for step in steps), row["main_ns"] - row["start_ns"], "the steps' sum")
        expect(sum(step["ticks"] for step in steps), row["main_ticks"] - row["start_ticks"], "the ticks' sum")
        said = orrery.native("libs,files", words)
        mine = list(dict.fromkeys(step["object"] for step in steps if step["step"] == "init"))
        initialised = [path for path in re.findall(r"calling init: (\S+)", said) if path in mine]
        expect([path for path in mine if path in initialised], initialised[:len(mine)], f"order of initialisers of {words}")
        expect(len([path for path in mine if path not in initialised]) <= 1, True, "only the program's own are not the linker's")
        mapped = [step["object"] for step in steps if step["step"] == "map"]
        expect(mapped, [path for path in re.findall(r"trying file=(\S+)", said) if path in mapped][:len(mapped)], "order of maps")


class Starts:
    """What of each call does not depend on where things lie: addresses become a file and an offset in its mapping."""

    def __init__(self):
        self.calls, self.mapped, self.opened = [], [], {}

    def place(self, address):
        for start, end, path in reversed(self.mapped):
            if start <= address < end:
                return f"{path}+{address - start:#x}"
        return "elsewhere"

    def add(self, text):
        """Takes a line as strace writes them. Returns whether the call counts."""
        match = re.match(r"(openat|mmap|mprotect|close)\((.*)\) += (-?[0-9a-fx]+)( E\w+)?", text)
        if not match:
            return False
        name, words, result = match[1], match[2].split(", "), int(match[3], 0)
        if name == "openat":
            self.opened[result] = words[1].strip('"')
            self.calls.append((name, words[1], words[2], match[4]))
        elif name == "mprotect":
            self.calls.append((name, self.place(int(words[0], 0)), *words[1:]))
        elif name == "mmap" and not (words[0] == "NULL" and words[4] == "-1"):
            # Without an address and a file, it is the linker's own malloc: for the vDSO, which is there natively, it takes more.
            at = "anywhere" if words[0] == "NULL" else self.place(int(words[0], 0))
            path = self.opened[int(words[4])] if words[4] != "-1" else "nothing"
            self.mapped.append((result, result + int(words[1]), path if at == "anywhere" else at.split("+")[0]))
            if at != "anywhere":
                self.mapped.pop()
            self.calls.append((name, at, *words[1:4], path, words[5]))
        else:
            return False
        return True


def case_strace(orrery):
    """The calls of every step, from execve to main, are those that strace -f sees natively: of a program and of its children."""
    marker = programs.build(orrery.home, "marks", "#include <unistd.h>\nint main(void) { return getppid() == 0; }\n", "-lm", "-Wl,--no-as-needed", "-lz")
    script = f"ls / >/dev/null; {marker}; /usr/bin/python3 -c 'import ssl'; LD_LIBRARY_PATH=/nowhere {marker}"
    recording = orrery.record(["sh", "-c", script])
    subprocess.run(["strace", "-ff", "-s", "4096", "-o", orrery.home / "trace", "sh", "-c", script], env=orrery.environment, cwd=orrery.home, check=True,
                   stdout=subprocess.DEVNULL)
    by_pid = sorted(orrery.home.glob("trace.*"), key=lambda path: int(path.suffix[1:]))
    processes = orrery.rows(recording, "SELECT process FROM process ORDER BY pid")
    expect((len(processes), len(by_pid)), (5, 5), "processes")
    for process, file in zip((row["process"] for row in processes), by_pid):
        lines = file.read_text().splitlines()
        begin = max(at for at, line in enumerate(lines) if line.startswith("execve(") and line.endswith("= 0"))
        path = re.match(r'execve\("([^"]*)"', lines[begin])[1]
        program = orrery.rows(recording, f"SELECT * FROM program WHERE process = {process} ORDER BY program DESC LIMIT 1")[0]
        expect(os.path.realpath(program["path"]), os.path.realpath(path), "the program")
        natively, ours, counted = Starts(), Starts(), {}
        steps = orrery.rows(recording, f"SELECT * FROM load_step WHERE process = {process} AND program = {program['program']} ORDER BY number")
        calls = orrery.rows(recording, f"SELECT ticks, text FROM call WHERE process = {process} AND ticks >= {program['start_ticks']}"
                            f" AND ticks < {program['main_ticks']} AND name NOT LIKE 'execve%' ORDER BY number")
        expect(sum(step["calls"] for step in steps), len(calls), "calls of the steps")
        for call in calls:
            within = [step for step in steps if step["start_ticks"] <= call["ticks"]][-1]
            if "x86-64-v4" not in call["text"] and "avx512" not in call["text"] and ours.add(call["text"]):
                counted.setdefault((within["step"], within["object"]), []).append(ours.calls[-1])
        for line in lines[begin + 1:]:
            if line.startswith("getppid()") and path == str(marker):
                break
            # The guest's processor may have less (docs/cpu.md), and then fewer places are tried.
            if "x86-64-v4" not in line and "avx512" not in line:
                natively.add(line)
        if path != str(marker):
            natively.calls = natively.calls[:len(ours.calls)]
        expect(ours.calls, natively.calls, f"calls of {path}")
        expect(len(ours.calls) > 8, True, f"number of calls of {path}")
        for (step, what), made in counted.items():
            opens = [call for call in made if call[0] == "openat"]
            maps = [call for call in made if call[0] == "mmap" and call[5] != "nothing"]
            if step == "map":
                expect(({call[5] for call in maps}, opens), ({what}, []), f"what the step of {what} maps")
            if step == "find":
                expect(({os.path.basename(call[1].strip('"')) for call in opens}, maps), ({what}, []), f"what the step of {what} looks for")
            if step == "relocate" and what is not None:
                expect([call[0] for call in made], ["mprotect"], f"how the step of {what} ends")


def case_linkers(orrery):
    """Programs of lld, mold and musl's linker: what is bound to what, as LD_DEBUG and nm have it; packed relocations count among the writable."""
    source = "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { char* p = malloc(9); puts(\"here\"); free(p); return abs(-1) - 1; }\n"
    for linker in ("lld", "mold"):
        if shutil.which(linker) is None:
            continue
        for lazily in ("lazy", "now"):
            program = programs.build(orrery.home, f"by_{linker}_{lazily}", source, "-O0", "-fno-builtin", f"-fuse-ld={linker}", f"-Wl,-z,{lazily}")
            _, rows = compare_bindings(orrery, [program])
            kinds = {row["symbol"]: row["kind"] for row in rows if row["object"] == str(program)}
            expect({kinds[name] for name in ("malloc", "puts", "free", "abs")}, {"lazy" if lazily == "lazy" else "eager"}, f"bindings of {program}")
    pointers = {}
    for packed in (False, True):
        program = programs.build(orrery.home, f"packed_{packed}", POINTERS, "-O0", "-fPIE", "-pie", "-Wl,-z,now",
                                 *(["-Wl,-z,pack-relative-relocs"] if packed else []))
        expect("(RELR)" in subprocess.run(["readelf", "-dW", program], capture_output=True, text=True).stdout, packed, "packed relocations")
        rows = orrery.rows(orrery.record([program]), f"SELECT section, kind, slots FROM link_writable WHERE object = '{program}' ORDER BY section, kind")
        pointers[packed] = [row for row in rows if row["kind"] == "function pointer"]
    expect(sum(row["slots"] for row in pointers[False]) >= 3, True, f"writable pointers: {pointers}")
    expect(pointers[True], pointers[False], "writable pointers of packed relocations")
    if shutil.which("musl-gcc") is None:
        return
    program = programs.build(orrery.home, "by_musl", source, "-O0", "-fno-builtin", compiler="musl-gcc")
    recording = orrery.record([program])
    objects = {row["path"]: row for row in orrery.rows(recording, "SELECT * FROM link_object")}
    linker = next(path for path in objects if "ld-musl" in path)
    symbols = {line.split()[-1]: int(line.split()[0], 16) for line in
               subprocess.run(["nm", "-D", linker], capture_output=True, text=True).stdout.splitlines() if len(line.split()) == 3}
    table = subprocess.run(["readelf", "-rW", program], capture_output=True, text=True).stdout
    wanted = {match[2]: int(match[1], 16) for match in re.finditer(r"^([0-9a-f]+) .*(?:JUMP_SLOT|GLOB_DAT) +[0-9a-f]+ (\w+)", table, re.M)}
    rows = {row["symbol"]: row for row in orrery.rows(recording, f"SELECT * FROM link_binding WHERE object = '{program}'")}
    expect(set(rows), set(wanted), "what musl's linker bound")
    for symbol, slot in wanted.items():
        row = rows[symbol]
        there = symbol in symbols
        expect((row["slot"] - objects[str(program)]["base"], row["kind"], row["provider"], row["after"]),
               (slot, "eager", linker if there else None, objects[linker]["base"] + symbols[symbol] if there else 0), f"binding of {symbol}")
    calls = orrery.rows(recording, "SELECT ticks, text FROM call WHERE name = 'mprotect' ORDER BY number")
    for path, each in objects.items():
        mine = [call["ticks"] for call in calls if call["text"].startswith(f"mprotect({each['relro_start'] & ~4095:#x}")]
        expect(mine, [each["relro_ticks"]], f"when {path} was made read-only")
    expect(troubles(orrery, recording), {}, "troubles")


def case_static(orrery):
    """Static, static-pie and musl programs."""
    source = "#include <stdio.h>\nint main(void) { puts(\"here\"); return 0; }\n"
    for flags, compiler, linked in ((("-static",), "gcc", "static"), (("-static-pie",), "gcc", "static-pie"),
                                    (("-static",), "musl-gcc", "static"), ((), "musl-gcc", "dynamic"),
                                    (("-static", "-s"), "gcc", "static"), (("-static-pie", "-s"), "gcc", "static-pie"),
                                    (("-static", "-s"), "musl-gcc", "static")):
        if shutil.which(compiler) is None:
            continue
        program = programs.build(orrery.home, "here", source, *flags, compiler=compiler)
        recording = orrery.record([program])
        row = orrery.rows(recording, "SELECT linked, main_ticks, main_address - base AS main, path FROM program")[0]
        if "-s" in flags:
            named = programs.build(orrery.home, "named", source, *(flag for flag in flags if flag != "-s"), compiler=compiler)
            symbols = subprocess.run(["nm", named], capture_output=True, text=True).stdout
            expect(row["main"], int(re.search(r"([0-9a-f]+) T main", symbols)[1], 16), f"main of the stripped {compiler} {flags}")
        expect((row["linked"], row["path"]), (linked, str(program)), f"{compiler} {flags}")
        expect(row["main_ticks"] is not None, True, f"main of {compiler} {flags}")
        expect_in(linked, orrery.run("show", "link", recording), "the report")


CHOICES = """#include <stdio.h>
#include <string.h>
static int one(void) { return 1; }
static int two(void) { return 2; }
static int (*choose(void))(void) { __builtin_cpu_init(); return __builtin_cpu_supports("sse2") ? two : one; }
int chosen(void) __attribute__((ifunc("choose")));
int main(int argc, char** argv) {
  for (int at = 1; at < argc; ++at) {
    unsigned long slot = 0;
    sscanf(argv[at], "%lx", &slot);
    printf("%lx %lx\\n", slot, *(unsigned long*)slot);
  }
  return chosen() + (int)strlen(argv[0]) * 0 - 2;
}
"""


def case_choices(orrery):
    """What the resolvers of static programs choose: the slots as the program itself reads them, as gdb does natively, and named as nm does."""
    for flags in (("-static",), ("-static-pie",), ("-static", "-s"), ("-static", "-fuse-ld=lld"), ("-static-pie", "-fuse-ld=mold")):
        if flags[-1].startswith("-fuse-ld=") and shutil.which("ld.lld" if flags[-1].endswith("lld") else "mold") is None:
            continue
        program = programs.build(orrery.home, "chooses", CHOICES, *flags)
        table = subprocess.run(["readelf", "-rW", program], capture_output=True, text=True).stdout
        slots = [int(line.split()[0], 16) for line in table.splitlines() if "R_X86_64_IRELATIVE" in line]
        expect(len(slots) > 10, True, f"choices that readelf tells of in {flags}")
        recording = orrery.record([program])
        base = orrery.rows(recording, "SELECT base FROM program")[0]["base"]
        recording = orrery.home / f"chosen{orrery.count}"
        told = orrery.run("record", "-o", recording, "--cpu", "host", "--", program, *(hex(base + slot) for slot in slots))
        rows = orrery.rows(recording, "SELECT * FROM link_binding ORDER BY rowid")
        expect([(row["kind"], row["slot"], row["after"]) for row in rows],
               [("ifunc", *(int(word, 16) for word in line.split())) for line in told.splitlines()], f"slots of {flags}")
        main = orrery.rows(recording, "SELECT main_ticks FROM program")[0]["main_ticks"]
        ticks = [row["ticks"] for row in rows]
        expect((ticks, ticks[-1] < main, min(row["cost_ticks"] for row in rows) > 0), (sorted(ticks), True, True), "the instants")
        changed = [row for row in rows if row["before"] != row["after"]]
        expect(len(changed), len(rows), "slots that the choice changed")
        if "-s" in flags:
            expect({row["implementation"] for row in rows}, {None}, "names of a stripped program")
            continue
        names = {}
        for line in subprocess.run(["nm", program], capture_output=True, text=True).stdout.splitlines():
            if len(line.split()) == 3:
                names.setdefault(int(line.split()[0], 16), set()).add(line.split()[2])
        for row in rows:
            expect(row["implementation"] in names[row["after"] - base], True, f"the name of {row}")
        mine = next(row for row in rows if row["symbol"] == "chosen")
        expect(mine["implementation"], "two", "what the program's own resolver chose")
        expect_in("Chosen for this processor", orrery.run("show", "link", recording), "the report")
        if "-static-pie" in flags or shutil.which("gdb") is None:
            continue
        commands = [word for row in rows for word in ("-ex", f"x/gx {row['slot']:#x}")]
        said = subprocess.run(["gdb", "-batch", "-nx", "-ex", "break main", "-ex", "run", *commands, program], capture_output=True, text=True).stdout
        natively = [int(line.split()[-1], 16) for line in said.splitlines() if re.match(r"0x[0-9a-f]+.*:\s+0x", line)]
        # Natively the processor may have more than the guest is shown (../docs/cpu.md): the same function in another width.
        family = lambda address: min(re.sub(r"_(evex|avx|sse|sysv|x86|erms|unaligned|rtm|movbe|no_vzeroupper|bmi2|c$).*", "", name) for name in names[address])
        expect([family(each) for each in natively], [family(row["after"]) for row in rows], "what gdb reads natively")


def case_at(orrery):
    """The state of each layer at an instant: what a program that calls one function after the other has bound by then."""
    source = """int getppid(), atoi(), atol(), labs(), strrchr();
__attribute__((noinline)) void pause_here(int n) { __asm__ volatile("" : : "r"(n)); }
int main(void) {
  char b[64] = "1";
  getppid(); pause_here(1); atoi(b); atol(b); pause_here(2); labs(-1); strrchr(b, '1'); pause_here(3);
  return 0;
}
"""
    program = programs.build(orrery.home, "pauses", source, "-O0", "-fno-builtin", "-Wl,-z,lazy")
    recording = orrery.record([program])
    expected = {"main": 0, "pause_here": 1, "pause_here:2": 3, "pause_here:3": 5, "end": 5}
    for at, count in expected.items():
        found = json.loads(orrery.run("show", "link", recording, "--at", at, "--json"))
        mine = [row["symbol"] for row in found["link_binding"] if row["object"] == str(program) and row["kind"] == "lazy"]
        expect(mine, ["getppid", "atoi", "atol", "labs", "strrchr"][:count], f"bound at {at}")
    expect_in("not yet", orrery.run("show", "link", recording, "--at", "main"), "bindings to come")
    expect(json.loads(orrery.run("show", "link", recording, "--at", "start", "--json"))["link_object"], [], "objects at the start")
    steps = orrery.rows(recording, "SELECT * FROM load_step ORDER BY number")
    for step in steps[1:]:
        middle = step["start_ns"] + step["time_ns"] // 2
        then = json.loads(orrery.run("show", "load", recording, "--at", f"{middle}ns", "--json"))
        expect([each["number"] for each in then], list(range(step["number"] + 1)), f"steps in the middle of {step}")
        expect([each["under_way"] for each in then], [0] * step["number"] + [1], "the one under way")
    done = json.loads(orrery.run("show", "load", recording, "--at", "main", "--json"))
    expect((len(done), [each["under_way"] for each in done if each["under_way"]]), (len(steps), []), "steps at main")
    expect_in("there is pause_here", subprocess.run([orrery.program, "show", "load", recording, "--at", "pauze_here"],
                                                    capture_output=True, text=True).stderr, "the nearest name")
    calls = orrery.run("dump", recording, "--calls", "--from", "pause_here:3")
    expect([line.split()[3].split("(")[0] for line in calls.splitlines()[1:]], ["exit_group"], "calls from there on")


def case_build_at(orrery):
    """What ran at an instant of a build, and what was there."""
    (orrery.home / "one.c").write_text("int main(void) { return 0; }\n")
    recording = orrery.record(["gcc", "one.c", "-o", "one"])
    whole = json.loads(orrery.run("show", "build", recording, "--json"))["steps"]
    for step in whole:
        middle = (step["start_ns"] + step["end_ns"]) // 2
        then = json.loads(orrery.run("show", "build", recording, "--at", f"{middle}ns", "--json"))["steps"]
        expect([each["step"] for each in then], [each["step"] for each in whole if each["start_ns"] <= middle], "steps that had begun")
        expect([each["step"] for each in then if each["end"] == "running"],
               [each["step"] for each in whole if each["start_ns"] <= middle < each["end_ns"]], "steps that ran")
        made = {made["path"] for each in then for made in each["makes"]}
        expect(made, {made["path"] for each in whole for made in each["makes"] if made["written_ns"] <= middle}, "files that were there")
    link = next(each for each in whole if each["phase"] == "link")
    then = json.loads(orrery.run("show", "build", recording, "--at", f"{(link['start_ns'] + link['end_ns']) // 2}ns", "--json"))["steps"]
    objects = [made for each in then for made in each["makes"] if made["kind"] == "object"]
    expect([made["fate"] for made in objects], ["there"], "the object, while it is linked")


def maps_of(text):
    """The lines of a /proc/PID/maps as (start, end, permissions)."""
    found = []
    for line in text.splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ", line)
        if match:
            found.append((int(match[1], 16), int(match[2], 16), match[3]))
    return found


POINTERS = """#include <stdio.h>
static int one(void) { return 1; }
static int two(void) { return 2; }
int (*changed[])(void) = {one, two, one};
int (*const kept[])(void) = {two, one};
int main(int argc, char** argv) {
  char line[512];
  FILE* maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) fputs(line, stdout);
  return changed[argc]() + kept[argc & 1]() - 3;
}
"""


def case_writable(orrery):
    """What stays writable once an object is relocated, against readelf's relocations and the program's own map."""
    for name, flags, kinds in (("lazy", ("-Wl,-z,lazy", "-Wl,-z,relro"), {"PLT slot", "function pointer"}),
                               ("now", ("-Wl,-z,now", "-Wl,-z,relro"), {"function pointer"}),
                               ("none", ("-Wl,-z,lazy", "-Wl,-z,norelro"), {"PLT slot", "GOT slot", "function pointer"})):
        program = programs.build(orrery.home, name, POINTERS, "-O0", "-fPIE", "-pie", *flags)
        recording = orrery.record([program])
        output = subprocess.run([orrery.program, "replay", "-a", recording], capture_output=True, text=True).stdout
        writable = [each[:2] for each in maps_of(output) if "w" in each[2]]
        base = orrery.rows(recording, "SELECT base FROM program")[0]["base"]
        slots = {"PLT slot": set(), "GOT slot": set(), "function pointer": set()}
        text = next((int(row.split()[3], 16), int(row.split()[3], 16) + int(row.split()[5], 16)) for row in
                    subprocess.run(["readelf", "-SW", program], capture_output=True, text=True).stdout.replace("[ ", "[").splitlines() if " .text " in row)
        for line in subprocess.run(["readelf", "-rW", program], capture_output=True, text=True).stdout.splitlines():
            match = re.match(r"([0-9a-f]{16})\s+[0-9a-f]+ (R_X86_64_\w+)\s+(\S*)", line)
            if not match or not any(start <= base + int(match[1], 16) < end for start, end in writable):
                continue
            kind = {"R_X86_64_JUMP_SLOT": "PLT slot", "R_X86_64_GLOB_DAT": "GOT slot"}.get(match[2])
            if match[2] == "R_X86_64_RELATIVE" and text[0] <= int(match[3], 16) < text[1]:
                kind = "function pointer"
            if kind:
                slots[kind].add(base + int(match[1], 16))
        expect({kind for kind in slots if slots[kind]}, kinds, f"kinds that readelf and the map tell of {name}")
        rows = orrery.rows(recording, f"SELECT * FROM link_writable WHERE object = '{program}'")
        found = {kind: sum(row["slots"] for row in rows if row["kind"] == kind) for kind in slots}
        expect(found, {kind: len(each) for kind, each in slots.items()}, f"writable slots of {name}")
        for row in rows:
            expect(any(start <= row["start"] and row["end"] <= end for start, end in writable), True, f"{row} is writable")
        protected = orrery.rows(recording, f"SELECT relro_ticks, relro_ns, relro_start FROM link_object WHERE path = '{program}'")[0]
        if name == "none":
            expect(protected["relro_ticks"], None, "no instant without RELRO")
            continue
        calls = orrery.rows(recording, "SELECT ticks, text FROM call WHERE name = 'mprotect' ORDER BY number")
        mine = [call["ticks"] for call in calls if call["text"].startswith(f"mprotect({protected['relro_start'] & ~4095:#x}")]
        expect(mine, [protected["relro_ticks"]], "the instant of the mprotect")


def case_unloading(orrery):
    """dlclose ends an object; loaded again, it has another row. dlsym's look-ups are those that LD_DEBUG tells of."""
    plugin = programs.library(orrery.home, "plugin.so", "int twice(int n) { return 2 * n; }\nint thrice(int n) { return 3 * n; }\n")
    program = programs.build(orrery.home, "closes", f"""#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
static int use(const char* name) {{
  void* handle = dlopen("{plugin}", RTLD_NOW);
  int (*function)(int) = (int (*)(int))dlsym(handle, name);
  const int result = function ? function(7) : -1;
  dlclose(handle);
  return result;
}}
int main(void) {{
  void* next = dlsym(RTLD_NEXT, "puts");
  void* any = dlsym(RTLD_DEFAULT, "strtol");
  return use("twice") == 14 && use("thrice") == 21 && use("none") == -1 && next && any ? 0 : 1;
}}
""", "-g")
    recording = orrery.record([program])
    rows = orrery.rows(recording, f"SELECT ticks, end_ticks FROM link_object WHERE path = '{plugin}' ORDER BY object")
    expect(len(rows), 3, "how often it was loaded")
    for row, after in zip(rows, rows[1:] + [{"ticks": 1 << 62}]):
        expect(row["ticks"] < row["end_ticks"] < after["ticks"], True, f"{row} ends before {after}")
    others = orrery.rows(recording, f"SELECT count(*) AS n FROM link_object WHERE end_ticks IS NOT NULL AND path != '{plugin}'")
    expect(others[0]["n"], 0, "objects that were unloaded beside it")
    found = orrery.rows(recording, "SELECT * FROM link_lookup ORDER BY rowid")
    expect([row["symbol"] for row in found], ["puts", "strtol", "twice", "thrice", "none"], "what was looked up")
    expect([row["scope"] for row in found], ["next", "default", str(plugin), str(plugin), str(plugin)], "and where")
    expect((found[4]["result"], found[4]["provider"]), (None, None), "one that there is not")
    said = {(name_of(m[2], program), m[3]) for m in BINDING.finditer(orrery.native("bindings", [program]))
            if m[3] in ("puts", "strtol", "twice", "thrice")}
    expect({(name_of(row["provider"], program), row["symbol"]) for row in found[:4]}, said, "who provides them")
    symbols = subprocess.run(["nm", plugin], capture_output=True, text=True).stdout
    base = orrery.rows(recording, f"SELECT base FROM link_object WHERE path = '{plugin}'")[0]["base"]
    expect(found[2]["result"] - base, int(re.search(r"([0-9a-f]+) T twice", symbols)[1], 16), "its address")
    source = (orrery.home / "closes.c").read_text().splitlines()
    for row in found:
        expect(row["caller_function"], "main" if row["symbol"] in ("puts", "strtol") else "use", "the function that asked")
        expect_in("dlsym(", source[int(row["caller_line"].rsplit(":", 1)[1]) - 1], "its line")


def case_callers(orrery):
    """The function and the line that made each lazy binding's first call."""
    source = "int getppid(), getuid();\nint deep(void) {\n  return getppid() == 0;\n}\nint main(void) {\n  deep();\n  return getuid() == -1;\n}\n"
    program = programs.build(orrery.home, "deep", source, "-g", "-O0", "-fno-builtin", "-Wl,-z,lazy")
    recording = orrery.record([program])
    rows = orrery.rows(recording, f"SELECT symbol, caller, caller_function, caller_line FROM link_binding WHERE object = '{program}' AND kind = 'lazy'")
    expect([(row["symbol"], row["caller_function"], row["caller_line"].rsplit("/", 1)[1]) for row in rows],
           [("getppid", "deep", "deep.c:3"), ("getuid", "main", "deep.c:7")], "callers")
    base = orrery.rows(recording, "SELECT base FROM program")[0]["base"]
    for row in rows:
        said = subprocess.run(["addr2line", "-f", "-e", program, hex(row["caller"] - 1 - base)], capture_output=True, text=True).stdout.split()
        expect((row["caller_function"], row["caller_line"]), (said[0], os.path.realpath(said[1].rsplit(":")[0]) + ":" + said[1].rsplit(":")[1]), "as addr2line says")


def case_forked(orrery):
    """A child that goes on with its parent's program: what it loads and binds itself."""
    plugin = programs.library(orrery.home, "late.so", "#include <string.h>\nint late(const char* s) { return (int)strlen(s); }\n", "-fno-builtin")
    program = programs.build(orrery.home, "forks", f"""#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {{
  int status = 1;
  getuid();
  if (fork() == 0) {{
    getuid();
    getppid();
    void* handle = dlopen("{plugin}", RTLD_NOW);
    int (*late)(const char*) = (int (*)(const char*))dlsym(handle, "late");
    _exit(late("abc") != 3);
  }}
  wait(&status);
  return status;
}}
""", "-O0", "-fno-builtin", "-Wl,-z,lazy")
    recording = orrery.record([program])
    mine = orrery.rows(recording, "SELECT symbol FROM link_binding WHERE process = 1 AND kind = 'lazy' AND after IS NOT NULL"
                       f" AND object = '{program}' ORDER BY rowid")
    expect([row["symbol"] for row in mine], ["getppid", "dlopen", "dlsym", "_exit"], "what the child bound first")
    expect([row["path"] for row in orrery.rows(recording, "SELECT path FROM link_object WHERE process = 1")], [str(plugin)], "what it loaded")
    expect([row["symbol"] for row in orrery.rows(recording, "SELECT symbol FROM link_lookup WHERE process = 1")], ["late"], "what it looked up")
    bound = orrery.rows(recording, f"SELECT symbol, provider FROM link_binding WHERE process = 1 AND object = '{plugin}' AND symbol = 'strlen'")
    expect([row["provider"].endswith("libc.so.6") for row in bound], [True], "what it bound of that")
    expect_in("goes on with its parent's program", orrery.run("show", "link", recording, "-p", "#1"), "the report")


def case_contents(orrery):
    """The contents that a build lens has kept may be removed: they are found again."""
    (orrery.home / "one.c").write_text("int main(void) { return 0; }\n")
    recording = orrery.record(["gcc", "one.c", "-o", "one"])
    before = orrery.run("show", "build", recording, "--link", "one", "--json")
    shutil.rmtree(recording / "artefacts")
    expect(orrery.run("show", "build", recording, "--link", "one", "--json"), before, "the link, looked at again")


def case_links_between(orrery):
    """From a binding to the load step, to the file, to the recorded build that made it: every printed command leads there."""
    home = orrery.home
    (home / "greet.c").write_text("int greet(void) { return 0; }\n")
    (home / "main.c").write_text("int greet(void);\nint main(void) {\n  return greet();\n}\n")
    building = orrery.record(["gcc", "-shared", "-fPIC", "greet.c", "-o", "libgreet.so", "-Wl,-soname,libgreet.so"])
    other = orrery.record(["gcc", "-g", "main.c", "-o", "app", "-L.", "-lgreet", f"-Wl,-rpath,{home}", "-Wl,-z,lazy"])
    recording = orrery.record([home / "app"])
    words = ["show", "link", recording, "--symbol", "greet", "--json"]
    expect(json.loads(orrery.run(*words))[0]["provider"]["builds"], [], "builds that nobody has looked at")
    for each in (building, other):
        orrery.run("show", "build", each)
    chain = json.loads(orrery.run(*words))
    expect(len(chain), 1, "bindings of greet")
    expect((chain[0]["kind"], chain[0]["caller_function"], chain[0]["caller_line"].rsplit("/", 1)[1]), ("lazy", "main", "main.c:3"), "the binding")
    provider = chain[0]["provider"]
    expect(provider["path"], str(home / "libgreet.so"), "its provider")
    said = subprocess.run(["xxhsum", "-H1", home / "libgreet.so"], capture_output=True, text=True).stdout if shutil.which("xxhsum") else ""
    expect(provider["xxh64"], said.split()[0] if said else provider["xxh64"], "the hash of its file, as xxhsum has it")
    step = orrery.rows(recording, f"SELECT step, object FROM load_step WHERE number = {provider['step']['number']}")[0]
    expect((step["step"], step["object"]), ("map", str(home / "libgreet.so")), "the step that mapped it")
    lead = lambda command: orrery.run(*shlex.split(command)[1:])
    shown = lead(provider["step"]["command"])
    expect_in(f"maps {home}/libgreet.so", [line for line in shown.splitlines() if "under way" in line][0], "where the step's command leads")
    expect_in("libgreet.so", lead(provider["file_command"]), "the file's soname")
    build = provider["builds"]
    expect([(each["recording"], each["path"]) for each in build], [(str(building), str(home / "libgreet.so"))], "the build that made it")
    expect_in("greet", lead(build[0]["command"]), "where the build's command leads")
    start = json.loads(orrery.run("show", "link", recording, "--symbol", "__libc_start_main", "--json"))[0]
    expect(start["provider"]["builds"], [], "libc was built by nobody here")
    files = orrery.run("show", "load", recording, "--all")
    expect_in(f"made in {other}", files, "the program's own build")
    expect_in(f"made in {building}", files, "its library's")
    for line in re.findall(r"made in .*?: (orrery .*)", files):
        lead(line)


TOUCHING = """#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
enum { kPages = 64, kBytes = 4096 };
static char bss[kPages * kBytes] __attribute__((aligned(4096)));
static volatile char sink;
static void touch(char *area, int zero, int sockets) {
  for (int page = 0; page < kPages; ++page) {
    char *at = area + page * kBytes;
    if (page % 7 == 1) sink = at[page];
    if (page % 7 == 2) at[4000] = 1;
    if (page % 7 == 4 && page % 3 == 0 && read(zero, at + 10, 20) != 20) exit(1);
    if (page % 11 == 3) __builtin_memset(at + 4090, page, 10);
    if (page % 13 == 5 && write(sockets, at, 100) != 100) exit(1);
  }
}
static void report(const char *name, char *area) {
  int map = open("/proc/self/pagemap", O_RDONLY);
  for (int page = 0; page < kPages; ++page) {
    unsigned long entry = 0;
    if (pread(map, &entry, 8, ((unsigned long)area / kBytes + page) * 8) != 8) exit(1);
    if (entry >> 63) printf("%s %d\\n", name, page);
  }
}
int main(int count, char **words) {
  int ends[2], zero = open("/dev/zero", O_RDONLY);
  if (pipe(ends) != 0) return 1;
  char *map = mmap(NULL, kPages * kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(map, kPages * kBytes, MADV_NOHUGEPAGE);
  touch(map, zero, ends[1]);
  touch(bss, zero, ends[1]);
  munmap(map + 8 * kBytes, 3 * kBytes);
  mmap(map + 8 * kBytes, 3 * kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (count > 1) report("map", map), report("bss", bss);
  else printf("%p %p\\n", (void *)map, (void *)bss);
}
"""


def case_pages(orrery):
    """Pages of anonymous memory that a program touches, or the kernel for it: those that the kernel's own page tables
    name in a native run."""
    program = programs.build(orrery.home, "touching", TOUCHING, "-static")
    said = {tuple(line.split()) for line in subprocess.run([program, "report"], capture_output=True, text=True).stdout.splitlines()}
    expect(len(said) > 40, True, "pages touched natively")
    out = orrery.home / "out"
    recording = orrery.record(["sh", "-c", f"exec {program} > {out}"])
    places = {name: int(word, 16) for name, word in zip(("map", "bss"), out.read_text().split())}
    pages = orrery.rows(recording, "SELECT * FROM page WHERE program = 1 ORDER BY instructions")
    touched = {}
    for row in pages:
        for name, start in places.items():
            if start <= row["page"] < start + 64 * 4096:
                touched.setdefault((name, str((row["page"] - start) // 4096)), []).append(row)
    gone = {("map", str(page)) for page in (8, 9, 10)}
    expect(set(touched) - gone, said - gone, "the pages touched")
    expect(said & gone, set(), "pages that were mapped anew are not there natively")
    for (name, page), rows in touched.items():
        number = int(page)
        by_kernel = not (number % 7 in (1, 2) or number % 11 == 3 or number > 0 and (number - 1) % 11 == 3)
        expect((len(rows), rows[0]["by_kernel"]), (1, int(by_kernel)), f"page {page} of {name}")
        expect(rows[0]["meaning"], "anonymous" if name == "map" else "bss", f"meaning of page {page} of {name}")
    expect({row["meaning"] for row in pages} >= {"code", "rodata", "data", "bss", "stack"}, True, "meanings")
    expect(all(before["ticks"] <= after["ticks"] for before, after in zip(pages, pages[1:])), True, "first touches lie in order")


def relocations_without_symbol(files):
    """Those with an addend alone, but for IFUNCs, and the packed ones."""
    text = "".join(subprocess.run(["readelf", "-rW", file], capture_output=True, text=True).stdout for file in files)
    alone = re.findall(r"^[0-9a-f]+ +[0-9a-f]+ (R_X86_64_\w+) +[0-9a-f]+$", text, re.M)
    return sum(kind != "R_X86_64_IRELATIVE" for kind in alone) + sum(map(int, re.findall(r"^ *(\d+) offsets?$", text, re.M)))


def case_compare(orrery):
    """The same program dynamic, static and static-pie: what compare says of each, against readelf and the tables."""
    source = "#include <stdio.h>\nint main(void) { puts(\"here\"); return 0; }\n"
    built = {flags: programs.build(orrery.home, f"here{flags}", source, *filter(None, [flags])) for flags in ("", "-static", "-static-pie")}
    recordings = {flags: orrery.record([program]) for flags, program in built.items()}
    for flags in ("-static", "-static-pie"):
        both = json.loads(orrery.run("compare", recordings[""], recordings[flags], "--json"))
        expect((both["a"]["linked"], both["b"]["linked"]), ("dynamic", flags[1:]), "linkage")
        for side, which in (("a", ""), ("b", flags)):
            mine, recording = both[side], recordings[which]
            expect(mine["files"]["file_bytes"], built[which].stat().st_size, f"size of {which}")
            start = orrery.rows(recording, "SELECT main_instructions, main_ns - start_ns AS ns FROM program")[0]
            expect((mine["start"]["start_instructions"], mine["start"]["start_ns"]), tuple(start.values()), "the way to main")
            expect(sum(step["instructions"] for step in mine["steps"].values()), start["main_instructions"], "the steps' sum")
            expect(sum(part["touched"] for part in mine["pages_by_meaning"].values()), mine["memory"]["pages"], "the pages' sum")
            expect(mine["memory"]["pages_of_files"] + mine["memory"]["pages_anonymous"], mine["memory"]["pages"], "the pages' kinds")
            expect(mine["memory"]["pages_to_main"] < mine["memory"]["pages"], True, "main touches pages too")
            expect(mine["run"]["calls"], orrery.rows(recording, "SELECT count(*) AS n FROM call")[0]["n"], "system calls")
        objects = [row["path"] for row in orrery.rows(recordings[""], "SELECT path FROM link_object") if os.path.exists(row["path"])]
        expect(both["a"]["link"]["relative_relocations"], relocations_without_symbol(objects), "relocations")
        expect((both["a"]["link"]["objects"] >= 3, both["b"]["link"]["objects"]), (True, 0), "objects")
        expect(both["b"]["link"]["searches"], 0, "a static program searches for nothing")
        expect(both["a"]["start"]["start_instructions"] > both["b"]["start"]["start_instructions"], True, "instructions to main")
        expect(both["a"]["memory"]["pages"] > both["b"]["memory"]["pages"], True, "pages")
    text = orrery.run("compare", recordings[""], recordings["-static"])
    for words in ("pages touched to main", "instructions to main", "asks for no interpreter", "size of the program's file"):
        expect_in(words, text, "the report")
    orrery.run("compare", recordings[""], "nothing-of-that-name", status=69)


PLACES = """#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int main(void) {
  struct timespec now;
  struct timeval then;
  char line[512];
  for (int i = 0; i < 11; ++i) clock_gettime(CLOCK_MONOTONIC, &now);
  for (int i = 0; i < 7; ++i) gettimeofday(&then, 0);
  for (int i = 0; i < 5; ++i) time(0);
  for (int i = 0; i < 3; ++i) clock_getres(CLOCK_REALTIME, &now);
  FILE* maps = fopen("/proc/self/maps", "r");
  sbrk(4096);
  while (fgets(line, sizeof line, maps)) fputs(line, stdout);
  return 0;
}
"""


def parts_of(text, program):
    """Where the kernel's map says that the parts of a program lie."""
    lines = [re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)", line) for line in text.splitlines()]
    found = [(int(m[1], 16), int(m[2], 16), m[3]) for m in lines if m]
    linker = [each for each in found if "/ld-linux-x86-64" in each[2]]
    named = {each[2]: each for each in found}
    parts = {"program": min(each[0] for each in found if each[2] == str(program)), "interpreter": linker[0][0], "libraries": linker[-1][1],
             "heap": named["[heap]"][0], "stack": named["[stack]"][1]}
    if "[vdso]" in named:
        parts["vdso"] = named["[vdso]"][0]
    return parts


def case_layout(orrery):
    """Where things lie, as the program's own map says; how many bits of that Linux draws, as it does natively; --aslr; the vDSO's calls."""
    program = programs.build(orrery.home, "places", PLACES, "-O0", "-fPIE", "-pie")
    replayed = lambda recording: subprocess.run([orrery.program, "replay", "-a", recording], capture_output=True, text=True).stdout
    seen = []
    for words in ((), ("--aslr", "1"), ("--aslr", "2"), ("--aslr", "1"), ("--aslr", "0")):
        recording = orrery.home / f"q{len(seen)}"
        told = orrery.run("record", "-o", recording, *words, "--", program)
        expect(replayed(recording), told, f"the replay of {words}")
        orrery.run("replay", "--check", recording)
        rows = {row["part"]: row for row in orrery.rows(recording, "SELECT * FROM load_place")}
        mine = parts_of(told, program)
        expect({part: rows[part]["address"] for part in mine}, {**mine, **({"heap": None} if rows["heap"]["address"] is None else {})}, "where the parts lie")
        seen.append(mine)
        expect((rows["vdso"]["address"], "vdso" in mine), (None, False), "there is no vDSO")
        for part in ("program", "interpreter", "stack"):
            expect(rows[part]["bits"] > 0, bool(words) and words[1] != "0", f"whether {part} was moved")
    expect((seen[0], seen[1]), (seen[4], seen[3]), "the same number, the same places")
    for part in seen[0]:
        expect(len({each[part] for each in seen[:3]}), 3, f"places of {part} under three numbers")
    calls = {row["function"]: row["calls"] for row in orrery.rows(orrery.home / "q0", "SELECT function, calls FROM load_vdso")}
    expect(calls, {"__vdso_clock_gettime": 11, "__vdso_gettimeofday": 7, "__vdso_time": 5, "__vdso_clock_getres": 3}, "calls in place of the vDSO's")
    expect_in("11 of __vdso_clock_gettime", orrery.run("show", "load", orrery.home / "q0", "--all"), "the report")
    if pathlib.Path("/proc/sys/kernel/randomize_va_space").read_text().strip() != "2":
        return
    natively = [parts_of(subprocess.run([program], capture_output=True, text=True).stdout, program) for _ in range(200)]
    bits = {row["part"]: row["linux_bits"] for row in orrery.rows(orrery.home / "q0", "SELECT part, linux_bits FROM load_place")}
    for part, below in (("program", 0), ("interpreter", 0), ("libraries", 0), ("stack", 9)):
        varied = 0
        for each in natively:
            varied |= each[part] ^ natively[0][part]
        expect(varied & 4095, 0, f"{part} lies at a page")
        # A draw may carry into the next bit, where it is added to something else.
        expect(0 <= bin(varied).count("1") - (bits[part] - below) <= 2, True, f"bits of {part} that change: {varied:#x} against {bits[part]}")
    distances = {(each["heap"] - each["program"]) >> 12 for each in natively}
    expect(max(distances) - min(distances) < (1 << bits["heap"]) + 64, True, "how far the heap moves from the program")
    expect(max(distances) - min(distances) > (1 << bits["heap"]) // 2, True, "and that it does")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
for family in (
    arena_cases,
    cache_cases,
    difference_cases,
    errors_cases,
    verdict_cases,
    guided_cases,
    heap_cases,
    instant_cases,
    io_cases,
    memory_cases,
    origin_cases,
    process_cases,
    profile_cases,
    race_cases,
    request_cases,
    sched_cases,
    sharing_cases,
    stack_cases,
    table_cases,
):
    CASES.update({name: functools.partial(case, expect=expect) for name, case in family.CASES.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orrery", required=True)
    parser.add_argument("--only", choices=sorted(CASES))
    chosen = parser.parse_args()
    for name, case in CASES.items():
        if chosen.only in (None, name):
            with tempfile.TemporaryDirectory() as home:
                case(Orrery(chosen.orrery, os.path.realpath(home)))
                print(f"{name}: ok")


if __name__ == "__main__":
    main()
