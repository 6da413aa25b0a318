"""What readelf, nm, size, objdump and checksec say of a file, each compared with the same facts in orrery's JSON. A check is a
generator of differences in words."""
import collections
import json
import re
import shutil
import subprocess


class CannotTell(Exception):
    """The other tool has no answer for this file."""


class Tools:
    def __init__(self, folder):
        # checksec counts functions in what readelf prints, and without -W readelf cuts names short.
        self.bin = folder / "bin"
        self.bin.mkdir()
        wide = self.bin / "readelf"
        wide.write_text('#!/bin/sh\nexec /usr/bin/readelf -W "$@"\n')
        wide.chmod(0o755)
        self.skipped = collections.Counter()


def say(*command, environment=None):
    if shutil.which(command[0]) is None:
        raise CannotTell(f"there is no {command[0]}")
    done = subprocess.run(command, capture_output=True, timeout=600, env=environment or {"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    return done.stdout.decode(errors="replace")


def differences(what, ours, theirs):
    for number, (one, other) in enumerate(zip(ours, theirs)):
        if one != other:
            yield f"{what} {number}: {one} here, {other} there"
            return
    if len(ours) != len(theirs):
        yield f"{len(ours)} {what}s here, {len(theirs)} there"


MACHINES = {"Advanced Micro Devices X86-64": "x86-64", "Intel 80386": "i386", "AArch64": "AArch64", "ARM": "ARM", "RISC-V": "RISC-V",
            "PowerPC64": "PowerPC64", "IBM S/390": "S/390", "MIPS R3000": "MIPS", "Linux BPF": "BPF", "NVIDIA CUDA architecture": "CUDA",
            "AMD GPU": "AMD GPU", "None": "none"}


def header(facts, path, _):
    rows = dict(re.findall(r"^  ([^:\n]+): +(.*?)(?: \(.*\))?$", say("readelf", "-hW", path), re.M))
    ours, number = facts["header"], lambda text: int(text.split()[0], 0)
    pairs = {
        "class": (f"ELF{facts['class']}", rows["Class"]),
        "byte order": (facts["byte_order"], rows["Data"].split(", ")[1].split()[0]),
        "type": (ours["type"], rows["Type"].split()[0]),
        "machine": (facts["machine"], MACHINES.get(rows["Machine"], rows["Machine"])),
        "entry": (ours["entry"], number(rows["Entry point address"])),
        "program headers": (ours["segments_offset"], number(rows["Start of program headers"])),
        "section headers": (ours["sections_offset"], number(rows["Start of section headers"])),
        "flags": (ours["flags"], int(rows["Flags"].split(",")[0], 0)),
        "header size": (ours["header_size"], number(rows["Size of this header"])),
        "segment size": (ours["segment_size"], number(rows["Size of program headers"])),
        "section size": (ours["section_size"], number(rows["Size of section headers"])),
        "ABI version": (ours["abi_version"], number(rows["ABI Version"])),
    }
    if "(" not in rows["Number of section headers"]:
        pairs["sections"] = (ours["section_count"] if ours["section_count"] < 0xff00 else 0, number(rows["Number of section headers"]))
        pairs["segments"] = (ours["segment_count"], number(rows["Number of program headers"]))
    yield from (f"{what}: {one} here, {other} there" for what, (one, other) in pairs.items() if one != other)


def flags_text(bits):
    return ("R" if bits & 4 else " ") + ("W" if bits & 2 else " ") + ("E" if bits & 1 else " ")


def segments(facts, path, _):
    text = say("readelf", "-lW", path)
    row = re.compile(r"^  (\S+) +(0x\w+) (0x\w+) (0x\w+) (0x\w+) (0x\w+) (.{3}) (\w+)$", re.M)
    theirs = [(kind, *(int(n, 16) for n in numbers), flags, int(align, 16)) for kind, *numbers, flags, align in row.findall(text)]
    ours = [(s["type"], s["offset"], s["address"], s["physical"], s["file_bytes"], s["memory_bytes"], flags_text(s["flags"]), s["alignment"])
            for s in facts["segments"]]
    yield from differences("segment", [o if not o[0].startswith("0x") else (t[0], *o[1:]) for o, t in zip(ours, theirs)] + ours[len(theirs):],
                           theirs)
    interpreter = re.search(r"Requesting program interpreter: (.*)\]", text)
    if (interpreter.group(1) if interpreter else "") != facts["interpreter"]:
        yield f"interpreter: {facts['interpreter']!r} here, {interpreter and interpreter.group(1)!r} there"
    names = {s["index"]: s["name"] for s in facts["sections"]}
    maps = re.findall(r"^   (\d\d+)     (.*)$", text.split("Segment Sections...")[-1], re.M)
    mapped = [" ".join(names[i] for i in s["sections"]).strip() for s in facts["segments"]]
    yield from differences("segment's sections", mapped if maps else [], [line.strip() for _, line in maps])


def sections(facts, path, _):
    row = re.compile(r"^  \[ *(\d+)\] (.*?) +(\S+) +([0-9a-f]{8,16}) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) +([WAXMSILOGTCxoEDlpRdy]*) +(\d+) +(\d+) +(\d+)$",
                     re.M)
    text = say("readelf", "-SW", path).replace("SYMTAB SECTION INDICES", "SYMTAB_SHNDX")
    theirs = [(int(i), name, kind, int(address, 16), int(offset, 16), int(size, 16), int(entry, 16), flags, int(link), int(info), int(align))
              for i, name, kind, address, offset, size, entry, flags, link, info, align in row.findall(text)]
    ours = [(s["index"], s["name"], s["type"], s["address"], s["offset"], s["size"], s["entry_size"], re.sub(r"[ x0-9a-f]", "", s["flags"]),
             s["link"], s["info"], s["alignment"]) for s in facts["sections"]]
    # Flags and types of one machine or system have letters and names of their own there.
    plain = lambda rows: [(*r[:2], r[2] if re.fullmatch(r"[A-Z_]+", r[2]) else "?", *r[3:7], re.sub(r"[xoElpRdy]", "", r[7]), *r[8:]) for r in rows]
    ours, theirs = plain(ours), plain(theirs)
    if theirs and not theirs[0][1]:
        ours[0], theirs[0] = ours[0][3:], theirs[0][3:]
    aligned = [o if len(o) < 11 or "?" not in (o[2], t[2]) else (*o[:2], t[2], *o[3:]) for o, t in zip(ours, theirs)] + ours[len(theirs):]
    yield from differences("section", aligned, theirs)


def dynamic(facts, path, _):
    text = say("readelf", "-dW", path)
    theirs = [(int(tag, 16), name, rest) for tag, name, rest in re.findall(r"^ (0x[0-9a-f]+) \((.*?)\) +(.*)$", text, re.M)]
    yield from differences("dynamic entry", [e["tag"] for e in facts["dynamic"]], [tag for tag, _, _ in theirs])
    for ours, (tag, name, rest) in zip(facts["dynamic"], theirs):
        if ours["name"] and ours["name"] != name:
            yield f"tag {tag:#x}: {ours['name']} here, {name} there"
        bracketed, number = re.search(r"\[(.*)\]$", rest), re.fullmatch(r"(0x[0-9a-f]+|\d+)(?: \(bytes\))?", rest)
        if bracketed and "text" in ours and ours["text"] != bracketed.group(1):
            yield f"{name}: {ours['text']!r} here, {bracketed.group(1)!r} there"
        elif number and ours["value"] != int(number.group(1), 0):
            yield f"{name}: {ours['value']} here, {rest} there"
        elif name in ("FLAGS", "FLAGS_1") and ours["text"].split() != rest.replace("Flags:", "").split():
            yield f"{name}: {ours['text']} here, {rest} there"


SYMBOL = re.compile(r"^ *(\d+): ([0-9a-f]+) +(\w+) (\w+|<\S+ specific>: \d+) +(\w+|<\S+ specific>: \d+) +(\w+) +(?:\[.*?\] +)?(\w+)(?: (.*))?$")


def symbols(facts, path, _):
    theirs = collections.defaultdict(list)
    table = None
    for line in say("readelf", "-sW", path).split("\n"):
        if begin := re.match(r"Symbol table '(.*)' contains", line):
            table = begin.group(1)
        elif match := SYMBOL.match(line):
            number, value, size, kind, binding, visible, place, name = match.groups(default="")
            name = re.sub(r" \(\d+\)$", "", name)
            kind = "IFUNC" if kind == "<OS specific>: 10" else kind  # so named only where the header says GNU
            theirs[table].append((int(number), int(value, 16), int(size, 0), kind, binding, visible, place, name))
    names = {s["index"]: s["name"] for s in facts["sections"]}
    ours = collections.defaultdict(list)
    for s in facts["symbols"]:
        name = s["name"]
        if s["type"] == "SECTION" and not name:
            name = names.get(int(s["section"]), "") if s["section"].isdigit() else ""
        if "version" in s and s["version"] != name:
            name += ("@@" if s["default_version"] else "@") + s["version"]
        ours[s["table"]].append((s["index"], s["value"], s["size"], s["type"], s["binding"], s["visibility"], s["section"], name))
    for table, rows in theirs.items():
        # Names of other machines' special sections and of types beyond the standard's are theirs alone.
        mine = [(*o[:3], t[3] if o[3].startswith("0x") else o[3], t[4] if o[4].startswith("0x") else o[4], o[5],
                 t[6] if o[6].startswith("0x") else o[6], o[7]) for o, t in zip(ours[table], rows)] + ours[table][len(rows):]
        yield from differences(f"symbol of {table}", mine, [(*t[:7], t[7].replace("^A", "\1")) for t in rows])


RELOCATION = re.compile(r"^([0-9a-f]+) +([0-9a-f]+) (\S+)(?: +(.*))?$")


def expected_relocation(ours, width):
    """A row of ours as readelf prints its end."""
    addend = ours.get("addend")
    shown = "" if addend is None else f"{abs(addend):x}"
    if "symbol" not in ours:
        return shown if addend is None or addend >= 0 else "-" + shown
    value = f"{ours['symbol_value']:0{width}x} {ours['symbol']}"
    return value if addend is None else f"{value} {'-' if addend < 0 else '+'} {shown}"


def relocations(facts, path, _):
    if facts["machine"] not in ("x86-64", "i386", "AArch64"):
        raise CannotTell("names of the relocations of other machines")
    theirs, table = collections.defaultdict(list), None
    for line in say("readelf", "-rW", path).split("\n"):
        if begin := re.match(r"Relocation section '(.*)' at offset", line):
            table = begin.group(1)
            relr = False
        elif match := re.fullmatch(r"(?:[0-9a-f]{4}: )?([0-9a-f]{8,16}) *(?:[0-9a-f]{8,16} )?\S*", line) if table and "relr" in table else None:
            theirs[table].append(int(match.group(1), 16))
        elif match := RELOCATION.match(line):
            offset, info, kind, rest = match.groups(default="")
            # Where an IFUNC's header does not say GNU, its name stands for its value.
            rest = re.sub(r" +", " ", rest.replace("()", "")).strip()
            rest = re.sub(r"^(\S+) (\1)( |$)", "0" * len(offset) + r" \2\3", rest)
            theirs[table].append((int(offset, 16), int(info, 16), kind, rest))
    ours = collections.defaultdict(list)
    width = 16 if facts["class"] == 64 else 8
    for each in facts["relocations"]:
        if each["type"] == "RELR":
            ours[each["table"]].append(each["offset"])
        else:
            ours[each["table"]].append((each["offset"], each["info"], each["type"], expected_relocation(each, width)))
    for table, rows in theirs.items():
        if "relr" in table:
            continue  # their list of it is of another form; the count of the unpacked is checked by what follows
        yield from differences(f"relocation of {table}", ours[table], rows)


def notes(facts, path, _):
    theirs = []
    text = say("readelf", "-nW", path)
    for owner, size, kind in re.findall(r"^  (\S+) +0x([0-9a-f]{8})\t(\S+)", text, re.M):
        theirs.append((owner, int(size, 16)))
    ours = [(n["owner"], n["description_bytes"]) for n in facts["notes"]]
    yield from differences("note", ours, theirs)
    build_id = re.search(r"Build ID: (\w+)", text)
    if (build_id.group(1) if build_id else "") != facts["build_id"]:
        yield f"build-id: {facts['build_id']} here, {build_id} there"


def nm(facts, path, _):
    """The names and values of the symbols that are none of the debugger's."""
    theirs = collections.Counter()
    for line in say("nm", "-p", "--no-demangle", path).split("\n"):
        match = re.match(r"^([0-9a-f]+| {8,16}) (\S) (.*)$", line)
        if match and match.group(3):
            theirs[(match.group(3), int(match.group(1), 16) if match.group(1).strip() else 0)] += 1
    symtab = [s for s in facts["symbols"] if s["table"] == ".symtab"]
    if any(s["name"] in ("__gnu_lto_slim", "__gnu_lto_v1") for s in symtab):
        raise CannotTell("an object for link-time optimisation, where nm shows what the compiler would make")
    ours = collections.Counter()
    for s in symtab:
        if s["index"] and s["type"] not in ("SECTION", "FILE") and s["name"]:
            name = s["name"]
            ours[(name, s["value"] if s["section"] not in ("UND", "COM") else 0 if s["section"] == "UND" else s["size"])] += 1
    if facts["header"]["type"] == "REL":  # there nm adds the section's address, which an object's section seldom has
        ours, theirs = (collections.Counter(name for name, _ in each.elements()) for each in (ours, theirs))
    for key in (ours - theirs) + (theirs - ours):
        yield f"{key}: {ours[key]} here, {theirs[key]} there"


def size(facts, path, _):
    lines = say("size", path).split("\n")
    if len(lines) < 2 or not lines[1]:
        raise CannotTell("size of another machine's file")
    if facts["kind"] == "core":
        raise CannotTell("a core's segments, which bfd takes for sections")
    theirs = [int(each) for each in lines[1].split()[:3]]
    yield from differences("class of size", [facts["size"][each] for each in ("text", "data", "bss")], theirs)


def objdump(facts, path, _):
    row = re.compile(r"^ *\d+ (\S+) +([0-9a-f]{8,16}) +([0-9a-f]{8,16}) +[0-9a-f]{8,16} +([0-9a-f]{8}) +2\*\*(\d+)", re.M)
    theirs = row.findall(say("objdump", "-hw", path))
    if not theirs:
        raise CannotTell("sections of another machine's file")
    if facts["kind"] == "core":
        raise CannotTell("a core's segments, which bfd takes for sections")
    ours = {(s["name"], s["size"], s["address"], s["offset"], max(1, s["alignment"])) for s in facts["sections"]}
    loose = {each[:3] for each in ours}
    packed = {s["name"] for s in facts["sections"] if "C" in s["flags"]}
    for name, bytes_, address, offset, power in theirs:
        wanted = (name, int(bytes_, 16), int(address, 16), int(offset, 16), 1 << int(power))
        compressed = name in packed or name.startswith(".zdebug")
        if wanted not in ours and not compressed and not (wanted[3] == 0 and wanted[:3] in loose):
            yield f"section {wanted}"
            return


def checksec(facts, path, tools):
    if facts["kind"] in ("core", "object", "debug_file", "other"):
        raise CannotTell("no program")
    said = say("checksec", "--file=" + path, "--output=json", environment={"LC_ALL": "C", "PATH": f"{tools.bin}:/usr/bin:/bin", "TERM": "dumb"})
    try:
        theirs = next(iter(json.loads(said).values()))
    except (ValueError, StopIteration):
        raise CannotTell("checksec is not installed, or has no answer") from None
    ours = facts["hardening"]
    yes = {True: "yes", False: "no"}
    names = {"full": "full", "partial": "partial", "none": "no"}
    # Its `full` means eager binding told by one of three flags only; its pie means DT_DEBUG.
    pairs = {
        "nx": (yes[ours["nx"]], theirs["nx"]),
        "canary": (ours["canary"], theirs["canary"]),
        "relro": (names[ours["relro"]], theirs["relro"]),
        "rpath": (yes[any(not p["runpath"] for p in ours["search_paths"])], theirs["rpath"]),
        "runpath": (yes[any(p["runpath"] for p in ours["search_paths"])], theirs["runpath"]),
        "symbols": (yes[facts["symbol_counts"]["symtab"] != 0], theirs["symbols"]),
        "fortified": (ours["fortified"], int(theirs["fortified"])),
        "fortify-able": (ours["fortifiable"], int(theirs["fortify-able"])),
        "pie": ({"pie": "yes", "library": "dso"}.get(facts["kind"], "no"), theirs["pie"]),
    }
    if ours["canary"] == "unknown":
        del pairs["canary"]  # there are no symbols: it says no
    if any(s["type"] == "IFUNC" for s in facts["symbols"] if s["table"] == ".dynsym"):
        del pairs["fortified"], pairs["fortify-able"]  # it counts columns, and "<OS specific>: 10" is one more
    if facts["kind"] == "pie" and facts["linking"] == "static" and theirs["pie"] == "dso":
        del pairs["pie"]  # a static PIE has no DT_DEBUG with some linkers
    yield from (f"{what}: {one} here, {other} there" for what, (one, other) in pairs.items() if one != other)


CHECKS = {"readelf -h": header, "readelf -l": segments, "readelf -S": sections, "readelf -d": dynamic, "readelf -s": symbols,
          "readelf -r": relocations, "readelf -n": notes, "nm": nm, "size": size, "objdump -h": objdump, "checksec": checksec}
