"""Faults of specs for people and programs: a picture of each on a terminal, else one line each.

A picture shows the line of the file, with a mark under the word that is wrong and the hint beside
the mark. There all text of a file is made visible before it is measured, so that no character can
move the mark.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

from controller.errors import FAULTS_MAX, Excerpt, Fault
from controller.model.state import State
from controller.spec.path_fault import NOT_YET
from controller.view.ink import paint, visible
from controller.view.table import cells, shorten, wrap

Form = Literal["short", "json", "github"]

PICTURES_MAX = 50  # more than anybody reads; of the others the number is shown
_TEXT_MAX = 100  # columns of a sentence: longer lines are hard to read
_HINT_MIN = 28  # columns beside the mark; with fewer the hint gets lines of its own
_LINES_MAX = 12  # of one sentence
_TAB = "    "
_OF_A_FIELD = ("unknown field", NOT_YET)
_STYLES = {"error": "red", "warning": "yellow"}


# ---------------------------------------- one line each


def short(fault: Fault) -> str:
    """`etl.yaml:14:7: spec.steps[2].dependsOn[0]: no step is named "x"; did you mean "y"?`"""
    return f"{fault} (warning)" if fault.severity == "warning" else str(fault)


def shape(fault: Fault) -> dict[str, str | int | None]:
    """For programs: line and column are null if the fault belongs to the file as a whole."""
    return {
        "file": fault.file,
        "line": fault.line or None,
        "column": fault.column or None,
        "path": fault.path,
        "message": fault.problem,
        "hint": fault.hint,
        "severity": fault.severity,
    }


def annotation(fault: Fault) -> str:
    """A workflow command of GitHub Actions, which shows the fault beside the line."""
    place = {"file": fault.file}
    if fault.line:
        place |= {"line": str(fault.line), "col": str(fault.column)}
    properties = ",".join(f"{name}={_property(value)}" for name, value in place.items())
    words = f"{fault.path}: {fault.advice}" if fault.path else fault.advice
    return f"::{fault.severity} {properties}::{_escaped(words)}"


def _escaped(text: str) -> str:
    return visible(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


# ---------------------------------------- pictures


def pictures(faults: Sequence[Fault], width: int, colour: bool, outcome: str) -> Iterator[str]:
    """A picture of each of the first faults, then their number and what comes of them."""
    for fault in faults[:PICTURES_MAX]:
        yield from picture(fault, width, colour)
        yield ""
    if len(faults) > PICTURES_MAX:
        more = f"and {len(faults) - PICTURES_MAX:,} more"
        yield from _wrapped(f"{more}: treadle validate --format short FILE shows them", width)
    total = f"{counted(faults)}; {outcome}" if outcome else counted(faults)
    yield from (paint(text, "bold" if colour else "") for text in _wrapped(total, width))


def counted(faults: Sequence[Fault]) -> str:
    """`22 errors and 1 warning in 2 files`."""
    of_file = Counter((fault.file, fault.severity) for fault in faults)
    words = []
    for severity in ("error", "warning"):
        counts = [count for (_, kind), count in of_file.items() if kind == severity]
        total = sum(min(count, FAULTS_MAX) for count in counts)
        least = "more than " if any(count > FAULTS_MAX for count in counts) else ""
        if total:
            words.append(least + _number(total, severity))
    files = {file for file, _ in of_file if file}
    return (
        f"{' and '.join(words)} in {_number(len(files), 'file')}" if files else " and ".join(words)
    )


def stays_in_force(state: State, names: Iterable[str]) -> str:
    """What these workflows do while their files have faults; "" if none of them is in force."""
    lives = [state.workflows[name] for name in names if name in state.workflows]
    if not lives:
        return ""
    if len(lives) > 1:
        return f"the present versions of {len(lives):,} workflows stay in force"
    return f"generation {lives[0].generation} of {lives[0].name} stays in force"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _headline(fault: Fault) -> str:
    """The problem; where it is only said of a field, with the name of that field."""
    field = fault.path.rpartition(".")[2]
    return (
        f'"{field}": {fault.problem}' if field and fault.problem in _OF_A_FIELD else fault.problem
    )


def picture(fault: Fault, width: int, colour: bool) -> Iterator[str]:
    """One fault in lines of at most `width` columns."""
    style, strong, dim = (_STYLES[fault.severity], "bold", "dim") if colour else ("", "", "")
    head = f"{fault.severity}:"
    first, *others = _first_lines(_wrapped(_headline(fault), width, len(head) + 1))
    yield f"{paint(head, style)} {paint(first, strong)}"
    yield from (paint(text, strong) for text in others)
    margin, hint = " " * len(str(fault.line or "")), fault.hint
    yield from (paint(text, dim) for text in _place(fault, margin, width))
    if fault.excerpt is not None:
        before, word, after = _cut(fault.excerpt, max(1, width - len(margin) - 2))
        yield paint(f"{fault.line}│ ", dim) + before + paint(word, strong) + after
        indent, mark = cells(before), "^" * max(1, cells(word))
        room = width - len(margin) - 2 - indent - len(mark) - 1
        beside = [""]
        if room >= _HINT_MIN or cells(visible(hint)) <= room:
            beside, hint = list(_wrapped(hint, room)), ""
        edge = paint(f"{margin}│ ", dim) + " " * indent
        yield f"{edge}{paint(mark, style)} {beside[0]}".rstrip()
        yield from (f"{edge}{' ' * len(mark)} {text}" for text in beside[1:])
    if hint:
        begin = f"{margin}= "
        first, *others = _wrapped(hint, width - len(begin))
        yield begin + first
        yield from (" " * len(begin) + text for text in others)


def _first_lines(lines: Iterator[str]) -> list[str]:
    """A sentence may quote long names; the form `short` has them all."""
    found = list(islice(lines, _LINES_MAX + 1))
    return found if len(found) <= _LINES_MAX else [*found[: _LINES_MAX - 1], "…"]


def _place(fault: Fault, margin: str, width: int) -> Iterator[str]:
    """`┌ specs/etl.yaml:28:26   step load`; a long path loses its beginning."""
    within = f"step {fault.step}" if fault.step else fault.path
    place, within = visible(fault.place), visible(within)
    room = max(1, width - len(margin) - 2)
    if not place:
        place, within = within, ""
    if within and cells(place) + 3 + cells(within) <= room:
        place, within = f"{place}   {within}", ""
    yield f"{margin}┌ {_end(place, room)}"
    if within and fault.line:
        yield f"{margin}│ {shorten(within, room)}"


def _cut(of: Excerpt, room: int) -> tuple[str, str, str]:
    """The text before the wrong word, the word, and the rest, in `room` columns together."""
    text, start, end = of.text, of.start, of.start + of.length
    parts = text[:start], text[start:end], text[end:]
    before, word, after = (visible(part.replace("\t", _TAB)) for part in parts)
    mark = max(1, cells(word))
    if cells(before) + mark + cells(after) > room:
        before = _end(before, max(room // 3, room - mark - min(cells(after), room // 4)))
    word = shorten(word, room - cells(before))
    return before, word, shorten(after, room - cells(before) - cells(word))


def _end(text: str, width: int) -> str:
    """Its end, if it is wider than `width`."""
    return shorten(text[::-1], width)[::-1]


def _wrapped(text: str, width: int, first: int = 0) -> Iterator[str]:
    """Lines of whole words; on the first one, `first` columns are taken already."""
    return wrap(visible(text), min(max(width, 1), _TEXT_MAX), first)
