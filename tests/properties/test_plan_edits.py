"""The set of steps that an edit re-runs, against a reference that is naive and written differently.

The product compares hashes in one pass down the DAG. The reference writes out in full what a step
means, dependencies and all, and spreads "is tried anew" until nothing changes any more.
"""

from itertools import combinations
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from properties.test_plan import Steps, a_dag
from story import Story, document

from controller.planner.editing import edits
from controller.rehearsal.foresee import of_document
from controller.spec.fingerprint import same
from controller.spec.reading.load import Document as Loaded

Meanings = dict[str, str]


def meaning(steps: dict[str, dict[str, Any]], name: str, stand_for: Meanings | None = None) -> str:
    """What a step does; a dependency in `stand_for` means what is written there."""
    known = stand_for or {}
    needs = steps[name].get("dependsOn", [])
    after = sorted(
        f"{one['condition']} of {known.get(one['step']) or meaning(steps, one['step'], known)}"
        for one in needs
    )
    return f"({steps[name]['run']} after {after})"


def naive(story: Story, before: Steps, after: Steps) -> set[str]:
    """Names in both generations that run again, by the words of the table.

    Of all ways to let results stand that their steps want to keep, the one that keeps the most.
    """
    old, new = ({step["name"]: step for step in steps} for steps in (before, after))
    wish = [
        name
        for name in old.keys() & new.keys()
        if new[name].get("onChanged") == "KeepResult" and has_result(story, new[name])
    ]
    for size in range(len(wish), -1, -1):
        for kept in combinations(sorted(wish), size):
            anew = runs_again(story, old, new, {name: meaning(old, name) for name in kept})
            if not anew & set(kept):
                return anew & old.keys()
    raise AssertionError("nothing kept is always a way")


def has_result(story: Story, step: dict[str, Any]) -> bool:
    phase = story.phases()[step["name"]]
    return phase == "Succeeded" or (phase == "Failed" and step.get("continueOnFailure", False))


def stays_skipped(story: Story, new: dict[str, Any], name: str) -> bool:
    """Whether it was skipped, and what made it skip still does."""
    if story.phases()[name] != "Skipped":
        return False
    for need in new[name].get("dependsOn", []):
        phase = story.phases().get(need["step"])
        tolerated = new[need["step"]].get("continueOnFailure", False)
        met = {"Succeeded": phase == "Succeeded", "Failed": phase == "Failed"}
        met["Finished"] = True
        if not met[need["condition"]] and not (phase == "Failed" and tolerated):
            return True
    return False


def runs_again(story: Story, old: dict[str, Any], new: dict[str, Any], kept: Meanings) -> set[str]:
    anew = set(new.keys() - old.keys())
    for name in old.keys() & new.keys():
        changed = meaning(old, name) != meaning(new, name, kept)
        stands = has_result(story, new[name]) or stays_skipped(story, new, name)
        if not stands or (changed and name not in kept):
            anew |= {name}
    while True:
        more = {
            name
            for name, step in new.items()
            if any(need["step"] in anew for need in step.get("dependsOn", []))
        }
        if more <= anew:
            return anew
        anew |= more


@settings(max_examples=200, deadline=None)
@given(before=a_dag(), after=a_dag(), codes=st.lists(st.sampled_from([0, 0, 1]), min_size=40))
def test_an_edit_of_a_finished_workflow_re_runs_what_the_table_says(
    before: tuple[Steps, dict[str, Any]], after: tuple[Steps, dict[str, Any]], codes: list[int]
) -> None:
    story = Story(checked=False).accept(before[0])
    while story.live():
        story.exit(min(story.live()), codes.pop() if codes else 0)
        while not story.live() and story.state.timers:
            story.wait(60)
    assert story.life().finished

    spec = document(after[0]).spec
    found = edits.judge(story.state, story.life(), spec).effects
    again = {name for name, one in found.items() if one.action in ("run", "restart")}
    assert again & story.phases().keys() == naive(story, before[0], after[0])
    removed = {name for name, one in found.items() if one.action == "remove"}
    assert removed == story.phases().keys() - {step["name"] for step in after[0]}

    attempts = {name: step.numbered for name, step in story.life().steps.items()}
    story.accept(after[0])
    while story.live():
        story.exit(min(story.live()))
    for name in attempts.keys() - again - removed:
        assert story.step(name).numbered == attempts[name], "what is kept does not run"


@settings(max_examples=200, deadline=None)
@given(before=a_dag(), after=a_dag(), data=st.data())
def test_what_is_foretold_of_an_edit_under_a_marker_is_what_happens(
    before: tuple[Steps, dict[str, Any]], after: tuple[Steps, dict[str, Any]], data: st.DataObject
) -> None:
    story = Story(checked=False).accept(before[0])
    run_out(story)
    names = [step["name"] for step in after[0]]
    named = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
    drain = data.draw(st.booleans())
    story.mark(steps=named, drain=drain)

    spec = document(after[0]).spec
    assume(not same(story.life().spec, spec))
    foreseen = of_document(story.state, Loaded(workflow=document(after[0]), line=1)).steps
    attempts = {name: step.numbered for name, step in story.life().steps.items()}
    story.accept(after[0])
    for name, effect in story.life().effects.items():
        if name in attempts and foreseen[name].reason != "CancelMarker":
            assert effect == foreseen[name]
    run_out(story)
    for name, step in story.life().steps.items():
        started = step.numbered > attempts.get(name, 0)
        if foreseen[name].action == "run" and foreseen[name].reason != "CancelMarker":
            assert step.phase != "Cancelled" and step.reason != "DependencyCancelled"
            assert started or step.phase == "Skipped"
        else:
            assert not started, f"{name}: {foreseen[name]}"


def run_out(story: Story) -> None:
    while story.live():
        story.exit(min(story.live()))
        while not story.live() and story.state.timers:
            story.wait(60)
