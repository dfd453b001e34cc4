"""Requests: there whole or not at all, in the order of asking, taken once."""

import errno
import os
from pathlib import Path

import msgspec
import pytest
from users import NOBODY, as_nobody, as_root, open_to_all

from controller import requests
from controller.errors import TEXT_MAX, StorageError
from controller.loop.ports import Request
from controller.requests import RequestBox, drop, os_user, waiting
from controller.spec.models import Metadata, Spec, Step, Workflow
from controller.spec.reading.load import Document, load


def a_retry(workflow: str) -> Request:
    return Request(kind="retry", workflow=workflow, by=os_user(), steps=["load"])


def test_what_was_dropped_waits_under_its_name_in_the_order_of_asking(tmp_path: Path) -> None:
    names = [drop(str(tmp_path), a_retry(f"w{n}")) for n in range(20)]
    assert names == sorted(names)
    waiting = RequestBox(str(tmp_path), print).waiting()
    assert waiting == [
        msgspec.structs.replace(a_retry(f"w{n}"), name=name) for n, name in enumerate(names)
    ]


@pytest.mark.parametrize("umask", [0, 0o077])
def test_only_the_owner_can_read_what_is_asked_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        name = drop(str(tmp_path / "state"), a_retry("w"))
    finally:
        os.umask(before)
    for path, mode in (("", 0o700), ("requests", 0o700), (f"requests/{name}", 0o600)):
        assert (tmp_path / "state" / path).stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("folder", ["", "requests", "archive"])
def test_nothing_is_asked_where_others_can_write(tmp_path: Path, folder: str) -> None:
    """Who wrote there before could have put the requests of another user in our way."""
    state = tmp_path / "state"
    (state / folder).mkdir(parents=True)
    (state / folder).chmod(0o757)
    with pytest.raises(StorageError, match=f"{state / folder}: others can write to this folder"):
        drop(str(state), a_retry("w"))
    assert not list(state.rglob("*.json"))


def test_what_is_said_in_a_request_has_an_end(tmp_path: Path) -> None:
    drop(str(tmp_path), Request(kind="retry", workflow="w", by="b" * 5_000, reason="r" * 5_000))
    (asked,) = RequestBox(str(tmp_path), print).waiting()
    assert asked.reason == "r" * (TEXT_MAX - 1) + "…"
    assert asked.by.endswith(f" (as {'b' * 64})")


def test_a_text_survives_as_it_is(tmp_path: Path) -> None:
    """A document goes as it was understood, so nobody reads the same text twice."""
    text = """
        {apiVersion: treadle.dev/v1, kind: Workflow, metadata: {name: w}, spec: {
          env: {A: "3.10", B: 3.10, C: true, D: "☃ \\e"},
          steps: [{name: a, run: "echo ☃"}, {name: b, command: [x], dependsOn: [a],
                   retry: {limit: 2, exitCodes: [75, "100-110"]}}]}}
    """
    (document,) = load(text.encode(), "w.yaml").documents
    asked = Request(kind="run", workflow="w", document=document, path="/a b/ü.yaml")
    drop(str(tmp_path), asked)
    assert RequestBox(str(tmp_path), print).waiting()[0].document == document


def test_a_document_that_no_longer_passes_the_rules_is_handed_on_with_what_is_wrong(
    tmp_path: Path,
) -> None:
    """Another version dropped it, say; whoever waits for it has to hear of that."""
    steps = [Step(name="a", run="true", depends_on=["b"]), Step(name="b", run="true")]
    steps[1] = msgspec.structs.replace(steps[1], depends_on=["a"])
    workflow = Workflow(
        api_version="treadle.dev/v1",
        kind="Workflow",
        metadata=Metadata(name="w"),
        spec=Spec(steps=steps),
    )
    drop(str(tmp_path), Request(kind="run", document=Document(workflow=workflow, line=1), path="x"))
    (found,) = RequestBox(str(tmp_path), print).waiting()
    assert "a -> b -> a" in found.problem


def test_a_request_is_gone_when_it_is_done_and_may_be_done_twice(tmp_path: Path) -> None:
    box = RequestBox(str(tmp_path), print)
    first, second = (drop(str(tmp_path), a_retry(name)) for name in ("one", "two"))
    assert len(box.waiting()) == 2
    for _ in range(2):
        box.done([first])
        assert [request.name for request in box.waiting()] == [second]
    assert RequestBox(str(tmp_path), print).waiting() == box.waiting()


def test_each_drop_is_seen_however_close_to_the_last_look(tmp_path: Path) -> None:
    """The time of a folder is coarser than two changes of it can be."""
    box = RequestBox(str(tmp_path), print)
    for count in range(1, 200):
        drop(str(tmp_path), a_retry("w"))
        assert len(box.waiting()) == count


def test_a_folder_at_rest_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = drop(str(tmp_path), a_retry("w"))
    now = 0.0
    monkeypatch.setattr(requests.time, "monotonic", lambda: now)
    box = RequestBox(str(tmp_path), print)
    for now in (0.0, 2.1):  # noqa: B007 - the clock reads it
        assert [request.name for request in box.waiting()] == [name]
    monkeypatch.setattr(os, "listdir", None)
    assert [request.name for request in box.waiting()] == [name]


