"""How steps are named on the command line: as they are printed, several, by patterns."""

import json

import pytest
from cli.place import Place
from story import Story, a_step

UID = "7c0f5d1e-aaaa-4bbb-8ccc-000000000001"


@pytest.fixture
def etl(place: Place) -> Place:
    """`clean-eu` succeeded, `clean-us` failed, so `load` was skipped."""
    story = Story()
    story.chance.uid = lambda: UID  # type: ignore[method-assign]
    steps = [a_step("clean-eu"), a_step("clean-us"), a_step("load", "clean-eu", "clean-us")]
    story.accept(steps, name="etl")
    story.exit("clean-eu", workflow="etl").exit("clean-us", 1, workflow="etl")
    place.log(story.records)
    return place


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retry", "etl/load"], "etl: would retry load"),
        (["retry", "etl", "clean-*"], "etl: would retry clean-eu, clean-us and load"),
        (["retry", "etl/clean-eu", "etl/load"], "etl: would retry clean-eu and load"),
        (["retry", "7c0f5d1e/clean-?u"], "etl: would retry clean-eu and load"),
        (["mark", "etl/load", "--succeeded", "--reason", "x"], "etl: would mark load as succeeded"),
        (["cancel", "etl/load"], "etl: has already finished as Failed; nothing to cancel"),
    ],
)
def test_commands_that_change_a_step(etl: Place, words: list[str], said: str) -> None:
    assert etl.says(*words, "--dry-run") == f"{said}\n"


def test_status_of_one_step(etl: Place) -> None:
    page = etl.says("status", "etl/clean-us")
    assert page == etl.says("status", "etl", "clean-us") == etl.says("status", UID, "clean-u*")
    assert page.startswith("etl/clean-us\n")
    assert "treadle explain etl clean-us" in page
    shape = json.loads(etl.says("status", "etl/clean-us", "-o", "json"))
    assert shape in json.loads(etl.says("status", "etl", "-o", "json"))["status"]["steps"]
    assert shape["name"] == "clean-us"


@pytest.mark.parametrize("command", ["logs", "events", "status", "retry", "cancel", "explain"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["etl/laod"], 'etl has no step "laod"; did you mean "load"?'),
        (["etl", "laod"], 'etl has no step "laod"; did you mean "load"?'),
        (["etl/x-*"], 'no step of etl matches "x-*"'),
        (["elt/load"], 'no workflow is named "elt"; did you mean "etl"?'),
    ],
)
def test_what_is_not_there(etl: Place, command: str, words: list[str], said: str) -> None:
    assert etl.complains(command, *words, code=5) == f"treadle: {said}"


def test_what_takes_no_step_and_what_needs_one(etl: Place) -> None:
    said = 'treadle: no workflow is named "etl/load"; etl is one, but this command takes no step'
    for words in (["restart"], ["history"], ["suspend"], ["get"]):
        assert etl.complains(*words, "etl/load", code=5) == said
    said = etl.complains("mark", "etl", "--succeeded", "--reason", "x", code=2)
    assert said == "treadle: name the step that was done: treadle mark etl STEP"
    for command in ("explain", "status"):
        assert "choose one step of etl" in etl.complains(command, "etl", "*", code=2)
    assert "etl/load is Skipped" in etl.says("explain", "etl/load")


@pytest.mark.parametrize("word", [UID, UID[:8]])
def test_a_uid_is_taken_wherever_a_name_is(etl: Place, word: str) -> None:
    for command in ("get", "status", "logs", "events", "replay", "explain", "history"):
        assert etl.treadle(command, word).stderr.count(b"no workflow") == 0
    for command in ("retry", "restart", "suspend"):
        assert etl.says(command, word, "--dry-run").startswith("etl: ")
    assert etl.says("wait", word, "--for=phase=Failed") == "etl: phase=Failed\n"
