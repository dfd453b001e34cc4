"""Which files of real folders a pattern shows, and when; time goes by hand.

No test waits for luck: a look says when the next one is due, and the clock is set to that.
"""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.folder.inbox import (
    PAUSE,
    PAUSE_MAX,
    RESCAN,
    Inbox,
    is_being_written,
    pause_after,
)
from controller.folder.scan import STILL
from controller.loop.ports import InputSight, SeenInput

NOBODY = 65534
MANY = 10_000


class Looked:
    """An inbox of one pattern, seen from a folder, and a clock that the test moves."""

    def __init__(self, folder: Path, pattern: str = "in/*.csv") -> None:
        self.folder = folder
        self.pattern = str(folder / pattern)
        self.state = folder / "state"
        self.state.mkdir(exist_ok=True)
        (folder / "in").mkdir(exist_ok=True)
        self.inbox = Inbox(str(self.state))
        self.now = 4_000_000_000_000_000

    def look(self, after: int = 0, full: bool = False) -> InputSight:
        self.now += after
        return self.inbox.look([self.pattern], self.now, full)[self.pattern]

    def next(self) -> InputSight:
        """Look at the very moment that the inbox asks for."""
        due = self.inbox.next_due()
        assert due is not None
        return self.look(max(0, due - self.now))

    def scan(self) -> InputSight:
        """Scan now, and go on until all that stands still is seen as that."""
        sight = self.look(full=True)
        return self.next() if sight.unsteady else sight

    def names(self) -> set[str]:
        """What is there after a scan, relative to the folder."""
        return {os.path.relpath(path, self.folder) for path in self.scan().files}

    def write(self, path: str, text: str = "a,b\n") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    return Looked(tmp_path)


# ---------------------------------------- when a file counts


def test_a_file_counts_when_it_has_stood_still_for_100_ms(looked: Looked) -> None:
    file = looked.write("in/a.csv")
    first = looked.look()
    due = looked.inbox.next_due()
    assert due is not None and due >= looked.now + STILL
    assert (first.root, first.files, first.unsteady) == ("ok", {}, 1)
    assert looked.look(due - looked.now - 1).unsteady == 1
    sight = looked.look(1)
    stat = file.stat()
    assert sight.files == {str(file): SeenInput(str(file), stat.st_size, stat.st_mtime_ns)}
    assert sight.unsteady == 0
    assert sight.device == stat.st_dev


