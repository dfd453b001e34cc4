"""Faults as pictures that fit, and as one line each that nothing can forge."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import FAULTS_MAX, Fault
from controller.spec.reading.excerpt import excerpt
from controller.view.faults import (
    PICTURES_MAX,
    annotation,
    counted,
    picture,
    pictures,
    shape,
    short,
)
from controller.view.ink import inked
from controller.view.table import cells

PLACE = {"file": "specs/etl.yaml", "line": 28, "path": "spec.steps[4].dependsOn[1]"}


def a_fault(line: str, **more: object) -> Fault:
    """A fault at the § of a line."""
    column = line.index("§") + 1
    given = {
        **PLACE,
        "column": column,
        "problem": 'no step is named "b"',
        "excerpt": excerpt(line.replace("§", ""), column),
        **more,
    }
    return Fault(**given)  # type: ignore[arg-type]


def drawn(fault: Fault, width: int = 60) -> list[str]:
    return list(picture(fault, width, colour=False))


def test_a_picture() -> None:
    fault = a_fault("    dependsOn: [a, §b]", hint='did you mean "c"?', step="load")
    assert drawn(fault) == [
        'error: no step is named "b"',
        "  ┌ specs/etl.yaml:28:20   step load",
        "28│     dependsOn: [a, b]",
        '  │                    ^ did you mean "c"?',
    ]


def test_a_fault_of_a_whole_file_has_no_line() -> None:
    fault = Fault(file="a.yaml", problem="the file is empty", hint="remove it")
    assert drawn(fault) == ["error: the file is empty", "┌ a.yaml", "= remove it"]


def test_a_hint_without_room_beside_the_mark_comes_below() -> None:
    fault = a_fault(f"{'x ' * 22}§word", hint="one two three four five six seven eight nine ten")
    assert drawn(fault)[-2:] == [
        f"  │ {' ' * 44}^^^^",
        "  = one two three four five six seven eight nine ten",
    ]


def test_a_long_hint_goes_on_beside_the_mark() -> None:
    fault = a_fault("  §if: x", hint="dependents run after their dependencies have all succeeded")
    assert drawn(fault, 50)[-2:] == [
        "  │   ^^ dependents run after their dependencies",
        "  │      have all succeeded",
    ]


@pytest.mark.parametrize(
    ("line", "shown", "mark"),
    [
        pytest.param("漢字: §b", "漢字: b", 6, id="wide characters"),
        pytest.param("\t§b", "    b", 4, id="a tab"),
        pytest.param("\x1b[1m§b", "\\x1b[1mb", 7, id="a control character is shown"),
        pytest.param(f"{'x' * 90}§b{'y' * 90}", None, None, id="a long line"),
    ],
)
def test_the_mark_is_under_the_word(line: str, shown: str | None, mark: int | None) -> None:
    _, _, text, marks = drawn(a_fault(line, path=""), 40)
    before = text[4:].rpartition("b")[0]
    assert cells(before) == marks.index("^") - 4
    if shown is not None:
        assert (text[4:], marks.index("^") - 4) == (shown, mark)


def test_a_very_long_sentence_is_cut() -> None:
    fault = Fault(file="a.yaml", problem=" -> ".join(["step"] * 10_000))
    lines = drawn(fault)
    assert len(lines) == 13
    assert lines[11:] == ["…", "┌ a.yaml"]


def test_colour_moves_nothing() -> None:
    fault = a_fault("a: [§b, c]", hint="x")
    coloured = "\n".join(map(inked, picture(fault, 60, colour=True)))
    assert "\x1b[31merror:\x1b[0m" in coloured
    for style in (0, 1, 2, 31):
        coloured = coloured.replace(f"\x1b[{style}m", "")
    assert coloured.splitlines() == drawn(fault)


anything = st.text(st.sampled_from("ab :,[]'\"漢\t\x1b\r\u202e"), max_size=300)


@given(
    line=anything,
    at=st.integers(0, 300),
    words=st.tuples(anything, anything, anything, anything),
    width=st.integers(1, 200),
)
def test_no_width_and_no_text_breaks_a_picture(
    line: str, at: int, words: tuple[str, str, str, str], width: int
) -> None:
    file, problem, hint, step = words
    fault = Fault(
        file=file,
        line=3,
        column=at + 1,
        problem=problem,
        hint=hint,
        step=step,
        excerpt=excerpt(line, at + 1),
    )
    for text in drawn(fault, width):
        assert text.isprintable()
        assert cells(text) <= max(width, 14)


# ---------------------------------------- the number


def of_files(**counts: int) -> Iterator[Fault]:
    for name, count in counts.items():
        yield from (Fault(file=name, problem="x") for _ in range(count))


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (list(of_files(a=1)), "1 error in 1 file"),
        (list(of_files(a=20, b=2)), "22 errors in 2 files"),
        (
            [*of_files(a=1), Fault(file="b", problem="x", severity="warning")],
            "1 error and 1 warning in 2 files",
        ),
        ([Fault(file="b", problem="x", severity="warning")] * 2, "2 warnings in 1 file"),
        (list(of_files(a=FAULTS_MAX + 1)), "more than 1,000 errors in 1 file"),
    ],
)
def test_the_number_of_faults(faults: list[Fault], said: str) -> None:
    assert counted(faults) == said


def test_only_the_first_faults_have_a_picture() -> None:
    lines = list(pictures(list(of_files(a=PICTURES_MAX + 7)), 80, False, "nothing was started"))
    assert lines.count("error: x") == PICTURES_MAX
    assert lines[-2:] == [
        "and 7 more: treadle validate --format short FILE shows them",
        "57 errors in 1 file; nothing was started",
    ]


# ---------------------------------------- one line each


def test_a_line_of_a_pipe() -> None:
    fault = a_fault("§b", hint="x")
    assert short(fault) == (
        'specs/etl.yaml:28:1: spec.steps[4].dependsOn[1]: no step is named "b"; x'
    )
    warning = Fault(file="a", problem="odd", severity="warning")
    assert short(warning) == "a: odd (warning)"


def test_a_line_of_json() -> None:
    assert shape(a_fault("§b")) == {
        "file": "specs/etl.yaml",
        "line": 28,
        "column": 1,
        "path": "spec.steps[4].dependsOn[1]",
        "message": 'no step is named "b"',
        "hint": "",
        "severity": "error",
    }
    assert json.dumps(shape(Fault(file="a", problem="x"))["line"]) == "null"


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            Fault(file="a.yaml", line=3, column=7, path="spec.x", problem="no", hint="write y"),
            "::error file=a.yaml,line=3,col=7::spec.x: no; write y",
        ),
        (Fault(file="a", problem="odd", severity="warning"), "::warning file=a::odd"),
        (
            Fault(file="a:b,c%d\ne", problem="50%\r\n::error::forged, really: no"),
            "::error file=a%3Ab%2Cc%25d%0Ae::50%25%0D%0A::error::forged, really: no",
        ),
    ],
)
def test_an_annotation_of_github(fault: Fault, line: str) -> None:
    assert annotation(fault) == line


@pytest.mark.parametrize(
    ("path", "problem", "headline"),
    [
        ("spec.steps[0].if", "not supported yet", 'error: "if": not supported yet'),
        ("spec.steps[0].comand", "unknown field", 'error: "comand": unknown field'),
        ("spec.steps[0].run", "is empty", "error: is empty"),
        ("", "unknown field", "error: unknown field"),
    ],
)
def test_the_headline_names_the_field_that_it_is_about(
    path: str, problem: str, headline: str
) -> None:
    fault = Fault(file="a.yaml", path=path, problem=problem)
    assert next(iter(picture(fault, 80, colour=False))) == headline
