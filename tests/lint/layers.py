#!/usr/bin/env python3
"""Holds the includes and the CMake targets under src/ to the table in src/README.md.

A room includes rooms of its row and itself; its row names rooms of lower layers; its CMake target
links no room outside its row.
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*`(\w+)`\s*\|[^|]*\|\s*([\w\s-]*?)\s*\|$")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
LINKED = re.compile(r"\bsluice::(\w+)")


def read_map(readme):
    layers, rows = {}, {}
    for line in readme.read_text().splitlines():
        found = ROW.match(line)
        if found:
            layer, room, row = found.groups()
            layers[room] = int(layer)
            rows[room] = set() if row == "-" else set(row.split())
    return layers, rows


def faults_of_map(layers, rows):
    for room, row in rows.items():
        for other in sorted(row):
            if other not in layers:
                yield f"src/README.md: {room} may include {other}, which is no room"
            elif layers[other] >= layers[room]:
                yield f"src/README.md: {room} (layer {layers[room]}) may include {other} (layer {layers[other]})"


def faults_of_includes(source, rows):
    for path in sorted(source.rglob("*")):
        if path.suffix not in (".hpp", ".cpp", ".h", ".ipp", ".in"):
            continue
        inside = path.relative_to(source)
        room = inside.parts[0]
        if room not in rows:
            yield f"src/{inside}: {room} is not in src/README.md"
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            target = found.group(1).split("/")[0]
            if "/" not in found.group(1):
                yield f"src/{inside}:{number}: include \"{found.group(1)}\" by its room: \"{room}/{found.group(1)}\""
            elif target != room and target not in rows[room]:
                yield f"src/{inside}:{number}: {room} may not include {target}"


def faults_of_links(source, rows):
    for room, row in rows.items():
        path = source / room / "CMakeLists.txt"
        if not path.exists():
            continue
        text = re.sub(r"#.*", "", path.read_text())
        for other in sorted(set(LINKED.findall(text)) - row - {room, "flags"}):
            yield f"src/{room}/CMakeLists.txt: {room} may not link {other}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    source = root / "src"
    layers, rows = read_map(source / "README.md")
    if len(rows) < 2:
        print("src/README.md: the table of rooms cannot be read")
        return 1
    faults = [
        *faults_of_map(layers, rows),
        *faults_of_includes(source, rows),
        *faults_of_links(source, rows),
    ]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
