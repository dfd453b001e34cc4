"""Real gestures on a real folder: what editors, rsync, git and volumes do to files.

Each test watches a folder the way the loop does: wait until something wakes, look, judge, fold.
"""

import logging
import os
import select
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from specs_folder import caller, template
from users import NOBODY, as_nobody, as_root, open_to_all

from controller.clock import SystemClock
from controller.errors import UsageError
from controller.folder import folder as folder_module
from controller.folder import watch
from controller.folder.folder import OpenFolder, check_folder
from controller.folder.markers import Marker, remove_markers, write_marker
from controller.intake.desired import AbsenceSettings, Memory, judge
from controller.model import events as e
from controller.model.apply.fold import apply
from controller.model.observations import FolderSight
from controller.model.state import State
from controller.owners import doubt_of_specs
from controller.planner.actions import Accept, Action
from controller.spec.fingerprint import fingerprints
from controller.spec.linked import homes_of

SECOND = 1_000_000
PATIENCE = 20.0  # seconds until a test gives up
BYTES_MAX = 64 * 1024


def workflow(name: str, *steps: str, run: str = "true") -> str:
    listed = "".join(f"\n    - {{name: {step}, run: '{run}'}}" for step in steps or ("one",))
    head = f"apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {{name: {name}}}"
    return f"{head}\nspec:\n  steps:{listed}\n"


class Watched:
    """A folder under the eyes of a controller that only judges."""

    def __init__(self, root: Path, poll: bool, settle: float) -> None:
        self.root = root
        self.state = State()
        self.clock = SystemClock()
        self.folder = OpenFolder(str(root), spec_bytes_max=BYTES_MAX, poll=poll)
        self.memory = Memory()
        self.settings = AbsenceSettings(settle_seconds=settle, mass_settle_seconds=2 * settle)
        self.story: list[str] = []
        self.conditions: list[str] = []
        self.due: int | None = None
        sight = self.folder.look(self.clock.now())
        self._fold(
            e.ControllerStarted(
                version="1", pid=1, user="me", boot_id="b", boottime=0, uptime=0,
                folder=str(root), folder_device=sight.device, folder_inode=sight.inode,
            )
        )  # fmt: skip

    @property
    def sight(self) -> FolderSight:
        return self.folder.look(self.clock.now())

    def until(self, holds: Callable[[], bool]) -> None:
        """Take turns until it holds."""
        deadline = time.monotonic() + PATIENCE
        self.turn()
        while not holds():
            assert time.monotonic() < deadline, (self.story, self.memory, self.folder._sight)
            self.wait()
            self.turn()

    def settled(self) -> None:
        """Take turns until nothing is left to be believed."""
        self.until(lambda: self.due is None)

    def quiet(self) -> None:
        """Take turns until nothing that was done before wakes anybody any more."""
        while select.select(self.folder.filenos(), [], [], 0.3)[0]:
            self.turn()

    def wait(self) -> None:
        due = self.folder.next_due()
        assert due is not None
        until = min(due, self.due) if self.due is not None else due
        left = (until - self.clock.now()) / SECOND
        select.select(self.folder.filenos(), [], [], min(max(0.0, left), PATIENCE))

    def turn(self) -> None:
        now = self.clock.now()
        sight = self.folder.look(now, full=self.memory.scan_due(now))
        verdict = judge(self.state, sight, now, self.settings, self.memory)
        self.due = verdict.due
        self.conditions = [condition.type for condition in verdict.conditions]
        for action in verdict.actions:
            self.story.append(self._short(action))
            self._carry_out(action)

    def said(self) -> list[str]:
        """What followed since this was last asked."""
        story, self.story = self.story, []
        return story

    def faults(self, path: str) -> list[str]:
        rejected = self.state.rejected.get(path)
        return [str(fault) for fault in rejected.faults] if rejected else []

    def _short(self, action: Action) -> str:
        match action:
            case Accept():
                verb = "edit" if action.uid else "new"
                return f"{verb} {action.document.metadata.name}"
            case e.DeletionAccepted():
                return f"delete {self.state.lives[action.uid].name}"
            case e.SourceChanged():
                return f"move {self.state.lives[action.uid].name}"
            case e.FolderAdopted():
                return "adopt"
        return f"{type(action).__name__} {action.path}"  # type: ignore[union-attr]

    def _carry_out(self, action: Action) -> None:
        if not isinstance(action, Accept):
            self._fold(action)  # type: ignore[arg-type]
            return
        before = self.state.lives[action.uid] if action.uid else None
        self._fold(
            e.GenerationAccepted(
                uid=action.uid or f"{action.document.metadata.name}-{self.state.seq}",
                workflow=action.document.metadata.name,
                generation=before.generation + 1 if before else 1,
                spec=action.document.spec,
                path=action.path,
                fingerprints=fingerprints(action.document.spec),
            )
        )

    def _fold(self, event: e.AnyEvent) -> None:
        seq = self.state.seq + 1
        now = self.clock.now()
        apply(self.state, e.Record(seq=seq, turn=seq, time=now, epoch=1, event=event))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    return tmp_path / "specs"


