"""The exercise of docs/process.md: what it says there is so."""
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def innermost(orrery, recording, at):
    shown = json.loads(orrery.run("show", "stack", recording, "--at", at, "--json"))
    frames = [function for frame in shown["tasks"][0]["frames"] for function in frame["functions"]]
    return shown, frames, [function["function"] for function in frames]


def case_guided(orrery, expect):
    """Each printed address has its name; the frames of a call three deep before, in and after it."""
    program = orrery.home / "addresses"
    subprocess.run(["gcc", "-g", "-O0", "-o", program, HERE.parents[1] / "docs" / "demo" / "addresses.c"], check=True)
    recording = orrery.record([program])
    said = dict(line.split() for line in orrery.run("replay", "-a", recording).splitlines() if " " in line)
    found = {name: json.loads(orrery.run("show", "memory", recording, "--address", address, "--at", "before", "--json")) for name, address in said.items()}
    meanings = {name: each["section"] or each["meaning"] for name, each in found.items()}
    expect(meanings, {"local": "stack", "heap": "heap", "main": ".text", "data": ".data", "rodata": ".rodata", "bss": ".bss"}, "meanings")
    symbols = {name: each["symbol"]["name"] for name, each in found.items() if each.get("symbol")}
    expect(symbols, {"main": "main", "data": "in_data", "rodata": "in_rodata", "bss": "in_bss"}, "symbols")
    heap = json.loads(orrery.run("show", "heap", recording, "--at", "before", "--blocks", "--json"))["programs"][0]
    expect([block["size_bytes"] for block in heap["blocks"] if block["address"] == int(said["heap"], 16)], [100], "the heap block")
    for at, wanted in (("before", ["before", "main"]), ("inner", ["inner", "middle", "outer", "main"]), ("after", ["after", "main"])):
        expect(innermost(orrery, recording, at)[2][:len(wanted)], wanted, f"frames at {at}")
    entry = innermost(orrery, recording, "inner")[0]["instant"]
    last = orrery.rows(recording, f"SELECT max(ticks) AS ticks FROM call WHERE event < {entry['event']}")[0]["ticks"]
    later = f"{entry['event'] - 1}+{entry['ticks'] - last}+6"
    _, frames, _ = innermost(orrery, recording, later)
    values = {each["name"]: each["value"] for each in frames[0]["arguments"] + frames[0]["locals"]}
    expect(values, {"number": "3", "doubled": "6"}, f"values at {later}")


CASES = {"guided": case_guided}
