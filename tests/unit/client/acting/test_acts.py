"""What people do to a workflow, with what they have seen of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from story import Story

from controller.client.acting.acts import Actor, Saw
from controller.errors import NotFound, Outdated, UsageError
from controller.requests import waiting

from ..conftest import Write

ACTS: dict[str, Callable[[Actor], None]] = {
    "retry": lambda actor: actor.retry(
        "etl", ["extract"], reason="", downstream=False, keep_spec=False
    ),
    "cancel": lambda actor: actor.cancel("etl", [], reason="", drain=False, hooks=True),
    "suspend": lambda actor: actor.suspend("etl", reason="because"),
    "resume": lambda actor: actor.resume("etl", reason=""),
    "mark": lambda actor: actor.mark("etl", ["load"], reason="x", values=[]),
    "approve": lambda actor: actor.approve("etl", ["extract"], reason="", approved=True),
}


class House:
    def __init__(self, root: Path, state_dir: str) -> None:
        self.specs = root / "specs"
        self.specs.mkdir()
        self.state_dir = state_dir
        self.told: list[str] = []

    def actor(self, saw: Saw | None = None, *, dry_run: bool = False, by: str = "") -> Actor:
        say = self.told.append
        return Actor(str(self.specs), self.state_dir, say, say, dry_run=dry_run, by=by, saw=saw)

    def left(self) -> tuple[int, list[str]]:
        """Requests and files that somebody has written."""
        files = sorted(path.name for path in self.specs.iterdir())
        return len([*waiting(self.state_dir)]), files


@pytest.fixture
def house(tmp_path: Path, write: Write, story: Story) -> House:
    return House(tmp_path, write(story))


@pytest.fixture
def uid(story: Story) -> str:
    return story.life("etl").uid


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_what_was_seen_is_no_longer_so(
    house: House, uid: str, act: Callable[[Actor], None]
) -> None:
    another = f"etl has the uid {uid} now.* is wrong, or etl was deleted and made again"
    with pytest.raises(Outdated, match=another):
        act(house.actor(Saw("of-before", 1)))
    later = "etl is in run 1 now, and run 2 is named: the number is wrong, or another"
    with pytest.raises(Outdated, match=later):
        act(house.actor(Saw(uid, 2)))
    assert house.left() == (0, [])


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_what_nobody_knows_can_be_acted_on_by_nobody(
    tmp_path: Path, act: Callable[[Actor], None]
) -> None:
    house = House(tmp_path, str(tmp_path / "no state"))
    with pytest.raises(NotFound, match="etl"):
        act(house.actor(Saw("x", 1)))
    assert not (tmp_path / "no state").exists()


@pytest.mark.parametrize("name", ["retry", "cancel", "suspend"])
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    house: House, uid: str, name: str
) -> None:
    ACTS[name](house.actor(Saw(uid, 1), dry_run=True))
    assert house.left() == (0, [])
    assert "would" in house.told[0]


def test_a_request_names_what_was_seen_and_who_asks(house: House, uid: str) -> None:
    ACTS["suspend"](house.actor(Saw(uid, 1), by="web"))
    ACTS["suspend"](house.actor())
    seen, unseen = waiting(house.state_dir)
    assert (seen.kind, seen.uid, seen.run, seen.reason) == ("suspend", uid, 1, "because")
    assert "web" in seen.by
    assert (unseen.uid, unseen.run) == (uid, 0)
    assert "web" not in unseen.by


def test_cancel_writes_the_marker_of_its_workflow_alone(house: House, uid: str) -> None:
    ACTS["cancel"](house.actor(Saw(uid, 1)))
    assert house.left() == (0, ["etl.cancel"])
    with pytest.raises(UsageError):
        ACTS["approve"](house.actor(Saw(uid, 1)))