@pytest.fixture
def watched(root: Path) -> Iterator[Watched]:
    one = Watched(root, poll=False, settle=0.5)
    yield one
    one.folder.close()


@pytest.fixture
def etl(watched: Watched) -> Watched:
    """One workflow in force, from etl.yaml."""
    (watched.root / "etl.yaml").write_text(workflow("etl", "one", "two"))
    watched.until(lambda: watched.story == ["new etl"])
    watched.said()
    return watched


EDITED = workflow("etl", "one", "two", run="date")


# ---------------------------------------- how files are written


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def like_vim(path: Path, text: str) -> None:
    """Move the old one aside, write anew, remove the old one; and a probe in the beginning."""
    (path.parent / "4913").touch()
    (path.parent / "4913").unlink()
    backup = path.with_name(path.name + "~")
    path.rename(backup)
    path.write_text(text)
    backup.unlink()


def like_rsync(path: Path, text: str) -> None:
    """A temporary file with the old time of the source, renamed into place."""
    draft = path.with_name(f".{path.name}.Xk29a")
    draft.write_text(text)
    os.utime(draft, (1_000_000_000, 1_000_000_000))
    draft.rename(path)


def from_elsewhere(path: Path, text: str) -> None:
    """Renamed from outside the watched folder."""
    draft = path.parent.parent / "draft"
    draft.write_text(text)
    draft.rename(path)


