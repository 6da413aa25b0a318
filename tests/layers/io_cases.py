"""Descriptors and what goes through them, against /proc/self/fd and strace."""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "campaigns"))
import schema  # noqa: E402

SCHEMA = schema.load("reports")


def document(orrery, expect, recording, *words):
    found = json.loads(orrery.run("show", "io", recording, *words, "--json"))
    expect(list(schema.problems(found, SCHEMA["$defs"]["io"], SCHEMA)), [], "the schema")
    expect(found["recording"], json.loads(orrery.run("info", recording, "--json"))["timing"], "what recording did to the timing")
    return found


def build(folder):
    program = pathlib.Path(folder) / "traffic"
    subprocess.run(["gcc", "-O1", "-o", program, HERE / "traffic.c"], check=True)
    return program


def case_descriptors(orrery, expect):
    """At each instant at which the program lists its descriptors, the same ones; and who shares what with whom."""
    recording = orrery.record([build(orrery.home)])
    pids = {row["pid"]: row["process"] for row in orrery.rows(recording, "SELECT pid, process FROM process")}
    said = re.findall(r"^(\w+) (\d+):((?: \d+)*)$", orrery.run("replay", "-a", recording), re.M)
    expect([name for name, _, _ in said], ["files", "replaced", "client", "server", "receiver", "last", "executed"], "checkpoints")
    listings = orrery.rows(recording, "SELECT process, event FROM call WHERE path = '/proc/self/fd' ORDER BY time_ns")
    expect(len(listings), len(said), "listings")
    for (name, pid, numbers), listing in zip(said, listings):
        process, event = pids[int(pid)], listing["event"]
        expect(listing["process"], process, f"who listed {name}")
        ours = orrery.rows(recording, "SELECT fd FROM descriptor WHERE process = %d AND begin_event < %d AND end_event >= %d ORDER BY fd"
                           % (process, event, event))
        # Of what it was given and never used nothing is known.
        expect([row["fd"] for row in ours], [int(n) for n in numbers.split() if n not in ("0", "2")], f"descriptors at {name}")
    shared = orrery.rows(recording, "SELECT name, count(DISTINCT process) AS n FROM descriptor JOIN "
                         "(SELECT file, name FROM open_file) USING (file) WHERE name IN ('to', 'out') GROUP BY name ORDER BY name")
    expect([(row["name"], row["n"]) for row in shared], [("out", 1), ("to", 3)], "what the children inherited")
    shown = orrery.run("show", "io", recording, "--at", "checkpoint:2")
    expect(re.findall(r"#0 +(\d+)  .*ms +(\w+) +(.*)$", shown, re.M),
           [("1", "inherited", "given standard output"), ("3", "opened", "file to"), ("4", "duplicated", "file to"),
            ("40", "duplicated", "file out")], "show io --at")
    then = document(orrery, expect, recording, "-p", "#0", "--at", "checkpoint:2")
    names = {row["file"]: row["name"] for row in then["files"]}
    expect([(row["fd"], names[row["file"]]) for row in then["descriptors"] if row["fd"] > 1], [(3, "to"), (4, "to"), (40, "out")], "the same as JSON")


TRANSFER = re.compile(r"(read|write|readv|writev|pread64|recvfrom|sendto|recvmsg|sendmsg|sendfile)\(\d+<([^>]*)>.* = (\d+)$", re.M)


def straces_bytes(text):
    """By kind of object and name: bytes in, bytes out."""
    sums = {}
    for call, name, count in TRANSFER.findall(text):
        into = call in ("read", "readv", "pread64", "recvfrom", "recvmsg")
        key = os.path.basename(name) if name.startswith("/") else re.sub(r":?\[.*", "", name)
        pair = sums.setdefault(key, [0, 0])
        pair[0 if into else 1] += int(count)
        source = re.search(r"sendfile\(\d+<[^>]*>, \d+<([^>]*)>", call)
        if source:
            sums.setdefault(os.path.basename(source[1]), [0, 0])[0] += int(count)
    return sums


def case_bytes(orrery, expect):
    """Bytes of each file, pipe and socket, as strace counts them in a native run; waits; connections."""
    program = build(orrery.home)
    log = orrery.home / "strace"
    subprocess.run(["strace", "-f", "-y", "-qq", "-e", "signal=none", "-o", log, program], check=True, stdout=subprocess.DEVNULL, cwd=orrery.home)
    sums = straces_bytes(log.read_text())
    for name in ("out", "to"):
        (orrery.home / name).unlink()
    recording = orrery.record([program])
    for name, extra in (("out", 1111), ("to", 0)):  # what sendfile took from it
        row = orrery.rows(recording, f"SELECT sum(bytes_read) AS i, sum(bytes_written) AS o FROM open_file WHERE name = '{name}'")[0]
        wanted = sums[name]
        expect([row["i"], row["o"]], [wanted[0] + extra, wanted[1]], f"bytes of {name}")
    connections = orrery.rows(recording, "SELECT how, local, peer, bytes_in, bytes_out, waited_ns, process FROM connection ORDER BY how")
    expect([(c["how"], c["bytes_in"], c["bytes_out"]) for c in connections], [("accepted", 8, 30), ("connected", 30, 8)], "connections")
    expect(connections[0]["local"], connections[1]["peer"], "the server's address")
    whole = document(orrery, expect, recording)
    expect(sorted((c["how"], c["bytes_in"], c["bytes_out"]) for c in whole["connections"]), [("accepted", 8, 30), ("connected", 30, 8)], "the JSON's")
    expect(len(whole["files"]), orrery.rows(recording, "SELECT count(*) AS n FROM open_file")[0]["n"], "files in the JSON")
    listener = orrery.rows(recording, "SELECT waited_ns FROM open_file WHERE call = 'socket' AND process = 0")[0]
    expect(40_000_000 < listener["waited_ns"] < 2_000_000_000, True, f"the wait in accept ({listener})")
    waits = orrery.rows(recording, "SELECT name, waited_ns FROM call WHERE name = 'clock_nanosleep'")
    expect(len(waits) == 1 and waits[0]["waited_ns"] >= 48_000_000, True, f"the child's sleep ({waits})")


CASES = {"descriptors": case_descriptors, "bytes": case_bytes}
