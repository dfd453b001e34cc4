"""Every line that is printed goes one way."""

import io
import json
import sys

import pytest

from controller.printing import complain, note, note_crash, say, say_data

Output = pytest.CaptureFixture[str]


def test_a_newline_from_outside_begins_no_line(capsys: Output) -> None:
    say("one\ntwo", "\x1b[2J")
    note("three\rfour")
    complain("five\nsix")
    out, err = capsys.readouterr()
    assert out == "one two\n\\x1b[2J\n"
    assert err == "three\\rfour\ntreadle: five six\n"


def test_data_is_for_programs_whatever_the_locale_is(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    text = json.dumps({"a": "é\u202e\x7f\U000e0041"}, ensure_ascii=False)
    say_data(f"{text}\n")
    sys.stdout.flush()
    assert raw.getvalue().decode() == '{"a": "é\\u202e\\u007f\\udb40\\udc41"}\n'
    assert json.loads(raw.getvalue()) == json.loads(text)


def test_a_crash_can_not_steer_the_terminal(capsys: Output) -> None:
    try:
        raise ValueError("\x1b[2J")
    except ValueError as error:
        note_crash(type(error), error, error.__traceback__)
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("\nValueError: \\x1b[2J\n")
