"""What an edit would do, for people and for scripts: a line a step, and the change of the spec."""

from collections.abc import Iterator
from difflib import unified_diff
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct, field, structs

from controller.rehearsal.foresee import Change
from controller.spec.models import Spec, Step
from controller.view.table import Cell, Column, Table, paint, render
from controller.view.words import of_effect

_STYLES = {"restart": "yellow", "run": "green", "remove": "red", "keep": "dim", "continue": "cyan"}
_CONTEXT = 3  # lines around one that differs
_LINE_STYLES = {"+": "green", "-": "red", "@": "cyan"}


class StepDifference(Struct, frozen=True):
    name: str
    action: str
    reason: str
    message: str


class Difference(Struct, frozen=True):
    """The shape of `diff -o json`; `to` is null where the workflow is deleted."""

    workflow: str
    before: int = field(name="from")
    to: int | None
    steps: list[StepDifference]
    note: str = ""


def shape(change: Change) -> Difference:
    return Difference(
        workflow=change.workflow,
        before=change.before,
        to=change.after,
        steps=[
            StepDifference(name, effect.action, effect.reason, of_effect(effect))
            for name, effect in change.steps.items()
        ],
        note=change.note,
    )


def lines(change: Change, width: int | None, colour: bool) -> Iterator[str]:
    """For people. An unchanged workflow has no lines."""
    if not change.is_change:
        return
    note = f"; {change.note}" if change.note else ""
    heading = f"{change.workflow}  {_generations(change)}{note}"
    yield paint(heading, "bold" if colour else "")
    table = Table(
        (Column("  STEP"), Column("ACTION"), Column("WHY")),
        [
            (
                Cell(f"  {name}"),
                Cell(effect.action, _STYLES[effect.action]),
                Cell(of_effect(effect)),
            )
            for name, effect in change.steps.items()
        ],
    )
    yield from render(table, width, colour)
    if change.was is not None and change.becomes is not None:
        for line in _spec_lines(change.was, change.becomes):
            yield "  " + paint(line, _LINE_STYLES.get(line[:1], "") if colour else "")
    yield ""


def _generations(change: Change) -> str:
    if change.after is None:
        return "is deleted"
    if change.before == change.after:
        return f"generation {change.before}"
    if change.before == 0:
        return "is new"
    return f"generation {change.before} -> {change.after}"


def _spec_lines(was: Spec, becomes: Spec) -> Iterator[str]:
    """What differs, step by step, whatever the order of the steps. Cost: O(steps)."""
    old, new = ({step.name: step for step in spec.steps} for spec in (was, becomes))
    heads = [structs.replace(spec, steps=[]) for spec in (was, becomes)]
    yield from _block_lines("spec", *heads)
    for name in dict.fromkeys((*new, *old)):
        yield from _block_lines(f"step {name}", old.get(name), new.get(name))


def _block_lines(title: str, was: Spec | Step | None, becomes: Spec | Step | None) -> Iterator[str]:
    if was == becomes:
        return
    yield f"@@ {title} @@"
    compared = unified_diff(_text(was), _text(becomes), n=_CONTEXT, lineterm="")
    for line in islice(compared, 2, None):  # the first two would name files
        if not line.startswith("@@"):
            yield line


def _text(block: Spec | Step | None) -> list[str]:
    """As YAML in one fixed form, so that only differences in meaning are shown."""
    import yaml

    if block is None:
        return []
    plain: Any = _whole(msgspec.to_builtins(block, order="deterministic"))
    if isinstance(block, Spec):
        del plain["steps"]
    if not plain:
        return []
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100).splitlines()


def _whole(value: Any) -> Any:
    """Whole numbers as people write them: 60, not 60.0."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
