#!/usr/bin/env python3
"""Every header of src/ compiles alone: each includes what it needs, and may be included twice.

usage: headers.py BUILD_FOLDER [HEADER]...   (the folder holds compile_commands.json)

A header that some source of the build includes before anything else is compiled alone by every
build; the others, and those that are named, are compiled here.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys


def flags_of(commands, room):
    """The flags of any source of the room, or of any source at all."""
    chosen = next((c for c in commands if f"/src/{room}/" in c["file"]), commands[0])
    words = shlex.split(chosen["command"])
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-c", "-MF", "-MT"):
            skip = True
        elif word.startswith(("-I", "-D", "-std", "-isystem", "-W", "-f")) or (kept and kept[-1] == "-isystem"):
            kept.append(word)
    return kept


def included_first(commands, root):
    """The headers that a source of the build begins with."""
    first = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
    sources = [pathlib.Path(c["file"]) for c in commands]
    found = [first.search(s.read_text()) for s in sources if s.is_relative_to(root / "src") and s.exists()]
    return {root / "src" / f.group(1) for f in found if f}


def compiles(header, root, commands):
    inside = header.relative_to(root / "src")
    command = ["c++", *flags_of(commands, inside.parts[0]), "-fsyntax-only", "-x", "c++", "-"]
    text = f'#include "{inside}"\n'
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    return header, run.returncode == 0, run.stderr


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    commands = json.loads((pathlib.Path(sys.argv[1]) / "compile_commands.json").read_text())
    given = [pathlib.Path(name).resolve() for name in sys.argv[2:]]
    headers = given or sorted((root / "src").rglob("*.hpp"))
    bad = 0
    for header in headers:
        if not re.search(r"^#pragma once$", header.read_text(), re.M):
            bad += 1
            print(f"{header.relative_to(root)} has no #pragma once")
    done = included_first(commands, root)
    alone = given or [header for header in headers if header not in done]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, good, error in pool.map(lambda h: compiles(h, root, commands), alone):
            if not good:
                bad += 1
                print(f"{header.relative_to(root)} does not compile alone:\n{error[:2000]}")
    print(f"{len(headers)} headers, {len(alone)} of them compiled here, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
