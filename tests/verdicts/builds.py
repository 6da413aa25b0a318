"""How the programs of table.py are built and started."""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sysconfig

import real

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAMS = HERE / "programs"

# Without tail calls: the function at fault shall have a frame.
C_FLAGS = ("-g", "-w", "-fno-omit-frame-pointer", "-pthread")
FLAGS = {"O0": ("-O0", "-fno-builtin"), "O2": ("-O2", "-fno-optimize-sibling-calls")}
OWN_FLAGS = {"aborts.c": ("-fstack-protector-all",), "sanitized.c": ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")}


def run(*words, **more):
    subprocess.run([str(word) for word in words], check=True, **more)


def levels_of(row):
    return {"uses_extension.py": ("O0", "O2"), "loader": ("O0",), "real": ("O0",), "broken.go": ("O0", "O2")}.get(row.source, ("O0", "O2"))


def program_of(source, level, folder):
    return pathlib.Path(folder) / f"{source}.{level}"


def build_c(source, level, folder):
    flags = [*C_FLAGS, *FLAGS[level], *OWN_FLAGS.get(source, ())]
    if source == "aborts.c" and level == "O2":
        flags += ["-D_FORTIFY_SOURCE=2"]
    compiler = ("g++", "-std=c++17") if source.endswith(".cc") else ("gcc",)
    run(*compiler, *flags, "-o", program_of(source, level, folder), PROGRAMS / source)


def build_python(source, level, folder):
    home = program_of("python", level, folder)
    home.mkdir(exist_ok=True)
    run("gcc", "-shared", "-fPIC", "-I", sysconfig.get_paths()["include"], *C_FLAGS, *FLAGS[level], "-o", home / "extension.so", PROGRAMS / "extension.c")


def build_rust(source, level, folder):
    run("rustc", "-g", "--crate-name", f"broken_{level}", "-A", "warnings", "-C", f"opt-level={level[1]}", "-C", "overflow-checks=on", "-o", program_of(source, level, folder), PROGRAMS / source)


def build_go(source, level, folder):
    more = ["-gcflags=all=-N -l"] if level == "O0" else []
    run("go", "build", *more, "-o", program_of(source, level, folder), PROGRAMS / source,
        env=dict(os.environ, GOCACHE=str(pathlib.Path(folder) / "gocache"), GO111MODULE="off"))


def library(folder, name, text, *more):
    source = folder / f"{name}.c"
    source.write_text(text)
    run("gcc", "-g", "-shared", "-fPIC", "-o", folder / f"lib{name}.so", source, *more)


def program(folder, name, text, *more):
    source = folder / f"{name}.c"
    source.write_text(text)
    run("gcc", "-g", "-o", folder / name, source, f"-L{folder}", *more)


def build_loader(source, level, folder):
    """Programs that the kernel or the dynamic loader refuses: what is needed is there when they are linked, and goes or changes later."""
    folder = pathlib.Path(folder) / "loader"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    uses = "int gone_value(void);\nint main(void) { return gone_value(); }\n"
    rpath = f"-Wl,-rpath,{folder}"
    library(folder, "gone", "int gone_value(void) { return 3; }\n")
    program(folder, "missing_library", uses, "-lgone")
    (folder / "libgone.so").unlink()

    library(folder, "deep", "int deep_value(void) { return 3; }\n")
    library(folder, "gone_user", "int deep_value(void);\nint gone_value(void) { return deep_value(); }\n", f"-L{folder}", "-ldeep")
    program(folder, "missing_of_library", uses, "-lgone_user", f"-Wl,-rpath,{folder},--allow-shlib-undefined")
    (folder / "libdeep.so").unlink()

    library(folder, "changed", "int gone_value(void) { return 3; }\n")
    program(folder, "missing_symbol", uses, "-lchanged", rpath, "-Wl,-z,now")
    library(folder, "changed", "int other_value(void) { return 3; }\n")

    script = folder / "versions"
    script.write_text("GONE_1 { global: old_value; local: *; };\nGONE_2 { global: gone_value; } GONE_1;\n")
    both = "int gone_value(void) { return 3; }\nint old_value(void) { return 2; }\n"
    library(folder, "versioned", both, f"-Wl,--version-script={script}")
    program(folder, "missing_version", uses, "-lversioned", rpath)
    script.write_text("GONE_1 { global: old_value; local: *; };\n")
    library(folder, "versioned", both, f"-Wl,--version-script={script}")

    program(folder, "missing_interpreter", "int main(void) { return 0; }\n", "-Wl,--dynamic-linker=/opt/none/ld.so")
    write(folder / "not_marked", b"#!/bin/sh\necho hello\n", 0o644)
    (folder / "directory").mkdir()
    write(folder / "empty", b"")
    write(folder / "words", b"just some words\n")
    image = bytearray((folder / "missing_symbol").read_bytes())
    image[18:20] = (183).to_bytes(2, "little")  # e_machine: EM_AARCH64
    write(folder / "other_machine", bytes(image))
    write(folder / "script_windows", b"#!/bin/sh\r\necho hello\r\n")
    write(folder / "script_no_interpreter", b"#!/opt/none/perl\nprint 1\n")


def write(path, data, mode=0o755):
    path.write_bytes(data)
    path.chmod(mode)


BUILDERS = {".c": build_c, ".cc": build_c, ".py": build_python, ".rs": build_rust, ".go": build_go, "": lambda source, level, folder: (build_loader if source == "loader" else real.build)(source, level, folder)}


def build_all(work, folder):
    wanted = dict.fromkeys((row.source, level) for row, level in work)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(BUILDERS[pathlib.Path(source).suffix], source, level, folder) for source, level in wanted]:
            done.result()


def command_of(row, level, folder):
    if row.source == "real":
        return real.command_of(row.case, folder)
    if row.source == "loader":
        return [pathlib.Path(folder) / "loader" / row.case]
    if row.source.endswith(".py"):
        return ["/usr/bin/python3", PROGRAMS / row.source, row.case]
    return [program_of(row.source, level, folder), row.case]


def environment_of(row, level, folder):
    if row.source.endswith(".py"):
        return {"PYTHONPATH": str(program_of("python", level, folder)), "PYTHONDONTWRITEBYTECODE": "1"}
    if row.source.endswith(".rs"):
        return {"RUST_BACKTRACE": "0"}
    if row.source == "sanitized.c":
        return {"ASAN_OPTIONS": "detect_leaks=0"}
    return {}
