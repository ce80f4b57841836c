#!/usr/bin/env python3
"""Finds statements with co_await that g++ 12 compiles wrongly.

It destroys aggregate and capturing-lambda temporaries twice when they live in one full expression
with co_await. So a statement with co_await constructs no `Type{...}` and no `{...}` argument and no
capturing lambda; they are named in the statement before. This sees most such statements and not all:
running the tests under the address sanitizer is the real guard. A construction that is known to be
fine (the type has a constructor) is marked with a comment `// awaits: has a constructor`.
"""
import pathlib
import re
import sys

QUIET = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)|R"(?P<tag>\w*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'",
    re.S,
)
AWAIT = re.compile(r"\bco_await\b")
AGGREGATE = re.compile(r"(?:\b[A-Z]\w*|\b\w+::[A-Z]\w*)\s*\{[^{}]+\}")
BRACES = re.compile(r"[(,]\s*\{[^{}]*[^{}\s][^{}]*\}")  # an empty one holds nothing to destroy
# Captures by reference alone are fine: nothing is destroyed.
BY_VALUE = r"\[(?!\s*(?:(?:&\s*\w*|this)\s*,\s*)*(?:&\s*\w*|this)\s*\])[^\]\[]*[\w=][^\]\[]*\]"
LAMBDA = re.compile(r"[(,=]\s*" + BY_VALUE + r"\s*(?:\([^()]*\))?\s*(?:mutable|noexcept|->\s*[\w:<>]+|\s)*\{")
LAMBDA_HEAD = re.compile(
    r"\[[^\]\[]*\]\s*(?:\((?:[^()]|\([^()]*\))*\)\s*(?:mutable\b|noexcept\b|\s)*(?:->[\w\s:<>,&*]+?)?|mutable\b)?\s*\{"
)
ALLOWED = "awaits: has a constructor"


def blank(found):
    return re.sub(r"[^\n]", " ", found.group(0))


def blank_quiet(found):
    if found.group("comment"):
        return blank(found)
    return '"' + re.sub(r"[^\n]", " ", found.group(0))[1:-1] + '"'


def end_of_braces(code, begin):
    """The place of the brace that closes the one at `begin`."""
    depth = 0
    for i in range(begin, len(code)):
        depth += (code[i] == "{") - (code[i] == "}")
        if depth == 0:
            return i
    return len(code)


def lambdas_apart(code):
    """The code with the bodies of lambdas blanked, and (start, body) of each: their statements are
    no part of the one that makes the lambda."""
    bodies, i = [], 0
    for found in LAMBDA_HEAD.finditer(code):
        if found.end() <= i:
            continue  # inside of the one before
        i = end_of_braces(code, found.end() - 1)
        bodies.append((found.end(), code[found.end():i]))
    for start, body in bodies:
        code = code[:start] + re.sub(r"[^\n]", " ", body) + code[start + len(body):]
    return code, bodies


def statements(code):
    """(start, text) of each simple statement: what stands between ; { } outside of parentheses."""
    code, bodies = lambdas_apart(code)
    for at, body in bodies:
        for start, text in statements(body):
            yield at + start, text
    depth, start, i, braces = 0, 0, 0, []
    while i < len(code):
        c = code[i]
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == "{":
            before = code[start:i].rstrip()
            is_block = depth == 0 and (
                before.endswith((")", "else", "do", "try", "const", "noexcept", "mutable", ">", "override"))
                or not before
                or re.search(r"\b(?:namespace|struct|class|enum|union)\b[^;=()]*$", before)
                or re.search(r"->\s*[\w:<>,\s&*]+$", before)
            )
            braces.append("block" if is_block else "value")
            if is_block:
                yield start, code[start:i]
                start = i + 1
        elif c == "}":
            kind = braces.pop() if braces else "block"
            if kind == "block" and depth == 0:
                yield start, code[start:i]
                start = i + 1
        elif c == ";" and depth == 0:
            yield start, code[start:i]
            start = i + 1
        i += 1
    yield start, code[start:]


def faults_of(path, shown):
    raw = path.read_text(errors="replace")
    if not AWAIT.search(raw):
        return
    lines = raw.splitlines()
    code = QUIET.sub(blank_quiet, raw)
    code = re.sub(r"^[ \t]*#[^\n]*", blank, code, flags=re.M)
    for start, text in statements(code):
        if not AWAIT.search(text):
            continue
        first = code.count("\n", 0, start + len(text) - len(text.lstrip())) + 1
        last = code.count("\n", 0, start + len(text)) + 1
        if any(ALLOWED in line for line in lines[max(0, first - 2):last]):
            continue
        # What is declared by the statement itself (`Type name{co_await x}`) is no temporary.
        rest = re.sub(r"^(?!\s*co_)\s*(?:const\s+)?[\w:<>,\s&*]+?\s+\w+\s*\{(.*)\}\s*$", r"\1", text, flags=re.S)
        for pattern, what in ((AGGREGATE, "constructs"), (BRACES, "passes braces"), (LAMBDA, "makes a capturing lambda")):
            found = pattern.search(rest)
            if found:
                piece = " ".join(found.group(0).split())[:60]
                yield f"{shown}:{first}: a statement with co_await {what}: {piece}"
                break


def main():
    root = pathlib.Path(__file__).parents[2]
    given = [pathlib.Path(name) for name in sys.argv[1:]]
    paths = given or [p for top in ("src", "tests") for p in (root / top).rglob("*") if p.suffix in (".hpp", ".cpp")]
    faults = []
    for path in sorted(paths):
        shown = path.relative_to(root) if path.is_absolute() and path.is_relative_to(root) else path
        faults.extend(faults_of(path, shown))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
