"""Data races, circles of locks and wrong uses of locks, against Helgrind."""
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = schema.load("races")

# Helgrind knows of no order by atomic variables, pthread_once or the guards of statics, so it may tell of races here; there are none.
ORDERED = {"racy.c": {"release_acquire", "acquire_first", "relaxed", "once"},
           "racy.cc": {"release_acquire", "sequential", "pointer", "flag_lock", "call_once", "static_local", "promise", "barrier", "latch", "semaphore"}}
# A load and a store of a variable that elsewhere is atomic are taken for atomic ones: without optimisation `++` is these two.
TAKEN_FOR_ATOMIC = {("mixed", "-O0")}

# What Helgrind says of wrong uses, and what we do.
MISUSES = {"unlocks_free": ("UnlockBogus", "unlock_free"), "unlocks_others": ("UnlockForeign", "unlock_others"), "destroys_held": ("Misc", "destroy_held"),
           "frees_held": ("Misc", "free_held"), "exits_holding": ("Misc", "exit_holding")}


def build(folder, source, optimisation):
    program = pathlib.Path(folder) / (source.replace(".", "_") + optimisation.replace("-", "_"))
    compiler = ["g++", "-std=c++20"] if source.endswith("cc") else ["gcc"]
    subprocess.run([*compiler, "-g", "-w", optimisation, "-o", program, HERE / "racy" / source, "-lpthread"], check=True)
    return program


def own_line(frames, source):
    """The innermost line of the program's own source."""
    return next((int(line) for file, line in frames if file == source and line), 0)


def helgrinds(program, source, name):
    """The pairs of lines that race, and the kinds of other errors."""
    out = pathlib.Path(f"{program}.{name}.xml")
    subprocess.run(["valgrind", "-q", "--tool=helgrind", "--free-is-write=yes", "--xml=yes", f"--xml-file={out}", program, name], capture_output=True)
    races, others = set(), set()
    for error in xml.etree.ElementTree.parse(out).getroot().iter("error"):
        stacks = [[(frame.findtext("file"), frame.findtext("line")) for frame in stack] for stack in error.iter("stack")]
        if error.findtext("kind") == "Race":
            races.add(tuple(sorted(own_line(stack, source) for stack in stacks[:2])))
        else:
            others.add(error.findtext("kind"))
    # Of some it does not know the other access any more.
    return {race for race in races if len(race) == 2 or not any(race[0] in other for other in races if len(other) == 2)}, others


def races_of(orrery, expect, recording):
    found = json.loads(orrery.run("show", "races", recording, "--json"))
    expect(list(schema.problems(found, SCHEMA, SCHEMA)), [], "the schema")
    expect([each["state"] for each in found["programs"]], ["checked"], "programs")
    return found


def ours(found, source):
    def line_at(place):
        return own_line([(pathlib.Path(frame.get("file", "")).name, frame.get("line")) for frame in place["stack"]], source)
    return {tuple(sorted((line_at(race["first"]), line_at(race["second"])))) for race in found["races"]}


def compare(orrery, expect, source, optimisation):
    program = build(orrery.home, source, optimisation)
    for name in subprocess.run([program], capture_output=True, text=True, check=True).stdout.split():
        wanted, others = helgrinds(program, source, name)
        found = races_of(orrery, expect, orrery.record([program, name], status=None))
        if name in ORDERED[source] or (name, optimisation) in TAKEN_FOR_ATOMIC:
            wanted = set()
        expect(ours(found, source), wanted, f"{name} {optimisation}: races")
        expect(bool(found["orders"]), "LockOrder" in others, f"{name} {optimisation}: circles of locks")
        misuses = [each["misuse"]["kind"] for each in found["misuses"]]
        theirs, kind = MISUSES.get(name, (None, None))
        expect(misuses, [kind] if kind else [], f"{name} {optimisation}: wrong uses of locks")
        expect(theirs is None or theirs in others, True, f"{name} {optimisation}: Helgrind's {others}")


def case_races_c(orrery, expect):
    """Threads in C race, and misuse locks, on the lines that Helgrind says; where it is wrong, not."""
    compare(orrery, expect, "racy.c", "-O0")


def case_races_c_optimised(orrery, expect):
    compare(orrery, expect, "racy.c", "-O2")


def case_races_cc(orrery, expect):
    """Those of C++, with all that it has to order them."""
    compare(orrery, expect, "racy.cc", "-O0")


def case_races_cc_optimised(orrery, expect):
    compare(orrery, expect, "racy.cc", "-O2")


def line_of(words):
    return next(number for number, line in enumerate((HERE / "racy" / "racy.c").read_text().splitlines(), 1) if words in line)


def case_race_objects(orrery, expect):
    """What was raced for, the locks that were held, and where the lock was taken that another waits for."""
    program = build(orrery.home, "racy.c", "-O0")
    race = races_of(orrery, expect, orrery.record([program, "wrong_lock"]))["races"][0]["race"]
    expect((race["object"], {race["first_locks"], race["second_locks"]}, race["missing"]),
           ("counter", {"one", "other"}, "both hold locks, but none in common"), "a variable")
    found = races_of(orrery, expect, orrery.record([program, "heap_block"]))["races"][0]
    expect((found["race"]["object"], found["made"]["stack"][0]["line"]), ("byte 32 of a block of 80 bytes", line_of("malloc(10 *")), "a block")
    orders = races_of(orrery, expect, orrery.record([program, "three_orders"]))["orders"]
    expect([(each["order"]["held"], each["order"]["wanted"]) for each in orders], [("one", "other"), ("other", "third"), ("third", "one")], "a circle")
    expect([each["wanted"]["stack"][1]["function"] for each in orders], ["three_orders"] * 3, "who took them")
    text = orrery.run("show", "races", orrery.record([program, "exits_holding"]))
    expect("Ends and holds one" in text, True, text)


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
