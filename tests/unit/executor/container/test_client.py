"""What the client of an attempt is given, and what is taken from its container."""

import os
from pathlib import Path

import pytest

from controller.executor.container.client import client_of, last_words, take_output
from controller.executor.secrets import CannotPrepare
from controller.loop.ports import AsFile, AttemptId, EnvRefs, Launch
from controller.spec.placement import ContainerMount, InContainer

ID = AttemptId("uid", "load", 1)
LOG = "runs/uid/load.1.log"


def launch(**changes: object) -> Launch:
    fields = {
        "id": ID,
        "mark": 7,
        "argv": ("prog",),
        "env": {},
        "working_dir": "/here",
        "log": LOG,
        "engine": "container",
        "placement": InContainer(image="x"),
        "folder_id": "folder",
        "handle": "treadle-load-7",
        "place": {"program": "podman", "image": "1"},
        "leave_processes": False,
    }
    return Launch(**fields | changes)  # type: ignore[arg-type]


def words(client: Launch, option: str) -> list[str]:
    return [word.partition("=")[2] for word in client.argv if word.startswith(f"{option}=")]


def test_it_runs_in_the_environment_of_the_controller(tmp_path: Path) -> None:
    client = client_of(str(tmp_path), launch(inherit=False, env={"GREETING": "hello"}))
    assert client.inherit is True
    assert client.env["GREETING"] == "hello"
    assert "GREETING" in words(client, "--env")
    assert client.engine == "local"


def test_the_sweep_leaves_what_it_starts_alone(tmp_path: Path) -> None:
    assert client_of(str(tmp_path), launch()).leave_processes


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "DOCKER_HOST",
        "CONTAINERS_CONF",
        "XDG_RUNTIME_DIR",
        "LD_PRELOAD",
        "https_proxy",
        "HTTP_PROXY",
        "GODEBUG",
        "SSL_CERT_FILE",
        "BASH_ENV",
        "TMPDIR",
        "REGISTRY_AUTH_FILE",
    ],
)
def test_what_would_mean_something_to_the_client_is_in_a_file(name: str, tmp_path: Path) -> None:
    client = client_of(str(tmp_path), launch(env={name: "of the step"}))
    assert name not in client.env
    assert name not in words(client, "--env")
    (path,) = words(client, "--env-file")
    assert Path(path).read_text() == f"{name}=of the step\n"
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["a\nb", "a\r", "x" * 60_001])
def test_what_a_file_cant_hold_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(CannotPrepare, match=r"^PATH: .* rename it$"):
        client_of(str(tmp_path), launch(env={"PATH": value}))


def test_without_such_variables_there_is_no_file(tmp_path: Path) -> None:
    client = client_of(str(tmp_path), launch(env={"A": "x"}))
    assert not words(client, "--env-file")
    assert not list(tmp_path.rglob("*.env"))


def test_names_to_inherit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSED", "x")
    client = client_of(str(tmp_path), launch(inherit=("PASSED", "UNSET_AND_MISSING")))
    assert "PASSED" in words(client, "--env")
    assert "UNSET_AND_MISSING" not in words(client, "--env")
    assert "PASSED" not in client.env, "it is the controller's own"


def test_what_is_mounted(tmp_path: Path) -> None:
    state = str(tmp_path)
    mount = ContainerMount(source="/data", target="/data", read_only=True)
    placement = InContainer(image="x", mounts=(mount,))
    layer = EnvRefs(refs={"TEXT": AsFile(text="t")})
    mounts = words(client_of(state, launch(placement=placement, env_from=(layer,))), "--mount")
    base = f"{state}/runs/uid/load.1"
    assert mounts == [
        "type=bind,source=/here,target=/here",
        f"type=bind,source={state}/work/uid,target={state}/work/uid",
        f"type=bind,source={base}.shared,target={base}.shared",
        f"type=bind,source={base}.files,target={base}.files,readonly",
        "type=bind,source=/data,target=/data,readonly",
    ]


def test_a_mount_of_the_spec_takes_the_place_of_ours(tmp_path: Path) -> None:
    mount = ContainerMount(source="/other", target="/here/")
    client = client_of(str(tmp_path), launch(placement=InContainer(mounts=(mount,))))
    assert "type=bind,source=/here,target=/here" not in words(client, "--mount")


def test_any_user_of_a_container_may_write_what_is_shared(tmp_path: Path) -> None:
    """And nobody else of this machine, since the folders above are closed."""
    layer = EnvRefs(refs={"TEXT": AsFile(text="t")})
    client_of(str(tmp_path), launch(env_from=(layer,)))
    modes = {
        "work": 0o700,
        "work/uid": 0o777,
        "runs/uid": 0o700,
        "runs/uid/load.1.shared": 0o777,
        "runs/uid/load.1.files": 0o755,
        "runs/uid/load.1.files/TEXT": 0o644,
    }
    assert {path: os.stat(tmp_path / path).st_mode & 0o777 for path in modes} == modes


def test_the_output_is_brought_to_where_it_is_read(tmp_path: Path) -> None:
    client = client_of(str(tmp_path), launch())
    Path(client.env["TREADLE_OUTPUT"]).write_text("rows=5\n")
    assert take_output(str(tmp_path), LOG) == ""
    assert (tmp_path / "runs/uid/load.1.out").read_text() == "rows=5\n"
    assert not (tmp_path / "runs/uid/load.1.shared").exists()
    assert take_output(str(tmp_path), LOG) == "", "a second time it does nothing"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    client = client_of(str(tmp_path), launch())
    os.symlink(tmp_path / "secret", client.env["TREADLE_OUTPUT"])
    assert take_output(str(tmp_path), LOG).startswith("OutputIgnored: ")
    assert not os.path.lexists(tmp_path / "runs/uid/load.1.out")


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        (b"", ""),
        (b"one\ntwo\n\n", "two"),
        (b"x" * 5000 + b"\nlast", "last"),
        (b"\xff\n", "\ufffd"),
    ],
)
def test_the_last_words_of_the_client(printed: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(printed)
    assert last_words(str(tmp_path), "log") == words


def test_without_a_log_there_are_no_words(tmp_path: Path) -> None:
    assert last_words(str(tmp_path), "none") == ""