def like_git(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def in_two_writes(path: Path, text: str) -> None:
    """The size stays the same and only the content differs after the second."""
    with path.open("w") as file:
        file.write(text[:100])
        file.flush()
        file.write(text[100:])


WAYS = [in_place, like_vim, like_rsync, from_elsewhere, like_git, in_two_writes]


@pytest.mark.parametrize("write", WAYS)
def test_an_edit_is_one_edit_however_it_is_written(
    etl: Watched, write: Callable[[Path, str], None]
) -> None:
    write(etl.root / "etl.yaml", EDITED)
    etl.until(lambda: "edit etl" in etl.story)
    etl.settled()
    assert etl.said() == ["edit etl"]


@pytest.mark.parametrize("write", WAYS)
def test_written_anew_with_the_same_content_is_nothing(
    etl: Watched, write: Callable[[Path, str], None]
) -> None:
    write(etl.root / "etl.yaml", workflow("etl", "one", "two"))
    (etl.root / "end.yaml").write_text(workflow("end"))
    etl.until(lambda: "new end" in etl.story)
    etl.settled()
    assert etl.said() == ["new end"]


@pytest.mark.parametrize("write", WAYS)
def test_templates_and_their_callers_are_taken_together(
    watched: Watched, write: Callable[[Path, str], None]
) -> None:
    """A commit is written file by file, and a turn may come in between."""
    first = {
        "a.yaml": caller("a", "chain", params="site: x"),
        "b.yaml": caller("b", "chain"),
        "lib.yaml": template("chain", "one", params="site: y"),
    }
    second = {
        "a.yaml": caller("a", "chain"),
        "b.yaml": caller("b", "chain", params="day: x"),
        "lib.yaml": template("chain", "one", "two", params="day: y"),
    }
    for path, text in first.items():
        (watched.root / path).write_text(text)
    watched.until(lambda: watched.story == ["new a", "new b"])
    watched.said()
    for path, text in second.items():
        write(watched.root / path, text)
        watched.turn()
    watched.until(lambda: len(watched.story) == 2)
    watched.settled()
    assert watched.said() == ["edit a", "edit b"]


def test_a_template_that_is_moved_or_made_again_was_never_away(watched: Watched) -> None:
    chain = watched.root / "chain.yaml"
    chain.write_text(template("chain", "one"))
    (watched.root / "a.yaml").write_text(caller("a", "chain"))
    watched.until(lambda: watched.story == ["new a"])
    watched.said()
    chain.unlink()
    watched.turn()
    chain.write_text(template("chain", "one"))
    watched.quiet()
    (watched.root / "lib").mkdir()
    chain.rename(watched.root / "lib/chain.yaml")
    watched.until(lambda: "move a" in watched.story and not watched.state.rejected)
    watched.settled()
    # The new path may be seen before the old one is gone: two of one name, for a moment.
    assert [one for one in watched.said() if "lib/chain.yaml" not in one] == ["move a"]
    assert homes_of(watched.state.workflows["a"].spec) == {"chain": "lib"}
    shutil.rmtree(watched.root / "lib")
    watched.until(lambda: bool(watched.faults("a.yaml")))
    (watched.root / "lib.yaml").write_text(template("chain", "one"))
    watched.until(lambda: not watched.state.rejected)
    watched.settled()
    assert watched.said() == ["FileRejected a.yaml", "FileCleared a.yaml", "move a"]


def test_a_slow_writer_removes_nothing_on_its_way(root: Path) -> None:
    one = Watched(root, poll=False, settle=5.0)
    text = workflow("etl", *(f"s{n}" for n in range(20)))
    (root / "etl.yaml").write_text(text)
    one.until(lambda: one.story == ["new etl"])
    half = text[: text.index("    - {name: s10")]
    with (root / "etl.yaml").open("w") as file:
        file.write(half)
        file.flush()
        one.until(lambda: len(_steps(one, "etl.yaml")) == 10)
        assert one.due is not None, "a smaller file has to settle"
        file.write(text[len(half) :])
    one.until(lambda: len(_steps(one, "etl.yaml")) == 20)
    assert [one.said(), one.due] == [["new etl"], None]
    one.folder.close()


def _steps(one: Watched, path: str) -> list[object]:
    file = one.sight.files.get(path)
    if file is None or not file.steady or not file.documents:
        return []
    return list(file.documents[0].workflow.spec.steps)


# ---------------------------------------- deleting and moving


def test_a_removed_file_deletes_after_the_settle_time(etl: Watched) -> None:
    (etl.root / "etl.yaml").unlink()
    before = time.monotonic()
    etl.until(lambda: etl.story == ["delete etl"])
    assert time.monotonic() - before >= 0.5


def test_a_checkout_that_deletes_and_makes_anew_is_nothing(watched: Watched) -> None:
    root, count = watched.root, 200
    for n in range(count):
        (root / f"w{n}.yaml").write_text(workflow(f"w{n}"))
    watched.until(lambda: len(watched.story) == count)
    watched.said()
    for n in range(count):
        (root / f"w{n}.yaml").unlink()
        (root / f"w{n}.yaml").write_text(workflow(f"w{n}", run="date" if n == 7 else "true"))
    watched.until(lambda: "edit w7" in watched.story)
    watched.settled()
    assert watched.said() == ["edit w7"]


def test_a_moved_file_is_no_change(etl: Watched) -> None:
    (etl.root / "team").mkdir()
    (etl.root / "etl.yaml").rename(etl.root / "team" / "nightly.yml")
    etl.until(lambda: "move etl" in etl.story)
    etl.settled()
    assert etl.state.workflows["etl"].path == "team/nightly.yml"
    assert [line for line in etl.said() if line != "move etl"] in ([], DUPLICATE_FOR_A_MOMENT)


DUPLICATE_FOR_A_MOMENT = ["FileRejected team/nightly.yml", "FileCleared team/nightly.yml"]


@pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")
def test_a_folder_moved_out_deletes_and_moved_back_does_not(watched: Watched) -> None:
    root, outside = watched.root, watched.root.parent / "away"
    (root / "team" / "a").mkdir(parents=True)
    (root / "team" / "a" / "x.yaml").write_text(workflow("x"))
    (root / "team" / "y.yaml").write_text(workflow("y"))
    watched.until(lambda: sorted(watched.story) == ["new x", "new y"])
    watched.said()
    (root / "team").rename(outside)
    watched.until(lambda: not watched.sight.files)
    outside.rename(root / "team")
    watched.until(lambda: len(watched.sight.files) == 2)
    watched.settled()
    assert watched.said() == []
    (root / "team").rename(outside)
    watched.until(lambda: len(watched.story) == 2)
    assert sorted(watched.said()) == ["delete x", "delete y"]


def test_a_new_folder_is_watched_at_once(watched: Watched) -> None:
    (watched.root / "a" / "b").mkdir(parents=True)
    (watched.root / "a" / "b" / "x.yaml").write_text(workflow("x"))
    watched.until(lambda: watched.story == ["new x"])
    (watched.root / "a" / "b" / "y.yaml").write_text(workflow("y"))
    watched.until(lambda: watched.story == ["new x", "new y"])


# ---------------------------------------- symlinks


def test_a_configmap_swap_is_an_edit(watched: Watched) -> None:
    root = watched.root

    def publish(version: str, text: str) -> None:
        (root / f"..{version}").mkdir()
        (root / f"..{version}" / "etl.yaml").write_text(text)
        os.symlink(f"..{version}", root / "..data_tmp")
        os.rename(root / "..data_tmp", root / "..data")

    publish("v1", workflow("etl", "one", "two"))
    os.symlink("..data/etl.yaml", root / "etl.yaml")
    watched.until(lambda: watched.story == ["new etl"])
    publish("v2", EDITED)
    shutil.rmtree(root / "..v1")
    watched.until(lambda: watched.story == ["new etl", "edit etl"])
    watched.settled()
    assert watched.said() == ["new etl", "edit etl"]


def test_what_a_symlink_leads_to_is_seen_once(watched: Watched) -> None:
    root = watched.root
    (root / "v2").mkdir()
    (root / "v2" / "etl.yaml").write_text(workflow("etl"))
    os.symlink("v2", root / "current")
    os.symlink("v2/etl.yaml", root / "alias.yaml")
    os.symlink(".", root / "loop")
    watched.until(lambda: watched.story == ["new etl"])
    assert set(watched.sight.files) == {"v2/etl.yaml"}


def test_a_file_without_our_suffix_counts_through_a_symlink(watched: Watched) -> None:
    target = watched.root / "etl.template"
    target.write_text(workflow("etl", "one", "two"))
    os.symlink("etl.template", watched.root / "etl.yaml")
    watched.until(lambda: watched.story == ["new etl"])
    target.write_text(EDITED)
    watched.until(lambda: watched.story == ["new etl", "edit etl"])


# ---------------------------------------- what can't be taken


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(here)


def a_link_that_leaves(path: Path) -> None:
    outside = path.parent.parent / "outside.yaml"
    outside.write_text(workflow("outside"))
    path.symlink_to(outside)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nothing.yaml")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def too_large(path: Path) -> None:
    path.write_text(workflow("etl") + "#" * BYTES_MAX)


def tabs(path: Path) -> None:
    path.write_text("apiVersion: treadle.dev/v1\nkind:\tWorkflow\nmetadata:\n\tname: x\n")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (a_link_that_leaves, "a symlink that leaves the folder"),
        (a_link_to_nowhere, "a symlink that leads nowhere: No such file or directory"),
        (a_link_to_itself, "a symlink that leads nowhere: Too many levels of symbolic links"),
        (
            too_large,
            "larger than 65,536 bytes; split it; up, run, diff and validate take --max-spec-size",
        ),
        (tabs, "tab"),
    ],
)
def test_a_bad_file_is_said_and_stops_no_other(
    watched: Watched, make: Callable[[Path], None], says: str
) -> None:
    make(watched.root / "bad.yaml")
    (watched.root / "good.yaml").write_text(workflow("good"))
    watched.until(lambda: "new good" in watched.story and bool(watched.faults("bad.yaml")))
    fault = watched.faults("bad.yaml")[0]
    assert fault.startswith(f"{watched.root}/bad.yaml")
    assert says in fault
    os.unlink(watched.root / "bad.yaml")
    watched.until(lambda: not watched.state.rejected)


