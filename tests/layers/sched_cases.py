"""Threads over time: what `orrery show sched` says against what the program notes of its own waits, against strace of a native run, and
against what the program was built to do."""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "campaigns"))
import schema

MS = 1_000_000


def build(folder):
    program = pathlib.Path(folder) / "turns"
    subprocess.run(["gcc", "-g", "-O1", "-o", program, HERE / "turns.c", "-pthread"], check=True)
    return program


def recorded(orrery):
    recording = orrery.record([build(orrery.home)])
    said = [(what, int(tid), int(ns)) for what, tid, ns in re.findall(r"^(\w+) (\d+) (\d+)$", orrery.run("replay", "-a", recording), re.M)]
    return recording, said


def case_waits(orrery, expect):
    """Every wait lasted as long as the program itself measured, and was for what it waited for."""
    recording, said = recorded(orrery)
    expect(len(said), 12, "waits that the program noted")
    reasons = {"lock": ("lock", "held_lock"), "join": ("thread", None), "pipe": ("pipe", None), "barrier": ("condition", None),
               "answer": ("pipe", None), "child": ("child", None)}
    rows = orrery.rows(recording, "SELECT * FROM task_stretch ORDER BY task, begin_ns")
    used = set()
    for what, tid, ns in said:
        reason, name = reasons[what]
        lane = [i for i, row in enumerate(rows) if row["task"] == tid]
        mine = [i for i in lane if rows[i]["reason"] == reason and i not in used]
        if what == "barrier" and ns < 5 * MS:
            continue  # who comes last does not wait
        expect(len(mine) > 0, True, f"a wait for {what} of {tid}")
        at = mine[0]
        used.add(at)
        lasted = rows[at]["end_ns"] - rows[at]["begin_ns"]
        if rows[at + 1]["state"] == "ready" and rows[at + 1]["task"] == tid:
            lasted += rows[at + 1]["end_ns"] - rows[at + 1]["begin_ns"]
        # The program's own measure has the calls of the clock in it, and switches of the machine.
        expect(lasted <= ns + MS and lasted >= ns * 0.9 - 3 * MS, True, f"{what} of {tid}: {lasted} ns, the program says {ns}")
        if name:
            expect(rows[at]["object"], name, f"what {what} waited for")


def case_locks(orrery, expect):
    """A lock held three times for 30 ms: who held it, where both stood, and who woke whom."""
    recording, _ = recorded(orrery)
    threads = {row["name"]: row["task"] for row in orrery.rows(recording, "SELECT name, task FROM task")}
    lock = orrery.rows(recording, "SELECT * FROM lock_contention WHERE reason = 'lock'")
    expect([(row["name"], row["waits"], row["waiters"], row["owner"]) for row in lock], [("held_lock", 3, 1, threads["holder"])], "locks")
    waits = orrery.rows(recording, "SELECT * FROM lock_wait WHERE owner IS NOT NULL AND address = %d" % lock[0]["address"])
    expect([(row["task"], row["owner"], row["woken_by"]) for row in waits], [(threads["taker"], threads["holder"], threads["holder"])] * 3, "waits")
    for row in waits:
        expect("taker (turns.c:" in row["stack"] and "holder (turns.c:" in row["owner_stack"], True, f"stacks {row}")
        expect(row["end_ns"] - row["begin_ns"] >= 20 * MS, True, f"the wait {row}")
    wakes = orrery.rows(recording, "SELECT by_process, by_task, process, task, how FROM wakeup")
    edges = {(row["by_process"], row["by_task"], row["process"], row["task"], row["how"]) for row in wakes}
    first, second, main = threads["first"], threads["second"], orrery.rows(recording, "SELECT pid FROM process WHERE process = 0")[0]["pid"]
    child = orrery.rows(recording, "SELECT pid FROM process WHERE process = 1")[0]["pid"]
    for edge in ((0, first, 0, second, "write"), (0, threads["holder"], 0, main, "exit"), (1, child, 0, main, "write"), (1, child, 0, main, "exit")):
        expect(edge in edges, True, f"the wake {edge}")
    ends = orrery.rows(recording, "SELECT count(*) AS n FROM task_stretch WHERE ending = 'exited'")[0]["n"]
    expect(ends, 6, "threads that ended")


def straces_waits(text):
    """Of calls that took 8 ms or more: how many of each, and their sum in ms."""
    sums = {}
    for name, seconds in re.findall(r"(?:^|[ >])(\w+)(?:\(| resumed>).*<(\d+\.\d+)>$", text, re.M):
        if float(seconds) >= 0.008:
            count, total = sums.get(name, (0, 0))
            sums[name] = (count + 1, total + float(seconds) * 1000)
    return sums


