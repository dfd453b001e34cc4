"""Whatever people write into Defaults: they change how steps run, and never which."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from story import Story, a_step, dump, template

from controller.model import events as e
from controller.model.apply.fold import replay
from controller.model.image import freeze, thaw
from controller.model.indexes import touch_all
from controller.spec.models import DefaultsSpec

FOLDERS = ("", "team", "team/sub", "te")
PATHS = ("w.yaml", "team/w.yaml", "team/sub/w.yaml", "te/deep/w.yaml")
INNER = template(a_step("in"), a_step("out", "in", timeoutSeconds=4000))

Deed = Callable[[Story], object]


def steps(run: str, own: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        a_step("a", run=run, **own),
        a_step("b", "a", forEach=["x", "y"]),
        a_step("c", "a", template={"name": "t"}),
        a_step("d", "b", "c", retry={"limit": 1}),
    ]


def say(folder: str, spec: dict[str, Any]) -> Deed:
    path = f"{folder}/d.yaml" if folder else "d.yaml"
    found = msgspec.convert(spec, DefaultsSpec)

    def deed(story: Story) -> None:
        story.see(e.DefaultsAccepted(folder=folder, path=path, spec=found)).settle()

    return deed


def unsay(folder: str) -> Deed:
    def deed(story: Story) -> None:
        if folder in story.state.defaults:
            story.see(e.DefaultsRemoved(folder=folder)).settle()

    return deed


def edit(run: str, own: dict[str, Any], policy: dict[str, Any]) -> Deed:
    return lambda story: story.accept(steps(run, own), templates={"t": INNER}, **policy)


def move(path: str) -> Deed:
    def deed(story: Story) -> None:
        story.see(e.SourceChanged(uid=story.life().uid, path=path)).settle()

    return deed


def finish(nth: int, code: int = 0) -> Deed:
    def deed(story: Story) -> None:
        if live := sorted(story.live()):
            story.exit(live[nth % len(live)], code)

    return deed


def reads_an_image(story: Story) -> None:
    """Another controller begins with a snapshot."""
    story.state = thaw(freeze(story.state))
    touch_all(story.state)
    story.settle()


seconds = st.sampled_from([0.5, 2.0, 5000.0])
backoffs = st.fixed_dictionaries(
    {}, optional={"initialSeconds": seconds, "factor": st.sampled_from([1.0, 3.0])}
)
retries = st.fixed_dictionaries({}, optional={"limit": st.integers(0, 2), "backoff": backoffs})
folders, paths, numbers = st.sampled_from(FOLDERS), st.sampled_from(PATHS), st.integers(0, 5)


hooks = st.lists(st.just({"name": "h", "run": "h"}), max_size=1)
kinds = st.dictionaries(st.sampled_from(["onStart", "onFailure", "onCancel", "onExit"]), hooks)


def policies(timeout: st.SearchStrategy[float]) -> st.SearchStrategy[dict[str, Any]]:
    of_steps = {"timeoutSeconds": timeout, "retry": retries}
    of_steps["terminationGracePeriodSeconds"] = seconds
    optional = {"defaults": st.fixed_dictionaries({}, optional=of_steps)}
    optional["ttlSecondsAfterFinished"] = seconds
    return st.fixed_dictionaries({}, optional=optional)


edits = st.builds(
    edit,
    st.sampled_from(["x", "y"]),
    st.fixed_dictionaries({}, optional={"retry": retries}),
    policies(st.just(3000.0)),
)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.just("ours"), st.builds(say, folders, policies(st.just(3000.0))))
        | st.tuples(st.just("ours"), st.builds(unsay, folders))
        | st.tuples(st.just("theirs"), st.builds(move, paths))
        | st.tuples(st.just("theirs"), edits)
        | st.tuples(st.just("theirs"), st.builds(finish, numbers)),
        max_size=25,
    )
)
def test_edits_of_defaults_never_change_which_steps_run(past: list[tuple[str, Deed]]) -> None:
    """As long as nothing fails and nothing takes too long, nobody sees that they were there."""
    alone, beside = Story(), Story()
    for story in (alone, beside):
        edit("x", {}, {})(story)
        for whose, deed in past:
            if whose == "theirs" or story is beside:
                deed(story)
        while live := sorted(story.live()):
            story.exit(live[0])
    assert decided(beside) == decided(alone)
    assert beside.phases() == alone.phases()
    assert beside.life().generation == alone.life().generation


def decided(story: Story) -> list[tuple[str, str]]:
    """What was decided about steps, in its order."""
    events = (record.event for record in story.records)
    return [(type(one).__name__, one.step) for one in events if hasattr(one, "step")]


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.builds(say, folders, policies(seconds)),
            st.builds(lambda folder, one: say(folder, {"hooks": one}), folders, kinds),
            st.builds(unsay, folders),
            st.builds(move, paths),
            edits,
            st.builds(finish, numbers, st.sampled_from([0, 0, 1])),
            st.builds(lambda time: lambda story: story.wait(time), seconds),
            st.just(lambda story: story.delete() if not story.life().deleting else None),
            st.just(reads_an_image),
        ),
        max_size=25,
    )
)
def test_a_replay_gives_the_same_state(past: list[Deed]) -> None:
    """After every event each index is checked, and that all have the policy that is above them."""
    story = Story()
    edit("x", {}, {})(story)
    for deed in past:
        if "w" not in story.state.workflows or story.life().deleting:
            break
        deed(story)
    assert dump(replay(story.records)) == dump(story.state)
    assert dump(thaw(freeze(story.state))) == dump(story.state)
