"""`treadle validate` and `treadle schema`, as installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.spec.schema import files

GOOD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: NAME}\nspec:\n" \
    "  steps: [{name: a, run: 'true'}, {name: b, run: 'true', dependsOn: [a]}]\n"  # fmt: skip


def treadle(*words: str, stdin: str = "", cwd: Path | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "controller.cli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def good(name: str) -> str:
    return GOOD.replace("NAME", name)


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{good('a')}---\n{good('b')}")
    (tmp_path / "b.yml").write_text(
        good("c").replace(", {name: b, run: 'true', dependsOn: [a]}", "")
    )
    assert treadle("validate", "a.yaml", "b.yml", cwd=tmp_path) == (
        0,
        "a.yaml: ok (2 workflows, 4 steps)\nb.yml: ok (1 workflow, 1 step)\n",
        "",
    )


def test_every_fault_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good("a").replace("[a]", "[c, d]"))
    (tmp_path / "b.yaml").write_text(good("b"))
    code, out, err = treadle("validate", "a.yaml", "b.yaml", "none.yaml", cwd=tmp_path)
    assert code == 2
    assert out == "b.yaml: ok (1 workflow, 2 steps)\n"
    assert err.splitlines() == [
        'a.yaml:5:70: spec.steps[1].dependsOn[0]: no step is named "c"',
        'a.yaml:5:73: spec.steps[1].dependsOn[1]: no step is named "d"',
        "none.yaml: no such file",
    ]


def test_stdin() -> None:
    assert treadle("validate", "-", stdin=good("a"))[:2] == (0, "stdin: ok (1 workflow, 2 steps)\n")
    assert treadle("validate", "-", stdin="a: 1") == (
        2,
        "",
        "stdin:1:1: no treadle document: apiVersion is missing; "
        "a workflow begins with apiVersion: treadle.dev/v1\n",
    )


def test_a_warning_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        '{"workflow_id": "A_B", "steps": [{"id": "a", "command": "x"}]}'
    )
    assert treadle("validate", "a.json", cwd=tmp_path) == (
        0,
        "a.json: ok (1 workflow, 1 step)\n",
        'a.json:1:2: workflow_id: "A_B" is taken as "a-b" (warning)\n',
    )


def test_a_folder_is_judged_by_its_rules(tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    (specs / "deep").mkdir(parents=True)
    (specs / "b.yaml").write_text(good("b"))
    (specs / "deep" / "a.json").write_text('{"a": 1}')
    (specs / "deep" / "c.yml").write_text(good("b"))
    (specs / ".hidden.yaml").write_text("x: [")
    (specs / "notes.txt").write_text("x: [")
    (specs / "b.cancel").write_text("")
    os.mkfifo(specs / "fifo.yaml")
    (specs / "out.yaml").symlink_to("/etc/hostname")
    code, out, err = treadle("validate", "specs", cwd=tmp_path)
    assert code == 2
    assert out == "specs/b.yaml: ok (1 workflow, 2 steps)\n"
    lines = err.splitlines()
    assert lines[0].startswith("specs/deep/a.json:1:1: no treadle document")
    assert lines[1] == (
        'specs/deep/c.yml: a second workflow named "b"; the first is in specs/b.yaml'
    )
    assert lines[2] == "specs/fifo.yaml: not a regular file"
    assert lines[3].startswith("specs/out.yaml: a symlink that leaves the folder")
    assert len(lines) == 4


def test_an_endless_file_is_not_read_for_ever() -> None:
    assert treadle("validate", "--max-spec-size", "1M", "/dev/zero") == (
        2,
        "",
        "/dev/zero: larger than 1,048,576 bytes; "
        "split it; up, run, diff and validate take --max-spec-size\n",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0)
    assert treadle("validate", "x", cwd=tmp_path) == (2, "", "treadle: x: Permission denied\n")


def test_the_schema() -> None:
    assert treadle("schema") == (0, files()["workflow.schema.json"], "")
    assert treadle("schema", "older-workflow")[1] == files()["older-workflow.schema.json"]


def test_the_schemas_of_a_folder(tmp_path: Path) -> None:
    code, out, err = treadle("schema", "--check", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"schemas/{name}: does not agree with the models; run make schemas" for name in files()
    ]
    assert treadle("schema", "--write", "schemas", cwd=tmp_path) == (0, "", "")
    assert treadle("schema", "--check", cwd=tmp_path) == (0, "", "")
    (tmp_path / "schemas" / "workflow.schema.json").write_bytes(b"\xff")
    assert treadle("schema", "--check", "schemas", cwd=tmp_path)[0] == 1
    (tmp_path / "file").write_text("")
    assert treadle("schema", "--write", "file/x", cwd=tmp_path) == (
        2,
        "",
        "treadle: file/x: Not a directory\n",
    )
