"""The triggers of a spec, with all defaults: what begins an instance, and what a firing may do.

A document with `triggers` is a definition: it runs no step itself.
"""

from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct, UnsetType

from controller.spec.definition import given
from controller.spec.due import Rule, moment_of
from controller.spec.effective import effective
from controller.spec.identity import Identity
from controller.spec.models import Concurrency, Spec
from controller.spec.models import Trigger as Written

KINDS = ("schedule", "at", "everySeconds", "files", "after")
TIMES = frozenset(KINDS[:3])
KEEP_INSTANCES = 30
MAX_QUEUED = 100
MISSED_MAX = 1000  # due times that `catchUp: All` starts

Policy = Literal["Forbid", "Queue", "Allow"]


class Trigger(Struct, frozen=True, kw_only=True):
    """One trigger. `rule` has the due times of one that waits for times; None for the others."""

    name: str
    kind: str
    rule: Rule | None = None
    zone: str = "UTC"
    exclude: frozenset[str] = frozenset()
    jitter: int = 0
    deadline: float | None = None
    catches_all: bool = False
    files: str = ""
    after: str = ""
    phases: frozenset[str] = frozenset()
    params: dict[str, Any] = {}


class Firing(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What expressions read as `trigger`. Nothing in it is ever null.

    Times are RFC 3339 in the zone of the trigger. `workflow`: of `after`, the run that has ended.
    """

    name: str = ""
    kind: str = "commit"
    key: str = ""
    due: str = ""
    previous: str = ""  # the due time before by the rule; empty of what has none
    date: str = ""  # the day of `due`
    files: list[str] = []
    body: dict[str, Any] = {}
    params: dict[str, Any] = {}
    workflow: dict[str, str] = {}  # name, uid, instance, phase


class Overlap(Struct, frozen=True):
    """What a firing does while others have not ended. `policy` empty: it hangs on the trigger."""

    policy: Policy | Literal[""] = ""
    limit: int = 1
    group: str = ""
    max_queued: int = MAX_QUEUED

    def policy_of(self, kind: str) -> Policy:
        """For a firing of this kind."""
        return self.policy or ("Forbid" if kind in TIMES else "Queue")


def is_definition(spec: Spec) -> bool:
    """Whether it runs no step itself."""
    return not isinstance(spec.triggers, UnsetType)


def triggers(spec: Spec) -> dict[str, Trigger]:
    """Those of a valid spec, by name."""
    return _triggers(Identity(spec))


@lru_cache(1024)
def _triggers(of: Identity) -> dict[str, Trigger]:
    found = map(_trigger, given(of.spec.triggers, []))
    return {one.name: one for one in found}


def kind_of(written: Written) -> str:
    """What it waits for; empty if it does not say."""
    names = zip(written.__struct_fields__, written.__struct_encode_fields__, strict=True)
    has = (kind for field, kind in names if kind in KINDS and _is_set(written, field))
    return next(has, "")


def name_of(written: Written) -> str:
    return given(written.name, kind_of(written))


def _is_set(written: Written, field: str) -> bool:
    return not isinstance(getattr(written, field), UnsetType)


def _trigger(written: Written) -> Trigger:
    files, after = given(written.files, None), given(written.after, None)
    phases = "Succeeded" if after is None else given(after.phase, "Succeeded")
    zone, kind = given(written.time_zone, "UTC"), kind_of(written)
    return Trigger(
        name=name_of(written),
        kind=kind,
        rule=_rule(written, zone) if kind in TIMES else None,
        zone=zone,
        exclude=frozenset(given(written.exclude, [])),
        jitter=given(written.jitter_seconds, 0),
        deadline=given(written.starting_deadline_seconds, None),
        catches_all=written.catch_up == "All",
        files="" if files is None else files.path,
        after="" if after is None else after.workflow,
        phases=frozenset([phases] if isinstance(phases, str) else phases),
        params=given(written.params, {}),
    )


def _rule(written: Written, zone: str) -> Rule:
    cron = given(written.schedule, [])
    return Rule(
        cron=(cron,) if isinstance(cron, str) else tuple(cron),
        zone=zone,
        at=tuple(sorted(moment_of(text) for text in given(written.at, []))),
        every=given(written.every_seconds, 0),
    )


def overlap(spec: Spec) -> Overlap:
    """What the spec says of instances that meet."""
    written = spec.concurrency
    if isinstance(written, UnsetType):
        return Overlap()
    if not isinstance(written, Concurrency):
        return Overlap(written)
    return Overlap(
        given(written.policy, ""),
        given(written.limit, 1),
        given(written.group, ""),
        given(written.max_queued, MAX_QUEUED),
    )


def keep_instances(spec: Spec) -> int:
    """How many ended instances stay."""
    return given(effective(spec).keep_instances, KEEP_INSTANCES)
