"""What follows from a look at a container, with a program and a machine that only take notes."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from controller.executor.calls import Answer
from controller.executor.container.engine import ContainerEngine
from controller.executor.names import Labels
from controller.loop.ports import (
    AttemptId,
    ClockReading,
    End,
    Ended,
    Observation,
    Running,
    Sites,
)

ID = AttemptId("uid", "load", 1)
NAME = "treadle-load-7"
OTHER = {"Id": "f00", "Name": NAME, "Config": {"Labels": Labels("folder", ID, 7).as_texts()}}
NEVER, ONCE = "0001-01-01T00:00:00Z", "2026-11-29T15:48:21.5Z"
CREATED = {"Status": "created", "ExitCode": 0, "StartedAt": NEVER, "FinishedAt": NEVER}
RUNNING = {"Status": "running", "ExitCode": 0, "StartedAt": ONCE, "FinishedAt": NEVER}
EXITED = {"Status": "exited", "ExitCode": 4, "StartedAt": ONCE, "FinishedAt": ONCE}


class Notes:
    """Machine, clock and programs: what they were told."""

    def __init__(self) -> None:
        self.machine = self.clock = self.calls = self
        self.state_dir = "/none"
        self.told: list[tuple[str, Any]] = []
        self.asked: list[tuple[str, Callable[[Answer], None]]] = []
        self.time = 1_000_000

    def __getattr__(self, verb: str) -> Callable[..., None]:
        return lambda *what: self.told.append((verb, *what))

    def now(self) -> int:
        return self.time

    def read(self) -> ClockReading:
        return ClockReading("boot", 0, 0, 0)

    def ask(self, argv: Sequence[str], then: Callable[[Answer], None], **_: object) -> None:
        self.asked.append((next(word for word in argv[1:] if word != "container"), then))


class Followed:
    """A docker container whose client was started: docker has no marks to look at."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.engine = ContainerEngine(self.notes)  # type: ignore[arg-type]
        running = Running(
            id=ID,
            mark=7,
            pid=5,
            start_ticks=6,
            started=0,
            boot_id="boot",
            engine="container",
            handle=NAME,
            place={"program": "docker"},
        )
        self.engine.adopt([running], Sites("folder", {}))

    def look(self) -> list[Observation]:
        self.notes.time += 60_000_000
        return self.engine.observe()

    def answer(self, state: dict[str, Any] | None) -> None:
        """To the look that is under way; None: there is no container."""
        verb, then = self.notes.asked.pop()
        assert verb == "inspect"
        if state is None:
            then(Answer(1, "[]", "Error: No such container"))
        else:
            then(Answer(0, json.dumps([OTHER | {"State": state}]), ""))

    def client_ends(self, **how: Any) -> None:
        ended = Ended(**{"id": ID, "how": "exited", "at": self.notes.time} | how)
        assert self.engine.hear(ended) == []

    def verbs(self) -> list[str]:
        return [verb for verb, *_ in self.notes.told]


def test_an_end_is_told_when_both_are_over() -> None:
    followed = Followed()
    followed.look()
    followed.answer(EXITED)
    assert followed.look() == [], "its client lives"
    followed.answer(EXITED)
    followed.client_ends(exit_code=4)
    followed.look()
    followed.answer(EXITED)
    (ended,) = followed.look()
    assert isinstance(ended, Ended)
    assert (ended.how, ended.exit_code) == ("exited", 4)


def test_a_look_from_before_the_end_of_the_client_says_nothing() -> None:
    """It showed a container that was only made; the client started it, and was killed."""
    followed = Followed()
    followed.look()
    followed.client_ends(signal=9)
    followed.answer(CREATED)
    assert followed.look() == []
    assert "sweep" not in followed.verbs()
    followed.answer(RUNNING)
    assert followed.look() == []
    assert "sweep" not in followed.verbs()


def test_what_nobody_started_is_swept_and_removed_before_it_is_lost() -> None:
    """docker's daemon may be about to start it; if so, it can't be removed."""
    followed = Followed()
    followed.client_ends(signal=9)
    followed.look()
    followed.answer(CREATED)
    assert followed.look() == []
    assert followed.notes.told[-1] == ("sweep", [End(id=ID, mark=7, grace_seconds=1.0)])
    assert followed.look() == []
    assert not followed.notes.asked, "nothing is asked before all processes are gone"
    followed.client_ends(signal=9)  # it is told again
    followed.look()
    followed.answer(CREATED)
    assert [verb for verb, _ in followed.notes.asked] == ["rm"]
    followed.notes.asked.pop()[1](Answer(1, "", "it is running"))
    followed.look()
    followed.answer(RUNNING)
    assert followed.look() == [], "it was started"


def test_what_was_removed_is_lost() -> None:
    followed = Followed()
    followed.client_ends(signal=9)
    for state in (None, None):
        followed.look()
        followed.answer(state)
        followed.client_ends(signal=9)
    news = followed.look()
    assert [(type(each), each.how) for each in news if isinstance(each, Ended)] == [(Ended, "lost")]


def test_a_client_that_hangs_is_ended_after_a_while() -> None:
    followed = Followed()
    followed.look()
    followed.answer(EXITED)
    followed.look()
    assert "end" not in followed.verbs()
    followed.answer(EXITED)
    followed.look()
    assert "end" in followed.verbs()


def test_an_order_while_it_is_being_made_ends_its_client() -> None:
    followed = Followed()
    order = End(id=ID, mark=7, grace_seconds=3.0, engine="container", handle=NAME)
    followed.engine.end([order])
    followed.look()
    followed.answer(None)
    assert followed.notes.told[-1] == ("end", [End(id=ID, mark=7, grace_seconds=1.0)])


def test_an_earlier_boot_is_never_looked_at() -> None:
    notes = Notes()
    running = Running(id=ID, mark=7, pid=5, boot_id="before", handle=NAME, started=0)
    engine = ContainerEngine(notes)  # type: ignore[arg-type]
    engine.adopt([running], Sites("folder", {}))
    assert engine.observe() == []
    assert not notes.asked
    engine.hear(Ended(id=ID, how="lost", at=3, problem="the machine was rebooted"))
    (ended,) = engine.observe()
    assert isinstance(ended, Ended)
    assert ended.problem == "the machine was rebooted"
