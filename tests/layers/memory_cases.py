"""The address space, against /proc/self/maps, smaps, strace, nm, and the program's own word."""
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
SCHEMA = schema.load("memory")


def build(folder, *flags):
    program = pathlib.Path(folder) / "spaces"
    subprocess.run(["gcc", "-g", "-O1", "-o", program, HERE / "spaces.c", "-lpthread", *flags], check=True)
    return program


Region = collections.namedtuple("Region", "start end permissions path")


def listings(text):
    """The kernel's lists by point: regions with what smaps has of each."""
    found, now = {}, None
    for line in text.splitlines():
        if point := re.match(r"at (\d+) of (\d+)$", line):
            now = found[int(point[1])] = []
        elif region := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$", line):
            now.append((Region(int(region[1], 16), int(region[2], 16), region[3], region[4]), {}))
        elif value := re.match(r"(\w+): +(\d+) kB$", line):
            now[-1][1][value[1]] = int(value[2])
    return found


def joined(regions):
    """Neighbours that differ in nothing but the offset are one."""
    whole = []
    for region in regions:
        if whole and whole[-1].end == region.start and whole[-1][2:] == region[2:]:
            whole[-1] = whole[-1]._replace(end=region.end)
        else:
            whole.append(region)
    return whole


def as_region(piece):
    """What the kernel would call it."""
    path = piece["object"] or ""
    if piece["meaning"] in ("bss", "anonymous", "guard", "tls"):
        path = ""
    if piece["meaning"] == "heap" or piece["meaning"] == "stack" and piece["made_by"] in ("exec", "the parent"):
        path = f"[{piece['meaning']}]"
    return Region(piece["start"], piece["end"], piece["permissions"], path)