@pytest.mark.parametrize("make", [a_fifo, a_socket])
def test_what_can_hold_no_spec_is_passed_over(
    watched: Watched, make: Callable[[Path], None]
) -> None:
    make(watched.root / "odd.yaml")
    (watched.root / "good.yaml").write_text(workflow("good"))
    watched.until(lambda: "new good" in watched.story and "odd.yaml" in watched.memory.noted)
    assert not watched.state.rejected


def test_a_name_that_is_not_utf8_is_a_fault(watched: Watched) -> None:
    os.close(os.open(os.fsencode(watched.root) + b"/b\xe4d.yaml", os.O_CREAT | os.O_WRONLY))
    watched.until(lambda: bool(watched.state.rejected))
    assert watched.faults("b\\xe4d.yaml") == [
        f"{watched.root}/b\\xe4d.yaml: its name is not UTF-8; rename it"
    ]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_what_cant_be_read_deletes_nothing(etl: Watched) -> None:
    (etl.root / "team").mkdir()
    (etl.root / "team" / "x.yaml").write_text(workflow("x"))
    etl.until(lambda: etl.story == ["new x"])
    (etl.root / "etl.yaml").chmod(0)
    (etl.root / "team").chmod(0)
    etl.until(lambda: len(etl.state.rejected) == 2)
    assert "can't be read: Permission denied" in etl.faults("etl.yaml")[0]
    assert "the folder can't be listed: Permission denied" in etl.faults("team")[0]
    (etl.root / "team").chmod(0o755)
    (etl.root / "etl.yaml").chmod(0o644)
    etl.until(lambda: not etl.state.rejected)
    etl.settled()
    assert not [line for line in etl.said() if line.startswith("delete")]


