"""What could stand where something of ours is expected: real content, made wrong.

Bytes are made wrong anywhere, JSON in its structure: wrong types, huge numbers, deep nesting,
fields that are missing or too many. Checksums are computed anew, so that what is wrong is read.
"""

import json
import random
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from tempfile import TemporaryFile
from typing import Any
from zlib import crc32

from controller.cli.main import main

HANG_SECONDS = 60  # for what takes milliseconds on an idle machine

WORDS = ("", "x", "a", "w", "-", "*", "..", "../../x", "/etc/passwd", "\0", "\x1b[2J", "é" * 300)
NUMBERS = (
    0,
    1,
    -1,
    2**31,
    2**53,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63),
    10**30,
    1.5,
    -0.0,
    1e308,
)
JUNK = (
    None,
    True,
    False,
    *NUMBERS,
    *WORDS,
    "x" * 70_000,
    [],
    {},
    [[]],
    [None],
    {"a": None},
    {"": 0},
)
# As JSON has it: what no encoder writes.
RAW = ("NaN", "Infinity", "1e999", "-1e999", '"\\ud800"', "9" * 5000, "[" * 3000, '{"a":' * 3000)
MARK = "\x7fRAW\x7f"


# ---------------------------------------- making it wrong


def bent(data: bytes, chance: random.Random) -> bytes:
    """These bytes with a few of them changed, lost, doubled or new."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 1, 2, 8, 100, 5000))
        data = chance.choice(
            (
                data[:at] + bytes([chance.randrange(256)]) * size + data[at + size :],
                data[:at] + data[at + size :],
                data[:at] + data[at : at + size] * 2 + data[at + size :],
                data[:at] + chance.randbytes(size) + data[at:],
                data[:at],
            )
        )
    return data


def bent_json(text: bytes, chance: random.Random) -> bytes:
    """This JSON with some of its parts changed."""
    whole = json.loads(text)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        whole = _changed(whole, chance)
    written = json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
    while MARK in written:
        written = written.replace(f'"{MARK}"', chance.choice(RAW), 1).replace(MARK, "", 1)
    return written.encode(errors="surrogatepass")


def _changed(whole: Any, chance: random.Random) -> Any:
    places = [*_places(whole)]
    if not places:
        return _junk(chance)
    holder, key = chance.choice(places)
    what = chance.randrange(9)
    if what == 0:
        del holder[key]
    elif what == 1:
        other, place = chance.choice(places)
        holder[key] = deepcopy(other[place])
    elif what == 2 and isinstance(holder, dict):
        holder[chance.choice(("x", "", "type", "name", "uid"))] = _junk(chance)
    elif what == 3 and isinstance(holder, list):
        holder.insert(0, holder[key])
    elif what == 4 and type(holder[key]) in (int, float):
        holder[key] = chance.choice((holder[key] + 1, holder[key] - 1, -holder[key], 2**40))
    elif what in (5, 6):  # of the same type, so that it may be believed
        alike = [junk for junk in JUNK if type(junk) is type(holder[key])]
        holder[key] = deepcopy(chance.choice(alike))
    else:
        holder[key] = _junk(chance)
    return whole


def _junk(chance: random.Random) -> Any:
    return deepcopy(chance.choice((*JUNK, MARK, MARK)))


def _places(whole: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [whole]
    while waiting:
        one = waiting.pop()
        for key, value in (
            one.items()
            if isinstance(one, dict)
            else enumerate(one)
            if isinstance(one, list)
            else ()
        ):
            yield one, key
            waiting.append(value)


def bent_line(line: bytes, chance: random.Random) -> bytes:
    """A line of the log, changed but valid: in its format, and with the right checksum."""
    body = line[: line.rindex(b',"crc":"')]
    return sealed(bent_json(body + b"}", chance)[:-1])


def sealed(body: bytes) -> bytes:
    return b'%s,"crc":"%08x"}\n' % (body, crc32(body))


def bent_log(data: bytes, chance: random.Random) -> bytes:
    """A segment, with records that are changed, missing, doubled or in another order."""
    if chance.random() < 0.2:
        return bent(data, chance)
    lines = data.splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(lines))
        what = chance.randrange(10)
        if what == 0 and len(lines) > 1:
            del lines[at]
            lines = [*renumbered(lines)]
        elif what == 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
            lines = [*renumbered(lines)]
        else:
            lines[at] = bent_line(lines[at], chance)
    return b"".join(lines)


def renumbered(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Each record as a turn of its own, in this order."""
    for seq, line in enumerate(lines, 1):
        body = line[: line.rindex(b',"crc":"')].replace(b',"end":true', b"")
        body = re.sub(rb'^\{"seq":\d+,"turn":\d+', b'{"seq":%d,"turn":%d' % (seq, seq), body)
        yield sealed(body + b',"end":true')


def bent_snapshot(data: bytes, chance: random.Random) -> bytes:
    """A snapshot or checkpoint whose checksum is right."""
    if chance.random() < 0.2:
        return bent(data, chance)
    _, head, image = data.split(b"\n", 2)
    if chance.random() < 0.2:
        head = bent_json(head, chance)
    else:
        image = bent_json(image, chance)
    head += b"\n"
    return b"%08x\n" % crc32(image, crc32(head)) + head + image


# ---------------------------------------- trying it


class Hangs(BaseException):
    """A command did not end."""


def said_by(*words: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it prints. It runs here, so what it raises comes out."""
    with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as err:
        with within_seconds(HANG_SECONDS), redirect_stdout(out), redirect_stderr(err):
            try:
                code = main(words)
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 1
            sys.stdout.flush()
            sys.stderr.flush()
        told = []
        for file in (out, err):
            file.seek(0)
            told.append(file.buffer.read().decode(errors="replace"))
    return code, told[0], told[1]


@contextmanager
def within_seconds(seconds: int) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hangs(f"for {seconds} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
