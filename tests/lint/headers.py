#!/usr/bin/env python3
"""Compiles every header of src/ alone: each includes what it needs.

usage: headers.py BUILD_FOLDER [HEADER]...   (the folder holds compile_commands.json)
"""
import concurrent.futures
import json
import os
import pathlib
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


def compiles(header, root, commands):
    inside = header.relative_to(root / "src")
    command = ["c++", *flags_of(commands, inside.parts[0]), "-fsyntax-only", "-x", "c++", "-"]
    text = f'#include "{inside}"\n#include "{inside}"\n'
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
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, good, error in pool.map(lambda h: compiles(h, root, commands), headers):
            if not good:
                bad += 1
                print(f"{header.relative_to(root)} does not compile alone:\n{error[:2000]}")
    print(f"{len(headers)} headers, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
