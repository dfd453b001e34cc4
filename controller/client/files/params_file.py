"""Reads a file of params (`--params FILE`): a YAML or JSON mapping from names to values."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from controller.client.files.source import read_source
from controller.errors import Fault, TreadleError
from controller.spec.reading.excerpt import lines_of, with_excerpt
from controller.spec.reading.places import written as path_words
from controller.spec.reading.syntax import decode
from controller.spec.reading.text import Text, TextPlace, lossy_numbers, read, written
from controller.spec.values import VALUES_BYTES_MAX


class ParamFromFile(Struct, frozen=True):
    """A value. `place`: a fault that lacks only its problem.

    `text`: of a number or boolean, as it is written. `warnings`: the numbers in a list or mapping
    that lose a part of their text.
    """

    value: Any
    place: Fault
    text: str
    warnings: list[Fault]


class ParamsFile(Struct, frozen=True):
    """With any fault it has no values."""

    values: dict[str, ParamFromFile] = {}
    faults: list[Fault] = []


def read_params_file(path: str) -> ParamsFile:
    """Raises nothing; what can't be read is a fault."""
    try:
        file, data = read_source(path, VALUES_BYTES_MAX)
    except TreadleError as error:
        problem = str(error).removeprefix(f"{path}: ")
        return ParamsFile(faults=[Fault(file=path, problem=problem)])
    if len(data) > VALUES_BYTES_MAX:
        problem = f"larger than {VALUES_BYTES_MAX:,} bytes"
        hint = "write the data to a file of its own, and give the path of that file"
        return ParamsFile(faults=[Fault(file=file, problem=problem, hint=hint)])
    text = decode(data, file)
    if isinstance(text, Fault):
        return ParamsFile(faults=[text])
    return _File(file, read(text, file, VALUES_BYTES_MAX)).params()


class _File:
    def __init__(self, name: str, content: Text) -> None:
        self.name = name
        self.content = content
        self.lines = lines_of(content.text)

    def params(self) -> ParamsFile:
        faults = [with_excerpt(fault, self.lines) for fault in self.content.faults]
        documents = [document for document in self.content.documents if document.value is not None]
        for second in documents[1:]:
            hint = "write all params into one mapping"
            faults.append(self._fault(second.place, (), "a second document", hint))
        for first in documents[:1]:
            if not isinstance(first.value, dict):
                hint = "write a line for each param, like date: 2026-11-23"
                faults.append(self._fault(first.place, (), "expected a mapping", hint))
            elif not faults:
                return ParamsFile(dict(self._values(first.value, first.place)))
        return ParamsFile(faults=faults)

    def _values(
        self, values: dict[str, Any], place: TextPlace
    ) -> Iterator[tuple[str, ParamFromFile]]:
        warnings: dict[str | int, list[Fault]] = {}
        for path, problem, hint in lossy_numbers(values, place, self.lines):
            if len(path) > 1:
                fault = replace(self._fault(place, path, problem, hint), severity="warning")
                warnings.setdefault(path[0], []).append(fault)
        for name, value in values.items():
            at = self._fault(place, (name,))
            text = written(self.lines[at.line - 1], at.column)
            yield name, ParamFromFile(value, at, text, warnings.get(name, []))

    def _fault(
        self, place: TextPlace, path: tuple[str | int, ...], problem: str = "", hint: str = ""
    ) -> Fault:
        line, column = place.within(path)
        return with_excerpt(
            Fault(
                file=self.name,
                line=line,
                column=column,
                path=path_words(path),
                problem=problem,
                hint=hint,
            ),
            self.lines,
        )
