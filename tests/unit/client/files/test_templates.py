"""The templates that given files can use: theirs, else those of the specs folder."""

from pathlib import Path

import pytest

from controller.client.files.templates import with_templates
from controller.spec.linked import called
from controller.spec.reading.load import SPEC_BYTES_MAX, Loaded, load

CALLER = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: etl}
spec: {steps: [{name: a, template: {name: chain}}]}
"""


def template(run: str, name: str = "chain") -> str:
    return (
        f"apiVersion: treadle.dev/v1\nkind: Template\nmetadata: {{name: {name}}}\n"
        f"spec: {{steps: [{{name: a, run: {run}}}]}}\n"
    )


def read(path: Path) -> tuple[str, Loaded]:
    return str(path), load(path.read_bytes(), str(path))


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    (tmp_path / "etl.yaml").write_text(CALLER)
    return tmp_path / "specs"


def used(specs: Path, *more: str) -> str:
    """Which template the caller gets: what it runs, and where it is; or the fault."""
    files = [read(specs.parent / name) for name in ("etl.yaml", *more)]
    loaded, *_ = with_templates(files, lambda: str(specs), SPEC_BYTES_MAX)
    if loaded.faults:
        assert loaded.documents == ()
        return loaded.faults[0].problem
    found = called(loaded.documents[0].workflow.spec)["chain"]
    return f"{found.spec.steps[0].run} in {found.home}"


def test_those_of_the_files_go_first(specs: Path) -> None:
    assert used(specs) == 'no template is named "chain"'
    (specs / "lib").mkdir()
    (specs / "lib" / "chain.yaml").write_text(template("of-folder"))
    assert used(specs) == "of-folder in specs/lib"
    (specs.parent / "own.yaml").write_text(template("of-file"))
    assert used(specs, "own.yaml") == "of-file in ."


def test_one_without_faults_goes_before_one_with(specs: Path) -> None:
    (specs / "a.yaml").write_text(template("[]"))
    assert used(specs) == f'the template "chain" can\'t be used: its file {specs}/a.yaml has faults'
    (specs / "b.yaml").write_text(template("good"))
    (specs / "c.yaml").write_text(template("third"))
    assert used(specs) == "good in specs"


def test_what_is_no_template_is_passed_over(specs: Path) -> None:
    (specs / "a.yaml").write_text("Template: chain\n")
    (specs / "b.yaml").write_text(CALLER.replace("etl", "chain"))
    (specs / "c.yaml").symlink_to("nowhere")
    (specs / ".d.yaml").write_text(template("hidden"))
    assert used(specs) == 'no template is named "chain"'


def test_without_a_folder_there_are_those_of_the_files(specs: Path) -> None:
    specs.rmdir()
    assert used(specs) == 'no template is named "chain"'
    (specs.parent / "own.yaml").write_text(template("of-file"))
    assert used(specs, "own.yaml") == "of-file in ."
