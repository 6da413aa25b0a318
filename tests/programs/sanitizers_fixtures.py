"""What the command lines of sanitizers.txt need beyond fixtures.py: programs built with sanitizers, once a run."""
import pathlib

from threads_fixtures import build

SOURCES = pathlib.Path(__file__).resolve().parent / "sanitizers"
SANITIZERS = ("address", "leak", "undefined", "thread")
COMPILERS = ("gcc", "clang-14")


def make(folder):
    """Adds to a folder that fixtures.make filled: <source>-<sanitizer>-<compiler>."""
    folder = pathlib.Path(folder)
    for source in ("threads", "leaks", "errors", "races"):
        for compiler in COMPILERS:
            for sanitizer in SANITIZERS:
                build(folder, compiler, "-g", "-O1", f"-fsanitize={sanitizer}", "-pthread", SOURCES / f"{source}.c",
                      "-o", f"{source}-{sanitizer}-{compiler}")
