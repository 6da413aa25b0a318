#!/usr/bin/env python3
"""Functions, lines and inlined functions in the backtraces of `orrery why`, beside gdb, addr2line -i and
eu-addr2line -i: with debug information in every place where it may lie, and without it when what lies there
belongs to another build. The names of whole files beside nm -C.

Usage: run.py --orrery PATH CASE   (77: a tool that the case needs is not there)
"""

import argparse
import functools
import http.server
import inspect
import json
import lzma
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")
SKIP = 77


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skipped(f"there is no {tool}")


def check(right, words):
    if not right:
        raise Failed(words)


def run(*words, cwd=None, environment=None, status=0):
    done = subprocess.run(words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=240)
    if status is not None:
        check(done.returncode == status,
              f"{' '.join(words)}: exits with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


class Bench:
    """A directory with programs, recordings and debug files of one case."""

    def __init__(self, orrery, place):
        self.orrery, self.place = orrery, place
        self.work = os.path.join(place, "work")
        os.mkdir(self.work)
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("DEBUGINFOD", "ORRERY"))}
        self.environment.update(XDG_DATA_HOME=os.path.join(place, "data"), NO_COLOR="1", HOME=place)

    def path(self, name):
        return os.path.join(self.work, name)

    def build(self, *options, compiler="g++", library_options=(), link_options=()):
        """libcanvas.so and painter, in the work directory; sources are copied there."""
        for name in ("canvas.h", "canvas.cc", "painter.cc"):
            shutil.copy(os.path.join(PROGRAMS, name), self.work)
        options = ("-O2", "-g", "-std=c++17", "-fno-omit-frame-pointer", *options)
        run(compiler, *options, *library_options, "-shared", "-fPIC", "-o", "libcanvas.so",
            self.path("canvas.cc"), "-Wl,--build-id", *link_options, cwd=self.work)
        run(compiler, *options, "-o", "painter", self.path("painter.cc"), "-L.", "-lcanvas", "-Wl,-rpath,$ORIGIN",
            "-Wl,--build-id", *link_options, cwd=self.work)

    def separate(self, name, to, link=True):
        """Takes the debug information of work/NAME to the path `to`, and strips the file."""
        os.makedirs(os.path.dirname(to), exist_ok=True)
        run("objcopy", "--only-keep-debug", name, to, cwd=self.work)
        run("objcopy", "--strip-all", name, cwd=self.work)
        if link:
            run("objcopy", f"--add-gnu-debuglink={to}", name, cwd=self.work)

    def record(self, program="painter"):
        return run(self.orrery, "record", "--", self.path(program), environment=self.environment, status=-signal.SIGSEGV)

    def why(self, *arguments):
        """Its stack, and what it says on stderr."""
        told = run(self.orrery, "why", "--json", *arguments, environment=self.environment, status=1)
        return json.loads(told.stdout), told.stderr


def build_id(path):
    notes = run("readelf", "-n", path).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)


def below_root(root, path):
    digits = build_id(path)
    return os.path.join(root, ".build-id", digits[:2], digits[2:] + ".debug")


def plain(function):
    """A function's name as all tools have it: no parameters, no return type, no blanks."""
    name = re.sub(r"\s+const$", "", function.strip())
    while name.endswith(")"):
        depth = 0
        for at in range(len(name) - 1, -1, -1):
            depth += (name[at] == ")") - (name[at] == "(")
            if depth == 0:
                break
        if at == 0 or name[:at].endswith("operator"):
            break
        name = name[:at]
    depth, begin = 0, 0
    for at, letter in enumerate(name):
        depth += (letter in "<({") - (letter in ">)}")
        if letter == " " and depth == 0 and "operator" not in name:
            begin = at + 1
    return re.sub(r"\s+", "", name[begin:])


def frames_of(verdict, work):
    """(function, file name, line) of the frames with a source line below the case's directory."""
    return [(plain(frame["function"]), os.path.basename(frame["file"]), frame["line"])
            for frame in verdict["stack"]
            if frame.get("line") and frame.get("file", "").startswith(work)]


