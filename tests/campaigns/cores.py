#!/usr/bin/env python3
"""Backtraces at random instants, ours beside gdb's: each instant becomes a core file (orrery export --core), gdb reads it, and
its frames of all threads, with the values of arguments and locals, are compared with `orrery show stack`."""
import argparse
import collections
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE / "src"

# What is built, and how: name, source, words of the compiler.
BUILT = [("values-O0", HERE.parent / "layers" / "values.c", ["gcc", "-O0", "-pthread"]),
         ("values-O2", HERE.parent / "layers" / "values.c", ["gcc", "-O2", "-pthread", "-w"]),
         ("objects-O0", SOURCES / "objects.cc", ["g++", "-O0"]),
         ("objects-O2", SOURCES / "objects.cc", ["g++", "-O2"]),
         ("stripped", SOURCES / "through_library.c", ["gcc", "-O2"])]
SYSTEM = [("python3", ["/usr/bin/python3", "-S", "-c", "import json, re; print(sorted(json.dumps({str(i): i * i for i in range(50)}))[:5])"]),
          ("sqlite3", ["/usr/bin/sqlite3", ":memory:", "create table t(a, b); insert into t values (1, 'x'), (2, 'y'); select b, sum(a) from t group by b order by 1;"]),
          ("bash", ["/bin/bash", "--norc", "-c", "f() { local x=$1; [ $x -gt 0 ] && f $((x - 1)) || for i in a b c; do echo $i; done; }; f 6"])]


def build(folder):
    """Returns [(name, words of the command)]."""
    library = folder / "libbetween.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-s", "-o", library, SOURCES / "between.c"], check=True)
    for name, source, words in BUILT:
        link = [f"-L{folder}", "-lbetween", f"-Wl,-rpath,{folder}"] if name == "stripped" else []
        subprocess.run([*words, "-g", "-o", folder / name, source, *link], check=True)
    return [(name, [folder / name]) for name, _, _ in BUILT] + [(name, words) for name, words in SYSTEM if os.path.exists(words[0])]


class Orrery:
    def __init__(self, program, folder):
        self.program = os.path.abspath(program)
        self.environment = {**{key: value for key, value in os.environ.items() if not key.startswith("LD_")}, "XDG_DATA_HOME": str(folder / "data"), "LC_ALL": "C"}

    def run(self, *words):
        return subprocess.run([self.program, *map(str, words)], env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, errors="replace")


def stretches(orrery, recording):
    """[(event, ticks until the task's next event)]; the first process's."""
    events = [json.loads(line) for line in orrery.run("dump", recording, "--json").stdout.splitlines()]
    events = [event for event in events if event["process"] == events[0]["process"]]
    return [(before["event"], after["ticks"] - before["ticks"] if before["task"] == after["task"] else 0) for before, after in zip(events, events[1:])]


def draw(chance, found):
    """Half of the instants by events, half by how much is executed between two."""
    weights = [math.sqrt(ticks) for _, ticks in found]
    event, ticks = chance.choice(found) if chance.random() < 0.5 else chance.choices(found, weights)[0]
    return f"{event}+{chance.randrange(ticks)}+{chance.randrange(12)}" if ticks > 0 else str(event)


def instant(orrery, recording, core, chance, found):
    """A core at a random instant, and what we say of it. Some places are in the way of a system call: another one then."""
    for _ in range(20):
        at = draw(chance, found)
        shown = orrery.run("show", "stack", recording, "--json", "--all", "--at", at)
        if shown.returncode != 0:
            continue
        written = orrery.run("export", recording, "--core", "--at", at, "-o", core)
        if written.returncode == 0:
            return at, json.loads(shown.stdout)
    sys.exit(f"no instant could be reached: {shown.stderr}")


