"""What single files would do in the folder, and what an edit of a template does to its callers."""

import json

import pytest
from msgspec import convert
from msgspec.json import encode
from specs_folder import SpecsFolder, caller, defaults, documents, pool, template, workflow
from story import Story, a_step, document

from controller.model.events import DefaultsAccepted
from controller.rehearsal.foresee import Foresight, of_document, of_files, of_folder
from controller.spec.models import DefaultsSpec
from controller.spec.reading.load import Document, load


@pytest.fixture
def folder() -> SpecsFolder:
    """A template with three callers; and a twin of one, which is rejected."""
    folder = SpecsFolder().write("lib/chain.yaml", template("chain", "one", "two"))
    for name in ("a", "b"):
        folder.write(f"{name}.yaml", caller(name, "chain"))
    folder.write("c.yaml", caller("c", "chain", params="site: x"))
    folder.write("lib/chain.yaml", template("chain", "one", "two", params="site: y"))
    folder.write("plain.yaml", workflow("plain")).look()
    folder.write("twin.yaml", caller("a", "chain")).look()
    return folder


def foreseen(folder: SpecsFolder, *texts: str) -> Foresight:
    files = [load(text.encode(), f"{n}.yaml") for n, text in enumerate(texts)]
    return of_files(folder.state, folder.sight, {f"{n}.yaml": one for n, one in enumerate(files)})


def changed(told: Foresight) -> dict[str, dict[str, str]]:
    return {
        change.workflow: {name: effect.action for name, effect in change.steps.items()}
        for change in told.changes
        if change.is_change
    }


def test_a_template_changes_its_callers(folder: SpecsFolder) -> None:
    edited = template("chain", "one", "two", "three", params="site: y")
    told = foreseen(folder, edited)
    assert told.faults == []
    assert list(changed(told)) == ["a", "b", "c"]
    assert changed(told)["a"].keys() == {"go", "go/one", "go/two", "go/three"}
    # so it is when it is in the folder
    folder.remove("twin.yaml").write("lib/chain.yaml", edited)
    assert changed(of_folder(folder.state, folder.sight, folder.now)) == changed(told)


def test_the_same_template_changes_nothing(folder: SpecsFolder) -> None:
    told = foreseen(folder, template("chain", "two", "one", params="site: y"))
    assert [change.workflow for change in told.changes] == ["a", "b", "c"]
    assert changed(told) == {}


def test_a_caller_that_would_not_fit_is_named(folder: SpecsFolder) -> None:
    told = foreseen(folder, template("chain", "one", "three"))
    assert list(changed(told)) == ["a", "b"]
    assert [(fault.file, fault.problem) for fault in told.faults] == [
        ("specs/c.yaml", 'the template "chain" has no param "site"')
    ]


def test_a_caller_and_its_template_are_taken_together(folder: SpecsFolder) -> None:
    told = foreseen(folder, caller("c", "chain"), template("chain", "one", "two"))
    assert (list(changed(told)), told.faults) == (["c", "a", "b"], [])


def test_a_caller_alone_gets_the_template_of_the_folder(folder: SpecsFolder) -> None:
    told = foreseen(folder, caller("b", "chain", params="site: z"), caller("new", "chain"))
    assert list(changed(told)) == ["b", "new"]
    assert changed(told)["new"].keys() == {"go", "go/one", "go/two"}


def test_files_that_have_nothing_to_do_with_templates(folder: SpecsFolder) -> None:
    told = foreseen(folder, documents(workflow("plain", run="date"), workflow("other")))
    assert list(changed(told)) == ["plain", "other"]


# ---------------------------------------- pools and Defaults


def policies_of(told: Foresight) -> list[tuple[str, str, int]]:
    return [(one.name, one.path, one.workflows) for one in told.policies]


def test_what_becomes_of_policies(folder: SpecsFolder) -> None:
    folder.write("lib/d.yaml", defaults(9)).write("pools.yaml", pool("gpu")).look()
    folder.write("pools.yaml", pool("gpu", 2)).write("all.yaml", defaults(5))
    folder.write("lib/w.yaml", workflow("w")).remove("lib/d.yaml")
    told = of_folder(folder.state, folder.sight, folder.now)
    assert policies_of(told) == [
        ("Defaults of the specs folder", "all.yaml", 5),
        ("pool gpu", "pools.yaml", 0),
        ("Defaults of lib", "lib/d.yaml", 0),
    ]
    assert [(one.was is None, one.becomes is None) for one in told.policies] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert list(changed(told)) == ["w"], "nothing else changes"


def test_workflows_are_counted_where_they_will_be(folder: SpecsFolder) -> None:
    """A folder moves: its Defaults held for what was there, and hold for what will be."""
    folder.write("one/d.yaml", defaults(9)).write("one/w.yaml", workflow("w")).look()
    folder.write("two/d.yaml", defaults(9)).write("two/w.yaml", workflow("w"))
    folder.remove("one/d.yaml", "one/w.yaml", "plain.yaml").write("all.yaml", defaults(1))
    told = of_folder(folder.state, folder.sight, folder.now)
    assert policies_of(told) == [
        ("Defaults of the specs folder", "all.yaml", 4),
        ("Defaults of two", "two/d.yaml", 1),
        ("Defaults of one", "one/d.yaml", 1),
    ]


def test_an_edit_that_waits_is_judged_with_what_is_above_it() -> None:
    """Of a run that stands still: its step stays in backoff, by the retries that it had."""
    retry = {"limit": 3, "backoff": {"initialSeconds": 50}}
    spec = convert({"defaults": {"retry": retry}}, DefaultsSpec)
    story = Story().see(DefaultsAccepted(folder="", path="d.yaml", spec=spec))
    story.accept([a_step("a")], editPolicy="AfterRun").exit("a", 1).ask("suspend")
    edited = document([a_step("a"), a_step("b")], editPolicy="AfterRun")
    change = of_document(story.state, Document(workflow=edited, line=1))
    assert change.steps["a"].action == "keep"
    assert change.steps["b"].action == "run"


def test_a_file_with_another_name_is_no_change(folder: SpecsFolder) -> None:
    folder.write("d.yaml", defaults(9)).write("p.yaml", pool("gpu")).look()
    folder.write("e.yaml", defaults(9)).write("q.yaml", pool("gpu")).remove("d.yaml", "p.yaml")
    assert of_folder(folder.state, folder.sight, folder.now).policies == []


def test_single_files_with_policies(folder: SpecsFolder) -> None:
    folder.write("p.yaml", pool("gpu")).look()
    assert policies_of(foreseen(folder, documents(pool("gpu"), pool("api")), defaults(1))) == [
        ("pool api", "0.yaml", 0),
        ("Defaults of the specs folder", "1.yaml", 4),
    ]


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        pytest.param(50, "Unchanged", id="the retries that it had"),
        pytest.param(60, "TriedAnew", id="others"),
    ],
)
def test_an_edit_is_judged_with_the_defaults_that_come_with_it(seconds: int, reason: str) -> None:
    """A step in backoff waits on only if its policy stays, wherever that is written."""
    retry = {"limit": 3, "backoff": {"initialSeconds": 50}}
    folder = SpecsFolder()
    folder.state = Story().accept([a_step("a", retry=retry)]).exit("a", 1).state
    folder.write("w.yaml", encode(document([a_step("a")])).decode())
    retry["backoff"] = {"initialSeconds": seconds}
    folder.write(
        "d.yaml", defaults(9).replace('"timeoutSeconds": 9', f'"retry": {json.dumps(retry)}')
    )
    (change,) = of_folder(folder.state, folder.sight, folder.now).changes
    assert change.steps["a"].reason == reason
