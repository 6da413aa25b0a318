"""Where two runs of one program first part: the branch that gdb sees, natively, on two ways."""
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parent / "parting" / "ways.c"
SCHEMA = schema.load("reports")


def build(orrery, *flags):
    program = orrery.home / f"ways{''.join(flags)}"
    subprocess.run(["gcc", "-g", *flags, "-o", program, SOURCE, "-lpthread"], check=True)
    return program


def line_of(words):
    return next(number for number, line in enumerate(SOURCE.read_text().splitlines(), 1) if words in line)


def two_runs(orrery, program, how, first, second):
    recordings = []
    for value in (first, second):
        (orrery.home / "input").write_text(f"{value}\n")
        recordings.append(orrery.record([program, how]))
    return recordings


def difference(orrery, expect, recordings):
    document = json.loads(orrery.run("compare", "--first", *recordings, "--json"))
    expect(list(schema.problems(document, SCHEMA["$defs"]["first_difference"], SCHEMA)), [], "the schema")
    return document["first_difference"]


def natively(orrery, program, how, value, branch):
    """Where gdb's stepi leads from the branch, in the program's file."""
    (orrery.home / "input").write_text(f"{value}\n")
    done = subprocess.run(["gdb", "-nx", "-batch", "-ex", "set disable-randomization on", "-ex", f"starti {how} > /dev/null", "-ex", "info proc mappings", program],
                          capture_output=True, text=True, cwd=orrery.home)
    base = min(int(line.split()[0], 16) for line in done.stdout.splitlines() if str(program) in line and line.strip().startswith("0x"))
    script = ["-ex", f"starti {how} > /dev/null", "-ex", f"tbreak *{base + branch:#x}", "-ex", "continue", "-ex", "stepi", "-ex", "printf \"to %lx\\n\", $pc"]
    done = subprocess.run(["gdb", "-nx", "-batch", *script, program], capture_output=True, text=True, cwd=orrery.home)
    return int(re.search(r"^to ([0-9a-f]+)$", done.stdout, re.M)[1], 16) - base


def case_parting(orrery, expect):
    """A branch, the end of a loop and an indirect call decided by what was read, at two levels of optimisation."""
    for flags in (("-O0",), ("-O2",)):
        program = build(orrery, *flags)
        found = difference(orrery, expect, two_runs(orrery, program, "branch", 10, 11))
        expect((found["answer"][0]["text"].startswith("read("), '"10\\n"' in found["answer"][0]["text"], '"11\\n"' in found["answer"][1]["text"]), (True, True, True),
               "the answer that differs first")
        expect("write(1, \"more" in found["parts_at"][1]["text"], True, "what the second does where they part")
        frames = found["branch"][0]["stack"]
        if flags == ("-O0",):
            expect((frames[0]["function"], frames[0]["line"]), ("decide", line_of("PARTS HERE")), "where they part")
            ways = [side["goes_on_at"] for side in found["branch"]]
            expect([re.search(r":(\d+)", way)[1] for way in ways], [str(line_of("THE WAY OF LESS")), str(line_of("THE WAY OF MORE"))], "the ways")
            values = {value["name"]: (value["a"], value["b"]) for value in found["values"] if value["function"] == "decide"}
            expect(values, {"count": ("20", "22"), "value": ("10", "11")}, "values that differ")
        loop = difference(orrery, expect, two_runs(orrery, program, "loop", 1000, 1003))
        expect(loop["branch"][0]["stack"][0]["line"] in range(line_of("THE LOOP ENDS"), line_of("THE LOOP ENDS") + 2), True, "the loop")
        expect(loop["common_lines"] >= 999, True, "turns that both made")
        call = difference(orrery, expect, two_runs(orrery, program, "indirect", 10, 11))
        if flags == ("-O0",):
            # `value > 10 ? more : less` is a branch itself.
            expect(call["branch"][0]["stack"][0]["function"], "indirect", "the choice")


def case_parting_gdb(orrery, expect):
    """gdb goes from the branch to where each run is said to have gone on."""
    program = build(orrery, "-O0")
    recordings = two_runs(orrery, program, "branch", 10, 11)
    found = difference(orrery, expect, recordings)
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True).stdout
    base = found["branch"][0]["pc"] & ~0xfff
    branches = [int(at, 16) for at in re.findall(r"^ +([0-9a-f]+):\tj\w+ ", text, re.M) if int(at, 16) & 0xfff == found["branch"][0]["pc"] & 0xfff]
    expect(len(branches), 1, f"the branch in the program's file, of {base:#x}")
    listing = subprocess.run(["addr2line", "-e", program, hex(branches[0])], capture_output=True, text=True).stdout
    expect(int(listing.split(":")[1].split()[0]), line_of("PARTS HERE"), "its line")
    for value, side in zip((10, 11), found["branch"]):
        to = natively(orrery, program, "branch", value, branches[0])
        line = subprocess.run(["addr2line", "-e", program, hex(to)], capture_output=True, text=True).stdout.split(":")[1].split()[0]
        expect(re.search(r":(\d+)", side["goes_on_at"])[1], line, f"where gdb goes with {value}")


def case_parting_tasks(orrery, expect):
    """In a thread, in one that takes turns with others (where each turn ends differs), and in a forked process."""
    program = build(orrery, "-O0")
    for how, process in (("thread", 0), ("turns", 0), ("fork", 1)):
        found = difference(orrery, expect, two_runs(orrery, program, how, 13, 10))
        stack = found["branch"][0]["stack"]
        expect((found["branch"][0]["process"], stack[0]["line"]), (process, line_of("PARTS HERE")), how)
        expect("main" in [frame["function"] for frame in stack], how == "fork", "whose stack it is")


def case_parting_data(orrery, expect):
    """The same way, but other data; runs that are equal; and programs that are not the same."""
    program = build(orrery, "-O0")
    recordings = two_runs(orrery, program, "data", 123456, 123457)
    found = difference(orrery, expect, recordings)
    expect((found["parts_at"], found["branch"]), (None, None), "the same way")
    expect(["123456" in found["request"][0]["text"], "123457" in found["request"][1]["text"]], [True, True], "what was written")
    same = difference(orrery, expect, two_runs(orrery, program, "data", 5, 5))
    expect((same["parts_at"], same["request"], same["answer"]), (None, None, None), "equal runs")
    (orrery.home / "input").write_text("5\n")
    words = [orrery.record([program, "data", word]) for word in ("one", "two")]
    found = difference(orrery, expect, words)
    expect([side["text"].endswith(f'ways-O0" "data" "{word}"') for side, word in zip(found["answer"], ("one", "two"))], [True, True], "arguments")
    other = build(orrery, "-O2")
    (orrery.home / "input").write_text("5\n")
    orrery.run("compare", "--first", recordings[0], orrery.record([other, "data"]), status=69)
    expect("none in their ways" in orrery.run("compare", "--first", *recordings), True, "the report")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