def map_at(orrery, expect, recording, number, *words):
    """The only process that has come to the point, as `show memory` has it."""
    at = ("-p", "#1", "--at", "seen:1") if number == 4 else ("-p", "#0", "--at", f"seen:{min(number, 4)}")
    found = json.loads(orrery.run("show", "memory", recording, *at, *words, "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    expect(len(found["processes"]), 1, "processes")
    return found["processes"][0]


def case_address_space(orrery, expect):
    """At five points of two processes the map is the one that the program reads in /proc/self/maps, and sizes are those of a native run."""
    program = build(orrery.home)
    recording = orrery.record([program])
    said = listings(orrery.run("replay", "-a", recording))
    natively = listings(subprocess.run([program], capture_output=True, text=True).stdout)
    expect(sorted(said), [1, 2, 3, 4, 5], "points")
    for number, regions in said.items():
        process = map_at(orrery, expect, recording, number)
        regions = joined(region._replace(path="" if region.path == "/dev/zero (deleted)" else region.path) for region, _ in regions)
        expect(joined(as_region(piece) for piece in process["pieces"]), regions, f"the map at point {number}")
        expect(process["bytes"], sum(region.end - region.start for region in regions), "its sum")
        expect(sum(process["bytes_by_meaning"].values()), process["bytes"], "the sum of the meanings")
        over_time = {row["meaning"]: row for row in process["over_time"]["meanings"]}
        expect({word: row["end_bytes"] for word, row in over_time.items() if row["end_bytes"]}, process["bytes_by_meaning"], "by meaning over time, its end")
        expect(all(max(row["most_bytes_by_part"]) == row["most_bytes"] >= row["end_bytes"] for row in over_time.values()), True, "its largest")
        meanings = collections.Counter(piece["meaning"] for piece in process["pieces"] if piece["object"] == str(program))
        expect(set(meanings) - {"mapped file"}, {"code", "rodata", "relro", "data", "bss"}, "meanings of the program")
        # The stack, and what the linker allots before the program, depend on environment and vDSO.
        sizes = lambda each: collections.Counter((region.end - region.start, region.permissions, region.path) for region in each
                                                 if not region.path.startswith("[") and (region.path or region.end - region.start > 16384))
        native = joined(region._replace(path="" if region.path == "/dev/zero (deleted)" else region.path) for region, _ in natively[number])
        mine, theirs = sizes(regions), sizes(native)
        # Anonymous memory that lies side by side is one region natively, where it comes to lie so.
        named = lambda counted: {key: value for key, value in counted.items() if key[2]}
        expect(named(mine), named(theirs), f"sizes of what has a name at point {number}, as natively")
        expect({key for key in mine if key[0] == 8 << 20}, {key for key in theirs if key[0] == 8 << 20}, "stacks of threads")
    threads = [piece for piece in map_at(orrery, expect, recording, 3)["pieces"] if piece["thread"] and piece["meaning"] in ("stack", "guard")]
    expect(sorted((piece["meaning"], piece["end"] - piece["start"]) for piece in threads)[:4],
           [("guard", 4096), ("guard", 4096), ("stack", 135168), ("stack", 8 << 20)], "stacks and guards")
    stacks = orrery.rows(recording, "SELECT * FROM thread_stack WHERE process = 0 ORDER BY begin_event, begin_ticks")
    expect(len(stacks), 3, "threads")
    for row in stacks[1:]:
        expect((row["guard_end"], row["guard_end"] - row["guard_start"]), (row["start"], 4096), "a guard below")
        expect(row["start"] < row["top"] <= row["tls"] < row["end"] and row["end_event"] >= row["begin_event"], True, f"the parts of {row}")
    calls = orrery.rows(recording, "SELECT text FROM call WHERE process = 0 AND name LIKE 'clone%' ORDER BY number")
    tids = [int(call["text"].rsplit("=> {parent_tid=[", 1)[1].split("]")[0]) if "parent_tid=[" in call["text"] else int(call["text"].split(" = ")[1])
            for call in calls][:2]
    expect([row["thread"] for row in stacks[1:]], tids, "whose they are")


def by_place(regions, program):
    """Written private pages, which smaps calls Anonymous, of what is the same in every run: by file and permissions, and of the program's own areas by size."""
    dirty = collections.Counter()
    for region, values in regions:
        size = region.end - region.start
        if region.path.startswith("/") or region.path == "[heap]" or size >= 100 * 4096:
            key = (region.path, region.permissions) if region.path else (size, region.permissions)
            dirty[key] += values["Anonymous"] // 4
    return dirty


def case_resident(orrery, expect):
    """Pages that were written in private memory: those that smaps calls Anonymous in a native run (of files' pages, dirty would count
    what the compiler has just written); and their sum."""
    program = build(orrery.home)
    natively = listings(subprocess.run([program, "smaps"], capture_output=True, text=True).stdout)
    recording = orrery.record([program, "smaps"])
    for number in (1, 2, 3, 5):
        process = map_at(orrery, expect, recording, number, "--pages")
        regions = []
        for piece in process["pieces"]:
            region = as_region(piece)
            pages = piece["written_pages"] if piece["permissions"][3] == "p" else 0
            expect(piece["touched_pages"] >= piece["written_pages"], True, "written pages are touched")
            if regions and regions[-1][0].end == region.start and regions[-1][0][2:] == region[2:] and region.path == "[heap]":
                regions[-1] = (regions[-1][0]._replace(end=region.end), {"Anonymous": regions[-1][1]["Anonymous"] + 4 * pages})
            else:
                regions.append((region, {"Anonymous": 4 * pages}))
        mine, theirs = by_place(regions, program), by_place(natively[number], program)
        expect(mine, theirs, f"written pages at point {number}")
        expect(sum(mine.values()) > 60, True, "there are some")
        whole = sum(values["Anonymous"] for _, values in regions) // 4
        kernels = sum(values["Anonymous"] for region, values in natively[number] if region.path not in ("[vdso]", "[vvar]")) // 4
        # The stack's depth varies with environment and auxiliary vector, the linker's malloc with the vDSO.
        expect(abs(whole - kernels) <= 4, True, f"the sum at point {number}: {whole} against {kernels}")


CHANGES = {"mmap": "map", "munmap": "unmap", "mprotect": "protect", "mremap": "move", "brk": "grow"}


def case_map_history(orrery, expect):
    """Each change is a call that strace sees natively, in that order, with its size; and it names the function and the line that made it."""
    program = build(orrery.home)
    recording = orrery.record([program])
    log = orrery.home / "strace"
    subprocess.run(["strace", "-o", log, "-e", "trace=mmap,munmap,mprotect,mremap,brk,getppid", program], check=True, stdout=subprocess.DEVNULL)
    calls = re.findall(r"^(mmap|munmap|mprotect|mremap|brk)\((.*)\) += (\S+)", log.read_text().split("getppid", 1)[1], re.M)
    natively = [(name, int(words.split(", ")[2 if name == "mremap" else 1])) for name, words, _ in calls if name != "brk"]
    main = orrery.rows(recording, "SELECT main_ticks FROM program")[0]["main_ticks"]
    rows = orrery.rows(recording, f"SELECT * FROM map_change WHERE process = 0 AND stack IS NOT NULL AND ticks > {main} ORDER BY number")
    sums = []
    for row in rows:
        if row["call"] in ("growth", "brk"):
            continue
        if sums and sums[-1][0] == (row["call"], row["event"], row["ticks"]) and row["change"] != "moved":
            sums[-1][1] += row["end"] - row["start"] if row["call"] != "mremap" or row["permissions"] else 0
        else:
            sums.append([(row["call"], row["event"], row["ticks"]), row["end"] - row["start"]])
    moved = [row for row in rows if row["call"] == "mremap"]
    expect({row["change"] for row in moved}, {"moved", "unmapped"}, "how the area moved")
    mine = [(call[0], size) for call, size in sums if call[0] != "mremap"]
    expect(mine, [each for each in natively if each[0] != "mremap"], "changes from main on")
    grown = sum(row["end"] - row["start"] for row in rows if row["call"] == "brk")
    breaks = [int(result, 16) for name, _, result in calls if name == "brk"]
    expect(grown, breaks[-1] - breaks[0] if breaks else 0, "the heap's growth")
    source = (HERE / "spaces.c").read_text().splitlines()
    made = {"map_area": "mmap(", "protect_area": "mprotect(", "unmap_part": "munmap(", "move_rest": "mremap(", "map_file": "mmap(",
            "grow_heap": "malloc("}
    for row in rows:
        if row["caller_function"] in made:
            number = int(row["caller_line"].rsplit(":", 1)[1])
            text = source[number - 1] + source[number]
            expect(made[row["caller_function"]] in text, True, f"line {number} of {row['caller_function']}: {text}")
    expect({row["caller_function"] for row in rows} >= set(made), True, "callers")
    text = orrery.run("show", "memory", recording, "--history", "-p", "#0")
    for words in ("by map_area, spaces.c:", "by grow_heap, spaces.c:", "MAPPED ", "anonymous "):
        expect(words in text, True, f"{words!r} in the report")


PLACES = """#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int in_data[10] = {1, 2, 3};
static int in_bss[100];
const char in_rodata[20] = "forty-two";
__thread int in_tls = 77;
__attribute__((noinline)) void here(int* local, void* block, void* area) {
  printf("local %p\\ndata %p\\nbss %p\\nrodata %p\\ntls %p\\nmain %p\\nputs %p\\nblock %p\\narea %p\\nnowhere %p\\n", (void*)local, (void*)&in_data[2],
         (void*)&in_bss[7], (void*)&in_rodata[3], (void*)&in_tls, (void*)main, (void*)puts, block, area, (void*)0x1234);
  fflush(stdout);
}
__attribute__((noinline)) void seen(void) { __asm__ volatile(""); }
__attribute__((noinline)) int deep(int depth) {
  int local[4] = {depth, 2, 3, 4};
  if (depth > 0) return deep(depth - 1) + local[0];
  here(&local[1], malloc(100), mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  seen();
  return local[3];
}
int main(void) { in_bss[7] = 5; return deep(2) - 7; }
"""


def case_address(orrery, expect):
    """What each address means that a program prints, as nm and the program know it."""
    source = orrery.home / "places.c"
    source.write_text(PLACES.replace("(void*)main", "(void*)main").replace("#include <math.h>\n", "int main(void);\n"))
    for flags in ((), ("-static",), ("-no-pie",)):
        program = orrery.home / "places"
        subprocess.run(["gcc", "-g", "-O1", "-fno-optimize-sibling-calls", "-o", program, source, *flags], check=True)
        recording = orrery.record([program])
        said = dict(line.split() for line in orrery.run("replay", "-a", recording).splitlines())
        found = {}
        for name, address in said.items():
            found[name] = json.loads(orrery.run("show", "memory", recording, "--address", address, "--at", "seen", "--json"))
            expect(list(schema.problems(found[name], SCHEMA, SCHEMA)), [], "the schema")
            expect(found[name]["address"], int(address, 16), f"the address of {name}")
        symbols = {line.split()[2]: int(line.split()[0], 16) for line in
                   subprocess.run(["nm", program], capture_output=True, text=True).stdout.splitlines() if len(line.split()) == 3}
        base = int(said["main"], 16) - symbols["main"]
        for name, symbol, section in (("data", "in_data", ".data"), ("bss", "in_bss", ".bss"), ("rodata", "in_rodata", ".rodata"), ("main", "main", ".text")):
            each = found[name]
            expect((each["symbol"]["name"], each["symbol"]["offset"]), (symbol, int(said[name], 16) - base - symbols[symbol]), f"the symbol of {name}")
            expect((each["section"], os.path.realpath(each["object"])), (section, str(program)), f"the section of {name}")
        expect(found["data"]["bytes"][:11], "03 00 00 00", "what in_data[2] holds")
        expect(found["bss"]["bytes"][:11], "05 00 00 00", "what in_bss[7] holds")
        expect(bytes.fromhex(found["rodata"]["bytes"].replace(" ", ""))[:6], b"ty-two", "what the constant holds")
        expect(found["tls"]["bytes"][:11], "4d 00 00 00", "what the thread's variable holds")
        expect((found["local"]["meaning"], found["local"]["frame"]["function"], found["local"]["frame"]["holds"]), ("stack", "deep", "locals"), "the local")
        expect(found["local"]["frame"]["number"], 1, "its frame: seen() is the innermost")
        expect(found["local"]["bytes"][:23], "02 00 00 00 03 00 00 00", "what the local holds")
        expect(found["block"]["meaning"], "heap", "the block")
        expect(found["area"]["meaning"], "anonymous", "the area")
        expect(found["area"]["made_by"].startswith("mmap"), True, "who made it")
        expect(found["nowhere"]["mapped"], False, "what is not mapped")
        if not flags:
            expect(found["tls"]["meaning"], "tls", "thread-local memory")
            expect(found["puts"]["symbol"]["name"] in ("puts", "_IO_puts"), True, "a library's function")
        text = orrery.run("show", "memory", recording, "--address", said["data"], "--at", "seen")
        expect("symbol   in_data + 8" in text, True, f"the report: {text}")
    orrery.run("show", "memory", recording, "--address", "zzz", status=69)


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
