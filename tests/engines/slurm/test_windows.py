"""A controller that is killed anywhere on an attempt's way through Slurm: it runs once."""

import random

import pytest
from engines.slurm.fake import Controller, Killed, World

from controller.executor.slurm import cluster

WINDOWS = (
    "scheduled",  # before sbatch was asked
    "unheard",  # sbatch has a job, and nobody has heard of it
    "answered",  # its number was heard, and is not in the log
    "kept",  # it is in the log, and the job is held
    "let go",  # scontrol is about to be asked to release it
    "released unheard",  # it runs, and nobody has heard of it
    "started",
    "start kept",
    "ended",  # its end was heard, and is not in the log
    "end kept",  # it is, and its folder is still there
    "forgotten",
)
ANSWERS_THAT_FAIL = ("lost", "ghost", "fail No route to host", "say what?")
STEPS = ("a", "b", "c")


def run(world: World, *windows: str) -> None:
    """All steps to their ends, with a kill in each of these windows, if they come that far."""
    for window in (*windows, ""):
        world.kill_at = window
        try:
            _one_life(world)
        except Killed:
            continue
    world.kill_at = ""
    _one_life(world)


def _one_life(world: World) -> None:
    controller = Controller(world)
    known = {attempt.step for attempt in world.log}
    controller.start(*(world.launch(step) for step in STEPS if step not in known))
    controller.until_ended()
    controller.until(lambda: not any(world.folder(step).exists() for step in STEPS))
    controller.rest(120)


def check(world: World) -> None:
    state, jobs = world.cluster.state, world.cluster.jobs()
    names = {job["name"] for job in jobs}
    assert sorted(state["ran"]) == sorted(names) and len(names) == len(STEPS)
    assert not state["twice"]
    for name in names:
        assert sum(job["releases"] > 0 for job in world.cluster.jobs(name)) == 1
    assert not [job for job in jobs if job["state"] == "PENDING"]
    for step in STEPS:
        ended = world.ended(step)
        assert ended is not None and (ended.how, ended.exit_code) == ("exited", 0), ended
        assert (world.state_dir / f"runs/uid/{step}.1.log").read_text() == "hello\n"


@pytest.mark.parametrize("window", ["", *WINDOWS])
def test_killed_in_a_window(world: World, window: str) -> None:
    run(world, window)
    assert not world.kill_at
    check(world)


@pytest.mark.parametrize("answer", ANSWERS_THAT_FAIL)
@pytest.mark.parametrize("window", ["", "unheard", "kept"])
def test_sbatch_that_fails_and_a_kill(world: World, answer: str, window: str) -> None:
    world.cluster.misbehave("sbatch", answer, answer, answer, answer)
    run(world, window)
    check(world)


def test_sbatch_that_has_submitted_and_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CALL_SECONDS", 1.0)
    world.cluster.misbehave("sbatch", "hang", "hang")
    run(world)
    check(world)


@pytest.mark.parametrize("seed", range(12))
def test_killed_again_and_again_while_programs_fail(world: World, seed: int) -> None:
    chance = random.Random(seed)
    for program in ("sbatch", "squeue", "scontrol", "scancel"):
        answers = ["", "", "", "", "lost", "fail Unable to contact slurm controller"]
        if program in ("sbatch", "squeue"):
            answers += ["say what?"]
        if program == "sbatch":
            answers += ["ghost", "ghost"]
        world.cluster.misbehave(program, *chance.choices(answers, k=30))
    run(world, *chance.choices(WINDOWS, k=6))
    check(world)
