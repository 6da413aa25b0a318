#!/usr/bin/env python3
"""Records redis-server for MINUTES while redis-benchmark, which is not recorded, keeps asking. Every ten seconds it
prints what memory the engine's process and the writer have and how large the recording is; then the server is
shut down and the recording replayed with --check. Fails if memory grew by more than a tenth (or 8 MB) after
the first fifth of the time, or if the replay differs."""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOOK_SECONDS = 10
GROWTH_BYTES = 8 << 20


def children_of(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident(pid):
    """Bytes, without what is shared with others (the ring, files)."""
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(rows["RssAnon"].split()[0]) << 10


def size_of(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


class Server:
    def __init__(self, orrery, folder):
        self.socket, self.recording, self.orrery = folder / "redis.sock", folder / "recording", orrery
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--loglevel", "warning"]
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([orrery, "record", "-o", str(self.recording), "--", *command], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, cwd=folder)
        while self.client("ping").returncode != 0:
            time.sleep(0.1)
            assert self.process.poll() is None, "the server does not start"

    def client(self, *words):
        return subprocess.run(["redis-cli", "-s", str(self.socket), *words], capture_output=True)

    def memory(self):
        """The recorder's processes: which is which by their names."""
        found, left = {}, [self.process.pid]
        while left:
            pid = left.pop()
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            found[f"{name}-{len(found)}"] = resident(pid)
            left += children_of(pid)
        return found


def load(socket):
    """Endless; many clients that set, get, push and pop small values among a bounded number of keys."""
    words = ["redis-benchmark", "-s", str(socket), "-l", "-q", "-c", "20", "-r", "10000", "-n", "200000", "-t", "set,get,incr,sadd,spop,hset,mset"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def soak(server, seconds):
    """Rows of (seconds, memory by process, recorded bytes)."""
    rows, began = [], time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        rows.append((now, server.memory(), size_of(server.recording)))
        shown = "  ".join(f"{name} {size / 1e6:.1f} MB" for name, size in rows[-1][1].items())
        print(f"{now:6.0f} s  {shown}  recording {rows[-1][2] / 1e6:.0f} MB", flush=True)
        time.sleep(LOOK_SECONDS)
    return rows


def growth(rows):
    """What grew after the first fifth."""
    settled, problems = rows[len(rows) // 5], []
    for name, before in settled[1].items():
        after = rows[-1][1].get(name, 0)
        if after > before + max(before // 10, GROWTH_BYTES):
            problems.append(f"{name} grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=10)
    parser.add_argument("--orrery", default=str(ROOT / "build/release/orrery"))
    chosen = parser.parse_args()
    if shutil.which("redis-server") is None:
        sys.exit("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="orrery-serve-") as folder:
        server = Server(chosen.orrery, pathlib.Path(folder))
        client = load(server.socket)
        try:
            rows = soak(server, chosen.minutes * 60)
            commands = [line for line in server.client("info", "stats").stdout.decode().split() if line.startswith("total_commands")]
        finally:
            client.terminate()
            client.wait()
            server.client("shutdown", "nosave")
            status = server.process.wait()
        problems = growth(rows) + ([] if status == 0 else [f"the server ended with status {status}"])
        print(f"{' '.join(commands)}; {rows[-1][2] / 1e6 / (rows[-1][0] / 60):.0f} MB a minute")
        began = time.monotonic()
        checked = subprocess.run([chosen.orrery, "replay", "--check", str(server.recording)], capture_output=True)
        print(f"replayed in {time.monotonic() - began:.0f} s: {checked.stderr.decode().strip()[-300:]}")
        problems += [] if checked.returncode == 0 else ["the replay differs"]
        for problem in problems:
            print(problem)
        print(f"{int(not problems)} passed, {int(bool(problems))} failed")
        return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
