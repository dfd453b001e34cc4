"""Pools and Defaults in the folder: judged by the rules that hold for workflows."""

from collections.abc import Callable

import pytest
from specs_folder import SpecsFolder, caller, defaults, documents, many, pool, template, workflow

from controller.intake import policies
from controller.spec.linked import Linked, above
from controller.spec.models import SharedDefaults

Deed = Callable[[SpecsFolder], object]
HOOKS = {"onExit": [{"name": "tidy", "run": "tidy"}]}
BROKEN = "apiVersion: treadle.dev/v1\nkind: Pool\nmetadata: {name: gpu}\nspec: ["
BROKEN_DEFAULTS = "apiVersion: treadle.dev/v1\nkind: Defaults\nspec: {defaults: {env: {A: b}}}\n"


@pytest.fixture
def house(folder: SpecsFolder) -> SpecsFolder:
    """A pool, Defaults of two folders, and a workflow of the inner one."""
    folder.write("pools.yaml", pool("gpu", 2)).write("all.yaml", defaults(60, hooks=HOOKS))
    folder.write("team/some.yaml", defaults(20)).write("team/w.yaml", workflow("w")).look()
    return folder


def timeouts(folder: SpecsFolder, name: str = "w") -> list[object]:
    """Those of the Defaults above a workflow, the nearest first."""
    spec = folder.state.workflows[name].spec
    assert isinstance(spec, Linked)
    given = [above.spec.defaults for above in spec.above]
    return [one.timeout_seconds for one in given if isinstance(one, SharedDefaults)]


def test_policies_come_into_force_before_what_they_hold_for(folder: SpecsFolder) -> None:
    folder.write("a.yaml", workflow("a")).write("z.yaml", documents(defaults(5), pool("gpu")))
    assert folder.look() == ["DefaultsAccepted . z.yaml", "PoolAccepted gpu 1 z.yaml", "new a"]
    assert timeouts(folder, "a") == [5]


