"""What malloc does with the memory that it has, against mallinfo2, strace, smaps and the program's own word."""
import json
import pathlib
import re
import subprocess
import sys

import heap_cases

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = schema.load("heap")
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"


def build(folder, *flags):
    program = pathlib.Path(folder) / "arenas"
    subprocess.run(["gcc", "-g", "-O1", "-fno-builtin", "-w", "-o", program, HERE / "arenas.c", "-lpthread", *flags], check=True)
    return program


def shown(orrery, expect, recording, *words):
    found = json.loads(orrery.run("show", "heap", recording, *words, "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    return found


BUMP = """#include <string.h>
#include <sys/mman.h>
static char* pool;
__attribute__((constructor)) static void begin(void) { pool = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
void* malloc(size_t size) { if (!pool) begin(); *(size_t*)pool = size; char* block = pool + 16; pool += (size + 31) / 16 * 16; return block; }
void free(void* block) {}
void* calloc(size_t count, size_t size) { return malloc(count * size); }
void* realloc(void* block, size_t size) { return block ? memcpy(malloc(size), block, size / 2) : malloc(size); }
"""


CALL = re.compile(r"(brk|mmap|munmap|mremap)\((.*)\)\s+= (0x[0-9a-f]+|0)$")


def straced_changes(program):
    """What each call between the program's first word and its last changed, in bytes of address space."""
    told = subprocess.run(["strace", "-e", "trace=brk,mmap,munmap,mremap,write", program, "grow"], capture_output=True, text=True).stderr
    changes, end = [], None
    for line in told[told.index('"begin'):told.index('"end')].splitlines():
        if call := CALL.match(line):
            name, words, result = call[1], call[2].split(", "), int(call[3], 16)
            if name == "brk":
                change, end = 0 if end is None else result - end, result
            else:
                change = {"mmap": lambda: int(words[1]), "munmap": lambda: -int(words[1]), "mremap": lambda: int(words[2]) - int(words[1])}[name]()
            changes += [(name, change)] if change else []
    return changes


def case_heap_growth(orrery, expect):
    """The calls by which malloc grows and shrinks are strace's, with their sizes, and so is what it holds; with jemalloc all it maps is seen."""
    program = build(orrery.home)
    recording = orrery.record([program, "grow"])
    found = shown(orrery, expect, recording, "--growth")["programs"][0]
    rows = found["growth"]
    expect([(row["call"], row["mapped"]) for row in rows], straced_changes(program), "what each call changed")
    expect({row["function"] for row in rows if row["mapped"] > 0}, {"malloc", "realloc"}, "the functions that asked")
    expect({heap_cases.plain(row["stack"][0]) for row in rows if row["mapped"] > 0}, {"keep", "grow"}, "who called them")
    held = 0
    for row in rows:
        held += row["mapped"]
        expect((row["mapped_bytes"], row["usable_bytes"]), (held, held), "what is held")
    then = shown(orrery, expect, recording, "--growth", "--at", "seen:1")["programs"][0]["growth"]
    expect(then, rows[:len(then)], "what was before an instant")
    expect(then[-1]["mapped_bytes"] >= 300 * 2000 + (900 << 10), True, "what was held then")
    blocks = shown(orrery, expect, recording, "--at", "seen:1")["programs"][0]
    expect(then[-1]["mapped_bytes"] >= blocks["live_bytes"], True, "more is held than is live")
    words = orrery.run("show", "heap", recording, "--growth")
    expect("mremap" in words and "held, up to" in words, True, "the report")
    # A thread's arena is reserved, and opened as it is used.
    threads = shown(orrery, expect, orrery.record([program, "chunks"]), "--growth")["programs"][0]["growth"]
    last = threads[-1]
    expect((last["mapped_bytes"] - last["usable_bytes"]) > 3 * (60 << 20), True, "what three arenas have reserved")
    other = shown(orrery, expect, orrery.record([program, "grow"], {"LD_PRELOAD": JEMALLOC}), "--growth")["programs"][0]
    expect(other["usable_most"] > 300 * 2000, True, "what jemalloc holds")
    library = pathlib.Path(orrery.home) / "libbump.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-fno-builtin", "-x", "c", "-", "-o", library], input=BUMP, text=True, check=True)
    early = shown(orrery, expect, orrery.record([program, "grow"], {"LD_PRELOAD": str(library)}), "--growth")["programs"][0]["growth"]
    expect([(row["call"], row["mapped"], row["function"]) for row in early], [("mmap", 16 << 20, None)], "what a library maps before it is called")


def said_infos(text):
    """mallinfo2 by point: arena ordblks smblks hblks hblkhd fsmblks uordblks fordblks."""
    return {int(point): [int(each) for each in figures.split()] for figures, point in re.findall(r"mallinfo ([\d ]+)\nseen (\d+)", text)}


