"""Files that triggers wait for: which of them are decided, when, and which wait where they are."""

from typing import Any

from msgspec.structs import replace
from story import Story, a_step

from controller.intake import inputs
from controller.model import events as e
from controller.model.observations import InputSight, SeenInput
from controller.model.state import KEY_TIME, LOOP_FIRINGS, SECOND

PATTERN = "/specs/in/*.csv"
FILES = {"files": "${{ trigger.files }}"}


class Inbox:
    """A story with a definition, and a folder that the test fills."""

    def __init__(self, **spec: Any) -> None:
        self.story = Story()
        self.memory = inputs.InputMemory()
        self.sight = InputSight(pattern=PATTERN, root="ok", device=7)
        self.spec = spec
        self.accept()
        self.look()

    def accept(self, **spec: Any) -> None:
        trigger = {"name": "t", "files": {"path": "in/*.csv"}, "params": FILES}
        whole = {"params": {"files": []}, "triggers": [trigger], **self.spec, **spec}
        self.story.accept([a_step("a")], **whole)

    def put(self, *names: str, mtime: int = 1, size: int = 5) -> "Inbox":
        new = {f"/specs/in/{name}": (size, mtime) for name in names}
        files = {path: SeenInput(path, *one) for path, one in new.items()}
        self.sight = replace(self.sight, files={**self.sight.files, **files})
        return self.look()

    def take(self, *names: str) -> "Inbox":
        gone = {f"/specs/in/{name}" for name in names}
        files = {path: one for path, one in self.sight.files.items() if path not in gone}
        self.sight = replace(self.sight, files=files)
        return self.look()

    def show(self, **fields: Any) -> "Inbox":
        self.sight = replace(self.sight, **fields)
        return self.look()

    def look(self) -> "Inbox":
        """As the turn does."""
        state, now = self.story.state, self.story.now
        assert inputs.patterns(state, "/specs", self.memory) in ([PATTERN], [])
        while True:
            before = len(self.story.records)
            for action in inputs.judge(state, {PATTERN: self.sight}, now, self.memory):
                self.story.promise(action)
            self.story.settle()
            if len(self.story.records) == before:
                return self

    def wait(self, seconds: float) -> "Inbox":
        self.story.wait(seconds)
        return self.look()

    def end(self, name: str) -> "Inbox":
        """The instance of this file has ended."""
        going = (life for life in self.living() if not life.finished)
        life = next(life for life in going if name in life.given["files"][0])
        self.story.exit("a", workflow=life.name)
        return self.look()

    def living(self) -> list[Any]:
        return [life for life in self.story.state.lives.values() if life.birth]

    @property
    def fired(self) -> list[str]:
        """The names of the files that were consumed, with what became of them."""
        events = [one.event for one in self.story.records]
        return [
            f"{one.file.path.rpartition('/')[2]} {one.outcome}"
            for one in events
            if isinstance(one, e.FiringDecided) and one.file is not None
        ]

    @property
    def waiting(self) -> int:
        return self.memory.waiting.get("w", {}).get("t", 0)

    @property
    def said(self) -> set[str]:
        return set(inputs.said(self.story.state, self.memory))


def test_an_instance_for_each_file_the_oldest_first() -> None:
    box = Inbox().put("b.csv", mtime=1).put("a.csv", mtime=3).put("c.csv", mtime=2)
    assert box.fired == ["b.csv Started", "a.csv Queued", "c.csv Queued"]
    box = Inbox()
    box.sight = replace(
        box.sight,
        files={
            path: SeenInput(path, 1, at) for path, at in (("/specs/in/x", 9), ("/specs/in/y", 4))
        },
    )
    box.look()
    assert box.fired == ["y Started", "x Queued"]
    assert box.living()[0].birth.facts.files == ["/specs/in/y"]


def test_a_file_is_consumed_once_while_it_is_there_and_after_it_was_away() -> None:
    box = Inbox().put("a.csv").look().wait(3600)
    box.take("a.csv").wait(3600)
    box.put("a.csv")
    assert box.fired == ["a.csv Started"]


def test_a_file_that_has_changed_is_another_one() -> None:
    box = Inbox().put("a.csv").end("a.csv").put("a.csv", mtime=2).end("a.csv")
    box.put("a.csv", mtime=2, size=6)
    assert len(box.fired) == 3


def test_thirty_days_after_it_went_it_is_forgotten() -> None:
    box = Inbox().put("a.csv", "b.csv").end("a.csv").end("b.csv").take("a.csv")
    box.story.now += KEY_TIME + SECOND
    box.take("b.csv")  # which is when the state is looked through
    armed = box.story.life().starter.triggers["t"]  # type: ignore[union-attr]
    assert [*armed.consumed] == ["/specs/in/b.csv"]
    box.put("a.csv")
    assert box.fired[2:] == ["a.csv Started"]


def test_what_is_not_to_begin_waits_where_it_is() -> None:
    box = Inbox(concurrency="Forbid").put("a.csv", "b.csv")
    assert (box.fired, box.waiting) == (["a.csv Started"], 1)
    box.end("a.csv")
    assert box.fired[1:] == ["b.csv Started"]


