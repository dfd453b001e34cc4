"""Which file defines which workflow: a name belongs to its home until that lets go of it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import Fault
from controller.intake.claims import Claims, in_force, of_folder
from controller.model.observations import FolderSight, SeenFile
from controller.model.state import State, Workflow
from controller.spec.models import Spec

FAULT = Fault(file="f", problem="broken")


def life(name: str, path: str, **fields: Any) -> Workflow:
    """A workflow in force whose document was last accepted in this file."""
    known: dict[str, Any] = {"uid": f"uid-{name}", "order": 1, "origin": "folder", "created": 1}
    known |= {"generation": 1, "spec": Spec(steps=[]), "labels": {}, "annotations": {}}
    return Workflow(name=name, path=path, **{**known, **fields})


class Shown:
    """A sight of files that list names, and the claims that follow from it."""

    def __init__(self, *lives: Workflow) -> None:
        self.sight = FolderSight(path="/specs")
        self.claims = Claims()
        self.claims.remember({life.name: life.path for life in lives})

    def show(self, path: str, *names: str, **fields: Any) -> set[str]:
        self.sight.files[path] = SeenFile(
            path=path, **{"digest": "d", "names": tuple(names), **fields}
        )
        return self.claims.take_in(path, self.sight)

    def gone(self, path: str) -> set[str]:
        self.sight.files.pop(path, None)
        return self.claims.take_in(path, self.sight)

    def unlistable(self, path: str) -> set[str]:
        """A folder that can't be listed, as the scanner shows it."""
        return self.show(path, digest="", faults=(FAULT,))


ETL = life("etl", "etl.yaml")


# ---------------------------------------- when a home still speaks for its name

Deed = Callable[[Shown], object]


@pytest.mark.parametrize(
    ("deed", "stands"),
    [
        pytest.param(lambda s: s.show("etl.yaml", "etl"), True, id="its home lists it"),
        pytest.param(
            lambda s: s.show("etl.yaml", "etl", "b"), True, id="its home lists it among others"
        ),
        pytest.param(lambda s: s.show("etl.yaml", "b"), False, id="its home lists others only"),
        pytest.param(lambda s: s.gone("etl.yaml"), False, id="its home is gone"),
        pytest.param(
            lambda s: s.show("etl.yaml", steady=False), True, id="its home is being written"
        ),
        pytest.param(
            lambda s: s.show("etl.yaml", faults=(FAULT,)),
            True,
            id="its home has a fault, and shows no name",
        ),
        pytest.param(
            lambda s: s.show("etl.yaml", "b", faults=(FAULT,)),
            True,
            id="its home has a fault, and shows another name",
        ),
        pytest.param(lambda s: s.show("etl.yaml", empty=True), True, id="its home is empty"),
        pytest.param(
            lambda s: s.show("etl.yaml", foreign=True, faults=(FAULT,)),
            False,
            id="its home is another kind of file now",
        ),
        pytest.param(
            lambda s: (s.gone("etl.yaml"), s.show("b.yaml", "etl")),
            False,
            id="another file lists it, and its home is gone",
        ),
    ],
)
def test_a_name_belongs_to_its_home(deed: Deed, stands: bool) -> None:
    shown = Shown(ETL)
    shown.show("etl.yaml", "etl")
    deed(shown)
    assert shown.claims.stands("etl", "etl.yaml", shown.sight) is stands


@pytest.mark.parametrize(
    ("deed", "defined"),
    [
        pytest.param(lambda s: s.show("etl.yaml", "etl"), True, id="its home lists it"),
        pytest.param(lambda s: s.gone("etl.yaml"), False, id="its home is gone"),
        pytest.param(lambda s: s.show("etl.yaml", "b"), False, id="its home names others"),
        pytest.param(
            lambda s: (s.gone("etl.yaml"), s.show("b.yaml", "etl")),
            True,
            id="another file lists it",
        ),
        pytest.param(
            lambda s: s.show("etl.yaml", empty=True), True, id="an empty home deletes nothing"
        ),
        pytest.param(
            lambda s: s.show("etl.yaml", foreign=True, faults=(FAULT,)),
            True,
            id="a home without any document deletes nothing",
        ),
        pytest.param(
            lambda s: (s.show("b.yaml", "etl"), s.gone("b.yaml"), s.gone("etl.yaml")),
            False,
            id="the other file that listed it is gone, too",
        ),
    ],
)
def test_a_workflow_is_defined_while_any_file_speaks_for_it(deed: Deed, defined: bool) -> None:
    shown = Shown(ETL)
    shown.show("etl.yaml", "etl")
    deed(shown)
    assert shown.claims.defined("etl", "etl.yaml", shown.sight) is defined


# ---------------------------------------- folders that can't be listed


