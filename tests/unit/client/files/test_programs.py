"""Warnings of programs and folders that are not there, at their places in the file."""

from pathlib import Path

import pytest

from controller.client.files.programs import programs_near
from controller.spec.reading.load import load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"


def warnings(folder: Path, spec: str) -> list[str]:
    file = folder / "etl.yaml"
    loaded = load((HEAD + spec).encode(), "etl.yaml", also=programs_near(str(file)))
    assert not loaded.faults
    assert all(fault.severity == "warning" for fault in loaded.warnings)
    assert all(not document.warnings for document in loaded.documents)
    return [f"{fault.line}:{fault.column}: {fault.path}" for fault in loaded.warnings]


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        pytest.param("  steps: [{name: a, run: bin/no}]\n", [], id="a script is not looked into"),
        pytest.param(
            "  steps:\n  - {name: a, command: [bin/no, x]}\n",
            ["6:25: spec.steps[0].command[0]"],
            id="a command",
        ),
        pytest.param(
            "  steps:\n  - {name: a, command: [bin/no]}\n  - {name: b, command: [bin/no]}\n",
            ["6:25: spec.steps[0].command[0]"],
            id="each thing once",
        ),
        pytest.param(
            "  steps: [{name: a, run: x}]\n"
            "  hooks:\n"
            "    onExit: [{name: a, run: x, workingDir: no}, {name: b, command: [bin/no]}]\n",
            ["7:44: spec.hooks.onExit[0].workingDir", "7:69: spec.hooks.onExit[1].command[0]"],
            id="hooks",
        ),
        pytest.param(
            "  shell: no-shell -c\n  steps: [{name: a, run: x}, {name: b, run: y, shell: bash}]\n",
            ["5:10: spec.shell"],
            id="the shell of all steps",
        ),
        pytest.param(
            "  steps: [{name: a, run: x, shell: [no-shell, -c]}]\n",
            ["5:36: spec.steps[0].shell"],
            id="the shell of a step",
        ),
        pytest.param(
            "  workingDir: no\n  steps: [{name: a, command: [x/y]}, {name: b, run: x}]\n",
            ["5:15: spec.workingDir"],
            id="without a folder no program can be looked for",
        ),
        pytest.param(
            "  steps: [{name: a, run: x, workingDir: no}]\n",
            ["5:41: spec.steps[0].workingDir"],
            id="the folder of a step",
        ),
        pytest.param(
            "  steps: [{name: a, command: [sh], env: {PATH: /no}}, {name: b, command: [sh]}]\n",
            ["5:31: spec.steps[0].command[0]"],
            id="PATH of the step",
        ),
    ],
)
def test_what_is_warned_of(tmp_path: Path, spec: str, places: list[str]) -> None:
    assert warnings(tmp_path, spec) == places


def test_of_a_template_only_what_starts_in_a_folder_of_its_own(tmp_path: Path) -> None:
    spec = (
        "  steps:\n  - {name: a, command: [bin/no]}\n  - {name: b, run: x, workingDir: no}\n"
        "  - {name: c, command: [bin/no], workingDir: .}\n"
    )
    file = str(tmp_path / "chain.yaml")
    text = (HEAD + spec).replace("Workflow", "Template")
    loaded = load(text.encode(), "chain.yaml", also=programs_near(file))
    assert [(one.line, one.path) for one in loaded.warnings] == [
        (7, "spec.steps[1].workingDir"),
        (8, "spec.steps[2].command[0]"),
    ]
    assert loaded.templates[0].warnings == ()


def test_a_step_that_uses_a_template_starts_nothing_itself(tmp_path: Path) -> None:
    assert warnings(tmp_path, "  steps: [{name: a, template: {name: chain}}]\n") == []