def gdb_frames(bench, program="painter"):
    told = run("gdb", "-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex", "set width 0",
               "-ex", "set print frame-arguments none", "-ex", "run", "-ex", "bt", bench.path(program),
               environment=bench.environment, status=None).stdout
    frames = []
    for line in told.splitlines():
        match = re.match(r"#\d+\s+(?:0x[0-9a-f]+ in )?(.*) \((?:\.\.\.)?[^()]*\) at (\S+):(\d+)$", line)
        if match and match.group(2).startswith((bench.work, "painter", "canvas", "orchard", PROGRAMS)):
            frames.append((plain(match.group(1)), os.path.basename(match.group(2)), int(match.group(3))))
    return frames


def line_tool_frames(words, images, verdict, work):
    """The same frames from a tool of the addr2line family, asked for each address once."""
    frames, asked = [], None
    for frame in verdict["stack"]:
        place = (frame.get("image"), frame.get("image_offset"))
        if place == asked or place[0] not in images:
            continue
        asked = place
        offset = place[1] if isinstance(place[1], str) else hex(place[1])
        lines = run(*words, "-e", images[place[0]], offset, status=None).stdout.splitlines()
        for function, where in zip(lines[0::2], lines[1::2]):
            function = function.split(" inlined at ")[0]
            match = re.match(r"(.*?):(\d+)", where)
            if match and int(match.group(2)) and os.path.dirname(match.group(1)) == work:
                frames.append((plain(function), os.path.basename(match.group(1)), int(match.group(2))))
    return frames


def same_as_gdb(ours, bench, words, program="painter"):
    """gdb leaves out inlined functions that begin at the very instruction of the innermost frame."""
    theirs = gdb_frames(bench, program)
    ours = list(ours)
    for index, frame in enumerate(theirs[::-1]):  # a lambda's operator() has no scope there
        if index < len(ours) and frame[0] == "operator()":
            ours[-1 - index] = (ours[-1 - index][0].rsplit("::", 1)[-1], *ours[-1 - index][1:])
    check(theirs and len(ours) - len(theirs) <= 2 and ours[len(ours) - len(theirs):] == theirs,
          f"gdb, {words}:\n  orrery {ours}\n  gdb    {theirs}")


def same(left, right, words):
    check(left == right, f"{words}:\n  orrery {left}\n  other  {right}")


def expect_painter(frames):
    """What must be there in any case: the inlined functions of both sides of the library."""
    names = [frame[0] for frame in frames]
    for wanted in ("geometry::put<long>", "geometry::Painter::paint", "canvas::each", "main"):
        check(wanted in names, f"there is no frame of {wanted} in {names}")


def check_painter(bench):
    bench.record()
    verdict, told = bench.why()
    frames = frames_of(verdict, bench.work)
    expect_painter(frames)
    return verdict, frames, told


def case_gdb(bench):
    """All frames and inlined functions as gdb and both addr2lines have them."""
    need("gdb", "addr2line", "eu-addr2line")
    for options in ((), ("-gdwarf-4",), ("-flto",), ("-O1",), ("-gz=zlib",)):
        bench.build(*options)
        verdict, frames, _ = check_painter(bench)
        same_as_gdb(frames, bench, f"built with {options}")
        images = {bench.path(name): bench.path(name) for name in ("painter", "libcanvas.so")}
        # They know no scopes, and binutils other names at times; the second knows nothing of -flto's units.
        for tool in ("addr2line", "eu-addr2line")[:1 if "-flto" in options else 2]:
            theirs = line_tool_frames((tool, "-f", "-i", "-C"), images, verdict, bench.work)
            same([frame[1:] for frame in frames], [frame[1:] for frame in theirs], f"{tool}, built with {options}")


def case_clang(bench):
    need("clang++-14", "gdb")
    for options in ((), ("-gdwarf-4",)):
        bench.build(*options, compiler="clang++-14")
        _, frames, _ = check_painter(bench)
        same_as_gdb(frames, bench, f"built by clang with {options}")


