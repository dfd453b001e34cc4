"""The log as events for scripts and for people: what happened, in order.

Each record becomes one event with the fields it has in the log. After it follows a `PhaseChanged`
for each phase that it changed, with the same `seq` and `cause`. The fold works these out, so that
readers need not know which record changes which phase. Cost: some microseconds per event.
"""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from controller.model import events as e
from controller.model.phases import Phase
from controller.model.pools import in_words
from controller.model.state import Move, State
from controller.spec.hooks import is_hook
from controller.spec.items import names_above, number_of
from controller.view.find import is_uid_of
from controller.view.firings import armed_words, due_time, firing_words, is_toggle
from controller.view.ink import visible
from controller.view.look import Look
from controller.view.table import PHASE_STYLES, middle, shorten
from controller.view.times import rfc3339
from controller.view.values import in_short
from controller.view.words import named

PHASE_CHANGED = "PhaseChanged"
_TIMES = frozenset({"started", "finished"})  # fields that hold a moment, in microseconds
_DUE_TIMES = frozenset({"due", "first", "next", "missed"})  # the same, in seconds


def happened(state: State, record: e.Record, moves: list[Move]) -> Iterator[dict[str, Any]]:
    """The events of one record; `state` is the one right after it."""
    time = rfc3339(record.time)
    name, uid = subject(state, record.event)
    cause = record.cause or None
    head = {"seq": record.seq, "time": time, "type": type(record.event).__name__}
    yield head | {"workflow": name, "uid": uid, "cause": cause} | dict(_own_fields(record.event))
    for move in moves:
        yield {
            "seq": record.seq,
            "time": time,
            "type": PHASE_CHANGED,
            "workflow": move.workflow,
            "uid": move.uid,
            "cause": cause,
            "step": move.step or None,
            "was": move.was,
            "phase": move.phase,
            "reason": move.reason,
            "message": move.message,
        }


def subject(state: State, event: e.AnyEvent) -> tuple[str | None, str | None]:
    """Name and uid of the workflow that an event is about; None if it is about the controller."""
    uid = getattr(event, "uid", "")
    if uid in state.lives:
        return state.lives[uid].name, uid
    if uid:  # it has just been archived, or history does not begin with it
        return getattr(event, "workflow", None), uid
    name = getattr(event, "workflow", "")
    life = state.workflows.get(name)
    return name or None, life.uid if life else None


def concerns(state: State, event: e.AnyEvent, word: str) -> bool:
    """Is the event about the workflow `word`? A name means all its lives, a uid one life."""
    name, uid = subject(state, event)
    if word == name or word in getattr(event, "names", ()):
        return True
    if isinstance(event, e.FiringDecided) and event.life and word == event.instance:
        return True  # it began an instance, and is a part of its story, too
    return any(
        is_uid_of(word, life_uid) for life_uid in (uid, getattr(event, "life", "")) if life_uid
    )


def of_firing(event: e.FiringDecided, look: Look) -> str:
    """`trigger night, due 02:30: started etl@20261128T013000Z`."""
    return firing_words(dict(_own_fields(event)), look)


def _own_fields(event: e.AnyEvent) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(event):
        if field.name not in ("uid", "workflow"):
            yield _camel(field.name), _plain(field.name, getattr(event, field.name))


def _plain(name: str, value: Any) -> Any:
    if name in _TIMES and value is not None:
        return rfc3339(value)
    if name in _DUE_TIMES and isinstance(value, dict):
        return {trigger: due_time(due) for trigger, due in value.items()}
    if name in _DUE_TIMES:
        return due_time(value)
    if name == "effects":  # an array in the log, for brevity
        return {step: msgspec.structs.asdict(effect) for step, effect in value.items()}
    if name == "children":
        return [msgspec.structs.asdict(child) for child in value]
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


# ---------------------------------------- for people

_WHO_WIDTH_MAX = 40
_WIDTH_OF_ALL = 100  # on a narrower terminal the numbers are left out, and names shortened


