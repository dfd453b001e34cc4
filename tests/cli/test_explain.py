"""`explain` and `history`, and generations that are compared."""

import getpass
import json

import pytest
from cli.place import HELD, Place, document


def edit(place: Place, was: str, becomes: str) -> None:
    file = place.specs / "w.yaml"
    file.write_text(file.read_text().replace(was, becomes))


def test_why_a_step_waits_and_who_has_the_slot(place: Place) -> None:
    place.spec("w", a=HELD, b="true")
    place.spec("x", lone="true")
    with place.up() as controller:
        assert controller.pid
        place.until(lambda: place.phase("w") == "Running")
        place.until(lambda: "Running" in place.says("explain", "w", "b"))
        lines = place.says("explain", "w", "b").splitlines()
        assert lines[0] == "w/b is Pending (WaitingForDependencies): waiting for a"
        assert lines[1].startswith("  a is Running (Started): running (pid ")
        (shape,) = json.loads(place.says("explain", "w", "b", "-o", "json"))
        assert [one["step"] for one in shape["causes"]] == ["b", "a"]


def test_what_each_generation_did_and_what_lies_between_two(place: Place) -> None:
    place.spec("w", a="echo 1", b="echo 2")
    place.says("up", "--once")
    edit(place, "echo 2", "echo two")
    place.says("up", "--once")
    edit(place, "echo 1", "echo one")
    place.says("up", "--once")
    lines = [json.loads(line) for line in place.says("history", "w", "-o", "json").splitlines()]
    assert [line["generation"] for line in lines] == [1, 2, 3]
    effects = [{step["name"]: step["action"] for step in line["steps"]} for line in lines]
    assert effects == [{}, {"a": "keep", "b": "run"}, {"a": "run", "b": "run"}]
    assert "1 unchanged; to run again: b (run changed)" in place.says("history", "w")
    assert {line["by"] for line in lines} == {getpass.getuser()}, "who owns the file"
    said = place.says("diff", "w", "--from", "2", "--to", "3", code=1)
    assert "generation 2 -> 3" in said and "+run: echo one" in said
    far = json.loads(place.says("diff", "w", "--from", "1", "--to", "3", "-o", "json", code=1))
    assert {step["name"]: step["reason"] for step in far["steps"]} == {
        "a": "SpecChanged",
        "b": "SpecChanged",
    }
    assert "no generation 7" in place.complains("diff", "w", "--from", "7", code=5)
    assert "to run again: a (run changed), b (depends on" in place.says("status", "w", "-o", "wide")
    inputs = place.says("explain", "w", "a", "--inputs")
    assert "  - run: echo 1\n  + run: echo one\n" in inputs


def test_an_edit_that_was_taken_back_is_a_generation_like_the_one_before_it(place: Place) -> None:
    spec = json.loads(document("w", a=HELD, b="true"))
    spec["spec"]["editPolicy"] = "AfterRun"
    file = place.specs / "w.yaml"
    file.write_text(json.dumps(spec))
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        file.write_text(json.dumps(spec).replace("true", "echo"))
        place.until(lambda: place.folded().workflows["w"].pending is not None)
        file.write_text(json.dumps(spec))
        place.until(lambda: place.folded().workflows["w"].pending is None)
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")
    lines = [json.loads(line) for line in place.says("history", "w", "-o", "json").splitlines()]
    assert [line["generation"] for line in lines] == [1, 3]
    assert {step["action"] for step in lines[1]["steps"]} == {"keep"}
    assert "2 unchanged" in place.says("history", "w")
    assert "no generation 2; history has 1, 3" in place.complains("diff", "w", "--to", "2", code=5)
    assert "no generation before 1" in place.complains("diff", "w", "--to", "1", code=5)
    assert "no generation after 3" in place.complains("diff", "w", "--from", "3", code=5)
    assert "generation 3 takes back the edit" in place.says("events", "w")


def test_a_step_that_came_back_before_it_ended_was_let_go_on(place: Place) -> None:
    spec = json.loads(document("w", a=HELD, b="true"))
    spec["spec"]["steps"] = [
        {**one, "onRemoved": "Finish", "dependsOn": []} for one in spec["spec"]["steps"]
    ]
    file = place.specs / "w.yaml"
    file.write_text(json.dumps(spec))
    without = {**spec, "spec": {**spec["spec"], "steps": spec["spec"]["steps"][1:]}}
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        place.until(lambda: place.folded().workflows["w"].steps["a"].phase == "Running")
        file.write_text(json.dumps(without))
        place.until(lambda: place.folded().workflows["w"].generation == 2)
        file.write_text(json.dumps(spec))
        place.until(lambda: place.folded().workflows["w"].generation == 3)
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")
    last = json.loads(place.says("history", "w", "-o", "json").splitlines()[-1])
    assert [step["action"] for step in last["steps"]] == ["continue", "keep"]
    assert place.folded().workflows["w"].steps["a"].numbered == 1


