"""Calls and constructs that are banned, with the replacement named (tests/house/calls.txt)."""
import re

import house


def problems_in(name, text, rules, lean):
    problems = []
    code = house.blank(text)
    code_with_strings = house.blank(text, keep_strings=True)
    for pattern, rooms, allowed, instead in rules:
        if rooms == "lean" and not lean:
            continue
        if allowed != "-" and re.fullmatch(allowed, name):
            continue
        for match in re.finditer(pattern, code_with_strings if '"' in pattern else code, re.S):
            line = code.count("\n", 0, match.start()) + 1
            problems.append(f"{name}:{line}: {' '.join(match.group(0).split())[:60]}: instead: {instead}")
    return problems


def read_rules():
    return house.table(house.HOUSE / "calls.txt", 4)


if __name__ == "__main__":
    problems, files = [], house.sources("src", suffixes=(".cc", ".h"))
    rules, lean_rooms = read_rules(), house.lean_rooms()
    for path in files:
        problems += problems_in(house.name(path), path.read_text(), rules,
                                house.room_of(path) in lean_rooms and not house.is_hosted(path))
    house.finish(problems, len(files))
