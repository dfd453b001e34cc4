"""What `run` asks for: one request a document, all of them or none."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from specs_folder import caller, documents, template
from story import a_step
from story import document as model

from controller.client.acting.run_requests import ask_to_run
from controller.errors import Fault, InvalidSpec, UsageError
from controller.model.observations import Request
from controller.requests import drop, waiting
from controller.spec.linked import Called, Linked, called, homes_of, joined
from controller.spec.reading.load import SPEC_BYTES_MAX, Document, load


def put(folder: Path, name: str) -> str:
    path = folder / f"{name}.json"
    path.write_bytes(msgspec.json.encode(model([a_step("a")], name=name)))
    return str(path)


def ask(state_dir: str, files: list[str], specs: Callable[[], str] = str) -> frozenset[str]:
    """`specs`: without it, the specs folder is not asked for."""
    warned: list[Fault] = []
    names = ask_to_run(
        state_dir,
        files,
        specs=specs,
        max_bytes=SPEC_BYTES_MAX,
        resume=False,
        warn=warned.extend,
    )
    assert warned == []
    return names


def test_one_a_document(tmp_path: Path) -> None:
    state_dir = str(tmp_path / ".treadle")
    files = [put(tmp_path, "etl"), put(tmp_path, "report")]
    names = ask(state_dir, files)
    found = list(waiting(state_dir))
    assert names == {request.name for request in found}
    assert {(one.kind, one.workflow, one.path) for one in found} == {
        ("run", "etl", files[0]),
        ("run", "report", files[1]),
    }


def test_none_if_any_file_has_a_fault(tmp_path: Path) -> None:
    state_dir, bad = str(tmp_path / ".treadle"), tmp_path / "bad.yaml"
    bad.write_text("apiVersion: treadle.dev/v1\nkind: Workflow\n")
    with pytest.raises(UsageError, match=r"bad\.yaml"):
        ask(state_dir, [put(tmp_path, "etl"), str(bad)])
    assert list(waiting(state_dir)) == []


def test_a_name_that_is_there_twice(tmp_path: Path) -> None:
    state_dir, first, again = str(tmp_path / ".treadle"), put(tmp_path, "etl"), tmp_path / "again"
    again.write_bytes(Path(first).read_bytes())
    with pytest.raises(UsageError, match=r"again: etl is already in .*json; give it only once"):
        ask(state_dir, [first, str(again)])


def test_what_is_missing_is_told_and_asked_for_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: a}\n"
        "spec: {steps: [{name: a, command: [bin/x]}]}\n"
    )
    warned: list[Fault] = []
    ask_to_run(
        str(tmp_path / ".treadle"),
        [str(path)],
        specs=str,
        max_bytes=SPEC_BYTES_MAX,
        resume=False,
        warn=warned.extend,
    )
    (warning,) = warned
    assert (warning.line, warning.severity) == (4, "warning")
    assert warning.problem.startswith("no file bin/x in ")
    (request,) = waiting(str(tmp_path / ".treadle"))
    assert request.document is not None
    assert request.document.warnings == ()


# ---------------------------------------- templates


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def spec_of(state_dir: str) -> Linked:
    (request,) = waiting(state_dir)
    assert (request.document, request.problem) != (None, "")
    assert request.document is not None
    return request.document.workflow.spec


def test_a_template_of_the_files_wins_over_that_of_the_folder(tmp_path: Path) -> None:
    state_dir, specs = str(tmp_path / ".treadle"), tmp_path / "specs"
    write(specs / "chain.yaml", template("chain", "of_folder") + "---\n" + template("other"))
    job = write(tmp_path / "job.yaml", caller("job", "chain"))
    given = write(tmp_path / "lib/chain.yaml", template("chain", "given"))
    ask(state_dir, [job, given])
    spec = spec_of(state_dir)
    assert [step.name for step in called(spec)["chain"].spec.steps] == ["given"]
    assert homes_of(spec) == {"chain": "lib"}


def test_a_template_that_the_files_lack_is_one_of_the_folder(tmp_path: Path) -> None:
    state_dir, specs = str(tmp_path / ".treadle"), tmp_path / "specs"
    write(specs / "sub/chain.yaml", template("chain", "of_folder"))
    write(specs / "broken.yaml", "kind: Template\napiVersion: treadle.dev/v1\n")
    job = write(tmp_path / "jobs/job.yaml", caller("job", "chain"))
    ask(state_dir, [job], lambda: str(specs))
    assert homes_of(spec_of(state_dir)) == {"chain": "../specs/sub"}


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        pytest.param(
            [template("chain")], r"0\.yaml: there is no workflow in it", id="templates alone"
        ),
        pytest.param(
            [caller("a", "chain"), template("chain"), template("chain")],
            r"2\.yaml: the template chain is already in .*1\.yaml; give it only once",
            id="a template twice",
        ),
    ],
)
def test_files_that_cant_be_run(tmp_path: Path, texts: list[str], problem: str) -> None:
    state_dir = str(tmp_path / ".treadle")
    files = [write(tmp_path / f"{n}.yaml", text) for n, text in enumerate(texts)]
    with pytest.raises(UsageError, match=problem):
        ask(state_dir, files)
    assert list(waiting(state_dir)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (caller("a", "chain"), 'no template is named "chain"'),
        (
            documents(caller("a", "chain", params="x: 1"), template("chain")),
            'the template "chain" has no param "x"',
        ),
    ],
)
def test_a_workflow_that_does_not_fit_its_template(tmp_path: Path, text: str, problem: str) -> None:
    state_dir = str(tmp_path / ".treadle")
    with pytest.raises(InvalidSpec) as raised:
        ask(state_dir, [write(tmp_path / "a.yaml", text)], lambda: str(tmp_path / "none"))
    assert [fault.problem for fault in raised.value.faults] == [problem]
    assert list(waiting(state_dir)) == []


def test_a_request_whose_templates_are_no_good_says_so(tmp_path: Path) -> None:
    """Somebody else may have written it, or a treadle with other rules."""
    (document,) = load(caller("a", "chain").encode(), "a.yaml").documents
    (found,) = load(template("chain", "one").encode(), "chain.yaml").templates
    (step,) = found.template.spec.steps
    cycle = msgspec.structs.replace(step, depends_on=["one"])
    spec = msgspec.structs.replace(found.template.spec, steps=[cycle])
    for templates in ({}, {"chain": Called(spec=spec)}):
        linked = Document(workflow=joined(document.workflow, templates), line=1)
        asked = Request(kind="run", workflow="a", path="a.yaml", document=linked)
        drop(str(tmp_path / ".treadle"), asked)
    problems = [request.problem for request in waiting(str(tmp_path / ".treadle"))]
    assert problems == [
        'a.yaml: no template is named "chain"',
        "a.yaml: a step can't depend on itself",
    ]
