"""A seed is a story: some workflows, what their steps do, and what people do meanwhile.

All draws come from one generator, so a seed tells the same story each time, crashes or not. What an
attempt does depends on its name and number alone, never on when or by whom it was started.
"""

from collections.abc import Callable
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

import msgspec
from simulation import hooks, house, values
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


class Draft(NamedTuple):
    """A workflow as it is written."""

    name: str
    steps: list[dict[str, Any]]
    spec: dict[str, Any]

    def document(self, in_a_house: bool) -> Workflow:
        steps = house.dressed(self.steps) if in_a_house else self.steps
        return document(steps, self.name, **self.spec)


def a_workflow(random: Random, name: str) -> Draft:
    steps: list[dict[str, Any]] = []
    for index in range(random.randint(1, STEPS_MAX)):
        steps.append(_step(random, index, steps))
    spec: dict[str, Any] = {"params": values.params(random)}
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
    spec |= hooks.some(Random(f"{steps}"))  # a generator of its own: other draws stay as they were
    return Draft(name, steps, spec)


def a_small_edit(random: Random, draft: Draft) -> Draft:
    """One field of one step, or the params, are others."""
    if random.random() < 0.3:
        params = values.params(random)
        return draft._replace(
            spec={**draft.spec, "params": params, **hooks.some(Random(f"{params}"))}
        )
    index = random.randrange(len(draft.steps))
    step, drawn = dict(draft.steps[index]), _step(random, index, draft.steps[:index])
    field = random.choice(["run", "when", "continueOnFailure", "retry", "onChanged", "run", "when"])
    step.pop(field, None)
    if field == "when":
        before = [int(need["step"][1:]) for need in step.get("dependsOn", [])]
        visible = _visible(before, draft.steps)
        step[field] = values.when(random, visible, _givers(draft.steps))
    elif field in drawn:
        step[field] = drawn[field]
    return draft._replace(steps=[*draft.steps[:index], step, *draft.steps[index + 1 :]])


def _step(random: Random, index: int, earlier: list[dict[str, Any]]) -> dict[str, Any]:
    before = random.sample(range(index), random.randint(0, min(index, 3)))
    needs = [{"step": f"s{one}", "condition": random.choice(CONDITIONS)} for one in before]
    fields: dict[str, Any] = {
        "run": f"echo {random.randint(1, 3)}",
        **values.fields(random, _visible(before, earlier), _givers(earlier)),
    }
    if random.random() < 0.5:
        backoff = {"initialSeconds": random.choice([0, 0.5, 2]), "jitter": 0}
        fields["retry"] = {"limit": random.randint(0, RETRIES_MAX), "backoff": backoff}
    if random.random() < 0.2:
        fields["continueOnFailure"] = True
    if random.random() < 0.2:
        fields["timeoutSeconds"] = random.choice([0.7, 2, "${{ params.p }}"])
    if random.random() < 0.3:
        fields["onChanged"] = random.choice(["FinishFirst", "KeepResult"])
    if random.random() < 0.2:
        fields["onRemoved"] = "Finish"
    if random.random() < 0.25:
        gives = [one for one in before if "names" in earlier[one].get("outputs", {})]
        fan = _fan(random, [earlier[one]["name"] for one in gives])
        fields |= {**fan, "env": {**fields.get("env", {}), **fan.get("env", {})}}
    elif random.random() < 0.15:
        fields["outputs"] = {"names": "array"}
    elif random.random() < 0.75:
        fields["outputs"] = {"n": "integer", "t": "string"}
    return a_step(f"s{index}", *needs, **fields)


def _fan(random: Random, gives: list[str]) -> dict[str, Any]:
    """What makes a step one with children; `gives`: steps that may give the list."""
    fields: dict[str, Any] = {"forEach": _items(random)}
    if gives and random.random() < 0.8:
        fields["forEach"] = f"${{{{ steps.{gives[0]}.outputs.names }}}}"
    if random.random() < 0.6:
        fields["env"] = {"OF": random.choice(["${{ item }}", "${{ index }}"])}
    if random.random() < 0.5:
        fields["parallelism"] = random.randint(1, 2)
    if random.random() < 0.2:
        fields["when"] = "${{ item != 'b' }}"
    return fields


def _items(random: Random) -> list[str]:
    return random.choices("abc", k=random.randint(0, 4))


def _givers(steps: list[dict[str, Any]]) -> list[str]:
    return [step["name"] for step in steps if "n" in step.get("outputs", {})]


