"""Values that a person gives: params to `run` and `start`; outputs to `mark`.

All faults are found before anything is asked for. A word `NAME=VALUE` is only text until the type
of that name is known; a value of a file has its type already.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from controller.errors import Fault, InvalidSpec, UsageError
from controller.model.state import Workflow
from controller.spec.models import Param, ParamValue, Spec
from controller.spec.outputs import misfits
from controller.spec.params import declared, misfit, required, type_of_param
from controller.spec.path_fault import nearest
from controller.spec.reading.load import Document
from controller.spec.values import VALUES_BYTES_MAX, ParamType, normal, parse

if TYPE_CHECKING:
    from controller.client.files.params_file import ParamFromFile

_NAMED_MAX = 8  # names in a hint

_Given = Mapping[str, "str | ParamFromFile"]  # by name; text is that of a word


class Taker(NamedTuple):
    """What the values are for. `partly`: those that it needs may come from elsewhere."""

    file: str
    name: str
    spec: Spec
    partly: bool = False


def given_params(
    words: Sequence[str],
    files: Sequence[str],
    documents: Sequence[tuple[str, Document]],
    warnings: list[Fault],
) -> list[dict[str, Any]]:
    """What each of the documents gets. `documents`: each with its file."""
    takers = [Taker(file, document.name, document.workflow.spec) for file, document in documents]
    return given_to(words, files, takers, warnings)


def given_to_definition(
    definition: Workflow,
    words: Sequence[str],
    files: Sequence[str],
    warnings: list[Fault],
    partly: bool = False,
) -> dict[str, Any]:
    """What an instance of it gets. `partly`: what it needs besides comes from its trigger."""
    taker = Taker(definition.path, definition.name, definition.spec, partly)
    return given_to(words, files, [taker], warnings)[0]


def given_to(
    words: Sequence[str], files: Sequence[str], takers: Sequence[Taker], warnings: list[Fault]
) -> list[dict[str, Any]]:
    """What each of them gets: the values of the params that it has.

    A later word wins over an earlier one, a later file over an earlier one, and a word over a file.
    Raises InvalidSpec with all that is wrong.
    """
    given, faults = _read(words, files)
    unread = bool(faults)
    values: list[dict[str, Any]] = []
    for taker in takers:
        values.append(_values(taker, given, faults))
        # What could not be read may hold the value.
        faults += [] if unread or taker.partly else _missing(taker, given)
    faults += _unknown(given, takers)
    if faults:
        raise InvalidSpec(list(dict.fromkeys(faults)))
    used = {name for of_taker in values for name in of_taker}
    for name, value in given.items():
        if name in used and not isinstance(value, str):
            warnings += value.warnings
    return values


def _read(words: Sequence[str], files: Sequence[str]) -> tuple[_Given, list[Fault]]:
    given: dict[str, str | ParamFromFile] = {}
    faults: list[Fault] = []
    for file in files:
        from controller.client.files.params_file import read_params_file

        content = read_params_file(file)
        given |= content.values
        faults += content.faults
    for word in words:
        name, equals, text = word.partition("=")
        if equals and name:
            given[name] = text
        else:
            hint = f"write -p {name or 'NAME'}=VALUE"
            faults.append(
                Fault(file="", path=f"-p {word}", problem="this gives no value", hint=hint)
            )
    return given, faults


def _values(taker: Taker, given: _Given, faults: list[Fault]) -> dict[str, Any]:
    """The values that fit; of the others, a fault each."""
    values: dict[str, Any] = {}
    known = declared(taker.spec)
    for name, source in given.items():
        if name not in known:
            continue
        try:
            values[name] = _value(known[name], source)
        except ValueError as error:
            faults.append(_fault(name, source, str(error)))
    if len(msgspec.json.encode(values)) > VALUES_BYTES_MAX:
        problem = f"the params of {taker.name} have more than {VALUES_BYTES_MAX:,} bytes"
        hint = "write the data to a file, and give the path of that file"
        faults.append(Fault(file="", path="-p", problem=problem, hint=hint))
    return values


def _value(param: Param | ParamValue, source: "str | ParamFromFile") -> Any:
    """Raises ValueError, with words for people."""
    kind = type_of_param(param)
    value = parse(source, kind) if isinstance(source, str) else source.value
    if problem := misfit(param, value):
        text = "" if isinstance(source, str) or kind != "string" else source.text
        raise ValueError(f'{problem}; put it in quotes: "{text}"' if text else problem)
    return normal(value, kind)


def _missing(taker: Taker, given: _Given) -> Iterator[Fault]:
    for name in required(taker.spec):
        if name not in given:
            problem = f'{taker.name} needs a value of the param "{name}"'
            yield Fault(
                file=taker.file,
                path=f"spec.params.{name}",
                problem=problem,
                hint=f"add -p {name}=VALUE",
            )


def _unknown(given: _Given, takers: Sequence[Taker]) -> Iterator[Fault]:
    known = {name for taker in takers for name in declared(taker.spec)}
    who = takers[0].name if len(takers) == 1 else "none of the workflows"
    for name, source in given.items():
        if name in known:
            continue
        if near := nearest(name, known):
            hint = f'did you mean "{near}"?'
        elif known:
            some = sorted(known)[:_NAMED_MAX]
            hint = f"there {'is' if len(known) == 1 else 'are'} {', '.join(some)}"
        else:
            hint = "declare it in spec.params"
        has = "has no param" if len(takers) == 1 else "has a param"
        yield _fault(name, source, f'{who} {has} "{name}"', hint)


def _fault(name: str, source: "str | ParamFromFile", problem: str, hint: str = "") -> Fault:
    place = (
        Fault(file="", path=f"-p {name}", problem="") if isinstance(source, str) else source.place
    )
    return replace(place, problem=problem, hint=hint)


# ---------------------------------------- outputs


def given_outputs(words: Sequence[str], declared: Mapping[str, ParamType]) -> dict[str, Any]:
    """The outputs of a step, by words `NAME=VALUE`. Raises UsageError with all that is wrong."""
    outputs: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        try:
            outputs[name] = parse(text, declared.get(name, "string"))
        except ValueError as error:
            problems[name] = f'the output "{name}": {error}'
        if not equals:
            problems[name] = f'"{name}" gives no value; write {name}=VALUE'
    good = {name: value for name, value in outputs.items() if name not in problems}
    rest = {name: kind for name, kind in declared.items() if name not in problems}
    if found := [*problems.values(), *misfits(good, rest)]:
        hint = "; write --output NAME=VALUE for each" if rest.keys() - good.keys() else ""
        raise UsageError(f"mark: {'; '.join(found)}{hint}")
    return good
