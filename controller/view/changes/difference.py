"""What an edit would do, for people and for scripts: a line a step, and the change of the spec."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType, field, structs

from controller.model.events import StepEffect
from controller.model.phases import Reason
from controller.model.state import SECOND
from controller.rehearsal.change import Change, PolicyChange, TriggerChange
from controller.spec.hooks import HOOK_KINDS
from controller.spec.items import names_above, number_of, top_name
from controller.spec.linked import called, written
from controller.spec.models import DefaultsSpec, PoolSpec, Spec, Step, TemplateSpec
from controller.view.changes.yaml_text import as_yaml
from controller.view.children import FOLDED_FROM, parents
from controller.view.look import Look
from controller.view.table import Cell, Column, Table, render
from controller.view.times import rfc3339
from controller.view.words import named, of_effect

_STYLES = {
    "restart": "yellow",
    "run": "green",
    "maybe": "green",
    "new": "green",
    "remove": "red",
    "keep": "dim",
    "continue": "cyan",
    "gone": "red",
    "moved": "yellow",
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


class TriggerDifference(Struct, frozen=True):
    """`before` and `after`: the next due time; null where it has none."""

    name: str
    action: str
    before: str | None
    after: str | None
    message: str


class Difference(Struct, frozen=True):
    """The shape of `diff -o json`; `to` is null where the workflow is deleted.

    Only a definition has triggers.
    """

    workflow: str
    before: int = field(name="from")
    to: int | None
    steps: list[StepDifference]
    note: str = ""
    triggers: list[TriggerDifference] | UnsetType = UNSET


def shape(change: Change) -> Difference:
    return Difference(
        workflow=change.workflow,
        before=change.before,
        to=change.after,
        steps=[
            StepDifference(name, effect.action, effect.reason, of_effect(effect))
            for name, effect in change.steps.items()
        ],
        note=_note(change),
        triggers=UNSET if change.triggers is None else [*map(_trigger, change.triggers)],
    )


def _trigger(change: TriggerChange) -> TriggerDifference:
    before, after = (
        None if due is None else rfc3339(due * SECOND) for due in (change.before, change.after)
    )
    return TriggerDifference(change.name, change.action, before, after, change.why)


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
    above = parents(change.steps)
    return ((name, effect) for name, effect in change.steps.items() if name not in above)


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
    note = f"; {said}" if (said := _note(change)) else ""
    heading = f"{change.workflow}  {_generations(change)}{note}"
    yield from (look.paint(line, "bold") for line in look.wrapped(heading, hang=2))
    if change.triggers:
        yield from render(_trigger_table(change.triggers, look), look.width, look.colour)
    rows = [*_rows(change)]
    if change.is_instance and (change.before == change.after or _has_not_begun(change)):
        rows = [row for row in rows if row[1] not in ("keep", "continue")]
    if rows or (change.triggers is None and not change.is_instance):
        table = Table(
            (Column("  STEP", shrinks=True), Column("ACTION"), Column("WHY")),
            [
                (Cell(f"  {who}"), Cell(_WORDS.get(action, action), _STYLES[action]), Cell(why))
                for who, action, why in rows
            ],
        )
        yield from render(table, look.width, look.colour)
    if change.was is not None and change.becomes is not None and not change.is_instance:
        for line in _spec_lines(change.was, change.becomes):
            yield "  " + look.paint(line, _LINE_STYLES.get(line[:1], ""))
    yield ""


def _note(change: Change) -> str:
    """What there is to know, and which files start a trigger that has fired for none of them."""
    files = [_files(trigger) for trigger in change.triggers or () if trigger.pattern]
    return "; ".join([*([change.note] if change.note else []), *files])


def _files(change: TriggerChange) -> str:
    said = f"trigger {change.name}:"
    if change.lying is None:
        return f"{said} each file that matches {change.pattern} starts an instance"
    if not change.lying:
        return f"{said} no file matches {change.pattern}"
    if change.lying == 1:
        return f"{said} 1 file matches {change.pattern}, and starts an instance"
    return f"{said} {change.lying:,} files match {change.pattern}, and each starts an instance"


def _has_not_begun(change: Change) -> bool:
    """All of its steps wait: the edit stops nothing of it, and runs nothing again."""
    return all(name in change.waiting for name in change.steps)


def _trigger_table(triggers: Sequence[TriggerChange], look: Look) -> Table:
    return Table(
        (
            Column("  TRIGGER", shrinks=True),
            Column("ACTION"),
            Column(look.headed("NEXT DUE")),
            Column("WHY"),
        ),
        [
            (
                Cell(f"  {trigger.name}"),
                Cell(trigger.action, _STYLES[trigger.action]),
                Cell(_times(trigger, look)),
                Cell(trigger.why),
            )
            for trigger in triggers
        ],
    )


def _times(change: TriggerChange, look: Look) -> str:
    """`02:30:00 -> 03:00:00`; one time where it stays."""
    before, after = (
        "-" if due is None else look.moment(due * SECOND) for due in (change.before, change.after)
    )
    if change.action == "new" or before == after:
        return after
    return before if change.action == "gone" else f"{before} -> {after}"


def policy_lines(change: PolicyChange, look: Look) -> Iterator[str]:
    """For people: what an edit of a pool or of Defaults is about."""
    verb = "is new" if change.was is None else "is removed" if change.becomes is None else "edited"
    count = f"{change.workflows:,} workflow{'' if change.workflows == 1 else 's'}"
    holds = "held" if change.becomes is None else "holds"
    whom = f"; it {holds} for {count}" if change.workflows else ""
    heading = f"{change.name} ({change.path})  {verb}{whom}; runs nothing again"
    yield look.paint(heading, "bold")
    for line in _block_lines("spec", change.was, change.becomes):
        yield "  " + look.paint(line, _LINE_STYLES.get(line[:1], ""))
    yield ""


def _rows(change: Change) -> Iterator[tuple[str, str, str]]:
    """Who, what and why. Where many are kept for the same reason, they are one row."""
    below: dict[str, list[str]] = {}  # by the step at the top, all that is below it
    for name in change.steps:
        others = below.setdefault(top := top_name(name), [])
        if name != top:
            others.append(name)
    kept: dict[str, list[str]] = {}
    for name, others in below.items():
        if not others and (effect := change.steps[name]).action == "keep":
            kept.setdefault(of_effect(effect), []).append(name)
    folded = {why: names for why, names in kept.items() if len(names) > _KEPT_SHOWN}
    for name, others in below.items():
        if others:
            yield from _family(change, name, others)
        elif (effect := change.steps[name]).action != "keep" or of_effect(effect) not in folded:
            yield name, _action(change, name), of_effect(effect)
    for why, names in folded.items():
        yield f"{len(names)} steps", "keep", f"{why}: {named(names)}"


def _action(change: Change, name: str) -> str:
    effect = change.steps[name]
    outcome = _outcome(change, name, effect)
    return outcome if outcome in ("new", "maybe") else effect.action


def _family(change: Change, top: str, below: list[str]) -> Iterator[tuple[str, str, str]]:
    """A row for the step, which counts those below it that stay; then rows for all others."""
    above = parents(below)
    leaves = [name for name in below if name not in above]
    effect = change.steps.get(top)
    if effect is not None:  # else nothing is said of it
        stay = sum(_is_untouched(change.steps[name]) for name in leaves)
        of_list = above == {top} and leaves[0].endswith("]")
        of = number_of(len(leaves), of_list)
        whose = f"; nothing changes for {stay:,} of {of}" if stay else ""
        yield top, _action(change, top), f"{of_effect(effect)}{whose}"
    rows = list(_below(change, below, above, leaves))
    kinds = [_kind(change, name) for name, _ in rows]
    groups, told = Counter(kinds), set[_Kind]()
    for (name, more), kind in zip(rows, kinds, strict=True):
        why = f"{of_effect(change.steps[name])}{more}"
        if groups[kind] < FOLDED_FROM:
            yield name, _action(change, name), why
        elif kind not in told:
            told.add(kind)
            why = _form(why) if "/" in kind.form else why  # names a step of the same piece
            count = f"{groups[kind]:,} of {sum(_form(child) == kind.form for child in below):,}"
            yield kind.form, _action(change, name), f"{count}: {why}"


def _below(
    change: Change, below: list[str], above: set[str], leaves: list[str]
) -> Iterator[tuple[str, str]]:
    """Those to which something happens, and what else is to be said of them.

    One that is new, or removed, stands for all below it. Another one with children has a row only
    if nothing happens to these.
    """
    touched = [name for name in leaves if not _is_untouched(change.steps[name])]
    if len(above) == 1:  # the children of one list, or the steps of one template
        yield from ((name, "") for name in touched)
        return
    busy = {ancestor for name in touched for ancestor in names_above(name)}
    whole: dict[str, int] = dict.fromkeys(
        (name for name in below if name in above and _action(change, name) in _WHOLE), 0
    )
    for name in leaves:
        for ancestor in names_above(name):
            if ancestor in whole:
                whole[ancestor] += 1
    for name in below:
        if any(ancestor in whole for ancestor in names_above(name)):
            continue
        if name in whole:
            yield name, f", with {number_of(whole[name], of_list=False)}"
        elif not _is_untouched(change.steps[name]) and name not in busy:
            yield name, ""


_WHOLE = frozenset({"new", "remove"})


def _form(name: str) -> str:
    """`site[…]/load`, which all of this step have in common."""
    return re.sub(r"\[[^]]*\]", "[…]", name)


class _Kind(NamedTuple):
    """What all that are in one row have in common."""

    form: str
    action: str
    reason: str


def _kind(change: Change, name: str) -> _Kind:
    effect = change.steps[name]
    return _Kind(_form(name), effect.action, effect.reason)


def _is_untouched(effect: StepEffect) -> bool:
    return effect.reason == Reason.UNCHANGED and effect.action in ("keep", "continue")


def _generations(change: Change) -> str:
    if change.after is None:
        return "is deleted"
    if change.before == change.after:
        return f"generation {change.before}"
    if change.before == 0:
        return "is new"
    if change.triggers is not None and change.before > change.after:
        return f"generation {change.before}"  # a new workflow takes its place, as its note says
    return f"generation {change.before} -> {change.after}"


def _spec_lines(was: Spec, becomes: Spec) -> Iterator[str]:
    """What differs, step by step, whatever the order of the steps. Cost: O(steps)."""
    old, new = ({step.name: step for step in spec.steps} for spec in (was, becomes))
    heads = [_head(spec) for spec in (was, becomes)]
    yield from _block_lines("spec", *heads)
    for name in dict.fromkeys((*new, *old)):
        yield from _block_lines(f"step {name}", old.get(name), new.get(name))
    hooks_before, hooks_after = (_hooks(spec) for spec in (was, becomes))
    for kind in HOOK_KINDS:
        yield from _block_lines(f"hooks {kind}", hooks_before.get(kind), hooks_after.get(kind))
    before, after = (
        {name: template.spec for name, template in called(spec).items()} for spec in (was, becomes)
    )
    for name in dict.fromkeys((*after, *before)):
        yield from _template_lines(name, before.get(name), after.get(name))


def _head(spec: Spec) -> Spec:
    """What its file says besides the steps and the hooks."""
    return structs.replace(written(spec), steps=[], hooks=UNSET)


def _hooks(spec: Spec) -> dict[str, list[Any]]:
    """Its hooks by kind, in their order, which counts."""
    return {} if isinstance(spec.hooks, UnsetType) else msgspec.to_builtins(spec.hooks)


def _template_lines(
    name: str, was: TemplateSpec | None, becomes: TemplateSpec | None
) -> Iterator[str]:
    old, new = (
        {step.name: step for step in spec.steps} if spec is not None else {}
        for spec in (was, becomes)
    )
    heads = [spec if spec is None else structs.replace(spec, steps=[]) for spec in (was, becomes)]
    yield from _block_lines(f"template {name}", *heads)
    for step in dict.fromkeys((*new, *old)):
        yield from _block_lines(f"step {step} of template {name}", old.get(step), new.get(step))


_Block = Spec | TemplateSpec | Step | DefaultsSpec | PoolSpec | list[Any] | None


def _block_lines(title: str, was: _Block, becomes: _Block) -> Iterator[str]:
    if was == becomes:
        return
    yield f"@@ {title} @@"
    compared = unified_diff(_text(was), _text(becomes), n=_CONTEXT, lineterm="")
    for line in islice(compared, 2, None):  # the first two would name files
        if not line.startswith("@@"):
            yield line


def _text(block: _Block) -> list[str]:
    """As YAML in one fixed form, so that only differences in meaning are shown."""
    if block is None:
        return []
    plain: Any = _whole(msgspec.to_builtins(block, order="deterministic"))
    if isinstance(block, Spec | TemplateSpec):
        del plain["steps"]
    if plain == {}:
        return []
    return as_yaml(plain, width=100).splitlines()


def _whole(value: Any) -> Any:
    """Whole numbers as people write them: 60, not 60.0."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
