"""Errors of heap memory and leaks, against Memcheck."""
import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = schema.load("errors")

KINDS = {"InvalidRead": "invalid_read", "InvalidWrite": "invalid_write", "InvalidFree": "invalid_free", "MismatchedFree": "mismatched_free",
         "SyscallParam": "invalid_argument"}
LEAKS = {"Leak_DefinitelyLost": "definite", "Leak_IndirectlyLost": "indirect", "Leak_PossiblyLost": "possible"}
RELATIONS = {"after": "behind", "inside": "inside", "before": "before"}


def build(folder, source, *flags):
    program = pathlib.Path(folder) / (pathlib.Path(source).stem + "".join(flags).replace("-", "_").replace("/", "_"))
    compiler = "g++" if source.endswith("cc") else "gcc"
    subprocess.run([compiler, "-g", "-fno-builtin", "-w", *flags, "-o", program, HERE / "broken" / source, "-lpthread"], check=True)
    return program


def own_line(frames, source):
    """The innermost line of the program's own source."""
    return next((int(line) for file, line in frames if file == source and line), None)


def memchecks(program, source, *words):
    """(kind, line, relation, distance, size, line of the allocation, line of the release) of each error, and {(kind, line): (bytes, blocks)} of leaks."""
    out = pathlib.Path(str(program) + ".xml")
    subprocess.run(["valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible", "--track-origins=no", "--undef-value-errors=no",
                    "--leak-check-heuristics=none", "--vex-guest-chase=no", "--xml=yes", f"--xml-file={out}", program, *words], capture_output=True)
    errors, leaks = [], {}
    for error in xml.etree.ElementTree.parse(out).getroot().iter("error"):
        stacks = [[(frame.findtext("file"), frame.findtext("line")) for frame in stack] for stack in error.iter("stack")]
        kind, lines = error.findtext("kind"), [own_line(stack, source) for stack in stacks]
        if kind in LEAKS:
            direct = re.search(r"\(([\d,]+) direct", error.findtext("xwhat/text"))
            size = int(direct[1].replace(",", "") if direct else error.findtext("xwhat/leakedbytes"))
            blocks = int(error.findtext("xwhat/leakedblocks"))
            before = leaks.get((LEAKS[kind], lines[0]), (0, 0))
            leaks[LEAKS[kind], lines[0]] = (before[0] + size, before[1] + blocks)
            continue
        told = re.search(r"([\d,]+) bytes (after|inside|before) a block of size ([\d,]+) (alloc'd|free'd)", error.findtext("auxwhat") or "")
        place = ()
        if told:
            freed = told[4] == "free'd"
            place = (RELATIONS[told[2]], *(int(told[at].replace(",", "")) for at in (1, 3)), lines[2] if freed else lines[1], lines[1] if freed else None)
        errors.append((KINDS[kind], lines[0], *place))
    return errors, leaks


