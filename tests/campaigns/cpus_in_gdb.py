"""Run by gdb: the processor in cores, as a line of JSON each. CORES_JOB names a file of [program, core, thread] triples; the
answers go to CORES_OUT."""
import json
import os
import re

import gdb

GENERAL = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags fs_base gs_base mxcsr fctrl fstat".split()
MASK = (1 << 64) - 1


def number(text):
    return int(gdb.parse_and_eval(text)) & MASK


def wide(index):
    """A ymm register as hex digits, the highest first."""
    halves = gdb.parse_and_eval(f"$ymm{index}.v4_int64")
    return "".join(f"{int(halves[part]) & MASK:016x}" for part in (3, 2, 1, 0))


def address_of(text):
    """What the brackets of the instruction mean: gdb's own arithmetic on its own registers."""
    inside = re.search(r"(?:([fg]s):)?(?:\[([^\]]*)\]|(0x[0-9a-f]+)(?:\s|,|$))", text.split("#")[0].split(" ", 1)[-1])
    if not inside or not (inside[1] or inside[2]) or re.search(r"[xyz]mm", inside[2] or ""):
        return None
    terms = inside[2] or inside[3]
    if "rip" in terms:
        near = re.search(r"# (0x[0-9a-f]+)", text)
        return int(near[1], 16) if near else None
    value = number(re.sub(r"\b([er][a-z0-9]{1,2}d?|r1[0-5]d?)\b", r"(unsigned long)$\1", terms))
    if re.search(r"\be[a-z]{2}\b|\br\d+d\b", terms):
        value &= 0xffffffff
    return (value + (number(f"${inside[1]}_base") if inside[1] else 0)) & MASK


def bytes_at(address):
    for count in (64, 32, 16, 8, 4, 2, 1):
        try:
            return bytes(gdb.selected_inferior().read_memory(address, count)).hex()
        except gdb.error:
            pass
    return ""


def named_registers(text):
    """Each register that the instruction names, with its value there."""
    found = {}
    for name in re.findall(r"\b([er]?[a-ds][xip]l?|[a-d][lh]|[er]?[sb]pl?|[er]?[sd]il?|r\d+[dwbl]?)\b", re.sub(r"\[[^\]]*\]|<[^>]*>", "", text)):
        try:
            value = gdb.parse_and_eval(f"${name}")
            found[name] = int(value.cast(gdb.lookup_type("unsigned long"))) & ((1 << 8 * value.type.sizeof) - 1)
        except gdb.error:
            pass
    return found


def processor():
    text = re.sub(r"\s+", " ", gdb.execute("x/i $pc", to_string=True).split(":", 1)[1]).strip()
    address = address_of(text)
    flags = gdb.execute("info registers eflags", to_string=True)
    return {"registers": {name: number(f"${name}") for name in GENERAL}, "flags": re.search(r"\[(.*)\]", flags)[1].split(), "text": text,
            "vectors": [wide(index) for index in range(16)], "address": address, "bytes": bytes_at(address) if address is not None else None,
            "named": named_registers(text)}


def main():
    for setting in ("pagination off", "debuginfod enabled off", "auto-load libthread-db off", "disassembly-flavor intel", "auto-solib-add off"):
        gdb.execute(f"set {setting}")
    with open(os.environ["CORES_OUT"], "w", encoding="utf-8") as out:
        for program, core, thread in json.load(open(os.environ["CORES_JOB"], encoding="utf-8")):
            gdb.execute(f"file {program}", to_string=True)
            gdb.execute(f"core-file {core}", to_string=True)
            for each in gdb.selected_inferior().threads():
                if each.ptid[1] == thread:
                    each.switch()
                    out.write(json.dumps({"core": core, "cpu": processor()}) + "\n")


main()
