"""Every header compiles alone, so that nobody has to know what to include before it. Headers of the
engine's rooms are tried with the engine's flags too."""
import concurrent.futures
import os
import re
import subprocess
import sys

import house

COMMON = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wno-unused-const-variable",
          "-x", "c++", "-iquote", str(house.ROOT / "src"), "-iquote", str(house.ROOT / "tests")]
LEAN = ["-fno-exceptions", "-fno-rtti", "-mno-sse", "-mno-mmx", "-DORRERY_LEAN=1"]


def check(compiler, path, extra):
    # Through -include, so that #pragma once in a main file is no warning.
    command = [compiler, *COMMON, *extra, "-include", str(path), "/dev/null"]
    run = subprocess.run(command, capture_output=True, text=True)
    return None if run.returncode == 0 else f"{house.name(path)} does not compile alone:\n{run.stderr.strip()}"


if __name__ == "__main__":
    compiler = sys.argv[1] if len(sys.argv) > 1 else "g++"
    if "clang" in compiler:
        COMMON.insert(0, "-Wno-sign-conversion")
    lean_rooms = house.lean_rooms()
    jobs = []
    for path in house.sources("src", suffixes=(".h",)):
        jobs.append((path, []))
        if house.room_of(path) in lean_rooms and not house.is_hosted(path):
            jobs.append((path, LEAN))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: check(compiler, *job), jobs))
    house.finish([r for r in results if r], len(jobs))
