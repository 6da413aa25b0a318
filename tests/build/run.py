#!/usr/bin/env python3
"""Records builds and compares what `orrery show build` says of them with the files they left, with the same build run
natively, and with what the tools say of themselves.

Each case is a function below; --only names one. A case whose tool is missing is skipped.
"""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "commands"))
from run import Orrery, expect, expect_match  # noqa: E402
from xxhash64 import xxh64  # noqa: E402

HELLO = '#include <stdio.h>\nint main(void) {\n  puts("hello");\n  return 0;\n}\n'


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            sys.exit(77)


def native(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def facts_of(path):
    data = pathlib.Path(path).read_bytes()
    return {"size": len(data), "xxh64": f"{xxh64(data):016x}" if data else None}


class Build:
    """A recorded build: its steps, and where their contents are kept."""

    def __init__(self, orrery, *words):
        orrery.record(*words)
        self.recording = (orrery.recordings / "latest").resolve()
        self.steps = orrery.json("show", "build")["steps"]
        self.made = [dict(each, step=step) for step in self.steps for each in step["makes"]]

    def phases(self):
        return [step["phase"] for step in self.steps]

    def one(self, kind):
        """The only artefact of a kind."""
        found = [each for each in self.made if each["kind"] == kind]
        expect(len(found), 1, f"artefacts that are {kind}")
        return found[0]

    def content(self, each):
        return (self.recording / each["content"]).read_bytes()

    def check_files(self):
        """Everything that is still there is what the lens says it is."""
        there = [each for each in self.made if each["fate"] == "there"]
        for each in there:
            path = pathlib.Path(each["path"])
            expect({key: each[key] for key in ("size", "xxh64")}, facts_of(path), f"facts of {path}")
            if each["size"]:
                expect(self.content(each) == path.read_bytes(), True, f"the kept content of {path}")
        for each in self.made:
            if each["fate"] == "removed" and each["path"] not in {again["path"] for again in there}:
                expect(pathlib.Path(each["path"]).exists(), False, f"whether {each['path']} is there")
        return sorted(pathlib.Path(each["path"]).name for each in there)

    def check_inputs(self):
        """What was read as a whole has the hash of the file; what a step made is known as that artefact."""
        for step in self.steps:
            for each in step["reads"]:
                if each["artefact"] is None and each["xxh64"]:
                    expect(each["xxh64"], facts_of(each["path"])["xxh64"], f"hash of the input {each['path']}")
        numbers = {each["artefact"]: each for each in self.made}
        inputs = [each for step in self.steps for each in step["reads"] if each["artefact"] is not None]
        for each in inputs:
            expect(each["xxh64"], numbers[each["artefact"]]["xxh64"], f"hash of {each['path']} as it was made")
        return inputs


def case_gcc(orrery):
    """The four phases of one command; its temporary files are gone and can still be looked at."""
    pathlib.Path("hello.c").write_text(HELLO)
    build = Build(orrery, "gcc", "hello.c", "-o", "hello")
    expect(build.phases(), ["driver", "compile", "assemble", "driver", "link"], "phases")
    expect([step["parent"] for step in build.steps], [None, 0, 0, 0, 3], "the tree")
    expect(build.steps[1]["merged"], "preprocesses and compiles in one process", "what cc1 merges")
    expect(build.check_files(), ["hello"], "what is left")
    expect(len(build.check_inputs()), 2, "artefacts that were read")
    native("gcc", "-save-temps", "hello.c", "-o", "again")
    for kind, path in (("assembly", "again-hello.s"), ("object", "again-hello.o")):
        made = build.one(kind)
        expect(made["fate"], "removed", f"fate of the {kind}")
        expect(build.content(made) == pathlib.Path(path).read_bytes(), True, f"the {kind} is that of -save-temps")
    headers = {os.path.realpath(each["path"]) for each in build.steps[1]["reads"]}
    listed = native("gcc", "-M", "hello.c").stdout.replace("\\\n", " ").split()[1:]
    expect({os.path.realpath(path) for path in listed} <= headers, True, "all that gcc -M lists was read")
    for step in build.steps:
        expect(step["end_ns"] > step["start_ns"], True, f"time of {step['command']}")
        expect(step["user_ns"] + step["system_ns"] > 0, True, f"processor time of {step['command']}")
        expect(1 << 20 < step["peak_bytes"] < 1 << 30, True, f"peak memory of {step['command']}")
    expect((build.recording / "artefacts").stat().st_mode & 0o777, 0o700, "mode of the contents' directory")
    for path in (build.recording / "artefacts").iterdir():
        expect(path.stat().st_mode & 0o777, 0o600, "mode of a content")
    text = orrery.run("show", "build").stdout
    expect_match(text, r"^5 steps in .* on processors; \d files written$", "the summary")
    expect_match(text, r"^ +reads  \S+/hello.c  C source  \d+ bytes  [0-9a-f]{16}$", "an input")
    expect_match(text, r"^ +makes  /\S+\.o  object  \d+ bytes  [0-9a-f]{16}  removed$", "an object")
    rows = orrery.run("query", "--csv", "SELECT path FROM artefact WHERE kind = 'executable'").stdout.split()
    expect(rows, ["path", str(pathlib.Path("hello").resolve())], "the table")


def commands_of(verbose):
    """The command lines that `gcc -v` prints, without -v and -version."""
    lines = [line[1:] for line in verbose.splitlines() if re.match(r" (/\S+/(cc1|collect2)|as) ", line)]
    return [[word for word in shlex.split(line) if word not in ("-v", "-version")] for line in lines]


def case_save_temps(orrery):
    """With -save-temps each phase is a process: the same commands as gcc -v tells, and the same files."""
    pathlib.Path("hello.c").write_text(HELLO)
    told = commands_of(native("gcc", "-v", "-save-temps", "hello.c", "-o", "hello").stderr)
    files = {path: facts_of(path) for path in ("hello.i", "hello.s", "hello.o", "hello")}
    for path in files:
        os.unlink(path)
    build = Build(orrery, "gcc", "-save-temps", "hello.c", "-o", "hello")
    expect(build.phases(), ["driver", "preprocess", "compile", "assemble", "driver", "link"], "phases")
    expect([step["merged"] for step in build.steps], [None] * 6, "merged phases")
    expect([shlex.split(step["command"]) for step in build.steps[1:5]], told, "the commands of gcc -v")
    build.check_files()
    made = {each["path"].rsplit("/", 1)[1]: {key: each[key] for key in ("size", "xxh64")} for each in build.made}
    for path, facts in files.items():
        expect(made[path], facts, f"{path} as the native build made it")
    expect([build.one(kind)["step"]["phase"] for kind in ("preprocessed C", "assembly", "object")],
           ["preprocess", "compile", "assemble"], "who made what")


def case_gxx(orrery):
    pathlib.Path("a.cc").write_text("#include <string>\nstd::string a() { return std::string(99, 'a'); }\n")
    pathlib.Path("b.cc").write_text("#include <string>\nstd::string a();\nint main() { return a().size() != 99; }\n")
    build = Build(orrery, "g++", "-g", "a.cc", "b.cc", "-o", "both")
    expect(build.phases(), ["driver", "compile", "assemble", "compile", "assemble", "driver", "link"], "phases")
    expect(build.check_files(), ["both"], "what is left")
    objects = [each for each in build.made if each["kind"] == "object"]
    expect([each["fate"] for each in objects], ["removed", "removed"], "the objects")
    linked = [each["artefact"] for each in build.steps[-1]["reads"] if each["artefact"] is not None]
    expect({each["artefact"] for each in objects} <= set(linked), True, "both objects are linked")


def case_assembly(orrery):
    """A driver that stops early, and one that starts late."""
    pathlib.Path("hello.c").write_text(HELLO)
    build = Build(orrery, "gcc", "-E", "hello.c", "-o", "hello.i")
    expect((build.phases(), build.check_files()), (["driver", "preprocess"], ["hello.i"]), "gcc -E")
    build = Build(orrery, "gcc", "-S", "hello.i")
    expect((build.phases(), build.check_files()), (["driver", "compile"], ["hello.s"]), "gcc -S")
    expect(build.steps[1]["merged"], None, "cc1 of preprocessed source merges nothing")
    build = Build(orrery, "gcc", "-c", "hello.s")
    expect((build.phases(), build.check_files()), (["driver", "assemble"], ["hello.o"]), "gcc -c")


def case_clang(orrery):
    need("clang")
    pathlib.Path("hello.c").write_text(HELLO)
    build = Build(orrery, "clang", "hello.c", "-o", "hello")
    expect(build.phases(), ["driver", "compile", "link"], "phases")
    expect(build.steps[1]["merged"], "preprocesses, compiles and assembles in one process", "what -cc1 merges")
    expect(build.check_files(), ["hello"], "what is left")
    build.check_inputs()
    made = build.one("object")
    native("clang", "-c", "hello.c")
    expect(len(build.content(made)), len(pathlib.Path("hello.o").read_bytes()), "size of the object")
    build = Build(orrery, "clang", "-c", "hello.c")
    expect(build.check_files(), ["hello.o"], "clang -c")
    expect([(step["phase"], step["merged"]) for step in build.steps],
           [("compile", "drives, preprocesses, compiles and assembles in one process")], "a driver that compiles itself")


def case_linkers(orrery):
    """Outputs that are written, and outputs that are mapped."""
    pathlib.Path("hello.c").write_text(HELLO)
    native("gcc", "-c", "hello.c")
    linked = 0
    for linker in ("bfd", "gold", "lld", "mold"):
        if shutil.which(f"ld.{linker}") is None:
            continue
        for extra in ((), ("-static",)):
            name = f"hello-{linker}{''.join(extra)}"
            build = Build(orrery, "gcc", f"-fuse-ld={linker}", *extra, "hello.o", "-o", name)
            expect(name in build.check_files(), True, f"{name} is there")
            expect(build.phases()[-1], "link", f"the last phase of {name}")
            build.check_inputs()
            expect(native(f"./{name}").stdout, "hello\n", name)
            linked += 1
    expect(linked >= 2, True, "linkers that are installed")


def case_in_place(orrery):
    """A file that a later step rewrites is two artefacts; an old output that is there does not matter."""
    pathlib.Path("hello.c").write_text(HELLO)
    pathlib.Path("hello").write_text("old " * 9999)
    build = Build(orrery, "sh", "-c", "gcc -g hello.c -o hello && strip hello && cp hello copied")
    made = [each for each in build.made if each["path"].endswith("/hello")]
    expect([each["fate"] for each in made], ["replaced", "there"], "before and after strip")
    expect([each["step"]["phase"] for each in made], ["link", "other"], "who made them")
    expect(made[0]["size"] > made[1]["size"], True, "strip made it smaller")
    build.check_files()
    native("gcc", "-g", "hello.c", "-o", "unstripped")
    expect(made[0]["size"], pathlib.Path("unstripped").stat().st_size, "size before strip")


def case_make(orrery):
    need("make", "ar")
    for i in range(6):
        pathlib.Path(f"f{i}.c").write_text(f"int f{i}(int x) {{ return x + {i}; }}\n")
    calls = " + ".join(f"f{i}(0)" for i in range(6))
    pathlib.Path("main.c").write_text("".join(f"int f{i}(int);\n" for i in range(6)) + f"int main(void) {{ return {calls} != 15; }}\n")
    pathlib.Path("Makefile").write_text("app: main.o libf.a\n\tgcc -o $@ $^\nlibf.a: $(patsubst %,f%.o,0 1 2 3 4 5)\n\tar rcs $@ $^\n")
    build = Build(orrery, "make", "-s", "-j2")
    phases = build.phases()
    expect({phase: phases.count(phase) for phase in ("build tool", "compile", "assemble", "archive", "link")},
           {"build tool": 1, "compile": 7, "assemble": 7, "archive": 1, "link": 1}, "phases")
    expect(build.check_files(), ["app"] + [f"f{i}.o" for i in range(6)] + ["libf.a", "main.o"], "what is left")
    archive = next(step for step in build.steps if step["phase"] == "archive")
    members = [each for each in archive["reads"] if each["kind"] == "object"]
    expect(len(members), 6, "members that were read")
    expect(all(each["artefact"] is not None for each in members), True, "each was made by a step")
    build.check_inputs()


def case_cmake(orrery):
    need("cmake", "ninja")
    pathlib.Path("CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.20)\nproject(hello C)\nadd_executable(hello hello.c)\n")
    pathlib.Path("hello.c").write_text(HELLO)
    native("cmake", "-G", "Ninja", "-B", "out")
    build = Build(orrery, "cmake", "--build", "out")
    expect(set(build.phases()) >= {"build tool", "driver", "compile", "assemble", "link"}, True, "phases")
    expect("hello" in build.check_files(), True, "hello is there")
    expect(native("out/hello").stdout, "hello\n", "hello")


def case_native_child(orrery):
    """A step that was not recorded is named, and nothing is said of its files."""
    pathlib.Path("hello.c").write_text(HELLO)
    orrery.run("record", "--no-follow", "--", "gcc", "-c", "hello.c")
    steps = orrery.json("show", "build")["steps"]
    expect([step["phase"] for step in steps], ["driver", "compile", "assemble"], "phases")
    expect([step["end"] for step in steps[1:]], ["native, exit 0"] * 2, "how they ended")
    expect([step["peak_bytes"] for step in steps[1:]], [None, None], "their memory")
    expect([each for step in steps for each in step["makes"] if each["kind"] == "object"], [], "objects")


def case_old_recording(orrery):
    """Contents that are gone are found again, and a recording that cannot be written to has its tables nevertheless."""
    pathlib.Path("hello.c").write_text(HELLO)
    build = Build(orrery, "gcc", "-c", "hello.c")
    steps = orrery.json("show", "build")
    shutil.rmtree(build.recording / "artefacts")
    (build.recording / "layers.sqlite").unlink()
    expect(orrery.json("show", "build"), steps, "found again")
    expect_match(orrery.run("show", "build", "nosuch", status=69).stderr, "nosuch", "of nothing")


def sections_of(path):
    """Name, type, size and alignment of each section, as readelf tells; it has no name for a type of LLVM's."""
    lines = native("readelf", "-SW", path).stdout.replace("LOOS+0xfff4c03", "LLVM_ADDRSIG").splitlines()
    rows = [re.match(r" *\[ *(\d+)\] (\S*) +(\S+) +[0-9a-f]{16} [0-9a-f]+ ([0-9a-f]+) .* (\d+)$", line) for line in lines]
    return [(int(row[1]), row[2], row[3], int(row[4], 16), int(row[5])) for row in rows if row and row[3] != "NULL"]


def relocations_of(path):
    """The changed section, offset, type and symbol with its addend, as readelf tells."""
    found, section = [], None
    for line in native("readelf", "-rW", path).stdout.splitlines():
        if head := re.match(r"Relocation section '\.rela(\S*)'", line):
            section = head[1]
        elif row := re.match(r"([0-9a-f]{16})  [0-9a-f]{16} (\S+) +(?:[0-9a-f]{16} )?(\S*) ([+-]) ([0-9a-f]+)$", line):
            found.append((section, int(row[1], 16), row[2], row[3], int(row[4] + row[5], 16)))
    return found


def case_object(orrery):
    """An object that the driver removed, beside nm and readelf on the same object made again."""
    pathlib.Path("hello.c").write_text(HELLO + "\n".join((
        "int shared = 7, zero[9];", "static int own = 3;", "const char *const words = \"some words\";",
        "extern int other __attribute__((weak));", "__attribute__((weak)) int may(void) { return own + shared; }",
        "static int local(void) { return other + ++own; }", "int (*where)(void) = local;",
        "_Thread_local int each = 1;", "__attribute__((section(\"mine\"))) int placed = 2;",
        "int common __attribute__((common));", "void never(void); int calls(void) { never(); return each; }", "")))
    for compiler in (("gcc",), ("gcc", "-O2", "-g", "-ffunction-sections"), ("clang", "-O1")):
        if shutil.which(compiler[0]) is None:
            continue
        native(*compiler, "-c", "hello.c")
        build = Build(orrery, *compiler, "hello.c", "-Wl,--unresolved-symbols=ignore-all", "-o", "hello")
        made = build.one("object")
        expect(made["fate"], "removed", "fate of the object")
        pathlib.Path("kept.o").write_bytes(build.content(made))
        shown = orrery.json("show", "build", "--object", made["path"])
        expect([(each["index"], each["name"], each["type"], each["size"], each["alignment"]) for each in shown["sections"]],
               sections_of("kept.o"), "sections")
        symbols = sorted((each["name"], each["letter"]) for each in shown["symbols"])
        lines = native("nm", "kept.o").stdout.splitlines()
        expect(symbols, sorted((line.split()[-1], line.split()[-2]) for line in lines), "symbols and their letters")
        got = [(each["section"], each["offset"], each["type"], each["symbol"], each["addend"]) for each in shown["relocations"]]
        expect(got, relocations_of("kept.o"), "relocations")
        waits = {each["symbol"]: each["waits_for"] for each in shown["relocations"]}
        expect((waits["never"], waits["other"]), ("a symbol of another file", "a symbol of another file, or 0"), "what is waited for")
        text = orrery.run("show", "build", "--object", f"#{made['artefact']}").stdout
        expect_match(text, r"^  U never$", "an undefined symbol")
        expect_match(text, r"^ +0x\S+ R_X86_64_\S+ +never-4  waits for a symbol of another file$", "a relocation")
    expect_match(orrery.run("show", "build", "--object", "hello", status=69).stderr, "is no object file but: executable", "of a program")
    expect_match(orrery.run("show", "build", "--object", "nosuch", status=69).stderr, "no artefact of this recording", "of nothing")


def real(name):
    """A map's or a table's name of a file or an archive's member, with the file's real path."""
    path, _, member = name.partition("(")
    return os.path.realpath(path) + ("(" + member if member else "")


def placed_in_map(text):
    """Input sections with output addresses: (name, address, size, file), as the linker's map lists them."""
    memory = text[text.index("Linker script and memory map"):]
    rows = re.findall(r"^ (\S+)\s+0x([0-9a-f]{16})\s+0x([0-9a-f]+) (\S.*)$", memory, re.MULTILINE)
    return {(name, int(address, 16), int(size, 16), real(file)) for name, address, size, file in rows}


def members_in_map(text):
    """Which member of an archive came in for which symbol of whom."""
    head = text[:text.index("\n\n", text.index("Archive member included") + 100)]
    rows = re.findall(r"^(\S+\(\S+\))\s+(\S+) \((\S+)\)$", head, re.MULTILINE)
    return {real(member): (real(by), symbol) for member, by, symbol in rows}


def check_link(orrery, name, words):
    """One link beside the map that ld.bfd wrote of it."""
    build = Build(orrery, "gcc", "-fuse-ld=bfd", *words, "-o", name, f"-Wl,-Map,{name}.map")
    expect(name in build.check_files(), True, f"{name} is there")
    shown = orrery.json("show", "build", "--link", name)
    text = pathlib.Path(f"{name}.map").read_text()
    names = [real(each["file"] + (f"({each['member']})" if each["member"] else "")) for each in shown["units"]]
    members = members_in_map(text) if "Archive member included" in text else {}
    taken = {unit: each for unit, each in zip(names, shown["units"]) if each["member"]}
    expect(set(taken), set(members), f"members in {name}")
    for member, each in taken.items():
        expect((real(each["wanted_by"]), each["wanted_symbol"]), members[member], f"why {member} is in {name}")
    mapped = placed_in_map(text)
    found = {(each["name"], each["address"], each["size"], names[each["unit"]]): each["found_by"]
             for each in shown["sections"] if each["address"]}
    expect({place: by for place, by in found.items() if place not in mapped}, {}, f"places in {name} that its map does not have")
    sizes = {(place[0], place[2], place[3]) for place in mapped if place[1]}
    unknown = [(each["name"], each["size"], names[each["unit"]]) for each in shown["sections"] if each["found_by"] == "unknown"]
    unknown = [each for each in unknown if each in sizes]  # not those that the linker dropped
    expect(len(unknown) * 20 <= len(found), True, f"{len(unknown)} of {len(found)} sections of {name} were not found")
    needed = re.findall(r"\(NEEDED\) +Shared library: \[(.*)\]", native("readelf", "-dW", name).stdout)
    expect(shown["needed"], needed, f"NEEDED of {name}")
    return shown, names


def resolver(shown, names, symbol):
    """Where the symbol was found, for each unit that wants it."""
    return {names[each["unit"]]: (each["resolved_by"], real(each["file"] + (f"({each['member']})" if each["member"] else "")) if each["file"] else None)
            for each in shown["symbols"] if each["name"] == symbol}


def case_link(orrery):
    """Links beside their maps and --trace-symbol: an archive, static and dynamic, weak symbols, COMDAT groups."""
    need("ld.bfd")
    pathlib.Path("main.c").write_text("#include <stdio.h>\nint one(void), two(void); extern int none __attribute__((weak));\n"
                                      "int main(void) { printf(\"%d\\n\", one() + two() + (&none != 0)); return 0; }\n")
    pathlib.Path("one.c").write_text("int three(void); int one(void) { return three(); }\n")
    pathlib.Path("two.c").write_text("static int kept = 5; __attribute__((weak)) int two(void) { return kept++; }\n")
    pathlib.Path("three.c").write_text("int zeros[99]; const char words[] = \"three\"; int three(void) { return zeros[3] + words[0]; }\n")
    pathlib.Path("unused.c").write_text("int unused(void) { return 1; }\n")
    native("gcc", "-c", "main.c", "one.c", "two.c", "three.c", "unused.c")
    native("ar", "rcs", "libsome.a", "one.o", "three.o", "unused.o")
    here = os.path.realpath(".")
    for name, extra in (("dynamic", ()), ("static", ("-static",)), ("fixed", ("-no-pie",)), ("sections", ("-Wl,--gc-sections",))):
        shown, names = check_link(orrery, name, (*extra, "main.o", "two.o", "libsome.a"))
        expect(resolver(shown, names, "one"), {f"{here}/main.o": ("member", f"{here}/libsome.a(one.o)")}, "who has one")
        expect(resolver(shown, names, "two"), {f"{here}/main.o": ("object", f"{here}/two.o")}, "who has two")
        expect(resolver(shown, names, "three"), {f"{here}/libsome.a(one.o)": ("member", f"{here}/libsome.a(three.o)")}, "who has three")
        expect(resolver(shown, names, "none"), {f"{here}/main.o": ("nothing", None)}, "a weak symbol that nobody has")
        traced = native("gcc", "-fuse-ld=bfd", *extra, "main.o", "two.o", "libsome.a", "-o", "again", "-Wl,--trace-symbol=printf,--trace-symbol=main")
        by, where = resolver(shown, names, "printf")[f"{here}/main.o"]
        defined = [real(line.split(": ")[1]) for line in (traced.stdout + traced.stderr).splitlines() if line.endswith("definition of printf")]
        expect([where], defined, "where printf was found")
        expect(by, "member" if name == "static" else "library", "what it was found in")
        copied = {unit: each["bytes"] for unit, each in zip(names, shown["units"])}
        expect(copied[f"{here}/libsome.a(three.o)"] > 400, True, "bytes of a member")
    pathlib.Path("a.cc").write_text("#include <vector>\nint a() { std::vector<int> v(9); return v.at(3); }\n")
    pathlib.Path("b.cc").write_text("#include <vector>\nint a();\nint main() { std::vector<int> v(9); return v.at(3) + a(); }\n")
    native("g++", "-c", "a.cc", "b.cc")
    shown, _ = check_link(orrery, "groups", ("a.o", "b.o", "-lstdc++"))
    expect(any(each["found_by"] == "discarded" for each in shown["sections"]), True, "sections of a repeated group")
    text = orrery.run("show", "build", "--link", "groups").stdout
    expect_match(text, r"^  NEEDED libstdc\+\+\.so\.6$", "what is left to dynamic linking")
    expect_match(orrery.run("show", "build", "--link", "groups.map", status=69).stderr, "is no ELF file but: link map", "of a map")


def case_link_mapped(orrery):
    """Linkers that map their inputs: the same symbols found in the same files, and places that nm confirms."""
    pathlib.Path("main.c").write_text("int one(void);\nint main(void) { return one(); }\n")
    pathlib.Path("one.c").write_text("int one(void) { return 0; }\n")
    native("gcc", "-c", "main.c", "one.c")
    native("ar", "rcs", "libone.a", "one.o")
    for linker in ("lld", "mold", "gold"):
        if shutil.which(f"ld.{linker}") is None:
            continue
        Build(orrery, "gcc", f"-fuse-ld={linker}", "main.o", "libone.a", "-o", linker)
        shown = orrery.json("show", "build", "--link", linker)
        names = [each["file"].rsplit("/", 1)[1] + (f"({each['member']})" if each["member"] else "") for each in shown["units"]]
        expect("libone.a(one.o)" in names, True, f"the member is in {linker}'s output")
        expect(next(each["wanted_symbol"] for each in shown["units"] if each["member"] == "one.o"), "one", "what for")
        address = int(re.search(r"^([0-9a-f]+) [Tt] main$", native("nm", linker).stdout, re.MULTILINE)[1], 16)
        place = next(each for each in shown["sections"] if names[each["unit"]] == "main.o" and each["name"] == ".text")
        expect((place["address"], place["output"]), (address, ".text"), f"where {linker} put main")


def case_hostile(orrery):
    """What a stranger put where the contents go is not written through, and steps are shown nevertheless."""
    pathlib.Path("hello.c").write_text(HELLO)
    build = Build(orrery, "gcc", "-c", "hello.c")
    target = orrery.home / "elsewhere"
    target.mkdir()
    for put in (lambda path: path.symlink_to(target), lambda path: path.write_text("a file"), os.mkfifo):
        artefacts = build.recording / "artefacts"
        shutil.rmtree(artefacts) if artefacts.is_dir() and not artefacts.is_symlink() else artefacts.unlink()
        (build.recording / "layers.sqlite").unlink()
        put(artefacts)
        steps = orrery.json("show", "build")["steps"]
        made = [each for step in steps for each in step["makes"]]
        expect([each["xxh64"] for each in made], [each["xxh64"] for each in build.made], "hashes")
        expect({each["content"] for each in made}, {None}, "kept contents")
        expect(list(target.iterdir()), [], "files elsewhere")
        expect_match(orrery.run("show", "build").stdout, r"^The contents of \d of the files written are not kept", "the note")
        expect_match(orrery.run("show", "build", "--object", "hello.o", status=69).stderr, "its content is not kept", "the object")


def case_files(orrery):
    """Every way to write a file, beside the files themselves."""
    native("gcc", "-O1", str(HERE / "files.c"), "-o", "files")
    os.mkdir("below")
    build = Build(orrery, "./files")
    expect(build.check_files(), sorted(("offsets", "shared", "appended", "mapped", "left_mapped", "copied", "second_name",
                                        "removed", "inside", "beside")), "what is there")
    fates = sorted((each["fate"], build.content(each)) for each in build.made if each["fate"] != "there")
    expect(fates, [("removed", b"is removed"), ("replaced", b"is gone")], "what is not")
    named = next(each for each in build.made if each["path"].endswith("/second_name"))
    expect(named["made_as"].rsplit("/", 1)[1], "name.tmp", "the first name")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orrery", required=True)
    parser.add_argument("--only")
    options = parser.parse_args()
    program = str(pathlib.Path(options.orrery).resolve())
    cases = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}
    os.environ["LC_ALL"] = "C"
    for name in [options.only] if options.only else cases:
        with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as place:
            os.chdir(place)
            cases[name](Orrery(program, home))
            os.chdir("/")
        print(f"{name}: good")


if __name__ == "__main__":
    main()
