"""What the house tests share: which files are ours, a C++ reader that is good enough for counting,
and one way to say what is wrong."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOUSE = ROOT / "tests" / "house"


def sources(*folders, suffixes=(".cc", ".h", ".c", ".S")):
    """Every source file of ours under the named folders, sorted."""
    found = []
    for folder in folders or ("src", "tests", "bench", "tools", "docs"):
        found += [p for p in (ROOT / folder).rglob("*") if p.suffix in suffixes and p.is_file() and "fixtures" not in p.parts]
    return sorted(found)


def name(path):
    return str(path.relative_to(ROOT))


def room_of(path):
    """The room a file under src/ belongs to, or None."""
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def lean_rooms():
    """The rooms that are linked into the engine, as cmake/rooms.cmake has them."""
    text = (ROOT / "cmake" / "rooms.cmake").read_text()
    return re.search(r"set\(ORRERY_LEAN_ROOMS ([^)]*)\)", text).group(1).split()


def is_hosted(path):
    """Whether a file is kept out of the engine: *_hosted.*, or the header of a *_hosted.cc."""
    return path.stem.endswith("_hosted") or (
        path.suffix == ".h" and path.with_name(path.stem + "_hosted.cc").exists() and not path.with_suffix(".cc").exists())


def table(path, columns):
    """Rows of a data file: `|` between columns, `#` starts a comment line."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        row = [cell.strip() for cell in re.split(r" \| ", line, maxsplit=columns - 1)]
        if len(row) != columns:
            raise SystemExit(f"{name(path)}:{number}: {len(row)} columns, expected {columns}")
        rows.append(row)
    return rows


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def blank(text, keep_strings=False):
    """The text with comments (and string contents) turned to blanks; lines keep their numbers."""
    def replace(match):
        token = match.group(0)
        if token[0] == "'" and match.start() and re.match(r"[0-9a-fA-F]", text[match.start() - 1]):
            return token  # a digit separator, as in 0x7fff'0000
        if token[0] in "\"'R" and keep_strings:
            return token
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(replace, _protect_separators(text))


def _protect_separators(text):
    return re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "_", text)


def includes(path):
    """(line number, name, quoted?) of each #include."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == '"'


def finish(problems, checked):
    """Prints what is wrong and ends the test."""
    for problem in problems:
        print(problem)
    print(f"{checked} checked, {len(problems)} wrong")
    sys.exit(1 if problems else 0)