def ask_gdb(folder, program, cores, number):
    job, out = folder / f"job{number}", folder / f"gdb{number}"
    job.write_text(json.dumps([[str(program), str(core)] for core in cores]))
    done = subprocess.run(["gdb", "-q", "-nx", "-batch", "-x", HERE / "cores_in_gdb.py"], capture_output=True, text=True, errors="replace",
                          env={**os.environ, "CORES_JOB": str(job), "CORES_OUT": str(out), "LC_ALL": "C"}, stdin=subprocess.DEVNULL)
    lines = out.read_text().splitlines() if out.exists() else []
    if len(lines) != len(cores):
        sys.exit(f"gdb read {len(lines)} of {len(cores)} cores: {done.stderr[-2000:]}")
    return {json.loads(line)["core"]: json.loads(line)["threads"] for line in lines}


def short(name):
    """Both demangle and leave out parameters in their own ways."""
    name = re.sub(r"\(anonymous namespace\)", "{anon}", name or "")
    name = re.sub(r"\[abi:\w+\]|@.*| \[clone [^]]*\]|\.(cold|part|isra|constprop|lto_priv)[.\d]*", "", name)
    name = name.removesuffix(" const")
    depth, out = 0, ""
    for letter in name:
        depth += letter in "(<"
        out += letter if depth == 0 else ""
        depth -= letter in ")>"
    return re.sub(r"^.*\s(?=[\w:~]+$)", "", out).rsplit("::", 1)[-1].removeprefix("__GI_").lstrip("_")


def our_frames(task):
    frames = []
    for frame in task["frames"]:
        for number, function in enumerate(frame["functions"], 1):
            frames.append({"pc": frame["pc"], "name": function["function"], "found_by": frame["found_by"], "image": frame["image"],
                           "kind": "signal" if frame["signal_frame"] else "inline" if function["inlined"] else "normal", "has_variables": function["has_variables"],
                           "tail_callers": frame["tail_callers"] if number == len(frame["functions"]) else None,
                           "variables": function["arguments"] + function["locals"]})
    return frames


NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|-?\d+e[-+]?\d+|-?(?:inf|nan)\b(?:\(0x[0-9a-f]+\))?")


def plain(text):
    """One spelling of what both write differently: null pointers, names behind addresses, figures of floating numbers, bytes in strings."""
    text = text.replace("a null reference", "@0x0").replace("NULL", "0x0")
    text = re.sub(r"\([^()]*\(\*\)\s*\([^()]*\)\) ?", "", text)                      # (void (*)(int)) 0x1234
    text = re.sub(r"(0x[0-9a-f]+) <[^>]*>", r"\1", text)
    text = re.sub(r"(\d+) '(?:\\'|[^'])*'", r"\1", text)                             # 65 'A'
    text = re.sub(r'("(?:\\.|[^"\\])*")(?:\.\.\.|…)', r"\1", text)
    text = re.sub(r"\(unknown: 0x0\)", "0", text)
    text = re.sub(r"<error: Cannot access memory at address 0x[0-9a-f]+>| \(not readable\)", "", text)
    text = re.sub(r"<[\w:]+(?:<.*?>)?> = (?=\{)", "<> = ", text)                         # a base class, whose template's arguments each spells in its way
    text = re.sub(r"@(0x[0-9a-f]+).*", r"@\1", text)
    text = re.sub(r", members of [^:]*:\s*", ", ", text).replace("<No data fields>", "").replace(", }", "}")
    if re.fullmatch(r"[{} ,]*((\w+|<[^=]*>) = [{} ]*|<optimized out>[} ]*,? ?)+", text) and "<optimized out>" in text and not re.search(r"= [{ ]*[^{< ]", text):
        return "<optimized out>"
    text = NUMBER.sub(lambda match: "%.5g" % float(match[0].split("(")[0]), text)
    return re.sub(r"\s+", " ", text).strip()


# Explained: why a value may differ without one of the two being wrong.
def is_explained(ours, gdbs):
    if "…" in ours:
        return "we leave out what is long"
    if ours == "<optimized out>":
        return "we do not take registers for kept that a callee may have changed, or the place is an expression that is not followed"
    if "<synthetic pointer>" in gdbs or gdbs.startswith("<error"):
        return "gdb has no value"
    if '"' in gdbs or "'" in gdbs or ('"' in ours and "<repeats" in gdbs):
        return "bytes as text"
    return None


