"""What a whole house shares in a story: Defaults with hooks, a pool, a lock, and who is asked.

All is drawn from generators of its own, so that the other draws of a story stay as they were.
"""

from collections.abc import Callable
from posixpath import basename
from random import Random
from typing import Any

from simulation import hooks
from simulation.world import World
from specs_folder import defaults, pool

from controller.model import events as e
from controller.model.observations import Request
from controller.model.state import State

FOLDERS = ("", "team/")
PATIENCE = (2, 30)  # seconds that a question waits

Deed = Callable[[World], None]


def dressed(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps as a house has them: some use something that is scarce, and one asks a person."""
    found = [_using(step) for step in steps]
    random = Random(f"ask {[step['name'] for step in steps]}")
    if random.random() < 0.6:
        needs = random.sample([step["name"] for step in steps], random.randint(0, 1))
        asks = {"message": "Fine?", "timeoutSeconds": random.choice(PATIENCE)}
        found.append({"name": "ask", "approve": asks, "dependsOn": needs})
        found.append({"name": "then", "dependsOn": ["ask"], "uses": [{"lock": "x"}]})
    return found


def _using(step: dict[str, Any]) -> dict[str, Any]:
    random = Random(f"uses {step}")
    uses: list[list[Any]] = [["gpu"], [{"lock": "x"}], ["gpu", {"lock": "x"}]]
    return step if random.random() < 0.5 else {**step, "uses": random.choice(uses)}


class House:
    """The files of a story beside its workflows, and what people do to them."""

    def __init__(self, seed: int, seconds: float) -> None:
        random = Random(f"house {seed}")
        self.is_there = random.random() < 0.6
        self.files = {"pools.yaml": pool("gpu", random.randint(1, 2))} if self.is_there else {}
        self.files |= {f"{home}d.yaml": _defaults(random) for home in FOLDERS if self.is_there}
        self.home = random.choice(FOLDERS) if self.is_there else ""  # of the workflows at first
        times = [random.uniform(0, seconds) for _ in range(random.randint(2, 8))]
        self.deeds = [(at, _deed(random, index)) for index, at in enumerate(sorted(times))]
        if not self.is_there:
            self.deeds = []

    def open_all(self, world: World) -> None:
        """Nobody waits for ever for a pool that is gone."""
        if self.is_there:
            world.files["pools.yaml"] = pool("gpu", 1)


def path_of(world: World, name: str) -> str:
    """Where the file of the workflow is, or would be."""
    file = f"{name}.yaml"
    return next((path for path in world.files if basename(path) == file), file)


def _defaults(random: Random) -> str:
    drawn = hooks.some(random)
    ttl = {"ttlSecondsAfterFinished": 0} if random.random() < 0.2 else {}
    return defaults(random.choice([1.5, 60]), **drawn, **ttl)


def _deed(random: Random, index: int) -> Deed:
    name, home = random.choice(("alpha", "beta", "gamma")), random.choice(FOLDERS)
    kinds = ["policy", "policy", "away", "move", "pool", *["answer"] * 3, *["again"] * 2]
    kind = random.choice(kinds)
    if kind == "policy":
        text = _defaults(random)
        return lambda world: world.files.update({f"{home}d.yaml": text})
    if kind == "away":
        return lambda world: world.files.pop(f"{home}d.yaml", None) and None
    if kind == "pool":
        slots = random.randint(0, 2)
        if not slots:
            return lambda world: world.files.pop("pools.yaml", None) and None
        return lambda world: world.files.update({"pools.yaml": pool("gpu", slots)})
    if kind == "move":
        return lambda world: _move(world, name, home)
    asked = Request(
        name=f"house-{index:03}",
        kind="approve" if kind == "answer" else "retry",
        workflow=name,
        steps=["ask"],
        question=random.choice([1, 1, 1, 2, 3]),
        approved=random.random() < 0.7,
        by="ada",
    )
    return lambda world: world.requests.update({asked.name: asked})


def _move(world: World, name: str, home: str) -> None:
    path = path_of(world, name)
    if path in world.files:
        world.files[f"{home}{name}.yaml"] = world.files.pop(path)


class Questions:
    """Each question has the next number, is answered at most once, and a yes is what counts."""

    def __init__(self) -> None:
        self.asked: dict[tuple[str, str], int] = {}  # the last number of each step
        self.open: set[tuple[str, str]] = set()
        self.yes: set[tuple[str, str]] = set()

    def see(self, state: State, event: e.AnyEvent) -> str:
        """What is wrong with the event; `state`: the one before it."""
        match event:
            case e.ApprovalAsked(uid=uid, step=step, number=number):
                key = uid, step
                before = self.asked.get(key, 0)
                is_open = key in self.open and state.lives[uid].steps[step].asking is not None
                self.asked[key] = number
                self.open.add(key)
                self.yes.discard(key)
                if is_open or number != before + 1:
                    return f"{step} asks question {number} after {before}, open: {is_open}"
            case e.ApprovalAnswered(uid=uid, step=step, number=number, approved=approved):
                key = uid, step
                if key not in self.open or number != self.asked[key]:
                    return f"question {number} of {step} is answered, but nobody asks it"
                self.open.discard(key)
                if approved:
                    self.yes.add(key)
            case e.AttemptScheduled(uid=uid, step=step):
                steps = state.lives[uid].steps
                if step in steps and steps[step].definition.approve is not None:
                    return f"{step} asks a person, and has an attempt"
                if step == "then" and (uid, "ask") not in self.yes:
                    return "it goes on, and nobody said yes"
            case e.StepFailed(uid=uid, step=step) | e.StepCancelled(uid=uid, step=step):
                self.open.discard((uid, step))
            case e.StepReset(uid=uid, step=step) | e.StepSkipped(uid=uid, step=step):
                self.open.discard((uid, step))
        return ""
