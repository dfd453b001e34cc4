"""`treadle graph`: of a workflow with the phases of its run, and of a file that nobody has run."""

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from cli.place import Place
from story import Story, a_step, template

from controller.cli.reading.graph import is_file

STEPS = [
    a_step("extract"),
    a_step("check", "extract", approve={"message": "Fine?"}),
    a_step("load", "check", template={"name": "chain"}),
    a_step("page-me", {"step": "load", "condition": "Failed"}, when="${{ run.number > 1 }}"),
]
CHAIN = template(a_step("one"), a_step("two", "one"))


@pytest.fixture
def etl(place: Place) -> Place:
    """`etl` has begun: a step has succeeded, and a question is open."""
    story = Story().accept(STEPS, "etl", templates={"chain": CHAIN})
    story.start("extract", workflow="etl").wait(2).exit("extract", workflow="etl")
    place.log(story.records)
    return place


def written(place: Place, name: str, *steps: dict[str, Any], file: str = "") -> str:
    """The path of a file with this workflow."""
    found = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"steps": steps},
    }
    path = place.root / (file or f"{name}.yaml")
    path.write_text(json.dumps(found))
    return path.name


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# ---------------------------------------- a workflow


def test_the_steps_of_a_workflow_are_drawn_as_by_status(etl: Place) -> None:
    drawn = etl.says("graph", "etl")
    assert [row[1:3] for row in rows(drawn)[1:]] == [
        ["extract", "Succeeded"],
        ["check", "Pending"],
        ["load", "Pending"],
        ["page-me", "Pending"],
    ]
    assert rows(drawn)[1] in rows(etl.says("status", "etl"))


def test_as_svg_with_phases_and_with_the_steps_of_a_template_to_come(etl: Place) -> None:
    picture = ET.fromstring(etl.says("graph", "etl", "-o", "svg"))
    classes = {group.get("data-step"): group.get("class") for group in picture.iter()}
    assert classes["extract"] == "node step is-Succeeded"
    assert classes["check"] == "node approval is-Pending asks"
    assert classes["load/two"] == "node step is-Pending"


def test_as_json_with_all_that_a_page_needs(etl: Place) -> None:
    shown = json.loads(etl.says("graph", "etl", "-o", "json"))
    assert [shown[key] for key in ("workflow", "generation", "run", "phase")] == [
        "etl", 1, 1, "Running",
    ]  # fmt: skip
    nodes = {node["id"]: node for node in shown["layout"]["nodes"]}
    assert nodes["load/one"]["parent"] == "load"
    assert shown["standings"]["extract"] == {
        "phase": "Succeeded", "note": "", "seconds": 2.0, "counts": {}, "asks": False,
    }  # fmt: skip
    edges = {(edge["from"], edge["to"]): edge["condition"] for edge in shown["layout"]["edges"]}
    assert edges["load", "page-me"] == "Failed"
    assert edges["load/one", "load/two"] == "Succeeded"


def test_as_mermaid_and_from_top_to_bottom(etl: Place) -> None:
    assert etl.says("graph", "etl", "-o", "mermaid").startswith(
        'flowchart LR\n    s0["✓ extract"]:::Succeeded\n'
    )
    assert etl.says("graph", "etl", "-o", "mermaid", "--down").startswith("flowchart TD\n")
    shown = json.loads(etl.says("graph", "etl", "-o", "json", "--down"))
    assert shown["layout"]["direction"] == "down"
    assert shown["layout"]["height"] > shown["layout"]["width"]


def test_a_definition_has_the_steps_of_its_spec(place: Place) -> None:
    triggers = [{"name": "night", "schedule": "30 2 * * *"}]
    place.log(Story().accept([a_step("only")], "nightly", triggers=triggers).records)
    assert rows(place.says("graph", "nightly")) == [["STEP", "AFTER", "NOTE"], ["only", "-"]]


def test_what_is_not_there_is_said_as_by_the_other_commands(etl: Place) -> None:
    said = etl.complains("graph", "elt", code=5)
    assert said == 'treadle: no workflow is named "elt"; did you mean "etl"?'
    assert etl.complains("graph", "gone.yaml", code=5) == "treadle: gone.yaml: no such file"


# ---------------------------------------- a file


def test_a_file_is_drawn_before_anybody_has_run_it(place: Place) -> None:
    file = written(
        place,
        "job",
        a_step("find", run="true"),
        a_step("count", "find", run="true", forEach=[1, 2]),
        a_step("ask", "count", approve={"message": "Fine?"}),
        a_step("tidy", {"step": "ask", "condition": "Finished"}, run="true"),
    )
    assert rows(place.says("graph", file)) == [
        ["STEP", "AFTER", "NOTE"],
        ["find", "-"],
        ["count", "find", "for", "each", "item"],
        ["ask", "count", "asks", "a", "person"],
        ["tidy", "ask", "(finished)"],
    ]
    shown = json.loads(place.says("graph", file, "-o", "json"))
    assert shown["run"] is None and shown["standings"] == {}
    assert not place.state.exists(), "nothing is written"
    piped = (place.root / file).read_bytes()
    assert place.says("graph", "-", stdin=piped) == place.says("graph", file)


def test_a_template_comes_from_the_specs_folder(place: Place) -> None:
    chain = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Template",
        "metadata": {"name": "chain"},
        "spec": CHAIN["spec"],
    }
    (place.specs / "chain.yaml").write_text(json.dumps(chain))
    file = written(place, "job", a_step("load", template={"name": "chain"}))
    assert [row[0] for row in rows(place.says("graph", file))] == ["STEP", "load", "one", "two"]
    said = place.complains("graph", file, "--specs", "nowhere", code=2)
    assert said.startswith("job.yaml:1:") and 'no template is named "chain"' in said


def test_a_file_with_a_fault_is_not_drawn(place: Place) -> None:
    file = written(place, "job", a_step("a", "b", run="true"))
    said = place.complains("graph", file, "-o", "svg", code=2)
    assert said.startswith("job.yaml:1:") and 'no step is named "b"' in said


def test_a_file_has_one_workflow_to_draw(place: Place) -> None:
    one = (place.root / written(place, "one", a_step("a", run="true"))).read_text()
    two = one.replace('"one"', '"two"')
    (place.root / "both.yaml").write_text(f"{one}\n---\n{two}\n")
    assert place.complains("graph", "both.yaml", code=2) == (
        "treadle: both.yaml: defines 2 workflows (one, two), and one can be drawn; "
        "once they are in force: treadle graph NAME"
    )
    pool = {"apiVersion": "treadle.dev/v1", "kind": "Pool", "metadata": {"name": "gpu"}}
    (place.root / "gpu.yaml").write_text(json.dumps({**pool, "spec": {"slots": 2}}))
    assert place.complains("graph", "gpu.yaml", code=2) == (
        "treadle: gpu.yaml: defines no workflow, so there are no steps to draw"
    )


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("job.yaml", True),
        ("a/b.yml", True),
        ("old.json", True),
        ("-", True),
        ("job", False),
        ("inbox@orders.yaml", False),  # an instance that a file of this name began
    ],
)
def test_which_words_are_files(word: str, answer: bool) -> None:
    assert is_file(word) is answer