def errors_of(orrery, expect, recording, undefined=False):
    """Those of accesses and releases, or those of undefined values."""
    found = json.loads(orrery.run("show", "errors", recording, "--all", "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    found["errors"] = [error for error in found["errors"] if error["kind"].startswith("undefined") == undefined]
    return found


def ours(found, source):
    def line_at(place):
        return own_line([(pathlib.Path(frame.get("file", "")).name, frame.get("line")) for frame in place["stack"]], source)
    errors, leaks = [], {}
    for error in found["errors"]:
        # A second release is, to Memcheck, an invalid one.
        kind = "invalid_free" if error["kind"] == "double_free" else error["kind"]
        place = ()
        if block := error.get("block"):
            place = (block["relation"], block["distance"], block["size_bytes"], line_at(block["made"]), line_at(block["gone"]) if "gone" in block else None)
        errors.append((kind, line_at(error["at"]), *place))
    for leak in found["leaks"]:
        if leak["kind"] != "reachable":
            key = leak["kind"], line_at(leak["first"])
            before = leaks.get(key, (0, 0))
            leaks[key] = (before[0] + leak["bytes"], before[1] + leak["blocks"])
    return errors, leaks


# What Memcheck does not tell: by default it lets aligned reads run over the end of a block.
BEYOND_MEMCHECK = {"reads_across_the_end": [("invalid_read", "behind", 0, 10)]}

# Of these the kinds and lines count, not the pieces.
BY_LINE = (
    # Memcheck has functions of its own for these, which copy byte by byte or word by word.
    "copies_too_much", "terminates_behind", "formats_too_much", "appends_too_much", "moves_too_much", "sets_too_much", "prints_what_was_freed",
    # The C library changes a FILE's members in place, which is one write and to Memcheck a read first; and to it two.
    "closes_a_file_twice",
    # A copy of vectors is one to Memcheck for each half.
    "copies_a_struct_that_is_gone",
    # The first byte that nobody may touch counts, not where the access begins.
    "writes_across_the_end")


def reports(orrery, expect, program, name, source):
    """Memcheck's errors and leaks, and ours, as far as they can be compared."""
    wanted_errors, wanted_leaks = memchecks(program, source, name)
    errors, leaks = ours(errors_of(orrery, expect, orrery.record([program, name], status=None)), source)
    if more := BEYOND_MEMCHECK.get(name):
        expect([(error[0], *error[2:5]) for error in errors if error not in wanted_errors], more, f"{name}: beyond Memcheck")
        errors = [error for error in errors if error in wanted_errors]
    if name in BY_LINE:
        errors, wanted_errors = (sorted({error[:2] for error in each}, key=str) for each in (errors, wanted_errors))
    # Where Memcheck knows no block, what we say of one is beyond it.
    errors = [error[:2] if len(wanted) == 2 else error for error, wanted in zip(errors, wanted_errors)] + errors[len(wanted_errors):]
    if name == "damages_the_next" or any(error[0] == "invalid_free" for error in wanted_errors):
        leaks = wanted_leaks  # the C library ends the program there, natively
    return (errors, leaks), (wanted_errors, wanted_leaks)


def compare_with_memcheck(orrery, expect, source):
    """Each error of heap memory has Memcheck's kind, line, distance to its block, and lines of its allocation and release; leaks are its leaks."""
    different = []
    for flags in (("-O0",), ("-O2",)):
        program = build(orrery.home, source, *flags)
        for name in subprocess.run([program], capture_output=True, text=True, check=True).stdout.split():
            got, wanted = reports(orrery, expect, program, name, source)
            if got != wanted:
                different.append(f"{name} {flags[0]}: {got}, and Memcheck: {wanted}")
    expect("\n".join(different), "", source)


def case_heap_errors(orrery, expect):
    compare_with_memcheck(orrery, expect, "heap_errors.c")


def case_heap_strings(orrery, expect):
    compare_with_memcheck(orrery, expect, "heap_strings.c")


def case_heap_structs(orrery, expect):
    compare_with_memcheck(orrery, expect, "heap_structs.c")


def case_heap_objects(orrery, expect):
    compare_with_memcheck(orrery, expect, "heap_objects.cc")


UNDEFINED = {"UninitCondition": "undefined_jump", "UninitValue": "undefined_address", "SyscallParam": "undefined_argument"}


def memchecks_undefined(program, source, *words):
    """{(kind, line)} of the uses of undefined values that Memcheck tells of."""
    out = pathlib.Path(str(program) + ".xml")
    subprocess.run(["valgrind", "-q", "--leak-check=no", "--expensive-definedness-checks=yes", "--xml=yes", f"--xml-file={out}", program, *words],
                   capture_output=True)
    return {(UNDEFINED[error.findtext("kind")], own_line([(frame.findtext("file"), frame.findtext("line")) for frame in error.find("stack")], source))
            for error in xml.etree.ElementTree.parse(out).getroot().iter("error") if error.findtext("kind") in UNDEFINED}


def case_undefined_values(orrery, expect):
    """Undefined values that decide have Memcheck's kinds and lines; what only copies or masks them is no error."""
    source = "undefined_values.c"
    for flags in (("-O0",), ("-O2",)):
        program = build(orrery.home, source, *flags)
        for name in subprocess.run([program], capture_output=True, text=True, check=True).stdout.split():
            recording = orrery.record([program, name], status=None)
            orrery.run("collect", recording, "-l", "undefined")
            found = errors_of(orrery, expect, recording, undefined=True)
            got = {(error["kind"], own_line([(pathlib.Path(frame.get("file", "")).name, frame.get("line")) for frame in error["at"]["stack"]], source))
                   for error in found["errors"]}
            expect(got, memchecks_undefined(program, source, name), f"{name} {flags}")


def line_of(source, words):
    return next(number for number, line in enumerate((HERE / "broken" / source).read_text().splitlines(), 1) if words in line)


def case_forked_heap_errors(orrery, expect):
    """A forked process has its parent's blocks, and makes its own errors."""
    source = "forked_heap.c"
    found = errors_of(orrery, expect, orrery.record([build(orrery.home, source, "-O1")]))
    expect([each["heap"] for each in found["programs"]], ["checked", "checked"], "programs")
    expect([(each["process"], each["line"], each["block"]["relation"], each["block"]["distance"], each["block"]["size_bytes"]) for each in found["errors"]],
           [(1, line_of(source, "IN THE CHILD"), "inside", 8, 40), (1, line_of(source, "OF ITS OWN"), "behind", 0, 70)], "errors")


def case_borrowed_heap(orrery, expect):
    """Blocks of a vforked child, which has its parent's memory, are no errors of the parent's."""
    found = errors_of(orrery, expect, orrery.record([build(orrery.home, "borrowed_heap.c", "-O1")]))
    expect([(each["process"], each["kind"], each["line"]) for each in found["errors"] if each["process"] == 0], [], "errors")


def case_mismatched_frees(orrery, expect):
    """A block given back by another kind of function than gave it has Memcheck's kind, line, block and line of the allocation."""
    source = "mismatched_free.cc"
    program = build(orrery.home, source, "-O1")
    for name in subprocess.run([program], capture_output=True, text=True, check=True).stdout.split():
        wanted, _ = memchecks(program, source, name)
        errors, _ = ours(errors_of(orrery, expect, orrery.record([program, name])), source)
        expect([error[:5] for error in errors], [error[:5] for error in wanted], name)
        expect(len(errors), 0 if name == "matches" else 1, f"{name}: how many")


def case_why_heap(orrery, expect):
    """why names what damaged the heap when the C library finds it damaged, and what the pointer was that it was given."""
    program = build(orrery.home, "heap_errors.c", "-O0")
    for name, category, words in (
            ("frees_twice", "double_free", "freed a block of 3000 bytes a second time"),
            ("frees_inside", "invalid_free", "where no block begins"),
            ("damages_the_next", "heap_overrun", "right behind a block of 24 bytes")):
        recording = orrery.record([program, name], status=None)
        why = json.loads(orrery.run("why", recording, "--json", status=1))
        expect(why["category"], category, name)
        expect(words in " ".join(why["sentences"]), True, f"{name}: {why['sentences']}")
    expect(why["place"]["line"], line_of("heap_errors.c", "write_longs(char* at") + 1, "the line that did the damage")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
