"""A story in calm, then once for each of its effects with a crash before it; all must agree.

`PYTHONPATH=tests python -m simulation.trial FIRST LAST` tries these seeds and prints figures.
"""

import sys
import time
from collections.abc import Iterable
from random import Random
from typing import Any

from simulation.hooks import Hooks
from simulation.house import Questions
from simulation.scenario import NAMES, RETRIES_MAX, Scenario
from simulation.values import Asked, flaw
from simulation.world import Fate, World
from specs_folder import documents, pool
from story import a_step, document, dump

from controller.model.apply.fold import apply, replay
from controller.model.events import (
    AttemptEnding,
    AttemptFinished,
    AttemptScheduled,
    EndDecided,
    GenerationAccepted,
    HooksBegun,
    RetryScheduled,
    StepReset,
)
from controller.model.invariants import check
from controller.model.observations import Request
from controller.model.state import State
from controller.spec.uses import Holding


def calm(seed: int) -> World:
    """In the end all has settled, and memory, log and the world agree."""
    world = Scenario(seed).play()
    judge(world, f"Scenario({seed}).play()")
    for name, phases in world.phases().items():
        assert phases[""] in ("Succeeded", "Failed", "Cancelled", "Suspended"), name
    assert dump(replay(world.records())) == dump(world.controller.state)
    values_are_right(world)
    return world


def storm(seed: int) -> tuple[int, int]:
    """A crash before any of its effects changes nothing. Returns how many crashes and turns."""
    quiet = calm(seed)
    turns = quiet.turns
    for effect in range(1, quiet.effects + 1):
        stormy = Scenario(seed).play(crash_before=effect)
        story = f"Scenario({seed}).play(crash_before={effect})"
        judge(stormy, story)
        assert stormy.phases() == quiet.phases(), story
        turns += stormy.turns
    return quiet.effects, turns


def crowd(seed: int) -> World:
    """Many starts are queued while people change priorities and limits, suspend and go on."""
    random = Random(seed)
    world = World(max_parallel=random.randint(1, 2), ahead=4)

    def edit(name: str) -> None:
        spec = {"priority": random.randint(0, 1), "parallelism": random.randint(1, 4)}
        steps = [a_step(f"s{index}") for index in range(6)]
        suspend = random.random() < 0.2
        world.files[f"{name}.yaml"] = (document(steps, name, suspend=suspend, **spec),)

    for name in NAMES:
        edit(name)
    world.boot_controller()
    for _ in range(12):
        world.run(random.random() * 1.5)
        edit(random.choice(NAMES))
    world.run()
    judge(world, f"crowd({seed})")
    return world


def shared(seed: int) -> World:
    """Workflows share pools and locks, which are edited meanwhile, as is what steps use."""
    random = Random(seed)
    world = World(
        fate=lambda *of: Fate(seconds=random.choice([0.5, 1, 3])),
        max_parallel=random.randint(1, 4),
        ahead=random.choice([0, 2]),
    )
    uses: list[list[Any]] = [
        [],
        ["gpu"],
        [{"pool": "api", "slots": 2}],
        [{"lock": "x"}, "gpu"],
        [{"lock": "x"}],
    ]

    def edit(name: str) -> None:
        spec = {"priority": random.randint(0, 1), "parallelism": random.randint(1, 4)}
        steps = [a_step(f"s{index}", uses=random.choice(uses)) for index in range(5)]
        world.files[f"{name}.yaml"] = (document(steps, name, **spec),)

    def resize(slots: int) -> None:
        world.files["pools.yaml"] = documents(pool("gpu", slots), pool("api", slots + 1))

    for name in NAMES[:2]:
        edit(name)
    world.boot_controller()
    for _ in range(12):
        world.run(random.random() * 2)
        resize(random.randint(1, 3))
        if random.random() < 0.2:
            del world.files["pools.yaml"]
        if random.random() < 0.3:
            world.boot_controller()
        edit(random.choice(NAMES))
    resize(1)
    world.run()
    judge(world, f"shared({seed})")
    check_holders(world)
    return world


def afar(seed: int) -> World:
    """Steps move between engines while they wait and run; contact is lost, and comes back."""
    random = Random(seed)
    world = World(
        fate=lambda *of: Fate(
            seconds=random.choice([0.3, 1, 3]),
            exit_code=random.choice([0, 0, 0, 1]),
            deaf_seconds=random.choice([0, 1]),
            problem=random.choice(["", "", "", "", "its node is gone"]),
        ),
        max_parallel=random.randint(1, 3),
        ahead=random.choice([0, 2]),
    )
    world.engines = {"slurm": random.randint(1, 3)}
    job = {"slurm": {}}

    def edit(name: str) -> None:
        steps = [
            a_step(
                f"s{index}",
                executor=random.choice(["local", job, job]),
                run=random.choice("xy"),
                uses=random.choice([[], [], ["gpu"], [{"lock": "x"}]]),
                retry={"limit": 2, "backoff": {"initialSeconds": 0.5, "jitter": 0}},
                continueOnFailure=True,
            )
            for index in range(random.randint(1, 6))
        ]
        spec = {"priority": random.randint(0, 1), "parallelism": random.randint(1, 6)}
        suspend = random.random() < 0.1
        world.files[f"{name}.yaml"] = (document(steps, name, suspend=suspend, **spec),)

    world.files["pools.yaml"] = documents(pool("gpu", 1))
    for name in NAMES[:2]:
        edit(name)
    world.boot_controller()
    for number in range(14):
        world.run(random.random() * 2)
        world.cluster.away = random.random() < 0.2
        if random.random() < 0.3:
            world.boot_controller()
        if world.cluster.away and random.random() < 0.5:
            name = f"{number:03}"
            asked = Request(name=name, kind="abandon", workflow=random.choice(NAMES), by="ada")
            world.requests[name] = asked
        edit(random.choice(NAMES))
    world.cluster.away = False
    world.run()
    judge(world, f"afar({seed})")
    check_holders(world)
    check_jobs(world)
    return world


