"""ELF files of every kind that a compiler, a linker or a kernel makes, built into a folder. What this machine has no compiler
for is left out."""
import os
import shutil
import subprocess

C = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__thread int own = 3;
__thread int own_zero;
int table[1 << 18];
const char* const names[] = {"Mercury", "Venus"};
int orbit(int n) { char buffer[64]; snprintf(buffer, sizeof buffer, "%d", n); strcpy(buffer + 8, names[n & 1]); return (int)strlen(buffer) + own; }
#ifdef PROGRAM
int main(int count, char** arguments) { if (count > 1) abort(); printf("%s %d\n", arguments[0], orbit(count) + table[count]); return 0; }
#endif
"""
CXX = r"""
#include <map>
#include <stdexcept>
#include <string>
namespace planets {
template <class T> struct Orbit { std::map<std::string, T> all; T at(const std::string& name) { return all.at(name); } };
inline int shared = 4;
int weigh(const std::string& name) { try { return Orbit<int>().at(name); } catch (const std::out_of_range&) { throw std::string("no"); } }
}
#ifdef PROGRAM
int main() { try { return planets::weigh("x"); } catch (...) { return planets::shared - 4; } }
#endif
"""
RUST = "pub mod planets { pub trait T { fn t(&self) -> i32; } impl T for Vec<i32> { fn t(&self) -> i32 { self[0] } } }\n" \
       "fn main() { use planets::T; println!(\"{}\", vec![1].t()); }\n"
GO = "package main\nfunc main() { println(\"hello\") }\n"
FORTRAN = "program hello\n print *, 'hello'\nend program\n"

GCC = ["gcc", "-O1", "-DPROGRAM", "-x", "c", "c.c"]
GXX = ["g++", "-O1", "-DPROGRAM", "-x", "c++", "cxx.cc"]
# name -> command; an output name is added with -o.
BUILDS = {
    "pie": GCC,
    "no_pie": [*GCC, "-no-pie"],
    "static": [*GCC, "-static"],
    "static_pie": [*GCC, "-static-pie"],
    "debug": [*GCC, "-g3"],
    "dwarf4": [*GCC, "-gdwarf-4"],
    "dwarf2": [*GCC, "-gdwarf-2", "-gstrict-dwarf"],
    "dwarf64": [*GCC, "-g", "-gdwarf64"],
    "debug_zlib": [*GCC, "-g", "-gz=zlib"],
    "debug_zlib_gnu": [*GCC, "-g", "-gz=zlib-gnu"],
    "split_dwarf": [*GCC, "-g", "-gsplit-dwarf"],
    "debug_types": [*GXX, "-g", "-fdebug-types-section"],
    "now": [*GCC, "-Wl,-z,now"],
    "lazy": [*GCC, "-Wl,-z,lazy"],
    "no_relro": [*GCC, "-Wl,-z,norelro"],
    "executable_stack": [*GCC, "-z", "execstack"],
    "writable_code": [*GCC, "-Wl,-N", "-no-pie", "-static"],
    "fortified": [*GCC, "-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-fcf-protection"],
    "unprotected": [*GCC, "-fno-stack-protector", "-U_FORTIFY_SOURCE"],
    "rpath": [*GCC, "-Wl,--disable-new-dtags,-rpath,/opt/lib:relative:$ORIGIN/../lib"],
    "runpath": [*GCC, "-Wl,--enable-new-dtags,-rpath,/tmp/nobody:"],
    "sysv_hash": [*GCC, "-Wl,--hash-style=sysv"],
    "packed_relocations": [*GCC, "-Wl,-z,pack-relative-relocs"],
    "no_build_id": [*GCC, "-Wl,--build-id=none"],
    "emit_relocations": [*GCC, "-Wl,-q"],
    "gold": [*GCC, "-fuse-ld=gold"],
    "lld": [*GCC, "-fuse-ld=lld"],
    "mold": [*GCC, "-fuse-ld=mold"],
    "lld_relr": [*GCC, "-fuse-ld=lld", "-Wl,--pack-dyn-relocs=relr"],
    "clang": ["clang-14", "-g", "-O1", "-DPROGRAM", "-x", "c", "c.c"],
    "musl": ["musl-gcc", *GCC[1:]],
    "musl_static": ["musl-gcc", "-static", *GCC[1:]],
    "library": ["gcc", "-shared", "-fPIC", "-Wl,-soname,libplanet.so.1", "-x", "c", "c.c"],
    "library_versions": ["gcc", "-shared", "-fPIC", "-Wl,--version-script=versions", "-x", "c", "c.c"],
    "cxx": GXX,
    "cxx_debug": [*GXX, "-g"],
    "cxx_static": [*GXX, "-static"],
    "cxx_lto_object": ["g++", "-flto", "-c", "cxx.cc"],
    "object": ["gcc", "-c", "-g", "-x", "c", "c.c"],
    "object_cxx": ["g++", "-c", "-g", "-ffunction-sections", "cxx.cc"],
    "object_clang": ["clang-14", "-c", "-g", "-x", "c", "c.c"],
    "object_zlib": ["gcc", "-c", "-g", "-gz", "-x", "c", "c.c"],
    "object_32": ["gcc", "-m32", "-ffreestanding", "-c", "free.c"],
    "object_x32": ["gcc", "-mx32", "-ffreestanding", "-c", "free.c"],
    "object_aarch64": ["clang-14", "--target=aarch64-linux-gnu", "-ffreestanding", "-c", "free.c"],
    "object_ppc64": ["clang-14", "--target=powerpc64-linux-gnu", "-ffreestanding", "-c", "free.c"],
    "object_s390": ["clang-14", "--target=s390x-linux-gnu", "-ffreestanding", "-c", "free.c"],
    "object_mips64el": ["clang-14", "--target=mips64el-linux-gnuabi64", "-ffreestanding", "-c", "free.c"],
    "object_mips": ["clang-14", "--target=mips-linux-gnu", "-ffreestanding", "-c", "free.c"],
    "object_arm": ["clang-14", "--target=arm-linux-gnueabi", "-ffreestanding", "-c", "free.c"],
    "object_riscv": ["clang-14", "--target=riscv64-linux-gnu", "-ffreestanding", "-c", "free.c"],
    "relinked": ["ld", "-r", "object", "object_cxx"],
    "program_32": ["ld", "-m", "elf_i386", "-e", "orbit", "object_32"],
    "library_32": ["ld", "-m", "elf_i386", "-shared", "object_32"],
    "rust": ["rustc", "-g", "rust.rs"],
    "rust_v0": ["rustc", "-g", "-C", "symbol-mangling-version=v0", "rust.rs"],
    "go": ["go", "build"],
    "fortran": ["gfortran", "-g", "hello.f90"],
    "many_sections": ["as", "many.s"],
    "stripped": ["strip", "debug"],
    "static_stripped": ["strip", "static"],
    "stripped_debug": ["strip", "-g", "cxx_debug"],
    "debug_file": ["objcopy", "--only-keep-debug", "cxx_debug"],
    "linked_to_debug": ["objcopy", "--strip-debug", "--add-gnu-debuglink=debug_file", "cxx_debug"],
}


def run(command, folder):
    environment = dict(os.environ, GOCACHE=str(folder / "go-cache"), GOFLAGS="-mod=mod", HOME=str(folder), LC_ALL="C")
    return subprocess.run(command, cwd=folder, capture_output=True, env=environment)


def output_of(name, command):
    if command[0] == "objcopy":
        return [name]
    if command[0] == "go":
        return ["-o", name, "hello.go"]
    return ["-o", name]


def build_core(folder):
    """A core that the kernel's format describes, by gdb, since core_pattern belongs to the host."""
    run(["gdb", "-q", "-batch", "-ex", "run x", "-ex", "generate-core-file core", "./debug"], folder)
    return [folder / "core"] if (folder / "core").exists() else []