def _visible(before: list[int], earlier: list[dict[str, Any]]) -> list[str]:
    """The steps on which a step depends, directly or through others."""
    found = set[int]()
    while before:
        found |= {*before}
        needs = [need for one in before for need in earlier[one].get("dependsOn", [])]
        before = [int(need["step"][1:]) for need in needs]
    return [f"s{one}" for one in sorted(found)]


def _written(random: Random) -> bytes:
    """The output file of an attempt; a list is in it as well."""
    outputs = msgspec.json.decode(values.written(random))
    return msgspec.json.encode({**outputs, "names": _items(random)})


def a_fate(seed: int, workflow: str, step: str, number: int) -> Fate:
    random = Random(f"{seed}/{workflow}/{step}/{number}")
    return Fate(
        seconds=random.choice([0, 0.5, 1, 3]),
        exit_code=random.choice([0, 0, 0, 0, 0, 0, 0, 1, 1, values.SKIPS]),
        deaf_seconds=random.choice([0, 0, 1.5]),
        problem=random.choice(ODD) if random.random() < 0.05 else "",
        outputs=_written(random),
    )


class Scenario:
    """The story of one seed, to be told to any number of worlds."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        random = Random(seed)
        self.max_parallel = random.randint(1, 4)
        self.ahead = random.choice([0, 0, 2])
        self.keep_finished = random.choice([None, 0, 1])
        self.house = house.House(seed, SECONDS_OF_PEOPLE)
        self._drafts = {name: [a_workflow(random, name)] for name in _some(random, NAMES)}
        self.begin: dict[str, tuple[Workflow, ...] | str] = {
            f"{self.house.home}{name}.yaml": (drafts[-1].document(self.house.is_there),)
            for name, drafts in self._drafts.items()
        }
        self.begin |= self.house.files
        self._clock_was_set = False
        times = sorted(random.uniform(0, SECONDS_OF_PEOPLE) for _ in range(random.randint(0, 6)))
        deeds = [(at, self._deed(random, index)) for index, at in enumerate(times)]
        self.deeds = sorted([*deeds, *self.house.deeds], key=itemgetter(0))

    def play(self, crash_before: int | None = None) -> World:
        """The whole story, until nothing is due and no marker keeps anything from going on."""
        world = World(
            fate=lambda *of: a_fate(self.seed, *of),
            max_parallel=self.max_parallel,
            ahead=self.ahead,
            crash_before=crash_before,
            keep_finished=self.keep_finished,
        )
        world.files |= self.begin
        world.boot_controller()
        passed = 0.0
        for at, deed in self.deeds:
            world.run(at - passed)
            deed(world)
            passed = at
        world.run(max(0.0, SECONDS_OF_PEOPLE - passed))
        world.markers.clear()
        self.house.open_all(world)
        world.run()
        return world

    def _edited(self, random: Random, name: str) -> Draft:
        """Another document, or much the same, or one that was there before."""
        known = self._drafts.setdefault(name, [a_workflow(random, name)])
        edited = a_workflow(random, name)
        if random.random() < 0.8:
            edited = a_small_edit(random, random.choice([known[-1], known[-1], *known]))
        known.append(edited)
        return edited

    def _deed(self, random: Random, index: int) -> Deed:
        name = random.choice(NAMES)
        kind = random.choice(
            [
                *["edit"] * 6,
                *["mark"] * 3,
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
            name = random.choice([name, *self._drafts])
            edited = self._edited(random, name).document(self.house.is_there)
            return lambda world: world.files.update({house.path_of(world, name): (edited,)})
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
            given = values.GIVEN if kind == "mark" and random.random() < 0.5 else {}
            request = Request(
                name=f"{index:03}",
                kind=kind,
                workflow=name,
                steps=steps,
                by=random.choice(ODD),
                reason=random.choice(ODD),
                outputs=given,
            )
            return lambda world: world.requests.update({request.name: request})
        if kind == "delete":
            return lambda world: world.files.pop(house.path_of(world, name), None) and None
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
    digest, steps = str(random.random()), ("s0",) if random.random() < 0.4 else ()
    return SeenMarker(
        path=f"{name}.cancel",
        workflow=name,
        digest=digest,
        steps=steps,
        hooks=bool(steps) or Random(digest).random() < 0.7,
        drain=random.random() < 0.3,
        reason=random.choice(ODD),
    )


def _some(random: Random, names: tuple[str, ...]) -> list[str]:
    return random.sample(names, random.randint(1, len(names)))
