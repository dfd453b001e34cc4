"""Files that people and programs really put down: each has one instance, however it came."""

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cli.place import Place

from controller.folder.scan import STILL
from controller.log.reader import read
from controller.log.status_file import read_status
from controller.model import events as e

RECORD = 'echo "$FILE" >> ../ledger'
RESTLESS_SECONDS = STILL / 1e6 / 2  # a pause that no scan may take for the end


class Dropped:
    """A definition that has an instance for each file in `inbox`, beside the specs folder."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.inbox = place.root / "inbox"
        self.inbox.mkdir()
        self.elsewhere = place.root / "elsewhere"
        self.elsewhere.mkdir()
        self.define()

    def define(self, run: str = RECORD, path: str = "../inbox/*.csv", **spec: object) -> None:
        document = {
            "apiVersion": "treadle.dev/v1",
            "kind": "Workflow",
            "metadata": {"name": "drop"},
            "spec": {
                "params": {"file": ""},
                "triggers": [
                    {"files": {"path": path}, "params": {"file": "${{ trigger.files[0] }}"}}
                ],
                "steps": [{"name": "a", "run": run, "env": {"FILE": "${{ params.file }}"}}],
                **spec,
            },
        }
        (self.place.specs / "drop.yaml").write_text(json.dumps(document))

    def fired(self) -> Counter[str]:
        """How often each name was decided."""
        return Counter(Path(one.path).name for one in self.taken())

    def taken(self) -> list[e.FileTaken]:
        return [
            one.event.file
            for one in read(str(self.place.state))
            if isinstance(one.event, e.FiringDecided) and one.event.file is not None
        ]

    def seen(self) -> list[e.InputsSeen]:
        events = (one.event for one in read(str(self.place.state)))
        return [one for one in events if isinstance(one, e.InputsSeen)]

    def archived(self) -> list[e.LifeArchived]:
        events = (one.event for one in read(str(self.place.state)))
        return [one for one in events if isinstance(one, e.LifeArchived)]

    def ran(self) -> Counter[str]:
        ledger = self.place.root / "ledger"
        lines = ledger.read_text().split() if ledger.exists() else []
        return Counter(Path(line).name for line in lines)

    def conditions(self) -> dict[str, str]:
        return {one.type: one.message for one in read_status(str(self.place.state)).conditions}

    def once(self, code: int = 0) -> None:
        self.place.treadle("up", "--once", code=code)


@pytest.fixture
def drop(place: Place) -> Dropped:
    return Dropped(place)


# ---------------------------------------- how files come


def by_bytes(source: Path, path: Path) -> bool:
    """Half-written again and again; tells whether each pause was too short to be the end."""
    last, longest = time.monotonic(), 0.0
    with path.open("wb", buffering=0) as file:
        for byte in source.read_bytes():
            file.write(bytes([byte]))
            last, pause = time.monotonic(), time.monotonic() - last
            longest = max(longest, pause)
            time.sleep(RESTLESS_SECONDS)
    return longest < STILL / 1e6


PROGRAMS = {
    "cp": ["cp", "{source}", "{path}"],
    "cp-p": ["cp", "-p", "{source}", "{path}"],
    "mv": ["mv", "{source}", "{path}"],
    "ln": ["ln", "{source}", "{path}"],
    "ln-s": ["ln", "-s", "{source}", "{path}"],
    "install": ["install", "-m", "600", "{source}", "{path}"],
    "dd": ["dd", "status=none", "bs=1", "if={source}", "of={path}"],
    "rsync": ["rsync", "-a", "{source}", "{path}"],
    "sed": ["sh", "-c", 'cp "$0" "$1" && sed -i s/x/yy/g "$1"', "{source}", "{path}"],
}


def test_however_a_file_comes_it_fires_once_and_whole(drop: Dropped) -> None:
    sizes = {"sed.csv": 60}
    with drop.place.up():
        for way, words in PROGRAMS.items():
            if shutil.which(words[0]) is None:
                continue
            source, path = drop.elsewhere / way, drop.inbox / f"{way}.csv"
            source.write_text("x" * 30)
            sizes.setdefault(path.name, 30)
            subprocess.run([word.format(source=source, path=path) for word in words], check=True)
        if by_bytes(drop.elsewhere / "cp", drop.inbox / "bytes.csv"):
            sizes["bytes.csv"] = 30
        drop.place.until(lambda: drop.ran().keys() >= sizes.keys())
        (drop.inbox / "last.csv").touch()  # once it has fired, all that was there has
        drop.place.until(lambda: "last.csv" in drop.ran())
    taken = {Path(one.path).name: one.size for one in drop.taken()}
    assert {name: taken[name] for name in sizes} == sizes
    again = {name for name, times in drop.fired().items() if times > 1}
    assert again <= {"dd.csv", "sed.csv", "bytes.csv"} - sizes.keys()
    assert drop.ran() == drop.fired()


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_a_folder_by_rsync_and_the_same_again(drop: Dropped) -> None:
    for number in range(20):
        (drop.elsewhere / f"{number}.csv").write_text("x" * number)
    words = ["rsync", "-a", f"{drop.elsewhere}/", drop.inbox]
    with drop.place.up():
        subprocess.run(words, check=True)
        drop.place.until(lambda: len(drop.ran()) == 20)
        subprocess.run(words, check=True)  # has nothing to do
        (drop.elsewhere / "7.csv").write_text("changed")
        subprocess.run(words, check=True)
        drop.place.until(lambda: drop.ran()["7.csv"] == 2)
    assert sorted(drop.ran().values()) == [1] * 19 + [2]


def test_a_file_that_is_appended_to_later_is_another_one(drop: Dropped) -> None:
    path = drop.inbox / "a.csv"
    with drop.place.up():
        path.write_text("1")
        drop.place.until(lambda: drop.ran()["a.csv"] == 1)
        with path.open("a") as file:
            file.write("2")
        drop.place.until(lambda: drop.ran()["a.csv"] == 2)
    assert [one.size for one in drop.taken()] == [1, 2]


def test_files_that_lie_there_before_the_first_start(drop: Dropped) -> None:
    for name in ("b.csv", "a.csv", "c.txt", ".d.csv"):
        (drop.inbox / name).write_text(name)
    drop.once()
    assert drop.ran() == {"a.csv": 1, "b.csv": 1}
    drop.once()
    assert drop.ran() == {"a.csv": 1, "b.csv": 1}
    assert all(not one.gone and not one.back for one in drop.seen())


def test_an_inbox_that_is_a_symlink(drop: Dropped) -> None:
    drop.inbox.rmdir()
    drop.inbox.symlink_to(drop.elsewhere)
    (drop.elsewhere / "a.csv").touch()
    drop.once()
    assert drop.ran() == {"a.csv": 1}


# ---------------------------------------- what steps do with them


def test_a_step_that_writes_its_own_file_is_stopped(drop: Dropped) -> None:
    drop.define(f'{RECORD}; echo x >> "$FILE"')
    (drop.inbox / "a.csv").touch()
    with drop.place.up():
        drop.place.until(lambda: "TriggerLoops" in drop.conditions())
        (drop.inbox / "b.txt").touch()
        assert "drop/files" in drop.conditions()["TriggerLoops"]
    assert drop.fired() == {"a.csv": 10}


TAKE_AWAY = """
case "$FILE" in
  *a.csv) rm "$FILE" ;;
  *b.csv) mv "$FILE" ../elsewhere/ ;;
  *) mv "$FILE" "$FILE.done" ;;
