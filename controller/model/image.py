"""A state as bytes, and back: what a snapshot holds.

Everything that `apply` keeps goes in, including the indexes and their order. So a state that is
read back behaves like the one that was written, whatever is folded next. What watchers and the
planner still have to look at does not go in: after a restart nobody needs it. The bytes depend on
the state alone, so two states are the same if and only if their images are the same.
"""

from collections import OrderedDict
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct, field, structs

from controller import __version__
from controller.model import queues
from controller.model.events import DefaultsAccepted, FileRejected, MarkerPlaced, MarkerRejected
from controller.model.indexes import look_out
from controller.model.metrics import Metrics
from controller.model.phases import Phase
from controller.model.pools import find_again, line_of
from controller.model.state import (
    SECOND,
    Armed,
    LastController,
    Line,
    Pool,
    Queue,
    QueueKey,
    RunShort,
    Starter,
    State,
    Timer,
    Workflow,
)
from controller.model.timers import TimerKind
from controller.spec.linked import Linked
from controller.spec.models import Step

SCHEMA = 2  # raised when the same field comes to mean something else


class Image(Struct, kw_only=True, omit_defaults=True):
    """What JSON can't express (keys that are not text, the order of keys) is a list here."""

    schema: int
    by: str  # the version of treadle
    seq: int
    epoch: int
    time: int
    time_before: int
    controller: LastController
    begun: int = 0
    lives: list[Workflow]
    # The specs of definitions and instances: each once, with the uids of those that share it.
    specs: list[tuple[list[str], Linked]] = []
    present: list[str] = []  # uids of the lives that have their name
    rejected: list[FileRejected] = []
    markers: list[MarkerPlaced] = []
    bad_markers: list[MarkerRejected] = []
    pools: dict[str, Pool] = {}
    defaults: list[DefaultsAccepted] = []
    requests: list[tuple[str, str]] = []
    runs: dict[str, list[RunShort]] = {}
    metrics: Metrics = field(default_factory=Metrics)
    folder_id: str = ""
    sites: dict[str, dict[str, dict[str, str]]] = {}
    gone: list[str] = []
    live: list[tuple[str, str]] = []
    timers: list[Timer] = []
    awaited: list[tuple[str, int]] = []
    queue: list[tuple[QueueKey, list[str]]] = []
    queue_on: list[tuple[str, list[tuple[QueueKey, list[str]]]]] = []
    lines: list[tuple[str, list[tuple[str, list[tuple[QueueKey, list[str]]]]]]] = []
    surplus: list[str] = []
    over: list[str] = []


class NoImage(Exception):
    """These bytes are not an image that this version can read."""


def freeze(state: State) -> bytes:
    """The image of `state`."""
    shared: dict[int, tuple[list[str], Linked]] = {}
    for life in state.lives.values():
        if _shares(life):
            shared.setdefault(id(life.spec), ([], life.spec))[0].append(life.uid)
    image = Image(
        schema=SCHEMA,
        by=__version__,
        seq=state.seq,
        epoch=state.epoch,
        time=state.time,
        time_before=state.time_before,
        controller=state.controller,
        begun=state.begun,
        lives=[
            structs.replace(life, spec=_ELSEWHERE) if _shares(life) else life
            for life in state.lives.values()
        ],
        specs=list(shared.values()),
        present=[workflow.uid for workflow in state.workflows.values()],
        rejected=list(state.rejected.values()),
        markers=list(state.markers.values()),
        bad_markers=list(state.bad_markers.values()),
        pools=state.pools,
        defaults=list(state.defaults.values()),
        requests=list(state.requests.items()),
        runs=state.runs,
        metrics=state.metrics,
        folder_id=state.folder_id,
        sites=state.sites,
        gone=list(state.gone),
        live=list(state.live),
        timers=state.timers,
        awaited=list(state.awaited.items()),
        queue=_listed(state.queue),
        queue_on=[(slots, _listed(queue)) for slots, queue in sorted(state.queue_on.items())],
        lines=[
            (name, [(line, _listed(queue)) for line, queue in sorted(lines.items())])
            for name, lines in sorted(state.lines.items())
        ],
        surplus=list(state.surplus),
        over=list(state.over),
    )
    return _encode(image)


def _shares(life: Workflow) -> bool:
    """Whether others may have the same spec: a definition and its instances do."""
    return life.starter is not None or life.birth is not None


_ELSEWHERE = Linked(steps=[Step(name="elsewhere")])  # a spec has a step


def thaw(data: bytes, by_any: bool = False) -> State:
    """The state of this image. Raises NoImage; an image of another version needs `by_any`."""
    try:
        image = _decode(data)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise NoImage(str(fault)) from fault
    if image.schema != SCHEMA or (image.by != __version__ and not by_any):
        raise NoImage(f"it has schema {image.schema} of treadle {image.by}")
    try:
        return _state_of(image)
    except Exception as fault:  # whatever it has, we did not write it
        raise NoImage(f"it contradicts itself ({type(fault).__name__})") from fault


