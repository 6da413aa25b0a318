"""Each third-party header has one owner room (tests/house/third_party.txt), so that a library can be
replaced in one place. Lean rooms may use only the part of the standard library that needs no libc."""
import re

import house

C_HEADERS = set("""alloca.h ar.h dirent.h dlfcn.h elf.h endian.h errno.h execinfo.h fcntl.h glob.h grp.h inttypes.h
libgen.h limits.h link.h locale.h malloc.h math.h mqueue.h poll.h pthread.h pty.h pwd.h sched.h semaphore.h setjmp.h signal.h
spawn.h stdarg.h stddef.h stdint.h stdio.h stdlib.h string.h strings.h syscall.h termios.h time.h ucontext.h
unistd.h ustat.h utime.h wait.h cpuid.h cxxabi.h immintrin.h x86intrin.h""".split())
C_FOLDERS = ("sys/", "linux/", "asm/", "asm-generic/", "netinet/", "arpa/", "net/", "bits/")

LEAN = set("""array span string_view optional variant utility algorithm bit type_traits vector memory new compare
concepts cstring cstddef cstdint cerrno climits limits iterator initializer_list atomic numeric tuple ranges ctime csignal
cstdarg""".split())
LEAN_C = {"cpuid.h", "elf.h", "fcntl.h", "signal.h", "poll.h", "sched.h", "termios.h", "time.h", "errno.h", "stddef.h", "stdint.h",
          "stdarg.h", "limits.h", "ucontext.h", "syscall.h",
          "unistd.h"}


def is_standard(header):
    if "/" in header:
        return header.startswith(C_FOLDERS)
    return header in C_HEADERS or re.fullmatch(r"[a-z_]+", header) is not None


def problems_in(files, owners, lean_rooms):
    problems = []
    for path in files:
        room = house.room_of(path)
        for line, header, quoted in house.includes(path):
            if quoted:
                continue
            where = f"{house.name(path)}:{line}"
            owner = next((rooms for prefix, rooms in owners if header.startswith(prefix)), None)
            if owner is not None:
                if room and room not in owner:
                    problems.append(f"{where}: <{header}> belongs to {' '.join(owner)}")
            elif not is_standard(header):
                problems.append(f"{where}: <{header}> has no owner in tests/house/third_party.txt")
            elif room in lean_rooms and not house.is_hosted(path):
                if not (header in LEAN or header in LEAN_C or header.startswith(C_FOLDERS)):
                    problems.append(f"{where}: <{header}> needs libc; name the file *_hosted.cc or do without")
    return problems


def read_owners():
    return [(prefix, rooms.split()) for prefix, rooms, _ in house.table(house.HOUSE / "third_party.txt", 3)]


if __name__ == "__main__":
    files = house.sources("src", "tests", "tools", "bench", suffixes=(".cc", ".h"))
    house.finish(problems_in(files, read_owners(), house.lean_rooms()), len(files))
