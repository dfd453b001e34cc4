"""What an attempt finds when it starts."""

import os
import stat
from pathlib import Path

import pytest

from controller.executor import preparation
from controller.executor.preparation import prepare
from controller.executor.secrets import CannotPrepare
from controller.executor.shim.spawn import NotNow
from controller.loop.ports import AsFile, AttemptId, EnvFile, EnvRefs, FromEnv, Launch


def launch(**changes: object) -> Launch:
    fields: dict[str, object] = {
        "id": AttemptId("uid", "load", 2),
        "mark": 1,
        "argv": ("true",),
        "env": {},
        "working_dir": "/",
        "log": "runs/uid/load.2.log",
    }
    return Launch(**{**fields, **changes})  # type: ignore[arg-type]


def with_files(texts: dict[str, str]) -> Launch:
    return launch(env_from=(EnvRefs({name: AsFile(text) for name, text in texts.items()}),))


def test_a_plain_environment_is_passed_on_untouched(tmp_path: Path) -> None:
    plain = launch(env={"A": "b"})
    assert prepare(str(tmp_path), plain) is plain.env


def test_later_ones_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE", "ref")
    (tmp_path / "file").write_text("A=file\nB=file\nC=file\nD=file")
    refs = EnvRefs({name: FromEnv("SOURCE") for name in "BCD"})
    env = prepare(
        str(tmp_path),
        launch(
            env_from=(
                EnvFile(str(tmp_path / "file")),
                refs,
                EnvRefs({"C": AsFile("text"), "D": AsFile("text")}),
            ),
            env={"D": "plain"},
        ),
    )
    path = f"{tmp_path}/runs/uid/load.2.files/C"
    assert env == {"A": "file", "B": "ref", "C": path, "D": "plain"}


@pytest.mark.parametrize("text", ["", "a\nb\n", "é\udcff", "\0", "x" * 1_000_000])
def test_a_text_is_written_as_it_is_for_its_owner_alone(tmp_path: Path, text: str) -> None:
    before = os.umask(0)
    try:
        env = prepare(str(tmp_path), with_files({"A": text}))
    finally:
        os.umask(before)
    path = Path(env["A"])
    assert path.is_absolute() and path.read_bytes() == text.encode(errors="surrogateescape")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in ("work", "work/uid", "runs", "runs/uid", "runs/uid/load.2.files"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_who_reads_a_file_reads_on_when_it_is_written_again(tmp_path: Path) -> None:
    """The attempt may have started after all."""
    env = prepare(str(tmp_path), with_files({"A": "one"}))
    with open(env["A"]) as reader:
        assert prepare(str(tmp_path), with_files({"A": "two"})) == env
        assert reader.read() == "one"
    assert Path(env["A"]).read_text() == "two"


@pytest.mark.parametrize(
    "names",
    [("A", "A.new", "%", "%25"), ("log", "out", "a/b", "../../x"), (".hidden", "é", "\udcff")],
)
def test_no_name_of_a_variable_leads_elsewhere_or_to_the_file_of_another(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    env = prepare(str(tmp_path), with_files({name: name for name in names}))
    for name in names:
        assert Path(env[name]).parent == tmp_path / "runs/uid/load.2.files"
        assert Path(env[name]).read_bytes() == name.encode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"..": ""}, "can't be made: "),
        ({"": ""}, "can't be made: "),
        ({"A" * 256: ""}, "can't be made: File name too long"),
        ({"A": "\ud800"}, "A: its text can't be written"),
        ({"\ud800": ""}, "its text can't be written"),
    ],
)
def test_what_can_never_be_a_file(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    with pytest.raises(CannotPrepare) as refused:
        prepare(str(tmp_path), with_files(files))
    assert problem in str(refused.value) and refused.value.reason == "StartFailed"
    str(refused.value).encode()


def test_the_work_folder_is_there_at_each_start(tmp_path: Path) -> None:
    for _ in range(2):  # a step may remove it
        prepare(str(tmp_path), launch())
        (tmp_path / "work/uid").rmdir()
        (tmp_path / "work").rmdir()
    prepare(str(tmp_path), launch())
    (tmp_path / "work/uid/kept").touch()
    prepare(str(tmp_path), launch())
    assert (tmp_path / "work/uid/kept").exists()


def test_a_state_folder_that_is_gone_is_not_made_and_fails_no_attempt(tmp_path: Path) -> None:
    with pytest.raises(NotNow):
        prepare(str(tmp_path / "gone"), launch())
    assert not (tmp_path / "gone").exists()


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(CannotPrepare, match=r"/work/uid can't be made: Not a directory"):
        prepare(str(tmp_path), launch())


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "%")

    monkeypatch.setattr(preparation, "write_value", full)
    with pytest.raises(NotNow, match="can't be made: No space left on device"):
        prepare(str(tmp_path), with_files({"A": "text"}))