@pytest.mark.parametrize("stamp", [0, 1 << 62])
def test_a_drop_within_one_step_of_the_folders_clock_is_seen_whatever_that_says(
    tmp_path: Path, stamp: int
) -> None:
    """The folder may be on a file server whose clock is behind ours, or ours was set."""
    folder = tmp_path / "requests"
    box = RequestBox(str(tmp_path), print)
    for count in (1, 2):
        drop(str(tmp_path), a_retry("w"))
        os.utime(folder, ns=(stamp, stamp))
        assert len(box.waiting()) == count


def test_without_a_folder_nothing_waits(tmp_path: Path) -> None:
    box = RequestBox(str(tmp_path), print)
    assert box.waiting() == []
    name = drop(str(tmp_path), a_retry("w"))
    assert [request.name for request in box.waiting()] == [name]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"kind":"ret', id="half"),
        pytest.param(b'{"kind":"dance"}', id="an unknown kind"),
        pytest.param(b'{"workflow":"w"}', id="no kind"),
        pytest.param(b'{"kind":"retry","workflow":"\xff"}', id="not UTF-8"),
    ],
)
def test_an_unreadable_one_is_set_aside_with_a_note(tmp_path: Path, text: bytes) -> None:
    good = drop(str(tmp_path), a_retry("w"))
    bad = tmp_path / "requests" / f"{1:020}-1-ab.json"
    bad.write_bytes(text)
    notes: list[str] = []
    box = RequestBox(str(tmp_path), notes.append)
    for _ in range(2):
        assert [request.name for request in box.waiting()] == [good]
    assert len(notes) == 1
    assert notes[0].startswith(f"{bad}: not a request (")
    assert notes[0].endswith(f"set aside as {bad}.bad, it does nothing")
    assert Path(f"{bad}.bad").read_bytes() == text


@pytest.mark.parametrize("kind", ["a pipe", "a link", "a folder"])
def test_what_is_no_file_holds_nothing_up(tmp_path: Path, kind: str) -> None:
    good = drop(str(tmp_path), a_retry("w"))
    bad = tmp_path / "requests" / f"{1:020}-1-ab.json"
    if kind == "a pipe":
        os.mkfifo(bad)
    elif kind == "a link":
        bad.symlink_to(good)
    else:
        bad.mkdir()
    notes: list[str] = []
    assert [one.name for one in RequestBox(str(tmp_path), notes.append).waiting()] == [good]
    assert len(notes) == 1
    assert f"set aside as {bad}.bad" in notes[0]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("", "{owner}", id="nothing"),
        pytest.param("root" if os.geteuid() else "ada", "{owner} (as {said})", id="another user"),
        pytest.param("x" * 1000, "{owner} (as {said:.64})", id="a long name"),
    ],
)
def test_who_asked_is_the_owner_of_the_file_whatever_it_says(
    tmp_path: Path, said: str, shown: str
) -> None:
    drop(str(tmp_path), Request(kind="retry", workflow="w", by=said))
    (request,) = RequestBox(str(tmp_path), print).waiting()
    assert request.by == shown.format(owner=os_user(), said=said)


@as_root
def test_one_of_another_user_is_refused_and_shown(tmp_path: Path) -> None:
    """Moved there with the folder around it, say, from where others can write."""
    name = drop(str(tmp_path), a_retry("w"))
    path = tmp_path / "requests" / name
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    assert [request.by for request in waiting(str(tmp_path))] == ["nobody (as root)"]
    notes: list[str] = []
    assert RequestBox(str(tmp_path), notes.append).waiting() == []
    (note,) = notes
    assert note == (
        f"{path}: not a request (it belongs to nobody); set aside as {path}.bad, it does nothing"
    )


@as_root
def test_root_may_ask_for_any_user() -> None:
    with open_to_all() as shared:
        state = shared / "state"
        name = drop(str(state), a_retry("w"))
        for folder in (state, state / "requests"):
            os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
        (state / "requests" / name).chmod(0o644)

        def look() -> None:
            (request,) = RequestBox(str(state), print).waiting()
            assert request.by == "root"

        assert as_nobody(look) == ""


def test_one_as_large_as_may_be_and_one_past_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = drop(str(tmp_path), a_retry("w"))
    size = (tmp_path / "requests" / name).stat().st_size
    monkeypatch.setattr(requests, "REQUEST_SIZE_MAX", size)
    notes: list[str] = []
    assert len(RequestBox(str(tmp_path), notes.append).waiting()) == 1
    monkeypatch.setattr(requests, "REQUEST_SIZE_MAX", size - 1)
    assert RequestBox(str(tmp_path), notes.append).waiting() == []
    assert f"larger than {size - 1} bytes" in notes[0]


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    name = drop(str(tmp_path), a_retry("w"))
    folder = tmp_path / "requests"
    for other in (f".{name}.tmp", f"{name}.bad", f"{name}~", "README"):
        (folder / other).write_text("anything")
    assert [request.name for request in RequestBox(str(tmp_path), print).waiting()] == [name]


def test_one_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("a file")
    with pytest.raises(StorageError, match="the request can't be written"):
        drop(str(tmp_path), a_retry("w"))


def test_a_full_disk_leaves_no_half_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        drop(str(tmp_path), a_retry("w"))
    assert os.listdir(requests.requests_folder(str(tmp_path))) == []