def needed_by(name):
    """The builds that one's command works on, before itself."""
    names = []
    for word in BUILDS[name][1:]:
        if word in BUILDS:
            names += needed_by(word)
    return [*names, name]


def build_all(folder, wanted=None):
    """The paths of the files, of all or of those wanted and what they are made from. Fails if gcc cannot build."""
    (folder / "c.c").write_text(C)
    (folder / "cxx.cc").write_text(CXX)
    (folder / "free.c").write_text("int zero[100]; int one = 1; extern int two; int orbit(int n) { return zero[n] + one + two; } int two = 2;")
    (folder / "rust.rs").write_text(RUST)
    (folder / "hello.go").write_text(GO)
    (folder / "hello.f90").write_text(FORTRAN)
    (folder / "versions").write_text("PLANET_1 { global: orbit; };\nPLANET_2 { global: table; local: *; } PLANET_1;\n")
    # More sections than the header's 16 bits can count.
    (folder / "many.s").write_text("".join(f'.section .text.f{i},"ax"\nf{i}: ret\n' for i in range(66_000)))
    needed = {each for name in wanted or BUILDS if name in BUILDS for each in needed_by(name)}
    needed |= {"debug", "pie"}  # what a core is made from
    paths = []
    for name, command in BUILDS.items():
        if name not in needed:
            continue
        if shutil.which(command[0]) is None:
            continue
        done = run([*command, *output_of(name, command)], folder)
        if (folder / name).exists():
            paths.append(folder / name)
        elif name == "pie":
            raise SystemExit(done.stderr.decode())
    if wanted is None or "core" in wanted:
        paths += build_core(folder)
    return [str(path) for path in paths]
