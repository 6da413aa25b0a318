"""What processes share, against /proc/self/smaps and the frames of /proc/self/pagemap of a native run."""
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
PAGE = 4096
FIGURES = {"rss": "Rss", "pss": "Pss", "shared_clean": "Shared_Clean", "shared_dirty": "Shared_Dirty", "private_clean": "Private_Clean",
           "private_dirty": "Private_Dirty", "anonymous": "Anonymous"}


def build(orrery):
    program, files = orrery.home / "sharing", [orrery.home / "pages", orrery.home / "others"]
    subprocess.run(["gcc", "-g", "-O1", "-o", program, HERE / "sharing.c"], check=True)
    for file in files:
        with open(file, "wb") as out:
            out.write(bytes(range(256)) * 16 * 16)
            out.flush()
            os.fsync(out.fileno())
    return program, files


def told(text):
    """By point: smaps as (start, end, {figure: KiB}) and the frames; and where the areas lie."""
    areas, points, frames, now = {}, {}, {}, None
    for line in text.splitlines():
        if area := re.match(r"(\w+) 0x([0-9a-f]+) (\d+)$", line):
            areas[area[1]] = (int(area[2], 16), int(area[3]) * PAGE)
        elif point := re.match(r"at (\d+) of", line):
            now = points[int(point[1])] = []
        elif frame := re.match(r"frame (\d+) (\d+) (\d+)$", line):
            frames.setdefault(int(frame[1]), []).append(int(frame[3]))
        elif region := re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+", line):
            now.append((int(region[1], 16), int(region[2], 16), {}))
        elif value := re.match(r"(\w+): +(\d+) kB$", line):
            now[-1][2][value[1]] = int(value[2])
    return areas, points, frames


def figures_in(pieces, start, size):
    """The sums of the pieces that lie within."""
    sums = dict.fromkeys(FIGURES, 0)
    for piece_start, end, values in pieces:
        if piece_start >= start and end <= start + size:
            for name in sums:
                sums[name] += values[name]
    return sums


def at_point(orrery, expect, recording, number):
    process = 1 if number in (2, 4) else 0
    nth = {1: 1, 2: 1, 3: 2, 4: 2, 5: 3}[number]
    found = json.loads(orrery.run("show", "memory", recording, "-p", f"#{process}", "--at", f"seen:{nth}", "--pages", "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    expect([each["process"] for each in found["processes"]], [process], "the process")
    return found["processes"][0]


def case_sharing(orrery, expect):
    """Shared and private, clean and dirty, per mapping at five points of a parent and its child: what smaps says natively."""
    program, files = build(orrery)
    natively = subprocess.run([program, *files], capture_output=True, text=True, check=True).stdout
    areas, points, _ = told(natively)
    recording = orrery.record([program, *files])
    mine_at, _, _ = told(orrery.run("replay", "-a", recording))
    expect(sorted(points), [1, 2, 3, 4, 5], "points")
    for number, smaps in points.items():
        process = at_point(orrery, expect, recording, number)
        pieces = [(piece["start"], piece["end"], piece["resident"]) for piece in process["pieces"]]
        kernels = [(start, end, {name: values[word] * 1024 for name, word in FIGURES.items()}) for start, end, values in smaps]
        for name, (start, size) in areas.items():
            mine, theirs = figures_in(pieces, mine_at[name][0], size), figures_in(kernels, start, size)
            # smaps rounds each mapping's share down to KiB.
            expect(abs(mine.pop("pss") - theirs.pop("pss")) <= 1024, True, f"PSS of {name} at point {number}")
            expect(mine, theirs, f"{name} at point {number}")
        expect({name: sum(each[2][name] for each in pieces) for name in FIGURES if name != "pss"},
               {name: value for name, value in process["resident"].items() if name != "pss"}, "the sums")
        for piece in process["pieces"]:
            each = piece["resident"]
            expect(each["shared_clean"] + each["shared_dirty"] + each["private_clean"] + each["private_dirty"], each["rss"], "the parts of RSS")
        # Of anonymous memory as a whole: the linker's malloc and the stack depend on environment and vDSO.
        anonymous = sum(values["anonymous"] for start, end, values in kernels)
        expect(abs(process["resident"]["anonymous"] - anonymous) <= 6 * PAGE, True, f"anonymous at point {number}: {process['resident']}, {anonymous}")


def case_copies(orrery, expect):
    """Who broke copy-on-write: the pages whose frame changed natively, by the functions and lines that wrote them."""
    program, files = build(orrery)
    natively = subprocess.run([program, *files], capture_output=True, text=True, check=True).stdout
    _, _, frames = told(natively)
    recording = orrery.record([program, *files])
    areas, _, _ = told(orrery.run("replay", "-a", recording))
    rows = json.loads(orrery.run("show", "memory", recording, "--copies", "--json"))
    start = areas["area"][0]
    inside = [(row, (row["page"] - start) // PAGE) for row in rows if start <= row["page"] < start + areas["area"][1]]
    expect({row["origin"] for row, _ in inside}, {"fork"}, "the area's")
    of = lambda process, copied: {page for row, page in inside if (row["process"], row["is_copied"]) == (process, copied)}
    # The child writes 0 to 31 first, then the parent 28 to 39; the child 34 to 43, the parent 44 to 59 when it is alone.
    expect(of(1, 1), set(range(32)) | set(range(40, 44)), "copied by the child")
    expect(of(1, 0), set(range(34, 40)), "kept by the child")
    expect(of(0, 1), set(range(32, 40)), "copied by the parent")
    expect(of(0, 0), set(range(28, 32)) | set(range(44, 60)), "kept by the parent")
    if any(frames[1]):  # only root is told of frames
        before = frames[1]
        changed = lambda number, among: {page for page in among if frames[number][page] != before[page]}
        expect(changed(2, range(60)), set(range(32)), "frames natively: the child's first writes")
        expect(changed(3, range(32, 60)), set(range(32, 40)), "frames natively: the parent's writes")
        expect(changed(4, range(40, 60)) >= set(range(40, 44)), True, "frames natively: the child's second writes")
        # The kernel copies now and then although nobody else is left: a CPU may still hold the page in a batch.
        expect(len(changed(5, range(44, 60))) <= 8, True, "frames natively: the last one keeps them")
    source = (HERE / "sharing.c").read_text().splitlines()
    for row, _ in inside:
        expect((row["function"], row["pc"] != 0), ("write_pages", True), "the function")
        expect("(char)page" in source[int(row["line"].rsplit(":", 1)[1]) - 1], True, "the line")
    events = [row["event"] for row, page in inside if row["process"] == 1 and page < 32]
    expect(len(set(events)), 1, "the child's first writes lie before one event")
    files = {(row["process"], (row["page"] - areas["file_private"][0]) // PAGE, row["origin"], row["is_copied"]) for row in rows
             if areas["file_private"][0] <= row["page"] < areas["file_private"][0] + areas["file_private"][1]}
    expect(files, {(0, page, "file", 1) for page in range(4)} | {(1, page, "fork", 1) for page in (2, 3)} | {(1, page, "file", 1) for page in (4, 5)},
           "the file's pages")
    shared = [row for row in rows for name in ("shared", "file_shared") if areas[name][0] <= row["page"] < areas[name][0] + areas[name][1]]
    expect(shared, [], "nobody copies shared memory")
    text = orrery.run("show", "memory", recording, "--copies", "-p", "#1")
    for words in ("copied since a fork", "kept: its only one left", "copied from the file", "by write_pages, sharing.c:"):
        expect(words in text, True, f"{words!r} in the report")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