# ---------------------------------------- the folder itself


def test_a_folder_that_moves_away_is_held_and_goes_on_when_it_is_back(etl: Watched) -> None:
    away = etl.root.with_name("away")
    etl.root.rename(away)
    etl.until(lambda: etl.conditions == ["FolderHeld"])
    assert etl.memory.held
    away.rename(etl.root)
    etl.until(lambda: not etl.conditions)
    (etl.root / "etl.yaml").write_text(EDITED)
    etl.until(lambda: etl.story == ["edit etl"])


def test_an_empty_folder_in_its_place_is_held(etl: Watched) -> None:
    away = etl.root.with_name("away")
    etl.root.rename(away)
    etl.root.mkdir()
    etl.until(lambda: etl.conditions == ["FolderHeld"])
    etl.root.rmdir()
    away.rename(etl.root)
    etl.until(lambda: not etl.conditions)
    etl.settled()
    assert etl.said() == []


def test_a_copy_in_its_place_is_adopted_and_watched(etl: Watched) -> None:
    away = etl.root.with_name("away")
    etl.root.rename(away)
    shutil.copytree(away, etl.root)
    etl.until(lambda: etl.story[-1:] == ["adopt"])
    (etl.root / "etl.yaml").write_text(EDITED)
    etl.until(lambda: etl.story == ["adopt", "edit etl"])


def test_a_root_that_is_a_symlink_is_followed(tmp_path: Path) -> None:
    for version, text in (("v1", workflow("etl", "one", "two")), ("v2", EDITED)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "etl.yaml").write_text(text)
    (tmp_path / "specs").symlink_to("v1")
    one = Watched(tmp_path / "specs", poll=False, settle=0.5)
    one.until(lambda: one.story == ["new etl"])
    (tmp_path / "v1" / "b.yaml").write_text(workflow("b"))
    one.until(lambda: one.story == ["new etl", "new b"])
    (tmp_path / "new").symlink_to("v2")
    (tmp_path / "new").rename(tmp_path / "specs")
    one.until(lambda: one.story[2:] == ["adopt", "edit etl", "delete b"])
    one.folder.close()


@pytest.mark.parametrize(
    ("make", "known", "says"),
    [
        (lambda path: None, False, "the specs folder is missing; make it, or name another with"),
        (lambda path: path.touch(), False, "the specs folder is a file"),
        (lambda path: path.touch(), True, "the specs folder is a file"),
        (lambda path: _made(path, 0o777), True, "others can write to the specs folder"),
    ],
)
def test_a_folder_that_is_refused(
    tmp_path: Path, make: Callable[[Path], None], known: bool, says: str
) -> None:
    make(tmp_path / "specs")
    with pytest.raises(UsageError) as refused:
        check_folder(str(tmp_path / "specs"), str(tmp_path / "state"), known=known)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


# ---------------------------------------- whose the folder is


