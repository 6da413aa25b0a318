"""What is measured: one entry a workload, with its size in a full and in a quick run."""
import dataclasses
import pathlib
import random
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
INPUTS = HERE / "inputs"


@dataclasses.dataclass
class Workload:
    name: str
    command: object           # (folder, size) -> argument vector
    full: int                 # size for about 3 s native
    quick: int                # size for about 0.5 s native
    cpu_bound: bool = True    # in the geometric mean
    reads: bool = False       # reads its input through read(2), so the input is in the recording
    repeat: int = 1           # runs a round


def sqlite_script(folder, size):
    script = folder / f"work-{size}.sql"
    script.write_text((INPUTS / "work.sql").read_text().replace("ROWS", str(size)))
    return ["sqlite3", "-batch", ":memory:", f".read {script}"]


WORKLOADS = [
    Workload("bzip2", lambda f, n: ["bzip2", "-9", "-c", str(text_file(f, n))], 30, 5, reads=True),
    Workload("sqlite3", sqlite_script, 650_000, 150_000),
    Workload("lua", lambda f, n: ["lua5.4", str(INPUTS / "work.lua"), str(n)], 1300, 220),
    Workload("python3", lambda f, n: ["/usr/bin/python3", "-I", str(INPUTS / "work.py"), str(n)], 950, 100),
    Workload("c++", lambda f, n: [str(f / "objects"), str(n)], 8000, 1400),
    Workload("n-body", lambda f, n: [str(f / "nbody"), str(n)], 30_000_000, 5_000_000),
    Workload("sha256", lambda f, n: ["sha256sum", *[str(text_file(f, 32))] * n], 18, 3, reads=True),
    Workload("syscalls", lambda f, n: [str(f / "syscalls"), str(n)], 1_000_000, 1_000_000, cpu_bound=False),
    Workload("/bin/true", lambda f, n: ["/bin/true"], 1, 1, cpu_bound=False, repeat=15),
]


def text_file(folder, megabytes):
    """Words with the entropy of text, the same on every machine."""
    path = folder / f"text-{megabytes}.txt"
    size = megabytes << 20
    if not path.exists() or path.stat().st_size != size:
        rng = random.Random(megabytes)
        words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 10))) for _ in range(4000)]
        weights = [1 / (rank + 3) for rank in range(len(words))]
        data = bytearray()
        while len(data) < size:
            data += (" ".join(rng.choices(words, weights, k=200000)) + "\n").encode()
        path.write_bytes(data[:size])
    return path


def prepare(folder):
    """Compiles our own workloads and the stop watch."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, compiler in (("timed.c", "gcc"), ("syscalls.c", "gcc"), ("nbody.c", "gcc"), ("objects.cc", "g++")):
        subprocess.run([compiler, "-O2", "-o", folder / source.split(".")[0], HERE / "src" / source, "-lm"], check=True)
