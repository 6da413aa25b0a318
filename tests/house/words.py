"""Words that stand for unfinished work have no place in the tree: what is left to do is an issue."""
import re

import house

BANNED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK|KLUDGE|WIP)\b|\bfor now\b|/home/\w+/|/work/", re.I)
TEXTS = (".cc", ".h", ".c", ".S", ".py", ".md", ".txt", ".cmake", ".sh", ".json")


def problems_in(name, text):
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        match = BANNED.search(line)
        if match:
            problems.append(f"{name}:{number}: \"{match.group(0)}\"")
    return problems


if __name__ == "__main__":
    problems, files = [], house.sources(suffixes=TEXTS)
    files += [house.ROOT / n for n in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "dev", "CMakeLists.txt")]
    files = [path for path in files if path.exists() and path.parent != house.HOUSE]
    for path in files:
        problems += problems_in(house.name(path), path.read_text(errors="replace"))
    house.finish(problems, len(files))
