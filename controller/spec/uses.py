"""What steps hold while they run: slots of pools, and locks.

A lock is a pool of one slot that needs no document. Pools and locks have names of their own, so in
full a name is `pool gpu` or `lock db-acme`.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec import UNSET, Struct, UnsetType

from controller.spec.expression import OPEN
from controller.spec.models import Spec, Use, Uses
from controller.spec.path_fault import UNREADABLE, Path, PathFault, steps_of

LOCK_MAX = 200  # characters of the name of a lock
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Holding(Struct, frozen=True, omit_defaults=True):
    """Slots of a pool, or a lock. In a definition the name of a lock is as written."""

    pool: str = ""
    slots: int = 1
    lock: str = ""

    @property
    def name(self) -> str:
        """In full: `pool gpu`, `lock db-acme`."""
        return f"lock {self.lock}" if self.lock else f"pool {self.pool}"


def holdings(own: Uses, default: Uses) -> tuple[Holding, ...]:
    """What the attempts of a step hold; its own list replaces the default."""
    written = default if isinstance(own, UnsetType) else own
    return () if isinstance(written, UnsetType) else in_order(map(_holding, written))


def in_order(found: Sequence[Holding] | Iterator[Holding]) -> tuple[Holding, ...]:
    """Each once, pools first: two lists that mean the same are equal."""
    return tuple(sorted({holding.name: holding for holding in found}.values(), key=_place))


def _place(holding: Holding) -> tuple[bool, str]:
    return bool(holding.lock), holding.name


def wants_several(uses: Sequence[Holding]) -> bool:
    """Whether it needs more than one slot at once, so that single slots may never be enough."""
    return len(uses) > 1 or any(holding.slots > 1 for holding in uses)


def lock_fault(name: str) -> str:
    """What is wrong with the name of a lock; or nothing."""
    if not name:
        return "the name of the lock is empty"
    if len(name) > LOCK_MAX:
        return f"the name of the lock has {len(name):,} characters, {LOCK_MAX} is the most"
    if _CONTROL.search(name):
        return "the name of the lock has a control character"
    return ""


def _holding(written: str | Use) -> Holding:
    if isinstance(written, str):
        return Holding(pool=written)
    if isinstance(written.lock, str):
        return Holding(lock=written.lock)
    pool = "" if isinstance(written.pool, UnsetType) else written.pool
    return Holding(pool=pool, slots=1 if isinstance(written.slots, UnsetType) else written.slots)


# ---------------------------------------- rules


def lists_of_uses(spec: Spec) -> Iterator[tuple[Path, list[str | Use]]]:
    """What the spec says in `uses`, with the paths."""
    if not isinstance(spec.defaults, UnsetType) and not isinstance(spec.defaults.uses, UnsetType):
        yield ("spec", "defaults", "uses"), spec.defaults.uses
    for path, step in steps_of(spec):
        if not isinstance(step.uses, UnsetType):
            yield (*path, "uses"), step.uses


def uses(spec: Spec) -> Iterator[PathFault]:
    """Each entry is a pool or a lock with a name that can be one, and no two are the same."""
    for path, written in lists_of_uses(spec):
        seen = set[str]()
        for index, use in enumerate(written):
            at = (*path, index)
            fault = _entry(at, use) if isinstance(use, Use) else None
            name = "" if use == UNREADABLE else _holding(use).name
            if fault is None and name in seen:
                fault = PathFault(path=at, problem=f"{name} is listed twice")
            if fault is not None:
                yield fault
            seen.add(name)


def _entry(path: Path, use: Use) -> PathFault | None:
    pool, lock = use.pool is not UNSET, use.lock is not UNSET
    if pool == lock:
        problem = f"has {'both' if pool else 'neither'} of pool and lock"
        return PathFault(path=path, problem=problem, hint="write exactly one of them")
    if not isinstance(use.lock, str):
        return None
    if use.slots is not UNSET:
        hint = "remove it; for more slots, write a document of the kind Pool"
        problem = "a lock has one slot"
        return PathFault(path=(*path, "slots"), problem=problem, hint=hint, key=True)
    problem = "" if OPEN in use.lock else lock_fault(use.lock)
    return PathFault(path=(*path, "lock"), problem=problem) if problem else None