@pytest.mark.parametrize(
    ("path", "stands"),
    [
        pytest.param("sub/etl.yaml", True, id="right in it"),
        pytest.param("sub/deep/etl.yaml", True, id="deeper in it"),
        pytest.param("subway/etl.yaml", False, id="in one whose name only begins alike"),
        pytest.param("etl.yaml", False, id="beside it"),
        pytest.param("other/sub/etl.yaml", False, id="in one of that name elsewhere"),
    ],
)
def test_what_lies_in_a_folder_that_cant_be_listed_stands(path: str, stands: bool) -> None:
    there = life("etl", path)
    shown = Shown(there)
    shown.show(path, "etl")
    shown.unlistable("sub")
    shown.gone(path)
    assert shown.claims.stands(there.name, there.path, shown.sight) is stands


def test_once_the_folder_can_be_listed_its_homes_have_to_be_judged() -> None:
    inside, outside = life("etl", "sub/etl.yaml"), life("b", "b.yaml")
    shown = Shown(inside, outside)
    shown.unlistable("sub")
    assert shown.gone("sub") == {"etl"}
    assert not shown.claims.stands(inside.name, inside.path, shown.sight)


def test_a_file_that_was_read_and_has_a_fault_is_no_folder() -> None:
    shown = Shown(life("etl", "f.yaml/etl.yaml"))
    shown.show("f.yaml", faults=(FAULT,))
    assert shown.claims.unlisted == set()


# ---------------------------------------- whom a change concerns


def test_a_file_concerns_what_it_listed_what_it_lists_and_what_it_is_the_home_of() -> None:
    shown = Shown(ETL)
    assert shown.show("etl.yaml", "a", "b") == {"a", "b", "etl"}
    assert shown.show("etl.yaml", "b", "c") == {"a", "b", "c", "etl"}
    assert shown.gone("etl.yaml") == {"b", "c", "etl"}
    assert shown.gone("etl.yaml") == {"etl"}


def test_a_name_that_a_file_lists_twice_is_claimed_once() -> None:
    shown = Shown()
    shown.show("a.yaml", "etl", "etl")
    assert shown.claims.names == {"a.yaml": ("etl",)}
    shown.show("a.yaml", "etl")
    assert shown.claims.paths == {"etl": {"a.yaml"}}


def test_a_name_moves_from_home_to_home() -> None:
    shown = Shown(ETL, life("b", "etl.yaml"))
    shown.claims.move("etl", "etl.yaml", "new.yaml")
    assert shown.claims.homes == {"etl.yaml": {"b"}, "new.yaml": {"etl"}}
    shown.claims.move("b", "etl.yaml", None)
    assert shown.claims.homes == {"new.yaml": {"etl"}}, "what is nobody's home is not kept"


def test_a_new_name_has_a_home_at_once() -> None:
    shown = Shown()
    shown.claims.move("etl", None, "etl.yaml")
    assert shown.claims.homes == {"etl.yaml": {"etl"}}


def test_to_begin_anew_forgets_the_homes_before() -> None:
    shown = Shown(life("a", "a.yaml"))
    shown.claims.remember({"etl": "etl.yaml"})
    assert shown.claims.homes == {"etl.yaml": {"etl"}}


SHOWS = st.lists(
    st.tuples(
        st.sampled_from(["a.yaml", "b.yaml", "sub/c.yaml"]),
        st.none() | st.lists(st.sampled_from("uvw"), max_size=3),
    ),
    max_size=12,
)


@given(SHOWS)
def test_both_ways_of_looking_up_agree_with_the_folder(
    shows: list[tuple[str, list[str] | None]],
) -> None:
    """However files came, changed and went: path to names and name to paths are what is there."""
    shown = Shown()
    for path, names in shows:
        before = {*shown.claims.names.get(path, ())}
        concerned = shown.gone(path) if names is None else shown.show(path, *names)
        assert concerned == before | {*(names or ())}
    there = {path: set(file.names) for path, file in shown.sight.files.items() if file.names}
    assert {path: set(names) for path, names in shown.claims.names.items()} == there
    assert shown.claims.paths == {
        name: {path for path, names in there.items() if name in names}
        for name in set().union(*there.values())
    }


# ---------------------------------------- who is in force


@pytest.mark.parametrize(
    ("fields", "asked_for"),
    [
        pytest.param({}, True, id="one of the folder is"),
        pytest.param({"deleting": True}, False, id="one that is being deleted is not"),
        pytest.param({"origin": "run"}, False, id="what `run` began is no wish of the folder"),
    ],
)
def test_who_is_in_force(fields: dict[str, Any], asked_for: bool) -> None:
    state, one = State(), life("etl", "etl.yaml", **fields)
    state.workflows["etl"] = one
    assert of_folder(one) is asked_for
    assert in_force(state) == ({"etl": "etl.yaml"} if asked_for else {})
