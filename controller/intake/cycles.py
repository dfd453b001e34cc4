"""Workflows that wait for each other's ends: the document that closes such a circle is rejected.

A definition with an `after` trigger waits for another workflow. Cost: O(definitions that wait).
"""

from collections.abc import Iterable, Mapping

from controller.model.state import State
from controller.spec.models import Spec, Workflow
from controller.spec.trigger import triggers


def awaited(spec: Spec) -> list[str]:
    """The workflows whose ends the spec waits for."""
    return sorted({one.after for one in triggers(spec).values() if one.after})


def circle(state: State, accepted: Mapping[str, Workflow], name: str, spec: Spec) -> list[str]:
    """The names on the way from `name` back to itself; empty if there is none.

    `accepted`: the documents that this look at the folder puts in force.
    """
    edges = {
        life.name: awaited(life.spec)
        for uid in {uid for followers in state.followers.values() for uid, _ in followers}
        for life in (state.lives[uid],)
    }
    edges |= {other: awaited(document.spec) for other, document in accepted.items()}
    edges[name] = awaited(spec)
    return _way(edges, name)


def _way(edges: Mapping[str, Iterable[str]], goal: str) -> list[str]:
    """The shortest way from `goal` to itself."""
    ways = [[goal]]
    seen: set[str] = set()
    for way in ways:
        for following in edges.get(way[-1], ()):
            if following == goal:
                return [*way, goal]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
