"""A definition through a history of outages, clocks, markers and edits: each due time once.

`PYTHONPATH=tests python -m simulation.firings FIRST LAST` tries these seeds.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET
from simulation.due import CRON, HOURS, Decision, History, Spec, a_history, expected
from simulation.world import Fate, World
from story import a_step, document, dump

from controller.loop.ports import AttemptId
from controller.loop.turn import Controller
from controller.model.apply.fold import apply, replay
from controller.model.events import FiringDecided, GenerationAccepted, Record
from controller.model.image import freeze, thaw
from controller.model.invariants import check
from controller.model.observations import Request, SeenMarker
from controller.model.state import SECOND, State


class Clockwork(World):
    """A world in which a controller may be away, or be one of `treadle run`."""

    def __init__(self, history: History, crash_before: int | None = None) -> None:
        def fate(instance: str, step: str, nth: int) -> Fate:
            due = datetime.strptime(instance[2:18], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return Fate(seconds=history.duration(int(due.timestamp())))

        super().__init__(fate, max_parallel=5_000, crash_before=crash_before)
        self.history = history
        self.mode = "up"
        self.asked = 0
        self.write(history.spec)

    def write(self, spec: Spec) -> None:
        self.files["w.yaml"] = (document([a_step("a")], "w", **spec.written()),)

    def write_triggers(self, triggers: list[dict[str, Any]], **spec: Any) -> None:
        self.files["w.yaml"] = (document([a_step("a")], "w", triggers=triggers, **spec),)

    def new_controller(self) -> Controller:
        controller = super().new_controller()
        if self.mode == "run":
            controller.edges.folder = None
            controller._only = frozenset()
        return controller

    def start(self, attempt: AttemptId, workflow: str, priority: int, log: str = "") -> None:
        """By the name of the instance: how long it runs hangs on its due time."""
        super().start(attempt, self.controller.state.lives[attempt.uid].name, priority, log)

    def play(self) -> "Clockwork":
        self.boot_controller()
        passed = 0
        for at, kind, value in (*self.history.deeds, (HOURS * 3600, "", None)):
            self.let_go_by(max(0, at - passed))
            self.do(kind, value)
            passed = max(at, passed)
        return self

    def let_go_by(self, seconds: int) -> None:
        if self.mode == "away":
            self.pass_time(seconds * SECOND)
        else:
            self.run(seconds)

    def do(self, kind: str, value: Any) -> None:
        match kind:
            case "mode" | "kill":
                was, self.mode = self.mode, value or self.mode
                if self.mode not in ("away", was if value else ""):
                    self.boot_controller()
            case "sleep":
                self.sleep(value)
            case "clock":
                self.set_wall(value)
            case "suspend":
                self.ask("suspend" if value else "resume")
            case "marker":
                marker = SeenMarker(path="w.cancel", workflow="w", digest="d")
                self.markers = {marker.path: marker} if value else {}
            case "spec" if value is None:
                del self.files["w.yaml"]
            case "spec":
                self.write(value)
        if self.mode != "away":
            self.come_to_rest()

    def ask(self, kind: str) -> None:
        self.asked += 1
        name = f"{self.asked:03}"
        request = Request(name=name, kind=kind, workflow="w", by="ada")  # type: ignore[arg-type]
        self.requests[name] = request

    def audit(self) -> list[dict[str, list[Decision]]]:
        """From the log alone: what each life of the name decided on each due time."""
        return [*told(self.records()).values()]


def told(records: list[Record]) -> dict[str, dict[str, list[Decision]]]:
    """By the uids of definitions and the names of their triggers; stretches are gone through."""
    found: dict[str, dict[str, list[Decision]]] = {}
    every: dict[str, dict[str, int]] = {}
    for event in (record.event for record in records):
        if isinstance(event, GenerationAccepted) and event.spec.triggers is not UNSET:
            every[event.uid] = {}
            for one in event.spec.triggers:
                by_cron = {text: seconds for seconds, text in CRON.items()}
                assert isinstance(one.name, str)
                seconds = one.every_seconds or by_cron[str(one.schedule)]
                every[event.uid][one.name] = int(seconds)
                found.setdefault(event.uid, {}).setdefault(one.name, [])
        if isinstance(event, FiringDecided) and event.trigger and event.due is not None:
            first = event.due if event.first is None else event.first
            for due in range(first, event.due + 1, every[event.uid][event.trigger]):
                decision = due, str(event.outcome), str(event.reason)
                found[event.uid][event.trigger].append(decision)
    return found


def differences(world: Clockwork, wanted: list[dict[str, list[Decision]]]) -> Iterator[str]:
    """Per trigger, the first decision that is another one than it should be."""
    got = world.audit()
    if len(got) != len(wanted):
        yield f"{len(got)} lives, should be {len(wanted)}"
    for life, other in zip(got, wanted, strict=False):
        for name in {*life, *other}:
            left, right = life.get(name, []), other.get(name, [])
            for place in range(max(len(left), len(right))):
                one, two = left[place : place + 1], right[place : place + 1]
                if one != two:
                    near = [
                        left[max(0, place - 2) : place + 2],
                        right[max(0, place - 2) : place + 2],
                    ]
                    yield f"{name}, decision {place} is {one}, should be {two}; {near}"
                    break


def look_over(world: Clockwork) -> None:
    """No due time begins two instances; after each record all holds; the log says all."""
    state, born = State(), Counter[tuple[str, str, int, int]]()
    records = world.records()
    for record in records:
        apply(state, record)
        state.moves.clear()
        event = record.event
        if isinstance(event, FiringDecided) and event.due is not None and event.instance:
            starter = state.lives[event.uid].starter
            assert starter is not None
            born[event.uid, event.trigger, starter.triggers[event.trigger].since, event.due] += 1
        if record.seq % (7 + len(records) // 40) == 0:
            check(state)
    twice = [due for due, times in born.items() if times > 1]
    assert not twice, f"fired twice: {twice}"
    check(state)
    known = world.controller.state
    if world.mode != "away":
        assert dump(state) == dump(known)
    assert freeze(state) == freeze(thaw(freeze(state)))
    half, rest = replay(records[: len(records) // 2]), records[len(records) // 2 :]
    assert freeze(replay(rest, thaw(freeze(half)))) == freeze(state), "an image goes another way"


def trial(seed: int) -> Clockwork:
    """As it should be; then the same with a kill at one of its effects."""
    history = a_history(seed)
    wanted = expected(history)
    world = Clockwork(history).play()
    found = [*differences(world, wanted)]
    assert not found, f"{found}\n{history}"
    look_over(world)
    killed = Clockwork(history, crash_before=1 + seed * 37 % max(1, world.effects)).play()
    found = [*differences(killed, wanted)]
    assert not found, (
        f"killed at effect {1 + seed * 37 % max(1, world.effects)}: {found}\n{history}"
    )
    return world


if __name__ == "__main__":
    for seed in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
        try:
            trial(seed)
        except Exception as error:
            text = str(error).replace("History", "\nHistory")
            print(f"seed {seed}: {type(error).__name__}: {text}", flush=True)
