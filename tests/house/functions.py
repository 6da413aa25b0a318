"""Functions fit a screen: 70 lines (a test may be a sequence of 100), with a ratchet for the few pure tables and sequences that do not
(tests/house/functions.txt). Files over 800 lines get a warning, over 1500 they fail."""
import re

import house

LINES_MOST = 70
TEST_LINES_MOST = 100
FILE_LINES_WARN = 800
FILE_LINES_MOST = 1500

_NOT_FUNCTION = re.compile(r"^\s*(?:inline\s+)?(?:namespace\b|extern\s*\"|(?:typedef\s+)?(?:enum|union)\b)")
_CLASS = re.compile(r"\b(?:class|struct|union|enum)\b")
_TAIL = re.compile(
    r"\)\s*(?:const|volatile|noexcept(?:\([^)]*\))?|override|final|mutable|&&?|try|requires[^;{]*|->[^;{]*|"
    r"__attribute__\(\(.*?\)\)|\[\[.*?\]\]|\s)*$", re.S)


def functions_in(text):
    """(name, first line, last line) of each function body, outermost only."""
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)),
                  house.blank(text), flags=re.M)
    found, stack, head_start, paren = [], [], 0, 0
    for at, char in enumerate(text):
        if char == "(":
            paren += 1
        elif char == ")":
            paren -= 1
        elif char == ";" and paren == 0:
            head_start = at + 1
        elif char == "{":
            kind = "inner" if "function" in (k for k, *_ in stack) else _kind(text[head_start:at], paren)
            stack.append((kind, text[head_start:at], head_start, paren))
            if kind != "brace":
                head_start = at + 1
                paren = 0
        elif char == "}" and stack:
            kind, head, start, outer_paren = stack.pop()
            paren = outer_paren
            if kind == "function":
                first = start + len(head) - len(head.lstrip())
                found.append((_name(head), text.count("\n", 0, first) + 1, text.count("\n", 0, at) + 1))
            if kind != "brace":
                head_start = at + 1
    return found


def _kind(head, paren):
    """What a `{` opens, judged by the text since the last statement."""
    if paren > 0:
        return "brace"  # a braced argument
    if _NOT_FUNCTION.search(head):
        return "scope"
    if re.search(r"(?<![=!<>])=(?!=)", re.sub(r"operator\s*\S+?\(|\([^()]*\)|<[^<>]*>|\[[^\]]*\]", "", head)):
        return "brace"  # an initialiser
    if re.search(r"\)\s*(?:noexcept\s*)?:\s.*[\w>]\s*$", head, re.S):
        return "brace"  # a member initialiser, as in `: a_{1}`
    if _TAIL.search(head) or re.search(r"\)\s*(?:noexcept\s*)?:.*[)}]\s*$", head, re.S):
        return "function"
    if _CLASS.search(head):
        return "scope"
    return "brace"


def _name(head):
    match = re.search(r"([~\w:]+|operator\s*\S+)\s*\(", head)
    return match.group(1) if match else head.strip().split("\n")[0][:40]


def problems_in(lengths, allowed):
    """`lengths` holds (file, function, lines, first line)."""
    problems, used = [], set()
    for path, function, lines, first in lengths:
        most, limit = allowed.get((path, function)), TEST_LINES_MOST if path.startswith("tests/") else LINES_MOST
        if most is not None:
            used.add((path, function))
            if lines > most:
                problems.append(f"{path}:{first}: {function} grew to {lines} lines; the ratchet is at {most}")
            elif lines <= limit:
                problems.append(f"{path}:{first}: {function} has {lines} lines now; take it off functions.txt")
        elif lines > limit:
            problems.append(f"{path}:{first}: {function} has {lines} lines, {limit} are the most")
    problems += [f"tests/house/functions.txt: {p} has no {f}" for p, f in allowed if (p, f) not in used]
    return problems


if __name__ == "__main__":
    allowed = {(path, function): int(lines)
               for path, function, lines, _ in house.table(house.HOUSE / "functions.txt", 4)}
    lengths, problems = [], []
    for path in house.sources("src", "tests", "tools", "bench", "docs", suffixes=(".cc", ".h", ".c")):
        text = path.read_text()
        lines = text.count("\n")
        if lines > FILE_LINES_MOST:
            problems.append(f"{house.name(path)}: {lines} lines; split it by idea")
        elif lines > FILE_LINES_WARN:
            print(f"warning: {house.name(path)}: {lines} lines")
        lengths += [(house.name(path), f, last - first + 1, first) for f, first, last in functions_in(text)]
    house.finish(problems + problems_in(lengths, allowed), len(lengths))