def case_debug_link(bench):
    """Beside the file and in .debug beside it; found from the program's directory, not the kept copy's."""
    bench.build()
    expected = check_painter(bench)[1]
    for directory in ("", ".debug"):
        bench.build()
        for name in ("painter", "libcanvas.so"):
            bench.separate(name, os.path.join(bench.work, directory, name + ".debug"))
        same(check_painter(bench)[1], expected, f"debug link in '{directory}'")
        for name in ("painter", "libcanvas.so"):
            os.unlink(os.path.join(bench.work, directory, name + ".debug"))


def case_debug_root(bench):
    """Below a debug directory: by build-id, and by the file's path."""
    root = os.path.join(bench.place, "debug")
    for by_path in (False, True):
        bench.build(link_options=("-Wl,--build-id=none",) if by_path else ())
        expected = check_painter(bench)[1]
        for name in ("painter", "libcanvas.so"):
            place = root + bench.path(name) + ".debug" if by_path else below_root(root, bench.path(name))
            bench.separate(name, place, link=by_path)
        bench.record()
        check(not frames_of(bench.why()[0], bench.work), "lines came from nowhere")
        bench.environment["ORRERY_DEBUG_PATH"] = "/nowhere:" + root
        same(frames_of(bench.why()[0], bench.work), expected, f"debug directory, by path: {by_path}")
        del bench.environment["ORRERY_DEBUG_PATH"]


def case_other_build(bench):
    """Debug files of another build of the same program are not used, wherever they lie."""
    root = os.path.join(bench.place, "debug")
    for ids in ((), ("-Wl,--build-id=none",)):
        bench.build(link_options=ids)
        stale = os.path.join(bench.place, "stale.debug")
        bench.separate("painter", stale)
        bench.build("-O1", link_options=ids)
        right = below_root(root, bench.path("painter")) if not ids else None
        bench.separate("painter", os.path.join(bench.work, "painter.debug"))
        bench.record()
        bench.environment["ORRERY_DEBUG_PATH"] = root
        check("main" in [frame[0] for frame in frames_of(bench.why()[0], bench.work)], "the right one is not used")
        places = [bench.path("painter.debug"), bench.path(".debug/painter.debug"), root + bench.path("painter.debug")]
        for place in places + ([right] if right else []):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copy(stale, place)
        names = [frame[0] for frame in frames_of(bench.why()[0], bench.work)]
        check("main" not in names, f"lines of another build were shown: {names}")
        del bench.environment["ORRERY_DEBUG_PATH"]
        shutil.rmtree(root)
        shutil.rmtree(bench.path(".debug"))


def case_elsewhere(bench):
    """The program and its library are gone, and others have their names: the kept copies are read."""
    bench.build()
    expected = check_painter(bench)[1]
    for change in ("gone", "other"):
        for name in ("painter", "libcanvas.so"):
            if change == "gone":
                os.unlink(bench.path(name))
            else:
                shutil.copy("/bin/true", bench.path(name))
        same(frames_of(bench.why()[0], bench.work), expected, f"files {change}")


def case_supplement(bench):
    """What several debug files share is in one of its own (dwz)."""
    need("dwz")
    root = os.path.join(bench.place, "debug")
    bench.build("-gdwarf-4")  # dwz 0.15 makes no supplement of DWARF 5
    expected = check_painter(bench)[1]
    debug_files = []
    for name in ("painter", "libcanvas.so"):
        debug_files.append(below_root(root, bench.path(name)))
        bench.separate(name, debug_files[-1], link=False)
    common = os.path.join(root, ".dwz", "common.debug")
    os.makedirs(os.path.dirname(common))
    run("dwz", "-m", common, "-M", common, *debug_files)
    check(".gnu_debugaltlink" in run("readelf", "-SW", debug_files[0]).stdout, "dwz has made no supplement")
    bench.environment["ORRERY_DEBUG_PATH"] = root
    same(check_painter(bench)[1], expected, "with a supplement")
    # By its build-id alone.
    moved = below_root(root, common)
    os.makedirs(os.path.dirname(moved), exist_ok=True)
    os.rename(common, moved)
    same(frames_of(bench.why()[0], bench.work), expected, "with a supplement found by build-id")