def case_heap_chunks(orrery, expect):
    """At four instants glibc's chunks make up what its arenas have, and what mallinfo2 says of them; known by debug information, by its version, and in a static program by its shape."""
    program = build(orrery.home)
    bare = pathlib.Path(orrery.home) / "bare"
    bare.mkdir()
    libc = re.search(r"(/\S+/libc\.so\.6)", subprocess.run(["ldd", program], capture_output=True, text=True).stdout)[1]
    subprocess.run(["objcopy", "--remove-section=.note.gnu.build-id", "--remove-section=.gnu_debuglink", libc, bare / "libc.so.6"], check=True)
    ways = (("dynamic", program, {}, ("its debug information", "its version")),
            ("bare", program, {"LD_LIBRARY_PATH": str(bare)}, ("its version",)))
    for way, each, environment, known in ways:
        check_chunks(orrery, expect, way, orrery.record([each, "chunks"], environment), known)
    static = pathlib.Path(orrery.home) / "static"
    subprocess.run(["objcopy", "--strip-all", *(f"--keep-symbol={name}" for name in ("seen", "malloc", "calloc", "realloc", "free")), build(orrery.home, "-static"), static], check=True)
    check_chunks(orrery, expect, "static", orrery.record([static, "chunks"]), ("its version", "its shape"))


def check_chunks(orrery, expect, way, recording, known):
    infos = said_infos(orrery.run("replay", "-a", recording))
    expect(sorted(infos), [1, 2, 3, 4], "points")
    states = set()
    for point, (arena, free_chunks, fast_chunks, mapped, mapped_bytes, fast_bytes, used, free) in infos.items():
        found = shown(orrery, expect, recording, "--chunks", "--at", f"seen:{point}")
        where = f"{way}, point {point}"
        expect(found["glibc"]["known_by"] in known, True, f"{where}: {found['glibc']}")
        expect(found["troubles"], [], where)
        for each in found["arenas"]:
            expect(sum(chunk["size_bytes"] for chunk in each["chunks"]) + each["own_bytes"], each["system_bytes"], f"{where}: the chunks of an arena")
        chunks = [chunk for each in found["arenas"] for chunk in each["chunks"]]
        of = lambda *names: [chunk["size_bytes"] for chunk in chunks if chunk["state"] in names]  # noqa: E731
        bins = of("unsorted bin", "small bin", "large bin", "top")
        expect(sum(each["system_bytes"] for each in found["arenas"]), arena, f"{where}: arena")
        expect((len(bins), len(of("fast bin")), sum(of("fast bin"))), (free_chunks, fast_chunks, fast_bytes), f"{where}: free chunks")
        expect(sum(bins) + fast_bytes, free, f"{where}: bytes free")
        expect(arena - free, used, f"{where}: bytes used")
        expect([len(found["mapped_chunks"]), sum(chunk["size_bytes"] for chunk in found["mapped_chunks"])], [mapped, mapped_bytes], f"{where}: mapped chunks")
        states |= {chunk["state"] for chunk in chunks}
        check_blocks(orrery, expect, recording, point, chunks + found["mapped_chunks"], where)
        expect(len(found["arenas"]), 4 if point == 4 else 1, f"{where}: arenas")
    expect({"tcache", "fast bin", "unsorted bin", "small bin", "large bin", "top", "in use"} - states, set(), f"{way}: states that were never seen")


def check_blocks(orrery, expect, recording, point, chunks, where):
    """Every live block is in a chunk of its own that is in use and large enough."""
    live = {block["address"]: block["size_bytes"] for block in shown(orrery, expect, recording, "--at", f"seen:{point}", "--blocks")["programs"][0]["blocks"]}
    held = {chunk["block"]["address"]: chunk for chunk in chunks if "block" in chunk}
    expect(sorted(held), sorted(live), f"{where}: blocks in chunks")
    for address, size in live.items():
        chunk = held[address]
        expect(chunk["address"] == address - 16 and chunk["state"] == "in use" and chunk["size_bytes"] >= max(32, size + 8), True, f"{where}: {chunk}")
    own = [chunk["size_bytes"] for chunk in chunks if chunk["state"] == "in use" and "block" not in chunk]
    expect(set(own), {0x290}, f"{where}: malloc's own chunks: each thread's cache")


def case_heap_corrupted(orrery, expect):
    """A header that was written over is told as such, with the block before it, and the walk goes on."""
    recording = orrery.record([build(orrery.home), "corrupt"])
    first, second = (int(each, 16) for each in re.search(r"corrupted (\S+) (\S+)", orrery.run("replay", "-a", recording)).groups())
    found = shown(orrery, expect, recording, "--chunks", "--at", "seen:1")
    trouble = found["troubles"][0]
    expect((trouble["address"], trouble["block_before"]), (second - 16, first), f"the damage: {found['troubles']}")
    blocks = {chunk["block"]["address"] for chunk in found["arenas"][0]["chunks"] if "block" in chunk}
    expect((first in blocks, max(blocks) > second), (True, True), "blocks before and behind it")
    words = orrery.run("show", "heap", recording, "--chunks", "--at", "seen:1")
    expect("0x4141414141414141" in words and "behind the block" in words, True, f"the report: {words}")


