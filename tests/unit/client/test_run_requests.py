"""What `run` asks for: one request a document, all of them or none."""

from pathlib import Path

import msgspec
import pytest
from story import a_step
from story import document as model

from controller.client.run_requests import ask_to_run
from controller.errors import Fault, UsageError
from controller.requests import waiting
from controller.spec.load import SPEC_BYTES_MAX


def put(folder: Path, name: str) -> str:
    path = folder / f"{name}.json"
    path.write_bytes(msgspec.json.encode(model([a_step("a")], name=name)))
    return str(path)


def ask(state_dir: str, files: list[str]) -> frozenset[str]:
    warned: list[Fault] = []
    names = ask_to_run(state_dir, files, max_bytes=SPEC_BYTES_MAX, resume=False, warn=warned.extend)
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
