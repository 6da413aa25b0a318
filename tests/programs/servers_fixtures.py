"""What the command lines of servers.txt need beyond fixtures.py: scripts, and a server built here."""
import pathlib
import shutil

import threads_fixtures

SOURCES = pathlib.Path(__file__).resolve().parent / "servers"


def make(folder):
    """Adds to a folder that fixtures.make filled."""
    folder = pathlib.Path(folder)
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    threads_fixtures.build(folder, "go", "build", "-o", "web", SOURCES / "web.go")
    shutil.rmtree(folder / "cache", ignore_errors=True)
