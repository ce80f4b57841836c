#!/usr/bin/env python3
"""Compares token counts with tiktoken itself, on random inputs, for both encodings.

    python3 differential.py --cli build/release/tests/unit/tokenizer/sluice_tokenizer_count \
        --inputs 10000000 [--seed 1] [--seconds 3600]

Runs itself again in an environment with the pinned tiktoken (requirements.txt), which it makes
under build/ or .cache/ when it is not there. tiktoken gets the rank files from the repository's own
data, by their published hashes, and downloads nothing.

Exit 0: all equal. Exit 1: prints the shortest input found that differs.
"""
import argparse
import os
import pathlib
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import oracle  # noqa: E402

# Characters that the patterns tell apart, and the neighbours of their classes.
SPACES = " \t\n\r\v\f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b\ufeff\u180e"
LETTERS = "abcdeilmnorstvxyzABCDEILMRSTVZ\u017f\u212a\u00e9\u00df\u01c5\u01c8\u02b0\u02bc\u05d0\u0645\u3042\u30a2\u4e9a\u6d32\u4e2d\u6587\u65e5\uac00\u0e01\u0939\U00010400\U00020000\u0416\u0436\u1fbc\u13a0\uab70"
MARKS = "\u0301\u0308\u093f\u0e31\u20dd\u0903\U000e0100\ufe0f\u1885"
NUMBERS = "0123456789\u0660\u00b2\u00bd\u2160\u3007\uff11\U0001d7ce\u0bf0\u3021"
SIGNS = "'''''.,;:!?/\\-_=+*#@$%^&()[]{}<>|~`\"\u2019\u2014\u3002\uff0c\u00ab\u20ac\u200d\U0001f600\U0001f469\U0001f1e9\U0001f3fd\x00\x01\x7f\ufffd\ue000\U0010ffff\u0378"
WORDS = (
    "the of and Hello World don't I'll we've you're it's I'M HE'D SHE'S 'S 'll 'Re it'\u017f today "
    "return function const int main void std::string {} () => != == // /* */ /// \r\n \n\n  \n    "
    "\u4e2d\u6587 \u4f60\u597d \u65e5\u672c\u8a9e \u3053\u3093\u306b\u3061\u306f \uc548\ub155 "
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u0645\u0631\u062d\u0628\u0627 \u0928\u092e\u0938\u094d\u0924\u0947 "
    "<|endoftext|> <|im_start|> 1234567 3.14159 0x1F \U0001f468\u200d\U0001f469\u200d\U0001f467 "
    'camelCase snake_case HTTPServer XMLHttpRequest ENGLISH "key": "value", https://example.com/a/b'
).split(" ") + [" "] * 12
CLASSES = [SPACES, LETTERS, MARKS, NUMBERS, SIGNS]


BATCH = 2000
GROUP = 50  # texts made at once of one pool, which is cheaper than one by one


def cut(rng, soup, longest):
    """Texts of up to `longest` elements each, one after the other."""
    at = 0
    for length in rng.choices(range(longest + 1), k=GROUP):
        yield soup[at : at + length]
        at += length


def characters(rng):
    pool = "".join(rng.sample(CLASSES, rng.randint(1, 5)))
    soup = "".join(rng.choices(pool, k=24 * GROUP))
    return [text.encode() for text in cut(rng, soup, 24)]


def few_characters(rng):
    pool = rng.choices("".join(CLASSES), k=rng.randint(2, 4))
    soup = "".join(rng.choices(pool, k=40 * GROUP))
    return [text.encode() for text in cut(rng, soup, 40)]


def words(rng):
    soup = rng.choices(WORDS, k=12 * GROUP)
    return ["".join(text).encode() for text in cut(rng, soup, 12)]


