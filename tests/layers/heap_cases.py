"""The heap, against Memcheck, Massif, heaptrack and the program's own word."""
import glob
import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = schema.load("heap")


def build(folder, *flags, name="heaps"):
    program = pathlib.Path(folder) / name
    subprocess.run(["g++", "-std=c++17", "-g", "-O1", "-fno-builtin", "-w", "-o", program, HERE / "heaps.cc", "-lpthread", *flags], check=True)
    return program


def heaps_of(orrery, expect, recording, *words):
    found = json.loads(orrery.run("show", "heap", recording, *words, "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    return found["programs"]


def heap_of(orrery, expect, recording, *words):
    programs = heaps_of(orrery, expect, recording, *words)
    expect(len(programs), 1, "programs")
    return programs[0]


def memchecks(program, *words):
    """Allocations, releases, bytes of all, and blocks and bytes that are left."""
    told = subprocess.run(["valgrind", "--run-libc-freeres=no", "--run-cxx-freeres=no", program, *words], capture_output=True, text=True).stderr.replace(",", "")
    usage = re.search(r"total heap usage: (\d+) allocs (\d+) frees (\d+) bytes", told)
    left = re.search(r"in use at exit: (\d+) bytes in (\d+) blocks", told)
    return [int(each) for each in (*usage.groups(), left[2], left[1])]


def massifs_peak(folder, program):
    out = pathlib.Path(folder) / "massif"
    subprocess.run(["valgrind", "--tool=massif", "--heap-admin=0", "--peak-inaccuracy=0.0", f"--massif-out-file={out}", program], capture_output=True, check=True)
    return max(int(each) for each in re.findall(r"mem_heap_B=(\d+)", out.read_text()))


def case_heap_sums(orrery, expect):
    """Allocations, releases, bytes, what is left and the peak are Memcheck's and Massif's; a forked process has a heap of its own."""
    program = build(orrery.home)
    recording = orrery.record([program])
    heap = heap_of(orrery, expect, recording)
    allocations, releases, size, blocks, left = memchecks(program)
    expect((heap["failed"], heap["unknown_releases"]), (0, 0), "what failed")
    expect(heap["allocations"], allocations, "allocations")
    expect(heap["bytes"], size, "bytes")
    expect(heap["releases"], heap["allocations"] - heap["live_blocks"], "releases")
    expect(heap["live_blocks"], blocks, "blocks that are left")
    expect(heap["live_bytes"], left, "bytes that are left")
    expect(heap["peak"]["bytes"], massifs_peak(orrery.home, program), "the peak")
    expect(sum(site["peak_bytes"] for site in heap["sites"]), heap["peak"]["bytes"], "the sites at the peak")
    by_bytes = heap_of(orrery, expect, recording, "--by", "bytes")
    for what, whole in (("bytes", "bytes"), ("calls", "allocations"), ("live_bytes", "live_bytes"), ("temporary", "temporary")):
        expect(sum(site[what] for site in by_bytes["sites"]), heap[whole], f"{what} of all sites")


def plain(frame):
    return frame.get("function", "?").replace("(anonymous namespace)::", "")


def said_live(text):
    """What the program says is live, by point."""
    points, now = {}, []
    for line in text.splitlines():
        if live := re.match(r"live (0x\w+) (\d+)$", line):
            now.append((int(live[1], 16), int(live[2])))
        elif point := re.match(r"seen \S+ (\d+)$", line):
            points[int(point[1])], now = sorted(now), []
    return points


def case_heap_at(orrery, expect):
    """At three instants the live blocks are those that the program says it holds, each from the function that asked; with glibc, tcmalloc, jemalloc, and linked statically."""
    for allocator in ("", "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "static"):
        program = build(orrery.home, *(["-static"] if allocator == "static" else []))
        preload = {"LD_PRELOAD": allocator} if allocator.startswith("/") else {}
        recording = orrery.record([program], environment=preload)
        points = said_live(orrery.run("replay", "-a", recording))
        expect(sorted(points), [1, 2, 3], "points")
        for point, live in points.items():
            heap = heap_of(orrery, expect, recording, "--at", f"seen:{point}", "--blocks")
            ours = {(block["address"], block["size_bytes"]): plain(block["stack"][0]) for block in heap["blocks"]}
            expect([block for block in live if block not in ours], [], f"{allocator}: blocks held at point {point} that are not live")
            others = {block: function for block, function in ours.items() if block not in live}
            expect({function for function in others.values() if function in ("from_malloc", "from_calloc", "grown", "aligned", "recursive")}, set(), f"{allocator}: blocks that are not held at point {point}")
            expect(sum(size for _, size in ours), heap["live_bytes"], "their sum")
            named = {ours[block] for block in live}
            expect(named <= {"from_malloc", "from_calloc", "grown", "aligned", "main", "thrown", "hold"}, True, f"{allocator}: who asked: {named}")
        recursion = [block["stack"] for block in heap["blocks"] if block["size_bytes"] == 1234]
        expect([plain(frame) for frame in recursion[0][:8]], ["from_malloc"] + ["recursive"] * 6 + ["main"], f"{allocator}: a stack")


def case_heap_thrown(orrery, expect):
    """An allocator that is left by an exception has failed, and what is allocated afterwards counts again."""
    program = build(orrery.home)
    plain_heap = heap_of(orrery, expect, orrery.record([program]))
    heap = heap_of(orrery, expect, orrery.record([program, "throws"]))
    expect((heap["failed"], heap["live_bytes"] - plain_heap["live_bytes"]), (1, 3 * 4), "what failed, and what came then")


def case_heap_folded(orrery, expect):
    """Flame graph lines sum up to the heap; heaptrack finds the same calls, temporary blocks and leaks."""
    program = build(orrery.home)
    recording = orrery.record([program])
    heap = heap_of(orrery, expect, recording)
    lines = orrery.run("show", "heap", recording, "--folded", "--by", "calls").splitlines()
    expect(sum(int(line.rsplit(" ", 1)[1]) for line in lines), heap["allocations"], "calls in the folded stacks")
    recursion = re.compile(r"_start;.*main;" + r"[^;]*recursive;" * 6 + r"[^;]*from_malloc 1$")
    expect([line for line in lines if "recursive" in line and not recursion.match(line)], [], "folded stacks that are no recursion")
    expect(any(recursion.match(line) for line in lines), True, "a folded stack")
    drawn = xml.etree.ElementTree.fromstring(orrery.run("show", "heap", recording, "--flame", "--by", "calls"))
    boxes = [box.text for box in drawn.iter("{http://www.w3.org/2000/svg}title")]
    expect(boxes[0], f"all\n{heap['allocations']} blocks (100.0 %)", "the lowest box")
    wanted = sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("_start;"))
    expect([box.split("\n")[1].split()[0] for box in boxes if box.startswith("_start\n")], [str(wanted)], "the box of _start")
    subprocess.run(["heaptrack", "-o", pathlib.Path(orrery.home) / "heaptrack", program], capture_output=True, check=True)
    told = subprocess.run(["heaptrack_print", *glob.glob(f"{orrery.home}/heaptrack.*")], capture_output=True, text=True).stdout
    # Its own library is loaded before the program's, and allocates for libstdc++ as one more.
    calls = int(re.search(r"calls to allocation functions: (\d+)", told)[1])
    expect(calls - heap["allocations"] in (0, 1), True, f"heaptrack's {calls} calls, ours {heap['allocations']}")
    temporary = int(re.search(r"temporary memory allocations: (\d+)", told)[1])
    expect(temporary, heap["temporary"], "heaptrack's temporary blocks")


def case_heap_between(orrery, expect):
    """Memory that a program maps itself is not the heap's, even right behind a call of free; a forked process allocates within the calls that its parent made."""
    program = pathlib.Path(orrery.home) / "between"
    subprocess.run(["gcc", "-g", "-O1", "-o", program, HERE / "between.c"], check=True)
    subprocess.run([program], check=True)
    recording = orrery.record([program])
    heap_of(orrery, expect, recording, "-p", "#0")
    grown = orrery.rows(recording, "SELECT call, mapped FROM heap_growth WHERE process = 0 AND mapped NOT BETWEEN -4000000 AND 4000000")
    expect(grown, [], "growth of the heap by what is the program's own")
    child = heap_of(orrery, expect, recording, "-p", "#1", "--blocks")
    stacks = [[plain(frame) for frame in block["stack"]][:4] for block in child["blocks"] if block["size_bytes"] == 4321]
    expect(stacks, [["asks", "forks", "leads_there", "main"]], "who asked in the child")


OWN = "pool_alloc(_, size), pool_calloc(_, count, size), pool_grow(_, block, size), node_new(size=48), pool_store(_, to, size), pool_free(_, block)"


def case_heap_own(orrery, expect):
    """Blocks of a program's own allocators, static functions among them, are those that it says it holds; in place of malloc's, or beside them."""
    program = pathlib.Path(orrery.home) / "pools"
    subprocess.run(["gcc", "-g", "-O1", "-w", "-o", program, HERE / "pools.c", "-lpthread"], check=True)
    recording = orrery.record([program])
    points = said_live(orrery.run("replay", "-a", recording))
    expect(sorted(points), [1, 2], "points")
    for point, live in points.items():
        heap = heap_of(orrery, expect, recording, "-p", "#0", "--allocator", OWN, "--at", f"seen:{point}", "--blocks")
        expect(sorted((block["address"], block["size_bytes"]) for block in heap["blocks"]), live, f"blocks at point {point}")
    stacks = {block["size_bytes"]: [plain(frame) for frame in block["stack"]] for block in heap["blocks"]}
    expect((stacks[150][0], stacks[48][0], stacks[200][0], stacks[44][:2]), ("main", "main", "main", ["asks_pool", "work"]), "who asked")
    expect(len({block["task"] for block in heap["blocks"]}), 2, "threads that asked")
    expect((pathlib.Path(recording) / "layers-heap.sqlite").exists(), True, "what was found is kept")
    child = heap_of(orrery, expect, recording, "-p", "#1", "--allocator", OWN, "--blocks")
    expect(sorted(block["size_bytes"] for block in child["blocks"]), sorted([999] + [size for _, size in points[2]]), "blocks of the child")
    expect(child["inherited"]["blocks"], len(points[2]), "those of its parent")
    # The wrapper's callers ask, and malloc's other blocks are there too.
    plainly, wrapped = (heap_of(orrery, expect, recording, "-p", "#0", *words, "--blocks") for words in ((), ("--allocator", "+checked(size)")))
    both = [[(block["size_bytes"], plain(block["stack"][0])) for block in each["blocks"] if block["size_bytes"] in (65, 1 << 20)] for each in (plainly, wrapped)]
    expect(both, [[(1 << 20, "main"), (65, "checked")], [(1 << 20, "main"), (65, "asks_checked")]], "sites of a wrapper")
    expect(wrapped["allocations"], plainly["allocations"], "blocks with a wrapper")
    for words, trouble in (("pool_aloc(_, size)", "there is pool_alloc"), ("pool_alloc(size, what)", "not \"what\""), ("pool_alloc(_)", "which argument is the size")):
        done = subprocess.run([orrery.program, "show", "heap", recording, "--allocator", words], env=orrery.environment, capture_output=True, text=True)
        expect((done.returncode, trouble in done.stderr), (69, True), f"{words}: {done.stderr}")
    functions = {row["name"] for row in orrery.rows(recording, "SELECT name FROM heap_function WHERE process = 0 AND object LIKE '%libc.so.6'")}
    expect({"malloc", "free", "calloc", "realloc"} <= functions, True, "the known allocators")


def case_heap_none(orrery, expect):
    """Where nothing was allocated yet there are no blocks, which is no failure."""
    program = pathlib.Path(orrery.home) / "none"
    source = program.with_suffix(".c")
    source.write_text("#include <stdlib.h>\nint main(void) { return malloc(7) == 0; }\n")
    subprocess.run(["gcc", "-fno-builtin", "-o", program, source], check=True)
    recording = orrery.record([program])
    heap = heap_of(orrery, expect, recording, "--at", "main", "--blocks")
    expect((heap["allocations"], heap["live_blocks"], heap["blocks"]), (0, 0, []), "blocks at main")
    expect("no block was given out" in orrery.run("show", "heap", recording, "--at", "main"), True, "the report")
    expect(heap_of(orrery, expect, recording)["live_bytes"], 7, "at the end")


CASES = {name[len("case_"):]: case for name, case in list(globals().items()) if name.startswith("case_")}
