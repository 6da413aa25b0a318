#!/usr/bin/env python3
"""The processor at random instants, ours beside gdb's: each instant becomes a core file, and what `orrery show cpu` says of
registers, flags, vectors, the instruction, its operands' addresses, values and bytes, and whether a jump is taken, is compared
with what gdb says and computes of the core."""
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

import cores

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = {"CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "TF": 8, "IF": 9, "DF": 10, "OF": 11}
# Intel's manual, volume 1, appendix B: by the names that gdb prints.
CONDITIONS = {"o": "OF", "no": "!OF", "b": "CF", "jc": "CF", "ae": "!CF", "e": "ZF", "ne": "!ZF", "be": "CF|ZF", "a": "!(CF|ZF)", "s": "SF",
              "ns": "!SF", "p": "PF", "np": "!PF", "l": "SF^OF", "ge": "!(SF^OF)", "le": "ZF|(SF^OF)", "g": "!(ZF|(SF^OF))"}


def jumps(text, eflags):
    """Whether the conditional jump is taken; None for another instruction."""
    condition = CONDITIONS.get(text.removeprefix("bnd ").split()[0].removeprefix("j")) if text.removeprefix("bnd ").startswith("j") else None
    if condition is None:
        return None
    bits = {name: bool(eflags >> bit & 1) for name, bit in FLAGS.items()}
    return bool(eval(condition.replace("!", " not "), {}, bits))


def draw(chance, found):
    """Amidst what is executed between two events, some instructions behind a tick."""
    event, ticks = chance.choices(found, [math.sqrt(ticks) for _, ticks in found])[0]
    return f"{event}+{chance.randrange(ticks)}+{chance.randrange(30)}"


def sample(orrery, recording, core, chance, found):
    for _ in range(30):
        at = draw(chance, found)
        shown = orrery.run("show", "cpu", recording, "--json", "--at", at)
        if shown.returncode == 0 and json.loads(shown.stdout)["state"] == "runs" \
                and orrery.run("export", recording, "--core", "--at", at, "-o", core).returncode == 0:
            return at, json.loads(shown.stdout)
    sys.exit(f"no instant could be reached: {shown.stderr}")


def ask_gdb(folder, jobs):
    job, out = folder / "job", folder / "answers"
    job.write_text(json.dumps(jobs))
    done = subprocess.run(["gdb", "-q", "-nx", "-batch", "-x", HERE / "cpus_in_gdb.py"], capture_output=True, text=True, errors="replace",
                          env={**os.environ, "CORES_JOB": str(job), "CORES_OUT": str(out), "LC_ALL": "C"}, stdin=subprocess.DEVNULL)
    answers = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    if len(answers) != len(jobs):
        sys.exit(f"gdb read {len(answers)} of {len(jobs)} cores: {done.stderr[-2000:]}")
    return [answer["cpu"] for answer in answers]


def compare_state(ours, gdbs, where, differences, totals):
    names = {"eflags": ("rflags", ours["registers"]), "mxcsr": ("mxcsr", ours), "fctrl": ("x87_control", ours), "fstat": ("x87_status", ours)}
    for name, value in gdbs["registers"].items():
        key, table = names.get(name, (name, ours["registers"]))
        totals["registers"] += 1
        if table[key] != value:
            differences.add("register", where, f"{name} = {table[key]:#x}, gdb {value:#x}")
    totals["vectors"] += 16
    if ours["vectors"] != gdbs["vectors"]:
        differences.add("vectors", where, f"{ours['vectors']}, gdb {gdbs['vectors']}")
    mine = set(ours["flags"]) | ({"IF"} & set(gdbs["flags"])) | ({"TF"} & set(gdbs["flags"]))
    if mine != set(gdbs["flags"]):
        differences.add("flags", where, f"{sorted(mine)}, gdb {gdbs['flags']}")


def compare_operands(ours, gdbs, where, differences, totals):
    written = [each for each in ours["operands"] if each["kind"] == "memory" and not each["implied"]]
    if gdbs["address"] is not None and len(written) == 1 and written[0]["address"] is not None:
        totals["addresses"] += 1
        mine = written[0]
        if mine["address"] != gdbs["address"]:
            differences.add("address", where, f"{gdbs['text']}: {mine['address']:#x}, gdb {gdbs['address']:#x}")
        elif mine["bytes"] and not gdbs["bytes"].startswith(mine["bytes"][:len(gdbs["bytes"])]):
            differences.add("bytes", where, f"{gdbs['text']}: {mine['bytes']}, gdb {gdbs['bytes']}")
    for mine in ours["operands"]:
        if mine["kind"] == "register" and mine["value"] is not None and not mine["implied"]:
            name = re.sub(r"^(r\d+)b$", r"\1l", mine["register"])
            if name in gdbs["named"]:
                totals["values"] += 1
                if gdbs["named"][name] != mine["value"]:
                    differences.add("value", where, f"{gdbs['text']}: {name} = {mine['value']:#x}, gdb {gdbs['named'][name]:#x}")
    # What goes through the stack without being written.
    stack, mnemonic = ours["registers"]["rsp"], gdbs["text"].split()[0]
    expected = {"push": stack - 8, "call": stack - 8, "ret": stack, "pop": stack}.get(mnemonic)
    if expected is not None and "WORD PTR" not in gdbs["text"].replace("QWORD PTR", ""):
        totals["stack places"] += 1
        if expected not in [each["address"] for each in ours["operands"] if each["kind"] == "memory" and each["implied"]]:
            differences.add("stack place", where, f"{gdbs['text']}: not {expected:#x}: {ours['operands']}")


def compare(ours, gdbs, where, differences, totals):
    compare_state(ours, gdbs, where, differences, totals)
    text = ours["instructions"][ours["current"]]["text"]
    compare_operands(ours, gdbs, where, differences, totals)
    taken = jumps(gdbs["text"], gdbs["registers"]["eflags"])
    totals["jumps"] += taken is not None
    if taken is not None and taken != ours["taken"]:
        differences.add("jump", where, f"{gdbs['text']}: {ours['taken']}, by the flags {taken}")
    same = {"jz": "je", "jnz": "jne", "jnb": "jae", "jnbe": "ja", "jnl": "jge", "jnle": "jg", "setz": "sete", "setnz": "setne", "cmovz": "cmove", "cmovnz": "cmovne",
            "movabs": "mov", "setnbe": "seta", "setnle": "setg", "setnl": "setge", "setnb": "setae", "cmovnbe": "cmova", "cmovnle": "cmovg", "cmovnl": "cmovge", "cmovnb": "cmovae"}
    mine, its = (re.sub(r"^((bnd|rep|repe|repz|repne|repnz|lock|notrack|cs|ds|data16) )+", "", each).split()[0] for each in (text, gdbs["text"]))
    totals["instructions"] += 1
    if same.get(mine, mine) != same.get(its, its):
        differences.add("instruction", where, f"{text}, gdb {gdbs['text']}")


def one_program(orrery, folder, name, words, count, seed, differences):
    chance = random.Random(f"{seed}-{name}")
    recording = folder / f"{name}.rec"
    done = orrery.run("record", "-o", recording, "--", *words)
    if done.returncode != 0:
        sys.exit(f"{name}: {done.stderr}")
    found = cores.stretches(orrery, recording)
    totals = collections.Counter()
    for start in range(0, count, 20):
        batch = []
        for number in range(start, min(count, start + 20)):
            core = folder / f"{name}.{number}.core"
            at, shown = sample(orrery, recording, core, chance, found)
            batch.append((core, at, shown))
        answers = ask_gdb(folder, [[str(words[0]), str(core), shown["task"]] for core, _, shown in batch])
        for (core, at, shown), answer in zip(batch, answers):
            core.unlink()
            totals["instants"] += 1
            compare(shown, answer, f"{name} --at {at}", differences, totals)
    return totals


def main():
    chosen = cores.campaign_arguments(__doc__, 400).parse_args()
    differences, totals = cores.Differences(), collections.Counter()
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(os.path.realpath(home))
        orrery = cores.Orrery(chosen.orrery, folder)
        programs = cores.chosen_programs(folder, chosen.only)
        for name, words in programs:
            totals += one_program(orrery, folder, name, words, max(chosen.count // len(programs), 1), chosen.seed, differences)
    print(", ".join(f"{count} {name}" for name, count in totals.items()))
    return differences.told()


if __name__ == "__main__":
    sys.exit(main())
