"""What follows from the folder, gesture by gesture: a folder of texts, a state, a clock in hand."""

from collections.abc import Callable, Iterable
from hashlib import blake2b

import pytest

from controller.errors import Fault
from controller.intake.desired import Memory, Settings, Verdict, identity, judge
from controller.model import events as e
from controller.model.apply import apply
from controller.model.observations import FolderSight, SeenFile, SeenMarker
from controller.model.state import State
from controller.planner.actions import Accept, Action
from controller.spec.fingerprint import fingerprints
from controller.spec.load import load

SECOND = 1_000_000


def workflow(name: str, *steps: str, run: str = "true", labels: str = "") -> str:
    listed = "".join(f"\n    - {{name: {step}, run: '{run}'}}" for step in steps or ("one",))
    labels = f", labels: {{{labels}}}" if labels else ""
    return (
        f"apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {{name: {name}{labels}}}\n"
        f"spec:\n  steps:{listed}\n"
    )


def documents(*texts: str) -> str:
    return "---\n".join(texts)


class World:
    """A folder whose files are texts, and the state that follows from it."""

    def __init__(self) -> None:
        self.state = State()
        self.sight = FolderSight(path="/home/specs", shown="specs", device=1, inode=1)
        self.memory = Memory()
        self.now = 1_000 * SECOND
        self.verdict = Verdict(actions=[], conditions=[])
        self.lives = 0
        self._fold(
            e.ControllerStarted(
                version="1", pid=1, user="me", boot_id="b", boottime=0, uptime=0,
                folder="/home/specs", folder_device=1, folder_inode=1,
            )
        )  # fmt: skip

    # what people do to the folder
    def write(self, path: str, text: str, steady: bool = True) -> "World":
        if not steady and path in self.sight.files:
            before = self.sight.files[path]
            return self._see(SeenFile(**{**_fields(before), "steady": False}))
        loaded = load(text.encode(), f"specs/{path}")
        return self._see(
            SeenFile(
                path=path,
                digest=blake2b(text.encode()).hexdigest(),
                documents=loaded.documents,
                faults=loaded.faults,
                names=loaded.names,
                foreign=loaded.foreign,
                empty=not text,
                steady=steady,
            )
        )

    def unreadable(self, path: str) -> "World":
        fault = Fault(file=f"specs/{path}", problem="can't be read: Permission denied")
        return self._see(SeenFile(path=path, digest="", faults=(fault,)))

    def remove(self, *paths: str) -> "World":
        for path in paths:
            del (self.sight.files if path in self.sight.files else self.sight.markers)[path]
            self.sight.changed.add(path)
        return self

    def mark(
        self, path: str, *steps: str, problem: str = "", reason: str = "", steady: bool = True
    ) -> "World":
        name = path.rpartition("/")[2].removesuffix(".cancel")
        digest = f"{steps}{reason}{problem}"
        self.sight.markers[path] = SeenMarker(
            path=path,
            workflow=name,
            digest=digest,
            steps=steps,
            problem=problem,
            reason=reason,
            steady=steady,
        )
        self.sight.changed.add(path)
        return self

    # what the controller does
    def look(self, after: float = 0.0, full: bool = True) -> list[str]:
        """What follows, in short, when the controller looks again after so many seconds."""
        self.now += round(after * SECOND)
        if full:
            self.sight.scanned = self.now
        self.verdict = judge(self.state, self.sight, self.now, Settings(), self.memory)
        said = [self._short(action) for action in self.verdict.actions]
        for action in self.verdict.actions:
            self._carry_out(action)
        return said

    def restart(self) -> "World":
        """Another controller: what the log says stays, the judge's memory doesn't."""
        self.memory = Memory()
        self.sight.changed.clear()
        return self

    def end_life(self, name: str) -> "World":
        self._fold(e.LifeEnded(uid=self.state.workflows[name].uid))
        return self

    def run(self, name: str) -> "World":
        """What `treadle run` begins."""
        document = load(workflow(name).encode(), "x").documents[0].workflow
        self._carry_out(Accept(document=document, path="/x", uid=None, origin="run"))
        return self

    def condition(self) -> dict[str, str]:
        return {condition.type: condition.message for condition in self.verdict.conditions}

    def faults(self, path: str) -> list[str]:
        return [str(fault) for fault in self.state.rejected[path].faults]

    # inside
    def _see(self, file: SeenFile) -> "World":
        self.sight.files[file.path] = file
        self.sight.changed.add(file.path)
        return self

    def _name(self, uid: str) -> str:
        return self.state.lives[uid].name

    def _short(self, action: Action) -> str:
        match action:
            case Accept(uid=None):
                return f"new {action.document.metadata.name}"
            case Accept():
                return f"edit {action.document.metadata.name}"
            case e.DeletionAccepted() | e.LifeEnded():
                return f"{type(action).__name__} {self._name(action.uid)}"
            case e.SourceChanged():
                return f"{type(action).__name__} {self._name(action.uid)} {action.path}"
            case e.FolderAdopted():
                return "FolderAdopted"
        return f"{type(action).__name__} {action.path}"  # type: ignore[union-attr]

    def _carry_out(self, action: Action) -> None:
        if not isinstance(action, Accept):
            self._fold(action)  # type: ignore[arg-type]
            return
        before = self.state.lives[action.uid] if action.uid else None
        self.lives += action.uid is None
        metadata = action.document.metadata
        self._fold(
            e.GenerationAccepted(
                uid=action.uid or f"life-{self.lives}",
                workflow=metadata.name,
                generation=before.generation + 1 if before else 1,
                spec=action.document.spec,
                path=action.path,
                fingerprints=fingerprints(action.document.spec),
                labels=metadata.labels if isinstance(metadata.labels, dict) else {},
                origin=action.origin,
            )
        )

    def _fold(self, event: e.AnyEvent) -> None:
        seq = self.state.seq + 1
        apply(self.state, e.Record(seq=seq, turn=seq, time=self.now, epoch=1, event=event))