class Differences:
    def __init__(self):
        self.counts, self.examples, self.explained, self.agreed = collections.Counter(), {}, collections.Counter(), collections.Counter()

    def add(self, kind, where, words):
        self.counts[kind] += 1
        self.examples.setdefault(kind, []).append(f"{where}: {words}")

    def told(self):
        """Prints what there is; returns the exit status."""
        for kind, count in self.counts.items():
            print(f"  DIFFERENT: {count:6}  {kind}")
            for example in self.examples[kind][:8]:
                print(f"      {example}")
        return 1 if self.counts else 0


def without_tails(gdbs):
    """The frames that there are, and for each the names of those behind it that gdb makes up from call sites."""
    kept, tails = [], []
    for frame in gdbs:
        if frame.get("kind") == "tail" and tails:
            tails[-1].append(frame["name"])
        else:
            kept.append(frame)
            tails.append([])
    return kept, tails


def compare_thread(task, gdbs, where, differences):
    ours = our_frames(task)
    gdbs, tails = without_tails(gdbs)
    values = 0
    for index, (mine, its) in enumerate(zip(ours, gdbs)):
        if "error" in its:
            break
        if its["name"] is None and "ld-linux" in (mine["image"] or ""):
            differences.explained["gdb learns from ld.so where that lies, only when it has begun"] += 1
            return values
        if mine["pc"] != its["pc"]:
            guess = next((frame for frame in ours[:index + 1] if frame["found_by"] in ("scan", "frame_pointer")), None)
            if guess:
                differences.explained["no unwind table: each guesses in its own way"] += 1
                return values
            differences.add("pc", where, f"frame {index}: {mine['pc']:#x} ({mine['name']}), gdb {its['pc']:#x} ({its['name']}); above {ours[index - 1]['name']}")
            return values
        if mine["kind"] != its["kind"]:
            differences.add("kind", where, f"frame {index}: {mine['kind']} {mine['name']}, gdb {its['kind']} {its['name']}")
            return values
        if mine["kind"] != "signal" and short(mine["name"]) != short(its["name"]):
            if mine["variables"] or its["variables"]:
                differences.add("name", where, f"frame {index} at {mine['pc']:#x}: {mine['name']}, gdb {its['name']}")
            else:
                differences.explained["other name of the same place in a symbol table"] += 1
        values += compare_values(mine, its, f"{where} frame {index} {mine['name']}", differences)
        if mine["tail_callers"] is not None and list(map(short, mine["tail_callers"])) != list(map(short, tails[index])):
            if mine["tail_callers"] and not tails[index]:
                differences.explained["tail calls of functions that gdb knows by no symbol"] += 1
            else:
                differences.add("tail call", where, f"frame {index} {mine['name']}: {mine['tail_callers']}, gdb {tails[index]}")
        else:
            differences.agreed["frames of tail calls"] += len(tails[index])
    if len(ours) != len(gdbs) and not (gdbs and "error" in gdbs[-1]):
        shorter, longer = sorted((ours, gdbs), key=len)
        if longer is gdbs and longer[len(shorter)]["name"] is None:
            differences.explained["gdb goes on to a word of the stack that is no code"] += 1
        elif any(frame["found_by"] in ("scan", "frame_pointer") for frame in ours):
            differences.explained["no unwind table: each guesses in its own way"] += 1
        else:
            more = "we" if longer is ours else "gdb"
            differences.add("length", where, f"{more} go on after {shorter[-1]['name']}: {longer[len(shorter)]['name']} at {longer[len(shorter)]['pc']:#x}")
    return values


def paired(ours, theirs):
    """Of several variables of a name (in blocks within each other), those that are equal belong together."""
    ours, theirs, pairs = list(ours), list(theirs), []
    for value in list(ours):
        if value in theirs:
            ours.remove(value)
            theirs.remove(value)
            pairs.append((value, value))
    return pairs + list(zip(ours, theirs))


