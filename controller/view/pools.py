"""Pools and locks for people and scripts: who holds their slots, and who waits in which place."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from controller.model.indexes import standstill
from controller.model.phases import Obstacle, Reason
from controller.model.pools import PATIENCE, in_words, lack, slots, waiting
from controller.model.state import SECOND, State, Step, StepKey, Workflow
from controller.spec.uses import Holding
from controller.view.look import Look
from controller.view.table import Cell, Column, Table, render
from controller.view.times import rfc3339, span

_HOLDERS_MAX = 3  # in a sentence
Words = tuple[str, str]  # reason, message


class SlotHolder(NamedTuple):
    """An attempt that holds slots; `since`: microseconds since 1970."""

    workflow: str
    step: str
    attempt: int
    slots: int
    since: int


class Waiter(NamedTuple):
    """A ready step that waits for slots, and perhaps for something else as well."""

    workflow: str
    step: str
    slots: int
    since: int


class PoolLine(NamedTuple):
    """A pool or lock. `slots`: None if nobody defines the pool; `path`: of the file that does."""

    name: str
    kind: str
    slots: int | None
    path: str
    holders: list[SlotHolder]
    waiters: list[Waiter]

    @property
    def held(self) -> int:
        return sum(holder.slots for holder in self.holders)


def lines(state: State) -> list[PoolLine]:
    """All pools, and the locks that are held or waited for. Cost: O(steps that wait)."""
    waiters = _waiters(state)
    pools = {f"pool {name}" for name in state.pools}
    found = {*pools, *state.held, *waiters}
    return [
        _line(state, name, waiters.get(name, []))
        for name in sorted(found, key=lambda name: (name.startswith("lock "), name))
    ]


def _line(state: State, name: str, waiters: list[Waiter]) -> PoolLine:
    kind, _, of = name.partition(" ")
    pool = state.pools.get(of) if kind == "pool" else None
    total = slots(state, name) if kind == "lock" or pool is not None else None
    path = "" if pool is None else pool.path
    return PoolLine(of, kind, total, path, [*_holders(state, name)], waiters)


def _holders(state: State, name: str) -> Iterator[SlotHolder]:
    """The longest holding first."""
    for (uid, step), count in state.held.get(name, {}).items():
        attempt = state.live[uid, step]
        yield SlotHolder(state.lives[uid].name, step, attempt.number, count, attempt.scheduled)


def _waiters(state: State) -> Mapping[str, list[Waiter]]:
    """By the names of what they use, each line in its order."""
    found: dict[str, list[tuple[tuple[int, ...], Waiter]]] = defaultdict(list)
    for workflow in state.workflows.values():
        for name in waiting(workflow):
            step = workflow.step(name)
            for use in step.uses:
                waiter = Waiter(workflow.name, name, use.slots, step.since)
                found[use.name].append((_turn(state, workflow, step), waiter))
    return {name: [waiter for _, waiter in sorted(line)] for name, line in found.items()}


def _turn(state: State, workflow: Workflow, step: Step) -> tuple[int, ...]:
    """The smaller, the sooner it gets what it uses. What can't get it is behind all others."""
    return is_stuck(state, step), -workflow.priority, workflow.occupied, step.ready_seq


# ---------------------------------------- in a sentence


def of_lack(state: State, step: Step, clock: int | None = None) -> Words | None:
    """Why it can't have what it uses, as far as the log knows; None if it can.

    `clock`: a moment at which it is told how long the slots have been held.
    """
    found = lack(state, step.uses)
    if found is None:
        return None
    obstacle, lacking = found
    if obstacle is Obstacle.POOL_MISSING:
        said = f"waiting for {lacking.name}, which is not defined"
        return Reason.POOL_MISSING, f"{said}: write a document of the kind Pool for it"
    if obstacle is Obstacle.POOL_TOO_SMALL:
        said = (
            f"needs {lacking.slots} slots of {lacking.name}, which has {slots(state, lacking.name)}"
        )
        return Reason.POOL_TOO_SMALL, f"{said}: it waits until that has more"
    return Reason.WAITING_FOR_POOL, f"waiting for {_held(state, lacking, clock)}"


def stuck(state: State, workflow: Workflow) -> list[Step]:
    """Its steps that wait for a pool which is not defined or too small, and for nothing else."""
    if workflow.finished or standstill(state, workflow) is not None:
        return []
    steps = (workflow.step(name) for name in waiting(workflow))
    return [step for step in steps if is_stuck(state, step)]


def is_stuck(state: State, step: Step) -> bool:
    """Whether no end of another step can give it what it uses."""
    lacking = lack(state, step.uses)
    return lacking is not None and lacking[0] is not Obstacle.POOL


