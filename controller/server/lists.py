"""The lists of the API: what is chosen, in which order, and a part of it.

`continue` of an answer is what to give for the next part. It names the last item that was seen, so
nothing is shown twice when something comes between.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TypeVar

from controller.errors import UsageError
from controller.model.state import State, Workflow
from controller.server.answers import int_of
from controller.server.shapes import Overview
from controller.view.find import NeverValid
from controller.view.lists.listing import Entry, any_labels, listed
from controller.view.lists.overview import row
from controller.view.lists.selection import ORDERS, is_open
from controller.view.lists.selector import Selector, parse_selector
from controller.view.look import Look
from controller.view.shape import ControllerShape
from controller.view.times import rfc3339

LIMIT, LIMIT_MAX = 100, 500
_INSTANCES = ("unfinished", "all", "none")
_Named = TypeVar("_Named", bound=Entry)


def overview_of(
    state: State, asked: Mapping[str, str], look: Look, controller: ControllerShape, at: str
) -> Overview:
    """A row for each that is asked for. `at`: the last record of the state."""
    text = asked.get("q", "")
    found = [entry for entry in chosen(state, asked, "unfinished") if _is_named(entry, text)]
    counts = Counter(str(_phase(entry)) for entry in found)
    if phases := {*asked.get("phase", "").split(",")} - {""}:
        found = [entry for entry in found if str(_phase(entry)) in phases]
    order = asked.get("sort", "name")
    if order not in ORDERS:
        raise UsageError(f"sort: {order}: write one of {', '.join(ORDERS)}")
    found.sort(key=lambda entry: ORDERS[order](state, entry, look.now))
    page, after = page_of(found, asked)
    return Overview(
        id=at,
        time=rfc3339(look.now),
        controller=controller,
        counts=counts,
        total=len(found),
        items=[row(state, entry, look) for entry in page],
        next=after,
    )


def chosen(state: State, asked: Mapping[str, str], otherwise: str) -> list[Entry]:
    """By labels, and of the instances all, none, or those that have not ended."""
    instances = asked.get("instances", otherwise)
    if instances not in _INSTANCES:
        raise UsageError(f"instances: {instances}: write one of {', '.join(_INSTANCES)}")
    text = asked.get("selector", "")
    matches: Selector = parse_selector(text) if text else any_labels
    found = listed(state, matches)
    if instances == "all":
        return found
    return [
        entry
        for entry in found
        if not _is_instance(entry) or (instances == "unfinished" and is_open(entry))
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
