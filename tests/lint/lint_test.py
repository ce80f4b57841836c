#!/usr/bin/env python3
"""The checks must find what they are there for."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import co_await  # noqa: E402
import layers  # noqa: E402

BAD = [
    "co_await store.acquire(Ask{a, b}, deadline);",
    "co_await store.acquire(Ask{.a = 1}, deadline);",
    "auto x = co_await f({a, b});",
    "co_await spawn([s] { use(s); });",
    "co_await run([&, s = text](int x) { use(s); });",
    "co_return Answer{1, co_await f()};",
    "list.push_back({text, co_await f()});",
    "if (co_await f(Ask{a})) { g(); }",
    "auto x = Ask{a, b}.size() + co_await f();",
    "run([&](Pool& pool) -> Task<> {\n    co_await f(Ask{a, b});\n});",
    "run([&] {\n    g([x](std::vector<int> (*y)(int)) { co_await f({a, b}); });\n});",
]
GOOD = [
    "Ask ask{a, b};\nauto x = co_await f(ask);",
    "auto x = co_await f(ask, deadline);",
    "Result<Piece> piece{co_await f()};",
    "co_await spawn([] { use(); });",
    "co_await run([&, this](int x) { use(x); });",
    "co_await run([&gone] { gone = true; });",
    "if (co_await f()) { Ask ask{a, b}; g(ask); }",
    "// co_await f(Ask{a})\ng();",
    "for (;;) {\n    const auto x = co_await f();\n    if (!x) co_return Error{};\n}",
    "co_await f(Ask{a});  // awaits: has a constructor",
    "g(\"co_await\", Ask{a});",
    "run([&](Pool& pool) -> Task<> {\n    co_await f(pool);\n    const Rows rows{{1, 2}, {3, 4}};\n});",
    "run(Ask{a, b}, [&] { co_await f(); });",
    "auto at = text.find(\"://\");\nreturn at ? View{at} : View{1};",
]


class CoAwaitTest(unittest.TestCase):
    def faults(self, body):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.cpp"
            path.write_text("Task<> t() {\n    co_await warm();\n    " + body + "\n}\n")
            return list(co_await.faults_of(path, "x.cpp"))

    def test_finds_what_is_destroyed_twice(self):
        for body in BAD:
            with self.subTest(body):
                self.assertTrue(self.faults(body))

    def test_leaves_the_rest_alone(self):
        for body in GOOD:
            with self.subTest(body):
                self.assertEqual(self.faults(body), [])


class LayersTest(unittest.TestCase):
    README = "| layer | room | what | may include |\n| ---: | --- | --- | --- |\n| 0 | `low` | x | - |\n| 1 | `high` | y | low |\n"

    def faults(self, files, readme=README):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "src"
            for name, text in {"README.md": readme, **files}.items():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_text(text)
            levels, rows = layers.read_map(source / "README.md")
            return [
                *layers.faults_of_map(levels, rows),
                *layers.faults_of_includes(source, rows),
                *layers.faults_of_links(source, rows),
            ]

    def test_arrows_go_down(self):
        self.assertEqual(self.faults({"high/a.hpp": '#include "low/b.hpp"\n#include "high/c.hpp"\n'}), [])
        self.assertEqual(
            self.faults({"low/b.hpp": '#include "high/a.hpp"\n'}), ["src/low/b.hpp:1: low may not include high"]
        )

    def test_a_room_is_on_the_map(self):
        self.assertEqual(self.faults({"new/a.hpp": ""}), ["src/new/a.hpp: new is not in src/README.md"])

    def test_links_follow_the_map(self):
        self.assertEqual(
            self.faults({"low/CMakeLists.txt": "sluice_room(low LINK sluice::high)\n"}),
            ["src/low/CMakeLists.txt: low may not link high"],
        )

    def test_the_map_itself_goes_down(self):
        upside_down = self.README.replace("| x | - |", "| x | high |")
        self.assertEqual(len(self.faults({}, upside_down)), 1)


if __name__ == "__main__":
    unittest.main()
