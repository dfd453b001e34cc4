"""The lists of the API: what is chosen, in which order, and a part of it.

`continue` of an answer is what to give for the next part. It names the last item that was seen, so
nothing is shown twice when something comes between.

Cost: some microseconds an entry, and some tenths of one for each step of those that are shown. What
is wider than that is made beside the event loop: `TooWide`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from msgspec import structs

from controller.errors import UsageError
from controller.model.indexes import instances_of
from controller.model.state import State, Workflow
from controller.server.answers import int_of
from controller.server.shapes import InstanceGrid, InstanceRow, Overview
from controller.view import firings
from controller.view.find import NeverValid, find_workflow
from controller.view.lists.listing import Entry, any_labels, listed, matters
from controller.view.lists.overview import row
from controller.view.lists.selection import ORDERS, PHASES, is_open
from controller.view.lists.selector import Selector, parse_selector
from controller.view.look import Look
from controller.view.shape import ControllerShape
from controller.view.status import instance_shapes
from controller.view.times import rfc3339

LIMIT, LIMIT_MAX = 100, 500
# On the event loop, for some 20 ms:
ENTRIES_MAX = 10_000  # to choose from
STEPS_MAX = 40_000  # of those that are shown
# Which instances a list has, besides all that are none.
INSTANCES: dict[str, Callable[[State, Entry], bool]] = {
    "current": matters,  # they have not ended, or the last one has failed
    "unfinished": lambda _state, entry: is_open(entry),
    "all": lambda _state, _entry: True,
    "none": lambda _state, _entry: False,
}
_Named = TypeVar("_Named", bound=Entry)


class TooWide(Exception):
    """It would hold the event loop for too long."""


def overview_of(
    state: State,
    asked: Mapping[str, str],
    look: Look,
    controller: ControllerShape,
    at: str,
    *,
    on_loop: bool = False,
) -> Overview:
    """A row for each that is asked for. `at`: the last record of the state. Raises TooWide."""
    if on_loop and len(state.workflows) > ENTRIES_MAX:
        raise TooWide
    text = asked.get("q", "")
    found = [entry for entry in chosen(state, asked, "current") if _is_named(entry, text)]
    counts = Counter(str(_phase(entry)) for entry in found)
    if phases := {*asked.get("phase", "").split(",")} - {""}:
        found = [entry for entry in found if str(_phase(entry)) in phases]
    order = asked.get("sort", "name")
    if order not in ORDERS:
        raise UsageError(f"sort: {order}: write one of {', '.join(ORDERS)}")
    found.sort(key=lambda entry: ORDERS[order](state, entry, look.now))
    page, after = page_of(found, asked)
    if on_loop and are_wide(entry for entry in page if isinstance(entry, Workflow)):
        raise TooWide
    return Overview(
        id=at,
        time=rfc3339(look.now),
        controller=controller,
        counts={phase: counts[phase] for phase in ("Invalid", *PHASES) if counts[phase]},
        total=len(found),
        items=[row(state, entry, look) for entry in page],
        next=after,
    )


def grid_of(
    state: State, name: str, asked: Mapping[str, str], *, on_loop: bool = False
) -> InstanceGrid:
    """The instances of a definition, the newest first. Raises NotFound, UsageError, TooWide."""
    definition = find_workflow(state, name)
    if definition.starter is None:
        raise UsageError(f"{definition.name} has no triggers, so it has no instances")
    if on_loop and len(instances_of(state, definition)) > ENTRIES_MAX:
        raise TooWide
    lives = firings.instances(state, definition)[::-1]
    page, after = page_of(lives, asked)
    if on_loop and are_wide(page):
        raise TooWide
    steps = [*map(_top, page)]
    names = dict.fromkeys(name for phases in reversed(steps) for name in phases)
    rows = [
        InstanceRow(**structs.asdict(shape), steps=phases)
        for phases, shape in zip(steps, instance_shapes(state, page), strict=True)
    ]
    return InstanceGrid(steps=[*names], items=rows, total=len(lives), next=after)


def _top(life: Workflow) -> dict[str, str]:
    """The phases of its steps, without those below others."""
    return {name: step.phase for name, step in life.steps.items() if step.parent is None}


def are_wide(lives: Iterable[Workflow]) -> bool:
    """Whether they have more steps than are looked at on the event loop."""
    return sum(len(life.steps) for life in lives) > STEPS_MAX


def chosen(state: State, asked: Mapping[str, str], otherwise: str) -> list[Entry]:
    """By labels, and of the instances those that are asked for."""
    instances = asked.get("instances", otherwise)
    if instances not in INSTANCES:
        raise UsageError(f"instances: {instances}: write one of {', '.join(INSTANCES)}")
    text = asked.get("selector", "")
    matches: Selector = parse_selector(text) if text else any_labels
    is_meant = INSTANCES[instances]
    return [
        entry
        for entry in listed(state, matches)
        if not _is_instance(entry) or is_meant(state, entry)
    ]


def _is_instance(entry: Entry) -> bool:
    return isinstance(entry, Workflow) and entry.birth is not None


def _is_named(entry: Entry, text: str) -> bool:
    """Whether the name or a label has this text."""
    text = text.lower()
    labels = {} if isinstance(entry, NeverValid) else entry.labels
    return text in entry.name.lower() or any(
        text in f"{key}={value}".lower() for key, value in labels.items()
    )


def _phase(entry: Entry) -> str:
    return "Invalid" if isinstance(entry, NeverValid) else entry.phase


def page_of(found: Sequence[_Named], asked: Mapping[str, str]) -> tuple[list[_Named], str | None]:
    """The part that is asked for, and the name behind which the next one begins."""
    limit = _limit(asked)
    after = asked.get("continue")
    if after is not None:
        names = [entry.name for entry in found]
        if after not in names:
            raise UsageError("continue: that is not in the list any more; begin again without it")
        found = found[names.index(after) + 1 :]
    page = [*islice(found, limit)]
    return page, page[-1].name if len(found) > limit else None


def _limit(asked: Mapping[str, str]) -> int:
    text = asked.get("limit", str(LIMIT))
    limit = int_of(text)
    if not 1 <= limit <= LIMIT_MAX:
        raise UsageError(f"limit: {text}: write a number from 1 to {LIMIT_MAX}")
    return limit
