"""Workflows that wait for each other's ends: the document that closes such a circle is rejected.

A definition with an `after` trigger waits for another workflow. Cost: O(workflows on the ways from
it), however many others there are.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from controller.model.state import State
from controller.spec.models import Spec, Workflow
from controller.spec.triggers.trigger import triggers


def awaited(spec: Spec) -> list[str]:
    """The workflows whose ends the spec waits for."""
    return sorted({trigger.after for trigger in triggers(spec).values() if trigger.after})


def circle(
    state: State,
    accepted: Mapping[str, Workflow],
    deleted: Collection[str],
    name: str,
    spec: Spec,
) -> list[str]:
    """The names on the way from `name` back to itself; empty if there is none.

    `accepted`: the documents that this look at the folder puts in force; `deleted`: the lives that
    it ends, by uid.
    """

    def awaited_by(other: str) -> list[str]:
        if other == name:
            return awaited(spec)
        document = accepted.get(other)
        if document is not None:
            return awaited(document.spec)
        life = state.workflows.get(other)
        if life is None or life.deleting or life.uid in deleted:
            return []
        return awaited(life.spec)

    return _way(awaited_by, name)


def _way(awaited_by: Callable[[str], Iterable[str]], goal: str) -> list[str]:
    """The shortest way from `goal` to itself."""
    before: dict[str, str] = {}  # whom we came from
    found = [goal]
    for name in found:
        for following in awaited_by(name):
            if following == goal:
                return [goal, *_back(before, name, goal), goal]
            if following not in before:
                before[following] = name
                found.append(following)
    return []


def _back(before: Mapping[str, str], last: str, goal: str) -> list[str]:
    """The names between `goal` and its next meeting, in the order of the way."""
    names: list[str] = []
    while last != goal:
        names.append(last)
        last = before[last]
    return names[::-1]
