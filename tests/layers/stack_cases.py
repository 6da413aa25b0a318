"""Call stacks at an instant: values, frames, tasks."""
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "campaigns"))
import schema  # noqa: E402

import programs

CPU_SCHEMA = json.loads((HERE.parents[1] / "docs" / "cpu.schema.json").read_text())
STACK_SCHEMA = json.loads((HERE.parents[1] / "docs" / "stack.schema.json").read_text())

# What `inner` has in its variables, as gdb writes them (tests/campaigns/cores.py compares with gdb itself).
VALUES = {
    "inside": "{x = 0, y = 65}", "buffer": '"deep-0"', "squares": "{0, 1, 4, 9, 16}", "zeros": "{0 <repeats 40 times>}", "color": "GREEN",
    "flags": "(READ | EXECUTE)", "packed": "{low = 5, mid = 100, top = -3, color = GREEN}", "byte": "65 'A'", "wide": "-1234567890123",
    "yes": "true", "precise": "1.25", "grid": "{{1, 2, 3}, {4, 5, 6}}"}
TYPES = {"inside": "struct point", "buffer": "char [24]", "grid": "int [2][3]", "chosen": "operation", "wide": "long long int"}


def build(folder, level, *words):
    program = pathlib.Path(folder) / f"values{level}"
    subprocess.run(["gcc", "-g", f"-O{level}", "-pthread", "-w", *words, "-o", program, HERE / "values.c"], check=True)
    return program


def stacks(orrery, expect, recording, *words):
    shown = json.loads(orrery.run("show", "stack", recording, "--json", *words))
    expect(list(schema.problems(shown, STACK_SCHEMA, STACK_SCHEMA)), [], "problems with the schema")
    return shown


def names(task):
    return ["<signal>" if frame["signal_frame"] else (function["function"] or "").removeprefix("__GI_") for frame in task["frames"] for function in frame["functions"]]


def case_stack(orrery, expect):
    recording = orrery.record([build(orrery.home, 0, "-fstack-protector-all")])
    shown = stacks(orrery, expect, recording, "--at", "handler", "--raw")
    main = shown["tasks"][0]
    wanted = ["handler", "<signal>", "__pthread_kill_implementation", "raise", "inner", "middle", "middle", "middle", "main"]
    expect(names(main)[:len(wanted)], wanted, "functions")
    expect((names(main)[-1], main["complete"], main["state"]), ("_start", True, "runs"), "where the stack ends")
    inner = next(frame for frame in main["frames"] if frame["functions"][0]["function"] == "inner")
    locals_ = {each["name"]: each for each in inner["functions"][0]["locals"]}
    expect({name: locals_[name]["value"] for name in VALUES}, VALUES, "values of locals")
    expect({name: locals_[name]["type"] for name in TYPES}, TYPES, "types of locals")
    expect(locals_["chosen"]["value"].split()[1], "<add>", "a function's name")
    expect([(each["name"], each["value"].split(" ", 1)[-1]) for each in inner["functions"][0]["arguments"]][1:],
           [("text", '"deep"'), ("count", "0"), ("factor", "1.5")], "arguments")
    rows = [each["value"] for frame in main["frames"] for each in frame["functions"][0]["locals"] if each["name"] == "row"]
    expect(rows, ["{0, 0, 0, 0}", "{0, 1, 2, 3}", "{0, 2, 4, 6}"], "arrays whose length is known at run time only")
    check_slots(main, inner, expect)


def check_slots(task, inner, expect):
    """The frames lie one above the other without gaps, and each word of them is there once."""
    frames = [frame for frame in task["frames"] if not frame["signal_frame"]]
    for frame, caller in zip(task["frames"], task["frames"][1:]):
        if not frame["signal_frame"]:
            expect(frame["cfa"], caller["sp"], "the frame ends where its caller's begins")
    for frame in frames:
        expect([slot["address"] for slot in frame["slots"] if not slot["red_zone"]], list(range(frame["cfa"] - 8, frame["sp"] - 8, -8)), "words of a frame")
        returns = [slot["address"] for slot in frame["slots"] if slot["kind"] == "return_address"]
        expect(returns, [frame["cfa"] - 8] if frame["functions"][0]["function"] != "_start" else [], "the return address lies on top")
    kinds = [slot["kind"] for slot in inner["slots"]]
    expect((kinds.count("canary"), kinds[:2]), (1, ["return_address", "saved_register"]), "a guarded frame")
    expect(inner["slots"][1]["words"], "saved rbp", "the saved register")


