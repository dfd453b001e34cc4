"""`up --end-steps`: the controller ends what runs before it goes, and the next tries it again."""

from story import Story, a_step

from controller.planner.permission import Limits

STOPPING = Limits(max_parallel=9, stopping=True)
GOING_ON = Limits(max_parallel=9)


def stopped(story: Story) -> Story:
    story.limits = STOPPING
    return story.settle()


def test_what_runs_is_ended_and_nothing_starts() -> None:
    story = stopped(Story(Limits(max_parallel=1)).accept([a_step("a"), a_step("b")]).start("a"))
    ending = story.attempt("a").ending
    assert ending is not None
    assert (ending.reason, ending.grace, ending.withdraw) == ("ControllerStopped", 3.0, False)
    story.end("a")
    assert story.live() == set()
    assert story.step("a").attempts[0].phase == "Interrupted"
    assert story.why("a") == ("Pending", "BackOff")
    assert story.phases()["b"] == "Ready"


def test_the_next_controller_tries_again_and_no_retry_is_spent() -> None:
    story = stopped(Story().accept([a_step("a", retry={"limit": 1})]).start("a")).end("a")
    story.limits = GOING_ON
    story.wait(1)
    assert story.live() == {"a"}
    assert (story.step("a").retries, story.attempt("a").number) == (0, 2)


def test_stopping_again_and_again_fails_no_step() -> None:
    story = Story().accept([a_step("a")])
    for _ in range(6):
        story.limits = GOING_ON
        stopped(story.wait(1).start("a")).end("a")
    story.limits = GOING_ON
    story.wait(1).exit("a")
    assert story.why("a") == ("Succeeded", "Completed")


def test_a_step_that_is_not_to_be_retried_when_interrupted_fails() -> None:
    steps = [a_step("a", retry={"on": ["Timeout"], "limit": 2})]
    story = stopped(Story().accept(steps).start("a")).end("a")
    assert story.why("a") == ("Failed", "ControllerStopped")


def test_a_queued_start_is_withdrawn_and_waits_for_a_slot() -> None:
    story = stopped(Story().accept([a_step("a")])).end("a")
    assert story.phases() == {"a": "Ready"}
    assert not story.live()


def test_a_withdrawal_under_way_becomes_an_end() -> None:
    """It may have started meanwhile, and then a withdrawal would let it run."""
    story = stopped(Story().accept([a_step("a")]).mark(drain=True))
    ending = story.attempt("a").ending
    assert ending is not None
    assert not ending.withdraw


def test_what_drains_is_cancelled_when_its_last_run_is_interrupted() -> None:
    """It would be tried again, but nothing of a draining workflow starts."""
    story = Story().accept([a_step("a", retry={"limit": 2})]).start("a").mark(drain=True)
    stopped(story).end("a")
    assert story.step("a").attempts[0].phase == "Interrupted"
    assert story.why("a") == ("Cancelled", "CancelMarker")
    assert story.why() == ("Cancelled", "CancelMarker")


def test_what_is_being_ended_keeps_its_reason() -> None:
    story = stopped(Story().accept([a_step("a")]).start("a").mark()).end("a")
    assert story.why("a") == ("Cancelled", "CancelMarker")


def test_one_that_ended_by_itself_keeps_its_result() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")]).start("a").wait(5)
    stopped(story).end("a", exit_code=0, at=story.now - 1)
    assert story.phases() == {"a": "Succeeded", "b": "Ready"}


def test_what_an_engine_has_elsewhere_goes_on() -> None:
    job, box = {"slurm": {}}, {"container": {"image": "i"}}
    steps = [a_step("job", executor=job), a_step("box", executor=box), a_step("new", executor=job)]
    story = stopped(Story().accept(steps).start("job", "box"))
    assert {name for name in story.live() if story.attempt(name).ending} == {"box"}
