"""What a step doesn't find, and where it is instead."""

import os
from pathlib import Path

import pytest

from controller.executor.local.missing import missing_folder, missing_program


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """~/etl with specs, bin/load.sh and data; the home folder is tmp_path."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("etl/specs/deep", "etl/bin", "etl/data", "etl/path/tool-folder"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("bin/load.sh", "specs/here.sh", "path/tool"):
        (tmp_path / "etl" / name).touch(0o755)
    (tmp_path / "etl" / "path" / "plain").touch(0o644)
    return tmp_path / "etl"


@pytest.mark.parametrize(
    ("name", "folder", "said"),
    [
        pytest.param("./here.sh", "specs", None, id="it is there"),
        pytest.param("tool", "specs", None, id="on PATH"),
        pytest.param("/bin/sh", "specs", None, id="by its absolute path"),
        pytest.param(
            "bin/load.sh",
            "specs",
            "no file bin/load.sh in ~/etl/specs (steps start in the folder of the spec); "
            "there is ~/etl/bin/load.sh: set workingDir: ..",
            id="in the project",
        ),
        pytest.param(
            "bin/load.sh",
            "specs/deep",
            "no file bin/load.sh in ~/etl/specs/deep (its workingDir); "
            "there is ~/etl/bin/load.sh: set workingDir: ..",
            id="workingDir is relative to the folder of the spec",
        ),
        pytest.param(
            "bin/no.sh",
            "specs",
            "no file bin/no.sh in ~/etl/specs (steps start in the folder of the spec)",
            id="nowhere",
        ),
        pytest.param(
            "~/load.sh",
            "specs",
            "no file ~/load.sh in ~/etl/specs (steps start in the folder of the spec); "
            "nothing is expanded in command: $ and ~ stay as they are written",
            id="what a shell would expand",
        ),
        pytest.param("/no/such", "specs", "no file /no/such", id="an absolute path"),
        pytest.param("no", "specs", 'command not found: "no"; PATH is /nowhere:', id="not on PATH"),
        pytest.param(
            "plain",
            "specs",
            "~/etl/path/plain is not executable; try: chmod +x ~/etl/path/plain",
            id="not executable",
        ),
        pytest.param("tool-folder", "specs", 'command not found: "tool-folder"', id="a folder"),
        pytest.param("../path/plain", "specs", "/plain is not executable; try: ", id="by its path"),
        pytest.param("../path", "specs", "is a directory, not a command", id="a folder's path"),
        pytest.param(
            "here.sh", "specs", "; there is ~/etl/specs/here.sh: write ./here.sh", id="without ./"
        ),
    ],
)
def test_a_program(project: Path, name: str, folder: str, said: str | None) -> None:
    home, path = project / "specs", f"/nowhere:{project}/path"
    found = missing_program(name, path, str(project / folder), str(home))
    assert (found is None) == (said is None)
    if said:
        assert said in str(found)


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        pytest.param("specs/deep", None, id="it is there"),
        pytest.param(
            "specs/data",
            "no folder ~/etl/specs/data (workingDir is relative to the folder of the spec); "
            "there is ~/etl/data: set workingDir: ../data",
            id="in the project",
        ),
        pytest.param("specs/no", "no folder ~/etl/specs/no (workingDir", id="nowhere"),
        pytest.param(
            "specs/here.sh", "workingDir ~/etl/specs/here.sh is not a directory", id="a file"
        ),
        pytest.param("specs/$DATA", "; nothing is expanded in workingDir: $ and", id="a variable"),
    ],
)
def test_a_folder(project: Path, folder: str, said: str | None) -> None:
    found = missing_folder(str(project / folder), str(project / "specs"))
    assert (found is None) == (said is None)
    if said:
        assert said in str(found)


def test_the_root_of_the_file_system_is_no_project(project: Path) -> None:
    program = os.path.relpath("/bin/sh", "/")
    found = missing_program(program, "", str(project / "specs"), str(project / "specs"))
    assert found is not None
    assert "there is /bin/sh" not in str(found)
