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
SHAPES = {"i1": "16384,4,64", "d1": "16384,4,64", "l2": "none", "ll": "1048576,8,64"}
# Cachegrind's events, in its order.
EVENTS = ["instructions", "i1_misses", "ill_misses", "reads", "d1_read_misses", "dll_read_misses", "writes", "d1_write_misses", "dll_write_misses"]


def build(folder, flags="-O1", source="walks.c"):
    program = pathlib.Path(folder) / (source.split(".")[0] + flags.replace(" ", ""))
    compiler = ["g++", "-std=c++17"] if source.endswith(".cc") else ["gcc"]
    subprocess.run([*compiler, *flags.split(), "-g", "-fno-tree-vectorize", "-o", program, HERE / "cached" / source], check=True)
    return program


def caches_of(orrery, expect, recording, *words):
    found = json.loads(orrery.run("show", "cache", recording, *words, "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    return found["programs"][0]


def cachegrinds(folder, program, source="walks.c"):
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
            if file.endswith(source):
                lines[int(counted[1])].update(dict(zip(names, map(int, counted[2].split()))))
    order = ["Ir", "I1mr", "ILmr", "Dr", "D1mr", "DLmr", "Dw", "D1mw", "DLmw"]
    return {line: [counts[name] for name in order] for line, counts in lines.items()}


def case_cache_cachegrind(orrery, expect):
    """References of every line are Cachegrind's, and so are misses but for what lies between the lines' data."""
    program = build(orrery.home)
    recording = orrery.record([program], options=("--cpu", "valgrind"))
    found = caches_of(orrery, expect, recording, "--by", "line", *options_of(SHAPES))
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


DATA = ["reads", "d1_read_misses", "d2_read_misses", "dll_read_misses", "dtlb_read_misses", "writes", "d1_write_misses", "d2_write_misses", "dll_write_misses", "dtlb_write_misses"]


def options_of(shapes):
    return [word for name, shape in shapes.items() for word in (f"--{name}", shape)]


def sums(rows):
    return [sum(row[name] for row in rows) for name in DATA]


def line_of(source, mark):
    """The number of the line that ends with this word."""
    lines = (HERE / "cached" / source).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith("// " + mark))


def field_of(found, kind, member, offset):
    rows = [row for row in found["fields"] if row.get("type") == kind and row.get("member") == member]
    return rows[0] if len(rows) == 1 and rows[0]["offset"] == offset else None


def near(got, count):
    return abs(got - count) <= 12 + count / 200


def check_fields(orrery, expect, flags):
    """Members miss as often as Cachegrind says that the lines do that touch nothing else."""
    program = build(orrery.home, flags, "fields.c")
    recording = orrery.record([program], options=("--cpu", "valgrind"))
    found = caches_of(orrery, expect, recording, "--by", "field", *options_of(SHAPES))
    lines = cachegrinds(orrery.home, program, "fields.c")
    d1 = lambda mark: lines[line_of("fields.c", mark)][4]
    following = field_of(found, "struct node", "next", 120)
    expect(following is not None, True, f"struct node.next, {flags}")
    expect(near(following["reads"], 5 * 4096), True, f"reads of next, {flags}: {following['reads']}")
    high = field_of(found, "struct node", "key.high", 4)
    expect(near(high["d1_read_misses"], d1("KEYS")), True, f"misses of key.high, {flags}: {high}, Cachegrind {d1('KEYS')}")
    expect(near(following["d1_read_misses"], d1("WALK") + 4096), True, f"misses of next, {flags}: {following}, Cachegrind {d1('WALK')} in four walks of five")
    mass = field_of(found, "struct body", "mass", 48)
    expect((near(mass["reads"], 8192), near(mass["d1_read_misses"], d1("MASSES"))), (True, True), f"mass, {flags}: {mass}, Cachegrind {d1('MASSES')}")
    place, speed = field_of(found, "struct body", "place[]", 0), field_of(found, "struct body", "speed[]", 24)
    moved = place["d1_read_misses"] + place["d1_write_misses"] + speed["d1_read_misses"]
    expect((near(place["reads"], 8192), near(speed["reads"], 8192)), (True, True), f"place and speed, {flags}: {place} {speed}")
    expect(near(moved, d1("MOVE") + lines[line_of("fields.c", "MOVE")][7]), True, f"misses of place and speed, {flags}")


def case_cache_fields(orrery, expect):
    for flags in ("-O0", "-O2"):
        check_fields(orrery, expect, flags)


def site_of(found, line):
    """The heap's row that the line asked for."""
    rows = [row for row in found["sites"] if row["kind"] == "heap" and any(place.get("line") == line for place in row["stack"])]
    return rows[0] if len(rows) == 1 else None


def case_cache_sites(orrery, expect):
    """Blocks miss as often as Cachegrind says that the lines do that go through them; with glibc and jemalloc."""
    program = build(orrery.home, "-O1", "fields.c")
    lines = cachegrinds(orrery.home, program, "fields.c")
    for allocator in ("", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"):
        recording = orrery.record([program], environment={"LD_PRELOAD": allocator} if allocator else {}, options=("--cpu", "valgrind"))
        found = caches_of(orrery, expect, recording, "--by", "site", *options_of(SHAPES))
        read = lines[line_of("fields.c", "READ")][4]
        stream = site_of(found, line_of("fields.c", "STREAM"))
        expect((near(stream["reads"], 131072), near(stream["d1_read_misses"], read)), (True, True), f"the streamed block, {allocator}: {stream}, Cachegrind {read}")
        table = site_of(found, line_of("fields.c", "TABLE"))
        expect((table["reads"] >= 100000, table["d1_read_misses"] <= 32 + 12), (True, True), f"the small block, {allocator}: {table}")
        bodies = next(row for row in found["sites"] if row.get("name") == "bodies")
        wanted = sum(lines[line_of("fields.c", mark)][4] for mark in ("MASSES", "MOVE"))
        expect((bodies["kind"], near(bodies["d1_read_misses"], wanted)), ("global", True), f"bodies, {allocator}: {bodies}, Cachegrind {wanted}")
        counter = next(row for row in found["sites"] if row.get("name") == "counter")
        expect((counter["kind"], counter["d1_read_misses"] < 12), ("global", True), "counter")
        nodes = [row for row in found["sites"] if row["kind"] == "heap" and row["stack"] and row["stack"][0].get("function") == "make_node"]
        expect((len(nodes), 5 * 4096 <= nodes[0]["reads"] - 4096 <= 5 * 4096 + 4096), (1, True), f"nodes, {allocator}: {nodes}")


def case_cache_sums(orrery, expect):
    """Sites and fields are all of the data accesses that lines have, in a whole run and in a span."""
    program = build(orrery.home, "-O1", "fields.c")
    recording = orrery.record([program])
    for span in ((), ("--from", "walk:2", "--to", "keys")):
        totals = sums(caches_of(orrery, expect, recording, *span)["functions"])
        for by in ("site", "field"):
            expect(sums(caches_of(orrery, expect, recording, "--by", by, *span)[by + "s"]), totals, f"sums by {by} {span}")
    table = orrery.rows(recording, "SELECT sum(d1_read_misses) AS misses FROM cache_line")[0]["misses"]
    for name in ("cache_site", "cache_field"):
        expect(orrery.rows(recording, f"SELECT sum(d1_read_misses) AS misses FROM {name}")[0]["misses"], table, name)
    expect("struct node.next, 8 bytes at +120" in orrery.run("show", "cache", recording, "--by", "field"), True, "the report by field")
    expect("heap: make_node (fields.c:" in orrery.run("show", "cache", recording, "--by", "site"), True, "the report by site")


def case_cache_classes(orrery, expect):
    """Members of classes: of the base by its own pointers, of templates, in elements of vectors."""
    for flags in ("-O0", "-O2"):
        program = build(orrery.home, flags, "classes.cc")
        found = caches_of(orrery, expect, orrery.record([program]), "--by", "field")
        reads = lambda kind, member: sum(row["reads"] for row in found["fields"] if row.get("type") == kind and row.get("member") == member)
        expect(near(reads("shapes::Shape", "id_"), 3 * 4096), True, f"id_, {flags}: {reads('shapes::Shape', 'id_')}")
        expect(3 * 4096 <= reads("shapes::Shape", "behind") <= 3 * 4096 + 12, True, f"behind, {flags}: {reads('shapes::Shape', 'behind')}")
        radius = reads("shapes::Circle", "radius_")
        expect(3 * 4096 <= radius <= 2 * 3 * 4096, True, f"radius_, {flags}: {radius}")
        second = reads("shapes::Pair<long int>", "second")
        expect(3 * 4096 <= second <= 4 * 4096, True, f"second, {flags}: {second}")


def case_cache_recorded_shapes(orrery, expect):
    """Without options the shapes are those that the program's own cpuid tells it, as glibc reads them."""
    told = subprocess.run([orrery.program, "record", "-o", orrery.home / "shapes", "--", "getconf", "-a"], env=orrery.environment, capture_output=True, text=True, check=True).stdout
    value = lambda name: int(re.search(rf"^{name} +(\d+)$", told, re.MULTILINE)[1])
    found = caches_of(orrery, expect, orrery.home / "shapes")
    for ours, theirs in (("i1", "LEVEL1_ICACHE"), ("d1", "LEVEL1_DCACHE"), ("l2", "LEVEL2_CACHE"), ("ll", "LEVEL3_CACHE")):
        size = value(theirs + "_SIZE")
        if size == 0:
            continue
        modelled = int(found[ours].split(" KB")[0]) << 10
        expect(size / 2 < modelled <= size, True, f"{ours}: {found[ours]}, glibc {size}")
        expect(ours in found["shapes"].split(" of the recorded processor")[0], True, f"{ours} in {found['shapes']}")
    valgrinds = caches_of(orrery, expect, orrery.record(["true"], options=("--cpu", "valgrind")), "--d1", "16384,4,64")
    expect([valgrinds[name] for name in ("i1", "d1", "l2", "ll", "itlb", "dtlb")],
           ["32 KB, 8 ways, lines of 64 bytes", "16 KB, 4 ways, lines of 64 bytes", "256 KB, 8 ways, lines of 64 bytes", "8192 KB, 16 ways, lines of 64 bytes", "128 pages, 8 ways", "64 pages, 4 ways"], "Valgrind's Haswell")
    expect(valgrinds["shapes"], "i1, l2, ll, itlb, dtlb of the recorded processor; d1 as given", "where they are from")


CASES = {name[len("case_"):]: case for name, case in list(globals().items()) if name.startswith("case_")}