esac
"""


def test_steps_that_take_their_files_away(drop: Dropped) -> None:
    drop.define(RECORD + TAKE_AWAY)
    with drop.place.up():
        for name in ("a.csv", "b.csv", "c.csv"):
            (drop.inbox / name).touch()
        drop.place.until(lambda: sum(len(one.gone) for one in drop.seen()) == 3)
        (drop.inbox / "d.csv").touch()
        drop.place.until(lambda: "d.csv" in drop.ran())
    assert drop.fired() == {"a.csv": 1, "b.csv": 1, "c.csv": 1, "d.csv": 1}


# ---------------------------------------- where nothing fires


def test_a_pattern_into_the_state_folder_fires_for_nothing_and_says_so(drop: Dropped) -> None:
    drop.define(path="../.treadle/*.json")
    with drop.place.up():
        drop.place.until(lambda: "InboxInState" in drop.conditions())
        assert "drop/files" in drop.conditions()["InboxInState"]
    assert not drop.fired()


@pytest.mark.parametrize("instead", ["nothing", "a file", "a loop"])
def test_what_is_no_folder_is_not_waited_for(drop: Dropped, instead: str) -> None:
    drop.inbox.rmdir()
    if instead == "a file":
        drop.inbox.touch()
    if instead == "a loop":
        drop.inbox.symlink_to(drop.inbox)
    drop.once()
    drop.inbox.unlink(missing_ok=True)
    drop.inbox.mkdir()
    (drop.inbox / "a.csv").touch()
    drop.once()
    assert drop.ran() == {"a.csv": 1}


def test_files_of_a_suspended_definition_are_not_waited_for(drop: Dropped) -> None:
    drop.define(suspend=True)
    (drop.inbox / "a.csv").touch()
    drop.once()
    assert not drop.fired()
    drop.define()
    drop.once()
    assert drop.ran() == {"a.csv": 1}


def test_a_failed_instance_is_told_by_the_exit_code(drop: Dropped) -> None:
    drop.define(f"{RECORD}; false")
    (drop.inbox / "a.csv").touch()
    drop.once(code=1)
    drop.once(code=0)  # it did not end during this command
    assert drop.ran() == {"a.csv": 1}


def test_a_failed_instance_counts_although_it_was_archived(drop: Dropped) -> None:
    """It stays for 10 s, since somebody may wait for it; then others have its place."""
    drop.define(f'{RECORD}; case "$FILE" in *0.csv) exit 3;; esac; sleep 4', keepInstances=1)
    for number in range(4):
        (drop.inbox / f"{number}.csv").touch()
    drop.once(code=1)
    assert drop.archived()
    drop.once(code=0)


# ---------------------------------------- an inbox that goes and comes


@contextmanager
def mounted(folder: Path) -> Iterator[Callable[[bool], None]]:
    """A disk at `folder`, to be taken away and put back by the call that this gives."""
    disk = folder.with_name("disk")
    disk.mkdir()
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "none", disk], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"nothing can be mounted here: {tried.stderr.strip()}")

    def put(there: bool) -> None:
        words = ["mount", "--bind", disk, folder] if there else ["umount", "--lazy", folder]
        subprocess.run(words, check=True)

    try:
        yield put
    finally:
        for path in (folder, disk):
            with suppress(subprocess.CalledProcessError):
                subprocess.run(["umount", "--lazy", path], check=True, capture_output=True)


def test_a_disk_that_goes_and_comes(drop: Dropped) -> None:
    with mounted(drop.inbox) as put:
        put(True)
        (drop.inbox / "a.csv").write_text("a")
        with drop.place.up():
            drop.place.until(lambda: drop.ran()["a.csv"] == 1)
            put(False)
            drop.place.until(lambda: "InboxAway" in drop.conditions())
            put(True)
            (drop.inbox / "b.csv").write_text("b")
            drop.place.until(lambda: drop.ran()["b.csv"] == 1)
            assert "InboxAway" not in drop.conditions()
        put(False)
        drop.once()  # ends: what is on the disk can't be waited for
        put(True)
        drop.once()
    assert drop.fired() == {"a.csv": 1, "b.csv": 1}
    assert all(not one.gone for one in drop.seen())
