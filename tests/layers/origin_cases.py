"""Where values came from: the lines that the source says, at two levels of optimisation."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parent / "origins" / "values.c"
SCHEMA = schema.load("reports")


def line_of(words):
    return next(number for number, line in enumerate(SOURCE.read_text().splitlines(), 1) if words in line)


def origin(orrery, expect, recording, expression, *words):
    document = json.loads(orrery.run("origin", expression, recording, *words, "--json"))
    expect(list(schema.problems(document, SCHEMA["$defs"]["origin"], SCHEMA))[:5], [], "the schema")
    return document["steps"]


def build(orrery, flags):
    program = orrery.home / f"values{flags}"
    subprocess.run(["gcc", "-g", flags, "-fno-builtin", "-o", program, SOURCE, "-lpthread"], check=True)
    return program


def case_origin(orrery, expect):
    """From the use to what made it: a block three copies and a thread away, the kernel, constants, addresses, products."""
    wanted = {
        "use_after_free": ("allocated", "IT IS MADE"), "from_the_kernel": ("system_call", None), "constant": ("constant", "THE CONSTANT"),
        "address_of_text": ("address", "THE ADDRESS"), "computed": ("computed", "THE PRODUCT"),
    }
    for flags in ("-O0", "-O2"):
        program = build(orrery, flags)
        for how, (kind, words) in wanted.items():
            recording = orrery.record([program, how])
            steps = origin(orrery, expect, recording, "rdi", "--at", "check")
            expect(steps[-1]["kind"], kind, f"{how} at {flags}")
            if words:
                expect(steps[-1]["line"], line_of(words), f"{how} at {flags}")
            if how == "use_after_free":
                stored = {step["line"] for step in steps if pathlib.Path(step["file"]).name == "values.c"}
                expect({line_of(words) for words in ("THE THREAD STORES IT", "THE FIRST COPY", "THE THIRD COPY")} - stored, set(), "the copies")
                expect(len({step["task"] for step in steps}), 2, "threads")
                expect("--- task" in orrery.run("origin", "rdi", recording, "--at", "check"), True, "the report")
            if how == "from_the_kernel":
                event = orrery.rows(recording, "SELECT event FROM call WHERE text LIKE 'read(%abcdefgh%' ")
                expect([row["event"] for row in event], [steps[-1]["event"]], "the event that answered")


def case_origin_variables(orrery, expect):
    """Variables and addresses by name; what is asked for wrongly; and a value made millions of accesses ago."""
    program = build(orrery, "-O0")
    recording = orrery.record([program, "use_after_free"])
    steps = origin(orrery, expect, recording, "pointer", "--at", "check")
    expect((steps[-1]["kind"], steps[-1]["line"]), ("allocated", line_of("IT IS MADE")), "the variable")
    orrery.run("origin", "nothing_of_that_name", recording, status=69)
    orrery.run("origin", "0x4000:99", recording, status=69)
    steps = origin(orrery, expect, orrery.record([program, "long_ago"]), "rdi", "--at", "check")
    expect((steps[-1]["kind"], steps[-1]["line"]), ("allocated", line_of("IT IS MADE")), "long ago")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