def check_jobs(world: World) -> None:
    """No more jobs than the limit says; none gives way; what was given up is not tried again."""
    state, given_up = State(), set[tuple[str, str]]()
    for record in world.records():
        event = record.event
        if isinstance(event, AttemptEnding) and event.message.endswith("takes its place"):
            attempt = state.live[event.uid, event.step]
            assert attempt.engine == "local", f"it loses its place there: {record}"
        apply(state, record)
        jobs = sum(attempt.engine == "slurm" for attempt in state.live.values())
        if isinstance(event, AttemptScheduled):
            assert event.engine == "local" or jobs <= world.engines["slurm"], f"{jobs}: {record}"
            given_up.discard((event.uid, event.step))
        if isinstance(event, AttemptFinished) and event.reason == "Abandoned":
            given_up.add((event.uid, event.step))
        if isinstance(event, RetryScheduled):
            assert (event.uid, event.step) not in given_up, f"it may still run: {record}"


def check_holders(world: World) -> None:
    """No start took a slot that was not free; after each record all indexes are right."""
    state = State()
    for record in world.records():
        apply(state, record)
        check(state)
        if isinstance(record.event, AttemptScheduled) and record.event.uses:
            places = [one for one in state.live.values() if not (one.slots or one.gives_way)]
            ahead = record.event.engine == "local" and len(places) > world.max_parallel
            assert not ahead, f"queued ahead: {record}"
            assert all(_held(state, one) <= _slots(state, one) for one in record.event.uses), record
    assert not state.held
    assert dump(state) == dump(world.controller.state)


def _held(state: State, one: Holding) -> int:
    held = [other for attempt in state.live.values() for other in attempt.uses]
    return sum(other.slots for other in held if other.name == one.name)


def _slots(state: State, one: Holding) -> int:
    return 1 if one.lock else state.pools[one.pool].slots


def judge(world: World, story: str) -> None:
    check(world.controller.state)
    assert not world.started_twice(), story
    assert world.controller.settled(), story
    assert not world.busy, story
    retries_are_counted(world)
    kept = [each.id for each in world.processes.values() if each.started is not None]
    assert not kept, f"{story}: the parent of the steps was never told that the log has their ends"
    assert not world.cluster.jobs, f"{story}: the cluster still has {[*world.cluster.jobs]}"


def retries_are_counted(world: World) -> None:
    """One by one up to the limit; from one on after what gives a step, or may give it, new ones."""
    spent: dict[tuple[str, str], tuple[int, int]] = {}  # the last number, and in which record
    accepted: dict[str, int] = {}
    for record in world.records():
        match record.event:
            case GenerationAccepted(uid=uid):
                accepted[uid] = record.seq
            case StepReset(uid=uid, step=step):
                spent.pop((uid, step), None)
            case HooksBegun(uid=uid, hooks=hooks) | EndDecided(uid=uid, hooks=hooks):
                for hook in hooks:
                    spent.pop((uid, hook.name), None)
            case RetryScheduled(uid=uid, step=step, retry=number) if number:
                before, seq = spent.get((uid, step), (0, 0))
                anew = number == 1 and accepted[uid] > seq
                assert anew or number == before + 1, f"retry {number} of {step} after {before}"
                assert number <= RETRIES_MAX, f"retry {number} of {step}"
                spent[uid, step] = number, record.seq


def values_are_right(world: World) -> None:
    """Each attempt got what the steps before it gave, and no `when` was asked twice."""
    state, asked, hooks, questions = State(), Asked(), Hooks(), Questions()

    def file(path: str) -> bytes | None:
        return world.outputs.get(path) or world.attached.get(path)

    for record in world.records():
        problem = (
            asked.see(state, record.event)
            or flaw(state, record.event, file)
            or hooks.see(state, record.event)
            or questions.see(state, record.event)
        )
        assert not problem, f"record {record.seq}: {problem}"
        apply(state, record)


def figures(seeds: Iterable[int], seconds: float = 1e9) -> str:
    """Try them until the time is up. Raises AssertionError, with the story, for the first fault."""
    began = time.monotonic()
    stories = crashes = turns = 0
    for seed in seeds:
        try:
            found = storm(seed)
        except Exception as error:
            error.add_note(f"storm({seed}), as simulation.trial {seed} {seed} tells again")
            raise
        stories, crashes, turns = stories + 1, crashes + found[0], turns + found[1]
        if time.monotonic() - began > seconds:
            break
    a_minute = turns / (time.monotonic() - began) * 60
    return (
        f"{stories} stories, {crashes:,} crashes, {turns:,} turns ({a_minute:,.0f} a minute): "
        "none twice, none lost, all settled"
    )


if __name__ == "__main__":
    print(figures(range(int(sys.argv[1]), int(sys.argv[2]) + 1)))
