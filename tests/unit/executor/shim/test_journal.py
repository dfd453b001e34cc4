"""What the next shim makes of the journal of the one before."""

import json
from pathlib import Path

import pytest

from controller.executor.shim import journal as journal_module
from controller.executor.shim.journal import Journal
from controller.loop.ports import AttemptId

BOOT = "boot-1"
HEADER = ["journal", 1, BOOT, "name"]
STARTING = ["starting", "u/s/1", 99, 10]
STARTED = ["started", "u/s/1", 4711, 5, 11]
EXITED = ["exited", "u/s/1", 256, 12, 3, 0, False]


def folder_with(folder: Path, *lines: object) -> str:
    (folder / "journal").write_bytes(
        b"".join(
            line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
        )
    )
    return str(folder)


def replayed(folder: Path, *lines: object, boot_id: str = BOOT) -> Journal:
    return Journal(folder_with(folder, *lines), boot_id, now=77)


@pytest.mark.parametrize(
    ("notes", "left"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param(
            [STARTING, STARTED, EXITED],
            {"u/s/1": [STARTING, STARTED, EXITED]},
            id="an exit stands",
        ),
        pytest.param(
            [STARTING, STARTED],
            {"u/s/1": [STARTING, STARTED, ["orphaned", "u/s/1"]]},
            id="one that ran is an orphan",
        ),
        pytest.param(
            [STARTING],
            {"u/s/1": [STARTING, ["orphaned", "u/s/1"]]},
            id="one that may have started is an orphan",
        ),
        pytest.param(
            [STARTING, STARTED, ["orphaned", "u/s/1"]],
            {"u/s/1": [STARTING, STARTED, ["orphaned", "u/s/1"]]},
            id="orphaned once",
        ),
        pytest.param([STARTING, STARTED, EXITED, ["forget", "u/s/1"]], {}, id="forgotten"),
        pytest.param([STARTING, ["forget", "u/s/1"]], {}, id="taken back: no room to start it"),
        pytest.param(
            [["withdrawn", "u/s/1", 9]],
            {"u/s/1": [["withdrawn", "u/s/1", 9]]},
            id="withdrawn for good",
        ),
    ],
)
def test_what_became_of_an_attempt(
    tmp_path: Path, notes: list[object], left: dict[str, object]
) -> None:
    assert replayed(tmp_path, HEADER, *notes).entries == left


@pytest.mark.parametrize("step", ["s", "load[eu]", "site/load", "site[eu]/load[1]", "onExit/tidy"])
def test_an_attempt_of_any_step_is_known(tmp_path: Path, step: str) -> None:
    """One that the next shim does not know would be started a second time."""
    attempt = str(AttemptId("u", step, 3))
    starting, started = ["starting", attempt, 99, 10], ["started", attempt, 4711, 5, 11]
    journal = replayed(tmp_path, HEADER, starting, started)
    assert journal.entries == {attempt: [starting, started, ["orphaned", attempt]]}


def test_of_another_boot_nothing_lives_and_nothing_is_believed(tmp_path: Path) -> None:
    journal = replayed(tmp_path, HEADER, STARTING, STARTED, EXITED, boot_id="boot-2")
    assert journal.entries == {"u/s/1": [["lost", "u/s/1", 77, "the machine was rebooted"]]}


@pytest.mark.parametrize(
    "damaged", [b"", b"\0\0\0\n", b'["journal", 1]\n', b'["journal", 1, "bo\n']
)
def test_without_its_first_line_marks_have_to_tell_who_lives(
    tmp_path: Path, damaged: bytes
) -> None:
    """Taken for another boot's, an attempt that lives would be tried again beside itself."""
    journal = replayed(tmp_path, damaged, STARTING, STARTED)
    assert journal.entries["u/s/1"] == [STARTING, STARTED, ["orphaned", "u/s/1"]]


def test_it_keeps_its_name_as_long_as_it_is_there(tmp_path: Path) -> None:
    name = replayed(tmp_path, HEADER, STARTING).name
    assert name == Journal(str(tmp_path), "boot-2", now=78).name == "name"
    (tmp_path / "journal").unlink()
    assert Journal(str(tmp_path), BOOT, now=78).name != "name"


def test_the_highest_epoch_is_remembered(tmp_path: Path) -> None:
    assert replayed(tmp_path, HEADER, ["epoch", 3], ["epoch", 5]).epoch == 5


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_line_that_was_cut_short_harms_no_other(tmp_path: Path, cut: int) -> None:
    half = json.dumps(["starting", "u/other/1", 5, 6]).encode()[:-cut]
    journal = replayed(tmp_path, HEADER, STARTING, STARTED, half)
    assert list(journal.entries) == ["u/s/1"]
    journal.note(["exited", "u/s/1", 0, 1, 1, 0, False])
    assert journal.flush()
    again = Journal(str(tmp_path), BOOT, now=78)
    assert again.entries["u/s/1"][-1][0] == "exited"


@pytest.mark.parametrize(
    "junk",
    [
        *[b"\0\0\0\n", b"{}\n", b"[]\n", b"7\n", b'["x"]\n', b"\n\n"],
        *[b'["forget",{}]\n', b'["epoch","x"]\n', b'["epoch"]\n', b'["journal",1]\n', b"[{},1]\n"],
        *[b'["exited","u/s/1"]\n', b'["started",{},1,2,3]\n', b'["lost","u/s/1",1,null]\n'],
        *[
            b'["starting","u/s",1,1]\n',
            b'["starting","u/s/x",1,1]\n',
            b'["started","u/s/1",-1,2,3]\n',
        ],
        *[b'["started","u/s/1",4294967296,2,3]\n', b'["exited","u/s/1",127,1,1,1,false]\n'],
        b'["starting","u/s/1",99999999999999999999,1]\n',
    ],
)
def test_junk_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    journal = replayed(tmp_path, HEADER, junk, STARTING, junk, STARTED, EXITED)
    assert [note[0] for note in journal.entries["u/s/1"]] == ["starting", "started", "exited"]


def test_it_is_written_anew_when_little_of_it_is_still_to_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 1000)
    journal = replayed(tmp_path, HEADER)
    largest = 0
    for number in range(500):
        attempt = f"u/s/{number}"
        journal.note(["starting", attempt, 1, 2])
        if number != 250:
            journal.note(["forget", attempt])
        assert journal.flush()
        largest = max(largest, (tmp_path / "journal").stat().st_size)
    assert largest < 3000
    assert list(Journal(str(tmp_path), BOOT, now=1).entries) == ["u/s/250"]


def test_killed_while_it_is_written_anew_the_old_one_counts(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, HEADER, STARTING, STARTED, EXITED)
    (tmp_path / "journal.new").write_bytes(b'["journal", 1, "boot-1"]\n["start')
    assert Journal(folder, BOOT, now=1).entries["u/s/1"] == [STARTING, STARTED, EXITED]


def test_on_a_full_disk_notes_wait_and_come_out_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = replayed(tmp_path, HEADER)
    real, room = journal_module.os.write, [7]

    def little_room(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = real(fd, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(journal_module.os, "write", little_room)
    journal.note(STARTING)
    assert not journal.flush()
    journal.note(STARTED)
    assert not journal.flush()
    room[0] = 10_000
    assert journal.flush()
    monkeypatch.undo()
    assert Journal(str(tmp_path), BOOT, now=1).entries["u/s/1"][:2] == [STARTING, STARTED]