# Records without a line of their own: the change of phase says everything.
_SHOWN_BY_PHASE = frozenset(
    {
        "ApprovalAnswered",
        "RunStarted",
        "WorkflowSuspended",
        "WorkflowFinished",
        "StepReady",
        "StepCompleted",
        "StepSkipped",
        "StepCancelled",
        "StepFailed",
        "StepMarked",
        "StepReset",
        "StepRestored",
        "RetryScheduled",
        "AttemptStarted",
    }
)


# What a person hardly asks for: it follows from the lines beside it.
_ROUTINE = frozenset(
    {
        "AttemptScheduled",
        "AttemptFinished",
        "AttemptSubmitted",
        "AttemptsArchived",
        "InputsSeen",
        "LifeArchived",
        "LifeEnded",
        "StateFolderNamed",
    }
)
# These set back one step and say why; or the record that did is left out.
_SETS_BACK = frozenset({"RetryScheduled", "StepReset", PHASE_CHANGED})


def lines(
    time: int, events: list[dict[str, Any]], look: Look, everything: bool = False
) -> Iterator[str]:
    """The events of one record, as lines: each start, each end, each decision, or everything.

    `time`: that of the record, in microseconds since 1970.
    """
    first, *changes = events
    told = (
        changes if everything else [change for change in changes if not _is_routine(change, first)]
    )
    alone = not changes or first["type"] not in _SHOWN_BY_PHASE
    if alone and (everything or not _is_routine(first, first)):
        reset = len(_set_back(first, changes))
        again = f"{reset} {'step runs' if reset == 1 else 'steps run'} again" if reset else ""
        yield _line(time, first, look, "" if everything else again)
    for change in told:
        yield _line(time, change, look)


def _set_back(record: dict[str, Any], changes: list[dict[str, Any]]) -> set[str]:
    """The steps that are Pending again. A step with children has no attempts of its own.

    A hook is not: it is due in each run that comes to it.
    """
    back = [change for change in changes if change["phase"] == Phase.PENDING != change["was"]]
    steps = {change["step"] for change in back if change["step"] and not is_hook(change["step"])}
    parents = {name for step in steps for name in names_above(step)}
    if record["type"] == "StepExpanded":
        parents.add(record["step"])
    return steps - {*parents, *record.get("expansions", ())}


def _is_routine(event: dict[str, Any], record: dict[str, Any]) -> bool:
    if event["type"] == "AttemptEnding":
        return bool(event["withdraw"])
    if event["type"] != PHASE_CHANGED:
        return event["type"] in _ROUTINE
    if event["phase"] == Phase.PENDING:
        return not event["step"] or record["type"] not in _SETS_BACK
    if not event["step"] and Phase.WAITING in (event["was"], event["phase"]):
        # A definition: what was accepted, or fired, is told; but not that it is suspended.
        return event["was"] == Phase.PENDING or is_toggle(event["was"], event["phase"])
    return bool(event["phase"] == Phase.READY)


def names_step(event: dict[str, Any], steps: Collection[str]) -> bool:
    """Whether the event is about one of these steps, or about what is below one."""
    named = [event.get("step"), *(event.get("steps") or ()), *(event.get("effects") or ())]
    return any(
        at_or_above in steps for name in named if name for at_or_above in (name, *names_above(name))
    )


