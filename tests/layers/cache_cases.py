"""The cache model, against Cachegrind with the same caches."""
import collections
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = schema.load("cache")
SHAPES = {"i1": "16384,4,64", "d1": "16384,4,64", "ll": "1048576,8,64"}
# Cachegrind's events, in its order.
EVENTS = ["instructions", "i1_misses", "ill_misses", "reads", "d1_read_misses", "dll_read_misses", "writes", "d1_write_misses", "dll_write_misses"]


def build(folder, flags="-O1"):
    program = pathlib.Path(folder) / "walks"
    subprocess.run(["gcc", flags, "-g", "-fno-tree-vectorize", "-o", program, HERE / "cached" / "walks.c"], check=True)
    return program


def caches_of(orrery, expect, recording, *words):
    found = json.loads(orrery.run("show", "cache", recording, *words, "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    return found["programs"][0]


def cachegrinds(folder, program):
    """By line of the program's own source."""
    out = pathlib.Path(folder) / "cachegrind.out"
    subprocess.run(["valgrind", "--tool=cachegrind", f"--cachegrind-out-file={out}", f"--I1={SHAPES['i1']}", f"--D1={SHAPES['d1']}", f"--LL={SHAPES['ll']}", program], capture_output=True, check=True)
    lines, file = collections.defaultdict(collections.Counter), None
    for line in out.read_text().splitlines():
        if line.startswith("events:"):
            names = line.split()[1:]
        elif line.startswith("fl="):
            file = line[3:]
        elif counted := re.match(r"(\d+) ([\d ]+)$", line):
            if file.endswith("walks.c"):
                lines[int(counted[1])].update(dict(zip(names, map(int, counted[2].split()))))
    order = ["Ir", "I1mr", "ILmr", "Dr", "D1mr", "DLmr", "Dw", "D1mw", "DLmw"]
    return {line: [counts[name] for name in order] for line, counts in lines.items()}


def case_cache_cachegrind(orrery, expect):
    """References of every line are Cachegrind's, and so are misses but for what lies between the lines' data."""
    program = build(orrery.home)
    recording = orrery.record([program], options=("--cpu", "valgrind"))
    found = caches_of(orrery, expect, recording, "--by", "line", *[word for name, shape in SHAPES.items() for word in (f"--{name}", shape)])
    ours = {row["line"]: [row[name] for name in EVENTS] for row in found["lines"] if row.get("file", "").endswith("walks.c")}
    wanted = cachegrinds(orrery.home, program)
    expect(sorted(ours), sorted(wanted), "lines")
    compared = 0
    for line, counts in wanted.items():
        for name, got, count in zip(EVENTS, ours[line], counts):
            if "misses" not in name:
                expect(got, count, f"{name} of line {line}")
            else:
                expect(abs(got - count) <= 12 + count / 200, True, f"{name} of line {line}: {got}, Cachegrind {count}")
            compared += count > 1000
    expect(compared >= 20, True, f"counts that tell something: {compared}")


def case_cache_shapes(orrery, expect):
    """Larger caches miss less; a second level stands between; buffers count pages; a span counts its own."""
    program = build(orrery.home)
    recording = orrery.record([program])
    usual = caches_of(orrery, expect, recording)
    columns = next(row for row in usual["functions"] if row.get("function") == "by_columns")
    expect(abs(columns["d1_read_misses"] - 512 * 512) <= 600, True, "each step down a column misses")
    expect(abs(columns["dtlb_read_misses"] - 512 * 256) <= 600, True, "every other one goes to another page")
    large = caches_of(orrery, expect, recording, "--d1", "4194304,16,64", "--l2", "8388608,16,64", "--dtlb", "1024,8")
    columns = next(row for row in large["functions"] if row.get("function") == "by_columns")
    expect((columns["d1_read_misses"] < 100, columns["dtlb_read_misses"] < 10), (True, True), "what fits is found")
    for row in large["functions"]:
        expect(row["d1_read_misses"] >= row["d2_read_misses"] >= row["dll_read_misses"], True, f"levels of {row.get('function')}")
    span = caches_of(orrery, expect, recording, "--from", "follow", "--to", "printf")
    follow = next(row for row in span["functions"] if row.get("function") == "follow")
    expect(100000 <= follow["reads"] < 100010, True, "reads of the span")
    expect("fill" in {row.get("function") for row in span["functions"]}, False, "functions before the span")
    refused = subprocess.run([orrery.program, "show", "cache", recording, "--d1", "1000,3,64"], env=orrery.environment, capture_output=True, text=True)
    expect((refused.returncode != 0, "power of two" in refused.stderr), (True, True), "a shape that cannot be")


CASES = {name[len("case_"):]: case for name, case in list(globals().items()) if name.startswith("case_")}