def test_the_fields_of_a_spec_are_explained(place: Place) -> None:
    said = place.says("explain", "workflow.spec.steps.retry.limit")
    assert said.splitlines()[0] == "workflow.spec.steps.retry.limit  integer"
    assert "retries may follow the first attempt" in said
    top = place.says("explain", "workflow")
    assert "apiVersion" in top and "(required)" in top
    complaint = place.complains("explain", "workflow.spec.stepz", code=5)
    assert 'workflow.spec has no field stepz; did you mean "steps"?' in complaint


@pytest.mark.parametrize(
    ("word", "field"),
    [
        ("steps", "workflow.spec.steps  list of"),
        ("spec.steps", "workflow.spec.steps  list of"),
        ("retry.limit", "workflow.spec.steps.retry.limit  integer"),
        ("onFailure.when", "workflow.spec.hooks.onFailure.when  text"),
        ("steps.retry.limit", "workflow.spec.steps.retry.limit  integer"),
        ("spec.steps[4].run", "workflow.spec.steps.run  text"),
        ("params.enum", "workflow.spec.params.enum  list"),
        ("env.fromFile", "workflow.spec.env.fromFile  text"),
        ("metadata", "workflow.metadata  "),
        ("template", "workflow.spec.steps.template  mapping"),
        ("template.params", "workflow.spec.steps.template.params  mapping"),
        ("template.spec", "template.spec  mapping"),
        ("template.spec.outputs", "template.spec.outputs  mapping"),
        ("template.spec.steps.retry.limit", "template.spec.steps.retry.limit  integer"),
    ],
)
def test_the_end_of_the_path_of_a_field_is_enough(place: Place, word: str, field: str) -> None:
    assert place.says("explain", word).startswith(field)


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("retry.limits", 'workflow.spec.steps.retry has no field limits; did you mean "limit"?'),
        ("steps.nope", "workflow.spec.steps has no field nope; its fields: name, run"),
        ("run.x", "workflow.spec.steps.run has no field x; it has no fields"),
        ("template.spec.env", "template.spec has no field env; its fields: steps, params, outputs"),
        ("template.zzz", "workflow.spec.steps.template has no field zzz; its fields: name, params"),
        ("workflow.zzz", "workflow has no field zzz; its fields: apiVersion"),
        ("dependsOnn", 'no field of a spec is named "dependsOnn"; did you mean "dependsOn"?'),
        ("nothing-near", 'no workflow is named "nothing-near"'),
    ],
)
def test_an_unknown_field_is_a_clear_error(place: Place, word: str, complaint: str) -> None:
    assert complaint in place.complains("explain", word, code=5)


def test_a_workflow_goes_before_a_field(place: Place) -> None:
    place.spec("steps", a="true")
    place.says("up", "--once")
    assert place.says("explain", "steps").startswith("✓ steps is Succeeded")
    assert place.says("explain", "spec.steps").startswith("workflow.spec.steps")


def test_a_workflow_that_is_called_workflow_is_explained_as_any_other(place: Place) -> None:
    place.spec("workflow", a="true")
    place.says("up", "--once")
    assert place.says("explain", "workflow").startswith("✓ workflow is Succeeded")
    assert place.says("explain", "workflow", "a").startswith("workflow/a is Succeeded")
    assert place.says("explain", "workflow.kind").startswith("workflow.kind  ")


def test_a_state_folder_that_is_a_file_is_one_clear_line(place: Place) -> None:
    place.state.write_text("no folder")
    for words in (("explain", "x"), ("get",), ("status", "x"), ("logs", "x"), ("diff",)):
        done = place.treadle(*words, code=4)
        assert done.stderr.count(b"\n") == 1, done.stderr


def test_who_suspended_it_and_why_is_said(place: Place) -> None:
    place.spec("w", a=HELD, b="true")
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        place.says("suspend", "w", "--reason", "tea time")
        place.until(lambda: place.folded().workflows["w"].suspended is not None)
        assert "tea time" in place.says("explain", "w")
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Suspended")
        place.says("resume", "w")
        place.until(lambda: place.phase("w") == "Succeeded")


def test_an_unknown_name_or_step_is_a_clear_error(place: Place) -> None:
    place.spec("w", alpha="true")
    place.says("up", "--once")
    assert 'no step "alhpa"; did you mean "alpha"?' in place.complains(
        "explain", "w", "alhpa", code=5
    )
    assert "no workflow is named" in place.complains("explain", "v", code=5)
    assert "no workflow is named" in place.complains("history", "v", code=5)