@as_root
def test_a_folder_of_another_user_is_refused_by_his_name(tmp_path: Path) -> None:
    root, state = tmp_path / "specs", str(tmp_path / "state")
    root.mkdir()
    os.chown(root, NOBODY.pw_uid, -1)
    for known in (False, True):
        with pytest.raises(UsageError) as refused:
            check_folder(str(root), state, known=known)
        assert str(refused.value).startswith(
            f"{root}: the specs folder belongs to {NOBODY.pw_name}"
        )
        assert "--allow-insecure-specs" in str(refused.value)
    check_folder(str(root), state, known=False, allow_insecure=True)


@as_root
@pytest.mark.parametrize("link", [False, True])
def test_a_folder_above_it_of_another_user_is_refused(tmp_path: Path, link: bool) -> None:
    (tmp_path / "theirs" / "specs").mkdir(parents=True)
    os.chown(tmp_path / "theirs", NOBODY.pw_uid, -1)
    (tmp_path / "link").symlink_to("theirs/specs")
    path = tmp_path / ("link" if link else "theirs/specs")
    says = f"{tmp_path}/theirs: this is on the path to the specs folder {path} and belongs to"
    with pytest.raises(UsageError, match=says):
        check_folder(str(path), str(tmp_path / "state"), known=False)
    check_folder(str(path), str(tmp_path / "state"), known=False, allow_insecure=True)


@pytest.mark.parametrize("link", [False, True])
def test_a_folder_above_it_that_others_may_write_is_refused_unless_it_is_sticky(
    tmp_path: Path, link: bool
) -> None:
    (tmp_path / "open" / "a" / "specs").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "real").mkdir()
    (tmp_path / "open" / "link").symlink_to("../real")
    path = tmp_path / "open" / ("link" if link else "a/specs")
    state = str(tmp_path / "state")
    with pytest.raises(UsageError, match=f"others can write to it.*chmod o-w {tmp_path}/open`"):
        check_folder(str(path), state, known=False)
    check_folder(str(path), state, known=False, allow_insecure=True)
    (tmp_path / "open").chmod(0o1777)
    check_folder(str(path), state, known=False)


@as_root
def test_the_folder_of_root_is_taken_by_others(tmp_path: Path) -> None:
    """As a unit that drops its rights has it: root writes the specs, another user runs them."""
    with open_to_all() as shared:
        (shared / "specs").mkdir()
        check = partial(check_folder, str(shared / "specs"), str(shared / "state"), known=False)
        assert as_nobody(check) == ""
        os.chown(shared / "specs", 4242, -1)
        assert "belongs to user 4242, not to nobody" in as_nobody(check)


