"""The exact profile, against Callgrind and what programs say of themselves."""
import bisect
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = schema.load("profile")
SOURCES = sorted((HERE / "profiled").glob("*.c*"))
# Both bind all symbols before main: Valgrind preloads libraries, so that lookups pass more objects.
NOW = {"LD_BIND_NOW": "1"}
VALGRIND = ("--cpu", "valgrind")


def build(folder, source, *flags):
    program = pathlib.Path(folder) / source.stem
    compiler = "g++" if source.suffix == ".cc" else "gcc"
    subprocess.run([compiler, "-O2", "-g", "-o", program, source, "-lm", *flags], check=True)
    return program


def profile_of(orrery, expect, recording, *words):
    found = json.loads(orrery.run("show", "profile", recording, *words, "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    return found["programs"]


class Callgrind:
    """Costs and calls by object and address in the file, of what main executes."""

    def __init__(self, folder, program):
        out = pathlib.Path(folder) / "callgrind.out"
        subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=main", "--dump-instr=yes", "--compress-pos=no", "--skip-plt=no", f"--callgrind-out-file={out}", program],
                       capture_output=True, check=True, env={**os.environ, **NOW})
        self.names, self.costs, self.calls = {}, collections.Counter(), collections.Counter()
        self.lines = collections.Counter()
        self.object = self.callee_object = self.file = None
        self.call = None
        for line in out.read_text().splitlines():
            self.read(line)

    def name(self, kind, text):
        number, name = re.match(r"\((\d+)\)(?: (.*))?$", text).groups()
        if name is not None:
            self.names[kind, number] = name
        return self.names[kind, number]

    def read(self, line):
        if named := re.match(r"(ob|cob|fl|fi|fe|cfi|cfl|fn|cfn)=(.*)$", line):
            kind = named[1] if named[1] in ("ob", "fn") else {"cob": "ob", "cfn": "fn"}.get(named[1], "fl")
            name = self.name(kind, named[2])
            if named[1] == "ob":
                self.object = name
            elif named[1] == "cob":
                self.callee_object = name
            elif named[1] in ("fl", "fi", "fe"):
                self.file = name
        elif call := re.match(r"calls=(\d+) (0x[0-9a-f]+)", line):
            self.call = (self.callee_object or self.object, int(call[2], 16)), int(call[1])
            self.callee_object = None
        elif cost := re.match(r"(0x[0-9a-f]+) (\d+) (\d+)$", line):
            if self.call is None:
                self.costs[self.object, int(cost[1], 16)] += int(cost[3])
                self.lines[self.file, int(cost[2])] += int(cost[3])
            elif int(cost[3]) != 0:  # calls outside main cost nothing
                self.calls[self.call[0]] += self.call[1]
            self.call = None

    def by_function(self, functions):
        """Costs and calls of each, by its object and its address; PLT entries have no object there."""
        begins = collections.defaultdict(list)
        for path, address in functions:
            begins[path].append(address)
        for each in begins.values():
            each.sort()
        sums = []
        for counted in (self.costs, self.calls):
            counts = collections.Counter()
            for (path, address), count in counted.items():
                known = begins.get(os.path.realpath(path), [])
                at = bisect.bisect_right(known, address)
                if at:
                    counts[os.path.realpath(path), known[at - 1]] += count
            sums.append(counts)
        return sums


def functions_of(program):
    return {(os.path.realpath(each["object"]), each["address"]): each for each in program["functions"] if "address" in each and not each["name"].startswith("[plt")}


def valgrinds(row):
    return row["instructions"] + row["elements"]


def compare(orrery, expect, source):
    program = build(orrery.home, source)
    callgrind = Callgrind(orrery.home, program)
    recording = orrery.record([program], NOW, options=VALGRIND)
    inside = profile_of(orrery, expect, recording, "--from", "main", "--to", "exit")[0]
    whole = functions_of(profile_of(orrery, expect, recording)[0])
    total = sum(valgrinds(each) for each in inside["functions"])
    wanted = sum(callgrind.costs.values())
    expect(abs(total - wanted) <= wanted / 1000, True, f"{source.stem}: {total} instructions, Callgrind {wanted}")
    functions = functions_of(inside)
    costs, calls = callgrind.by_function(functions)
    compared = exact = 0
    for key, row in functions.items():
        what = f"{source.stem}: {row['name']}"
        if row["name"].startswith("__libc_start") or key not in costs:
            continue
        # Of libraries without all their symbols Callgrind makes functions of its own.
        if any(other.get("object") == row["object"] and "name" not in other and other["instructions"] > 1000 for other in inside["functions"]):
            continue
        expect(valgrinds(row), costs[key], what)
        # Callgrind counts calls outside main too, if the same place calls inside; and main, and cold parts. Where a
        # library has no symbol it knows no function, and calls none.
        if row["name"] != "main" and ".cold" not in row["name"] and not row["name"].startswith("sub_"):
            expect(row["calls"] <= calls[key] <= whole[key]["calls"], True, f"{what}: called {row['calls']} times, {calls[key]}, {whole[key]['calls']}")
            exact += row["calls"] == calls[key]
        compared += 1
    expect(exact >= compared / 2, True, f"{source.stem}: calls of {compared} functions, equal of {exact}")
    expect(compared >= 3, True, f"{source.stem}: functions compared: {compared}")
    return functions, callgrind


def case_profile_callgrind(orrery, expect):
    """Instructions and calls of each function inside main are Callgrind's, and so is the total."""
    for source in SOURCES:
        if source.stem != "handlers":  # Callgrind stops collecting in a handler
            compare(orrery, expect, source)


def case_profile_lines(orrery, expect):
    """Instructions of each line of the program's own file are Callgrind's."""
    source = HERE / "profiled" / "machine.c"
    _, callgrind = compare(orrery, expect, source)
    recording = orrery.record([orrery.home / "machine"], NOW, options=VALGRIND)
    lines = collections.Counter()
    for row in profile_of(orrery, expect, recording, "--from", "main", "--to", "exit", "--by", "line")[0]["lines"]:
        if row.get("file", "").endswith("machine.c"):
            lines[row["line"]] += valgrinds(row)
    wanted = {line: cost for (file, line), cost in callgrind.lines.items() if file.endswith("machine.c")}
    expect(dict(lines), wanted, "lines")


def case_profile_signals(orrery, expect):
    """Handlers are called by nobody, as often as there were signals; what they cost is theirs."""
    program = build(orrery.home, HERE / "profiled" / "handlers.c")
    recording = orrery.record([program])
    found = profile_of(orrery, expect, recording, "--by", "call")[0]
    named = {each.get("name"): each for each in found["functions"]}
    expect(named["on_signal"]["calls"], 50, "handled")
    expect(named["on_fault"]["calls"], 20, "faults handled")
    expect({each["caller"] for each in found["calls"] if each["callee"] == named["on_signal"]["function"]} <= {0, *(each["function"] for each in found["functions"])}, True, "callers")


def case_profile_tree(orrery, expect):
    """Threads and processes: every call is counted once, in the process that makes it."""
    program = build(orrery.home, HERE / "profiled" / "tree" / "tree.c", "-fno-inline", "-lpthread")
    recording = orrery.record([program])
    found = profile_of(orrery, expect, recording)
    works = []
    for each in found:
        calls = {row.get("name"): row["calls"] for row in each["functions"]}
        works.append((each["process"], each["program"], calls.get("work", 0)))
    expect(works, [(0, 0, 4 * 1000 + 7), (1, 0, 20), (2, 0, 0), (2, 1, 3)], "work is called")
    inner = {row.get("name"): row for row in found[0]["functions"]}
    expect(inner["thread"]["calls"], 4, "threads")
    # A thread's costs are its own, however often others ran in between.
    each = inner["work"]["inclusive"] / inner["work"]["calls"]
    expect(inner["thread"]["inclusive"] >= 4000 * each, True, "what threads cost")
    total = sum(row["instructions"] for row in found[0]["functions"])
    expect(inner["thread"]["inclusive"] < total, True, "threads cost less than all")


def case_profile_branches(orrery, expect):
    """Conditional jumps are counted as often as they jumped, though the stream of calls ends between them and the next call."""
    program = orrery.home / "fib"
    subprocess.run(["gcc", "-O1", "-g", "-fno-optimize-sibling-calls", "-o", program, HERE.parents[1] / "bench" / "src" / "fib.c"], check=True)
    fib = next(row for row in profile_of(orrery, expect, orrery.record([program, "27"]))[0]["functions"] if row.get("name") == "fib")
    calls = 635621  # of fib: 2 F(28) - 1; each has one jump, and all but every second one is a leaf's
    expect((fib["calls"], fib["branches"]), (calls, calls), "calls, conditional jumps")
    expect(fib["taken"] in (calls // 2, calls // 2 + 1), True, f"jumped: {fib['taken']}")


def case_profile_export(orrery, expect):
    """What is exported for KCachegrind reads as the same to callgrind_annotate."""
    program = build(orrery.home, HERE / "profiled" / "sorting.c")
    recording = orrery.record([program])
    found = profile_of(orrery, expect, recording, "--by", "call")[0]
    out = pathlib.Path(orrery.home) / "exported"
    orrery.run("export", recording, "--callgrind", "-o", out)
    told = subprocess.run(["callgrind_annotate", "--threshold=100", "--inclusive=no", out], capture_output=True, text=True)
    expect((told.returncode, told.stderr), (0, ""), "callgrind_annotate")
    text = told.stdout.replace(",", "")
    total = re.search(r"(\d+) \(100.0%\).*PROGRAM TOTALS", text)
    expect(int(total[1]), sum(valgrinds(row) for row in found["functions"]), "the total")
    for name in ("ascending", "descending", "main"):
        row = next(each for each in found["functions"] if each.get("name") == name)
        shown = re.search(rf"(\d+) \([^)]*\) .*sorting\.c:{name} ", text)
        expect(int(shown[1]), valgrinds(row), name)
    inclusive = subprocess.run(["callgrind_annotate", "--threshold=100", "--inclusive=yes", out], capture_output=True, text=True).stdout.replace(",", "")
    row = next(each for each in found["functions"] if each.get("name") == "main")
    shown = re.search(r"(\d+) \([^)]*\) .*sorting\.c:main ", inclusive)
    expect(abs(int(shown[1]) - row["inclusive"]) <= row["inclusive"] / 100, True, "main with all that it called")


def case_profile_text(orrery, expect):
    """What people read: the functions, lines with their source, and calls."""
    program = build(orrery.home, HERE / "profiled" / "machine.c")
    recording = orrery.record([program])
    expect("run" in orrery.run("show", "profile", recording).splitlines()[4], True, "the first function")
    by_line = orrery.run("show", "profile", recording, "--by", "line")
    expect("switch (code[at++])" in by_line, True, "source text")
    expect("main (machine.c:" in orrery.run("show", "profile", recording, "--by", "call", "--all"), True, "a call's place")


def case_profile_stripped(orrery, expect):
    """Functions of a stripped program are those of the program before it was stripped, by their addresses: as often executed and called."""
    for name in ("machine.c", "recursion.c", "virtuals.cc"):
        program = build(orrery.home, HERE / "profiled" / name)
        bare = orrery.home / "bare"
        named = functions_of(profile_of(orrery, expect, orrery.record([program], NOW))[0])
        subprocess.run(["strip", "-s", "-o", bare, program], check=True)
        recording = orrery.record([bare], NOW)
        found = functions_of(profile_of(orrery, expect, recording)[0])
        # Without unwind rules: what crti.o and crtstuff.c have.
        without = ("_init", "_fini", "deregister_tm_clones", "register_tm_clones", "__do_global_dtors_aux", "frame_dummy")
        own = {address: row for (path, address), row in named.items() if path == str(program) and row["name"] not in without}
        others = {address: row for (path, address), row in found.items() if path == str(bare)}
        expect(len(own) >= 3, True, f"functions of {name}")
        for address, row in own.items():
            expect(address in others, True, f"{row['name']} of {name} at {address:x}: {sorted(map(hex, others))}")
            expect((others[address]["name"], others[address]["instructions"], others[address]["calls"]),
                   (f"sub_{address:x}", row["instructions"], row["calls"]), f"{row['name']} of {name}")
        expect(f"sub_{min(own):x} [bare]" in orrery.run("show", "profile", recording, "--all"), True, "the report")


def plain_name(name):
    """Without arguments and templates, which each tool spells in its way."""
    name = re.sub(r"\[abi:\w+\]| \[clone [^\]]*\]", "", name)
    while (bare := re.sub(r"<[^<>]*>|\([^()]*\)( const)?", "", name)) != name and bare:
        name = bare
    return name.split("::")[-1].split()[-1].split(".")[0] if name.split() else name


def case_profile_inlined(orrery, expect):
    """What each function executed of those inlined into it: Callgrind's cost of each instruction, given to the innermost function that addr2line -i names there."""
    inlined_into = set()
    for name in ("machine.c", "sorting.c", "numbers.c", "strings.c"):
        program = build(orrery.home, HERE / "profiled" / name)
        callgrind = Callgrind(orrery.home, program)
        costs = {address: cost for (path, address), cost in callgrind.costs.items() if os.path.realpath(path) == str(program)}
        addresses = sorted(costs)
        text = subprocess.run(["addr2line", "-e", program, "-C", "-f", "-i", "-a", *map(hex, addresses)], capture_output=True, text=True, check=True).stdout
        chains = {int(each.split("\n", 1)[0], 16): each.strip().split("\n")[1::2] for each in re.split(r"^0x", text, flags=re.M)[1:]}
        wanted = collections.Counter()
        for address, cost in costs.items():
            chain = chains[address]
            wanted[plain_name(chain[-1]), plain_name(chain[0]) if len(chain) > 1 else None] += cost
        recording = orrery.record([program], NOW)
        span = profile_of(orrery, expect, recording, "--from", "main", "--to", "exit", "--by", "line")[0]
        functions = {row["function"]: row for row in span["functions"] if row.get("object") == str(program)}
        mine = collections.Counter()
        for row in span["lines"]:
            if row["function"] in functions and "name" in functions[row["function"]]:
                inlined = row.get("inlined")
                mine[plain_name(functions[row["function"]]["name"]), plain_name(inlined) if inlined else None] += valgrinds(row)
        compared = {key: cost for key, cost in wanted.items() if key[0] and "?" not in key[0] and "plt" not in key[0] and "operator" not in str(key) and "" not in key and cost > 20}
        inlined_into |= {key for key in compared if key[1] is not None}
        for key, cost in compared.items():
            expect(abs(mine[key] - cost) <= 8, True, f"{name}: {key} executed {mine[key]}, {cost}")
    expect(len(inlined_into) >= 1, True, f"inlined functions: {inlined_into}")
    expect(" inlined " in orrery.run("show", "profile", recording, "--inlined", "--all"), True, "the report")


CASES = {name[len("case_"):]: case for name, case in list(globals().items()) if name.startswith("case_")}