def _fields(file: SeenFile) -> dict[str, object]:
    return {name: getattr(file, name) for name in file.__struct_fields__}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def etl(world: World) -> World:
    """One workflow in force: two steps, in etl.yaml."""
    world.write("etl.yaml", workflow("etl", "one", "two")).look()
    return world


def many(world: World, count: int) -> list[str]:
    paths = [f"w{n}.yaml" for n in range(count)]
    for n, path in enumerate(paths):
        world.write(path, workflow(f"w{n}"))
    world.look()
    return paths


# ---------------------------------------- edits


def test_a_new_document_begins_a_life(world: World) -> None:
    assert world.write("etl.yaml", workflow("etl")).look() == ["new etl"]
    assert world.look(30) == []


Edit = Callable[[World], object]


@pytest.mark.parametrize(
    ("edit", "follows"),
    [
        pytest.param(
            lambda w: w.write("etl.yaml", workflow("etl", "one", "two", run="date")),
            ["edit etl"],
            id="a changed script is an edit, at once",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", workflow("etl", "one", "two", "three")),
            ["edit etl"],
            id="an added step is an edit, at once",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", "# why\n" + workflow("etl", "two", "one")),
            [],
            id="a comment and another order are no change",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", workflow("etl", "one", "two", labels="a: b")),
            ["SourceChanged etl etl.yaml"],
            id="a label changes without a generation",
        ),
        pytest.param(
            lambda w: w.write("a/b.yml", workflow("etl", "one", "two")).remove("etl.yaml"),
            ["SourceChanged etl a/b.yml"],
            id="a moved file whose names stay is no change",
        ),
        pytest.param(
            lambda w: w.write("b.yml", workflow("etl", "one", "two", run="x")).remove("etl.yaml"),
            ["edit etl"],
            id="moved and edited is an edit",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", documents(workflow("etl", "one", "two"), workflow("b"))),
            ["new b"],
            id="a second document in the file is a new workflow",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", "apiVersion: treadle.dev/v1\nkind: ["),
            ["FileRejected etl.yaml"],
            id="a broken file is rejected",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", documents(workflow("etl", "x"), workflow("b", "y", "y"))),
            ["FileRejected etl.yaml"],
            id="one bad document rejects its whole file",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", ""),
            ["FileRejected etl.yaml"],
            id="an empty file is an invalid edit",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", "kind: Service\napiVersion: v1\n"),
            ["FileRejected etl.yaml"],
            id="a file that no longer holds a treadle document is an invalid edit",
        ),
        pytest.param(
            lambda w: w.unreadable("etl.yaml"),
            ["FileRejected etl.yaml"],
            id="a file that can't be read is an invalid edit",
        ),
        pytest.param(
            lambda w: w.write("etl.yaml", workflow("etl", "one", run="x"), steady=False),
            [],
            id="a file whose writer is at work is left alone",
        ),
        pytest.param(
            lambda w: w.write("note.yaml", "a: b"),
            [],
            id="somebody else's file is passed over",
        ),
    ],
)
def test_what_follows_at_once_and_for_good(etl: World, edit: Edit, follows: list[str]) -> None:
    edit(etl)
    assert etl.look() == follows
    assert [etl.look(1), etl.look(10), etl.look(30)] == [[], [], []]
    assert not etl.state.workflows["etl"].deleting


def test_a_rejected_file_is_cleared_by_its_mending(etl: World) -> None:
    etl.write("etl.yaml", "apiVersion: treadle.dev/v1\nkind: [").look()
    etl.write("etl.yaml", workflow("etl", "one", "two", run="date"))
    assert etl.look() == ["FileCleared etl.yaml", "edit etl"]


def test_a_rejected_file_that_goes_is_cleared_after_the_settle_time(world: World) -> None:
    world.write("bad.yaml", "apiVersion: treadle.dev/v1\nkind: [").look()
    assert world.remove("bad.yaml").look() == []
    assert world.look(1) == ["FileCleared bad.yaml"]


def test_an_empty_file_says_how_to_delete(etl: World) -> None:
    etl.write("etl.yaml", "").look()
    expected = ["specs/etl.yaml: the file is empty; remove the file to delete etl"]
    assert etl.faults("etl.yaml") == expected
    assert etl.state.rejected["etl.yaml"].names == ["etl"]


def test_another_file_gets_one_note(world: World) -> None:
    world.write("values.yaml", "a: b").look()
    assert len(world.verdict.notes) == 1
    assert world.verdict.notes[0].startswith("specs/values.yaml: passed over: ")
    world.write("values.yaml", "a: c").look()
    assert world.verdict.notes == []


# ---------------------------------------- what an edit takes away


def test_a_removed_step_is_believed_after_the_settle_time(etl: World) -> None:
    assert etl.write("etl.yaml", workflow("etl", "one")).look() == []
    assert etl.verdict.due == etl.now + SECOND
    assert etl.look(0.9) == []
    assert etl.look(0.1) == ["edit etl"]
    assert etl.verdict.due is None


def test_a_removal_needs_a_full_scan_that_began_after_the_wait(etl: World) -> None:
    etl.remove("etl.yaml").look(full=False)
    assert etl.look(1, full=False) == []
    assert etl.memory.scan_due(etl.now)
    assert etl.look(0, full=True) == ["DeletionAccepted etl"]


def test_an_edit_that_changes_again_waits_anew(etl: World) -> None:
    etl.write("etl.yaml", workflow("etl", "one")).look()
    etl.write("etl.yaml", workflow("etl", "two"))
    assert etl.look(0.9) == []
    assert etl.look(0.9) == []
    assert etl.look(0.1) == ["edit etl"]
    assert [step.name for step in etl.state.workflows["etl"].spec.steps] == ["two"]


def test_an_edit_that_is_taken_back_leaves_nothing(etl: World) -> None:
    etl.write("etl.yaml", workflow("etl", "one")).look()
    etl.write("etl.yaml", workflow("etl", "one", "two"))
    assert etl.look(0.5) == []
    assert etl.verdict.due is None


def test_an_edit_of_which_a_part_settles_waits_as_a_whole(world: World) -> None:
    world.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    world.write("f.yaml", documents(workflow("a", run="date"), workflow("c")))
    assert world.look() == []
    assert world.look(1) == ["DeletionAccepted b", "edit a", "new c"]


def test_the_writer_at_work_keeps_an_edit_from_settling(etl: World) -> None:
    etl.write("etl.yaml", workflow("etl", "one")).look()
    etl.write("etl.yaml", "", steady=False)
    assert etl.look(1) == []
    assert etl.look(1) == []
    assert not etl.memory.scan_due(etl.now), "no full scan after the other meanwhile"
    assert etl.verdict.due is not None


def test_a_removed_file_deletes_after_the_settle_time(etl: World) -> None:
    assert etl.remove("etl.yaml").look() == []
    assert etl.look(0.5) == []
    assert etl.look(0.5) == ["DeletionAccepted etl"]
    assert etl.look(5) == []


def test_deleted_and_made_anew_is_no_deletion(etl: World) -> None:
    etl.remove("etl.yaml").look()
    etl.write("etl.yaml", workflow("etl", "one", "two"))
    assert etl.look(0.5) == []
    assert etl.look(5) == []


def test_files_that_vanish_one_by_one_settle_together(world: World) -> None:
    paths = many(world, 4)
    for path in paths[:3]:
        assert world.remove(path).look(0.6) == []
    assert len(world.look(1)) == 3


def test_a_document_that_comes_back_is_a_new_life_after_the_old_one(etl: World) -> None:
    etl.remove("etl.yaml").look()
    etl.look(1)
    etl.write("etl.yaml", workflow("etl", "one", "two"))
    assert etl.look() == []
    assert etl.look(5) == []
    assert etl.end_life("etl").look() == ["new etl"]


def test_a_life_that_ends_does_not_hold_up_the_rest_of_the_file(etl: World) -> None:
    etl.remove("etl.yaml").look()
    etl.look(1)
    etl.write("etl.yaml", documents(workflow("etl"), workflow("b")))
    assert etl.look() == ["new b"]
    assert etl.end_life("etl").look() == ["new etl"]


def test_what_vanished_while_no_controller_ran_settles_too(etl: World) -> None:
    etl.remove("etl.yaml").restart()
    assert etl.look() == []
    assert etl.look(1) == ["DeletionAccepted etl"]


def test_a_restart_finds_nothing_to_do(etl: World) -> None:
    etl.write("bad.yaml", "apiVersion: treadle.dev/v1\nkind: [").mark("etl.cancel").look()
    assert etl.restart().look() == []
    assert etl.look(1) == []


# ---------------------------------------- two documents with one name


def test_the_document_in_force_stays_and_the_other_is_rejected(etl: World) -> None:
    assert etl.write("a.yaml", workflow("etl", "x")).look() == ["FileRejected a.yaml"]
    assert etl.faults("a.yaml") == [
        'specs/a.yaml:1:1: the workflow "etl" is already defined in specs/etl.yaml:1; '
        "rename or remove one of the two"
    ]
    assert etl.state.workflows["etl"].path == "etl.yaml"


def test_a_broken_file_keeps_the_names_that_it_still_shows(etl: World) -> None:
    etl.write("etl.yaml", workflow("etl", "one", "one")).write("a.yaml", workflow("etl"))
    assert etl.look() == ["FileRejected a.yaml", "FileRejected etl.yaml"]
    assert 'the workflow "etl" is already defined in specs/etl.yaml;' in etl.faults("a.yaml")[0]


def test_a_broken_file_keeps_what_it_no_longer_names(etl: World) -> None:
    etl.write("etl.yaml", workflow("load", "one", "one"))
    assert etl.look() == ["FileRejected etl.yaml"]
    assert etl.look(30) == []
    assert not etl.state.workflows["etl"].deleting


def test_with_none_in_force_the_first_by_path_wins(world: World) -> None:
    world.write("b.yaml", workflow("etl", "b")).write("a.yaml", workflow("etl", "a"))
    assert world.look() == ["new etl", "FileRejected b.yaml"]
    assert world.state.workflows["etl"].path == "a.yaml"


def test_the_duplicate_takes_over_when_the_other_goes(etl: World) -> None:
    etl.write("z.yaml", workflow("etl", "one", "two")).look()
    assert etl.remove("etl.yaml").look() == ["FileCleared z.yaml", "SourceChanged etl z.yaml"]
    assert etl.look(1) == []


def test_a_duplicate_that_goes_leaves_nothing(etl: World) -> None:
    etl.write("z.yaml", workflow("etl")).look()
    etl.remove("z.yaml").look()
    assert etl.look(1) == ["FileCleared z.yaml"]
    assert not etl.state.rejected


def test_a_duplicate_rejects_its_whole_file(etl: World) -> None:
    assert etl.write("z.yaml", documents(workflow("etl"), workflow("b"))).look() == [
        "FileRejected z.yaml"
    ]
    etl.write("z.yaml", workflow("b"))
    assert etl.look() == ["FileCleared z.yaml", "new b"]


def test_one_file_becomes_two(world: World) -> None:
    world.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    world.write("f.yaml", workflow("a")).write("g.yaml", workflow("b"))
    assert world.look() == ["SourceChanged b g.yaml"]
    assert world.look(5) == []


def test_one_file_becomes_two_the_new_one_first(world: World) -> None:
    world.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    assert world.write("g.yaml", workflow("b")).look() == ["FileRejected g.yaml"]
    world.write("f.yaml", workflow("a"))
    assert world.look() == ["FileCleared g.yaml", "SourceChanged b g.yaml"]


def test_two_files_become_one(world: World) -> None:
    world.write("a.yaml", workflow("a")).write("b.yaml", workflow("b")).look()
    world.write("a.yaml", documents(workflow("a"), workflow("b"))).remove("b.yaml")
    assert world.look() == ["SourceChanged b a.yaml"]
    assert world.look(5) == []


def test_two_files_swap_their_names(world: World) -> None:
    world.write("a.yaml", workflow("a", run="a")).write("b.yaml", workflow("b", run="b")).look()
    world.write("a.yaml", workflow("b", run="b")).write("b.yaml", workflow("a", run="a"))
    assert world.look() == ["SourceChanged b a.yaml", "SourceChanged a b.yaml"]
    assert world.look(5) == []


def test_a_renamed_workflow_is_a_deletion_and_a_new_one(etl: World) -> None:
    etl.write("etl.yaml", workflow("load", "one", "two"))
    assert etl.look() == []
    assert etl.look(1) == ["DeletionAccepted etl", "new load"]


def test_a_file_that_is_replaced_by_another_kind_lets_its_name_go(etl: World) -> None:
    etl.write("etl.yaml", "a: b").write("z.yaml", workflow("etl", "one", "two"))
    assert etl.look() == ["SourceChanged etl z.yaml"]


def test_a_run_is_not_taken_over_while_it_is_alive(world: World) -> None:
    world.run("etl").write("etl.yaml", workflow("etl"))
    assert world.look() == ["FileRejected etl.yaml"]
    assert "driven by `treadle run` (uid life-1)" in world.faults("etl.yaml")[0]
    assert world.look(5) == []
    uid = world.state.workflows["etl"].uid
    world._fold(e.WorkflowFinished(uid=uid, phase="Succeeded", reason="x", message="x"))
    assert world.look() == ["FileCleared etl.yaml", "LifeEnded etl", "new etl"]


# ---------------------------------------- the folder as a whole


def test_a_mass_deletion_waits_until_nothing_moves(world: World) -> None:
    paths = many(world, 20)
    world.remove(*paths[:11]).look()
    assert world.look(1) == []
    assert (
        "11 of 20 specs are gone (w0, w1, w10, w2, w3 and 6 more)"
        in (world.condition()["MassDeletion"])
    )
    world.write("w15.yaml", workflow("w15", run="date")).look(8)
    assert world.look(9.9) == []
    assert len(world.look(0.1)) == 11
    assert world.condition() == {}


@pytest.mark.parametrize(("all_of_them", "gone"), [(20, 10), (22, 11), (10, 10)])
def test_ten_or_half_of_the_specs_are_no_mass(world: World, all_of_them: int, gone: int) -> None:
    world.remove(*many(world, all_of_them)[:gone]).look()
    assert len(world.look(1)) == gone


def test_a_mass_deletion_that_comes_back_was_none(world: World) -> None:
    paths = many(world, 20)
    world.remove(*paths).look()
    world.look(5)
    for n, path in enumerate(paths):
        world.write(path, workflow(f"w{n}"))
    assert world.look() == []
    assert [world.look(10), world.condition(), world.verdict.due] == [[], {}, None]


def test_delete_all_confirms_a_mass_deletion(world: World) -> None:
    world.remove(*many(world, 20)).look()
    world.memory.confirm()
    assert len(world.look()) == 20


def test_a_confirmation_counts_once(etl: World) -> None:
    etl.memory.confirm()
    assert etl.look() == []
    assert etl.remove("etl.yaml").look() == []


def test_an_edit_that_removes_one_of_a_mass_waits_with_it(world: World) -> None:
    world.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    paths = many(world, 12)
    world.remove(*paths).write("f.yaml", workflow("a", run="date")).look()
    assert world.look(1) == []
    assert world.look(9)[-1] == "edit a"


@pytest.mark.parametrize(
    ("root", "says"),
    [
        ("missing", "the specs folder specs is missing"),
        ("unreadable", "the specs folder specs is unreadable"),
        ("file", "specs is no folder"),
    ],
)
def test_a_folder_that_is_not_there_is_held(etl: World, root: str, says: str) -> None:
    etl.sight.root = root  # type: ignore[assignment]
    etl.remove("etl.yaml").write("new.yaml", workflow("new"))
    assert [etl.look(), etl.look(100)] == [[], []]
    assert etl.condition()["FolderHeld"].startswith(says)
    assert etl.memory.held
    assert etl.verdict.due is None, "a held folder counts as settled"


def test_another_and_empty_folder_is_held_also_after_a_restart(etl: World) -> None:
    etl.sight.inode = 2
    assert etl.remove("etl.yaml").look() == []
    assert "has become another one" in etl.condition()["FolderHeld"]
    assert identity(etl.state, etl.sight) == (1, 1), "a start records what is known"
    assert [etl.restart().look(), etl.look(100)] == [[], []]


def test_a_marker_in_a_held_folder_cancels_what_it_names_and_ends_no_hold(etl: World) -> None:
    etl.write("b.yaml", workflow("b")).look()
    etl.sight.inode = 2
    etl.remove("etl.yaml").remove("b.yaml").look()
    assert etl.mark("etl.cancel").look() == ["MarkerPlaced etl.cancel"]
    assert etl.look(60) == []
    assert "has become another one" in etl.condition()["FolderHeld"]
    assert etl.mark("b.cancel").look() == ["MarkerPlaced b.cancel"]


def test_the_first_start_records_the_folder_as_it_is(etl: World) -> None:
    assert identity(State(), etl.sight) == (1, 1)


def test_the_same_folder_emptied_is_no_hold(etl: World) -> None:
    etl.remove("etl.yaml").look()
    assert etl.condition() == {}


def test_a_folder_that_is_back_is_believed_after_stillness(etl: World) -> None:
    etl.write("b.yaml", workflow("b")).look()
    etl.sight.root = "missing"
    etl.remove("etl.yaml").look()
    etl.sight.root = "ok"
    assert etl.look(60) == []
    assert [etl.memory.held, etl.condition()] == ["", {}]
    assert etl.look(9.9) == []
    assert etl.look(0.1) == ["DeletionAccepted etl"]
    assert etl.remove("b.yaml").look(30) == []
    assert etl.look(1) == ["DeletionAccepted b"], "the caution is over"


def test_a_folder_that_is_back_goes_on(etl: World) -> None:
    etl.sight.root = "missing"
    etl.look()
    etl.sight.root = "ok"
    etl.write("etl.yaml", workflow("etl", "one", "two", run="date"))
    assert etl.look(60) == ["edit etl"]


def test_another_folder_with_specs_is_adopted_with_care(etl: World) -> None:
    etl.sight.inode = 2
    etl.remove("etl.yaml").write("b.yaml", workflow("b"))
    assert etl.look() == ["FolderAdopted", "new b"]
    assert etl.look(9.9) == []
    assert etl.look(0.1) == ["DeletionAccepted etl"]


def test_delete_all_confirms_that_a_held_folder_is_gone(etl: World) -> None:
    etl.sight.root = "missing"
    etl.look()
    etl.memory.confirm()
    assert etl.look() == ["DeletionAccepted etl"]
    assert etl.look() == []


def test_what_lies_in_a_folder_that_cant_be_listed_is_still_there(world: World) -> None:
    world.write("sub/a.yaml", workflow("a")).look()
    world.remove("sub/a.yaml").unreadable("sub")
    assert world.look() == ["FileRejected sub"]
    assert [world.look(30), world.restart().look(), world.look(30)] == [[], [], []]
    assert world.remove("sub").look() == []
    assert world.look(1) == ["DeletionAccepted a", "FileCleared sub"]


def test_polling_is_said(etl: World) -> None:
    etl.sight.watching, etl.sight.problem = "polling", "the system has no more watches"
    etl.look(1)
    since = etl.verdict.conditions[0].last_transition_time
    etl.look(5)
    assert etl.condition() == {"FolderPolled": "the system has no more watches"}
    assert etl.verdict.conditions[0].last_transition_time == since


# ---------------------------------------- markers


def test_a_marker_counts_at_once_and_goes_after_the_settle_time(etl: World) -> None:
    assert etl.mark("etl.cancel").look() == ["MarkerPlaced etl.cancel"]
    assert etl.look(5) == []
    assert etl.remove("etl.cancel").look() == []
    assert etl.look(1) == ["MarkerRemoved etl.cancel"]


def test_a_marker_made_anew_was_never_gone(etl: World) -> None:
    etl.mark("etl.cancel").look()
    etl.remove("etl.cancel").look()
    assert etl.mark("etl.cancel").look(0.5) == []
    assert etl.look(5) == []


def test_a_marker_whose_writer_is_at_work_is_left_alone(etl: World) -> None:
    etl.mark("etl.cancel", steady=False)
    assert [etl.look(), etl.verdict.due is None] == [[], False]
    assert etl.mark("etl.cancel").look(0.1) == ["MarkerPlaced etl.cancel"]
    assert etl.verdict.due is None


def test_a_marker_of_steps_is_placed_once(etl: World) -> None:
    assert etl.mark("etl.cancel", "two").look() == ["MarkerPlaced etl.cancel"]
    etl.write("etl.yaml", workflow("etl", "one", "two", "three"))
    assert etl.look() == ["edit etl"]


def test_a_changed_marker_is_placed_anew(etl: World) -> None:
    etl.mark("etl.cancel").look()
    assert etl.mark("etl.cancel", reason="other").look() == ["MarkerPlaced etl.cancel"]


def test_a_marker_waits_for_its_workflow(world: World) -> None:
    assert world.mark("sub/etl.cancel", "two").look() == ["MarkerPlaced sub/etl.cancel"]
    assert world.write("etl.yaml", workflow("etl")).look() == [
        "new etl",
        "MarkerRejected sub/etl.cancel",
    ]
    assert world.state.bad_markers["sub/etl.cancel"].problem == 'steps: etl has no step "two"'
    world.write("etl.yaml", workflow("etl", "one", "two"))
    assert world.look() == ["edit etl", "MarkerPlaced sub/etl.cancel"]


def test_a_marker_that_cant_be_carried_out_is_rejected_once(etl: World) -> None:
    etl.mark("etl.cancel", problem="hooks: not supported yet")
    assert [etl.look(), etl.look(), etl.restart().look()] == [["MarkerRejected etl.cancel"], [], []]
    assert etl.remove("etl.cancel").look() == []
    assert etl.look(1) == ["MarkerRemoved etl.cancel"]


def test_an_edit_that_comes_with_the_markers_removal_waits_for_it(etl: World) -> None:
    etl.mark("etl.cancel").look()
    etl.remove("etl.cancel").write("etl.yaml", workflow("etl", "one", "two", run="date"))
    assert etl.look() == []
    assert etl.look(1) == ["MarkerRemoved etl.cancel", "edit etl"]


def test_a_marker_that_moves_stays_in_force(etl: World) -> None:
    etl.mark("etl.cancel").look()
    assert etl.remove("etl.cancel").mark("a/etl.cancel").look() == ["MarkerPlaced a/etl.cancel"]
    assert etl.look(1) == ["MarkerRemoved etl.cancel"]


# ---------------------------------------- cost


def test_a_call_looks_at_what_changed_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(world, 300)
    looked: list[str] = []

    class Files(dict[str, SeenFile]):
        def get(self, key: str, default: object = None) -> SeenFile | None:  # type: ignore[override]
            looked.append(key)
            return super().get(key)

        def __iter__(self) -> Iterable[str]:  # type: ignore[override]
            raise AssertionError("all files were walked")

    world.sight.files = Files(world.sight.files)
    world.write("w7.yaml", workflow("w7", run="date"))
    assert world.look() == ["edit w7"]
    assert set(looked) == {"w7.yaml"}
