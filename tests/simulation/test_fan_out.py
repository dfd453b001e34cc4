"""Steps with `forEach` in the whole loop: edits that wait, and crashes at each effect."""

from typing import Any

from simulation.trial import judge
from simulation.world import Fate, World
from story import a_step, document

FIND = a_step("find", outputs={"names": "array"})


def fate(workflow: str, step: str, number: int) -> Fate:
    if step == "find":
        names = '["x", "y", "z"]' if number == 1 else '["z", "y", "w"]'
        return Fate(seconds=1, outputs=f'{{"names": {names}}}'.encode())
    fails = step == "load[b]" and number == 1
    return Fate(seconds=2, exit_code=int(fails), deaf_seconds=0.5, outputs=b"n=1")


def steps(find: str = "old", load: str = "old", removed: str = "End") -> list[dict[str, Any]]:
    backoff = {"limit": 1, "backoff": {"initialSeconds": 0.5, "jitter": 0}}
    of_param = {
        "forEach": "${{ params.l }}",
        "env": {"N": "${{ item }}"},
        "outputs": {"n": "integer"},
        "parallelism": 2,
        "retry": backoff,
        "onRemoved": removed,
    }
    return [
        {**FIND, "run": find},
        a_step("load", run=load, **of_param),
        a_step("each", "find", forEach="${{ steps.find.outputs.names }}", run="each"),
        a_step("last", "load", "each", env={"N": "${{ steps.load.outputs.n }}"}),
    ]


def write(world: World, letters: str, **fields: Any) -> None:
    of_spec = {"params": {"l": [*letters]}, "editPolicy": fields.pop("policy", "Reconcile")}
    world.files["w.yaml"] = (document(steps(**fields), "w", **of_spec),)


def starts(world: World) -> dict[str, int]:
    return {step: number for (_, step), number in sorted(world.begun.items())}


def told(crash_before: int | None = None, removed: str = "End") -> World:
    """Lists are edited while children run, wait and are tried again; then at rest."""
    world = World(fate=fate, max_parallel=3, crash_before=crash_before)
    write(world, "abcd", removed=removed)
    world.boot_controller()
    world.run(2.2)
    write(world, "cbae", removed=removed)
    world.run(2)
    write(world, "cbaf", find="new", removed=removed)
    world.run()
    write(world, "cb", find="new", load="new", removed=removed)
    world.run()
    return world


def test_a_crash_before_any_effect_of_an_expansion_or_an_edit_changes_nothing() -> None:
    for removed in ("End", "Finish"):
        quiet = told(removed=removed)
        assert set(quiet.phases()["w"].values()) == {"Succeeded"}
        assert sorted(quiet.controller.state.workflows["w"].steps["each"].children) == [
            "each[w]",
            "each[y]",
            "each[z]",
        ]
        for effect in range(1, quiet.effects + 1):
            stormy = told(effect, removed)
            judge(stormy, f"told({effect}, {removed!r})")
            assert stormy.phases() == quiet.phases(), effect
            assert starts(stormy) == starts(quiet), effect


def test_an_edit_of_a_list_waits_until_the_run_has_ended() -> None:
    world = World(fate=fate)
    write(world, "ac", policy="AfterRun")
    world.boot_controller()
    world.run(1)
    write(world, "ad", policy="AfterRun")
    world.run(0.1)
    life = world.controller.state.workflows["w"]
    assert life.conditions["EditPending"].status == "True"
    assert life.steps["load"].children == ["load[a]", "load[c]"]
    world.run()
    life = world.controller.state.workflows["w"]
    assert (life.phase, life.generation, life.run) == ("Succeeded", 2, 2)
    assert life.steps["load"].children == ["load[a]", "load[d]"]
    assert starts(world) == {
        "each[x]": 1,
        "each[y]": 1,
        "each[z]": 1,
        "find": 1,
        "last": 2,
        "load[a]": 1,
        "load[c]": 1,
        "load[d]": 1,
    }
