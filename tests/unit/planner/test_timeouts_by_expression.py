"""Timeouts that expressions give, and edits of them while the step runs."""

from story import Story, a_step

from controller.model.state import timeout_seconds


def limit(story: Story) -> float | None:
    step = story.step("b")
    assert step.live is not None
    return timeout_seconds(step, step.live)


def steps(code: str | float | None) -> list[dict[str, object]]:
    a = a_step("a", outputs={"n": "integer"})
    return [a, a_step("b", "a", **({} if code is None else {"timeoutSeconds": code}))]


BOTH = "${{ params.t + steps.a.outputs.n }}"


def test_an_edit_counts_for_what_runs() -> None:
    story = Story().accept(steps(BOTH), params={"t": 10}).exit("a", outputs=b"n=5").start("b")
    assert limit(story) == 15
    assert story.accept(steps(BOTH), params={"t": 20}).wait(1) and limit(story) == 25
    assert story.accept(steps(40), params={"t": 20}).wait(1) and limit(story) == 40
    assert story.accept(steps(None), params={"t": 20}).wait(1) and limit(story) is None
    assert story.accept(steps(BOTH), params={"t": 1}).wait(1) and limit(story) == 6
    assert story.step("b").numbered == 1, "none of that runs it again"
    assert story.wait(10).step("b").live.ending.reason == "Timeout"


def test_an_edit_that_gives_no_timeout_leaves_the_one_in_force() -> None:
    story = Story().accept(steps(BOTH), params={"t": 10}).exit("a", outputs=b"n=5").start("b")
    story.accept(steps("${{ params.t / (steps.a.outputs.n - 5) }}"), params={"t": 10})
    assert limit(story) == 15


def test_a_step_that_is_new_can_be_read_by_one_that_runs_with_no_harm() -> None:
    story = Story().accept(steps(BOTH), params={"t": 10}).exit("a", outputs=b"n=5").start("b")
    new = a_step("c", outputs={"m": "integer"})
    reads = a_step("b", "a", "c", timeoutSeconds="${{ steps.c.outputs.m }}")
    story.accept([steps(None)[0], reads, new], params={"t": 10})
    assert story.step("b").live.ending.reason == "SpecChanged"


def test_what_is_no_length_of_time_fails_the_step() -> None:
    story = Story().accept(steps(BOTH), params={"t": -5}).exit("a", outputs=b"n=5")
    assert story.why("b") == ("Failed", "ExpressionFailed")
    assert "gives 0; it must be more than 0" in story.step("b").message
