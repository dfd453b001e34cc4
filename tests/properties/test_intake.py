"""Whatever people do to a folder: what is in force follows, and nothing is deleted in between."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from specs_folder import SpecsFolder, caller, defaults, documents, pool, template, workflow

from controller.intake import policies
from controller.model import events as e
from controller.model.apply.defaults import defaults_above
from controller.model.observations import SeenFile
from controller.model.state import SECOND
from controller.spec.linked import called
from controller.spec.models import Spec

NAMES = ("u", "v", "w")
TEMPLATES = ("s", "t")
POOLS = ("p", "q")
PATHS = ("a.yaml", "b.yaml", "sub/c.yaml", "sub/d.yaml")
STEPS = ("one", "two", "three")
BROKEN = "apiVersion: treadle.dev/v1\nkind: ["
BROKEN_POOL = "apiVersion: treadle.dev/v1\nkind: Pool\nmetadata: {name: p}\nspec: ["
BROKEN_TEMPLATE = "apiVersion: treadle.dev/v1\nkind: Template\nmetadata: {name: t}\nspec: ["

Deed = Callable[[SpecsFolder], object]
Written = tuple[str, str, str]  # one document: its kind, its name, its text

names, templates = st.sampled_from(NAMES), st.sampled_from(TEMPLATES)
some_steps = st.lists(st.sampled_from(STEPS), min_size=1, unique=True)
some_document: st.SearchStrategy[Written] = st.one_of(
    st.builds(lambda name, steps: ("w", name, workflow(name, *steps)), names, some_steps),
    st.builds(lambda name, calls: ("w", name, caller(name, calls)), names, templates),
    st.builds(lambda name, steps: ("t", name, template(name, *steps)), templates, some_steps),
    st.builds(
        lambda name, calls: ("w", name, caller(name, calls, params="site: x")), names, templates
    ),
    st.builds(
        lambda name, steps: ("t", name, template(name, *steps, params="site: {type: string}")),
        templates,
        some_steps,
    ),
)
some_policy: st.SearchStrategy[Written] = st.one_of(
    st.builds(
        lambda name, n: ("p", name, pool(name, n)), st.sampled_from(POOLS), st.integers(1, 2)
    ),
    st.builds(lambda n: ("d", "", defaults(n)), st.integers(1, 2)),
)
contents = st.lists(
    some_document | some_policy, min_size=1, max_size=3, unique_by=lambda document: document[:2]
).map(lambda written: documents(*(text for _, _, text in written)))


def put(path: str, text: str) -> Deed:
    return lambda folder: folder.write(path, text)


def take_away(path: str) -> Deed:
    return lambda folder: folder.remove(path) if path in folder.sight.files else None


def touch(path: str, text: str) -> Deed:
    """A writer is at work; what it writes is not there yet."""
    return lambda folder: folder.write(path, text, steady=False)


paths = st.sampled_from(PATHS)
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(put, paths, contents),
    st.builds(put, paths, contents),
    st.builds(put, paths, st.sampled_from([BROKEN, BROKEN_POOL, BROKEN_TEMPLATE, "", "a: b"])),
    st.builds(take_away, paths),
    st.builds(touch, paths, contents),
    st.just(SpecsFolder.restart),
)
gestures = st.lists(st.tuples(deeds, st.sampled_from([0.0, 0.3, 0.7, 1.0, 3.0])), max_size=10)


def let_it_rest(folder: SpecsFolder) -> None:
    """Look until nothing follows any more; lives that are to go end at once."""
    for _ in range(10):
        said = folder.look(15)
        for event in folder.verdict.actions:
            if isinstance(event, e.DeletionAccepted):
                folder.end_life(folder.state.lives[event.uid].name)
        if not said and folder.verdict.due is None:
            return
    raise AssertionError(f"no rest: {said}")


def finished(folder: SpecsFolder) -> None:
    """Every writer is done: what it was writing is what was read before, or gone."""
    for path, file in list(folder.sight.files.items()):
        if not file.steady:
            folder.remove(path)


def in_force(folder: SpecsFolder) -> dict[str, set[str]]:
    return {
        name: steps_of(life.spec)
        for name, life in folder.state.workflows.items()
        if not life.deleting
    }


def policies_in_force(folder: SpecsFolder) -> dict[str, object]:
    """By name, what each pool and each Defaults say."""
    names = policies.homes(folder.state)
    return {name: policies.in_force(folder.state, name) for name in names}


def policies_asked_for(file: SeenFile) -> dict[str, object]:
    return {policies.name_of(file.path, one): one.document.spec for one in file.policies}


def steps_of(spec: Spec) -> set[str]:
    """Those of the templates that it calls, too."""
    inner = {f"go/{step.name}" for one in called(spec).values() for step in one.spec.steps}
    return {step.name for step in spec.steps} | inner


def asked_for(folder: SpecsFolder, path: str) -> dict[str, set[str]]:
    """The steps of the workflows that the file defines, with the templates that there are now."""
    linked = folder.memory.templates.linked(folder.sight.files[path])
    return {one.name: steps_of(one.workflow.spec) for one in linked.documents}


@settings(max_examples=100)
@given(gestures)
def test_in_the_end_the_folder_is_in_force(past: list[tuple[Deed, float]]) -> None:
    folder = SpecsFolder()
    for deed, wait in past:
        deed(folder)
        folder.look(wait)
        for event in folder.verdict.actions:
            if isinstance(event, e.DeletionAccepted):
                folder.end_life(folder.state.lives[event.uid].name)
    finished(folder)
    let_it_rest(folder)
    there, rejected = in_force(folder), folder.state.rejected
    for name, life in folder.state.workflows.items():
        listing = {path for path, file in folder.sight.files.items() if name in file.names}
        if life.path in listing - rejected.keys():
            said = asked_for(folder, life.path)[name]
            assert there[name] == said, "what is in force is what its file says"
        else:
            assert {life.path, *listing} & rejected.keys(), "only a fault keeps what is gone"
    said_now, homes = policies_in_force(folder), policies.homes(folder.state)
    for path, file in folder.sight.files.items():
        if path not in rejected:
            assert asked_for(folder, path).keys() == {one.name for one in file.documents}
            assert asked_for(folder, path).keys() <= there.keys()
            asked = policies_asked_for(file)
            assert asked.items() <= said_now.items(), "its policies are in force"
            assert all(homes[name] == path for name in asked)
    for name, path in homes.items():
        file = folder.sight.files.get(path)
        known = file is not None and name in policies.listed(file)
        listing = {one.path for one in folder.sight.files.values() if name in policies.listed(one)}
        assert known or {path, *listing} & rejected.keys(), "only a fault keeps what is gone"
    for life in folder.state.workflows.values():
        above = defaults_above(folder.state, life.origin, life.path, life.spec)
        assert life.deleting or life.spec.above == above
    assert folder.verdict.due is None, "nothing is left to wait for"


@settings(max_examples=100)
@given(gestures)
def test_another_controller_comes_to_rest_where_the_first_did(
    past: list[tuple[Deed, float]],
) -> None:
    folder = SpecsFolder()
    for deed, wait in past:
        deed(folder)
        folder.look(wait)
    finished(folder)
    let_it_rest(folder)
    before = in_force(folder), policies_in_force(folder), folder.state.rejected.keys()
    # The fault of a file may be worded anew, with the names of the templates that there are now.
    worded = {f"FileRejected {path}" for path in folder.state.rejected}
    assert {*folder.restart().look(), *folder.look(30)} <= worded
    assert folder.look(30) == []
    assert (in_force(folder), policies_in_force(folder), folder.state.rejected.keys()) == before


@settings(max_examples=100)
@given(gestures)
def test_nothing_is_taken_away_that_was_there_within_the_settle_time(
    past: list[tuple[Deed, float]],
) -> None:
    """No workflow, step or policy, however the folder was written to."""
    folder = SpecsFolder()
    shown: dict[tuple[str, str, str], int] = {}  # when a file last had this step of this name
    for deed, wait in past:
        deed(folder)
        before, said = in_force(folder), policies.homes(folder.state)
        homes = {name: life.path for name, life in folder.state.workflows.items()}
        folder.look(wait)
        for name in said.keys() - policies.homes(folder.state).keys():
            assert folder.now >= shown.get((said[name], name, ""), 0) + SECOND
        for name, steps in before.items():
            for step in steps - in_force(folder).get(name, set()):
                assert folder.now >= shown.get((homes[name], name, step), 0) + SECOND
        for path in folder.sight.files:
            for name, steps in asked_for(folder, path).items():
                for step in steps:
                    shown[path, name, step] = folder.now
            for name in policies_asked_for(folder.sight.files[path]):
                shown[path, name, ""] = folder.now
