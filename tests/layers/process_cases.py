"""The control block of a process, against what the kernel answers the program itself, and /proc/self."""
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "campaigns"))
import schema  # noqa: E402

import programs

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


OTHERS = r"""
#define _GNU_SOURCE
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) void seen(int number) { __asm__ volatile("" : : "r"(number)); }
static void tell(int end) { if (write(end, "x", 1) != 1) _exit(1); }
static void await(int end) { char word; if (read(end, &word, 1) != 1) _exit(1); }
int main(void) {
  int down[2], up[2];
  if (pipe(down) != 0 || pipe(up) != 0) return 1;
  const gid_t groups[] = {7, 4711, 100};
  const int may_set = setgroups(3, groups) == 0;
  const pid_t child = fork();
  if (child == 0) {
    await(down[0]);
    printf("child %d %d\n", getpid(), getpgrp()), fflush(stdout);
    seen(1);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      printf("grandchild %d %d\n", getpid(), getpgrp()), fflush(stdout);
      seen(2);
      _exit(0);
    }
    waitpid(grandchild, 0, 0);
    tell(up[1]);
    await(down[0]);
    _exit(3);
  }
  setpgid(child, 0);
  tell(down[1]);
  await(up[0]);
  tell(down[1]);
  siginfo_t ended;
  waitid(P_PID, child, &ended, WEXITED | WNOWAIT);
  char line[100];
  FILE* status;
  snprintf(line, sizeof line, "/proc/%d/stat", child);
  status = fopen(line, "r");
  char state = 0;
  if (status && fscanf(status, "%*d %*s %c", &state) == 1) printf("state %c %d\n", state, may_set);
  fflush(stdout);
  seen(3);
  waitpid(child, 0, 0);
  seen(4);
  return 0;
}
"""


def case_process_others(orrery, expect):
    """What other processes change: a child's group that its parent sets, and its child's; a zombie; supplementary groups that a child has from its parent."""
    program = programs.build(orrery.home, "others", OTHERS)
    recording = orrery.record([program])
    text = orrery.run("replay", "-a", recording)
    said = {line.split()[0]: line.split()[1:] for line in text.splitlines()}
    expect(said["child"][0], said["child"][1], "the child leads its group")
    at = lambda process, word: json.loads(orrery.run("show", "process", recording, "-p", process, "--at", word, "--json"))
    for process, word, name in (("#1", "seen:1", "child"), ("#2", "seen:1", "grandchild")):
        block = at(process, word)
        expect(list(schema.problems(block, SCHEMA, SCHEMA)), [], "the schema")
        expect([block["pid"], block["group"]], [int(each) for each in said[name]], f"the group of the {name}")
        if said["state"][1] == "1":
            expect(block["supplementary_groups"], [7, 4711, 100], "its supplementary groups")
    zombie = {each["process"]: each["state"] for each in at("#0", "seen:1")["tree"]}
    expect((said["state"][0], zombie[1]), ("Z", "zombie"), "a child that has ended and was not waited for")
    expect({each["process"]: each["state"] for each in at("#0", "seen:2")["tree"]}[1], "ended", "one that was")
    rows = orrery.rows(recording, "SELECT process, value, call, task FROM process_state WHERE field = 'group' AND process = 1 ORDER BY number")
    expect([(row["value"], row["call"]) for row in rows[-1:]], [(said["child"][0], "setpgid")], "who set the child's group")


INHERITED = r"""
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
static void copy_out(const char* path, const char* name) {
  char line[300];
  FILE* from = fopen(path, "r");
  while (from && fgets(line, sizeof line, from)) printf("%s %s", name, line);
}
int main(void) {
  static const char* const kNames[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
  copy_out("/proc/self/status", "status");
  copy_out("/proc/self/cgroup", "cgroup");
  copy_out("/proc/self/oom_score_adj", "oom");
  printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
  for (int at = 0; at < 8; ++at) {
    char path[60], target[100] = "";
    snprintf(path, sizeof path, "/proc/self/ns/%s", kNames[at]);
    if (readlink(path, target, sizeof target - 1) > 0) printf("ns %s %s\n", kNames[at], target);
  }
  return 0;
}
"""


def case_process_inherited(orrery, expect):
    """Groups, capabilities, cgroup, namespaces and scores that a recording began with: what its program reads in /proc, and reads there natively."""
    program = programs.build(orrery.home, "inherited", INHERITED)
    recording = orrery.record([program])
    natively = subprocess.run([program], capture_output=True, text=True).stdout
    for text in (orrery.run("replay", "-a", recording), natively):
        block = json.loads(orrery.run("show", "process", recording, "--json"))
        expect(list(schema.problems(block, SCHEMA, SCHEMA)), [], "the schema")
        status = dict(re.findall(r"^status (\w+):\t(.*)$", text, re.M))
        had = block["at_record"]
        expect(block["supplementary_groups"], [int(word) for word in status["Groups"].split()], "supplementary groups")
        expect(had["capabilities"], {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")}, "capabilities")
        expect(had["cgroup"], re.findall(r"^cgroup (.*)$", text, re.M), "cgroup")
        expect(had["namespaces"], dict(re.findall(r"^ns (\w+) (.*)$", text, re.M)), "namespaces")
        expect((had["oom_score_adj"], had["nice"]), tuple(int(re.search(rf"^{name} (-?\d+)$", text, re.M)[1]) for name in ("oom", "nice")), "scores")
    report = orrery.run("show", "process", recording, "--all")
    for words in ("WHEN THE RECORDING BEGAN", "CapEff", "namespaces", "supplementary groups"):
        expect(words in report, True, f"{words!r} in the report")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
