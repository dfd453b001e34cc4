"""Rules for triggers: each waits for one thing that can come, and gives an instance what it needs.

A rule is a generator over the model, as in `validate`. Whether the workflow that a trigger waits
for is there, and whether several wait for each other in a ring, needs the other documents.
Cost: some 0.1 ms for each cron expression, 10 ms for one that is never due.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date

from msgspec import UNSET, UnsetType

from controller.spec.expression import OPEN, codes
from controller.spec.models import (
    Concurrency,
    Files,
    Param,
    ParamValue,
    Spec,
    Trigger,
    fields_of,
    given,
)
from controller.spec.params import declared, required, type_of_param
from controller.spec.path_fault import UNREADABLE, Path, PathFault, did_you_mean, triggers_of
from controller.spec.rules.param import impossible, listed, misfitting
from controller.spec.triggers.due import BadRule, Rule, check, moment_of
from controller.spec.triggers.trigger import KINDS, TIMES, is_definition, kind_of, kinds_of, name_of
from controller.spec.values import ParamType
from controller.spec.values import found as shown

TIMES_MAX = 1000  # triggers, cron expressions and moments of one document
_SHOWN_MAX = 60  # characters of a text that is shown again
_OF_TIMES = {
    "timeZone": "remove it: only due times have a zone",
    "exclude": "remove it: only due times can be left out",
    "jitterSeconds": "remove it: only due times are spread",
    "startingDeadlineSeconds": "remove it: only a due time can be missed",
    "catchUp": "remove it: only due times are caught up",
}
_READ = re.compile(r"(?:params|trigger)\.[\w.]+")
_EVERY = re.compile(r"@every\s+(.+)", re.IGNORECASE)


def kinds(spec: Spec) -> Iterator[PathFault]:
    """A trigger waits for exactly one thing."""
    for path, trigger in triggers_of(spec):
        found = kinds_of(trigger)
        if not found:
            problem = f"a trigger needs {', '.join(KINDS[:-1])} or {KINDS[-1]}"
            hint = 'write one of them, like schedule: "30 2 * * *"'
            yield PathFault(path=path, problem=problem, hint=hint)
        elif len(found) > 1:
            problem = f"a trigger has {found[0]} or {found[1]}, not both"
            hint = "write a trigger for each of them"
            yield PathFault(path=(*path, found[1]), problem=problem, hint=hint, key=True)


def names(spec: Spec) -> Iterator[PathFault]:
    """Names are unique, also those that nobody wrote."""
    first: dict[str, Path] = {}
    for path, trigger in triggers_of(spec):
        name = name_of(trigger)
        if name == UNREADABLE:
            continue
        known = first.setdefault(name, path)
        if known == path:
            continue
        problem = f'a second trigger named "{name}"'
        if trigger.name is UNSET:
            hint = f"write name: NAME; without one it is named {name}"
            yield PathFault(path=path, problem=problem, hint=hint)
        else:
            yield PathFault(path=(*path, "name"), problem=problem, other=known)


def fields(spec: Spec) -> Iterator[PathFault]:
    """What is about due times stands where there are some."""
    written = {name: field for field, name in fields_of(Trigger).items()}
    for path, trigger in triggers_of(spec):
        kind = kind_of(trigger)
        for name, hint in _OF_TIMES.items():
            if kind and kind not in TIMES and getattr(trigger, written[name]) is not UNSET:
                problem = f"{name} can't be used with {kind}"
                yield PathFault(path=(*path, name), problem=problem, hint=hint, key=True)


# ---------------------------------------- times


def times(spec: Spec) -> Iterator[PathFault]:
    """Due times that come, in a zone that there is."""
    if (number := sum(map(_size, given(spec.triggers, [])))) > TIMES_MAX:
        problem = f"has {number:,} triggers and due times; at most {TIMES_MAX:,} are possible"
        yield PathFault(path=("spec", "triggers"), problem=problem)
        return
    for path, trigger in triggers_of(spec):
        for at, text in _crons(path, trigger):
            yield from _bad_cron(at, text)
        if isinstance(trigger.time_zone, str) and OPEN not in trigger.time_zone:
            yield from _bad_zone((*path, "timeZone"), trigger.time_zone)
        yield from _bad_moments((*path, "at"), given(trigger.at, []))
        for index, text in enumerate(given(trigger.exclude, [])):
            yield from _bad_date((*path, "exclude", index), text)


def _size(trigger: Trigger) -> int:
    crons = trigger.schedule
    return 1 + len(crons if isinstance(crons, list) else ()) + len(given(trigger.at, []))


def _crons(path: Path, trigger: Trigger) -> Iterator[tuple[Path, str]]:
    crons = given(trigger.schedule, [])
    if isinstance(crons, str):
        yield (*path, "schedule"), crons
        return
    for index, text in enumerate(crons):
        yield (*path, "schedule", index), text


def _bad_cron(path: Path, text: str) -> Iterator[PathFault]:
    if OPEN in text:
        return  # another rule reports it
    try:
        check(Rule(cron=(text,)))
    except BadRule as fault:
        yield _said(path, fault, _as_cron(text))


def _as_cron(text: str) -> str:
    """What to write for an expression that other tools take."""
    if every := _EVERY.fullmatch(text.strip()):
        from controller.spec.habits import seconds as as_seconds  # only for faults

        seconds = as_seconds(every[1])
        whole = seconds is not None and seconds >= 1 and seconds == int(seconds)
        return f"write everySeconds: {seconds:.0f} in place of schedule" if whole else ""
    words = text.split() if len(text) <= _SHOWN_MAX else []
    if len(words) == 6:
        return f'leave out the seconds: "{" ".join(words[1:]).replace("?", "*")}"'
    return f'write * in place of ?: "{text.replace("?", "*")}"' if "?" in words else ""


def _bad_zone(path: Path, name: str) -> Iterator[PathFault]:
    try:
        check(Rule(zone=name))
    except BadRule as fault:
        yield _said(path, fault)


def _said(path: Path, fault: BadRule, hint: str = "") -> PathFault:
    """What is wrong with a time, and what to write: `hint`, or else what the fault has to say."""
    problem, _, other = str(fault).partition("; ")
    return PathFault(path=path, problem=problem, hint=hint or other)


def _bad_moments(path: Path, texts: list[str]) -> Iterator[PathFault]:
    first = dict[int, int]()
    for index, text in enumerate(texts):
        if OPEN in text:
            continue
        try:
            known = first.setdefault(moment_of(text), index)
        except BadRule as fault:
            yield _said((*path, index), fault)
            continue
        if known != index:
            same = "" if texts[known] == text else f", as {texts[known]}"
            yield PathFault(path=(*path, index), problem=f'"{text}" is listed twice{same}')


def _bad_date(path: Path, text: str) -> Iterator[PathFault]:
    if OPEN in text:
        return
    try:
        good = date.fromisoformat(text).isoformat() == text
    except ValueError:
        good = False
    if not good:
        yield PathFault(path=path, problem=f"{shown(text)} is not a date like 2026-12-24")


# ---------------------------------------- files, other workflows


def files(spec: Spec) -> Iterator[PathFault]:
    """A pattern that files can have."""
    for path, trigger in triggers_of(spec):
        if isinstance(trigger.files, Files) and OPEN not in trigger.files.path:
            problem, hint = _bad_pattern(trigger.files.path)
            if problem:
                yield PathFault(path=(*path, "files", "path"), problem=problem, hint=hint)


def _bad_pattern(pattern: str) -> tuple[str, str]:
    """What is wrong with it, and what to write; or nothing."""
    if not pattern:
        return "the path is empty", "write a path like inbox/*.csv"
    if "\0" in pattern:
        return "not the name of a file", ""
    parts = pattern.split("/")
    if "**" in pattern:
        return "** is not supported", "write a trigger for each folder, with one * for the names"
    if parts[-1] in ("", ".", ".."):
        folder = pattern.rstrip("/")
        return "this is a folder, and the trigger waits for files", f"write {folder}/*"
    return "", ""


def waits_for_itself(spec: Spec, name: str | None) -> Iterator[PathFault]:
    """The workflow with this name begins an instance whenever one of its own has ended."""
    for path, trigger in triggers_of(spec):
        after = trigger.after
        if not isinstance(after, UnsetType) and after.workflow == name != UNREADABLE:
            yield PathFault(
                path=(*path, "after", "workflow"),
                problem=f"trigger cycle: {name} -> {name}",
                hint="each instance would start the next one; wait for another workflow",
            )


# ---------------------------------------- params


def params(spec: Spec) -> Iterator[PathFault]:
    """A trigger gives each param that has no default, and no value that a param can't have."""
    known, needed = declared(spec), required(spec)
    for path, trigger in triggers_of(spec):
        values = given(trigger.params, {})
        for name in needed:
            if name not in values and trigger.name != UNREADABLE:
                yield _left_open(path, trigger, name, known[name])
        for name, value in values.items():
            at = (*path, "params", name)
            if name not in known:
                hint = did_you_mean(name, known) or listed("its params are", known)
                problem = f'the workflow has no param "{name}"'
                hint = hint or "declare it in spec.params, or remove it"
                yield PathFault(path=at, problem=problem, hint=hint, key=True)
            elif found := list(impossible(at, value)):
                yield from found
            else:
                yield from misfitting(spec, at, value, known[name], "trigger")


