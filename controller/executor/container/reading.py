"""What podman and docker answer, as facts; what can't be one raises Unreadable.

`inspect` of both has the same names for what we need. Words of messages are looked at only where a
program has no exit code for what they say.
"""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct, field

from controller.executor import names
from controller.executor.calls import Answer

_STAGES: dict[str, Literal["held", "alive", "over"]] = {
    "configured": "held",
    "created": "held",
    "initialized": "held",
    "running": "alive",
    "paused": "alive",
    "restarting": "alive",
    "stopping": "alive",
    "removing": "alive",
    "stopped": "over",
    "exited": "over",
    "dead": "over",
}
_ABSENT = re.compile(r"no such (container|object)", re.IGNORECASE)
_NO_IMAGE = re.compile(r"image not known|no such image", re.IGNORECASE)
_NO_NAME = re.compile(
    r"invalid reference format|repository name must|did not resolve to an alias", re.IGNORECASE
)


class Unreadable(Exception):
    """The program did not answer, or not what it was asked; the text is for people."""


class Container(Struct, frozen=True, kw_only=True):
    """A container as its program sees it.

    `exit_code`: None if even the program does not know it. `seconds`: how long it ran, and `ended`
    when that was over, in seconds since 1970. `started`: whether it ever ran. `pid` is its first
    process, and `monitor` the process of podman that waits for that one; 0: there is none.
    """

    id: str
    name: str
    labels: names.Labels | None
    stage: Literal["held", "alive", "over"]
    started: bool
    exit_code: int | None = None
    seconds: float = 0.0
    ended: float = 0.0
    out_of_memory: bool = False
    problem: str = ""
    pid: int = 0
    monitor: int = 0
    stop_signal: str = "TERM"


class _State(Struct):
    status: str = field(name="Status")
    exit_code: int = field(name="ExitCode")
    started_at: str = field(name="StartedAt")
    finished_at: str = field(name="FinishedAt")
    pid: int = field(name="Pid", default=0)
    monitor: int = field(name="ConmonPid", default=0)
    out_of_memory: bool = field(name="OOMKilled", default=False)
    error: str = field(name="Error", default="")


class _Config(Struct):
    labels: dict[str, str] | None = field(name="Labels", default=None)
    stop_signal: str | int | None = field(name="StopSignal", default=None)


class _Inspected(Struct):
    id: str = field(name="Id")
    name: str = field(name="Name")
    state: _State = field(name="State")
    config: _Config = field(name="Config")


def containers(answer: Answer) -> list[Container]:
    """Those of `inspect` that exist. Raises Unreadable unless it is certain that no other does."""
    if answer.code is None or not (answer.ok or _ABSENT.search(answer.problem)):
        raise Unreadable(answer.problem)
    try:
        inspected = msgspec.json.decode(answer.out or "[]", type=list[_Inspected])
        return [_container(entry) for entry in inspected]
    except (msgspec.DecodeError, ValueError, KeyError):
        raise Unreadable(f"it says what can't be read: {answer.out[:100]!r}") from None


def ids(answer: Answer) -> list[str]:
    """Those of `ps --quiet`."""
    if not answer.ok:
        raise Unreadable(answer.problem)
    return answer.out.split()


def image_id(answer: Answer) -> str:
    """Of an image that is here; "" if it is not."""
    if answer.ok and len(words := answer.out.split()) == 1:
        return words[0]
    if answer.code is not None and _NO_IMAGE.search(answer.problem):
        return ""
    raise Unreadable(answer.problem or f"it says what can't be read: {answer.out[:100]!r}")


def is_no_image_name(answer: Answer) -> bool:
    """Whether no image can be meant, however long one waits."""
    return answer.code is not None and bool(_NO_NAME.search(answer.problem))


def by_name(found: Collection[Container]) -> dict[str, Container]:
    return {container.name: container for container in found}


def _container(one: _Inspected) -> Container:
    state = one.state
    began, ended = _moment(state.started_at), _moment(state.finished_at)
    stage = _STAGES[state.status]
    over = stage == "over"
    return Container(
        id=one.id,
        name=one.name.removeprefix("/"),
        labels=names.read(one.config.labels or {}),
        stage=stage,
        started=began > 0,
        exit_code=state.exit_code if over and state.exit_code >= 0 else None,
        seconds=max(0.0, ended - began) if over else 0.0,
        ended=ended,
        out_of_memory=state.out_of_memory,
        problem=state.error,
        pid=state.pid,
        monitor=state.monitor,
        stop_signal=str(one.config.stop_signal or "TERM"),
    )


def _moment(text: str) -> float:
    """Seconds since 1970; 0 for the year 1, which means never."""
    return 0.0 if text.startswith("0001-") else datetime.fromisoformat(text).timestamp()