def _state_of(image: Image) -> State:
    state = State()
    state.seq, state.epoch = image.seq, image.epoch
    state.time, state.time_before = image.time, image.time_before
    state.controller = image.controller
    state.begun = image.begun
    state.lives = {workflow.uid: workflow for workflow in image.lives}
    for uids, spec in image.specs:
        for uid in uids:
            state.lives[uid].spec = spec
    state.workflows = {state.lives[uid].name: state.lives[uid] for uid in image.present}
    state.rejected = {event.path: event for event in image.rejected}
    state.bad_markers = {event.path: event for event in image.bad_markers}
    state.pools = image.pools
    state.defaults = {event.folder: event for event in image.defaults}
    state.requests = OrderedDict(image.requests)
    for marker in image.markers:
        state.markers[marker.path] = marker
        state.markers_of.setdefault(marker.workflow, {})[marker.path] = marker
    state.runs, state.metrics = image.runs, image.metrics
    state.folder_id, state.sites = image.folder_id, image.sites
    state.gone = OrderedDict.fromkeys(image.gone)
    state.live = {(uid, step): state.lives[uid].step(step).attempts[-1] for uid, step in image.live}
    state.timers = image.timers
    state.timer_of = {(timer.uid, timer.step, timer.kind): timer.due for timer in image.timers}
    state.awaited = dict(image.awaited)
    _stand(state, queues.HERE, image.queue)
    for slots, queue in image.queue_on:
        _stand(state, (queues.SLOTS, slots), queue)
    for name, lines in image.lines:
        for line, queue in lines:
            _stand(state, (name, line), queue)
    find_again(state)
    for life in state.workflows.values():
        if life.starter is not None and not life.deleting:
            look_out(state, life)
    state.surplus = dict.fromkeys(image.surplus)
    state.over = OrderedDict.fromkeys(image.over)
    return state


def copy_of(state: State, name: str) -> State:
    """A separate state with only one workflow in it: its present life, markers and indexes.

    With a definition come its unfinished instances; no time that was due before fires there. For an
    instance, its definition is there too, without its triggers.

    Cost: O(its steps, and those of these instances), however large the state is.
    """
    part = State()
    part.seq, part.epoch, part.begun = state.seq, state.epoch, state.begun
    part.time, part.time_before = state.time, state.time_before
    part.controller = state.controller
    part.pools, part.defaults = state.pools, state.defaults
    life = state.workflows.get(name)
    if life is None:
        _take_name(state, part, name)
    else:
        _take_life(state, part, life)
        if life.starter is not None:
            part.lives[life.uid] = part.workflows[name] = _at_rest(state, life, life.starter)
            for uid in life.starter.unfinished:
                _take_life(state, part, state.lives[uid])
        if life.birth is not None and life.birth.definition in state.lives:
            definition = state.lives[life.birth.definition]
            part.lives[definition.uid] = structs.replace(
                definition, starter=None, phase=Phase.PENDING
            )
            part.markers |= state.markers_of.get(definition.name, {})
        part.timers.sort()
    return thaw(freeze(part))


def _take_name(state: State, part: State, name: str) -> None:
    """What is known of a name, whether it has a life or not."""
    part.markers |= state.markers_of.get(name, {})
    if name in state.runs:
        part.runs[name] = state.runs[name]
    if name in state.gone:
        part.gone[name] = None


def _take_life(state: State, part: State, life: Workflow) -> None:
    _take_name(state, part, life.name)
    part.lives[life.uid] = part.workflows[life.name] = life
    for step in ("", *life.steps, *life.hooks):
        key = (life.uid, step)
        if key in state.live:
            part.live[key] = state.live[key]
        for kind in TimerKind:
            if (due := state.timer_of.get((*key, kind))) is not None:
                part.timers.append(Timer(due, *key, kind))
    if life.uid in state.awaited:
        part.awaited[life.uid] = state.awaited[life.uid]
    queues.move(part, queues.HERE, life, None, life.rank)
    for slots, rank in life.rank_on.items():
        queues.move(part, (queues.SLOTS, slots), life, None, rank)
    for pool, groups in life.parked.items():
        queues.move(part, (pool, line_of(groups)), life, None, life.line_rank)
    if life.uid in state.over:
        part.over[life.uid] = None


def _at_rest(state: State, definition: Workflow, starter: Starter) -> Workflow:
    """The definition with its unfinished instances alone, and without what is due by now."""
    now = (state.time + state.controller.ahead) // SECOND
    triggers = {
        name: Armed(kind=armed.kind, since=armed.since, mark=max(armed.mark, now), is_armed=True)
        for name, armed in starter.triggers.items()
    }
    unfinished = Starter(
        triggers=triggers,
        hold=starter.hold,
        latest=starter.latest,
        occupied=starter.occupied,
        unfinished=starter.unfinished,
        groups=starter.groups,
    )
    return structs.replace(definition, starter=unfinished)


def _listed(queue: Queue) -> list[tuple[QueueKey, list[str]]]:
    return [(key, [*chain.from_iterable(queue[key].values())]) for key in sorted(queue)]


def _stand(state: State, line: Line, listed: list[tuple[QueueKey, list[str]]]) -> None:
    """Older images have the ranks only here."""
    name, of = line
    for (rank, _), uids in listed:
        for life in map(state.lives.__getitem__, uids):
            queues.move(state, line, life, None, rank)
            if name:
                life.line_rank = rank
            elif of:
                life.rank_on[of] = rank
            else:
                life.rank = rank


def is_own(data: bytes) -> bool:
    """Whether the running version of treadle made this image."""
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, RecursionError):
        return False
    return (head.schema, head.by) == (SCHEMA, __version__)


class _Head(Struct):
    schema: int
    by: str


def _ordered(_kind: object, names: Any) -> OrderedDict[str, Any]:
    """`Workflow.ready`, `ready_on` and `Starter.keys`, the fields whose type JSON does not know."""
    return OrderedDict(names) if isinstance(names, dict) else OrderedDict.fromkeys(names)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Image, dec_hook=_ordered).decode
