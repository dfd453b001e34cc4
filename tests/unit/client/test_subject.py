"""What a name means to a command that changes something."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from story import Story, a_step
from story import document as model

from controller.client.subject import (
    files_of,
    read_state,
    require_folder,
    require_life,
    subject,
)
from controller.errors import NotFound, UsageError
from controller.model import events as e
from controller.model.observations import Request
from controller.requests import drop

Write = Callable[[Story], str]


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    return folder


def put(specs: Path, name: str) -> None:
    document = model([a_step("a")], name=name)
    (specs / f"{name}.yaml").write_bytes(msgspec.json.encode(document))


def test_the_state_is_that_after_the_requests_that_wait(write: Write, story: Story) -> None:
    state_dir = write(story)
    uid = story.life("etl").uid
    drop(state_dir, Request(kind="suspend", workflow="etl", uid=uid, by="me"))
    assert not story.life("etl").suspended
    assert read_state(state_dir).workflows["etl"].suspended


def test_a_life_by_its_name_or_its_uid(specs: Path, story: Story) -> None:
    life = story.life("etl")
    assert subject(str(specs), story.state, "etl") == ("etl", life)
    life.uid = "0123456789"
    story.state.lives = {life.uid: life}
    assert subject(str(specs), story.state, "01234567") == ("etl", life)


def test_a_file_that_no_controller_has_seen(specs: Path, story: Story) -> None:
    put(specs, "new")
    assert subject(str(specs), story.state, "new") == ("new", None)
    with pytest.raises(NotFound, match="no controller has seen a valid spec yet: nothing to mark"):
        require_life(str(specs), story.state, "new", "mark")


def test_neither_a_life_nor_a_file(specs: Path, story: Story) -> None:
    with pytest.raises(NotFound, match='no workflow is named "elt"; did you mean "etl"'):
        subject(str(specs), story.state, "elt")


def test_a_life_that_has_ended_is_nothing_to_change(specs: Path, story: Story) -> None:
    uid = story.life("etl").uid
    story.delete("etl").end("extract", workflow="etl")
    with pytest.raises(NotFound, match=f"etl has ended .uid {uid}., and its spec was removed"):
        subject(str(specs), story.state, "etl")


def test_of_a_broken_file_what_the_log_says_it_defined(specs: Path, story: Story) -> None:
    (specs / "etl.yaml").write_text("apiVersion: treadle.dev/v1\nkind: Workflow\n: [")
    (file,) = files_of(str(specs), story.state, ["etl"])
    assert (file.path, file.defines) == (f"{specs}/etl.yaml", ("etl",))


def test_the_folder_has_to_be_there_and_this_state_s(specs: Path, story: Story) -> None:
    require_folder(str(specs), ".treadle", story.state)
    with pytest.raises(UsageError, match="no such folder; make it, or name"):
        require_folder(str(specs / "gone"), ".treadle", story.state)
    (specs / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        require_folder(str(specs / "file"), ".treadle", story.state)
    story.see(e.FolderAdopted(folder="/elsewhere", device=1, inode=2))
    with pytest.raises(UsageError, match=r"\.treadle belongs to the specs folder /elsewhere"):
        require_folder(str(specs), ".treadle", story.state)
