"""The layout is clang-format 14's, to the letter; `./dev fmt` makes it so."""
import shutil
import subprocess

import house

if __name__ == "__main__":
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        house.finish(["clang-format-14 is not installed; ./dev setup"], 0)
    files = house.sources(suffixes=(".cc", ".h", ".c"))
    run = subprocess.run([tool, "--dry-run", "-Werror", *map(str, files)], capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in run.stderr.splitlines() if ": error:" in line})
    house.finish([f"{house.name(house.pathlib.Path(w))}: not as clang-format has it; ./dev fmt {w}" for w in wrong]
                 or (["clang-format failed: " + run.stderr] if run.returncode else []), len(files))