def case_sched_strace(orrery, expect):
    """The same long waits, by call, as strace -f -T sees in a native run."""
    program = build(orrery.home)
    log = orrery.home / "strace"
    subprocess.run(["strace", "-f", "-T", "-qq", "-e", "signal=none", "-o", log, program], check=True, stdout=subprocess.DEVNULL)
    native = straces_waits(log.read_text())
    recording, _ = recorded(orrery)
    rows = orrery.rows(recording, "SELECT call, count(*) AS n, sum(end_ns - begin_ns) AS ns FROM task_stretch WHERE end_ns - begin_ns >= 8000000 "
                       "AND call IN ('futex', 'clock_nanosleep', 'read') GROUP BY call")
    for row in rows:
        count, total = native[row["call"]]
        expect(abs(row["n"] - count) <= 1, True, f"long waits in {row['call']}: {row['n']}, strace {count}")
        # By the program's sleeps; a busy host makes either run longer.
        least = {"clock_nanosleep": 270, "futex": 140, "read": 50}[row["call"]]
        expect(row["ns"] / MS >= least and total >= least, True, f"sum of {row['call']}: {row['ns'] / MS} ms, strace {total}")


def case_spinning(orrery, expect):
    """Two threads that yield to each other: their turns are merged, and none is lost."""
    yields = 50_000
    program = pathlib.Path(orrery.home) / "yielding"
    program.with_suffix(".c").write_text(SPINNING.replace("YIELDS", str(yields)))
    subprocess.run(["gcc", "-g", "-O1", "-pthread", "-o", program, program.with_suffix(".c")], check=True)
    recording = orrery.record([program])
    for task in orrery.rows(recording, "SELECT * FROM task"):
        rows = orrery.rows(recording, f"SELECT * FROM task_stretch WHERE task = {task['task']} ORDER BY begin_ns, end_ns")
        expect(all(left["end_ns"] == right["begin_ns"] for left, right in zip(rows, rows[1:])), True, f"no holes in {task}")
        expect(task["running_ns"] + task["ready_ns"] + task["blocked_ns"], task["end_ns"] - task["begin_ns"], f"sums of {task}")
        expect(abs(task["yields"] - yields) <= 100, True, f"turns of {task}")
        expect(len(rows) < 2000, True, f"{len(rows)} stretches of {task}")
        merged = [row["turns"] for row in rows if row["turns"] > 1]
        expect(merged and max(merged) == 1024, True, "blocks of 1024 turns")


SPINNING = """
#include <pthread.h>
#include <sched.h>
static volatile int done;
static void* spin(void* unused) {
  for (long i = 0; i < YIELDS; ++i) sched_yield();
  done = 1;
  return 0;
}
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, spin, 0);
  while (!done) sched_yield();
  pthread_join(thread, 0);
}
"""


