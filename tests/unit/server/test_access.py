"""Codes, sessions and tokens: what is kept of them, for how long, and what is nonsense."""

import errno
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from controller.errors import StorageError
from controller.log.state_folder import prepare_state
from controller.server import access as module
from controller.server.access import CODE_SECONDS, SESSION_SECONDS, Access, _hash


@pytest.fixture
def state(tmp_path: Path) -> Path:
    prepare_state(str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def access(state: Path) -> Access:
    access = Access(str(state))
    access.prepare()
    return access


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(monkeypatch)


class Clock:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def by(self, seconds: float) -> None:
        now = time.time()
        self._patch.setattr(module.time, "time", lambda: now + seconds)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_of_it_is_for_its_owner_alone(access: Access, state: Path) -> None:
    code = access.make_code("operate")
    assert access.trade(code) is not None
    access.make_code("view")
    access.note_serving("http://127.0.0.1:1")
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (state / "web").rglob("*")}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE((state / "web").stat().st_mode) == 0o700
    assert len([path for path in found if path.is_file()]) == 5


def test_a_folder_that_others_may_read_is_closed(access: Access, state: Path) -> None:
    (state / "web").chmod(0o755)
    access.prepare()
    assert stat.S_IMODE((state / "web").stat().st_mode) == 0o700


def test_neither_codes_nor_sessions_can_be_read_off_the_folder(access: Access, state: Path) -> None:
    code = access.make_code("operate")
    session = access.trade(access.make_code("view"))
    assert session is not None
    written = "".join(
        f"{path.name} {path.read_text()}" for path in (state / "web").rglob("*") if path.is_file()
    )
    assert code not in written
    assert session.token not in written


@pytest.mark.parametrize("role", ["view", "operate"])
def test_a_code_is_good_once_and_gives_its_role(access: Access, role: module.Role) -> None:
    code = access.make_code(role)
    assert access.role_of(code) is None, "a code is no token"
    session = access.trade(code)
    assert session is not None
    assert session.role == role == access.role_of(session.token)
    assert abs(session.until - time.time() - SESSION_SECONDS) < 10
    assert access.trade(code) is None
    assert access.trade(session.token) is None
    assert Access(access._state_dir).role_of(session.token) == role, "it outlives the server"


@pytest.mark.parametrize("folder", ["sessions", "codes"])
def test_a_code_that_can_not_be_traded_now_stays_good(
    access: Access, state: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Its session can't be written, or it can't be removed itself."""
    code = access.make_code("view")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "open_below" if folder == "sessions" else "remove_below", refuse)
        with pytest.raises(OSError, match="No space left"):
            access.trade(code)
    session = access.trade(code)
    assert session is not None
    assert access.role_of(session.token) == "view"


def test_who_comes_too_late_leaves_no_session(
    access: Access, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, grant = access.make_code("operate"), access._grant

    def overtaken(*words: Any) -> module.Session:
        monkeypatch.undo()
        assert access.trade(code) is not None
        return grant(*words)

    monkeypatch.setattr(access, "_grant", overtaken)
    assert access.trade(code) is None
    assert len(names(state / "web/sessions")) == 1


def test_codes_and_sessions_end(access: Access, later: Clock, state: Path) -> None:
    late, code = access.make_code("view"), access.make_code("view")
    session = access.trade(code)
    assert session is not None
    later.by(CODE_SECONDS + 1)
    assert access.trade(late) is None
    assert access.role_of(session.token) == "view"
    later.by(SESSION_SECONDS + 2)
    assert access.role_of(session.token) is None
    access.prepare()
    assert names(state / "web/codes") == names(state / "web/sessions") == []


def test_tokens_of_scripts_stay_as_they_are(access: Access, state: Path) -> None:
    token = (state / "web/operate").read_text().strip()
    access.prepare()
    assert (state / "web/operate").read_text().strip() == token
    assert access.role_of(token) == "operate"
    (state / "web/operate").unlink()
    assert access.role_of(token) is None, "removing the file takes it back"
    access.prepare()
    assert access.role_of((state / "web/operate").read_text().strip()) == "operate"
    assert access.role_of(token) is None


@pytest.mark.parametrize("made", ["", " ", "\n", "\x00", "../view", "a" * 100_000, "\ud800", "é"])
def test_a_token_that_is_nonsense_is_good_for_nothing(
    access: Access, state: Path, made: str
) -> None:
    (state / "web/view").write_text("")
    assert access.role_of(made) is None
    assert access.trade(made) is None
    access.end(made)


NONSENSE = {
    "nothing": b"",
    "no JSON": b"operate",
    "another role": b'{"role":"root","until":9999999999}',
    "no end": b'{"role":"operate"}',
    "an end in words": b'{"role":"operate","until":"never"}',
    "no UTF-8": b"\xff\xfe",
    "very deep": b"[" * 4_096,
    "deep beside what counts": b'{"role":"operate","until":9999999999,"x":' + b"[" * 4_000,
    "larger than any": b'{"role":"operate","until":9999999999' + b" " * 5_000 + b"}",
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
def test_a_file_that_is_nonsense_grants_nothing_and_goes(
    access: Access, state: Path, data: bytes
) -> None:
    for folder in ("codes", "sessions"):
        (state / "web" / folder / _hash("x")).write_bytes(data)
        (state / "web" / folder / "x").write_bytes(data)
    assert access.role_of("x") is None
    assert access.trade("x") is None
    access.prepare()
    assert names(state / "web/codes") == names(state / "web/sessions") == []


def test_a_link_or_a_pipe_in_place_of_a_session_grants_nothing(
    access: Access, state: Path, tmp_path: Path
) -> None:
    (tmp_path / "grant").write_text(json.dumps({"role": "operate", "until": 1 << 40}))
    (state / "web/sessions" / _hash("link")).symlink_to(tmp_path / "grant")
    os.mkfifo(state / "web/sessions" / _hash("pipe"))
    (state / "web/sessions" / _hash("folder")).mkdir()
    for token in ("link", "pipe", "folder"):
        assert access.role_of(token) is None
    access.prepare()
    assert (tmp_path / "grant").exists(), "what the link led to is not ours"


def test_who_made_a_link_of_the_folder_is_refused(state: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (state / "web").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="web"):
        Access(str(state)).prepare()
    assert names(tmp_path / "elsewhere") == []


def test_a_draft_of_another_process_is_left_until_it_is_old(access: Access, state: Path) -> None:
    draft = state / "web/sessions" / f"{_hash('x')}.ab12cd34.tmp"
    draft.write_text("")
    access.make_code("view")
    assert draft.exists(), "somebody is writing it"
    old = time.time() - CODE_SECONDS - 1
    os.utime(draft, (old, old))
    access.make_code("view")
    assert not draft.exists(), "whoever wrote it was killed"


def test_what_was_noted_of_a_server_may_be_nonsense(access: Access, state: Path) -> None:
    assert access.serving() is None
    access.note_serving("http://127.0.0.1:8321")
    serving = access.serving()
    assert serving is not None
    assert (serving.url, serving.pid) == ("http://127.0.0.1:8321", os.getpid())
    for data in NONSENSE.values():
        (state / "web/serving.json").write_bytes(data)
        assert access.serving() is None
