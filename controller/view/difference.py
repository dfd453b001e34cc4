"""What an edit would do, for people and for scripts: a line a step, and the change of the spec."""

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct, field, structs

from controller.model.events import StepEffect
from controller.model.phases import Reason
from controller.rehearsal.foresee import Change
from controller.spec.models import Spec, Step
from controller.view.children import FOLDED_FROM, by_parent
from controller.view.look import Look
from controller.view.table import Cell, Column, Table, render
from controller.view.words import named, of_effect
from controller.view.yaml_text import as_yaml

_STYLES = {
    "restart": "yellow",
    "run": "green",
    "maybe": "green",
    "new": "green",
    "remove": "red",
    "keep": "dim",
    "continue": "cyan",
}
# For people; the others are plain.
_WORDS = {"run": "run again", "restart": "stop, run again", "maybe": "may run again"}
_KEPT_SHOWN = 5  # more that are kept for the same reason are one row
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


def plan(changes: Sequence[Change]) -> str:
    """What all these come to: `Plan: 3 run again, 5 keep their results`; "" if nothing changes."""
    counts = Counter(
        _outcome(change, name, effect)
        for change in changes
        if change.is_change
        for name, effect in _counted(change)
    )
    if not counts:
        return ""
    said = ", ".join(
        f"{counts[outcome]:,} {one if counts[outcome] == 1 else many}"
        for outcome, (one, many) in _OUTCOMES.items()
        if counts[outcome]
    )
    return f"{'Nothing runs again' if counts.keys() <= _QUIET else 'Plan'}: {said}"


def _counted(change: Change) -> Iterator[tuple[str, StepEffect]]:
    """All but those that have children, which stand for them."""
    parents = by_parent(change.steps)
    return ((name, effect) for name, effect in change.steps.items() if name not in parents)


def _outcome(change: Change, step: str, effect: StepEffect) -> str:
    if effect.reason == Reason.CANCEL_MARKER and effect.action != "continue":
        return "barred"
    if effect.reason == Reason.STEP_ADDED:
        return "new"
    if effect.action == "run" and effect.reason == Reason.NOT_KNOWN_YET:
        return "maybe"
    waits = effect.action == "keep" and effect.reason != Reason.RESULT_KEPT
    return "wait" if waits and step in change.waiting else effect.action


# In the order in which they are said.
_OUTCOMES = {
    "new": ("is new", "are new"),
    "run": ("runs again", "run again"),
    "restart": ("is stopped and runs again", "are stopped and run again"),
    "maybe": ("may run again", "may run again"),
    "barred": ("is kept from running", "are kept from running"),
    "remove": ("is removed", "are removed"),
    "continue": ("keeps running", "keep running"),
    "keep": ("keeps its result", "keep their results"),
    "wait": ("keeps waiting", "keep waiting"),
}
_QUIET = frozenset({"continue", "keep", "wait"})


def lines(change: Change, look: Look) -> Iterator[str]:
    """For people. An unchanged workflow has no lines."""
    if not change.is_change:
        return
    note = f"; {change.note}" if change.note else ""
    heading = f"{change.workflow}  {_generations(change)}{note}"
    yield look.paint(heading, "bold")
    table = Table(
        (Column("  STEP", shrinks=True), Column("ACTION"), Column("WHY")),
        [
            (Cell(f"  {who}"), Cell(_WORDS.get(action, action), _STYLES[action]), Cell(why))
            for who, action, why in _rows(change)
        ],
    )
    yield from render(table, look.width, look.colour)
    if change.was is not None and change.becomes is not None:
        for line in _spec_lines(change.was, change.becomes):
            yield "  " + look.paint(line, _LINE_STYLES.get(line[:1], ""))
    yield ""


def _rows(change: Change) -> Iterator[tuple[str, str, str]]:
    """Who, what and why. Where many are kept for the same reason, they are one row."""
    kept: dict[str, list[str]] = {}
    children = by_parent(change.steps)
    steps = {name: change.steps[name] for name in children.pop("", ())}
    for name, effect in steps.items():
        if effect.action == "keep" and name not in children:
            kept.setdefault(of_effect(effect), []).append(name)
    folded = {why: names for why, names in kept.items() if len(names) > _KEPT_SHOWN}
    for name, effect in steps.items():
        why = of_effect(effect)
        if name in children:
            yield from _family(change, name, children[name])
        elif effect.action != "keep" or why not in folded:
            yield name, _action(change, name), why
    for name in children.keys() - steps.keys():  # nothing is said of their parent
        yield from _of_children(change, name, children[name])
    for why, names in folded.items():
        yield f"{len(names)} steps", "keep", f"{why}: {named(names)}"


def _action(change: Change, name: str) -> str:
    effect = change.steps[name]
    outcome = _outcome(change, name, effect)
    return outcome if outcome in ("new", "maybe") else effect.action


def _family(change: Change, parent: str, children: list[str]) -> Iterator[tuple[str, str, str]]:
    """A step, in its row those of its children to which nothing happens, and all others."""
    effect = change.steps[parent]
    stay = sum(_is_untouched(change.steps[name]) for name in children)
    whose = f"; nothing changes for {stay:,} of {len(children):,} children" if stay else ""
    yield parent, _action(change, parent), f"{of_effect(effect)}{whose}"
    yield from _of_children(change, parent, children)


def _of_children(
    change: Change, parent: str, children: list[str]
) -> Iterator[tuple[str, str, str]]:
    """A row for each to which something happens; where that are many, for each kind of it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in children:
        effect = change.steps[name]
        if not _is_untouched(effect):
            groups.setdefault((effect.action, effect.reason), []).append(name)
    for names in groups.values():
        first = change.steps[names[0]]
        if len(names) < FOLDED_FROM:
            for name in names:
                yield name, _action(change, name), of_effect(change.steps[name])
        else:
            count = f"{len(names):,} of {len(children):,}"
            yield f"{parent}[…]", _action(change, names[0]), f"{count}: {of_effect(first)}"


def _is_untouched(effect: StepEffect) -> bool:
    return effect.reason == Reason.UNCHANGED and effect.action in ("keep", "continue")


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
    if block is None:
        return []
    plain: Any = _whole(msgspec.to_builtins(block, order="deterministic"))
    if isinstance(block, Spec):
        del plain["steps"]
    if not plain:
        return []
    return as_yaml(plain, width=100).splitlines()


def _whole(value: Any) -> Any:
    """Whole numbers as people write them: 60, not 60.0."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
