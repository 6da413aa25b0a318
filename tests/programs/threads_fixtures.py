"""What the command lines of threads.txt need beyond fixtures.py: programs built here, once a run."""
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE / "threads"


def build(folder, *words):
    """A compiler that is not there leaves its programs out: their command lines then fail natively."""
    if shutil.which(words[0]) is not None:
        environment = {**os.environ, "GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod"}
        subprocess.run([str(word) for word in words], check=True, cwd=folder, env=environment, capture_output=True)


def make(folder):
    """Adds to a folder that fixtures.make filled."""
    folder = pathlib.Path(folder)
    (folder / "large.txt").write_text("".join(f"{i * 7919 % 400009} orrery\n" for i in range(200000)))
    for source in ("workers.js", "futures.py"):
        shutil.copyfile(SOURCES / source, folder / source)
    build(folder, "gcc", "-O2", "-fopenmp", SOURCES / "openmp.c", "-o", "openmp")
    build(folder, "rustc", "-O", SOURCES / "channels.rs", "-o", "channels")
    build(folder, "go", "build", "-o", "goroutines", SOURCES / "goroutines.go")
    build(folder, "javac", "-d", ".", HERE.parent / "campaigns/src/Contended.java")
    shutil.rmtree(folder / "cache", ignore_errors=True)