def case_stack_threads(orrery, expect):
    """The tasks that do not run have their frames too, as far as their registers are known at that instant."""
    recording = orrery.record([build(orrery.home, 2)])
    shown = stacks(orrery, expect, recording, "--at", "handler:2")
    expect([task["state"] for task in shown["tasks"]], ["waits", "runs"], "states")
    waiting, running = shown["tasks"]
    expect((waiting["call"], "__pthread_clockjoin_ex" in names(waiting), names(waiting)[-1]), ("futex", True, "_start"), "who waits")
    wanted = ["handler", "<signal>", "__pthread_kill_implementation", "raise", "inner", "middle", "middle", "work", "start_thread"]
    expect(names(running)[:len(wanted)], wanted, "who runs")
    one = stacks(orrery, expect, recording, "--at", "handler:2", "--task", running["task"], "--frame", 4)
    expect([[frame["frame"] for frame in task["frames"]] for task in one["tasks"]], [[4]], "one frame of one task")
    orrery.run("show", "stack", recording, "--task", 77, status=69)
    orrery.run("show", "stack", recording, "--frame", 5000, status=69)


def case_core(orrery, expect):
    """A core at a crash: readelf, eu-readelf, `show file` and gdb read it; with a sysroot, gdb needs no file of this machine."""
    program = orrery.home / "crash"
    subprocess.run(["gcc", "-g", "-O0", "-pthread", "-o", program, HERE.parent / "why" / "programs" / "null_write.c"], check=True)
    recording = orrery.record([program], status=-11)
    core, root = orrery.home / "core", orrery.home / "root"
    orrery.run("export", recording, "--core", "--at", "crash", "-o", core, "--sysroot", root)
    expect(core.stat().st_mode & 0o777, 0o600, "who may read it")
    notes = subprocess.run(["eu-readelf", "-n", core], capture_output=True, text=True, check=True).stdout
    for word in ("cursig: 11", "SIGINFO", "fault address: 0", "AUXV", "ENTRY", "FILE", str(program), "FPREGSET", "X86_XSTATE"):
        expect(word in notes, True, f"{word} in the notes")
    names = subprocess.run(["readelf", "-nW", core], capture_output=True, text=True, check=True).stdout
    expect([name for name in ("NT_PRSTATUS", "NT_PRPSINFO", "NT_SIGINFO", "NT_AUXV", "NT_FILE", "NT_X86_XSTATE") if name not in names], [], "what readelf misses")
    expect("core of a process" in orrery.run("show", "file", core), True, "show file")
    program.unlink()
    gdb = subprocess.run(["gdb", "-q", "-nx", "-batch", "-ex", f"set sysroot {root}", "-ex", f"file {root}{program}", "-ex", f"core-file {core}", "-ex", "bt",
                          "-ex", "p $_siginfo.si_signo", "-ex", "info proc mappings"], capture_output=True, text=True).stdout
    ours = stacks(orrery, expect, recording, "--at", "crash")["tasks"][0]
    frames = [function for frame in ours["frames"] for function in frame["functions"]]
    for number, function in enumerate(frames[:next(i for i, each in enumerate(frames) if each["function"] == "main") + 1]):
        expect(f"{function['function'].split('(')[0]} (" in next(line for line in gdb.splitlines() if line.startswith(f"#{number} ")), True, f"frame {number} in {gdb}")
    expect("$1 = 11" in gdb, True, f"the signal: {gdb}")


def case_large_core(orrery, expect):
    """More than 2 GB in one piece: what was written is there, and what was not takes no room."""
    program = programs.build(orrery.home, "large", """#include <stdlib.h>
int main(void) {
  unsigned long size = 3UL << 30;
  char* bytes = malloc(size);
  for (unsigned long at = 0; at < size; at += 64 << 20) bytes[at] = (char)(at >> 26) + 1;
  bytes[size - 1] = 42;
  return *(volatile int*)0;
}
""", "-O0", "-g")
    core = orrery.home / "core"
    orrery.run("export", orrery.record([program], status=-11), "--core", "--at", "crash", "-o", core)
    expect(core.stat().st_blocks * 512 < 100 << 20, True, f"the room it takes: {core.stat().st_blocks * 512}")
    said = in_gdb(program, core, "p bytes[size - 1]", "p bytes[47UL << 26]", "p bytes[1]")
    expect(re.findall(r"^\$\d = (-?\d+)", said, re.M), ["42", "48", "0"], "bytes of it")


def in_gdb(program, core, *commands):
    words = [word for command in ("set disassembly-flavor intel", f"file {program}", f"core-file {core}", *commands) for word in ("-ex", command)]
    return subprocess.run(["gdb", "-q", "-nx", "-batch", *words], capture_output=True, text=True).stdout