@pytest.mark.parametrize(
    ("deed", "at_once", "later"),
    [
        pytest.param(
            lambda f: f.write("pools.yaml", pool("gpu", 3)),
            ["PoolAccepted gpu 3 pools.yaml"],
            [],
            id="a pool with other slots",
        ),
        pytest.param(
            lambda f: f.write("pools.yaml", "# why\n" + pool("gpu", 2)),
            [],
            [],
            id="a comment is no change",
        ),
        pytest.param(
            lambda f: f.write("team/some.yaml", defaults(30)),
            ["DefaultsAccepted team team/some.yaml"],
            [],
            id="other Defaults",
        ),
        pytest.param(
            lambda f: f.write("all.yaml", defaults(60, hooks={"onExit": []})),
            [],
            ["DefaultsAccepted . all.yaml"],
            id="an edit that takes a hook away waits",
        ),
        pytest.param(
            lambda f: f.write("all.yaml", defaults(9, hooks=HOOKS)),
            ["DefaultsAccepted . all.yaml"],
            [],
            id="one that keeps it does not",
        ),
        pytest.param(
            lambda f: f.remove("pools.yaml"), [], ["PoolRemoved gpu"], id="a pool that is gone"
        ),
        pytest.param(
            lambda f: f.remove("team/some.yaml"),
            [],
            ["DefaultsRemoved team"],
            id="Defaults that are gone",
        ),
        pytest.param(
            lambda f: f.remove("pools.yaml").write("x/p.yaml", pool("gpu", 2)),
            ["PoolAccepted gpu 2 x/p.yaml"],
            [],
            id="a pool that moves",
        ),
        pytest.param(
            lambda f: f.remove("team/some.yaml").write("team/x.yaml", defaults(20)),
            ["DefaultsAccepted team team/x.yaml"],
            [],
            id="Defaults whose file gets another name",
        ),
        pytest.param(
            lambda f: f.remove("team/some.yaml").write("x/some.yaml", defaults(20)),
            ["DefaultsAccepted x x/some.yaml"],
            ["DefaultsRemoved team"],
            id="Defaults that move are those of another folder",
        ),
        pytest.param(
            lambda f: f.write("pools.yaml", documents(pool("gpu", 2), pool("api"))),
            ["PoolAccepted api 1 pools.yaml"],
            [],
            id="another one in the same file",
        ),
        pytest.param(
            lambda f: f.write("pools.yaml", workflow("v")),
            [],
            ["PoolRemoved gpu", "new v"],
            id="a file that has something else now waits as a whole",
        ),
        pytest.param(
            lambda f: f.write("x.yaml", pool("gpu", 9)),
            ["FileRejected x.yaml"],
            [],
            id="a second pool of that name",
        ),
        pytest.param(
            lambda f: f.write("x.yaml", workflow("gpu")),
            ["new gpu"],
            [],
            id="a workflow with the name of a pool",
        ),
        pytest.param(
            lambda f: f.write("a.yaml", defaults(9)),
            ["FileRejected a.yaml"],
            [],
            id="second Defaults of a folder",
        ),
        pytest.param(
            lambda f: f.write("pools.yaml", BROKEN),
            ["FileRejected pools.yaml"],
            [],
            id="a pool that can't be read stays",
        ),
        pytest.param(
            lambda f: f.write("team/some.yaml", BROKEN_DEFAULTS),
            ["FileRejected team/some.yaml"],
            [],
            id="Defaults with a fault stay as they were",
        ),
        pytest.param(
            lambda f: f.write("pools.yaml", ""),
            ["FileRejected pools.yaml"],
            [],
            id="an empty file takes nothing away",
        ),
        pytest.param(
            lambda f: f.write("pools.yaml", "a: b"),
            ["FileRejected pools.yaml"],
            [],
            id="nor does a file of another kind",
        ),
        pytest.param(
            lambda f: f.unreadable("pools.yaml"),
            ["FileRejected pools.yaml"],
            [],
            id="nor does one that can't be read",
        ),
        pytest.param(
            lambda f: f.write("pools.yaml", documents(pool("gpu", 3), "kind: [")),
            ["FileRejected pools.yaml"],
            [],
            id="one bad document rejects the others",
        ),
        pytest.param(
            lambda f: f.write("team/w.yaml", documents(workflow("w"), pool("api"))),
            ["PoolAccepted api 1 team/w.yaml"],
            [],
            id="a pool beside a workflow",
        ),
        pytest.param(
            lambda f: f.write("team/w.yaml", documents(workflow("w"), defaults(1))),
            ["FileRejected team/w.yaml"],
            [],
            id="second Defaults reject the workflow beside them",
        ),
    ],
)
def test_what_follows(house: SpecsFolder, deed: Deed, at_once: list[str], later: list[str]) -> None:
    before = policies.homes(house.state)
    deed(house)
    assert house.look() == at_once
    assert before.keys() <= policies.homes(house.state).keys(), "nothing goes at once"
    assert house.look(0.9) == []
    assert house.look(0.2) == later
    assert house.verdict.due is None
    assert house.restart().look() == [], "another controller finds nothing to do"


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (
            "x.yaml",
            pool("gpu", 9),
            'specs/x.yaml:1:1: the pool "gpu" is already defined in specs/pools.yaml:1; '
            "rename or remove one of the two",
        ),
        (
            "team/x.yaml",
            documents(workflow("x"), defaults(1)),
            "specs/team/x.yaml:8:1: the Defaults of this folder are already in "
            "specs/team/some.yaml:1; a folder has one: put both into one document, or remove one",
        ),
        (
            "pools.yaml",
            "",
            "specs/pools.yaml: the file is empty; remove the file to delete the pool gpu",
        ),
        (
            "team/some.yaml",
            "",
            "specs/team/some.yaml: the file is empty; "
            "remove the file to delete the Defaults of team",
        ),
        (
            "all.yaml",
            "",
            "specs/all.yaml: the file is empty; "
            "remove the file to delete the Defaults of the specs folder",
        ),
    ],
)
def test_what_is_said_of_a_file(house: SpecsFolder, path: str, text: str, said: str) -> None:
    house.write(path, text).look()
    assert house.faults(path) == [said]


def test_a_file_whose_writer_is_at_work_is_left_alone(house: SpecsFolder) -> None:
    house.write("pools.yaml", pool("gpu", 9), steady=False)
    assert house.look() + house.look(5) == []


def test_a_second_one_takes_over_when_the_first_is_gone(house: SpecsFolder) -> None:
    house.write("zz.yaml", defaults(9, hooks=HOOKS)).look()
    assert timeouts(house) == [20, 60]
    assert house.remove("all.yaml").look() == ["DefaultsAccepted . zz.yaml", "FileCleared zz.yaml"]
    assert timeouts(house) == [20, 9]


