"""When the folder is looked at in full, and what its root has to be; polled, by a clock in hand."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.folder import folder as folder_module
from controller.folder.folder import ATTEMPTS, POLL, RESCAN, ROOT_CHECK, OpenFolder
from controller.folder.scan import STILL

ETL = (
    "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\n"
    "spec: {steps: [{name: one, run: 'true'}]}\n"
)
NOW = 4_000_000_000_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "specs"
    path.mkdir()
    (path / "etl.yaml").write_text(ETL)
    return path


@pytest.fixture
def polled(root: Path) -> Iterator[OpenFolder]:
    opened = OpenFolder(str(root), spec_bytes_max=10_000, poll=True)
    yield opened
    opened.close()


def test_the_first_look_sees_all(polled: OpenFolder, root: Path) -> None:
    sight = polled.look(NOW)
    assert (sight.root, sight.scanned, sight.changed) == ("ok", NOW, {"etl.yaml"})
    assert (sight.device, sight.inode) == (root.stat().st_dev, root.stat().st_ino)
    assert (sight.watching, sight.problem) == ("polling", "requested by --poll")


@pytest.mark.parametrize(
    ("after", "full", "scans"),
    [
        pytest.param(POLL - 1, False, False, id="not before the time"),
        pytest.param(POLL, False, True, id="when it is time"),
        pytest.param(1, True, True, id="whenever it is asked for"),
    ],
)
def test_when_it_scans_in_full(polled: OpenFolder, after: int, full: bool, scans: bool) -> None:
    polled.look(NOW)
    sight = polled.look(NOW + after, full)
    assert sight.scanned == (NOW + after if scans else NOW)


def test_a_watched_folder_is_scanned_seldom(root: Path) -> None:
    opened = OpenFolder(str(root), spec_bytes_max=10_000)
    try:
        if opened.look(NOW).watching == "polling":
            pytest.skip("the system has no watches to give")
        assert opened.look(NOW + RESCAN - 1).scanned == NOW
        assert opened.look(NOW + RESCAN).scanned == NOW + RESCAN
    finally:
        opened.close()


def test_it_is_next_due_for_the_root_then_for_the_scan(polled: OpenFolder) -> None:
    polled.look(NOW)
    assert polled.next_due() == NOW + ROOT_CHECK
    polled.look(NOW + ROOT_CHECK)
    assert polled.next_due() == NOW + POLL


def test_a_file_whose_writer_is_at_work_is_due_when_it_may_be_done(
    polled: OpenFolder, root: Path
) -> None:
    polled.look(NOW)
    (root / "etl.yaml").write_text(f"{ETL}# more\n")
    assert not polled.look(NOW + POLL).files["etl.yaml"].steady
    assert polled.next_due() == NOW + POLL + STILL
    assert polled.look(NOW + POLL + STILL).files["etl.yaml"].steady


# ---------------------------------------- the root

Deed = Callable[[Path], object]


def into_a_file(root: Path) -> None:
    shutil.rmtree(root)
    root.touch()


@pytest.mark.parametrize(
    ("deed", "becomes"),
    [
        pytest.param(shutil.rmtree, "missing", id="deleted"),
        pytest.param(lambda root: root.rename(f"{root}.old"), "missing", id="moved away"),
        pytest.param(into_a_file, "file", id="replaced by a file"),
    ],
)
def test_a_root_that_is_gone_is_noticed_within_a_second(
    polled: OpenFolder, root: Path, deed: Deed, becomes: str
) -> None:
    polled.look(NOW).changed.clear()
    deed(root)
    assert polled.look(NOW + ROOT_CHECK - 1).root == "ok"
    sight = polled.look(NOW + ROOT_CHECK)
    assert sight.root == becomes
    assert not sight.changed, "nothing is said of what lay in it"
    assert sight.scanned == NOW, "no scan confirms an absence there"
    assert polled.next_due() == NOW + 2 * ROOT_CHECK


def test_a_file_that_was_waited_for_is_not_gone_with_the_root(
    polled: OpenFolder, root: Path
) -> None:
    now = (root / "etl.yaml").stat().st_ctime_ns // 1000 + 1
    polled.look(now).changed.clear()
    root.rename(f"{root}.old")
    sight = polled.look(now + ROOT_CHECK)
    assert (sight.root, sight.changed) == ("missing", set())


def test_a_root_that_is_back_is_looked_at_in_full_at_once(polled: OpenFolder, root: Path) -> None:
    polled.look(NOW)
    away = root.rename(f"{root}.old")
    assert polled.look(NOW + ROOT_CHECK).root == "missing"
    (away / "b.yaml").write_text(ETL.replace("etl", "b"))
    (away / "etl.yaml").unlink()
    away.rename(root)
    back = NOW + 2 * ROOT_CHECK
    sight = polled.look(back)
    assert (sight.root, sight.scanned) == ("ok", back)
    assert sight.files.keys() == {"b.yaml"}


def test_another_folder_in_its_place_is_known_by_its_inode(polled: OpenFolder, root: Path) -> None:
    before = polled.look(NOW).inode
    root.rename(f"{root}.old")
    root.mkdir()
    sight = polled.look(NOW + ROOT_CHECK)
    assert sight.inode == root.stat().st_ino != before
    assert (sight.files, sight.scanned) == ({}, NOW + ROOT_CHECK)


def test_a_root_that_changes_under_the_scan_is_scanned_again(
    polled: OpenFolder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = polled._scanner.scan
    scans = 0

    def scan(now: int) -> None:
        nonlocal scans
        scans += 1
        real(now)
        if scans == 1:
            root.rename(f"{root}.old")
            root.mkdir()
            (root / "b.yaml").write_text(ETL.replace("etl", "b"))

    monkeypatch.setattr(polled._scanner, "scan", scan)
    assert polled.look(NOW).files.keys() == {"b.yaml"}


def test_one_that_never_stands_still_is_not_believed(
    polled: OpenFolder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = 0

    def scan(_: int) -> None:
        nonlocal scans
        scans += 1
        root.rename(f"{root}.{scans}")
        root.mkdir()

    monkeypatch.setattr(polled._scanner, "scan", scan)
    assert polled.look(NOW).root == "unreadable"
    assert scans == ATTEMPTS


def test_a_root_that_goes_under_the_scan_is_no_empty_folder(
    polled: OpenFolder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled.look(NOW).changed.clear()

    def scan(_: int) -> None:
        shutil.rmtree(root)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(polled._scanner, "scan", scan)
    sight = polled.look(NOW + POLL)
    assert (sight.root, sight.changed) == ("missing", set())
    assert sight.files.keys() == {"etl.yaml"}


# ---------------------------------------- watches


@pytest.fixture
def watches(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """How many folders the kernel watches, as the test says."""
    told: dict[str, int | None] = {"number": 1}
    monkeypatch.setattr(folder_module.Watcher, "watches", lambda _: told["number"])
    monkeypatch.setattr(folder_module.Watcher, "start", lambda *_: "")
    return told


def test_with_too_few_watches_it_polls_until_there_are_enough(
    root: Path, watches: dict[str, int | None]
) -> None:
    (root / "sub").mkdir()
    opened = OpenFolder(str(root), spec_bytes_max=10_000)
    try:
        sight = opened.look(NOW)
        assert sight.watching == "polling"
        assert sight.problem.startswith("the system has too few watches")
        assert opened.look(NOW + POLL).scanned == NOW + POLL
        watches["number"] = 2
        assert opened.look(NOW + RESCAN - 1).watching == "polling", "it is not tried each time"
        assert opened.look(NOW + RESCAN + POLL).watching == "events"
        assert sight.problem == ""
    finally:
        opened.close()


def test_where_the_kernel_does_not_tell_its_watches_are_believed(
    root: Path, watches: dict[str, int | None]
) -> None:
    watches["number"] = None
    opened = OpenFolder(str(root), spec_bytes_max=10_000)
    try:
        assert opened.look(NOW).watching == "events"
    finally:
        opened.close()
