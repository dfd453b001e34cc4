"""Each attempt goes to its engine."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from controller.executor.router import Router
from controller.executor.surroundings import Surroundings
from controller.loop.ports import (
    AttemptId,
    End,
    Ended,
    Found,
    Launch,
    Observation,
    Running,
    Sites,
    Started,
    Trouble,
)
from controller.spec.placement import InContainer, OnSlurm

A, B, C = (AttemptId("uid", step, 1) for step in "abc")
NOWHERE = Sites("folder", {})


class Fake:
    """Notes what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[Any] = []
        self.seen: list[Observation] = []
        self.due: int | None = None

    def __getattr__(self, verb: str) -> Callable[..., None]:
        return lambda *told: self.told.append((verb, *told))

    def observe(self) -> list[Observation]:
        seen, self.seen = self.seen, []
        return seen

    def clients(self, attempts: Sequence[Running]) -> list[Running]:
        """Of containers."""
        return [replace(each, pid=7) for each in attempts if each.engine == "container"]

    def hear(self, news: Observation) -> list[Observation]:
        return [Ended(id=news.id, how="lost", at=0, problem=f"{self.name} has heard")]

    def troubles(self) -> list[Trouble]:
        return [Trouble("Tired", f"{self.name} is tired")]

    def next_due(self) -> int | None:
        return self.due

    def fileno(self) -> int:
        return 0


class Routed:
    def __init__(self) -> None:
        self.machine = Fake("machine")
        self.opened: list[Fake] = []
        openers = {name: self._opener(name) for name in ("container", "slurm")}
        self.router = Router(self.machine, openers, "/state", None)  # type: ignore[arg-type]

    def _opener(self, name: str) -> Callable[[Surroundings], Any]:
        def opener(_: Surroundings) -> Fake:
            self.opened.append(Fake(name))
            return self.opened[-1]

        return opener

    def engine(self, name: str) -> Fake:
        return next(engine for engine in self.opened if engine.name == name)


@pytest.fixture
def routed() -> Routed:
    return Routed()


def launch(attempt: AttemptId, engine: str) -> Launch:
    return Launch(id=attempt, mark=1, argv=("a",), env={}, working_dir="/", log="l", engine=engine)


def order(attempt: AttemptId, engine: str) -> End:
    return End(id=attempt, mark=1, grace_seconds=1.0, engine=engine)


@pytest.mark.parametrize("verb", ["start", "release"])
def test_who_uses_no_engine_opens_none(routed: Routed, verb: str) -> None:
    getattr(routed.router, verb)([launch(A, "local"), launch(B, "local")])
    routed.router.adopt([Running(id=C, mark=1)], NOWHERE)
    routed.router.end([order(A, "local")])
    routed.router.forget([A])
    routed.router.observe()
    assert not routed.opened
    assert [told[0] for told in routed.machine.told] == [verb, "adopt", "end", "forget"]


@pytest.mark.parametrize("verb", ["start", "release"])
def test_launches_are_shared_out(routed: Routed, verb: str) -> None:
    launches = [launch(A, "slurm"), launch(B, "local"), launch(C, "slurm")]
    getattr(routed.router, verb)(launches)
    assert routed.machine.told == [(verb, [launches[1]])]
    assert routed.engine("slurm").told == [(verb, [launches[0], launches[2]])]


def test_what_needs_only_an_id_finds_its_engine(routed: Routed) -> None:
    routed.router.start([launch(A, "slurm"), launch(B, "local")])
    routed.router.forget([A, B, A])
    assert routed.engine("slurm").told[1:] == [("forget", [A])]
    assert routed.machine.told[1:] == [("forget", [B])]


def test_adoption_reaches_each_site(routed: Routed) -> None:
    """Also an engine of which no attempt lives: something of it may be left."""
    sites = Sites("folder", {"slurm": {"/scratch": {}}})
    running = Running(id=A, mark=1, engine="container"), Running(id=B, mark=1)
    routed.router.adopt(running, sites)
    client = replace(running[0], pid=7)
    assert routed.machine.told == [("adopt", [running[1], client], sites)]
    assert routed.engine("container").told == [("adopt", [running[0]], sites)]
    assert routed.engine("slurm").told == [("adopt", [], sites)]


def test_news_of_a_process_reach_its_engine_first(routed: Routed) -> None:
    routed.router.start([launch(A, "container"), launch(B, "local")])
    news: Sequence[Observation] = [Started(id=A, at=1, pid=1), Started(id=B, at=1, pid=2)]
    routed.machine.seen += news
    seen = routed.router.observe()
    assert seen == [
        Ended(id=A, how="lost", at=0, problem="container has heard"),
        news[1],
    ]


def test_what_was_found_can_be_forgotten_or_disowned(routed: Routed) -> None:
    routed.router.adopt([], Sites("folder", {"slurm": {"/scratch": {}}}))
    engine = routed.engine("slurm")
    found = Found(id=A, engine="slurm", handle="7", held=True)
    engine.seen.append(found)
    assert routed.router.observe() == [found]
    routed.router.disown([found])
    routed.router.forget([A])
    assert engine.told[1:] == [("disown", [found]), ("forget", [A])]


def test_troubles_and_dues_of_all(routed: Routed) -> None:
    routed.router.start([launch(A, "slurm")])
    said = [trouble.message for trouble in routed.router.troubles()]
    assert said == ["machine is tired", "slurm is tired"]
    assert routed.router.next_due() is None
    routed.machine.due, routed.engine("slurm").due = 7, 5
    assert routed.router.next_due() == 5


def test_who_names_an_engine_has_it_looked_for(routed: Routed) -> None:
    routed.router.expect("u", ())
    assert not routed.opened
    slurm, container = OnSlurm(), InContainer(image="i")
    routed.router.expect("u", {slurm})
    assert routed.engine("slurm").told == [("expect", "u", [slurm])]
    routed.router.expect("u", {container})
    assert routed.engine("slurm").told[1:] == [("expect", "u", [])]
    assert routed.engine("container").told == [("expect", "u", [container])]
    routed.router.expect("u", ())
    assert routed.engine("container").told[1:] == [("expect", "u", [])]