def test_a_workflow_gets_the_defaults_of_the_folder_it_moves_to(house: SpecsFolder) -> None:
    assert timeouts(house) == [20, 60]
    house.remove("team/w.yaml").write("other/deep/w.yaml", workflow("w"))
    assert house.look() == ["SourceChanged w other/deep/w.yaml"]
    assert timeouts(house) == [60]


def test_folders_may_be_deep(house: SpecsFolder) -> None:
    deep = "/".join(["team", *("sub" for _ in range(200))])
    house.write(f"{deep}/d.yaml", defaults(1)).write(f"{deep}/x/v.yaml", workflow("v")).look()
    assert timeouts(house, "v") == [1, 20, 60]
    homes = [one.home for one in above(house.state.workflows["v"].spec)]
    assert homes == ["..", "/".join([".."] * 201), "/".join([".."] * 202)]


def test_a_folder_that_moves_keeps_what_it_says(house: SpecsFolder) -> None:
    """At no time are its workflows without it."""
    house.remove("team/w.yaml", "team/some.yaml")
    house.write("crew/w.yaml", workflow("w")).write("crew/some.yaml", defaults(20))
    assert house.look() == ["DefaultsAccepted crew crew/some.yaml", "SourceChanged w crew/w.yaml"]
    assert timeouts(house) == [20, 60]
    assert house.look(1.1) == ["DefaultsRemoved team"]


def test_what_is_deleted_has_its_defaults_to_the_end(house: SpecsFolder) -> None:
    house.remove("team/w.yaml", "team/some.yaml").look()
    assert house.look(1.1) == ["DeletionAccepted w", "DefaultsRemoved team"]
    assert timeouts(house) == [20, 60]


def test_a_folder_that_vanishes_file_by_file_goes_at_once(house: SpecsFolder) -> None:
    """The workflow goes no later than its Defaults, whichever file was removed first."""
    house.remove("team/some.yaml").look()
    house.remove("team/w.yaml").look(0.7)
    assert house.look(0.5) == []
    assert house.look(0.6) == ["DeletionAccepted w", "DefaultsRemoved team"]


def test_a_folder_that_cant_be_listed_keeps_its_defaults(house: SpecsFolder) -> None:
    house.remove("team/w.yaml", "team/some.yaml").unreadable("team")
    assert house.look() == ["FileRejected team"]
    assert house.look(100) == []
    assert timeouts(house) == [20, 60]


def test_policies_are_a_part_of_a_mass_deletion(house: SpecsFolder) -> None:
    paths = many(house, 20)
    house.remove(*paths, "pools.yaml", "all.yaml").look()
    house.look(2)
    assert "22 of 24 specs are gone" in house.condition()["MassDeletion"]
    assert house.look(7) == []
    said = house.look(2)
    assert said[-2:] == ["DefaultsRemoved .", "PoolRemoved gpu"]
    assert len(said) == 22


def test_a_folder_that_is_held_keeps_them_until_somebody_confirms(house: SpecsFolder) -> None:
    house.sight.root = "missing"
    assert house.look(100) == []
    assert policies.homes(house.state).keys() == {"Pool gpu", "Defaults .", "Defaults team"}
    house.memory.confirm()
    assert house.look() == [
        "DeletionAccepted w",
        "DefaultsRemoved .",
        "DefaultsRemoved team",
        "PoolRemoved gpu",
    ]


def test_a_name_with_a_space_is_none_of_them(house: SpecsFolder) -> None:
    """It is a fault of the file that has it, and nothing else."""
    house.write("x.yaml", workflow("Pool gpu")).write("y.yaml", workflow("any team")).look()
    assert house.remove("pools.yaml", "team/some.yaml").look(1) == []
    assert house.look(1.1) == ["DefaultsRemoved team", "PoolRemoved gpu"]


def test_a_caller_and_its_template_are_judged_as_ever_beside_them(house: SpecsFolder) -> None:
    house.write("c.yaml", documents(caller("c", "t"), template("t"), pool("api")))
    assert house.look() + house.look(0.1) == ["PoolAccepted api 1 c.yaml", "new c"]