def case_lanes(orrery, expect):
    """The lanes have no holes, the report and its JSON say the same, the critical path is as long as its span."""
    recording, _ = recorded(orrery)
    for task in orrery.rows(recording, "SELECT * FROM task"):
        rows = orrery.rows(recording, f"SELECT * FROM task_stretch WHERE process = {task['process']} AND task = {task['task']} ORDER BY begin_ns, end_ns")
        expect(rows[0]["begin_ns"] == task["begin_ns"] and rows[-1]["end_ns"] == task["end_ns"], True, f"ends of {task}")
        expect(all(left["end_ns"] == right["begin_ns"] for left, right in zip(rows, rows[1:])), True, f"no holes in {task}")
        expect(task["running_ns"] + task["ready_ns"] + task["blocked_ns"], task["end_ns"] - task["begin_ns"], f"sums of {task}")
    overlaps = orrery.rows(recording, "SELECT count(*) AS n FROM task_stretch AS a JOIN task_stretch AS b ON a.process = b.process AND a.task < b.task "
                           "WHERE a.state = 'running' AND b.state = 'running' AND a.begin_ns < b.end_ns AND b.begin_ns < a.end_ns")[0]["n"]
    expect(overlaps, 0, "threads of one process that run at once")
    document = json.loads(orrery.run("show", "sched", recording, "--path", "--json"))
    wanted = json.loads((HERE.parents[1] / "docs" / "sched.schema.json").read_text())
    expect(list(schema.problems(document, wanted, wanted)), [], "sched.schema.json")
    expect(document["recording"], json.loads(orrery.run("info", recording, "--json"))["timing"], "what recording did to the timing")
    path = document["path"]
    expect(all(left["end_ns"] == right["begin_ns"] for left, right in zip(path, path[1:])), True, "no holes in the path")
    end = max(row["end_ns"] for row in document["threads"] if row["process"] == 0)
    expect(sum(row["end_ns"] - row["begin_ns"] for row in path) - path[-1]["end_ns"] + path[0]["begin_ns"], 0, "the path's length")
    expect(path[-1]["end_ns"] >= end, True, "the path's end")
    timer = sum(row["end_ns"] - row["begin_ns"] for row in path if row["reason"] == "timer")
    expect(timer >= 230 * MS, True, f"sleeps of the holder, the first stage, the last comer and the child on the path ({timer})")
    text = orrery.run("show", "sched", recording)
    for words in ("holder", "held_lock", "held by", "WAITED FOR", "WOKE", "quantum" if "quantum" in text else "blocked"):
        expect(words in text, True, f"{words} in the report")
    now = orrery.rows(recording, "SELECT (begin_ns + end_ns) / 2 AS t FROM lock_wait WHERE owner IS NOT NULL ORDER BY begin_ns LIMIT 1")[0]["t"]
    shown = orrery.run("show", "sched", recording, "--at", f"{now / 1e9}s")
    expect(bool(re.search(r"blocked .* lock held_lock \(futex\), held by \d+; woken .* later by #0 \d+", shown)), True, f"show sched --at: {shown}")
    pftrace = orrery.home / "trace"
    orrery.run("export", recording, "--perfetto", "-o", pftrace)
    wakes = orrery.rows(recording, "SELECT count(*) AS n FROM wakeup")[0]["n"]
    expect(pftrace.read_bytes().count(b"wakes by ") >= wakes and os.path.getsize(pftrace) > 1000, True, "arrows in the Perfetto trace")


def case_objects(orrery, expect):
    """glibc's objects: one each, by name, with who holds it for writing; switches as often as Linux counts them natively."""
    program = pathlib.Path(orrery.home) / "objects"
    subprocess.run(["gcc", "-g", "-O1", "-o", program, HERE / "objects.c", "-pthread"], check=True)
    said = lambda text: {who: (int(task), int(count)) for who, task, count in re.findall(r"^(\w+) (\d+) (-?\d+)$", text, re.M)}
    native = said(subprocess.run([program], capture_output=True, text=True).stdout)
    recording = orrery.record([program])
    mine = said(orrery.run("replay", "-a", recording))
    writer, reader = mine["writer"][0], mine["reader"][0]
    waits = orrery.rows(recording, "SELECT lock_contention.name, lock_contention.reason, task, lock_wait.owner, (end_ns - begin_ns) / 1000000 AS ms FROM lock_wait "
                        "JOIN lock_contention USING (process, address) WHERE end_ns - begin_ns > 3000000 ORDER BY begin_ns")
    found = [(row["name"], row["reason"], row["task"], row["owner"]) for row in waits if row["reason"] != "thread"]
    expect(found, [("guarded+8", "lock", reader, writer), ("guarded+8", "lock", writer, None), ("posted", "semaphore", writer, None),
                   ("changed", "condition", writer, None), ("changed", "condition", writer, None), ("together", "condition", writer, None)], "what was waited for")
    expect(12 <= waits[0]["ms"] <= 28, True, f"how long the reader waited: {waits[0]}")
    stacks = orrery.rows(recording, "SELECT stack, owner_stack FROM lock_wait WHERE owner IS NOT NULL ORDER BY begin_ns")
    expect("main (objects.c:" in stacks[0]["stack"] and "writer (objects.c:" in stacks[0]["owner_stack"], True, f"stacks {stacks[0]}")
    blocks = {row["task"]: row["blocks"] for row in orrery.rows(recording, "SELECT task, blocks FROM task")}
    for who, task in (("writer", writer), ("reader", reader)):
        # Natively a lock or the terminal's pipe may add a few, or spare them: by who comes first on a busy machine.
        expect(-6 <= native[who][1] - blocks[task] <= 6, True, f"switches of {who}: {blocks[task]}, natively {native[who][1]}")


CASES = {"objects": case_objects, "waits": case_waits, "locks": case_locks, "sched_strace": case_sched_strace, "lanes": case_lanes, "spinning": case_spinning}