def case_heap_fragmentation(orrery, expect):
    """Of a heap with holes: what is asked for, given, free, resident and held, as mallinfo2, smaps and the program have it; jemalloc's without chunks."""
    program = build(orrery.home)
    recording = orrery.record([program, "holes"])
    info = said_infos(orrery.run("replay", "-a", recording))[1]
    found = shown(orrery, expect, recording, "--fragmentation", "--at", "seen:1")
    chunks = found["chunks"]
    expect((found["blocks"], found["asked_bytes"]), (2500, 250000), "what is live")
    expect((chunks["given_bytes"], chunks["usable_bytes"]), (2500 * 112, 2500 * 104), "what was given for it")
    expect(chunks["given_bytes"] + chunks["own_bytes"] + chunks["free_bytes"] + chunks["top_bytes"], found["usable_bytes"], "all that is held")
    expect(found["usable_bytes"], info[0], "what mallinfo2 says of it")
    expect(found["internal"], 1 - 250000 / (2500 * 112), "internal fragmentation")
    expect(found["external"] > 0.99, True, "external fragmentation")
    rss = int(re.search(r"rss (\d+)", subprocess.run([program, "holes"], capture_output=True, text=True).stdout)[1])
    expect(abs(found["resident_bytes"] - (rss << 10)) <= 8 << 10, True, f"resident: {found['resident_bytes']}, natively {rss} KiB")
    for whole, part in (("asked_bytes", "live_bytes"), ("resident_bytes", "resident_bytes")):
        expect(sum(cell[part] for cell in found["cells"]), found[whole], f"the cells' {part}")
    expect("external" in orrery.run("show", "heap", recording, "--fragmentation", "--at", "seen:1"), True, "the report")
    other = shown(orrery, expect, orrery.record([program, "holes"], {"LD_PRELOAD": JEMALLOC}), "--fragmentation", "--at", "seen:1")
    expect((other["chunks"], other["blocks"] >= 2500), (None, True), "jemalloc has no chunks")
    expect(other["asked_bytes"] < other["resident_bytes"] <= other["usable_bytes"], True, f"asked, resident and held of jemalloc: {other}")


def case_heap_forked(orrery, expect):
    """A child has its parent's blocks of before the fork, and its own child has both; what it frees and moves of them is gone, there alone."""
    recording = orrery.record([build(orrery.home), "forks"])
    points = heap_cases.said_live(re.sub(r"seen (\d)", r"seen x \1", orrery.run("replay", "-a", recording)))
    expect(sorted(points), [1, 2, 3], "points")
    asked = {1001: "of_parent", 1002: "of_parent", 1003: "of_parent", 1004: "of_parent", 2001: "of_child", 3001: "of_grandchild", 50000: "forks"}
    for process, (point, gone) in enumerate(((1, ()), (2, (1002, 1003)), (3, (1001, 1002, 1003)))):
        heap = heap_cases.heap_of(orrery, expect, recording, "-p", f"#{process}", "--at", "seen", "--blocks")
        blocks = {(block["address"], block["size_bytes"]): [heap_cases.plain(frame) for frame in block["stack"]] for block in heap["blocks"]}
        expect([block for block in points[point] if block not in blocks], [], f"blocks of process {process} that are not live")
        expect([size for _, size in blocks if size in gone], [], f"blocks that process {process} gave back")
        expect(sum(size for _, size in blocks), heap["live_bytes"], "their sum")
        for (_, size), stack in blocks.items():
            expect(asked[size] in stack[:2], True, f"who asked for {size} bytes: {stack}")
            expect(stack[-1], "_start", "from where on")
        whole = heap_cases.heap_of(orrery, expect, recording, "-p", f"#{process}", "--blocks")
        expect(whole["unknown_releases"], 0, "releases of unknown blocks")
        expect(whole["live_bytes"], sum(block["size_bytes"] for block in whole["blocks"]), "live at the end")
        expect(sum(site["peak_bytes"] for site in whole["sites"]), whole["peak"]["bytes"], "the sites at the peak")
    expect("from before the fork" in orrery.run("show", "heap", recording), True, "the report")


def case_heap_address(orrery, expect):
    """An address in a block is named by it, while it is live and when it is not any more."""
    recording = orrery.record([build(orrery.home), "addresses"])
    block = int(re.search(r"block (\S+)", orrery.run("replay", "-a", recording))[1], 16)
    memory = schema.load("memory")
    for point, is_live in ((1, True), (2, False)):
        words = ("show", "memory", recording, "--address", hex(block + 8), "--at", f"seen:{point}")
        found = json.loads(orrery.run(*words, "--json"))
        expect(list(schema.problems(found, memory, memory)), [], "the schema")
        named = found["block"]
        expect((named["address"], named["size_bytes"], heap_cases.plain(named["stack"][0])), (block, 24, "keep"), "the block")
        expect(named["released"] is None, is_live, f"whether it is live at point {point}")
        expect(f"24 bytes from {hex(block)}, +8, by keep (arenas.c:" in orrery.run(*words), True, "the report")
    expect(json.loads(orrery.run("show", "memory", recording, "--address", hex(block + 40), "--at", "seen:1", "--json"))["block"], None, "behind it")


CASES = {name[len("case_"):]: case for name, case in list(globals().items()) if name.startswith("case_")}
