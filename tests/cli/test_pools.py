"""Pools and locks as people have them: real steps that must not run side by side."""

import json
import signal
from typing import Any

import pytest
from cli.place import DEADLINE_SECONDS, Place

# Fails if another one runs at the same time.
ALONE = "mkdir held && until [ -e go ]; do sleep 0.02; done && rmdir held"


def workflow(place: Place, name: str, *uses: Any, count: int = 1, run: str = "true") -> None:
    steps = [{"name": f"s{index}", "run": run, "uses": [*uses]} for index in range(count)]
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"steps": steps},
    }
    (place.specs / f"{name}.yaml").write_text(json.dumps(document))


def pool(place: Place, name: str, slots: int) -> None:
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Pool",
        "metadata": {"name": name},
        "spec": {"slots": slots},
    }
    (place.specs / f"pool-{name}.yaml").write_text(json.dumps(document))


def phases(place: Place, name: str) -> list[str]:
    life = place.folded().workflows.get(name)
    return [] if life is None else [str(step.phase) for step in life.steps.values()]


def test_a_lock_outlives_the_controller(place: Place) -> None:
    """It is killed while a step holds the lock; nobody else gets it before that step has ended."""
    for name in ("v", "w"):
        workflow(place, name, {"lock": "db"}, count=2, run=ALONE)
    with place.up("--max-parallel", "9") as controller:
        place.until(lambda: "Running" in phases(place, "v") + phases(place, "w"))
        controller.send_signal(signal.SIGKILL)
        controller.wait(DEADLINE_SECONDS)
    assert [line["held"] for line in listed(place)] == [1]
    with place.up("--max-parallel", "9"):
        workflow(place, "late", {"lock": "db"}, run=ALONE)
        place.until(lambda: "Ready" in phases(place, "late"))
        assert (phases(place, "v") + phases(place, "w")).count("Running") == 1
        (place.specs / "go").touch()
        place.until(lambda: all(place.phase(name) == "Succeeded" for name in ("v", "w", "late")))
    assert listed(place) == []


def listed(place: Place) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.says("pools", "-o", "json").splitlines()]


def test_an_edit_of_a_pool_counts_at_once(place: Place) -> None:
    pool(place, "gpu", 1)
    workflow(place, "w", "gpu", count=4, run="until [ -e go ]; do sleep 0.02; done")
    with place.up("--max-parallel", "9"):
        place.until(lambda: phases(place, "w").count("Running") == 1)
        pool(place, "gpu", 3)
        place.until(lambda: phases(place, "w").count("Running") == 3)
        pool(place, "gpu", 1)
        place.until(lambda: place.folded().pools["gpu"].slots == 1)
        assert phases(place, "w").count("Running") == 3
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")


def test_what_waits_for_no_pool_that_there_is_counts_as_failed(place: Place) -> None:
    pool(place, "api", 2)
    workflow(place, "big", {"pool": "api", "slots": 3})
    workflow(place, "lost", "gpu")
    said = place.says("up", "--once", code=1)
    for line in (
        "big/s0 Ready: needs 3 slots of pool api, which has 2: it waits until that has more",
        "lost/s0 Ready: waiting for pool gpu, which is not defined",
        "done: 2 waiting",
    ):
        assert line in said
    assert [place.shape(name)["status"]["steps"][0]["reason"] for name in ("big", "lost")] == [
        "PoolTooSmall",
        "PoolMissing",
    ]
    pool(place, "gpu", 1)
    pool(place, "api", 3)
    place.says("up", "--once")


def test_a_run_does_not_wait_for_a_pool_for_ever(place: Place) -> None:
    workflow(place, "w", "gpu")
    (place.specs / "w.yaml").rename(place.root / "w.yaml")
    assert "w/s0: waiting for pool gpu, which is not defined" in place.says("run", "w.yaml", code=1)


def test_pools_are_listed_with_who_holds_and_who_waits(place: Place) -> None:
    assert place.says("pools") == ""
    pool(place, "gpu", 1)
    workflow(
        place, "w", "gpu", {"lock": "a b"}, count=3, run="until [ -e go ]; do sleep 0.02; done"
    )
    with place.up("--max-parallel", "9"):
        place.until(lambda: phases(place, "w") == ["Running", "Ready", "Ready"])
        assert "no pool is named" in place.complains("pools", "none", code=5)
        shown = place.says("pools")
        assert shown.split()[:7] == ["NAME", "KIND", "SLOTS", "HELD", "WAITING", "HELD", "BY"]
        assert [line.split()[:5] for line in shown.splitlines()[1:2]] == [
            ["gpu", "pool", "1", "1", "2"]
        ]
        assert [line.split()[0] for line in place.says("pools", "gpu").splitlines()] == [
            "pool",
            "PLACE",
            "holds",
            "1",
            "2",
        ]
        first, second = listed(place)
        assert (first["kind"], first["name"], first["slots"], first["held"]) == (
            "Pool",
            "gpu",
            1,
            1,
        )
        assert [one["step"] for one in first["holders"]] == ["s0"]
        assert [one["step"] for one in second["waiting"]] == ["s1", "s2"]
        assert (second["kind"], second["name"], second["path"]) == ("Lock", "a b", None)
        said = place.says("explain", "w", "s2")
        assert "(WaitingForPool): waiting for pool gpu (1 of 1 held: w/s0); 1 in front" in said
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")


@pytest.mark.parametrize("where", ["specs", "elsewhere"])
def test_validate_knows_the_pools_of_the_folder(place: Place, where: str) -> None:
    pool(place, "api", 2)
    workflow(place, "w", {"pool": "api", "slots": 3}, "gpu", {"lock": "x"})
    file = "specs"
    if where == "elsewhere":
        (place.specs / "w.yaml").rename(place.root / "w.yaml")
        file = "w.yaml"
    said = place.treadle("validate", file, "--format", "short").stderr.decode()
    assert "spec.steps[0].uses[0]: needs 3 slots of pool api, which has 2; " in said
    assert "spec.steps[0].uses[1]: no file defines pool gpu; " in said
    assert said.count("warning") == 2


def test_an_edit_of_uses_or_of_a_pool_runs_nothing_again(place: Place) -> None:
    pool(place, "gpu", 1)
    workflow(place, "w", "gpu")
    place.says("up", "--once")
    workflow(place, "w", {"lock": "x"})
    pool(place, "gpu", 2)
    said = place.says("diff", code=1)
    assert "Nothing runs again" in said
    place.says("up", "--once")
    (step,) = place.shape("w")["status"]["steps"]
    assert len(step["attempts"]) == 1
