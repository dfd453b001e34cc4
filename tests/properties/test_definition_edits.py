"""What `diff` says of any edit of a definition is what happens, to triggers and to instances.

Some instances run, some wait for their turn, some have finished when the edit comes, and it may
take the triggers away altogether. The reference is the core itself: the same edit, really accepted.
"""

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from properties.test_plan import Steps, a_dag
from story import Story, document

from controller.model.events import STEP_ADDED, STEP_UNCHANGED
from controller.model.phases import TERMINAL
from controller.model.state import Workflow
from controller.planner.editing.accept import accept
from controller.rehearsal.change import Change
from controller.rehearsal.foresee import changes_of
from controller.spec.reading.load import Document
from controller.spec.triggers.trigger import is_definition

TRIGGERS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from("tuv"),
            "everySeconds": st.sampled_from([40, 60, 3600]),
        },
        optional={
            "jitterSeconds": st.sampled_from([0, 20]),
            "startingDeadlineSeconds": st.sampled_from([5, 500]),
        },
    ),
    unique_by=lambda one: one["name"],
    max_size=3,
)
ABOUT = st.fixed_dictionaries(
    {"triggers": TRIGGERS},
    optional={
        "editPolicy": st.just("AfterRun"),
        "suspend": st.just(True),
        "keepInstances": st.sampled_from([1, 5]),
        "concurrency": st.sampled_from(
            ["Allow", "Queue", "Forbid", {"policy": "Queue", "limit": 2, "maxQueued": 1}]
        ),
    },
)
DAG = a_dag()


def a_spec(found: tuple[Steps, dict[str, Any]], about: dict[str, Any]) -> dict[str, Any]:
    steps, fields = found
    return {"steps": steps, **fields, **about}


def edit(story: Story, wanted: Document) -> None:
    life = story.life()
    for action in [*accept(life, wanted, "w.yaml", "")]:
        story.promise(action)
    story.settle()


def instances(story: Story) -> list[Workflow]:
    return [life for life in story.state.workflows.values() if life.birth is not None]


def attempts(life: Workflow) -> dict[str, int]:
    return {name: step.numbered for name, step in life.steps.items()}


def run_out(story: Story) -> None:
    """All that has begun comes to its end; no trigger fires, as no time passes."""
    while story.state.live:
        uid, step = min(story.state.live)
        story.exit(step, workflow=story.state.lives[uid].name)


class Known:
    """What is known of the instances when the edit comes, by their names."""

    def __init__(self, story: Story) -> None:
        found = {life.name: life for life in instances(story)}
        self.unfinished = [name for name, life in found.items() if not life.finished]
        self.generations = {name: life.generation for name, life in found.items()}
        self.attempts = {name: attempts(life) for name, life in found.items()}
        self.phases = {
            name: {one.name: one.phase for one in life.steps.values()}
            for name, life in found.items()
        }


def progress(story: Story, data: st.DataObject) -> None:
    """Three instances begin, and some of their steps start or end."""
    for key in ("k1", "k2", "k3"):
        story.ask("start", key=key)
    for _ in range(data.draw(st.integers(0, 8))):
        if not story.state.live:
            break
        uid, step = data.draw(st.sampled_from(sorted(story.state.live)))
        name = story.state.lives[uid].name
        if data.draw(st.booleans()):
            story.exit(step, data.draw(st.sampled_from([0, 0, 1])), workflow=name)
        elif story.attempt(step, name).pid is None:
            story.start(step, workflow=name)
    story.wait(data.draw(st.sampled_from([0, 1, 45, 70])))


def without_triggers(spec: dict[str, Any]) -> dict[str, Any]:
    about = ("triggers", "concurrency", "keepInstances")
    return {name: one for name, one in spec.items() if name not in about}


@settings(max_examples=200, deadline=None)
@given(before=DAG, after=DAG, about=ABOUT, then=ABOUT, data=st.data())
def test_what_is_foretold_of_an_edit_of_a_definition_is_what_happens(
    before: tuple[Steps, dict[str, Any]],
    after: tuple[Steps, dict[str, Any]],
    about: dict[str, Any],
    then: dict[str, Any],
    data: st.DataObject,
) -> None:
    story = Story(checked=False).accept(**a_spec(before, about))
    progress(story, data)
    spec = a_spec(before if data.draw(st.booleans()) else after, then)
    if data.draw(st.integers(0, 4)) == 0:
        spec = without_triggers(spec)
    wanted = Document(workflow=document(**spec), line=1)
    known, was = Known(story), story.life()
    own, *others = changes_of(story.state, wanted, story.now)
    assert own.workflow == "w"
    assert [change.workflow for change in others] == known.unfinished

    edit(story, wanted)
    if not is_definition(wanted.workflow.spec):
        check_conversion(story, own, was, known)
        return
    check_definition(story, own)
    for change in others:
        check_instance(story, change, known)
    check_rest(story, others, known)


def check_definition(story: Story, told: Change) -> None:
    life = story.life()
    assert told.after == life.generation
    assert life.starter is not None and told.triggers is not None
    armed = life.starter.triggers
    assert {one.name for one in told.triggers if one.action != "gone"} == armed.keys()
    for one in told.triggers:
        if one.action != "gone" and not life.starter.hold:
            assert armed[one.name].due == one.after, one


def check_instance(story: Story, told: Change, known: Known) -> None:
    """Its generation, and what that did to each step."""
    name = told.workflow
    life = story.life(name)
    assert (told.before, told.after) == (known.generations[name], life.generation), told.note
    if told.before == told.after:
        assert {one.action for one in told.steps.values()} <= {"keep", "continue"}
        return
    for step, effect in told.steps.items():
        recorded = STEP_UNCHANGED if step in known.phases[name] else STEP_ADDED
        assert life.effects.get(step, recorded) == effect


def check_rest(story: Story, told: list[Change], known: Known) -> None:
    """What is kept does not run, and what has finished never runs again by an edit."""
    run_out(story)
    for change in told:
        name = change.workflow
        for step, effect in change.steps.items():
            if effect.action == "keep" and known.phases[name].get(step) in TERMINAL:
                assert story.step(step, name).numbered == known.attempts[name][step], effect
    there = story.state.workflows.keys()  # others may be in the archive by now
    for name in (known.phases.keys() - {*known.unfinished}) & there:
        assert attempts(story.life(name)) == known.attempts[name]
        assert story.life(name).generation == known.generations[name]


def check_conversion(story: Story, own: Change, was: Workflow, known: Known) -> None:
    life = story.life()
    assert own.triggers is not None
    assert {one.action for one in own.triggers} <= {"gone"}
    if known.unfinished:
        assert life is was and life.starter is not None and life.starter.hold == "EditPending"
        story.wait(50)
        assert {one.name for one in instances(story)} <= known.phases.keys()
    run_out(story)
    life = story.life()
    assume(life is not was)  # what runs may wait for a time
    assert own.after == life.generation == 1 and life.starter is None
    assert own.steps.keys() == life.steps.keys()
