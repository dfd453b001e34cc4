"""The triggers of a spec, with all defaults: what begins an instance, and what a firing may do.

A document with `triggers` is a definition: it runs no step itself.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Struct, UnsetType

from controller.spec.effective import effective
from controller.spec.expression import Failed, Lookup, NoValue, codes, evaluate, fill, gives, quoted
from controller.spec.identity import Identity
from controller.spec.models import Concurrency, Spec, fields_of, given
from controller.spec.models import Trigger as Written
from controller.spec.params import declared, misfit, type_of_param
from controller.spec.triggers.due import Rule, moment_of
from controller.spec.values import VALUES_BYTES_MAX, normal

KINDS = ("schedule", "at", "everySeconds", "files", "after", "webhook")
TIMES = frozenset(KINDS[:3])
KEEP_INSTANCES = 30
MAX_QUEUED = 100
GROUP_BYTES_MAX = 4096
MISSED_MAX = 1000  # due times that `catchUp: All` starts
BODY_BYTES_MAX = 65_536  # of a delivery, as it comes and as the log has it

Policy = Literal["Forbid", "Queue", "Allow"]


class ResolvedTrigger(Struct, frozen=True, kw_only=True):
    """One trigger. `rule` has the due times of one that waits for times; None for the others.

    `secret`: the file of a webhook's, as written.
    """

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
    secret: str = ""
    params: dict[str, Any] = {}

    @property
    def waits_for(self) -> tuple[object, ...]:
        """One that waits for something else counts from the edit on."""
        return self.kind, self.rule, self.files, self.after


class Firing(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What expressions read as `trigger`. Nothing in it is ever null.

    Times are RFC 3339 in the zone of the trigger. `workflow`: of `after`, the run that has ended.
    `body`: of a delivery, a mapping or a list; empty for all others.
    """

    name: str = ""
    kind: str = "commit"
    key: str = ""
    due: str = ""
    previous: str = ""  # the due time before by the rule; empty of what has none
    date: str = ""  # the day of `due`
    files: list[str] = []
    body: dict[str, Any] | list[Any] = {}
    params: dict[str, Any] = {}
    workflow: dict[str, str] = {}  # name, uid, instance, phase


class Overlap(Struct, frozen=True):
    """What a firing does while others have not ended. `policy` empty: it depends on the trigger."""

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


def triggers(spec: Spec) -> dict[str, ResolvedTrigger]:
    """Those of a valid spec, by name."""
    return _triggers(Identity(spec))


@lru_cache(1024)
def _triggers(of: Identity) -> dict[str, ResolvedTrigger]:
    found = map(_trigger, given(of.spec.triggers, []))
    return {trigger.name: trigger for trigger in found}


def kinds_of(written: Written) -> list[str]:
    """What it waits for: a valid one for one thing."""
    fields = fields_of(written).items()
    return [kind for field, kind in fields if kind in KINDS and _is_set(written, field)]


def kind_of(written: Written) -> str:
    """What it waits for; empty if it does not say."""
    return next(iter(kinds_of(written)), "")


def name_of(written: Written) -> str:
    return given(written.name, kind_of(written))


def _is_set(written: Written, field: str) -> bool:
    return not isinstance(getattr(written, field), UnsetType)


def _trigger(written: Written) -> ResolvedTrigger:
    files, after = given(written.files, None), given(written.after, None)
    webhook = given(written.webhook, None)
    phases = "Succeeded" if after is None else given(after.phase, "Succeeded")
    zone, kind = given(written.time_zone, "UTC"), kind_of(written)
    return ResolvedTrigger(
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
        secret="" if webhook is None else webhook.secret.from_file,
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


# ---------------------------------------- what a firing evaluates


def seen_by(firing: Firing, params: Mapping[str, Any]) -> Lookup:
    """What the expressions of triggers and of `concurrency` read, with these values of params."""

    def lookup(path: tuple[str, ...]) -> object:
        if path[0] != "params":
            return read(firing, path[1:])
        if path[1] not in params:
            raise NoValue(f"{path[1]} has no value")
        return params[path[1]]

    return lookup


def read(firing: Firing, path: Sequence[str]) -> object:
    """The value at this path of `trigger`."""
    first, *rest = path
    if first == "workflow":
        return firing.workflow.get(rest[0], "")
    return getattr(firing, first)


def given_by(spec: Spec, trigger: ResolvedTrigger, lookup: Lookup) -> dict[str, Any]:
    """The values that a firing of this trigger gives to params, by name. Raises Failed.

    Of params `lookup` finds the defaults. A param that the trigger does not name is not there.
    """
    known, found = declared(spec), dict[str, Any]()
    for name, written in trigger.params.items():
        value = written
        try:
            if isinstance(written, str):
                value = gives(written, lambda code: _value(spec, code, lookup))
        except Failed as failure:
            raise Failed(f"params.{name}: {failure}") from None
        if problem := misfit(known[name], value):
            raise Failed(f"params.{name}: {problem}")
        found[name] = normal(value, type_of_param(known[name]))
    if len(msgspec.json.encode(found)) > VALUES_BYTES_MAX:
        raise Failed(f"params: they have more than {VALUES_BYTES_MAX:,} bytes")
    return found


def group_of(spec: Spec, lookup: Lookup) -> str:
    """The group of an instance. Raises Failed. Of params `lookup` finds those of the instance."""
    text = overlap(spec).group
    try:
        group = fill(text, {code.text: _value(spec, code.text, lookup) for code in codes(text)})
    except Failed as failure:
        raise Failed(f"concurrency.group: {failure}") from None
    if (size := len(group.encode())) > GROUP_BYTES_MAX:
        problem = f"it would have {size:,} bytes, {GROUP_BYTES_MAX:,} is the most"
        raise Failed(f"concurrency.group: {problem}")
    return group


def _value(spec: Spec, code: str, lookup: Lookup) -> Any:
    try:
        return evaluate(spec, code, lookup)
    except Failed as failure:
        raise Failed(f"{quoted(code)} failed: {failure}") from None