def _left_open(path: Path, trigger: Trigger, name: str, param: Param | ParamValue) -> PathFault:
    value = _as_given(kind_of(trigger), name, type_of_param(param))
    here = f"{name}: {value} to its params" if given(trigger.params, {}) else ""
    return PathFault(
        path=path,
        problem=f"{name} has no default, and this trigger gives it no value",
        hint=f"add {here}" if here else f"write params: {{{name}: {value}}}",
    )


def _as_given(kind: str, name: str, type_: ParamType) -> str:
    """A value that a trigger of this kind can give to a param of this type."""
    if kind == "after":
        return f'"${{{{ trigger.params.{name} }}}}"'
    if kind == "files" and type_ in ("string", "array"):
        return f'"${{{{ trigger.files{"" if type_ == "array" else "[0]"} }}}}"'
    if kind == "webhook":
        return f'"${{{{ trigger.body.{name} }}}}"'
    return '"${{ trigger.date }}"' if kind in TIMES and type_ == "string" else "…"


# ---------------------------------------- instances


def instances(spec: Spec) -> Iterator[PathFault]:
    """What is about instances stands in a workflow that has some, or in Defaults."""
    if is_definition(spec) or not spec.steps:
        return
    for field, value, instead in (
        ("concurrency", spec.concurrency, "a workflow without triggers has one run at a time"),
        ("keepInstances", spec.keep_instances, "ttlSecondsAfterFinished limits what is kept"),
    ):
        if value is not UNSET:
            problem = f"{field} needs triggers"
            hint = f"write triggers, or remove it: {instead}"
            yield PathFault(path=("spec", field), problem=problem, hint=hint, key=True)


def same_group(spec: Spec) -> Iterator[PathFault]:
    """A warning: a group that is the same for all instances is none."""
    written = spec.concurrency
    if not isinstance(written, Concurrency) or not isinstance(written.group, str):
        return
    if any(True for _ in codes(written.group)):
        return
    text = written.group.strip()
    read = _READ.fullmatch(text)
    yield PathFault(
        path=("spec", "concurrency", "group"),
        problem="the group is the same for all instances",
        hint=f"write ${{{{ {text} }}}}" if read else "let it read params or trigger",
    )


TRIGGER_RULES: tuple[Callable[[Spec], Iterator[PathFault]], ...] = (
    kinds,
    names,
    fields,
    times,
    files,
    params,
    instances,
)
