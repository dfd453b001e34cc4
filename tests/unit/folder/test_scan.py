"""What a scan finds, when it reads it, and what it does not look at again; time goes by hand."""

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.folder.scan import STILL, TICK, Scanner
from controller.model.observations import FolderSight, SeenFile

BYTES_MAX = 1_000
ETL = (
    "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\n"
    "spec: {steps: [{name: one, run: 'true'}]}\n"
)


class Scanned:
    """A real folder, a scanner of it, and a clock that the test moves, which is not the disk's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sight = FolderSight(path=str(root), shown="specs")
        self.scanner = Scanner(self.sight, BYTES_MAX)
        self.now = 4_000_000_000_000_000

    def write(self, path: str, text: str = ETL) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def glance(self, after: int = 0) -> set[str]:
        """Scan after so many microseconds; what changed."""
        return self._changed(after, lambda: self.scanner.scan(self.now))

    def scan(self, after: int = 0) -> set[str]:
        """Scan, and look again when all writers may be done; what changed."""
        return self.glance(after) | self.look_again(STILL)

    def look_at(self, path: str, done: bool = True) -> set[str]:
        return self._changed(0, lambda: self.scanner.look_at(path, self.now, done))

    def look_again(self, after: int = 0) -> set[str]:
        return self._changed(after, lambda: self.scanner.read_on(self.now))

    def _changed(self, after: int, look: Callable[[], object]) -> set[str]:
        self.now += after
        self.sight.changed.clear()
        look()
        return set(self.sight.changed)

    def names(self) -> set[str]:
        """Paths of the files that were found without a fault."""
        return {path for path, file in self.sight.files.items() if not file.faults}

    def problem(self, path: str) -> str:
        (fault,) = self.sight.files[path].faults
        return fault.problem


@pytest.fixture
def folder(tmp_path: Path) -> Scanned:
    return Scanned(tmp_path)


# ---------------------------------------- when a file is read


@pytest.mark.parametrize("stamp", [0, 3_000_000_000, 5_000_000_000])
def test_a_file_is_read_once_it_stands_still_whatever_its_stamp(
    folder: Scanned, stamp: int
) -> None:
    """Its clock may be that of a file server, or ours may have been set."""
    os.utime(folder.write("etl.yaml"), (stamp, stamp))
    folder.glance()
    assert folder.sight.files["etl.yaml"] == SeenFile(path="etl.yaml", digest="", steady=False)
    assert folder.scanner.due() == folder.now + STILL
    assert folder.look_again(STILL - 1) == set()
    assert folder.look_again(1) == {"etl.yaml"}
    assert folder.sight.files["etl.yaml"].names == ("etl",)
    assert folder.scanner.due() is None


def test_one_that_is_written_again_meanwhile_waits_anew(folder: Scanned) -> None:
    folder.write("etl.yaml")
    folder.glance()
    folder.write("etl.yaml", ETL + "# more\n")
    folder.look_again(STILL)
    assert not folder.sight.files["etl.yaml"].steady
    assert folder.scanner.due() == folder.now + STILL
    folder.look_again(STILL)
    assert folder.sight.files["etl.yaml"].steady


def test_one_whose_writing_has_ended_is_read_at_once(folder: Scanned) -> None:
    folder.write("etl.yaml")
    assert folder.look_at("etl.yaml", done=True) == {"etl.yaml"}
    assert folder.sight.files["etl.yaml"].steady


def test_what_was_read_before_stays_while_a_writer_is_at_work(folder: Scanned) -> None:
    folder.write("etl.yaml")
    folder.scan()
    before = folder.sight.files["etl.yaml"]
    folder.write("etl.yaml", "apiVersion: treadle.dev/v1\nkind: [")
    folder.look_at("etl.yaml", done=False)
    during = folder.sight.files["etl.yaml"]
    assert (during.documents, during.steady) == (before.documents, False)
    folder.look_again(STILL)
    assert folder.sight.files["etl.yaml"].faults


def test_one_that_vanishes_while_it_is_waited_for_is_gone(folder: Scanned) -> None:
    folder.write("etl.yaml")
    folder.glance()
    (folder.root / "etl.yaml").unlink()
    assert folder.look_again(STILL) == {"etl.yaml"}
    assert not folder.sight.files
    assert folder.scanner.due() is None


def test_an_unchanged_file_is_not_read_again(
    folder: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("etl.yaml")
    folder.scan()

    def read(*_: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(folder.scanner, "_content", read)
    assert folder.scan(30_000_000) == set()


@pytest.mark.parametrize(
    ("read_after", "names"),
    [
        pytest.param(TICK, ("elt",), id="seen within a tick of the reading it is read again"),
        pytest.param(TICK + 1, ("etl",), id="seen before that its stamps have the last word"),
    ],
)
def test_a_second_write_may_leave_the_same_stamps(
    folder: Scanned, monkeypatch: pytest.MonkeyPatch, read_after: int, names: tuple[str, ...]
) -> None:
    folder.write("etl.yaml")
    folder.look_at("etl.yaml", done=False)
    folder.now += read_after
    folder.look_at("etl.yaml", done=True)
    real = folder.scanner._content
    other = ETL.replace("etl", "elt").encode()
    monkeypatch.setattr(folder.scanner, "_content", lambda found: (other, *real(found)[1:]))
    folder.glance(STILL)
    assert folder.sight.files["etl.yaml"].names == names
    assert folder.sight.files["etl.yaml"].steady


def test_what_is_uncertain_is_read_again_but_once(
    folder: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("etl.yaml")
    folder.look_at("etl.yaml", done=True)
    assert folder.glance(STILL) == set()
    monkeypatch.setattr(folder.scanner, "_content", None)
    assert folder.glance(STILL) == set()


def test_written_anew_with_the_same_content_is_no_change(folder: Scanned) -> None:
    folder.write("etl.yaml")
    folder.scan()
    folder.write("new.yaml").rename(folder.root / "etl.yaml")
    assert folder.look_at("etl.yaml") == set()


def test_a_file_that_changes_under_the_reading_does_not_count(
    folder: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.write("etl.yaml", "half of it")
    real = os.fstat
    stats = 0

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal stats
        stats += 1
        if stats == 3:  # the one after the reading
            path.write_text(ETL)
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", fstat)
    folder.look_at("etl.yaml", done=True)
    assert folder.sight.files["etl.yaml"] == SeenFile(path="etl.yaml", digest="", steady=False)
    folder.look_again(STILL)
    assert folder.sight.files["etl.yaml"].names == ("etl",)


# ---------------------------------------- what is found

Make = Callable[[Scanned], object]


def write_long(begin: str) -> Make:
    def make(folder: Scanned) -> None:
        folder.write("etl.yaml", begin + "#" * (BYTES_MAX + 1))

    return make


def link(path: str, to: str) -> Make:
    def make(folder: Scanned) -> None:
        (folder.root / path).parent.mkdir(parents=True, exist_ok=True)
        (folder.root / path).symlink_to(to)

    return make


def both(*makes: Make) -> Make:
    return lambda folder: [make(folder) for make in makes]


def spec(path: str) -> Make:
    return lambda folder: folder.write(path)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        pytest.param(spec("a/b/c/etl.yaml"), {"a/b/c/etl.yaml"}, id="one that lies deep"),
        pytest.param(spec(".git/etl.yaml"), set(), id="none in a hidden folder"),
        pytest.param(spec("a/.etl.yaml"), set(), id="no hidden one"),
        pytest.param(spec("readme.md"), set(), id="none without the suffix"),
        pytest.param(
            spec("dir.yaml/etl.yaml"), {"dir.yaml/etl.yaml"}, id="a folder may be called so"
        ),
        pytest.param(
            both(spec("etl.yaml"), link("b.yaml", "etl.yaml")),
            {"etl.yaml"},
            id="a symlink to what is seen anyway is not seen twice",
        ),
        pytest.param(
            both(spec(".data/etl.yaml"), link("etl.yaml", ".data/etl.yaml")),
            {"etl.yaml"},
            id="a symlink to what is hidden is how a ConfigMap looks",
        ),
        pytest.param(
            both(spec("etl.txt"), link("etl.yaml", "etl.txt")),
            {"etl.yaml"},
            id="a symlink to what has no suffix of ours",
        ),
        pytest.param(
            both(spec(".data/etl.yaml"), link("live", ".data")),
            {"live/etl.yaml"},
            id="a symlink to a hidden folder is followed",
        ),
        pytest.param(
            both(spec("a/etl.yaml"), link("b", "a")),
            {"a/etl.yaml"},
            id="a symlink to a folder that is seen anyway is not followed",
        ),
        pytest.param(
            both(spec("a/etl.yaml"), link("a/up", "..")),
            {"a/etl.yaml"},
            id="a symlink to the folder itself makes no circle",
        ),
        pytest.param(
            both(spec(".h/etl.yaml"), link(".h/again", "../.h"), link("h", ".h")),
            {"h/etl.yaml"},
            id="neither does one within a hidden folder",
        ),
    ],
)
def test_what_counts(folder: Scanned, make: Make, found: set[str]) -> None:
    make(folder)
    folder.scan()
    assert folder.names() == found
    assert all(not file.faults for file in folder.sight.files.values())


def test_a_hidden_folder_to_which_two_symlinks_lead_is_followed_once(folder: Scanned) -> None:
    both(spec(".data/etl.yaml"), link("a", ".data"), link("b", ".data"))(folder)
    folder.scan()
    assert folder.names() in ({"a/etl.yaml"}, {"b/etl.yaml"})


@pytest.mark.parametrize(
    ("make", "path", "problem"),
    [
        pytest.param(
            link("etl.yaml", "nowhere"),
            "etl.yaml",
            "a symlink that leads nowhere: No such file or directory",
            id="a symlink that leads nowhere",
        ),
        pytest.param(
            link("etl.yaml", "etl.yaml"),
            "etl.yaml",
            "a symlink that leads nowhere: Too many levels of symbolic links",
            id="a symlink to itself",
        ),
        pytest.param(
            link("etl.yaml", "/etc/passwd"),
            "etl.yaml",
            "a symlink that leaves the folder (/etc/passwd); copy what it leads to",
            id="a symlink that leaves the folder",
        ),
        pytest.param(
            link("all", "/etc"),
            "all",
            "a symlink that leaves the folder (/etc); copy what it leads to",
            id="a folder's symlink that leaves it",
        ),
        pytest.param(
            lambda folder: os.mkfifo(folder.root / "etl.yaml"),
            "etl.yaml",
            "not a regular file",
            id="a fifo, which nobody waits for",
        ),
        pytest.param(
            lambda folder: folder.write("etl.yaml", "#" * (BYTES_MAX + 1)),
            "etl.yaml",
            "larger than 1,000 bytes",
            id="one that is a byte too long",
        ),
        pytest.param(
            lambda folder: folder.write(os.fsdecode(b"\xff.yaml")),
            "\\xff.yaml",
            "its name is not UTF-8; rename it",
            id="a name that is no text",
        ),
        pytest.param(
            lambda folder: folder.write(os.fsdecode(b"\xff/etl.yaml")),
            "\\xff",
            "its name is not UTF-8; rename it",
            id="a folder whose name is no text",
        ),
    ],
)
def test_what_cant_be_taken_says_why_and_stops_no_other(
    folder: Scanned, make: Make, path: str, problem: str
) -> None:
    make(folder)
    folder.write("z/good.yaml")
    folder.scan()
    assert folder.problem(path) == problem
    assert folder.names() == {"z/good.yaml"}


@pytest.mark.parametrize(
    ("make", "foreign"),
    [
        pytest.param(write_long(""), True, id="a long file of somebody else"),
        pytest.param(write_long(ETL), False, id="a long spec"),
        pytest.param(
            lambda folder: os.mkfifo(folder.root / "etl.yaml"), True, id="nothing that holds a spec"
        ),
        pytest.param(link("etl.yaml", "nowhere"), False, id="what may be a spec, and isn't there"),
    ],
)
def test_what_cant_be_a_spec_is_somebody_elses(folder: Scanned, make: Make, foreign: bool) -> None:
    make(folder)
    folder.scan()
    file = folder.sight.files["etl.yaml"]
    assert file.faults and file.foreign is foreign


def test_one_of_the_longest_size_is_read(folder: Scanned) -> None:
    folder.write("etl.yaml", ETL + "#" * (BYTES_MAX - len(ETL)))
    folder.scan()
    assert folder.names() == {"etl.yaml"}


def test_a_symlink_that_leads_somewhere_again_is_taken(folder: Scanned) -> None:
    link("etl.yaml", ".data")(folder)
    folder.scan()
    assert folder.scan() == set(), "a fault is told once"
    folder.write(".data")
    assert folder.scan() == {"etl.yaml"}
    assert folder.names() == {"etl.yaml"}


def test_a_marker_is_found_anywhere_and_names_its_workflow(folder: Scanned) -> None:
    folder.write("a/etl.cancel", "reason: too dear\n")
    assert folder.scan() == {"a/etl.cancel"}
    marker = folder.sight.markers["a/etl.cancel"]
    assert (marker.workflow, marker.reason, marker.steady) == ("etl", "too dear", True)


def test_a_marker_that_is_just_being_written_is_unsteady(folder: Scanned) -> None:
    folder.write("etl.cancel", "")
    folder.glance()
    assert not folder.sight.markers["etl.cancel"].steady
    folder.look_again(STILL)
    assert folder.sight.markers["etl.cancel"].steady


def test_who_owns_a_file_is_known(folder: Scanned) -> None:
    folder.write("etl.yaml")
    folder.scan()
    assert folder.sight.files["etl.yaml"].by == pwd.getpwuid(os.getuid()).pw_name


# ---------------------------------------- what is gone


def test_a_scan_tells_what_vanished_and_when_it_began(folder: Scanned) -> None:
    folder.write("a.yaml")
    folder.write("a.cancel", "")
    folder.scan()
    (folder.root / "a.yaml").unlink()
    (folder.root / "a.cancel").unlink()
    assert folder.glance(5) == {"a.yaml", "a.cancel"}
    assert (folder.sight.files, folder.sight.markers) == ({}, {})
    assert folder.sight.scanned == folder.now


def test_a_look_at_one_path_is_no_scan(folder: Scanned) -> None:
    folder.scan()
    scanned = folder.sight.scanned
    folder.write("a.yaml")
    folder.now += 5
    folder.look_at("a.yaml")
    assert folder.sight.scanned == scanned


def test_a_folder_that_goes_takes_with_it_what_lay_in_it_and_nothing_else(
    folder: Scanned,
) -> None:
    for path in ("sub/a.yaml", "sub/deep/b.yaml", "sub/c.cancel", "subway/d.yaml", "e.yaml"):
        folder.write(path)
    folder.scan()
    shutil.rmtree(folder.root / "sub")
    assert folder.look_at("sub") == {"sub/a.yaml", "sub/deep/b.yaml", "sub/c.cancel"}
    assert folder.names() == {"subway/d.yaml", "e.yaml"}


def test_a_root_that_cant_be_listed_is_an_error_and_changes_nothing(folder: Scanned) -> None:
    folder.write("a.yaml")
    folder.scan()
    shutil.rmtree(folder.root)
    folder.sight.changed.clear()
    with pytest.raises(FileNotFoundError):
        folder.scanner.scan(folder.now)
    assert folder.names() == {"a.yaml"}
    assert not folder.sight.changed


# ---------------------------------------- hints


@pytest.mark.parametrize(
    ("path", "tells"),
    [
        pytest.param("etl.yaml", True, id="an ordinary file"),
        pytest.param("sub", True, id="an ordinary folder"),
        pytest.param("gone.yaml", True, id="what isn't there"),
        pytest.param("link.yaml", False, id="a symlink"),
        pytest.param(".data/etl.yaml", False, id="what is hidden, since a symlink may lead there"),
        pytest.param("plain.txt", False, id="what a symlink leads to"),
        pytest.param("linked", False, id="a folder with a symlink in it"),
        pytest.param(os.fsdecode(b"\xff.yaml"), False, id="a name that is no text"),
    ],
)
def test_whether_a_look_at_one_path_is_enough(folder: Scanned, path: str, tells: bool) -> None:
    both(
        spec("etl.yaml"), spec("sub/b.yaml"), spec(".data/etl.yaml"), spec("plain.txt"),
        link("link.yaml", "plain.txt"), link("linked/c.yaml", "../plain.txt"),
    )(folder)  # fmt: skip
    folder.scan()
    assert folder.scanner.look_at(path, folder.now, True) is tells


@pytest.mark.parametrize(
    ("path", "linked", "matters"),
    [
        pytest.param("etl.yaml", False, True, id="a spec"),
        pytest.param("etl.cancel", False, True, id="a marker"),
        pytest.param("notes.txt", False, False, id="another file"),
        pytest.param("plain.txt", True, True, id="another file to which a symlink leads"),
        pytest.param(".git/index.yaml", False, False, id="a hidden one, where there are no links"),
        pytest.param(".git/index.yaml", True, True, id="a hidden one, where there are some"),
    ],
)
def test_what_a_hint_has_to_be_about(
    folder: Scanned, path: str, linked: bool, matters: bool
) -> None:
    folder.write("plain.txt")
    if linked:
        link("link.yaml", "plain.txt")(folder)
    folder.scan()
    assert folder.scanner.concerns(path) is matters


# ---------------------------------------- hints and scans agree

FILES = ("a.yaml", "b.cancel", "sub/c.yaml", "sub/deep/d.yaml", "other/e.yaml", "notes.txt")
FOLDERS = ("sub", "sub/deep", "other")


def write(path: str, text: str) -> Make:
    return lambda folder: folder.write(path, text)


def remove(path: str) -> Make:
    def make(folder: Scanned) -> None:
        target = folder.root / path
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()

    return make


deeds = st.one_of(
    st.tuples(st.sampled_from(FILES), st.sampled_from([ETL, "", "x"])).map(
        lambda drawn: (drawn[0], write(*drawn))
    ),
    st.sampled_from(FILES + FOLDERS).map(lambda path: (path, remove(path))),
)


@settings(max_examples=60)
@given(past=st.lists(deeds, max_size=8))
def test_to_follow_hints_shows_what_a_full_scan_shows(
    tmp_path_factory: pytest.TempPathFactory, past: list[tuple[str, Make]]
) -> None:
    """`sub` is told of before what was made in it: its folder's hint covers all below."""
    root = tmp_path_factory.mktemp("specs")
    followed = Scanned(root)
    followed.scan()
    for path, make in past:
        make(followed)
        for hint in dict.fromkeys([path.partition("/")[0], path]):
            if not followed.scanner.look_at(hint, followed.now, True):
                followed.scan()
    followed.look_again(STILL)
    fresh = Scanned(root)
    fresh.scan()
    assert followed.sight.files == fresh.sight.files
    assert followed.sight.markers == fresh.sight.markers
