"""Which file defines a workflow, and how it is replaced."""

import os
from pathlib import Path

import msgspec
import pytest
from specs_folder import defaults, pool
from story import a_step
from story import document as model

from controller.client.files.spec_files import SpecFile, files_defining, read_spec_file, write_file
from controller.errors import UsageError


def text(*names: str) -> bytes:
    documents = (msgspec.json.encode(model([a_step("a")], name=name)) for name in names)
    return b"\n---\n".join(documents)


def found(specs: Path, *names: str, **last_known: tuple[str, ...]) -> list[tuple[str, ...]]:
    known = {f"{name}.yaml": defined for name, defined in last_known.items()}
    files = files_defining(str(specs), names, known)
    return [(os.path.relpath(file.path, specs), *file.defines) for file in files]


def test_the_content_counts_and_not_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/nightly.yaml").write_bytes(text("etl", "report"))
    (tmp_path / "other.yaml").write_bytes(text("other"))
    assert found(tmp_path, "etl") == [("sub/nightly.yaml", "etl", "report")]
    assert found(tmp_path, "nightly") == []


def test_a_file_that_only_mentions_a_name_does_not_define_it(tmp_path: Path) -> None:
    (tmp_path / "note.yaml").write_bytes(text("report") + b"\n# unlike etl\n")
    assert found(tmp_path, "etl") == []


def test_of_a_broken_file_what_it_defined_last_else_its_name(tmp_path: Path) -> None:
    (tmp_path / "etl.yaml").write_text("apiVersion: treadle.dev/v1\nkind: Workflow\n: [")
    assert found(tmp_path, "etl") == [("etl.yaml", "etl")]
    assert found(tmp_path, "old", etl=("old", "older")) == [("etl.yaml", "old", "older")]


def test_what_is_no_spec_defines_nothing(tmp_path: Path) -> None:
    path = tmp_path / "etl.yaml"
    path.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: etl}\n")
    assert read_spec_file(str(path)) is None
    assert found(tmp_path, "etl") == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        files_defining(str(tmp_path / "gone"), ["etl"], {})


def test_a_file_of_templates_defines_no_workflow(tmp_path: Path) -> None:
    template = msgspec.json.encode(model([a_step("a")], name="chain")).replace(
        b'"Workflow"', b'"Template"'
    )
    (tmp_path / "etl.yaml").write_bytes(template)
    assert found(tmp_path, "etl", "chain") == []
    path = str(tmp_path / "etl.yaml")
    assert read_spec_file(path) == SpecFile(path, ("the template chain",))
    (file,) = files_defining(str(tmp_path), ["the template chain"], {})
    assert file.others(["the template chain"]) == []
    assert file.others(["chain"]) == ["the template chain"]


def test_a_file_of_policies_defines_no_workflow(tmp_path: Path) -> None:
    (tmp_path / "gpu.yaml").write_text(f"{pool('gpu')}---\n{defaults()}")
    assert found(tmp_path, "gpu") == []
    assert found(tmp_path, "the pool gpu") == [("gpu.yaml", "the pool gpu", "Defaults")]


def test_what_else_a_file_defines() -> None:
    assert SpecFile("etl.yaml", ("a", "b", "c")).others(["b"]) == ["a", "c"]


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "etl.yaml"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_file(str(path), b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_bytes(b"old")
    (tmp_path / "etl.yaml").symlink_to("real.yaml")
    write_file(str(tmp_path / "etl.yaml"), b"new")
    assert (tmp_path / "etl.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_bytes() == b"new"


def test_a_new_file_is_for_all_to_read(tmp_path: Path) -> None:
    write_file(str(tmp_path / "etl.yaml"), b"new")
    assert (tmp_path / "etl.yaml").stat().st_mode & 0o777 == 0o644


def test_no_draft_is_left_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "etl.yaml").mkdir()
    with pytest.raises(UsageError, match="can't be written"):
        write_file(str(tmp_path / "etl.yaml"), b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["etl.yaml"]
