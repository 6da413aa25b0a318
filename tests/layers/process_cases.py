"""The control block of a process, against what the kernel answers the program itself, and /proc/self."""
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = schema.load("process")


def points(text):
    """What the program says at its points: names to values, actions and limits by number, and the lists of /proc."""
    found, now = {}, None
    for line in text.splitlines():
        words = line.split()
        if line.startswith("point "):
            now = found[int(words[1])] = {"action": {}, "limit": {}, "status": {}, "limits": {}}
        elif now is None or not words:
            continue
        elif words[0] in ("action", "limit"):
            now[words[0]][int(words[1])] = [int(word, 16) for word in words[2:]]
        elif match := re.match(r"(\w+):\t(.*)", line):
            now["status"][match[1]] = match[2]
        elif match := re.match(r"Max (.*?) {2,}(\S+) +(\S+)", line):
            now["limits"][match[1]] = [2**64 - 1 if word == "unlimited" else int(word) for word in match.groups()[1:]]
        else:
            now[words[0]] = words[1:]
    return found


FLAGS = {1: "SA_NOCLDSTOP", 2: "SA_NOCLDWAIT", 4: "SA_SIGINFO", 0x08000000: "SA_ONSTACK", 0x10000000: "SA_RESTART", 0x40000000: "SA_NODEFER",
         0x80000000: "SA_RESETHAND"}


def check_block(expect, block, said):
    expect([block["pid"], block["parent_pid"], block["group"], block["session"]],
           [int(said[name][0]) for name in ("pid", "parent", "group", "session")], "ids of process, parent, group, session")
    expect((block["users"], block["groups"]), ([int(w) for w in said["users"]], [int(w) for w in said["groups"]]), "users and groups")
    expect((block["umask"], block["directory"]), (int(said["umask"][0]), said["directory"][0]), "umask and directory")
    expect((block["dumpable"], block["no_new_privileges"]), (said["dumpable"] == ["1"], said["no_new_privileges"] == ["1"]), "flags")
    leader = block["tasks"][0]
    expect((leader["task"], leader["name"], leader["state"]), (block["pid"], said["name"][0], "running"), "the thread that asks")
    expect(leader["blocked_signals"], int(said["mask"][0], 16), "its mask")
    expect(leader["pending_signals"] | block["pending_signals"], int(said["pending"][0], 16), "what is pending")
    alternate = leader["alternate_stack"] or {"start": 0, "bytes": 0}
    expect((alternate["start"], alternate["bytes"]), (int(said["alternate"][0], 16), int(said["alternate"][1])), "its alternate stack")
    actions = {each["signal"]: each for each in block["signals"] if each["action"] != "default"}
    expect(sorted(actions), sorted(said["action"]), "signals with an action")
    for number, (handler, flags, mask) in said["action"].items():
        each = actions[number]
        expect((each["handler"] or 1, each["mask"]), (handler, mask), f"the action of {each['name']}")
        expect(each["flags"], "|".join(FLAGS[bit] for bit in FLAGS if flags & bit) or "0", f"flags of {each['name']}")
    expect({number: [each["soft"], each["hard"]] for number, each in enumerate(block["limits"])}, said["limit"], "limits")
    status = said["status"]
    expect([int(status["Threads"]), status["Name"]], [len(block["tasks"]), leader["name"]], "threads and name of /proc/self/status")
    for name, value in (("SigBlk", leader["blocked_signals"]), ("SigPnd", leader["pending_signals"]), ("ShdPnd", block["pending_signals"]),
                        ("SigIgn", sum(1 << n - 1 for n, each in actions.items() if each["action"] == "ignored")),
                        ("SigCgt", sum(1 << n - 1 for n, each in actions.items() if each["action"] == "handled"))):
        expect(value, int(status[name], 16), f"{name} of /proc/self/status")
    expect([block["users"], block["groups"]], [[int(w) for w in status[name].split()[:3]] for name in ("Uid", "Gid")], "its Uid and Gid")
    names = {each["sentence"]: [each["soft"], each["hard"]] for each in block["limits"]}
    for name in ("open files", "core file size", "stack size", "pending signals", "locked memory"):
        expect(names[name], said["limits"][name], f"{name} of /proc/self/limits")


def case_block(orrery, expect):
    """Two processes at a point each: all that the kernel answers the program about itself, and that it answers so natively."""
    program = orrery.home / "block"
    subprocess.run(["gcc", "-g", "-O1", "-o", program, HERE / "block.c", "-lpthread"], check=True)
    natively = points(subprocess.run([program], capture_output=True, text=True, cwd=orrery.home, env=orrery.environment).stdout)
    recording = orrery.record([program])
    text = orrery.run("replay", "-a", recording)
    said = points(text)
    expect(sorted(said), [1, 2], "points")
    for point, process in ((1, "#0"), (2, "#1")):
        block = json.loads(orrery.run("show", "process", recording, "-p", process, "--at", "seen", "--json"))
        expect(list(schema.problems(block, SCHEMA, SCHEMA)), [], "the schema")
        check_block(expect, block, said[point])
        # The numbers of processes, and where the program lies, are the run's own.
        for name in ("users", "groups", "umask", "directory", "dumpable", "no_new_privileges", "name", "mask", "pending", "limit"):
            expect(said[point][name], natively[point][name], f"{name} at point {point}, as natively")
        for number, action in natively[point]["action"].items():
            expect(said[point]["action"][number][1:], action[1:], f"action of signal {number}, as natively")
        states = {each["process"]: each["state"] for each in block["tree"]}
        expect(states, {0: "lives", 1: "not yet" if point == 1 else "lives"}, "the tree at that time")
    waiter = block["tasks"][1]
    thread = int(re.search(r"^thread (\d+)$", text, re.M)[1])
    expect((waiter["task"], waiter["name"], waiter["state"]), (thread, "waiter", "blocked"), "the other thread")
    expect(waiter["call"].startswith("rt_sigtimedwait([USR2]"), True, f"what it waits in: {waiter['call']}")
    expect({each["name"]: each["function"] for each in block["signals"] if each["action"] == "handled" and each["signal"] < 32},
           {"SIGUSR1": "on_usr1", "SIGINT": "on_int"}, "handlers by name")
    state = lambda field, process: [(row["call"], row["value"]) for row in orrery.rows(
        recording, f"SELECT call, value FROM process_state WHERE process = {process} AND field = '{field}' ORDER BY number")]
    expect(state("directory", 1), [("start", str(orrery.home)), ("chdir", "/usr/lib")], "the history of the directory")
    expect(state("limit NOFILE", 1)[1:], [("prlimit64", "100 (hard 200)")], "of a limit")
    expect(state("handler SIGUSR1", 1), [("rt_sigaction", "on_usr1 SA_RESTART")], "of a handler")
    expect(state("handler SIGUSR1", 0), [], "of one that the parent never set")
    expect(state(f"name of {thread}", 1)[-1:], [("prctl", "waiter")], "of the thread's name")
    for words in ("blocks SIGHUP", "on_usr1  SA_RESTART", "open files                           100", "in rt_sigtimedwait([USR2]", "THE TREE OVER TIME"):
        expect(words in orrery.run("show", "process", recording, "-p", "#1", "--at", "seen"), True, f"{words!r} in the report")
    expect("on_usr1 SA_RESTART" in orrery.run("show", "process", recording, "--history"), True, "the history's report")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