def test_the_time_that_a_look_takes_is_not_stillness(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked.write("in/a.csv")
    slow, os_stat = 3 * STILL, os.stat

    def stat(path: str) -> os.stat_result:
        time.sleep(slow / 1_000_000 if path.endswith(".csv") else 0)
        return os_stat(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", stat)
        looked.look()
    assert looked.look(slow).unsteady == 1, "the stat was taken at the end of the look"
    assert len(looked.next().files) == 1


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", source, target], check=True)


def move(source: Path, target: Path) -> None:
    subprocess.run(["mv", source, target], check=True)


def link(source: Path, target: Path) -> None:
    target.hardlink_to(source)


def rsync(source: Path, target: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("there is no rsync")
    subprocess.run(["rsync", "--times", source, target], check=True)


def as_rsync_does(source: Path, target: Path) -> None:
    hidden = target.with_name(f".{target.name}.Xy12Zw")
    copy(source, hidden)
    shutil.copystat(source, hidden)
    hidden.rename(target)


@pytest.mark.parametrize("drop", [copy, move, link, rsync, as_rsync_does])
def test_however_a_file_comes_it_counts_after_two_looks(
    looked: Looked, drop: Callable[[Path, Path], None]
) -> None:
    source = looked.write("elsewhere/a.csv")
    os.utime(source, (1_000, 1_000))
    assert looked.scan().files == {}
    drop(source, looked.folder / "in/a.csv")
    assert looked.look(full=True).unsteady == 1
    assert len(looked.next().files) == 1


def test_a_file_under_a_hidden_name_is_not_seen_before_its_rename(looked: Looked) -> None:
    hidden = looked.write("in/.a.csv.Xy12Zw")
    assert looked.scan() == InputSight(
        pattern=looked.pattern, root="ok", device=hidden.stat().st_dev
    )
    hidden.rename(looked.folder / "in/a.csv")
    assert looked.names() == {"in/a.csv"}


APPENDER = """
import sys
with open(sys.argv[1], "ab", buffering=0) as file:
    for line in sys.stdin:
        file.write(line.encode())
        print("written", flush=True)
"""


@contextmanager
def appender(path: Path) -> Iterator[Callable[[], None]]:
    """A process that holds the file open; each call makes it append a line, and waits for that."""
    with subprocess.Popen(
        [sys.executable, "-c", APPENDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def append() -> None:
            process.stdin.write("1,2\n")
            process.stdin.flush()
            assert process.stdout.readline() == "written\n"

        yield append
        process.stdin.close()


def test_a_file_that_is_being_written_does_not_count(looked: Looked) -> None:
    path = looked.folder / "in/a.csv"
    with appender(path) as append:
        append()
        assert looked.look().unsteady == 1
        for _ in range(50):  # 5 s, with scans and looks at this file alone
            append()
            sight = looked.next()
            assert (sight.files, sight.unsteady) == ({}, 1)
    sight = looked.next()
    assert [seen.size for seen in sight.files.values()] == [51 * 4]


def test_a_writer_that_pauses_is_not_done_while_it_has_the_file_open(looked: Looked) -> None:
    path = looked.folder / "in/a.csv"
    with appender(path) as append:
        append()
        for _ in range(20):
            sight = looked.next() if looked.inbox.next_due() else looked.look()
            assert sight.files == {}
        due = looked.inbox.next_due()
        assert due is not None
        assert due > looked.now, "it asks again, and does not spin"
        append()
    assert [seen.size for seen in looked.next().files.values()] in ([8], [])
    assert [seen.size for seen in looked.scan().files.values()] == [8]


def test_whoever_reads_it_or_opens_it_while_it_is_asked_is_not_disturbed(looked: Looked) -> None:
    path = looked.write("in/a.csv")
    with path.open("rb"):
        assert looked.names() == {"in/a.csv"}
    with appender(path) as append:
        append()
        assert is_being_written(str(path))
    assert not is_being_written(str(path))
    for _ in range(200):  # a lease that is taken and broken at the same moment
        with ThreadPoolExecutor(2) as both:
            both.submit(is_being_written, str(path))
            both.submit(path.write_text, "x")


def test_where_there_are_no_leases_stillness_is_enough(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, command: int, argument: int = 0) -> int:
        raise OSError(errno.EINVAL, "no leases here")

    monkeypatch.setattr("fcntl.fcntl", refuse)
    path = looked.folder / "in/a.csv"
    with appender(path) as append:
        append()
        assert [seen.size for seen in looked.scan().files.values()] == [4]


def until_stamped_anew(path: Path, change: Callable[[], None]) -> None:
    """Change it until its ctime is another: a file system may stamp two changes alike."""
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        change()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_text("c,d\n"), id="written in place, equal in size"),
        pytest.param(lambda path: path.write_text(""), id="made empty"),
        pytest.param(lambda path: os.utime(path, (1_000, 1_000)), id="touched with an old mtime"),
        pytest.param(lambda path: path.chmod(0o600), id="another mode"),
    ],
)
def test_a_change_makes_it_count_anew(looked: Looked, change: Callable[[Path], None]) -> None:
    path = looked.write("in/a.csv")
    assert looked.names() == {"in/a.csv"}
    until_stamped_anew(path, lambda: change(path))
    assert looked.look(full=True).unsteady == 1
    stat = path.stat()
    assert looked.next().files == {str(path): SeenInput(str(path), stat.st_size, stat.st_mtime_ns)}


def test_another_file_of_equal_size_and_mtime_has_to_stand_still_too(looked: Looked) -> None:
    path = looked.write("in/a.csv", "old\n")
    before = looked.scan()
    other = looked.write("in/other", "new\n")
    shutil.copystat(path, other)
    other.rename(path)
    assert looked.look(full=True).unsteady == 1
    assert looked.next() == before, "what is reported of it is the same"


def test_deleted_and_back(looked: Looked) -> None:
    path = looked.write("in/a.csv")
    before = looked.scan()
    aside = path.rename(looked.folder / "aside")
    assert looked.look(full=True).files == {}
    aside.rename(path)
    assert looked.look(full=True).unsteady == 1
    assert looked.next() == before


def test_deleted_before_it_stood_still(looked: Looked) -> None:
    path = looked.write("in/a.csv")
    looked.write("in/b.csv")
    assert looked.look().unsteady == 2
    path.unlink()
    sight = looked.next()
    assert (len(sight.files), sight.unsteady, sight.unreadable) == (1, 0, 0)


# ---------------------------------------- when it looks


def test_it_scans_every_two_seconds(looked: Looked) -> None:
    looked.look()
    due = looked.inbox.next_due()
    assert due is not None and due >= looked.now + RESCAN
    looked.write("in/a.csv")
    assert looked.look(due - looked.now - 1).unsteady == 0
    assert looked.look(1).unsteady == 1


def test_a_slow_scan_is_followed_by_a_long_pause(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, os_scandir = RESCAN // PAUSE + 50_000, os.scandir

    def scandir(path: str) -> object:
        time.sleep(slow / 1_000_000)
        return os_scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        looked.look()
    due = looked.inbox.next_due()
    assert due is not None and due - looked.now >= slow + PAUSE * slow


@pytest.mark.parametrize(
    ("took", "pause"),
    [
        pytest.param(0, RESCAN, id="the usual one"),
        pytest.param(RESCAN // PAUSE, RESCAN, id="the slowest scan without a longer one"),
        pytest.param(1_000_000, 10_000_000, id="ten times as long"),
        pytest.param(8 * 3_600_000_000, PAUSE_MAX, id="a night asleep in the middle of a scan"),
    ],
)
def test_the_pause_after_a_scan(took: int, pause: int) -> None:
    assert pause_after(took) == pause


def test_while_nothing_changes_it_answers_with_the_same_object(looked: Looked) -> None:
    looked.write("in/a.csv")
    looked.scan()
    before = looked.inbox.look([looked.pattern], looked.now)
    assert looked.inbox.look([looked.pattern], looked.now + 1) is before
    assert looked.inbox.look([looked.pattern], looked.now + 2, full=True) is before
    assert looked.inbox.look([looked.pattern], looked.now + 3 * RESCAN) is before
    looked.write("in/b.csv")
    after = looked.inbox.look([looked.pattern], looked.now + 4 * RESCAN, full=True)
    assert after is not before
    assert before[looked.pattern].unsteady == 0


def test_an_answer_never_changes_later(looked: Looked) -> None:
    looked.write("in/a.csv")
    looked.scan()
    looked.write("in/b.csv")
    first = looked.look(full=True)
    second = looked.next()
    assert (len(first.files), first.unsteady) == (1, 1)
    assert (len(second.files), second.unsteady) == (2, 0)


def test_a_pattern_that_shows_nothing_new_keeps_its_object(looked: Looked) -> None:
    patterns = [looked.pattern, str(looked.folder / "in/*.txt")]
    before = looked.inbox.look(patterns, looked.now)
    looked.write("in/a.csv")
    after = looked.inbox.look(patterns, looked.now, full=True)
    assert [after[pattern] is before[pattern] for pattern in patterns] == [False, True]


def test_no_pattern_needs_no_look(looked: Looked) -> None:
    assert looked.inbox.next_due() is None
    assert looked.inbox.look([], looked.now) == {}
    assert looked.inbox.next_due() is None
    looked.look()
    assert looked.inbox.next_due() is not None
    assert looked.inbox.look([], looked.now) == {}
    assert looked.inbox.next_due() is None


def test_a_new_pattern_is_looked_at_at_once_and_the_others_when_they_are_due(
    looked: Looked,
) -> None:
    looked.write("in/a.csv")
    looked.write("in/b.txt")
    looked.scan()
    looked.write("in/c.csv")
    more = [looked.pattern, str(looked.folder / "in/*.txt")]
    csv, txt = looked.inbox.look(more, looked.now).values()
    assert (len(csv.files), csv.unsteady) == (1, 0)
    assert (len(txt.files), txt.unsteady) == (0, 1)


def test_two_patterns_may_show_one_file(looked: Looked) -> None:
    path = looked.write("in/a.csv")
    patterns = [looked.pattern, str(looked.folder / "in/a*")]
    looked.inbox.look(patterns, looked.now)
    due = looked.inbox.next_due()
    assert due is not None
    sights = looked.inbox.look(patterns, due)
    assert [list(sight.files) for sight in sights.values()] == [[str(path)], [str(path)]]


# ---------------------------------------- what matches


def seen(looked: Looked, pattern: str) -> set[str]:
    return Looked(looked.folder, pattern).names()


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        pytest.param("in/*", {"in/a.csv", "in/b.txt", "in/c[1].csv"}, id="no dot at the start"),
        pytest.param("in/.*", {"in/.d.csv"}, id="a dot that is written"),
        pytest.param("in/?.csv", {"in/a.csv"}, id="one character"),
        pytest.param("in/?d.csv", set(), id="no wildcard stands for that dot"),
        pytest.param("in/[!x]d.csv", set(), id="no set does either"),
        pytest.param("in/[a-b].*", {"in/a.csv", "in/b.txt"}, id="one of a set"),
        pytest.param("in/c[[]1].csv", {"in/c[1].csv"}, id="a bracket"),
        pytest.param("in/A.csv", set(), id="case counts"),
        pytest.param("in/[A-Z].csv", set(), id="case counts in a set, too"),
        pytest.param("in/a.csv", {"in/a.csv"}, id="no wildcard at all"),
        pytest.param("in/nothing.csv", set(), id="no such file"),
        pytest.param("in/a.csv/x", set(), id="a file is no folder"),
        pytest.param("in/*/*.csv", {"in/one/e.csv", "in/two/f.csv"}, id="folders"),
        pytest.param("in/.*/*.csv", {"in/.hidden/g.csv"}, id="hidden folders"),
        pytest.param("in/*/e.csv", {"in/one/e.csv"}, id="a name below a wildcard"),
        pytest.param("in/*/deep/*", {"in/one/deep/h.csv"}, id="a folder below a wildcard"),
        pytest.param("*/one/*/?.csv", {"in/one/deep/h.csv"}, id="several levels"),
        pytest.param("in/**", {"in/a.csv", "in/b.txt", "in/c[1].csv"}, id="it never looks deeper"),
        pytest.param("./in//../in/a.*", {"in/a.csv"}, id="a path that is written the long way"),
        pytest.param("in/[", set(), id="half a set"),
        pytest.param("in/[z-a]", set(), id="an empty set"),
        pytest.param("in/" + "*a" * 200, set(), id="many wildcards"),
        pytest.param("in/" + "a" * 300, set(), id="a name that is too long"),
    ],
)
def test_what_a_pattern_shows(looked: Looked, pattern: str, matching: set[str]) -> None:
    for name in ("a.csv", "b.txt", "c[1].csv", ".d.csv", "one/e.csv", "two/f.csv"):
        looked.write(f"in/{name}")
    for name in (".hidden/g.csv", "one/deep/h.csv"):
        looked.write(f"in/{name}")
    assert seen(looked, pattern) == matching


@pytest.mark.parametrize("name", ["new\nline", "[", "a b", "größe", "日本", "*", "\\", "\x01", "'"])
def test_weird_names(looked: Looked, name: str) -> None:
    looked.write(f"in/{name}.csv")
    assert looked.names() == {f"in/{name}.csv"}
    looked.write(f"{name}/x.csv")
    assert f"{name}/x.csv" in seen(looked, "*/*.csv")


def test_names_that_are_not_utf8_are_counted(looked: Looked) -> None:
    looked.write("in/a.csv")
    for name in (b"\xff.csv", b"\xfe.csv", b"\xff.txt"):
        Path(os.fsdecode(os.fsencode(looked.folder / "in") + b"/" + name)).touch()
    Path(os.fsdecode(os.fsencode(looked.folder / "in") + b"/\xff")).mkdir()
    sight = looked.scan()
    assert (len(sight.files), sight.not_utf8) == (1, 2)
    assert Looked(looked.folder, "in/*/*.csv").scan().not_utf8 == 1, "a folder as well"


@pytest.mark.parametrize("pattern", ["in/\0.csv", "\0/*.csv", "in/\udcff*.csv", "in/\ud800/a"])
def test_a_pattern_that_no_path_can_match(looked: Looked, pattern: str) -> None:
    assert Looked(looked.folder, pattern).scan().root == "missing"


def test_only_regular_files_count(looked: Looked) -> None:
    looked.write("in/a.csv")
    (looked.folder / "in/folder.csv").mkdir()
    os.mkfifo(looked.folder / "in/fifo.csv")
    (looked.folder / "in/null.csv").symlink_to("/dev/null")
    sight = looked.scan()
    assert looked.names() == {"in/a.csv"}
    assert sight.unreadable == 0


def test_a_fifo_that_takes_the_place_of_a_file(looked: Looked) -> None:
    path = looked.write("in/a.csv")
    looked.look()
    path.unlink()
    os.mkfifo(path)
    sight = looked.next()
    assert (sight.files, sight.unsteady) == ({}, 0)


# ---------------------------------------- symlinks


def test_a_symlink_counts_as_its_target_does(looked: Looked) -> None:
    target = looked.write("elsewhere/data", "12345")
    os.utime(target, ns=(1_000, 2_000))
    path = looked.folder / "in/a.csv"
    path.symlink_to(target)
    assert looked.scan().files == {str(path): SeenInput(str(path), 5, 2_000)}
    looked.write("elsewhere/data", "123456")
    assert looked.look(full=True).unsteady == 1
    target.unlink()
    sight = looked.scan()
    assert (sight.files, sight.unreadable) == ({}, 0)


def test_symlinks_that_lead_nowhere_do_not_count(looked: Looked) -> None:
    (looked.folder / "in/dangling.csv").symlink_to("nothing")
    (looked.folder / "in/circle.csv").symlink_to("circle.csv")
    assert looked.scan() == InputSight(
        pattern=looked.pattern, root="ok", device=looked.folder.stat().st_dev
    )
    assert Looked(looked.folder, "in/*/*.csv").scan().unreadable == 0


def test_symlinks_to_folders_are_followed(looked: Looked) -> None:
    looked.write("elsewhere/a.csv")
    (looked.folder / "in/sub").symlink_to("../elsewhere")
    (looked.folder / "in/up").symlink_to("..")
    assert seen(looked, "in/*/*.csv") == {"in/sub/a.csv"}
    assert seen(looked, "in/*/*/*.csv") == {"in/up/elsewhere/a.csv"}


@pytest.mark.parametrize(
    "pattern",
    ["state/*.csv", "state/a.csv", "*/*.csv", "sta?e/deep/*", "in/*/*.csv", "in/s/*", "in/*.csv"],
)
def test_nothing_of_the_state_folder_counts(looked: Looked, pattern: str) -> None:
    looked.write("state/a.csv")
    looked.write("state/deep/b.csv")
    (looked.folder / "in/s").symlink_to("../state")
    (looked.folder / "in/deep").symlink_to("../state/deep")
    (looked.folder / "in/linked.csv").symlink_to("../state/a.csv")
    sight = Looked(looked.folder, pattern).scan()
    assert (sight.root, sight.files, sight.unsteady) == ("ok", {}, 0)


def test_a_folder_beside_the_state_folder_counts(looked: Looked) -> None:
    looked.write("state2/c.csv")
    assert seen(looked, "*/*.csv") == {"state2/c.csv"}


def test_a_state_folder_that_is_named_by_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/a.csv").touch()
    (tmp_path / "link").symlink_to("state")
    inbox = Inbox(str(tmp_path / "link"))
    pattern = str(tmp_path / "*/*.csv")
    assert inbox.look([pattern], 0)[pattern].unsteady == 0


# ---------------------------------------- the folder


def test_a_folder_that_goes_and_comes(looked: Looked) -> None:
    looked.write("in/a.csv")
    before = looked.scan()
    aside = (looked.folder / "in").rename(looked.folder / "aside")
    gone = InputSight(pattern=looked.pattern, root="missing")
    assert looked.look(full=True) == gone
    (looked.folder / "in").write_text("a file in its place")
    assert looked.look(full=True) == gone
    (looked.folder / "in").unlink()
    (looked.folder / "in").mkdir()
    assert looked.look(full=True) == InputSight(
        pattern=looked.pattern, root="ok", device=before.device
    )
    (looked.folder / "in").rmdir()
    aside.rename(looked.folder / "in")
    assert looked.look(full=True).unsteady == 1, "nobody knows what happened to it meanwhile"
    assert looked.next() == before


def test_a_folder_that_goes_before_its_file_stood_still(looked: Looked) -> None:
    looked.write("in/a.csv")
    looked.look()
    shutil.rmtree(looked.folder / "in")
    sight = looked.next()
    assert (sight.files, sight.unsteady) == ({}, 0)


@pytest.mark.parametrize("root", ["missing", "unreadable"])
def test_a_folder_that_is_replaced_while_it_is_listed(
    looked: Looked, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    looked.write("in/a.csv")
    before = looked.scan()

    def scandir(path: str) -> object:
        monkeypatch.undo()
        (looked.folder / "in").rename(looked.folder / "aside")
        if root == "unreadable":
            (looked.folder / "in").mkdir()
        return os.scandir(looked.folder / "aside")

    monkeypatch.setattr(os, "scandir", scandir)
    assert looked.look(full=True) == InputSight(pattern=looked.pattern, root=root)
    shutil.rmtree(looked.folder / "in", ignore_errors=True)
    (looked.folder / "aside").rename(looked.folder / "in")
    assert looked.scan() == before


@pytest.mark.parametrize("root", ["missing", "unreadable"])
def test_a_folder_that_fails_while_it_is_listed(
    looked: Looked, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    looked.write("in/a.csv")
    error = FileNotFoundError(2, "gone") if root == "missing" else OSError(5, "I/O error")

    def scandir(path: str) -> object:
        raise error

    monkeypatch.setattr(os, "scandir", scandir)
    assert looked.look(full=True) == InputSight(pattern=looked.pattern, root=root)


def test_a_folder_below_that_fails_hides_nothing_else(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "broken", "good"):
        looked.write(f"in/{name}/a.csv")
    os_scandir = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("gone"):
            raise FileNotFoundError(2, "gone")
        if path.endswith("broken"):
            raise OSError(5, "I/O error")
        return os_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    below = Looked(looked.folder, "in/*/*.csv")
    assert below.names() == {"in/good/a.csv"}
    assert below.scan().unreadable == 1


@contextmanager
def ordinary(folder: Path) -> Iterator[None]:
    """As a user who needs permission, whoever runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    for parent in [folder, *folder.parents]:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.parametrize(
    ("bits", "root"),
    [
        pytest.param(0o000, "unreadable", id="no permission at all"),
        pytest.param(0o444, "unreadable", id="names, but nothing of the files"),
        pytest.param(0o111, "unreadable", id="files, but not their names"),
        pytest.param(0o555, "ok", id="all that is needed"),
    ],
)
def test_permissions_of_the_folder(looked: Looked, bits: int, root: str) -> None:
    looked.write("in/a.csv")
    with mode(looked.folder / "in", bits), ordinary(looked.folder):
        sight = looked.scan()
        assert (sight.root, len(sight.files)) == (root, int(root == "ok"))


def test_permissions_above_and_below_the_folder(looked: Looked) -> None:
    looked.write("in/one/a.csv").chmod(0o000)
    looked.write("in/two/b.csv")
    looked.write("in/three/c.csv")
    with (
        mode(looked.folder / "in/two", 0o000),
        mode(looked.folder / "in/three", 0o444),
        ordinary(looked.folder),
    ):
        below = Looked(looked.folder, "in/*/*.csv")
        sight = below.scan()
        assert below.names() == {"in/one/a.csv"}, "its content is not looked at"
        assert (sight.root, sight.unreadable) == ("ok", 2)
        deeper = Looked(looked.folder, "in/two/*.csv").scan()
        assert deeper.root == "unreadable"
        assert Looked(looked.folder, "in/two/deeper/*.csv").scan().root == "unreadable"


def test_a_name_without_wildcards_needs_no_listing(looked: Looked) -> None:
    looked.write("in/a.csv")
    with mode(looked.folder / "in", 0o111), ordinary(looked.folder):
        assert seen(looked, "in/a.csv") == {"in/a.csv"}


# ---------------------------------------- cost


def cpu(call: Callable[[], Mapping[str, InputSight]]) -> float:
    """Seconds of this process's CPU, the least of three."""
    costs = []
    for _ in range(3):
        began = time.process_time()
        call()
        costs.append(time.process_time() - began)
    return min(costs)


def test_ten_thousand_files_cost_less_than_100_ms_of_cpu(looked: Looked) -> None:
    for number in range(MANY):
        (looked.folder / f"in/{number}.csv").touch()
        (looked.folder / f"in/{number}.txt").touch()
    first = looked.look()
    assert first.unsteady == MANY
    sight = looked.next()
    assert (len(sight.files), sight.unsteady) == (MANY, 0)
    before = looked.inbox.look([looked.pattern], looked.now)
    assert cpu(lambda: looked.inbox.look([looked.pattern], looked.now, full=True)) < 0.1
    assert looked.inbox.look([looked.pattern], looked.now, full=True) is before
    assert cpu(lambda: looked.inbox.look([looked.pattern], looked.now)) < 0.001


def test_a_writer_at_work_costs_a_look_at_its_file_alone(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        looked.write(f"in/{number}.csv")
    looked.scan()
    path = looked.write("in/busy.csv")
    looked.look(full=True)
    asked: list[str] = []

    os_stat = os.stat

    def stat(path: str) -> os.stat_result:
        asked.append(path)
        return os_stat(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", stat)
        looked.look()
        assert asked == [], "it is not due"
        looked.next()
    assert asked == [str(path)]


def test_patterns_that_share_a_folder_list_it_once(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a-1.csv", "a-2.csv", "b-1.csv", "c-1.txt", ".a-3.csv", "[x].csv")
    for name in names:
        looked.write(f"in/{name}")
    inbox = Inbox(str(looked.folder / "state"))
    wanted = {
        "a-*.csv": {"a-1.csv", "a-2.csv"},
        "b-*": {"b-1.csv"},
        "*.csv": {"a-1.csv", "a-2.csv", "b-1.csv", "[x].csv"},
        ".a*": {".a-3.csv"},
        "[ab]-1*": {"a-1.csv", "b-1.csv"},
        "[[]x].csv": {"[x].csv"},
        "?-1.txt": {"c-1.txt"},
        "z*": set(),
    }
    patterns = [f"{looked.folder}/in/{pattern}" for pattern in wanted]
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    inbox.look(patterns, 0, full=True)
    assert listed == [f"{looked.folder}/in"]
    sights = inbox.look(patterns, 60_000_000, full=True)
    found = {
        pattern: {
            os.path.basename(path)
            for path in sights[whole].files | dict.fromkeys(sights[whole].restless)
        }
        for pattern, whole in zip(wanted, patterns, strict=True)
    }
    assert found == wanted
    (looked.folder / "in/b-1.csv").unlink()
    sights = inbox.look(patterns, 120_000_000, full=True)
    assert not sights[f"{looked.folder}/in/b-*"].files, "each look lists anew"