def case_cpu(orrery, expect):
    """Registers, code and operands at places between events, as gdb has them of the core there."""
    program = build(orrery.home, 2)
    recording = orrery.record([program])
    core = orrery.home / "core"
    for at in ("main", "inner", "handler", "snprintf", "strlen:2"):
        orrery.run("export", recording, "--core", "--at", at, "-o", core)
        shown = json.loads(orrery.run("show", "cpu", recording, "--at", at, "--json"))
        expect(list(schema.problems(shown, CPU_SCHEMA, CPU_SCHEMA)), [], "problems with the schema")
        text = in_gdb(program, core, "info registers rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip fs_base gs_base", "x/4i $pc")
        gdbs = {line.split()[0]: int(line.split()[1], 16) for line in text.splitlines() if len(line.split()) > 1 and line.split()[0] in shown["registers"]}
        expect({name: shown["registers"][name] for name in gdbs}, gdbs, f"registers at {at}")
        expect(len(gdbs), 19, "registers that gdb knows")
        ours = shown["instructions"][shown["current"]:][:4]
        code = [line.split(":", 1) for line in text.splitlines() if line.startswith(("=>", "   0x"))]
        expect([each["address"] for each in ours], [int(line[0].split()[-2 if "<" in line[0] else -1], 16) for line in code], f"instructions at {at}")
        expect([each["text"].split()[0] for each in ours][:1], [code[0][1].split()[0]], f"what it is at {at}")
    check_memory_operands(orrery, expect, recording)


def check_memory_operands(orrery, expect, recording):
    """A push: what it reads and where it writes."""
    shown = json.loads(orrery.run("show", "cpu", recording, "--at", "main", "--json"))
    registers = shown["registers"]
    writes = [each for each in shown["operands"] if each["kind"] == "memory" and each["written"]]
    if shown["instructions"][shown["current"]]["text"].startswith("push"):
        expect([each["address"] for each in writes], [registers["rsp"] - 8], "where a push writes")
    expect("What it works on" in orrery.run("show", "cpu", recording, "--at", "main", "--all"), True, "the report")


