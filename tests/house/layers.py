"""Includes point only down the list in src/LAYERS: a room may include itself and rooms on lower
lines. Rooms on one line stand side by side, unless the line says `a < b` (then b may include a)."""
import re

import house


def read_layers(text):
    """room -> the set of rooms it may include."""
    below, allowed = [], {}
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        beside = []
        for group in re.split(r"\s+(?!<)(?<!<\s)", line):
            lower = []
            for room in re.split(r"\s*<\s*", group):
                allowed[room] = {room, *below, *lower}
                lower.append(room)
            beside += lower
        below += beside
    return allowed


def problems_in(files, allowed):
    problems = []
    for path in files:
        room = house.room_of(path)
        if room is None:
            problems.append(f"{house.name(path)}: not in a room")
            continue
        if room not in allowed:
            problems.append(f"{house.name(path)}: room {room} is not in src/LAYERS")
            continue
        for line, target, quoted in house.includes(path):
            if not quoted:
                continue
            other = target.split("/")[0]
            if not (house.ROOT / "src" / target).exists() and other not in allowed:
                problems.append(f"{house.name(path)}:{line}: \"{target}\" is not rooted at src/")
            elif other not in allowed[room]:
                problems.append(f"{house.name(path)}:{line}: {room} may not include {other} ({target})")
    return problems


if __name__ == "__main__":
    files = house.sources("src")
    allowed = read_layers((house.ROOT / "src" / "LAYERS").read_text())
    house.finish(problems_in(files, allowed), len(files))