def case_small_symbols(bench):
    """.gnu_debugdata: a symbol table of functions, packed with xz into the stripped file."""
    bench.build()
    expected = check_painter(bench)[0]
    names = [bench.path(name) for name in ("painter", "libcanvas.so")]
    for path in names:
        run("objcopy", "--strip-debug", "--remove-section=.comment", path, path + ".mini")
        run("objcopy", "--only-keep-debug", path + ".mini", path + ".symbols")
        with open(path + ".symbols", "rb") as file, open(path + ".xz", "wb") as packed:
            packed.write(lzma.compress(file.read()))
        run("objcopy", "--strip-all", path)
    bench.record()
    stripped = bench.why()[0]
    for path in names:
        run("objcopy", f"--add-section=.gnu_debugdata={path}.xz", path)
    bench.record()
    told = bench.why()[0]

    def symbols(verdict):
        return {plain(frame["function"]) for frame in verdict["stack"] if not frame.get("inlined")}

    check("geometry::Painter::paint" not in symbols(stripped), "the stripped program still had symbols")
    check("geometry::Painter::paint" in symbols(told), f"no name from .gnu_debugdata: {symbols(told)}")
    check(symbols(told) >= {"main", "canvas::each"} & symbols(expected), "names are missing")


class Server(http.server.ThreadingHTTPServer):
    """A debuginfod that has the debug files of a directory laid out by build-id."""

    def __init__(self, root):
        self.asked = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                match = re.match(r"/buildid/([0-9a-f]+)/debuginfo$", self.path)
                path = os.path.join(root, ".build-id", match[1][:2], match[1][2:] + ".debug") if match else ""
                if not os.path.exists(path):
                    self.send_error(404)
                    return
                with open(path, "rb") as file:
                    body = file.read()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


