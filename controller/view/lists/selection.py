"""Which workflows `get` shows, and in which order. Cost: O(workflows), and to sort them."""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from controller.errors import NotFound
from controller.model.phases import Phase
from controller.model.state import State, Workflow
from controller.view.find import NeverValid, find, is_pattern, matches
from controller.view.firings import instances
from controller.view.lists.listing import Entry, any_labels, last_run, listed, place

if TYPE_CHECKING:
    from controller.view.lists.selector import Labels, Selector

Instances = Literal["none", "unfinished", "all"]

# What a person has to look at is first.
PHASES = (
    Phase.FAILED,
    Phase.RUNNING,
    Phase.SUSPENDED,
    Phase.PENDING,
    Phase.WAITING,
    Phase.CANCELLED,
    Phase.SUCCEEDED,
)


class Selection(Struct, frozen=True, kw_only=True):
    """What was asked for. `names` empty: all; `phases` empty: any.

    `instances`: those that are shown of a definition which is named, or of all. A pattern with `@`
    means instances, and phases mean all instances that have one. `order`: a key of ORDERS; empty:
    that of `names`, else by name. `said`: the conditions in the words of the command line.
    """

    names: tuple[str, ...] = ()
    labels: "Selector" = any_labels
    phases: frozenset[Phase] = frozenset()
    order: str = ""
    said: str = ""
    instances: Instances = "unfinished"

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.names and not self.said

    @property
    def single(self) -> bool:
        """Whether at most one workflow can be meant."""
        alone = len(self.names) == 1 and not is_pattern(self.names[0])
        return alone and self.instances != "all"

    @property
    def has_ended_instances(self) -> bool:
        """Whether instances that have ended are meant as well."""
        return bool(self.phases) or self.instances == "all"


def select(state: State, wanted: Selection, now: int) -> tuple[list[Entry], list[NotFound]]:
    """The workflows that are meant, and an error for each word that means none."""
    missing: list[NotFound] = []
    if wanted.names:
        named = _named(state, wanted, missing)
        entries = [entry for entry in named if wanted.labels(_labels(entry))]
    else:
        every = wanted.has_ended_instances
        entries = [entry for entry in listed(state, wanted.labels) if every or is_open(entry)]
    if wanted.phases:
        entries = [entry for entry in entries if _phase(entry) in wanted.phases]
    if wanted.order:
        entries.sort(key=place)
        entries.sort(key=lambda entry: ORDERS[wanted.order](state, entry, now))
    return entries, missing


def _named(state: State, wanted: Selection, missing: list[NotFound]) -> list[Entry]:
    """In the order of the words, each once; the instances of a definition behind it."""
    found: dict[str, Entry] = {}
    for word in wanted.names:
        try:
            for entry in _meant(state, word, wanted):
                found[entry.uid if isinstance(entry, Workflow) else entry.name] = entry
                found |= {instance.uid: instance for instance in _of_it(state, entry, wanted)}
        except NotFound as error:
            missing.append(error)
    return list(found.values())


def _meant(state: State, word: str, wanted: Selection) -> list[Entry]:
    if not is_pattern(word):  # no name is one
        return [find(state, word)]
    every = "@" in word or wanted.has_ended_instances
    entries = [
        entry for entry in listed(state) if matches(entry.name, word) and (every or is_open(entry))
    ]
    if not entries:
        raise NotFound(f'no workflow matches "{word}"')
    return entries


def _of_it(state: State, entry: Entry, wanted: Selection) -> list[Workflow]:
    if isinstance(entry, NeverValid) or entry.starter is None or wanted.instances == "none":
        return []
    every = wanted.has_ended_instances
    return [instance for instance in instances(state, entry) if every or is_open(instance)]


def is_open(entry: Entry) -> bool:
    """Whether it is anything but an instance that has ended."""
    return isinstance(entry, NeverValid) or entry.birth is None or not entry.finished


def _labels(entry: Entry) -> "Labels":
    return {} if isinstance(entry, NeverValid) else entry.labels


def _phase(entry: Entry) -> Phase:
    return Phase.PENDING if isinstance(entry, NeverValid) else entry.phase


# ---------------------------------------- order


def _by_last_run(state: State, entry: Entry, now: int) -> float:
    """The present ones, then the latest end; last what has not run."""
    ran = last_run(state, entry, now) if isinstance(entry, Workflow) else None
    return inf if ran is None else -ran


def _by_duration(_state: State, entry: Entry, now: int) -> float:
    """The longest first."""
    if isinstance(entry, NeverValid) or entry.started is None:
        return inf
    return entry.started - (entry.completed or now)


def _by_phase(_state: State, entry: Entry, _now: int) -> float:
    return PHASES.index(_phase(entry))


def _by_age(_state: State, entry: Entry, _now: int) -> float:
    """The youngest first."""
    return inf if isinstance(entry, NeverValid) else -entry.created


ORDERS: dict[str, Callable[[State, Entry, int], float]] = {
    "name": lambda _state, _entry, _now: 0,
    "last-run": _by_last_run,
    "duration": _by_duration,
    "phase": _by_phase,
    "age": _by_age,
}
