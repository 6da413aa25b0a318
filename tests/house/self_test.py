"""The house tests tested: each check is shown something wrong and must say so."""
import pathlib
import tempfile
import unittest

import architecture
import calls
import engine
import functions
import house
import layers
import third_party
import words

LAYERS = "# comment\nbase\nx86 linux\nrecord < replay  explore\ncli\n"


def scratch(room, text, name="a.cc"):
    """A source file in a room of the real tree's shape, outside the tree."""
    folder = pathlib.Path(tempfile.mkdtemp()) / "src" / room
    folder.mkdir(parents=True)
    (folder / name).write_text(text)
    return folder / name


class Layers(unittest.TestCase):
    def setUp(self):
        self.allowed = layers.read_layers(LAYERS)

    def test_lower_lines_only(self):
        self.assertEqual(self.allowed["x86"], {"base", "x86"})
        self.assertNotIn("linux", self.allowed["x86"])
        self.assertIn("x86", self.allowed["cli"])

    def test_order_within_a_line(self):
        self.assertIn("record", self.allowed["replay"])
        self.assertNotIn("replay", self.allowed["record"])
        self.assertNotIn("explore", self.allowed["replay"])

    def test_upward_include_is_found(self):
        path = scratch("base", '#include "cli/x.h"\n#include <vector>\n')
        root, house.ROOT = house.ROOT, path.parents[2]
        try:
            self.assertEqual(len(layers.problems_in([path], self.allowed)), 1)
        finally:
            house.ROOT = root


class ThirdParty(unittest.TestCase):
    def check(self, room, header):
        path = scratch(room, f"#include <{header}>\n")
        root, house.ROOT = house.ROOT, path.parents[2]
        try:
            return third_party.problems_in([path], [("Zydis/", ["x86"])], ["base", "x86"])
        finally:
            house.ROOT = root

    def test_owner_may(self):
        self.assertEqual(self.check("x86", "Zydis/Zydis.h"), [])

    def test_others_may_not(self):
        self.assertEqual(len(self.check("cli", "Zydis/Zydis.h")), 1)

    def test_unknown_library(self):
        self.assertEqual(len(self.check("cli", "boost/any.hpp")), 1)

    def test_lean_room_without_libc(self):
        self.assertEqual(len(self.check("base", "string")), 1)
        self.assertEqual(self.check("cli", "string"), [])


class Functions(unittest.TestCase):
    def names(self, text):
        return [(n, last - first + 1) for n, first, last in functions.functions_in(text)]

    def test_plain(self):
        self.assertEqual(self.names("namespace a {\nint f(int x) {\n  if (x) { return 1; }\n  return 2;\n}\n}"), [("f", 4)])

    def test_methods_and_initialisers(self):
        self.assertEqual(self.names("struct S {\n S() : a_{1}, b_(2) { go(); }\n int a_{3};\n void m() const {\n }\n};"),
                         [("S", 1), ("m", 2)])

    def test_tables_are_not_functions(self):
        self.assertEqual(self.names("constexpr Row rows[] = {\n {1, 2},\n {f(3), 4},\n};\nint g() { return 1; }"), [("g", 1)])

    def test_braces_in_strings_and_separators(self):
        self.assertEqual(self.names("int f() {\n auto s = \"}}}\"; int n = 1'000; char c = '{';\n return n;\n}"), [("f", 4)])

    def test_trailing_return_and_lambda(self):
        self.assertEqual(self.names("auto f() -> int {\n auto g = [](int x) { return x; };\n return g(1);\n}"), [("f", 4)])

    def test_ratchet(self):
        long = [("a.cc", "f", 71, 1)]
        self.assertEqual(len(functions.problems_in(long, {})), 1)
        self.assertEqual(functions.problems_in(long, {("a.cc", "f"): 71}), [])
        self.assertEqual(len(functions.problems_in([("a.cc", "f", 72, 1)], {("a.cc", "f"): 71})), 1)
        self.assertEqual(len(functions.problems_in([("a.cc", "f", 12, 1)], {("a.cc", "f"): 71})), 1)
        self.assertEqual(len(functions.problems_in([], {("a.cc", "gone"): 71})), 1)


class Words(unittest.TestCase):
    def test_found(self):
        self.assertEqual(len(words.problems_in("a.cc", "// TO" "DO: later\nint x;\n")), 1)
        self.assertEqual(words.problems_in("a.cc", "// the hackers' word\n"), [])


class Calls(unittest.TestCase):
    def found(self, text, name="src/cli/a.cc", lean=False):
        return len(calls.problems_in(name, text, calls.read_rules(), lean))

    def test_raw_syscall_only_at_the_door(self):
        self.assertEqual(self.found("raw_syscall(1);"), 1)
        self.assertEqual(self.found("raw_syscall(1);", "src/host/a.cc"), 0)
        self.assertEqual(self.found('asm volatile("syscall" : : );'), 1)
        self.assertEqual(self.found("// raw_syscall(1) is banned\n"), 0)

    def test_lean_only(self):
        self.assertEqual(self.found("double x;"), 0)
        self.assertEqual(self.found("double x;", "src/base/a.cc", lean=True), 1)

    def test_assert(self):
        self.assertEqual(self.found("assert(x);"), 1)
        self.assertEqual(self.found("static_assert(true);"), 0)


class Engine(unittest.TestCase):
    def test_globals(self):
        nm = "0000000060000000 0000000000000008 B orrery::counter\n0000000060000010 0000000000000010 T main\n"
        self.assertEqual(len(engine.globals_in(nm, [])[0]), 1)
        self.assertEqual(engine.globals_in(nm, [__import__("re").compile("counter")]), ([], 8))

    def test_vectors(self):
        text = "0000000060001000 <f>:\n    60001000:\tmovaps %xmm0,%xmm1\n0000000060001010 <g>:\n    60001010:\tmov %rax,%rbx\n"
        self.assertEqual(len(engine.vectors_in(text, [])), 1)


class Architecture(unittest.TestCase):
    def test_names(self):
        names = architecture.names_in("`Kernel::run()` and `gone_type`\n```\n`not this`\n```\n")
        self.assertEqual(names, ["Kernel::run()", "gone_type"])
        self.assertEqual(len(architecture.problems_in(names, lambda n: False, {"Kernel", "run"})), 1)


if __name__ == "__main__":
    unittest.main()
