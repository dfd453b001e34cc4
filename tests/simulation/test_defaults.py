"""Defaults in the whole loop: edits above workflows that run, and crashes at each effect."""

import json
from random import Random
from typing import Any

import pytest
from simulation.trial import judge
from simulation.world import Fate, World

from controller.model import events as e

CHAIN = """\
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: chain}
spec:
  steps:
  - {name: long, run: long}
  - {name: own, run: own, timeoutSeconds: 30, dependsOn: [long]}
"""
ONE = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: one}
spec:
  steps:
  - {name: long, run: long}
  - {name: fails, run: fails}
  - {name: each, run: each, forEach: [a, b], dependsOn: [fails]}
  - {name: piece, template: {name: chain}}
"""
TWO = ONE.replace("name: one", "name: two")


def policy(timeout: float, limit: int, **more: object) -> str:
    retry = {"limit": limit, "backoff": {"initialSeconds": 0.5, "jitter": 0}}
    spec = {"defaults": {"timeoutSeconds": timeout, "retry": retry}, **more}
    return json.dumps({"apiVersion": "treadle.dev/v1", "kind": "Defaults", "spec": spec})


def fate(workflow: str, step: str, number: int) -> Fate:
    if step.endswith("long"):
        return Fate(seconds=20, deaf_seconds=0.5)
    return Fate(seconds=1, exit_code=int(step == "fails" and number <= 2))


def told(crash_before: int | None = None) -> World:
    """Defaults are edited, moved and removed while two workflows run; one moves below others."""
    world = World(fate=fate, max_parallel=20, crash_before=crash_before)
    world.files = {
        "t.yaml": CHAIN,
        "one.yaml": ONE,
        "team/two.yaml": TWO,
        "all.yaml": policy(100, 1),
        "team/d.yaml": policy(50, 2),
    }
    world.boot_controller()
    world.run(1.2)  # `fails` has failed once in both
    world.files["all.yaml"] = policy(100, 2)
    world.run(4)
    world.files["team/d.yaml"] = policy(8, 0)  # the long ones of two have 3 seconds left
    world.run(1)
    world.files["team/one.yaml"] = world.files.pop("one.yaml")
    world.run(1)
    world.files["team/d.yaml"] = "kind: ["
    world.run(4)
    world.files["team/d.yaml"] = policy(100, 5, ttlSecondsAfterFinished=60)
    world.run(1)
    del world.files["team/d.yaml"]
    world.run(10)
    world.files["all.yaml"] = policy(1, 0, ttlSecondsAfterFinished=0)
    world.run(200)
    return world


def test_a_crash_before_any_effect_around_defaults_changes_nothing() -> None:
    quiet = told()
    judge(quiet, "told")
    ended = {
        (record.event.step, record.event.reason)
        for record in quiet.records()
        if isinstance(record.event, e.AttemptFinished) and record.event.reason == "Timeout"
    }
    assert ended == {("long", "Timeout"), ("piece/long", "Timeout")}
    assert quiet.begun["one", "fails"] == 3, "by the limit that came while it ran"
    generations = [r.event for r in quiet.records() if isinstance(r.event, e.GenerationAccepted)]
    assert len(generations) == 2, "none of this is an edit of a workflow"
    for effect in range(1, quiet.effects + 1):
        stormy = told(effect)
        judge(stormy, f"told({effect})")
        assert stormy.phases() == quiet.phases(), effect
        assert stormy.begun == quiet.begun, effect
        assert stormy.controller.state.defaults.keys() == {""}


# ---------------------------------------- whatever people do

FOLDERS = ("", "team/", "team/sub/", "te/")
SEEDS = 25


def any_story(seed: int, crash_before: int | None = None) -> World:
    """Files with Defaults come, change, break and go; workflows move between their folders."""
    random = Random(seed)
    world = World(fate=fate, max_parallel=20, crash_before=crash_before)
    homes = {name: random.choice(FOLDERS) for name in ("one", "two")}
    texts = {"one": ONE, "two": TWO}
    world.files = {"t.yaml": CHAIN}
    world.files |= {f"{home}{name}.yaml": texts[name] for name, home in homes.items()}
    world.boot_controller()
    for _ in range(12):
        folder, deed = random.choice(FOLDERS), random.random()
        if deed < 0.5:
            timeout, limit = random.choice([3, 15, 100]), random.randint(0, 2)
            grace = random.choice([1, 5])
            more: dict[str, Any] = {"ttlSecondsAfterFinished": grace} if grace > 1 else {}
            if random.random() < 0.5:
                hooks = [{"name": f"h{random.randint(0, 1)}", "run": "x"}]
                kinds = random.sample(["onStart", "onFailure", "onSuccess", "onExit"], 2)
                more["hooks"] = dict.fromkeys(kinds, hooks if random.random() < 0.8 else [])
            world.files[f"{folder}d.yaml"] = policy(timeout, limit, **more)
        elif deed < 0.6:
            world.files[f"{folder}d.yaml"] = "kind: ["
        elif deed < 0.75:
            world.files.pop(f"{folder}d.yaml", None)
        else:
            name = random.choice(["one", "two"])
            del world.files[f"{homes[name]}{name}.yaml"]
            homes[name] = folder
            world.files[f"{folder}{name}.yaml"] = texts[name]
        world.run(random.choice([0.2, 1.0, 2.5]))
    world.run(300)
    return world


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_people_do_to_defaults_a_crash_changes_nothing(seed: int) -> None:
    quiet = any_story(seed)
    judge(quiet, f"any_story({seed})")
    generations = [r.event for r in quiet.records() if isinstance(r.event, e.GenerationAccepted)]
    assert len(generations) == 2
    for effect in Random(seed).sample(range(1, quiet.effects + 1), 5):
        stormy = any_story(seed, effect)
        judge(stormy, f"any_story({seed}, {effect})")
        assert stormy.phases() == quiet.phases(), effect
        assert stormy.begun == quiet.begun, effect
        assert stormy.controller.state.defaults == quiet.controller.state.defaults
