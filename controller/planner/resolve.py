"""What the expressions of a step give, read from the state: asked once, then recorded.

A step's `when` is asked before it is ready. All other expressions are evaluated when an attempt is
scheduled; the record of the attempt has what they gave, so nothing is evaluated after that.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import Step, Workflow
from controller.spec.definition import Definition
from controller.spec.expression import (
    OPEN,
    Failed,
    NoValue,
    evaluate,
    fill,
    fill_words,
    quoted,
    step_named,
)
from controller.spec.models import SECONDS_MAX, Spec

VALUE_BYTES_MAX = 100 << 10  # of an argument or a variable
_SHOWN_MAX = 64  # characters of a value that `when` read


class Sight(NamedTuple):
    """What the expressions of a workflow can read, in one of its generations."""

    spec: Spec
    params: Mapping[str, Any]
    steps: Mapping[str, Step]
    name: str
    uid: str
    run: int

    def lookup(self, path: tuple[str, ...]) -> object:
        """The value at this path. Raises NoValue."""
        match path:
            case ("params", name):
                return self.params[name]
            case ("steps", alias, *rest):
                return self._of_step(step_named(self.spec, alias), rest)
            case ("workflow", field):
                return {"name": self.name, "uid": self.uid, "instance": ""}[field]
            case _:
                return self.run

    def _of_step(self, name: str, path: list[str]) -> object:
        step = self.steps.get(name)
        if step is None or step.phase not in TERMINAL:  # a timeout can be judged while it runs
            raise Failed(f'"{name}" has not finished')
        if path == ["phase"]:
            return str(step.phase)
        output = path[-1]
        if step.phase is not Phase.SUCCEEDED:
            raise NoValue(f'"{name}" {_HAS[step.phase]}, so it has no output "{output}"')
        if output not in step.outputs:
            raise NoValue(f'"{name}" gave no output "{output}"')
        return step.outputs[output]


_HAS = {
    Phase.FAILED: "failed",
    Phase.SKIPPED: "was skipped",
    Phase.CANCELLED: "was cancelled",
}


def sight(workflow: Workflow, run: int) -> Sight:
    """What its expressions see now, in this run."""
    spec, steps = workflow.spec, workflow.steps
    return Sight(spec, workflow.params, steps, workflow.name, workflow.uid, run)


# ---------------------------------------- when


class Answer(NamedTuple):
    """What a `when` gave, and the values that it read, for people."""

    yes: bool
    read: dict[str, str]

    @property
    def sentence(self) -> str:
        """Why the step is skipped, or is not."""
        read = ", ".join(f"{path} is {text}" for path, text in self.read.items())
        answer = f"`when` is {'true' if self.yes else 'false'}"
        return f"{answer}: {read}" if read else answer


def ask(seen: Sight, definition: Definition) -> Answer:
    """What `when` of the step gives. Raises Failed."""
    read: dict[str, str] = {}

    def noted(path: tuple[str, ...]) -> object:
        name = ".".join(path)
        read[name] = "not there"  # should this raise
        value = seen.lookup(path)
        read[name] = shortened(value)
        return value

    given = evaluate(seen.spec, definition.when, noted)
    if not isinstance(given, bool):
        raise Failed(f"it gives {shortened(given)}, not true or false")
    return Answer(given, read)


# ---------------------------------------- an attempt


class Refused(Exception):
    """The step can't start: a reason for programs, and its text for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Resolved(NamedTuple):
    """What the expressions gave: those that make the attempt, by their text, and its timeout."""

    values: dict[str, Any]
    timeout: float | None


def resolve(seen: Sight, definition: Definition) -> Resolved:
    """What an attempt of the step is made with. Raises Refused."""
    try:
        values = {code: _value(seen, code) for code in definition.expressions}
        _check(definition, values)
        return Resolved(values, timeout(seen, definition))
    except Failed as failure:
        raise Refused(Reason.EXPRESSION_FAILED, str(failure)) from None


def _value(seen: Sight, code: str) -> Any:
    try:
        return evaluate(seen.spec, code, seen.lookup)
    except Failed as failure:
        raise Failed(f"{quoted(code)} failed: {failure}") from None


def timeout(seen: Sight, definition: Definition) -> float | None:
    """Its timeout in seconds, if an expression gives it. Raises Failed."""
    code = definition.timeout_seconds
    if not isinstance(code, str):
        return None
    given = _value(seen, code)
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not isfinite(given) or not 0 < given <= SECONDS_MAX:
        said = f"timeoutSeconds: {quoted(code)} gives {shortened(given)}"
        raise Failed(f"{said}; it must be more than 0 and at most {SECONDS_MAX:,} seconds")
    return float(given)


def _check(definition: Definition, values: Mapping[str, Any]) -> None:
    """A process can be given these texts. Raises Failed or Refused."""
    if not values:
        return
    for place, text in _filled(definition, values):
        if "\0" in text:
            raise Failed(f"{place} would hold a NUL byte, which no process can be given")
        size = len(text) if text.isascii() else len(text.encode())
        if size > VALUE_BYTES_MAX:
            name = place.removeprefix("env.") if place.startswith("env.") else "NAME"
            hint = f"pass it as a file: env: {{{name}: {{asFile: …}}}}"
            message = f"{place} would have {size:,} bytes, {VALUE_BYTES_MAX:,} is the most; {hint}"
            raise Refused(Reason.VALUE_TOO_LARGE, message)
    if not "".join(fill_words(definition.argv, values)[:1]):
        raise Failed("the name of the program is empty")


def _filled(definition: Definition, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts with expressions, and where they are. Raises Failed for those that have none."""
    for word in definition.argv:
        if OPEN in word:
            yield from (("an argument", text) for text in fill_words((word,), values))
    for layer in (*(layer.env for layer in definition.env_from), definition.env):
        for name, value in layer.items():
            if isinstance(value, str) and OPEN in value:
                yield f"env.{name}", fill(value, values)
            elif not isinstance(value, str) and isinstance(value.as_file, str):
                fill(value.as_file, values)
    if OPEN in definition.working_dir:
        yield "workingDir", fill(definition.working_dir, values)


def shortened(value: object) -> str:
    """A value as people see it: JSON, cut after 64 characters."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"