def _line(time: int, event: dict[str, Any], look: Look, more: str = "") -> str:
    """One event: seq, time, workflow and step, type or phase, message; cut to the width."""
    who = visible(event["workflow"] or "-")
    if event.get("step"):
        who = f"{who}/{event['step']}"
    changed = event["type"] == PHASE_CHANGED
    what = f"-> {event['phase']}" if changed else event["type"]
    message = "; ".join(filter(None, [visible(_words(event, look)), more]))
    before, who_width, what_width = f"{event['seq']:>6} {look.moment(time)}", 24, 20
    if look.width is not None:
        who_width = min(look.width // 3, _WHO_WIDTH_MAX)
        who = middle(who, who_width)
        if look.width < _WIDTH_OF_ALL:
            before, what_width = look.moment(time), 12
    start = f"{before}  {who:<{who_width}}  "
    line = f"{start}{what:<{what_width}}  {message}".rstrip()
    if look.width is not None:
        line = shorten(line, look.width)
    style = PHASE_STYLES.get(event["phase"], "") if changed else ""
    end = len(start) + len(what)
    return f"{line[: len(start)]}{look.paint(line[len(start) : end], style)}{line[end:]}"


def _words(event: dict[str, Any], look: Look) -> str:
    """The event's message, else a sentence from its most useful fields."""
    if event["type"] == "FiringDecided":
        return firing_words(event, look)
    if event["type"] == "TriggersArmed":
        return armed_words(event["due"], look)
    if event["type"] == "RequestApplied" and event["instance"]:
        return f"{event['kind']} by {event['by']}: {event['instance']} has that key"
    if event["type"] == "InputsSeen":
        counts = f"{len(event['gone'])} gone, {len(event['back'])} back as they were"
        return f"files of trigger {event['trigger']}: {counts}"
    if event["type"] == "EndDecided":
        hooks = f"; hooks to run: {_hooks(event)}" if event["hooks"] else ""
        return f"ending as {event['phase']} ({event['message']}){hooks}"
    if event["type"] == "AttemptEndFailed" and event["problem"]:
        return f"attempt {event['attempt']} can't be stopped: {event['problem']}"
    if event.get("message"):
        return str(event["message"])
    if "children" in event:
        return _expanded(event)
    if event.get("uses"):
        return _with_uses(event)
    if event["type"] == "HooksBegun":
        return f"to run beside the steps: {_hooks(event)}"
    form = _SENTENCES.get(event["type"], "")
    given = in_short(event["params"]) if event.get("params") else ""
    return " ".join([*form.format_map(event).split(), *(["with", given] if given else [])])


def _with_uses(event: dict[str, Any]) -> str:
    """Of a step that is ready, or of an attempt."""
    uses = in_words(event["uses"])
    return f"attempt {event['attempt']} holds {uses}" if "attempt" in event else f"uses {uses}"


def _hooks(event: dict[str, Any]) -> str:
    return named([due.name for due in event["hooks"]])


def _expanded(event: dict[str, Any]) -> str:
    keys = [str(child["key"]) for child in event["children"]]
    if not keys:
        return "no children: the list is empty"
    params = f"; params: {in_short(event['params'])}" if event.get("params") else ""
    of_list = any(child.get("item") is not None for child in event["children"])
    return f"{number_of(len(keys), of_list)}: {named(keys)}{params}"


_SENTENCES = {
    "ControllerStarted": "treadle {version}, pid {pid}, by {user} on {host} with {folder}",
    "ClockStepped": "the wall clock was set by {seconds:+.1f} s",
    "MachineSlept": "the machine slept for {seconds:.1f} s",
    "FileRejected": "{path} was rejected: {faults[0]}",
    "FileCleared": "{path} is valid now, or was removed",
    "FolderAdopted": "{folder}",
    "MarkerPlaced": "{path} {reason}",
    "MarkerRejected": "{path}: {problem}",
    "MarkerRemoved": "{path}",
    "PoolAccepted": "slots of pool {name}: {slots}, from {path}",
    "PoolRemoved": "pool {name}",
    "DefaultsAccepted": "the Defaults in {path} are in force",
    "DefaultsRemoved": "./{folder} has no Defaults any more",
    "GenerationAccepted": "generation {generation} from {path}",
    "EditDeferred": "generation {generation} from {path} waits until what runs has ended",
    "EditTakenBack": "generation {generation} takes back the edit that waited",
    "SourceChanged": "{path}",
    "TurnCame": "its turn has come",
    "GenerationFollowed": "generation {generation} of its definition",
    "RunStarted": "run {run}",
    "ApprovalAsked": "question {number}: {message}",
    "AttemptScheduled": "attempt {attempt}",
    "AttemptSubmitted": "attempt {attempt} is submitted as {handle}",
    "AttemptQueued": "attempt {attempt} waits: {reason}",
    "StateFolderNamed": "engines know this state folder as {id}",
    "AttemptStarted": "attempt {attempt} runs",
    "AttemptEndFailed": "attempt {attempt}: pids {pids} are still alive after SIGKILL",
    "RequestApplied": "{kind} by {by} {reason} {refused}",
}