def case_deepest(orrery, expect):
    """How deep each stack went: the lowest byte that the program itself finds overwritten of a pattern, and who wrote it; and the bytes of each call."""
    for level in (0, 2):
        program = orrery.home / f"depths{level}"
        subprocess.run(["gcc", "-g", f"-O{level}", "-pthread", "-w", "-fno-optimize-sibling-calls", "-o", program, HERE / "depths.c"], check=True)
        measured = lambda text: {name: (int(address, 0) if address != "(nil)" else 0, int(count)) for name, address, count in map(str.split, text.splitlines())}
        natively = measured(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
        recording = orrery.record([program])
        said = measured(orrery.run("replay", "-a", recording))
        for name in ("main", "thread0", "thread1", "thread2", "step"):
            expect(said[name][1], natively[name][1], f"bytes of {name}, as natively")
        shown = json.loads(orrery.run("show", "stack", recording, "--deepest", "--from", "begin", "--to", "finish", "--json"))
        expect(list(schema.problems(shown, STACK_SCHEMA, STACK_SCHEMA)), [], "problems with the schema")
        first = min(each["task"] for each in shown["stacks"])
        main = next(each for each in shown["stacks"] if each["task"] == first and each["kind"] == "own")
        alternate = next(each for each in shown["stacks"] if each["kind"] == "alternate")
        others = sorted((each for each in shown["stacks"] if each["task"] != first), key=lambda each: each["task"])
        about = [(each["task"], each["kind"], each["bytes"]) for each in shown["stacks"]]
        expect(len(others), 3, f"stacks of threads, -O{level}: {about}")
        for name, each in (("main", main), ("alternate", alternate), *((f"thread{at}", other) for at, other in enumerate(others))):
            expect(each["lowest"], said[name][0], f"the lowest byte of {name} that was written")
        names = [frame["function"] for frame in main["frames"]]
        expect((names.count("down"), names[-1]), (1001, "_start"), "the calls of the deep recursion")
        expect({frame["bytes"] for frame in main["frames"] if frame["function"] == "down"} - {said["step"][1]}, set(), "bytes of each call of it")
        expect(("on_signal" in [frame["function"] for frame in alternate["frames"]], any(frame["signal_frame"] for frame in alternate["frames"])),
               (True, True), "the handler on its own stack")
        expect([frame["function"] for frame in others[1]["frames"]].count("down"), 151, "the recursion of a thread")
        text = orrery.run("show", "stack", recording, "--deepest", "--from", "begin", "--to", "finish", "--task", first)
        for words in ("1000 x  down (depths.c:", "bytes of its stack written", "bytes of its alternate stack written", "FUNCTION"):
            expect(words in text, True, f"{words!r} in {text}")
    whole = json.loads(orrery.run("show", "stack", recording, "--deepest", "--json"))
    main = next(each for each in whole["stacks"] if each["task"] == first and each["kind"] == "own")
    expect(any(frame["function"] == "fill" for frame in main["frames"]), True, "of the whole run, filling it is the deepest")
    orrery.run("show", "stack", recording, "--from", "begin", status=69)


VIRTUAL = r"""
#include <cstdio>
struct Base { int base = 11; virtual ~Base() {} };
struct Left : virtual Base { long left = 22; };
struct Right : virtual Base { short right = 33; };
struct Other { virtual int value() { return 1; } char other = 'o'; };
struct Both : Left, Right, virtual Other { double both = 4.5; };
struct Deep : virtual Both { unsigned deep = 66; };
struct Holder { Both first; int between = 7; Left second; };
__attribute__((noinline)) void here() { __asm__ volatile(""); }
__attribute__((noinline)) int look(Both& by_reference, Base* by_pointer) {
  Both both; Deep deep; Holder holder; Left pair[2];
  both.base = 1, deep.left = 2, holder.first.right = 3, holder.second.base = 4, pair[1].base = 5;
  here();
  return both.base + (int)deep.left + holder.between + pair[1].base + by_reference.base + by_pointer->base;
}
int main() { Both both; both.base = 99; return look(both, &both) == 0; }
"""


def case_virtual_bases(orrery, expect):
    """Objects with virtual bases, as gdb prints them of the core there; and calls through PLTs, as objdump names them."""
    import cores
    source = orrery.home / "virtual.cc"
    source.write_text(VIRTUAL)
    program = orrery.home / "virtual"
    subprocess.run(["g++", "-g", "-O0", "-o", program, source], check=True)
    recording, core = orrery.record([program]), orrery.home / "core"
    orrery.run("export", recording, "--core", "--at", "here", "-o", core)
    shown = stacks(orrery, expect, recording, "--at", "here")
    look = next(frame for frame in shown["tasks"][0]["frames"] if frame["functions"][0]["function"].startswith("look"))["functions"][0]
    ours = {each["name"]: each["value"] for each in look["locals"]}
    names = ("both", "deep", "holder", "pair")
    text = in_gdb(program, core, "up", *(f"print {name}" for name in names))
    gdbs = re.findall(r"^\$\d+ = (.*)$", text, re.M)
    expect(len(gdbs), len(names), "what gdb prints")
    for name, theirs in zip(names, gdbs):
        expect(cores.plain(ours[name]), cores.plain(theirs), f"the value of {name}")
        expect("…" in ours[name], False, "nothing is left out")


CALLS = r"""
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define APART __attribute__((noinline))
APART int call_puts(const char* text) { return puts(text) + 1; }
APART char* call_strdup(const char* text) { return strdup(text) + 0; }
APART void call_qsort(char* text) { qsort(text, strlen(text), 1, (int (*)(const void*, const void*))strcmp); }
APART double call_cos(double angle) { return cos(angle) * 2; }
APART int call_atoi(const char* text) { return atoi(text) * 3; }
int main(int count, char** words) {
  call_puts(words[0]);
  char* copy = call_strdup(words[0]);
  call_qsort(copy);
  return call_cos((double)count) + call_atoi(copy) > 100;
}
"""


def case_plt_names(orrery, expect):
    """Calls through PLTs in the disassembly have the names that objdump gives them, with each kind of table."""
    source = orrery.home / "calls.c"
    source.write_text(CALLS)
    for flags in ((), ("-Wl,-z,ibtplt", "-fcf-protection"), ("-Wl,-z,now", "-fno-plt"), ("-Wl,-z,now",), ("-no-pie",)):
        program = orrery.home / "calls"
        subprocess.run(["gcc", "-O1", "-fno-builtin", "-fno-optimize-sibling-calls", "-o", program, source, "-lm", *flags], check=True)
        recording = orrery.record([program])
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True, check=True).stdout
        called = {int(at, 16): name for at, name in re.findall(r"^ +([0-9a-f]+):\s+call +[0-9a-f]+ <([^>+]+@plt)>", text, re.M)}
        base = min(row["start"] for row in orrery.rows(recording, f"SELECT start FROM memory_map WHERE object = '{program}'"))
        bias = 0 if "-no-pie" in flags else base
        seen = set()
        for function in ("call_puts", "call_strdup", "call_qsort", "call_cos", "call_atoi"):
            context = json.loads(orrery.run("show", "cpu", recording, "--at", function, "--json"))
            expect(list(schema.problems(context, CPU_SCHEMA, CPU_SCHEMA)), [], "problems with the schema")
            for each in context["instructions"]:
                name = called.get(each["address"] - bias)
                expect(name is None or f"<{name}>" in each["text"], True, f"{each['text']} is {name} with {flags}")
                expect("@plt" in each["text"], name is not None, f"{each['text']} with {flags}")
                seen.add(name)
        expect(seen - {None}, set(called.values()) - {"__cxa_finalize@plt"}, f"names with {flags}")
        expect(len(seen) > 5, "-fno-plt" not in flags, f"how many: {seen}")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
