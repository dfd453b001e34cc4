"""What a step wrote to $TREADLE_OUTPUT, as values of the declared types."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.spec.outputs import Outputs, misfits, read
from controller.spec.values import VALUES_BYTES_MAX, ParamType, fits

DECLARED: dict[str, ParamType] = {
    "rows": "integer",
    "share": "number",
    "ok": "boolean",
    "region": "string",
    "files": "array",
    "sizes": "object",
}
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("rows=5", 5),
        ("rows= 5 ", 5),
        ("share=5", 5.0),
        ("ok=true\r", True),
        ("region=a=b", "a=b"),
        ("region=", ""),
        ('region= "eu"  ', ' "eu"  '),
        ("region=a\r", "a\r"),
        ("region=a\x85b\u2028c\0", "a\x85b\u2028c\0"),
        ('files=["a", 1]', ["a", 1]),
        ('sizes={"a": 1.5}', {"a": 1.5}),
    ],
)
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n \n"])
def test_a_line(line: str, value: object, start: str, end: str) -> None:
    name = line.partition("=")[0]
    found = read((start + line + end).encode(), {name: DECLARED[name]})
    assert repr(found.values) == repr({name: value})
    assert found.reason == ""


@pytest.mark.parametrize("start", ["", "\n \t\r\n", "\ufeff"])
def test_a_json_object(start: str) -> None:
    text = (
        '{"rows": 5, "share": 5, "ok": false, "region": "a\\nb\\u0000", "files": [], "sizes": {}}'
    )
    found = read((start + text).encode(), DECLARED)
    assert repr(list(found.values.values())) == repr([5, 5.0, False, "a\nb\0", [], {}])
    assert not found.notes


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("rows=1\nother=x\n", ['ignored an output that the step does not declare: "other"']),
        ('{"rows": 1, "a-b": null}', ['ignored an output that the step does not declare: "a-b"']),
        (
            "rows=1\n" + "".join(f"a{n}=\n" for n in range(1005)),
            [
                'ignored outputs that the step does not declare: "a0", "a1", "a2", "a3", "a4", '
                "and 1,000 more"
            ],
        ),
        ("rows=2\nrows=0\nrows=1", ['written more than once, the last counts: "rows"']),
        ('{"rows": 2, "rows": 1}', ['written more than once, the last counts: "rows"']),
    ],
)
def test_what_is_ignored_is_noted(text: str, notes: list[str]) -> None:
    assert read(text.encode(), {"rows": "integer"}) == Outputs(values={"rows": 1}, notes=notes)


def test_a_carriage_return_in_a_text_is_noted() -> None:
    found = read(b"rows=1\r\nregion=eu\r\n", {"rows": "integer", "region": "string"})
    assert found.values == {"rows": 1, "region": "eu\r"}
    assert found.notes == ['the text of "region" ends with \\r, as in a file of Windows']


FILE = "a file of its own, and give out the path of that file"
SEVERAL = 'a text of several lines needs the JSON form: {"name": "a\\nb"}'
NAMES = (
    "use letters, digits and _, at most 63; the first can't be a digit, "
    "and in, true, false and null are taken"
)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"rows=abc", 'the output "rows" (line 1): expected an integer, found "abc"'),
        (b'{"rows": "5"}', 'the output "rows": expected an integer, found "5"'),
        (b'{"rows": null}', 'the output "rows": expected an integer, found nothing'),
        (
            b"\nok=1\nrows=x",
            'the output "rows" (line 3): expected an integer, found "x"; '
            'the output "ok" (line 2): expected true or false, found "1"',
        ),
        (
            b"rows=1\nhello\n",
            f'line 2 of $TREADLE_OUTPUT: expected name=value, found "hello"; {SEVERAL}',
        ),
        (
            b"rows = 1",
            'line 1 of $TREADLE_OUTPUT: "rows " is not a valid name of an output; write rows=',
        ),
        (b"=1", f'line 1 of $TREADLE_OUTPUT: "" is not a valid name of an output; {NAMES}'),
        (b"a-b=1", f'line 1 of $TREADLE_OUTPUT: "a-b" is not a valid name of an output; {NAMES}'),
        (
            b'{"rows": 1',
            "$TREADLE_OUTPUT is not JSON: line 1, column 11: expecting ',' delimiter; "
            "as it begins with {, it must be one JSON object",
        ),
        (
            b'{"rows": 1}\n{"ok": true}\n',
            "$TREADLE_OUTPUT is not JSON: line 2, column 1: there is more text behind its end; "
            "as it begins with {, it must be one JSON object",
        ),
        (
            b'{"text": "two\nlines"}',
            "$TREADLE_OUTPUT is not JSON: line 1, column 14: a text has a line break, or another "
            "control character; write \\n for a line break; "
            "as it begins with {, it must be one JSON object",
        ),
        (
            b'{"rows": NaN}',
            "$TREADLE_OUTPUT is not JSON: NaN is not allowed in JSON; "
            "as it begins with {, it must be one JSON object",
        ),
        (
            b"rows=1\nx=\xff",
            f"byte 0xff at offset 9 of $TREADLE_OUTPUT is not UTF-8; write the data to {FILE}",
        ),
    ],
)
def test_what_is_invalid(data: bytes, problem: str) -> None:
    found = read(data, {"rows": "integer", "ok": "boolean"})
    assert (found.reason, found.problem) == ("OutputInvalid", problem)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (
            b"",
            'the outputs "rows", "ok" are missing; '
            'write it in the script: echo "rows=\u2026" >> "$TREADLE_OUTPUT"',
        ),
        (b"ok=true\nrow=1", 'the output "rows" is missing; name it "rows", not "row"'),
        (
            b"rows=1\nxyz=1",
            'the output "ok" is missing; found "xyz", which the step does not declare',
        ),
        (
            b'{"rows": 1}',
            'the output "ok" is missing; '
            'write it in the script: echo "ok=\u2026" >> "$TREADLE_OUTPUT"',
        ),
    ],
)
def test_what_is_missing(data: bytes, problem: str) -> None:
    found = read(data, {"rows": "integer", "ok": "boolean"})
    assert (found.reason, found.problem) == ("OutputMissing", problem)


@pytest.mark.parametrize("data", [b"rows=1\nok=x", b"rows=1", b'{"rows": 1, "ok": 2}'])
def test_what_can_be_read_is_there_although_the_attempt_fails(data: bytes) -> None:
    found = read(data, {"rows": "integer", "ok": "boolean"})
    assert found.reason
    assert found.values == {"rows": 1}


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"rows": 1, "ok": True}, []),
        (
            {"rows": "1", "okay": True},
            [
                'the output "rows": expected an integer, found "1"',
                'the step does not declare the output "okay"; did you mean "ok"?',
                'the output "ok" is missing',
            ],
        ),
        ({}, ['the outputs "rows", "ok" are missing']),
        (
            {"rows": 1, "ok": True, "x\ny": "a" * VALUES_BYTES_MAX},
            [
                r'the step does not declare the output "x\ny"',
                "the outputs have more than 65,536 bytes",
            ],
        ),
    ],
)
def test_outputs_that_a_person_gives(given: dict[str, Any], problems: list[str]) -> None:
    assert list(misfits(given, {"rows": "integer", "ok": "boolean"})) == problems


def test_the_largest_file_is_read_and_a_larger_one_is_not() -> None:
    most = b"region=".ljust(VALUES_BYTES_MAX, b"x")
    assert len(read(most, {"region": "string"}).values["region"]) == VALUES_BYTES_MAX - 7
    found = read(most + b"x", {"region": "string"})
    assert found.reason == "OutputTooLarge"
    assert found.problem == f"the outputs have more than 65,536 bytes; write the data to {FILE}"


@given(TEXTS)
def test_a_text_comes_back_byte_for_byte(text: str) -> None:
    declared: dict[str, ParamType] = {"region": "string"}
    as_json = json.dumps({"region": text}, ensure_ascii=False).encode()
    assert read(as_json, declared).values == {"region": text}
    line = text.replace("\n", "")
    assert read(f"region={line}\n".encode(), declared).values == {"region": line}


PARTS = st.sampled_from(
    [b"rows=", b"ok=true", b"\n", b"\r\n", b"{", b"}", b'"rows"', b":", b",", b"[", b"]", b"1",
     b"1e999", b"NaN", b"null", b'"\\ud800"', b'"a\\nb"', b" ", b"\0", b"\xff", b"=", b"region="]
)  # fmt: skip


@given(st.binary() | st.lists(PARTS, max_size=12).map(b"".join))
@example(b"{" + b'"a":[' * 10_000)
@example(b'{"rows": ' + b"9" * 60_000 + b"}")
@example(b"rows=" + b"0" * 60_000)
def test_any_bytes_are_outputs_or_a_fault(data: bytes) -> None:
    found = read(data, DECLARED)
    assert bool(found.reason) == bool(found.problem)
    if not found.reason:
        assert list(found.values) == list(DECLARED)
        assert all(fits(found.values[name], kind) for name, kind in DECLARED.items())
    assert len(found.problem) < 1000
    assert found.problem.encode()
    assert "\n" not in found.problem


def _many_names() -> bytes:
    return b"".join(b"%x=\n" % n for n in range(0xA0000, 0xA0000 + 8000))


@pytest.mark.parametrize(
    "data",
    [
        _many_names(),
        b"\n" * VALUES_BYTES_MAX,
        b"{" + b" " * (VALUES_BYTES_MAX - 1),
        b'{"a":1' + b',"a":1' * 10_000 + b"}",
        b"rows=" + b"1" * (VALUES_BYTES_MAX - 5),
        b"rows=" + b" " * (VALUES_BYTES_MAX - 6) + b"x",
    ],
)
def test_the_largest_files_take_no_time(data: bytes) -> None:
    declared: dict[str, Any] = {**DECLARED, **{f"r{n}": "string" for n in range(100)}}
    began = time.process_time()
    read(data, declared)
    assert time.process_time() - began < 1  # a quadratic cost would be minutes
