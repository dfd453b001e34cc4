"""A seed is a story: some workflows, what their steps do, and what people do meanwhile.

All draws come from one generator, so a seed tells the same story each time, crashes or not. What an
attempt does depends on its name and number alone, never on when or by whom it was started.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from simulation.world import Fate, World
from story import a_step, document

from controller.model.observations import Request, SeenMarker
from controller.spec.models import Workflow

NAMES = ("alpha", "beta", "gamma")
STEPS_MAX = 7
SECONDS_OF_PEOPLE = 12.0  # after that nobody touches anything
RETRIES_MAX = 2
CONDITIONS = ("Succeeded", "Succeeded", "Succeeded", "Failed", "Finished")

# What people and programs write where text is free.
ODD = ("", "why", "\x00", "\x1b[31m", "a\nb\u2028c", "\ufeffé\u0301\U0001f701", '"\\', "x" * 5_000)

Deed = Callable[[World], None]


def a_workflow(random: Random, name: str) -> Workflow:
    count = random.randint(1, STEPS_MAX)
    steps = [_step(random, index) for index in range(count)]
    spec: dict[str, Any] = {}
    if random.random() < 0.3:
        spec["parallelism"] = random.randint(1, 3)
    if random.random() < 0.3:
        spec["priority"] = random.randint(-1, 1)
    if random.random() < 0.2:
        spec["failFast"] = True
    if random.random() < 0.2:
        spec["activeDeadlineSeconds"] = random.choice([2, 6])
    if random.random() < 0.1:
        spec["suspend"] = True
    if random.random() < 0.2:
        spec["editPolicy"] = "AfterRun"
    if random.random() < 0.2:
        spec["ttlSecondsAfterFinished"] = random.choice([0, 15])
    return document(steps, name, **spec)


def _step(random: Random, index: int) -> dict[str, Any]:
    before = random.sample(range(index), random.randint(0, min(index, 3)))
    needs = [{"step": f"s{one}", "condition": random.choice(CONDITIONS)} for one in before]
    fields: dict[str, Any] = {"run": f"echo {random.randint(1, 3)}"}
    if random.random() < 0.5:
        backoff = {"initialSeconds": random.choice([0, 0.5, 2]), "jitter": 0}
        fields["retry"] = {"limit": random.randint(0, RETRIES_MAX), "backoff": backoff}
    if random.random() < 0.2:
        fields["continueOnFailure"] = True
    if random.random() < 0.2:
        fields["timeoutSeconds"] = random.choice([0.7, 2])
    if random.random() < 0.3:
        fields["onChanged"] = random.choice(["FinishFirst", "KeepResult"])
    if random.random() < 0.2:
        fields["onRemoved"] = "Finish"
    return a_step(f"s{index}", *needs, **fields)


def a_fate(seed: int, workflow: str, step: str, number: int) -> Fate:
    random = Random(f"{seed}/{workflow}/{step}/{number}")
    return Fate(
        seconds=random.choice([0, 0.5, 1, 3]),
        exit_code=random.choice([0, 0, 0, 0, 1]),
        deaf_seconds=random.choice([0, 0, 1.5]),
        problem=random.choice(ODD) if random.random() < 0.05 else "",
    )


class Scenario:
    """The story of one seed, to be told to any number of worlds."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        random = Random(seed)
        self.max_parallel = random.randint(1, 4)
        self.ahead = random.choice([0, 0, 2])
        self.keep_finished = random.choice([None, 0, 1])
        self.begin = [(f"{name}.yaml", a_workflow(random, name)) for name in _some(random, NAMES)]
        self._clock_was_set = False
        times = sorted(random.uniform(0, SECONDS_OF_PEOPLE) for _ in range(random.randint(0, 6)))
        self.deeds = [(at, self._deed(random, index)) for index, at in enumerate(times)]

    def play(self, crash_before: int | None = None) -> World:
        """The whole story, until nothing is due and no marker keeps anything from going on."""
        world = World(
            fate=lambda *of: a_fate(self.seed, *of),
            max_parallel=self.max_parallel,
            ahead=self.ahead,
            crash_before=crash_before,
            keep_finished=self.keep_finished,
        )
        for path, workflow in self.begin:
            world.files[path] = (workflow,)
        world.boot_controller()
        passed = 0.0
        for at, deed in self.deeds:
            world.run(at - passed)
            deed(world)
            passed = at
        world.run(max(0.0, SECONDS_OF_PEOPLE - passed))
        world.markers.clear()
        world.run()
        return world

    def _deed(self, random: Random, index: int) -> Deed:
        name = random.choice(NAMES)
        kind = random.choice(
            [
                "edit",
                "edit",
                "edit",
                "mark",
                "mark",
                "unmark",
                "retry",
                "restart",
                "suspend",
                "resume",
                "by hand",
                "delete",
                "sleep",
                "reboot",
                "clock",
            ]
        )
        if kind == "edit":
            edited = a_workflow(random, name)
            return lambda world: world.files.update({f"{name}.yaml": (edited,)})
        if kind == "mark":
            marker = _marker(random, name)
            return lambda world: world.markers.update({marker.path: marker})
        if kind == "unmark":
            return lambda world: world.markers.clear()
        if kind == "retry":
            steps = random.choice([[], [], ["s0"], ["s1"]])
            request = Request(
                name=f"{index:03}",
                kind="retry",
                workflow=name,
                steps=steps,
                by="somebody",
                reason=random.choice(ODD),
                downstream=random.random() < 0.5,
            )
            return lambda world: world.requests.update({request.name: request})
        if kind in ("restart", "suspend", "resume", "by hand"):
            steps = ["s0"] if kind == "by hand" else []
            kind = "mark" if kind == "by hand" else kind
            request = Request(
                name=f"{index:03}",
                kind=kind,
                workflow=name,
                steps=steps,
                by=random.choice(ODD),
                reason=random.choice(ODD),
            )
            return lambda world: world.requests.update({request.name: request})
        if kind == "delete":
            return lambda world: world.files.pop(f"{name}.yaml", None) and None
        if kind == "sleep":
            return lambda world: world.sleep(5)
        if kind == "clock":
            self._clock_was_set = True
            seconds = random.choice([-3600.0, 3600.0])
            return lambda world: world.set_wall(seconds)
        # How far a deadline is away after a clock that was set and then a reboot, nobody can know
        # to the second: it depends on what the log last saw, and so on crashes.
        return lambda world: world.sleep(5) if self._clock_was_set else world.reboot()


def _marker(random: Random, name: str) -> SeenMarker:
    return SeenMarker(
        path=f"{name}.cancel",
        workflow=name,
        digest=str(random.random()),
        steps=("s0",) if random.random() < 0.4 else (),
        drain=random.random() < 0.3,
        reason=random.choice(ODD),
    )


def _some(random: Random, names: tuple[str, ...]) -> list[str]:
    return random.sample(names, random.randint(1, len(names)))