def any_characters(rng):
    top = rng.choice([0x80, 0x100, 0x800, 0x3100, 0x10000, 0x20000, 0x110000])
    points = rng.choices(range(top), k=16 * GROUP)
    soup = "".join(chr(p) for p in points if not 0xD800 <= p < 0xE000)
    return [text.encode() for text in cut(rng, soup, 16)]


def tokens(rng):
    """Tokens side by side: the hard case for the merges. Often not UTF-8."""
    soup = rng.choices(rng.choice(oracle.token_bytes()), k=8 * GROUP)
    return [b"".join(text) for text in cut(rng, soup, 8)]


def letter_tokens(rng):
    """The same in one script, so that it is one piece and the merges decide."""
    soup = rng.choices(rng.choice(oracle.letter_tokens()), k=8 * GROUP)
    return [b"".join(text) for text in cut(rng, soup, 8)]


def any_bytes(rng):
    if rng.random() < 0.3:
        soup = rng.randbytes(16 * GROUP)
    else:
        lead = b"\xc2\xdf\xe0\xe1\xed\xee\xef\xf0\xf1\xf4\xf5\x80\x8f\x90\x9f\xa0\xbf\xc0\xff\xbd a'\n1"
        soup = bytes(rng.choices(lead, k=16 * GROUP))
    return list(cut(rng, soup, 16))


def repeated(rng):
    units = rng.choice([words, characters, few_characters, tokens])(rng)
    return [(unit * 300)[: rng.randint(1, 300)] for unit in units]


def long_piece(rng):
    units = rng.choice([tokens, letter_tokens, few_characters])(rng)
    return [(unit * 3000)[: rng.randint(300, 3000)] for unit in units]


KINDS = [
    (characters, 24), (few_characters, 14), (words, 18), (any_characters, 10), (tokens, 14),
    (letter_tokens, 14), (any_bytes, 5), (repeated, 0.9), (long_piece, 0.1),
]


def count(program, texts):
    frames = [struct.pack("<I", len(texts))]
    for text in texts:
        frames += [struct.pack("<I", len(text)), text]
    program.stdin.write(b"".join(frames))
    program.stdin.flush()
    answer = program.stdout.read(8 * len(texts))
    if len(answer) != 8 * len(texts):
        sys.exit("the program ended: " + str(program.wait()))
    numbers = struct.unpack(f"<{2 * len(texts)}I", answer)
    return list(zip(numbers[::2], numbers[1::2]))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cli", required=True)
    arguments.add_argument("--inputs", type=int, default=10_000_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=float("inf"))
    arguments.add_argument("--quiet", action="store_true")
    options = arguments.parse_args()
    rng = random.Random(options.seed)
    makers, weights = zip(*KINDS)
    program = subprocess.Popen([options.cli], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    start, done, wrong, size = time.monotonic(), 0, [], 0
    while done < options.inputs and time.monotonic() - start < options.seconds:
        texts = []
        for make in rng.choices(makers, weights, k=BATCH // GROUP):
            texts += make(rng)
        for text, ours in zip(texts, count(program, texts)):
            theirs = oracle.count(text)
            if ours != theirs:
                wrong.append((text, ours, theirs))
        done += len(texts)
        size += sum(map(len, texts))
        if wrong:
            break
        if not options.quiet and done % 100_000 == 0:
            print(f"{done} inputs equal, {time.monotonic() - start:.0f} s", flush=True)
    program.stdin.close()
    program.wait()
    if wrong:
        text, ours, theirs = min(wrong, key=lambda w: len(w[0]))
        print(f"{len(wrong)} differ; the shortest: {text!r} = {text.decode('utf-8', 'replace')!r}")
        print(f"(cl100k, o200k): ours {ours}, tiktoken {theirs}")
        sys.exit(1)
    if done == 0:
        sys.exit("nothing was compared")
    print(f"{done} inputs ({size} bytes) equal in both encodings, seed {options.seed}, "
          f"{time.monotonic() - start:.0f} s, tiktoken {oracle.version()}")


main()
