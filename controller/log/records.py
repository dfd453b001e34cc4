"""A record as a line of the log, and back. This format never changes.

One record is one line of JSON, UTF-8, ended by one newline (0x0A):

    {"seq":7,"turn":6,"time":1795471160000000,"epoch":2,"event":{"type":"StepReady",…},"schema":1,"end":true,"crc":"1f0a93c4"}

`seq` comes first, so every record opens with the same bytes; `crc` comes last. Only the last record
of a turn has `end`: a turn counts as a whole, or not at all.

A line is VALID if and only if
  - it begins with `{"seq":` and ends with `,"crc":"`, eight digits of lower-case hex, `"}` and a
    newline;
  - the digits, compared as bytes, are the CRC-32 (zlib) of every byte before `,"crc":"`.

A turn is WHOLE if and only if its lines are valid and follow each other, their `seq` goes up by
one, their `turn` is the `seq` of the first, the last of them and no other has `end`, and no `epoch`
is lower than the one before.

CRC-32 finds every damage of 32 bits or less in a row, so it notices any single changed byte. The
digits are not parsed as a number, because `int(x, 16)` also takes capitals, `_` and `+`. A valid
line with a `schema` or event that this program doesn't know is not damaged: a newer treadle wrote
it. Such a log is refused, never cut.

Cost: 1 to 2 µs a record, each way.
"""

from collections.abc import Sequence
from zlib import crc32

import msgspec

from controller.errors import StorageError
from controller.model.events import SCHEMA, Record

OPENING = b'{"seq":'
_END = b',"end":true'
_CRC = b',"crc":"'
_CLOSING = b'"}\n'
_TRAILER_SIZE = len(_CRC) + 8 + len(_CLOSING)
_END_AT = slice(-_TRAILER_SIZE - len(_END), -_TRAILER_SIZE)

_KIND_SHOWN_MAX, _QUOTE = 100, '"'

# What people read and nothing is decided by. Whoever gave it may have taken it from a path, an
# account or a host whose name is not valid UTF-8.
_FREE_TEXT = ("message", "problem", "reason", "refused", "why", "by", "user", "host")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class NewerLog(StorageError):
    """The log holds what only a newer treadle understands."""


class _Stamp(msgspec.Struct):
    """The part of a valid line that every version of treadle can read."""

    seq: int
    event: dict[str, msgspec.Raw]


_decode_stamp = msgspec.json.Decoder(_Stamp).decode


def encode_turn(records: Sequence[Record]) -> bytes:
    """The lines of one whole turn. Raises StorageError if a record could not be read back."""
    last = len(records) - 1
    parts: list[bytes] = []
    for index, record in enumerate(records):
        try:
            body = _body(record) + (_END if index == last else b"")
            # Check now what a reader would refuse (an infinite number, a lone surrogate in a name):
            # it must stop this turn, not every later start.
            _decode(body + b"}")
        except (ValueError, TypeError, OverflowError) as error:
            kind = type(record.event).__name__
            raise StorageError(f"record {record.seq} ({kind}) can't be written: {error}") from error
        parts.append(body)
        parts.append(b'%s%08x"}\n' % (_CRC, crc32(body)))
    return b"".join(parts)


def _body(record: Record) -> bytes:
    """Without the closing brace; free text that is not UTF-8 is written as what can be read."""
    try:
        return _encode(record)[:-1]
    except UnicodeEncodeError:
        found = {name: getattr(record.event, name, None) for name in _FREE_TEXT}
        readable = {
            name: text.encode(errors="backslashreplace").decode()
            for name, text in found.items()
            if isinstance(text, str)
        }
        event = msgspec.structs.replace(record.event, **readable)
        return _encode(msgspec.structs.replace(record, event=event))[:-1]


def decode(line: bytes) -> Record | None:
    """The record of a valid line; None for any other. Raises NewerLog."""
    body = line[:-_TRAILER_SIZE]
    if not body.startswith(OPENING):
        return None
    if line[-_TRAILER_SIZE:] != b"%s%08x%s" % (_CRC, crc32(body), _CLOSING):
        return None
    try:
        record = _decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _newer(line, str(error)) from error
    if record.schema > SCHEMA:
        raise _newer(line, f"schema {record.schema}, this one reads {SCHEMA}")
    return record


def ends_turn(line: bytes) -> bool:
    """Is this valid line the last of its turn?"""
    return line[_END_AT] == _END


def _newer(line: bytes, what: str) -> NewerLog:
    """The checksum is right, so the bytes are as written: this program is too old for them."""
    try:
        stamp = _decode_stamp(line)
        kind = bytes(stamp.event.get("type", b""))[:_KIND_SHOWN_MAX].decode(errors="replace")
        which = f"record {stamp.seq} of the log ({kind.strip(_QUOTE)})"
    except (msgspec.DecodeError, RecursionError):
        which = "a record of the log"
    return NewerLog(
        f"{which} was written by a newer treadle ({what}); "
        "use that version, or a newer one, on this state folder"
    )