def compare_values(mine, its, where, differences):
    if not mine["has_variables"] or its["variables"] is None:
        return 0
    ours, theirs = (collections.defaultdict(list), collections.defaultdict(list))
    nowhere = set()
    for each in mine["variables"]:
        ours[each["name"]].append(plain(each["value"]))
        if each["address"] is None and each["register"] is None:
            nowhere.add(each["name"])
    for name, _, value in its["variables"]:
        theirs[name].append(plain(value))
    count = 0
    for name in ours.keys() & theirs.keys():
        for left, right in paired(ours[name], theirs[name]):
            count += 1
            if left == right:
                continue
            why = is_explained(left, right)
            if why is None and mine["kind"] == "inline" and name in nowhere:
                why = "gdb 13 computes what an argument was on entry (DW_OP_entry_value) in the wrong frame if the function is inlined"
            if why:
                differences.explained["value: " + why] += 1
            else:
                differences.add("value", where, f"{name} = {left[:150]}, gdb {right[:150]}")
    for name in (ours.keys() ^ theirs.keys()) - {"", None}:
        if all(value == "<optimized out>" for value in ours.get(name, []) + theirs.get(name, [])):
            differences.explained["variables of which nothing is left, which only one of the two lists"] += 1
            continue
        side = "we have no" if name in theirs else "gdb has no"
        differences.add("variable", where, f"{side} {name}")
    return count


def one_program(orrery, folder, name, words, count, seed, differences):
    chance = random.Random(f"{seed}-{name}")
    recording = folder / f"{name}.rec"
    done = orrery.run("record", "-o", recording, "--", *words)
    if done.returncode != 0:
        sys.exit(f"{name}: {done.stderr}")
    found = stretches(orrery, recording)
    totals = collections.Counter()
    for start in range(0, count, 20):
        batch = []
        for number in range(start, min(count, start + 20)):
            core = folder / f"{name}.{number}.core"
            at, shown = instant(orrery, recording, core, chance, found)
            batch.append((core, at, shown))
        answers = ask_gdb(folder, words[0], [core for core, _, _ in batch], name)
        for core, at, shown in batch:
            core.unlink()
            threads = answers[str(core)]
            totals["instants"] += 1
            for task in shown["tasks"]:
                where = f"{name} --at {at} task {task['task']}"
                if str(task["task"]) not in threads:
                    differences.add("thread", where, "gdb has no such thread")
                    continue
                totals["stacks"] += 1
                totals["frames"] += len(task["frames"])
                totals["values"] += compare_thread(task, threads[str(task["task"])], where, differences)
    return totals


def campaign_arguments(words, count):
    """What every campaign at random instants is told."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("count", type=int, nargs="?", default=count, help=f"instants in all (default: {count})")
    parser.add_argument("--orrery", default="build/release/orrery")
    parser.add_argument("--only", help="programs with this in their names")
    parser.add_argument("--seed", default="1")
    return parser


def chosen_programs(folder, only):
    return [each for each in build(folder) if not only or only in each[0]]


def main():
    parser = campaign_arguments(__doc__, 1000)
    parser.add_argument("--jobs", type=int, default=3)
    chosen = parser.parse_args()
    differences, totals = Differences(), collections.Counter()
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(os.path.realpath(home))
        orrery = Orrery(chosen.orrery, folder)
        programs = chosen_programs(folder, chosen.only)
        each = math.ceil(chosen.count / len(programs))
        with ThreadPoolExecutor(chosen.jobs) as pool:
            for done in pool.map(lambda program: one_program(orrery, folder, *program, each, chosen.seed, differences), programs):
                totals += done
    print(", ".join(f"{count} {name}" for name, count in totals.items()))
    for what, count in differences.agreed.items():
        if count:
            print(f"  the same:  {count:6}  {what}")
    for why, count in differences.explained.most_common():
        if count:
            print(f"  explained: {count:6}  {why}")
    return differences.told()


if __name__ == "__main__":
    sys.exit(main())
