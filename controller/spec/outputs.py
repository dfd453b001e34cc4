"""Reads what a step wrote to the file that $TREADLE_OUTPUT names.

The file has one of two forms, with or without a byte order mark before it:

- lines `name=value`. The value is all between the first `=` and the newline, as it is: also blanks
  and `\\r`, and quotes mean nothing. Around a value that is no text, blanks don't count. Empty
  lines are skipped.
- one JSON object, where the first character that is no blank is `{`. Only this form can hold a
  text of several lines.

A name that the step does not declare is ignored; of a name that appears twice the last counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from controller.spec.path_fault import did_you_mean, nearest
from controller.spec.values import (
    VALUE_NAME_HINT,
    VALUES_BYTES_MAX,
    NotJson,
    ParamType,
    found,
    is_name,
    mismatch,
    normal,
    parse,
    read_json,
)

_FILE = "$TREADLE_OUTPUT"
_BLANKS = " \t\r"
_NAMED_MAX = 5  # names in a sentence
_COMPARED_MAX = 100  # names that are searched for the one that was meant
_A_FILE = "write the data to a file of its own, and give out the path of that file"
_SEVERAL_LINES = 'a text of several lines needs the JSON form: {"name": "a\\nb"}'


class Outputs(Struct, frozen=True):
    """The declared outputs, and why the attempt fails: a reason for programs, a problem for people.

    `reason` is empty, or OutputMissing, OutputInvalid or OutputTooLarge; then `values` are those
    that can be read all the same. `notes` say what was ignored.
    """

    values: dict[str, Any] = {}
    notes: list[str] = []
    reason: str = ""
    problem: str = ""


class _Written(NamedTuple):
    """A value as it was written: the text of a line, or a value of the JSON form (line 0)."""

    value: Any
    line: int

    @property
    def place(self) -> str:
        return f" (line {self.line})" if self.line else ""

    def as_type(self, kind: ParamType) -> Any:
        """Raises ValueError, with words for people."""
        if self.line:
            return parse(self.value, kind)
        if problem := mismatch(self.value, kind):
            raise ValueError(problem)
        return normal(self.value, kind)


def read(data: bytes, declared: Mapping[str, ParamType]) -> Outputs:
    """The outputs in `data`. Raises nothing, whatever it holds; the cost grows with its size."""
    if len(data) > VALUES_BYTES_MAX:
        problem = f"the outputs have more than {VALUES_BYTES_MAX:,} bytes; {_A_FILE}"
        return Outputs(reason="OutputTooLarge", problem=problem)
    try:
        text = data.decode().removeprefix("\ufeff")  # as programs of Windows begin a file
        written, doubled = _read(text)
    except UnicodeDecodeError as error:
        problem = f"byte 0x{data[error.start]:02x} at offset {error.start} of {_FILE} is not UTF-8"
        return Outputs(reason="OutputInvalid", problem=f"{problem}; {_A_FILE}")
    except ValueError as error:
        return Outputs(reason="OutputInvalid", problem=str(error))
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, kind in declared.items():
        if name not in written:
            continue
        try:
            values[name] = written[name].as_type(kind)
        except ValueError as error:
            problems.append(f'the output "{name}"{written[name].place}: {error}')
    notes = list(_notes(written, doubled, declared))
    if problems:
        return Outputs(values, notes, "OutputInvalid", "; ".join(_first(problems)))
    if missing := [name for name in declared if name not in written]:
        undeclared = [name for name in written if name not in declared]
        return Outputs(values, notes, "OutputMissing", _missing(missing, undeclared))
    return Outputs(values, notes)


def misfits(given: Mapping[str, Any], declared: Mapping[str, ParamType]) -> Iterator[str]:
    """What keeps these values from being the outputs of a step, in words for people."""
    for name, value in given.items():
        if name not in declared:
            hint = f"; {near}" if (near := did_you_mean(name, declared)) else ""
            yield f"the step does not declare the output {found(name)}{hint}"
        elif problem := mismatch(value, declared[name]):
            yield f'the output "{name}": {problem}'
    if missing := [name for name in declared if name not in given]:
        yield _are_missing(missing)
    if len(msgspec.json.encode(given)) > VALUES_BYTES_MAX:
        yield f"the outputs have more than {VALUES_BYTES_MAX:,} bytes"


def _read(text: str) -> tuple[dict[str, _Written], list[str]]:
    """What stands in the file, and the names that appear twice.

    Raises ValueError, with words for people.
    """
    if not text.lstrip(f"{_BLANKS}\n").startswith("{"):
        return _of_lines(text)
    try:
        given, doubled = read_json(text)
    except NotJson as error:
        hint = "as it begins with {, it must be one JSON object"
        raise ValueError(f"{_FILE} is not JSON: {error}; {hint}") from None
    return {name: _Written(value, 0) for name, value in given.items()}, doubled


def _of_lines(text: str) -> tuple[dict[str, _Written], list[str]]:
    written: dict[str, _Written] = {}
    doubled: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        name, equals, value = line.partition("=")
        if not line.strip(_BLANKS):
            continue
        if not equals:
            problem = f"expected name=value, found {found(line)}"
            raise ValueError(f"line {number} of {_FILE}: {problem}; {_SEVERAL_LINES}")
        if not is_name(name):
            problem = f"{found(name)} is not a valid name of an output"
            hint = f"write {name.strip()}=" if is_name(name.strip()) else VALUE_NAME_HINT
            raise ValueError(f"line {number} of {_FILE}: {problem}; {hint}")
        if name in written:
            doubled.append(name)
        written[name] = _Written(value, number)
    return written, doubled


# ---------------------------------------- sentences


def _missing(missing: Sequence[str], undeclared: Sequence[str]) -> str:
    problem = _are_missing(missing)
    compared = [name for name in undeclared[:_COMPARED_MAX] if is_name(name)]
    meant = [(name, near) for name in missing[:_NAMED_MAX] if (near := nearest(name, compared))]
    if meant:
        hints = [f'name it "{name}", not "{near}"' for name, near in meant]
        return f"{problem}; {', '.join(hints)}"
    if undeclared:
        return f"{problem}; found {_named(undeclared)}, which the step does not declare"
    return f'{problem}; write it in the script: echo "{missing[0]}=…" >> "{_FILE}"'


def _are_missing(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the output {_named(names)} is missing"
    return f"the outputs {_named(names)} are missing"


def _notes(
    written: Mapping[str, _Written], doubled: Sequence[str], declared: Mapping[str, ParamType]
) -> Iterator[str]:
    if undeclared := [name for name in written if name not in declared]:
        which = "an output" if len(undeclared) == 1 else "outputs"
        yield f"ignored {which} that the step does not declare: {_named(undeclared)}"
    if doubled:
        yield f"written more than once, the last counts: {_named(list(dict.fromkeys(doubled)))}"
    for name, kind in declared.items():
        if (
            kind == "string"
            and name in written
            and written[name].line
            and written[name].value.endswith("\r")
        ):
            yield f'the text of "{name}" ends with \\r, as in a file of Windows'


def _named(names: Sequence[str]) -> str:
    return ", ".join(_first([found(name) for name in names]))


def _first(words: Sequence[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(words) - _NAMED_MAX
    return [*words[:_NAMED_MAX], *([f"and {more:,} more"] if more > 0 else [])]