def test_links_that_go_round_are_no_way(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        doubt_of_specs(str(tmp_path / "a"), "a")
    (tmp_path / "c").symlink_to("../" + tmp_path.name + "/./d/..")
    (tmp_path / "d").mkdir()
    assert doubt_of_specs(str(tmp_path / "c"), "c") is None


def test_a_folder_in_its_place_that_others_may_write_is_held_until_it_passes(etl: Watched) -> None:
    away = etl.root.with_name("away")
    etl.root.rename(away)
    shutil.copytree(away, etl.root)
    (etl.root / "evil.yaml").write_text(workflow("evil"))
    (etl.root / "etl.cancel").touch()
    etl.root.chmod(0o777)
    etl.until(lambda: etl.conditions == ["FolderHeld"])
    time.sleep(1.2)
    etl.turn()
    assert (etl.story, etl.conditions) == ([], ["FolderHeld"]), "nothing in it counts"
    (etl.root / "etl.cancel").unlink()
    etl.root.chmod(0o755)
    etl.until(lambda: etl.story == ["adopt", "new evil"])
    assert etl.conditions == []


@as_root
def test_a_folder_of_another_user_in_its_place_is_held(etl: Watched) -> None:
    away = etl.root.with_name("away")
    etl.root.rename(away)
    shutil.copytree(away, etl.root)
    os.chown(etl.root, NOBODY.pw_uid, -1)
    etl.until(lambda: etl.conditions == ["FolderHeld"])
    assert f"belongs to {NOBODY.pw_name}" in etl.memory.held
    etl.root.rename(etl.root.with_name("theirs"))
    away.rename(etl.root)
    etl.until(lambda: not etl.conditions)
    etl.settled()
    assert etl.said() == []


def test_a_folder_that_becomes_open_to_others_is_held_unless_that_is_meant(root: Path) -> None:
    one = Watched(root, poll=False, settle=0.5)
    (root / "etl.yaml").write_text(workflow("etl"))
    one.until(lambda: one.story == ["new etl"])
    meant = OpenFolder(str(root), spec_bytes_max=BYTES_MAX, allow_insecure=True)
    root.chmod(0o777)
    one.until(lambda: one.conditions == ["FolderHeld"])
    assert meant.look(one.clock.now()).root == "ok"
    root.chmod(0o755)
    one.until(lambda: not one.conditions)
    for folder in (one.folder, meant):
        folder.close()


@as_root
def test_what_a_third_user_or_a_group_can_change_is_warned_of_once(root: Path) -> None:
    for name, owner, group, mode in (
        ("a.yaml", 4242, 0, 0o644),
        ("b.yaml", 0, 4243, 0o664),
        ("c.yaml", 0, 0, 0o664),
        ("d.cancel", 0, 0, 0o666),
    ):
        (root / name).write_text("" if name == "d.cancel" else workflow(name[0]))
        os.chown(root / name, owner, group)
        (root / name).chmod(mode)
    (root / "team").mkdir()
    (root / "team").chmod(0o777)
    os.chown(root, -1, 4243)
    root.chmod(0o775)
    notes: list[str] = []
    one = OpenFolder(str(root), spec_bytes_max=BYTES_MAX)
    meant = OpenFolder(str(root), spec_bytes_max=BYTES_MAX, allow_insecure=True)
    for now in (0, 10 * SECOND, 60 * SECOND):
        sight = one.look(now, full=True)
        notes += sight.loose
        sight.loose.clear()
        assert meant.look(now, full=True).loose == []
    assert sorted(notes) == [
        f"{root} (the group 4243 can write to it)",
        f"{root}/a.yaml (belongs to user 4242)",
        f"{root}/b.yaml (the group 4243 can write to it)",
        f"{root}/d.cancel (others can write to it)",
        f"{root}/team (others can write to it)",
    ]
    for folder in (one, meant):
        folder.close()


def test_folders_that_are_taken(tmp_path: Path) -> None:
    state = str(tmp_path / ".treadle")
    check_folder(str(tmp_path / "gone"), state, known=True)
    _made(tmp_path / "open", 0o777)
    check_folder(str(tmp_path / "open"), state, known=False, allow_insecure=True)
    _made(tmp_path / "group", 0o775)
    check_folder(str(tmp_path / "group"), state, known=False)


@pytest.mark.parametrize(
    ("state", "taken"),
    [
        ("specs/state", False),
        ("specs/a/b", False),
        ("specs", False),
        ("link", False),
        ("specs/.treadle", True),
        ("specs/.a/b", True),
        ("state", True),
        ("specs-state", True),
        (".", True),
    ],
)
def test_the_state_folder_may_be_in_it_only_where_nobody_looks(
    tmp_path: Path, state: str, taken: bool
) -> None:
    _made(tmp_path / "specs", 0o755)
    (tmp_path / "link").symlink_to("specs/state")
    with nullcontext() if taken else pytest.raises(UsageError, match="is in the specs folder"):
        check_folder(str(tmp_path / "specs"), str(tmp_path / state), known=False)


def _made(path: Path, mode: int) -> None:
    path.mkdir()
    path.chmod(mode)


# ---------------------------------------- the watcher


def test_without_watches_it_polls(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_watches() -> None:
        raise OSError(28, "inotify watch limit reached")

    with monkeypatch.context() as patched:
        patched.setattr(watch, "Observer", out_of_watches)
        one = Watched(root, poll=False, settle=0.2)
    assert one.sight.watching == "polling"
    assert one.sight.problem == "the system has no more watches (fs.inotify.max_user_watches)"
    (root / "etl.yaml").write_text(workflow("etl"))
    one.until(lambda: one.story == ["new etl"])
    assert one.conditions == ["FolderPolled"]
    later = one.clock.now() + folder_module.RESCAN + SECOND
    assert one.folder.look(later).watching == "events", "it tries again"
    one.folder.close()


def test_a_folder_below_without_a_watch_is_noticed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "team").mkdir()
    monkeypatch.setattr(watch, "_kernel_watches", lambda: 1)
    one = OpenFolder(str(root), spec_bytes_max=BYTES_MAX)
    sight = one.look(SystemClock().now())
    assert sight.watching == "polling"
    assert sight.problem == "the system has too few watches (fs.inotify.max_user_watches)"
    one.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/fdinfo"), reason="the kernel doesn't tell")
def test_the_kernel_tells_how_many_folders_it_watches(root: Path) -> None:
    for name in ("a", "b", "b/c"):
        (root / name).mkdir()
    one = watch.Watcher(lambda path: True)
    assert one.start(str(root)) == ""
    assert one.watches() == 4
    one.close()


def test_polling_on_request(root: Path) -> None:
    one = Watched(root, poll=True, settle=0.2)
    (root / "etl.yaml").write_text(workflow("etl"))
    one.until(lambda: one.story == ["new etl"])
    (root / "etl.yaml").unlink()
    one.until(lambda: one.story == ["new etl", "delete etl"])
    assert one.conditions == ["FolderPolled"]
    one.folder.close()


def test_an_overflow_is_a_full_scan(etl: Watched) -> None:
    scanned = etl.sight.scanned
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")
    etl.until(lambda: etl.sight.scanned > scanned)


def test_reading_wakes_nobody(etl: Watched) -> None:
    etl.quiet()  # the news of its making may come after it was taken
    (etl.root / "etl.yaml").read_text()
    (etl.root / "output.log").write_text("a step's file\n")
    ready, _, _ = select.select(etl.folder.filenos(), [], [], 0.3)
    assert not ready


def test_more_files_than_hints(watched: Watched) -> None:
    count = watch.HINTS_MAX + 100
    for n in range(count):
        (watched.root / f"w{n}.yaml").write_text(workflow(f"w{n}"))
    watched.until(lambda: len(watched.story) == count)


def test_a_file_that_arrives_beside_wakes(tmp_path: Path, root: Path) -> None:
    (tmp_path / "requests").mkdir()
    one = OpenFolder(str(root), spec_bytes_max=BYTES_MAX)
    one.watch_also(str(tmp_path / "requests"))
    clock = SystemClock()
    one.look(clock.now())
    (tmp_path / "requests" / ".draft").write_text("{}")
    (tmp_path / "requests" / ".draft").rename(tmp_path / "requests" / "0001.json")
    ready, _, _ = select.select(one.filenos(), [], [], PATIENCE)
    assert ready
    one.look(clock.now())
    one.close()


# ---------------------------------------- markers


def test_a_marker_is_written_seen_and_removed(etl: Watched) -> None:
    root = str(etl.root)
    path = write_marker(root, "etl", Marker(reason="budget", steps=("two",)))
    assert path == f"{root}/etl.cancel"
    etl.until(lambda: etl.story == ["MarkerPlaced etl.cancel"])
    placed = etl.state.markers["etl.cancel"]
    owner = Path(path).owner()
    assert (placed.reason, placed.steps, placed.by) == ("budget", ["two"], owner)
    assert remove_markers(root, "etl", dry_run=True) == [path]
    assert remove_markers(root, "etl") == [path]
    etl.until(lambda: not etl.state.markers)
    assert os.listdir(root) == ["etl.yaml"]


def test_a_dry_run_writes_nothing(root: Path) -> None:
    assert write_marker(str(root), "etl", Marker(), dry_run=True) == f"{root}/etl.cancel"
    assert os.listdir(root) == []


@pytest.mark.parametrize(
    ("first", "then", "both"),
    [
        (Marker(steps=("a",)), Marker(steps=("b",)), "steps:\n- a\n- b\n"),
        (Marker(), Marker(steps=("b",), reason="x"), "reason: x\n"),
        (Marker(drain=True), Marker(), ""),
        (Marker(), Marker(drain=True), ""),
        (Marker(drain=True), Marker(drain=True), "mode: Drain\n"),
    ],
)
def test_a_second_marker_adds_to_the_first(
    root: Path, first: Marker, then: Marker, both: str
) -> None:
    write_marker(str(root), "etl", first)
    assert Path(write_marker(str(root), "etl", then)).read_text() == both


def test_a_folder_that_cant_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"etl\.cancel: the marker can't be written: No such file"):
        write_marker(str(tmp_path / "gone"), "etl", Marker())


def test_touch_makes_a_marker(etl: Watched) -> None:
    (etl.root / "etl.cancel").touch()
    etl.until(lambda: etl.story == ["MarkerPlaced etl.cancel"])
