"""What edits do to children, by policy and by how far these have come; what skips come to."""

from typing import Any, NamedTuple

import pytest
from story import Story, a_step

ITEM = {"ITEM": "${{ item.v }}"}


class Kind(NamedTuple):
    """An edit of `load`, whose children are `a` and `b`: what it has then, and whom it touches."""

    items: str = "a1 b1"
    run: str = "old"
    uses_item: bool = True
    touches: str = ""

    @property
    def keys(self) -> str:
        return "".join(word[0] for word in self.items.split())


SCRIPT = Kind(run="new", touches="ab")
ONE_ITEM = Kind("a2 b1", touches="a")
UNUSED = Kind("a2 b1", uses_item=False)
LONGER = Kind("a1 b1 c1", touches="c")
SHORTER = Kind("a1")
ORDER = Kind("b1 a1")


def steps(kind: Kind, **fields: Any) -> list[dict[str, Any]]:
    load = a_step("load", key="${{ item.k }}", run=kind.run, **fields)
    load["forEach"] = [{"k": word[0], "v": int(word[1])} for word in kind.items.split()]
    if kind.uses_item:
        load["env"] = ITEM
    return [load, a_step("last", "load")]


def before(kind: Kind, **fields: Any) -> list[dict[str, Any]]:
    return steps(Kind(uses_item=kind.uses_item), **fields)


def attempts(story: Story) -> dict[str, int]:
    return {
        name.removeprefix("load["): step.numbered
        for name, step in story.life().steps.items()
        if not step.is_parent
    }


def finish(story: Story) -> Story:
    """Everything that lives comes to a good end."""
    while story.live():
        name = min(story.live())
        ending = story.attempt(name).ending
        story.exit(name) if ending is None else story.end(name)
    return story


@pytest.mark.parametrize("policy", ["Restart", "FinishFirst", "KeepResult"])
@pytest.mark.parametrize("kind", [SCRIPT, ONE_ITEM, UNUSED, LONGER, SHORTER, ORDER])
def test_an_edit_at_rest_runs_what_it_touches(kind: Kind, policy: str) -> None:
    story = finish(Story().accept(before(kind, onChanged=policy)))
    story.accept(steps(kind, onChanged=policy))
    same_children = kind.keys == "ab"
    touched = kind.touches if policy != "KeepResult" or not same_children else ""
    assert {name for name in story.live() if name != "last"} == {f"load[{key}]" for key in touched}
    finish(story)
    ran = {f"{key}]": 1 + (key in touched and key != "c") for key in kind.keys}
    kept = policy == "KeepResult" and same_children
    assert attempts(story) == {**ran, "last": 1 if kept else 2}
    assert story.life().phase == "Succeeded"


@pytest.mark.parametrize("policy", ["Restart", "FinishFirst", "KeepResult"])
@pytest.mark.parametrize("kind", [SCRIPT, ONE_ITEM, UNUSED, LONGER, ORDER])
def test_an_edit_while_children_run(kind: Kind, policy: str) -> None:
    story = Story().accept(before(kind, onChanged=policy)).start("load[a]", "load[b]")
    story.accept(steps(kind, onChanged=policy))
    for name in ("load[a]", "load[b]"):
        stopped = name[5] in kind.touches and policy == "Restart"
        assert (story.attempt(name).ending is not None) == stopped
    finish(story)
    again = {key for key in kind.touches if key != "c" and policy != "KeepResult"}
    assert attempts(story) == {**{f"{key}]": 1 + (key in again) for key in kind.keys}, "last": 1}
    assert story.life().phase == "Succeeded"


def test_why_the_result_of_a_longer_list_is_not_kept() -> None:
    fields = {"onChanged": "KeepResult", "outputs": {"n": "integer"}}
    story = Story().accept(before(LONGER, **fields))
    story.exit("load[a]", outputs=b"n=1").exit("load[b]", outputs=b"n=2").exit("last")
    story.accept(steps(LONGER, **fields))
    assert story.life().effects["load"].message == "forEach changed"
    assert story.live() == {"load[c]"}


# ---------------------------------------- taken back


@pytest.mark.parametrize(
    ("starts", "exits", "again"),
    [("", "", ""), ("a", "", "a"), ("", "a", "a"), ("b", "a", "ab"), ("", "ab", "ab")],
    ids=["before", "while one runs", "after one ran", "both", "after both ran"],
)
@pytest.mark.parametrize("kind", [SCRIPT, Kind("a2 b2", touches="ab")])
def test_an_edit_that_is_taken_back(kind: Kind, starts: str, exits: str, again: str) -> None:
    story = finish(Story().accept(before(kind)))
    story.accept(steps(kind))
    assert story.live() == {"load[a]", "load[b]"}
    for key in exits:
        story.exit(f"load[{key}]")
    for key in starts:
        story.start(f"load[{key}]")
    seen = len(story.records)
    story.accept(before(kind))
    finish(story)
    assert story.life().phase == "Succeeded"
    started = [
        record.event.step  # type: ignore[union-attr]
        for record in story.records[seen:]
        if type(record.event).__name__ == "AttemptStarted"
    ]
    assert sorted(set(started) - {"last"}) == [f"load[{key}]" for key in again]
    assert ("last" in started) == bool(again)


def test_a_child_that_was_removed_runs_again_when_it_is_back() -> None:
    story = finish(Story().accept(before(SHORTER)))
    story.accept(steps(SHORTER)).accept(before(SHORTER))
    assert "load[b]" in story.live()
    finish(story)
    assert attempts(story)["b]"] == 2, "its attempts continue with the next number"
    assert attempts(story)["a]"] == 1


# ---------------------------------------- removed


@pytest.mark.parametrize("policy", ["End", "Finish"])
def test_a_child_that_leaves_while_it_runs(policy: str) -> None:
    story = Story().accept(before(SHORTER, onRemoved=policy)).start("load[a]", "load[b]")
    story.accept(steps(SHORTER, onRemoved=policy))
    assert (story.attempt("load[b]").ending is None) == (policy == "Finish")
    story.exit("load[a]")
    assert story.step("load").phase == "Running", "it waits for the one that leaves"
    story.exit("load[b]", 1)
    assert "load[b]" not in story.life().steps
    assert story.why("load") == ("Succeeded", "Completed"), "its end no longer counts"
    assert story.step("load").failed_keys == []


# ---------------------------------------- skips


@pytest.mark.parametrize(
    ("codes", "tolerated", "phase", "starts"),
    [
        ((0, 9), False, "Succeeded", {"Succeeded", "Finished"}),
        ((9, 9), False, "Succeeded", {"Succeeded", "Finished"}),
        ((1, 9), False, "Failed", {"Failed", "Finished"}),
        ((1, 9), True, "Failed", {"Succeeded", "Failed", "Finished"}),
        ((0, 1), False, "Failed", {"Failed", "Finished"}),
    ],
)
def test_children_that_skip_themselves(
    codes: tuple[int, int], tolerated: bool, phase: str, starts: set[str]
) -> None:
    load = steps(Kind(), skipExitCodes=[9], continueOnFailure=tolerated)[0]
    load["outputs"] = {"n": "integer"}
    conditions = ("Succeeded", "Failed", "Finished")
    after = [a_step(on, {"step": "load", "condition": on}) for on in conditions]
    story = Story().accept([load, *after])
    for key, code in zip("ab", codes, strict=True):
        story.exit(f"load[{key}]", code, outputs=b"n=1")
    assert story.step("load").phase == phase
    assert story.live() == starts
    assert story.step("load").outputs == {"n": [1 if code == 0 else None for code in codes]}