def test_a_full_queue_leaves_them_where_they_are() -> None:
    box = Inbox(concurrency={"policy": "Queue", "maxQueued": 2})
    box.put(*(f"{n}.csv" for n in range(6)))
    assert box.fired == ["0.csv Started", "1.csv Queued", "2.csv Queued"]
    assert box.waiting == 3
    box.end("0.csv")
    assert (len(box.fired), box.waiting) == (4, 2)
    assert all(life.phase != "Cancelled" for life in box.living())


def test_one_group_does_not_hold_up_another() -> None:
    group = "${{ params.files[0].split('/')[3].split('-')[0] }}"
    box = Inbox(concurrency={"policy": "Forbid", "group": group})
    box.put("eu-1.csv", "eu-2.csv", "us-1.csv")
    assert box.fired == ["eu-1.csv Started", "us-1.csv Started"]
    box.end("eu-1.csv")
    assert box.fired[2:] == ["eu-2.csv Started"]


def test_suspended_or_with_its_marker_it_lets_files_lie() -> None:
    box = Inbox()
    box.story.ask("suspend")
    box.put("a.csv")
    assert (box.fired, box.waiting) == ([], 1)
    assert box.memory.settled(box.story.state), "nothing happens by itself"
    box.story.ask("resume")
    box.look()
    assert box.fired == ["a.csv Started"]
    box.end("a.csv").story.mark()
    box.put("b.csv")
    assert (box.fired[1:], box.waiting) == ([], 1)
    box.story.unmark()
    box.look()
    assert box.fired[1:] == ["b.csv Started"]


def test_params_that_do_not_fit_consume_the_file_all_the_same() -> None:
    trigger = {"name": "t", "files": {"path": "in/*.csv"}, "params": {"n": "${{ trigger.date }}"}}
    box = Inbox(params={"n": {"type": "string", "enum": ["no"]}}, triggers=[trigger])
    box.put("a.csv").wait(10)
    assert box.fired == ["a.csv Skipped"]


def test_while_its_folder_is_away_nothing_is_decided() -> None:
    box = Inbox().put("a.csv").end("a.csv")
    records = len(box.story.records)
    box.show(root="missing", files={}, device=0).wait(3600)
    assert "InboxAway" in box.said
    box.show(root="unreadable").wait(60)
    assert len(box.story.records) == records, "not even that the file is gone"
    box.show(root="ok", device=7)
    box.put("a.csv", "b.csv")
    assert box.fired == ["a.csv Started", "b.csv Started"]
    assert not box.said


def test_another_folder_without_files_is_not_believed() -> None:
    box = Inbox().put("a.csv").end("a.csv").show(device=9, files={}).wait(3600)
    assert box.said == {"InboxAway"}
    box.show(device=7).put("a.csv")
    assert box.fired == ["a.csv Started"]


def test_another_folder_with_files_is_believed_when_it_stands_still() -> None:
    box = Inbox().show(device=9).put("a.csv")
    assert box.fired == []
    box.wait(9)
    box.put("b.csv")
    box.wait(9)
    assert box.fired == []
    box.wait(1)
    assert box.fired == ["a.csv Started", "b.csv Queued"]


def test_a_path_that_fires_again_and_again_is_held_for_a_while() -> None:
    box = Inbox()
    for time in range(LOOP_FIRINGS + 3):
        box.put("a.csv", mtime=time + 2).wait(10)
        for life in box.living():
            if not life.finished and not life.is_queued:
                box.story.exit("a", workflow=life.name)
        box.look()
    assert len(box.fired) == LOOP_FIRINGS
    assert (box.said, box.waiting) == ({"TriggerLoops"}, 1)
    assert box.memory.due is not None
    box.wait(600)
    assert len(box.fired) == LOOP_FIRINGS + 1


def test_files_that_nobody_can_see_are_not_gone() -> None:
    box = Inbox().put("a.csv").end("a.csv").show(files={}, unreadable=1)
    armed = box.story.life().starter.triggers["t"]  # type: ignore[union-attr]
    assert not armed.gone
    assert box.said == {"InboxUnreadable"}


def test_a_folder_of_the_state_is_told_of() -> None:
    assert Inbox().show(in_state=True).said == {"InboxInState"}


def test_a_file_whose_writer_may_be_at_work_is_not_gone() -> None:
    box, path = Inbox().put("a.csv"), "/specs/in/a.csv"
    armed = box.story.life().starter.triggers["t"]  # type: ignore[union-attr]
    box.show(files={}, restless=frozenset([path]))  # as each controller sees it at first
    assert not armed.gone
    box.show(restless=frozenset())
    assert list(armed.gone) == [path]


def test_an_edit_of_other_things_fires_for_none_again() -> None:
    box = Inbox().put("a.csv").end("a.csv")
    box.accept(priority=3)
    box.look()
    assert box.fired == ["a.csv Started"]
    renamed = {"name": "u", "files": {"path": "in/*.csv"}, "params": FILES}
    box.accept(triggers=[renamed])
    box.look()
    assert box.fired[1:] == ["a.csv Started"], "a renamed trigger is a new one"
    box.accept(triggers=[])
    box.look()
    assert not box.memory.lines


def test_ten_thousand_are_told_of() -> None:
    box = Inbox(concurrency="Forbid")
    box.story.checked = False
    box.put(*(f"{n}.csv" for n in range(10_002)))
    assert box.waiting == 10_001
    assert box.said == {"ManyFilesWait"}