def of_overdue(state: State, step: Step, first: StepKey) -> Words:
    """It waits because nothing may overtake the other one, which needs several slots."""
    uid, name = first
    other = state.lives[uid]
    who, uses = f"{other.name}/{name}", other.steps[name].uses
    names = {use.name for use in uses}
    mine = next(use.name for use in step.uses if use.name in names)
    said = f"waiting for {mine}: its slots are kept for {who}, which needs {in_words(uses)}"
    return Reason.WAITING_FOR_POOL, f"{said} and has waited for more than {PATIENCE // SECOND} s"


def in_front(state: State, workflow: Workflow, step: Step) -> str:
    """How many get what it lacks sooner: `; 2 in front`, or nothing. Cost: O(steps that wait)."""
    found = lack(state, step.uses)
    if found is None:
        return ""
    own = _turn(state, workflow, step)
    count = sum(
        _turn(state, other, other.step(name)) < own
        for other in state.workflows.values()
        for name in waiting(other)
        if any(use.name == found[1].name for use in other.step(name).uses)
    )
    return f"; {count} in front" if count else ""


def _held(state: State, holding: Holding, clock: int | None) -> str:
    """`lock db-acme, held by orders/load attempt 3 for 4m12s`; `pool gpu (2 of 2 held: …)`."""
    holders = [*_holders(state, holding.name)]
    if holding.lock and holders:
        held = holders[0]
        long = "" if clock is None else f" for {span(clock - held.since)}"
        return f"{holding.name}, held by {held.workflow}/{held.step} attempt {held.attempt}{long}"
    what = holding.name if holding.slots == 1 else f"{holding.slots} slots of {holding.name}"
    names = [f"{held.workflow}/{held.step}" for held in holders]
    more = f" and {len(names) - _HOLDERS_MAX} more" if len(names) > _HOLDERS_MAX else ""
    count = sum(held.slots for held in holders)
    total = slots(state, holding.name)
    return f"{what} ({count} of {total} held: {', '.join(names[:_HOLDERS_MAX])}{more})"


# ---------------------------------------- the list of them


def table(found: Sequence[PoolLine], look: Look) -> Table:
    """A row for each pool and lock."""
    columns = (
        Column("NAME", shrinks=True),
        Column("KIND", rank=2),
        Column("SLOTS", right=True, rank=1),
        Column("HELD", right=True),
        Column("WAITING", right=True),
        Column("HELD BY", rank=3),
    )
    return Table(columns, [_row(line, look) for line in found])


def _row(line: PoolLine, look: Look) -> tuple[Cell, ...]:
    missing = Cell("not defined", "red")
    full = line.slots is not None and line.held >= line.slots and bool(line.waiters)
    return (
        Cell(line.name, "bold"),
        Cell(line.kind),
        missing if line.slots is None else Cell(str(line.slots)),
        Cell(str(line.held), "yellow" if full else ""),
        Cell(str(len(line.waiters)) if line.waiters else "-"),
        Cell(", ".join(_holds(holder, look) for holder in line.holders) or "-"),
    )


def _holds(holder: SlotHolder, look: Look) -> str:
    """`orders/load 4m12s`."""
    count = f" {holder.slots} slots" if holder.slots > 1 else ""
    return f"{holder.workflow}/{holder.step}{count} {span(look.clock - holder.since)}"


def details(line: PoolLine, look: Look) -> Iterator[str]:
    """One of them: who holds it since when, and who waits in which place."""
    slots = "not defined" if line.slots is None else f"{line.held} of {line.slots} slots held"
    where = f", from {line.path}" if line.path else ""
    yield look.fit(f"{line.kind} {line.name}: {slots}{where}")
    columns = (
        Column("PLACE", right=True),
        Column("STEP", shrinks=True),
        Column("SLOTS", right=True, rank=2),
        Column(look.headed("SINCE"), rank=1),
        Column("FOR", right=True),
    )
    places: list[tuple[str, SlotHolder | Waiter]] = [
        *(("holds", holder) for holder in line.holders),
        *((str(place), waiter) for place, waiter in enumerate(line.waiters, 1)),
    ]
    if places:
        rows = [_place(place, who, look) for place, who in places]
        yield from render(Table(columns, rows), look.width, look.colour)


def _place(place: str, who: SlotHolder | Waiter, look: Look) -> tuple[Cell, ...]:
    return (
        Cell(place),
        Cell(f"{who.workflow}/{who.step}", "bold"),
        Cell(str(who.slots)),
        Cell(look.moment(who.since)),
        Cell(span(look.clock - who.since)),
    )


def shape(line: PoolLine) -> dict[str, Any]:
    """For scripts; `slots` is null if nobody defines the pool."""
    return {
        "kind": line.kind.title(),
        "name": line.name,
        "slots": line.slots,
        "path": line.path or None,
        "held": line.held,
        "holders": [_with_time(holder) for holder in line.holders],
        "waiting": [_with_time(waiter) for waiter in line.waiters],
    }


def _with_time(who: SlotHolder | Waiter) -> dict[str, Any]:
    return who._asdict() | {"since": rfc3339(who.since)}
