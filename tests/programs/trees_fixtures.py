"""What the command lines of trees.txt need beyond fixtures.py: a C project, and scripts that start processes."""
import pathlib
import shutil

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE / "trees"
PARTS = 6


def make(folder):
    """Adds to a folder that fixtures.make filled."""
    folder = pathlib.Path(folder)
    for source in ("shell.sh", "children.py"):
        shutil.copyfile(SOURCES / source, folder / source)
    project = folder / "project"
    project.mkdir()
    shutil.copyfile(SOURCES / "Makefile", project / "Makefile")
    for part in range(PARTS):
        (project / f"part{part}.c").write_text(
            f"#include <stdio.h>\nint part{part}(int x) {{ printf(\"part {part}: %d\\n\", x); return x * {part + 2} + 1; }}\n")
    calls = "".join(f"  x = part{part}(x);\n" for part in range(PARTS))
    declarations = "".join(f"int part{part}(int);\n" for part in range(PARTS))
    (project / "main.c").write_text(f"{declarations}int main(void) {{\n  int x = 1;\n{calls}  return x == 0;\n}}\n")