def case_debuginfod(bench):
    """Asked only where the user named a server; one that does not answer costs a line and no more."""
    libraries = run("ldconfig", "-p").stdout if shutil.which("ldconfig") else run("/sbin/ldconfig", "-p").stdout
    if "libdebuginfod.so.1" not in libraries:
        raise Skipped("there is no libdebuginfod.so.1")
    root = os.path.join(bench.place, "server")
    bench.build()
    expected = check_painter(bench)[1]
    for name in ("painter", "libcanvas.so"):
        bench.separate(name, below_root(root, bench.path(name)), link=False)
    bench.record()
    server = Server(root)
    check(not frames_of(bench.why()[0], bench.work) and not server.asked, "asked without being told to")
    cache = os.path.join(bench.place, "cache")
    bench.environment.update(DEBUGINFOD_URLS=server.url(), DEBUGINFOD_CACHE_PATH=cache)
    verdict, told = bench.why()
    same(frames_of(verdict, bench.work), expected, "from the server")
    check(server.asked, "the server was not asked")
    check(not told, f"something was complained of: {told}")

    # One that refuses, and one that never says a word.
    shutil.rmtree(cache)
    server.shutdown()
    server.server_close()
    verdict, told = bench.why()
    check(not frames_of(verdict, bench.work), "lines came from nowhere")
    check(len(told.splitlines()) == 1 and "debuginfod" in told and server.url() in told, f"it says: {told!r}")
    shutil.rmtree(cache, ignore_errors=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.environment.update(DEBUGINFOD_URLS=f"http://127.0.0.1:{silent.getsockname()[1]}", DEBUGINFOD_TIMEOUT="3")
        verdict, told = bench.why()
    check("no answer for 3 s" in told or "Timer expired" in told, f"it says: {told!r}")
    check(len([line for line in told.splitlines() if "going on without" in line]) == 1, f"it says: {told!r}")


def pack(bench, *options):
    told = run(bench.orrery, "pack", "--json", *options, environment=bench.environment)
    return json.loads(told.stdout), told.stderr


def own(paths, bench):
    """Those below the case's directory: the system's headers are not always as its libraries were built with."""
    return [path for path in paths if path.startswith(bench.place)]


def why_text(bench, *arguments, environment=None):
    return run(bench.orrery, "why", *arguments, environment=environment or bench.environment, status=1)


CRASH_LINE = "grid.at(index) = value;"


def elsewhere(bench):
    """The recording as another machine sees it: moved, with another home, without program, sources and debug files."""
    moved = os.path.join(bench.place, "moved")
    shutil.rmtree(moved, ignore_errors=True)
    path = os.path.realpath(os.path.join(bench.place, "data", "orrery", "recordings", "latest"))
    shutil.move(path, moved)
    shutil.rmtree(bench.work)
    os.mkdir(bench.work)
    home = os.path.join(bench.place, "home")
    os.makedirs(home, exist_ok=True)
    environment = dict(bench.environment, HOME=home, XDG_DATA_HOME=os.path.join(home, "data"))
    environment.pop("ORRERY_DEBUG_PATH", None)
    return moved, environment


def case_pack(bench):
    """Sources and debug files travel along; with a supplement, with debug links without a build-id, and with both compilers."""
    root = os.path.join(bench.place, "debug")
    for options, compiler, ids in (((), "g++", ()), ((), "g++", ("-Wl,--build-id=none",)), ((), "clang++-14", ()), (("-gdwarf-4",), "g++", ())):
        if not shutil.which(compiler) or ("-gdwarf-4" in options and not shutil.which("dwz")):
            continue
        bench.build(*options, compiler=compiler, link_options=ids)
        expected = check_painter(bench)[1]
        debug_files = []
        for name in ("painter", "libcanvas.so"):
            debug_files.append(below_root(root, bench.path(name)) if not ids else root + bench.path(name) + ".debug")
            bench.separate(name, debug_files[-1], link=bool(ids))
        if "-gdwarf-4" in options:
            common = os.path.join(root, "common.debug")
            run("dwz", "-m", common, "-M", common, *debug_files)
        bench.record()
        bench.environment["ORRERY_DEBUG_PATH"] = root
        told, words = pack(bench, "--sources", "--debug")
        del bench.environment["ORRERY_DEBUG_PATH"]
        packed = told["packed"]
        check(packed["sources"] >= 3 and packed["debug_files"] >= 2, f"too little was packed: {words}")
        check(re.search(r"took along \d+ source files \(.*\) and \d+ debug files \(", words), f"it says: {words!r}")
        check(not own(packed["changed"], bench) and not told["troubles"], f"{own(packed['changed'], bench)} {told['troubles']}")
        shutil.rmtree(root)
        moved, environment = elsewhere(bench)
        for directory, _, names in os.walk(moved):
            for name in names:
                if "/debug" in directory or "/sources" in directory or name == "packed":
                    mode = os.stat(os.path.join(directory, name)).st_mode & 0o777
                    check(mode == 0o600, f"{directory}/{name} has mode {mode:o}")
        told = why_text(bench, moved, environment=environment)
        check(CRASH_LINE in told.stdout, f"{compiler} {options} {ids}: no source line:\n{told.stdout}{told.stderr}")
        verdict = json.loads(why_text(bench, moved, "--json", environment=environment).stdout)
        same(frames_of(verdict, bench.work), expected, f"packed, {compiler} {options} {ids}")


def changed_checksum(bench):
    """A change that the file's time does not tell."""
    path = bench.path("blot.c")
    shutil.copy(os.path.join(PROGRAMS, "blot.c"), path)
    before = os.stat(path)
    run("clang-14", "-g", "-gdwarf-5", "-o", bench.path("blot"), path)
    bench.record("blot")
    check("BLOT" in why_text(bench).stdout, "the source is not shown")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("BLOT", "blot"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    told, words = pack(bench, "--sources")
    check(own(told["packed"]["changed"], bench) == [path] and path in words, f"{told['packed']['changed']} {words!r}")
    shown = why_text(bench).stdout
    check("has changed since the program was built, and is not shown" in shown and "*page = 7" not in shown, shown)
    shutil.copy(os.path.join(PROGRAMS, "blot.c"), path)  # newer, and yet what was compiled
    told, words = pack(bench, "--sources")
    check(not own(told["packed"]["changed"], bench), f"{told['packed']['changed']} {words!r}")
    check("BLOT" in why_text(bench).stdout and "newer" not in why_text(bench).stdout, "the right source is not shown")


def case_pack_changed(bench):
    """A source that is not what was compiled is left out by name; so is what is no source by its name."""
    bench.build()
    bench.record()
    path = bench.path("painter.cc")
    with open(path, "a", encoding="utf-8") as file:
        file.write("// one more line\n")
    told, words = pack(bench, "--sources")
    check(own(told["packed"]["changed"], bench) == [path], f"{told['packed']['changed']}")
    check(f"{path} has changed since the program was built: left out" in words, f"it says: {words!r}")
    check(told["packed"]["sources"] >= 2, "the others were not packed")
    check("is newer than the program" in why_text(bench).stdout, "why does not say that the source is newer")
    if shutil.which("clang-14"):
        changed_checksum(bench)
    # What a hostile program's debug information names as its source.
    bench.build()
    key = os.path.join(bench.place, "id_ed25519")
    with open(key, "w", encoding="utf-8") as file:
        file.write("int secret;\n")
    run("g++", "-g", "-x", "c++", "-c", "-o", "key.o", key, cwd=bench.work)
    run("g++", "-g", "-o", "painter", "painter.cc", "key.o", "-L.", "-lcanvas", "-Wl,-rpath,$ORIGIN", cwd=bench.work)
    bench.record()
    told, words = pack(bench, "--sources")
    check(told["packed"]["refused"] == [key] and key in words, f"{told['packed']['refused']} {words!r}")
    recording = told["path"]
    for name in os.listdir(os.path.join(recording, "sources")):
        with open(os.path.join(recording, "sources", name), encoding="utf-8", errors="replace") as file:
            check("secret" not in file.read(), "the key was packed")


def case_pack_hostile(bench):
    """A packed recording from a stranger: what is not as the list says is not shown, and no name leads out of it."""
    bench.build()
    bench.separate("painter", bench.path("painter.debug"))
    its_debug_file = build_id(bench.path("painter")) + ".debug"  # the system's own, of libc say, may be packed too
    bench.record()
    told, _ = pack(bench, "--sources", "--debug")
    moved, environment = elsewhere(bench)
    listed = os.path.join(moved, "packed")
    with open(listed, encoding="utf-8") as file:
        lines = file.read().splitlines()
    painter = next(line for line in lines if line.endswith("/painter.cc"))
    source = os.path.join(moved, "sources", painter.split()[1])
    debug = os.path.join(moved, "debug", next(line.split()[3] for line in lines if line.endswith(its_debug_file)))
    outside = os.path.join(bench.place, "outside.cc")
    with open(source, encoding="utf-8") as file:
        text = file.read()
    with open(outside, "w", encoding="utf-8") as file:
        file.write(text)

    def shown():
        return why_text(bench, moved, environment=environment).stdout

    def verified():
        return run(bench.orrery, "pack", moved, environment=environment, status=1).stderr

    check(CRASH_LINE in shown(), "the packed source is not shown")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text.replace("value;", "nothing;"))
    check("not as it was packed" in shown() and "nothing;" not in shown(), f"a changed source is shown:\n{shown()}")
    check("not as it was packed" in verified(), "pack does not say that a source was changed")
    os.unlink(source)
    os.symlink(outside, source)
    check(CRASH_LINE not in shown(), "a link out of the recording was followed")
    os.unlink(source)
    os.mkfifo(source)
    check(CRASH_LINE not in shown(), "a FIFO was read")
    os.unlink(source)
    shutil.copy(outside, source)
    check(CRASH_LINE in shown(), "the source is not shown again")
    for wrong in (lines[:1] + ["source ../../outside.cc 10 /x"], ["orrery packed 9"],
                  lines[:1] + ["debug " + painter.split()[1] + " 3 ../../x"],
                  lines[:1] + [painter.split()[0] + " " + "/" * 32 + " 10 " + painter.split()[3]], ["\0" * 100], []):
        with open(listed, "w", encoding="utf-8") as file:
            file.write("\n".join(wrong) + ("\n" if wrong else ""))
        check(CRASH_LINE not in shown(), f"shown in spite of {wrong[-1:]}")
        check("damaged in line" in run(bench.orrery, "pack", moved, environment=environment, status=1).stderr, f"no complaint of {wrong[-1:]}")
    with open(listed, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    # A debug file of another build, or behind a link.
    check("main" in [frame[0] for frame in frames_of(json.loads(why_text(bench, moved, "--json", environment=environment).stdout), bench.work)],
          "the debug file is not used")
    aside = os.path.join(bench.place, "aside.debug")
    shutil.move(debug, aside)
    os.symlink(aside, debug)
    check("main" not in [frame[0] for frame in frames_of(json.loads(why_text(bench, moved, "--json", environment=environment).stdout), bench.work)],
          "a link out of the recording was followed")
    check(told["packed"]["debug_files"] >= 1, "nothing was packed")


def rust_bench(bench, *options):
    run("rustc", "--edition=2021", "-g", "-O", "-C", "panic=abort", *options, "-o", bench.path("orchard"),
        os.path.join(PROGRAMS, "orchard.rs"), cwd=bench.work)
    bench.record("orchard")
    verdict, _ = bench.why()
    return [frame for frame in verdict["stack"] if frame.get("file", "").endswith("orchard.rs")]


def case_rust(bench):
    """Both manglings; as nm -C and gdb show them."""
    need("rustc", "gdb")
    for mangling in ("legacy", "v0"):
        options = ("-C", f"symbol-mangling-version={mangling}")
        try:
            frames = rust_bench(bench, *options)
        except Failed:
            frames = rust_bench(bench, *options, "-Z", "unstable-options") if mangling == "v0" else []
            if not frames:
                continue
        names = [frame["function"] for frame in frames]
        for wanted in ("orchard::orchard::fell", "orchard::main"):
            check(any(name.startswith(wanted) for name in names), f"{mangling}: no frame of {wanted} in {names}")
        check(any("Grow>::grow" in name for name in names), f"{mangling}: no frame of grow in {names}")
        check(not any(re.search(r"17h[0-9a-f]{16}|_R[NIMXY]|_ZN", name) for name in names), f"{mangling}: {names}")
        lines = [(os.path.basename(frame["file"]), frame["line"]) for frame in frames]
        same(lines, [frame[1:] for frame in gdb_frames(bench, "orchard")], f"gdb, {mangling}")


def shown_symbols(bench, path):
    told = run(bench.orrery, "show", "file", "--json", "--part", "symbols", path, environment=bench.environment)
    return json.loads(told.stdout)


def case_names(bench):
    """The names of whole files, as nm -C shows them."""
    need("nm")
    bench.build()
    files = [bench.path("painter"), bench.path("libcanvas.so"), bench.orrery]
    files += [path for path in ("/usr/lib/x86_64-linux-gnu/libstdc++.so.6",) if os.path.exists(path)]
    if shutil.which("rustc"):
        for mangling in ("legacy", "v0"):
            path = bench.path("orchard." + mangling)
            if run("rustc", "--edition=2021", "-g", "-C", f"symbol-mangling-version={mangling}", "-o", path,
                   os.path.join(PROGRAMS, "orchard.rs"), status=None).returncode == 0:
                files.append(path)
    compared = 0
    for path in files:
        for option in ((), ("-D",)):
            mangled = run("nm", "--no-sort", *option, path).stdout.splitlines()
            demangled = run("nm", "-C", "--no-sort", *option, path).stdout.splitlines()
            check(len(mangled) == len(demangled), f"nm and nm -C differ in length on {path}")
            wanted = {line[19:].split("@")[0]: re.sub(r"@@?[A-Za-z0-9_.]+$", "", other[19:])
                      for line, other in zip(mangled, demangled)}
            names = {}
            for symbol in symbols_in(shown_symbols(bench, path)):
                name = symbol.get("name", "").split("@")[0]
                names[name] = re.sub(r"@@?[A-Za-z0-9_.]+$", "", symbol.get("demangled") or symbol.get("name", ""))
            for name, text in wanted.items():
                if name in names:
                    compared += 1
                    check(names[name] == text, f"{path}: {name}\n  orrery {names[name]}\n  nm -C  {text}")
    check(compared > 5000, f"only {compared} names were compared")
    print(f"{compared} names as nm -C has them")


def case_reports(bench):
    """Names of C++ in what people read of link and build; the tables and JSON have the linker's."""
    bench.build()
    bench.record()
    shown = run(bench.orrery, "show", "link", "--all", environment=bench.environment).stdout
    check("canvas::each(int, std::function<void (int)> const&)" in shown and "_ZN6canvas" not in shown, shown[-3000:])
    table = run(bench.orrery, "query", "latest", "SELECT symbol FROM link_binding", environment=bench.environment).stdout
    check("_ZN6canvas4each" in table, "the table has not the linker's name")
    run(bench.orrery, "record", "--", "g++", "-c", "-o", bench.path("painter.o"), bench.path("painter.cc"), environment=bench.environment)
    shown = run(bench.orrery, "show", "build", "--object", bench.path("painter.o"), environment=bench.environment, status=None)
    check("geometry::Painter::paint(" in shown.stdout and " _ZN8geometry" not in shown.stdout, (shown.stdout + shown.stderr)[-3000:])


def case_other_files(bench):
    """What is no ELF file is told from what people take for one."""
    beginnings = {"script": (b"#! /usr/bin/env python3\n", "it is a script for /usr/bin/env"), "windows": (b"MZ\x90\0", "a Windows program"),
                  "linker": (b"/* GNU ld script\n*/\n", "a script for the linker"), "bitcode": (b"BC\xc0\xde5", "LLVM bitcode"),
                  "xz": (lzma.compress(b"x"), "compressed by xz"), "hash": (b"#!", "it is a script for"),
                  "hostile": (b"#!/bin/\x1b[31m\n", "it is a script for /bin/"), "text": (b"hello\n", "does not begin with 7f 45 4c 46\n")}
    for name, (content, words) in beginnings.items():
        with open(bench.path(name), "wb") as file:
            file.write(content)
        told = run(bench.orrery, "show", "file", bench.path(name), environment=bench.environment, status=69).stderr
        check(words in told and "at 0x0" in told and len(told.splitlines()) == 1 and "\x1b" not in told, f"of {name} it says: {told!r}")


def symbols_in(document):
    """Every object with a name, wherever the document has its symbols."""
    if isinstance(document, list):
        for each in document:
            yield from symbols_in(each)
    elif isinstance(document, dict):
        if "name" in document and "value" in document:
            yield document
        for each in document.values():
            if isinstance(each, (list, dict)):
                yield from symbols_in(each)


def main():
    cases = {name[5:]: case for name, case in globals().items() if name.startswith("case_") and inspect.isfunction(case)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orrery", required=True, type=functools.partial(os.path.abspath))
    parser.add_argument("case", choices=sorted(cases))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orrery-symbols-") as place:
        try:
            cases[options.case](Bench(options.orrery, os.path.realpath(place)))
        except Skipped as skipped:
            print(f"skipped: {skipped}")
            return SKIP
        except Failed as failed:
            print(failed)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
