"""ARCHITECTURE.md names rooms, files, types and functions in `backticks`; each must still exist."""
import re

import house


def names_in(markdown):
    """The backticked names, without fenced blocks and with call parentheses cut off."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.S | re.M)
    return sorted(set(re.findall(r"`([^`\n]+)`", text)))


def problems_in(names, exists, words):
    problems = []
    for name in names:
        if name.startswith("orrery ") or name.startswith("./dev") or name.startswith("-"):
            continue  # a command line or an option
        if exists(name.rstrip("/")):
            continue
        for part in re.findall(r"[A-Za-z_]\w*", name.split("(")[0]):
            if part not in words:
                problems.append(f"ARCHITECTURE.md: `{name}`: no {part} in the tree")
    return problems


if __name__ == "__main__":
    words = set()
    for path in house.sources("src", "tests", "bench", "tools"):
        words |= set(re.findall(r"\w+", path.read_text()))
    words |= {p.name for p in (house.ROOT / "src").iterdir()}
    document = house.ROOT / "ARCHITECTURE.md"
    if not document.exists():
        house.finish(["ARCHITECTURE.md is missing"], 0)
    names = names_in(document.read_text())
    rooms = [p.name for p in (house.ROOT / "src").iterdir() if p.is_dir() and any(p.rglob("*.cc"))]
    problems = [f"ARCHITECTURE.md does not name the room `{r}`" for r in rooms if r not in names]
    problems += problems_in(names, lambda n: (house.ROOT / n).exists() or (house.ROOT / "src" / n).exists(), words)
    house.finish(problems, len(names))
