"""The line format, byte by byte. For ever: a change of an expected line here is a new schema."""

import json
from zlib import crc32

import pytest
from msgspec import structs

from controller.errors import StorageError
from controller.log.records import NewerLog, decode, encode_turn, ends_turn
from controller.model.events import (
    SCHEMA,
    Event,
    MachineSlept,
    Record,
    SourceChanged,
    StepFailed,
    StepReady,
)


def a_record(seq: int = 7, turn: int = 7, event: Event | None = None) -> Record:
    ready = StepReady(uid="u1", step="load")
    time = 1_795_471_160_000_000
    return Record(seq, turn, time, 2, event or ready, cause=5)  # type: ignore[arg-type]


def a_line(body: bytes) -> bytes:
    return b'%s,"crc":"%08x"}\n' % (body, crc32(body))


THE_LINE = (
    b'{"seq":7,"turn":7,"time":1795471160000000,"epoch":2,'
    b'"event":{"type":"StepReady","uid":"u1","step":"load"},"schema":1,"cause":5,'
    b'"end":true,"crc":"58338ec5"}\n'
)
# As it was written before records had a cause.
AN_OLD_LINE = (
    b'{"seq":7,"turn":7,"time":1795471160000000,"epoch":2,'
    b'"event":{"type":"StepReady","uid":"u1","step":"load"},"schema":1,"end":true,"crc":"f232fea0"}\n'
)


def test_a_record_is_this_line() -> None:
    assert encode_turn([a_record()]) == THE_LINE


def test_the_line_is_that_record() -> None:
    assert decode(THE_LINE) == a_record()
    assert ends_turn(THE_LINE)


def test_a_line_without_a_cause_has_none() -> None:
    assert decode(AN_OLD_LINE) == structs.replace(a_record(), cause=0)


def test_only_the_last_record_of_a_turn_ends_it() -> None:
    lines = encode_turn([a_record(7), a_record(8), a_record(9)]).splitlines(keepends=True)
    assert [ends_turn(line) for line in lines] == [False, False, True]
    assert [json.loads(line).get("end") for line in lines] == [None, None, True]
    assert [decode(line) for line in lines] == [a_record(7), a_record(8), a_record(9)]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"\0" * 200, id="a zeroed page"),
        pytest.param(THE_LINE[:-1], id="the newline is missing"),
        pytest.param(THE_LINE[1:], id="the first byte is missing"),
        pytest.param(b" " + THE_LINE, id="something before it"),
        pytest.param(THE_LINE + THE_LINE, id="two lines in one"),
        pytest.param(THE_LINE.replace(b"58338ec5", b"58338EC5"), id="capital digits"),
        pytest.param(THE_LINE.replace(b"58338ec5", b"58338ec6"), id="another checksum"),
        pytest.param(THE_LINE.replace(b'"load"', b'"lord"'), id="another content"),
        pytest.param(THE_LINE.replace(b'"end":true,', b""), id="the end of the turn taken away"),
        pytest.param(a_line(b'{"turn":7,"seq":7'), id="a good checksum over another opening"),
    ],
)
def test_what_is_no_line(line: bytes) -> None:
    assert decode(line) is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(
            b'{"seq":9,"turn":9,"time":1,"epoch":1,"event":{"type":"StepReady","uid":"u","step":"s"},"schema":2',
            "record 9 of the log (StepReady) was written by a newer treadle (schema 2, this",
            id="a higher schema",
        ),
        pytest.param(
            b'{"seq":9,"turn":9,"time":1,"epoch":1,"event":{"type":"Checkpoint","of":8},"schema":1',
            "record 9 of the log (Checkpoint) was written by a newer treadle",
            id="an event it doesn't know",
        ),
        pytest.param(
            b'{"seq":9,"turn":9,"time":1,"epoch":1,"event":{"type":"Jump","uid":1},"schema":3',
            "record 9 of the log (Jump) was written by a newer treadle",
            id="both",
        ),
    ],
)
def test_a_newer_line_is_refused_not_lost(body: bytes, says: str) -> None:
    with pytest.raises(NewerLog) as refused:
        decode(a_line(body))
    assert says in str(refused.value)
    assert refused.value.exit_code == 4


def test_a_field_that_was_added_later_is_passed_over() -> None:
    body = (
        b'{"seq":9,"turn":9,"time":1,"epoch":1,"node":"a","event":{"type":"StepReady","uid":"u",'
        b'"step":"s","score":3},"schema":1'
    )
    expected = Record(9, 9, 1, 1, StepReady(uid="u", step="s"), SCHEMA)
    assert decode(a_line(body)) == expected


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(MachineSlept(seconds=float("inf")), id="an infinite number"),
        pytest.param(MachineSlept(seconds=float("nan")), id="no number"),
        pytest.param(SourceChanged(uid="u", path="bad-\udcff.yaml"), id="a name that isn't UTF-8"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(event: Event) -> None:
    with pytest.raises(StorageError, match=r"record 7 .*be written"):
        encode_turn([a_record(event=event)])


def test_words_for_people_that_are_no_text_stop_no_turn() -> None:
    failed = StepFailed(uid="u", step="a", reason="StartFailed", message="PATH is /caf\udce9")
    read = decode(encode_turn([a_record(event=failed)]))
    assert read == a_record(event=structs.replace(failed, message="PATH is /caf\\udce9"))
