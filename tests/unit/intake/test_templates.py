"""Templates in the folder: which file has one, and what a change of one does to its callers."""

from collections.abc import Callable

import pytest
from specs_folder import SECOND, SpecsFolder, caller, documents, template, workflow

from controller.model import events as e
from controller.model.observations import SeenFile
from controller.spec.linked import called, homes_of

CHAIN = "lib/chain.yaml"
GOOD = template("chain", "one", "two")
DATE = template("chain", "one", "two", run="date")
BROKEN = "apiVersion: treadle.dev/v1\nkind: Template\nmetadata: {name: chain}\nspec: ["

Deed = Callable[[SpecsFolder], object]


@pytest.fixture
def chain(folder: SpecsFolder) -> SpecsFolder:
    """A template of two steps, and two workflows that call it."""
    folder.write(CHAIN, GOOD)
    folder.write("a.yaml", caller("a", "chain")).write("b.yaml", caller("b", "chain")).look()
    return folder


def steps_of(folder: SpecsFolder, name: str) -> list[str]:
    """Those of the template that the workflow in force has."""
    return [step.name for step in called(folder.state.workflows[name].spec)["chain"].spec.steps]


def soon(folder: SpecsFolder, after: float = 0) -> list[str]:
    """What follows when the rest of a commit has had its time to come."""
    return folder.look(after) + folder.look(0.1)


def is_invalid(folder: SpecsFolder, name: str) -> bool:
    condition = folder.state.workflows[name].conditions.get("SpecInvalid")
    return condition is not None and condition.status == "True"


def test_all_files_of_one_look_are_judged_together(folder: SpecsFolder) -> None:
    folder.write("a.yaml", caller("a", "chain")).write("z.yaml", template("chain", "one"))
    assert folder.look() == ["new a"]
    assert steps_of(folder, "a") == ["one"]
    assert homes_of(folder.state.workflows["a"].spec) == {"chain": "."}


@pytest.mark.parametrize(
    ("deed", "follows"),
    [
        pytest.param(
            lambda f: f.write(CHAIN, DATE),
            ["edit a", "edit b"],
            id="an edit of the template is one of each caller",
        ),
        pytest.param(
            lambda f: f.write(CHAIN, template("chain", "one", "two", "three")),
            ["edit a", "edit b"],
            id="so is a step that is added to it",
        ),
        pytest.param(
            lambda f: f.write(CHAIN, "# why\n" + template("chain", "two", "one")),
            [],
            id="a comment and another order are no change",
        ),
        pytest.param(
            lambda f: f.write(CHAIN, DATE).write(
                "a.yaml", caller("a", "chain") + "  parallelism: 2\n"
            ),
            ["edit a", "edit b"],
            id="a caller that is edited as well gets one generation",
        ),
        pytest.param(
            lambda f: f.write(CHAIN, documents(GOOD, workflow("c"))),
            ["new c"],
            id="another document in the file of the template concerns no caller",
        ),
        pytest.param(
            lambda f: f.write("lib/other.yaml", template("other")),
            [],
            id="a template that nobody calls is nothing",
        ),
        pytest.param(
            lambda f: f.write("lib/x.yaml", GOOD).remove(CHAIN),
            [],
            id="a file that is renamed is no change",
        ),
        pytest.param(
            lambda f: f.write("x.yaml", GOOD).remove(CHAIN),
            ["SourceChanged a a.yaml", "SourceChanged b b.yaml"],
            id="a template that moves to another folder makes no generation",
        ),
        pytest.param(
            lambda f: f.write("sub/a.yaml", caller("a", "chain")).remove("a.yaml"),
            ["SourceChanged a sub/a.yaml"],
            id="nor does a caller that moves",
        ),
        pytest.param(
            lambda f: f.write(CHAIN, template("chain", "one", "two", run="x"), steady=False),
            [],
            id="a template whose writer is at work is left alone",
        ),
        pytest.param(
            lambda f: f.write("twin.yaml", template("chain", "x")),
            ["FileRejected twin.yaml"],
            id="a second file with the template is rejected",
        ),
        pytest.param(
            lambda f: f.write("a.yaml", workflow("a")),
            [],
            id="a caller that lets go of the template loses steps, so it waits",
        ),
    ],
)
def test_what_follows_soon(chain: SpecsFolder, deed: Deed, follows: list[str]) -> None:
    deed(chain)
    assert soon(chain) == follows


def test_a_commit_is_written_file_by_file(chain: SpecsFolder) -> None:
    """However slow: the next file comes before a moment is over."""
    chain.write("a.yaml", caller("a", "chain") + "  parallelism: 2\n")
    assert chain.look() == []
    assert chain.verdict.due == chain.now + SECOND // 10
    chain.write("c.yaml", workflow("c"))
    assert chain.look(0.09) == ["new c"], "what calls no template has nothing to wait for"
    chain.write(CHAIN, DATE)
    assert [chain.look(0.009), chain.look(0.09)] == [[], []]
    assert chain.look(0.01) == ["edit a", "edit b"]
    assert chain.verdict.due is None


def test_where_a_template_moved_to_is_known(chain: SpecsFolder) -> None:
    soon(chain.write("x/chain.yaml", GOOD).remove(CHAIN))
    assert homes_of(chain.state.workflows["a"].spec) == {"chain": "x"}
    soon(chain.write("x/a.yaml", caller("a", "chain")).remove("a.yaml"))
    assert homes_of(chain.state.workflows["a"].spec) == {"chain": "."}
    assert chain.look(30) == []


# ---------------------------------------- a caller that does not fit


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        pytest.param(lambda f: f.remove(CHAIN), 'no template is named "chain"', id="missing"),
        pytest.param(
            lambda f: f.write(CHAIN, BROKEN),
            "its file specs/lib/chain.yaml has faults",
            id="broken",
        ),
        pytest.param(
            lambda f: f.write(CHAIN, ""),
            "its file specs/lib/chain.yaml is empty",
            id="empty",
        ),
        pytest.param(
            lambda f: f.write(CHAIN, "a: b"),
            "its file specs/lib/chain.yaml no longer holds it",
            id="no longer a treadle file",
        ),
        pytest.param(
            lambda f: f.unreadable(CHAIN),
            "its file specs/lib/chain.yaml has faults",
            id="unreadable",
        ),
        pytest.param(
            lambda f: f.remove(CHAIN).unreadable("lib"),
            "its file specs/lib/chain.yaml can't be read",
            id="in a folder that can't be listed",
        ),
        pytest.param(
            lambda f: f.write(
                CHAIN, template("chain", "one", "two", params="site: {type: string}")
            ),
            'the template "chain" needs',
            id="with a param that nobody gives",
        ),
    ],
)
def test_a_caller_whose_template_does_not_fit_keeps_its_generation(
    chain: SpecsFolder, deed: Deed, problem: str
) -> None:
    deed(chain)
    assert "FileRejected a.yaml" not in soon(chain), "files are saved one after the other"
    assert set(chain.look(1)) == {"FileRejected a.yaml", "FileRejected b.yaml"}
    assert all(problem in "; ".join(chain.faults(path)) for path in ("a.yaml", "b.yaml"))
    assert is_invalid(chain, "a")
    assert steps_of(chain, "a") == ["one", "two"]
    assert [chain.look(1), chain.look(30)] == [[], []]
    # mended: nothing has to run again
    if "lib" in chain.sight.files:
        chain.remove("lib")
    chain.write(CHAIN, GOOD)
    followed = chain.look() + chain.look(1)
    assert {"FileCleared a.yaml", "FileCleared b.yaml"} <= set(followed)
    assert all(said.startswith("FileCleared") for said in followed)
    assert not is_invalid(chain, "a")
    assert chain.look(30) == []


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.8])
def test_what_comes_a_little_later_was_never_missing(folder: SpecsFolder, gap: float) -> None:
    """As people save files: one after the other."""
    folder.look()
    folder.write("a.yaml", caller("a", "chain", params="site: x"))
    assert soon(folder) == []
    folder.write("z.yaml", template("chain", "one"))
    assert soon(folder, gap) == [], "an older version of the template, without the param"
    folder.write("z.yaml", template("chain", "one", params="site: y"))
    assert soon(folder, gap) == ["new a"]


def test_deleted_and_made_again_was_never_away(chain: SpecsFolder) -> None:
    assert chain.remove(CHAIN).look() == []
    assert chain.look(0.9) == []
    assert chain.write(CHAIN, GOOD).look(0.05) == []
    assert chain.look(30) == []


def test_a_template_that_breaks_one_caller_only(chain: SpecsFolder) -> None:
    chain.write("a.yaml", caller("a", "chain", params="site: x"))
    chain.write(CHAIN, template("chain", "one", "two", params="site: y"))
    assert soon(chain) == ["edit a", "edit b"]
    chain.write(CHAIN, DATE)
    assert soon(chain) == ["edit b"]
    assert chain.look(1) == ["FileRejected a.yaml"]
    assert chain.faults("a.yaml") == [
        'specs/a.yaml:6:51: spec.steps[0].template.params.site: the template "chain" has no param '
        '"site"; remove it'
    ]
    assert not is_invalid(chain, "b")
    chain.write("a.yaml", caller("a", "chain"))
    assert soon(chain) == ["FileCleared a.yaml", "edit a"]


def test_an_edit_that_takes_steps_from_a_template_settles(chain: SpecsFolder) -> None:
    chain.write(CHAIN, template("chain", "one"))
    assert soon(chain) == []
    assert chain.look(0.9) == []
    chain.write(CHAIN, template("chain", "two"))
    assert soon(chain, 0.1) == []
    assert chain.look(0.9) == []
    assert chain.look(0.1) == ["edit a", "edit b"]
    assert steps_of(chain, "b") == ["two"]


def test_while_the_template_is_written_its_callers_wait(chain: SpecsFolder) -> None:
    chain.write("a.yaml", caller("a", "chain", params="site: x"))
    chain.write(CHAIN, template("chain"), steady=False)
    assert [chain.look(), chain.look(1), chain.look(30)] == [[], [], []]
    chain.write(CHAIN, template("chain", "one", "two", params="site: y"))
    assert soon(chain) == ["edit a", "edit b"]


def test_a_caller_waits_while_a_new_file_is_read_that_may_hold_its_template(
    folder: SpecsFolder,
) -> None:
    """A large file takes a while to read; what it holds is not known before."""
    folder.write("a.yaml", caller("a", "chain"))
    folder.sight.files["chain.yaml"] = SeenFile(path="chain.yaml", digest="", steady=False)
    folder.sight.changed.add("chain.yaml")
    assert [folder.look(), folder.look(1), folder.look(30)] == [[], [], []]
    folder.write("chain.yaml", template("chain", "one"))
    assert soon(folder) == ["new a"]


def test_each_caller_takes_it_by_its_own_policy(folder: SpecsFolder) -> None:
    folder.write("chain.yaml", template("chain", "one"))
    folder.write("a.yaml", caller("a", "chain"))
    folder.write("b.yaml", caller("b", "chain", policy="AfterRun")).look()
    for name in ("a", "b"):
        folder.fold(e.RunStarted(uid=folder.state.workflows[name].uid, run=1))
    folder.write("chain.yaml", template("chain", "one", run="date"))
    assert soon(folder) == ["edit a", "EditDeferred b.yaml"]
    pending = folder.state.workflows["b"].pending
    assert pending is not None
    assert called(pending.document.spec)["chain"].spec.steps[0].run == "date"
    # it has moved as well: the edit that waits has to know where its files are
    folder.write(CHAIN, template("chain", "one", run="date")).remove("chain.yaml")
    assert soon(folder) == ["SourceChanged a a.yaml", "EditDeferred b.yaml"]
    assert folder.look(30) == []
    folder.write(CHAIN, template("chain", "one"))
    assert soon(folder) == ["edit a", "EditTakenBack b", "SourceChanged b b.yaml"]


@pytest.mark.parametrize("text", [BROKEN, "", "a: b", None])
def test_another_controller_finds_nothing_to_do(chain: SpecsFolder, text: str | None) -> None:
    soon(chain.remove(CHAIN) if text is None else chain.write(CHAIN, text))
    assert chain.look(1)
    assert chain.restart().look() == []
    assert chain.look(30) == []


# ---------------------------------------- which file has it


def test_the_file_that_had_it_keeps_it(chain: SpecsFolder) -> None:
    chain.write("c.yaml", documents(template("chain", "x"), template("own"), workflow("c"))).look()
    assert chain.faults("c.yaml") == [
        'specs/c.yaml:1:1: the template "chain" is already defined in specs/lib/chain.yaml:1; '
        "rename or remove one of the two"
    ]
    assert chain.restart().look() == []
    assert chain.look(30) == []
    # its fault is one between two files: the other template of it counts
    assert soon(chain.write("d.yaml", caller("d", "own"))) == ["new d"]
    # the file that had it goes
    chain.write("b.yaml", caller("b", "chain") + "  parallelism: 2\n").remove(CHAIN)
    assert soon(chain) == ["FileCleared c.yaml", "new c"]
    assert chain.look(1) == ["edit a", "edit b"]
    assert steps_of(chain, "a") == ["x"]


@pytest.mark.parametrize("text", [BROKEN, ""], ids=["broken", "empty"])
def test_a_file_that_has_to_be_mended_keeps_it(chain: SpecsFolder, text: str) -> None:
    soon(chain.write("twin.yaml", template("chain", "x")).write(CHAIN, text))
    chain.look(1)
    assert chain.state.rejected.keys() == {"a.yaml", "b.yaml", CHAIN, "twin.yaml"}
    assert chain.state.rejected[CHAIN].templates == ["chain"]
    assert chain.restart().look() == []
    assert chain.look(30) == []


def test_a_file_that_was_never_good_has_no_right_to_it(folder: SpecsFolder) -> None:
    folder.write("a.yaml", BROKEN).write("x.yaml", caller("x", "chain")).look()
    assert folder.state.rejected["a.yaml"].templates == []
    assert folder.look(1) == ["FileRejected x.yaml"]
    assert folder.faults("x.yaml")[0].endswith("can't be used: its file specs/a.yaml has faults")
    folder.write("z.yaml", template("chain", "one"))
    assert soon(folder) == ["FileCleared x.yaml", "new x"]


def test_without_one_that_had_it_the_first_by_path_does(folder: SpecsFolder) -> None:
    folder.write("b.yaml", template("chain", "x")).write("a.yaml", template("chain", "one"))
    folder.write("x.yaml", caller("x", "chain"))
    assert folder.look() == ["new x", "FileRejected b.yaml"]
    assert steps_of(folder, "x") == ["one"]


def test_an_empty_file_says_what_was_in_it(chain: SpecsFolder) -> None:
    chain.write(CHAIN, "").look()
    assert chain.faults(CHAIN) == [
        "specs/lib/chain.yaml: the file is empty; remove the file to delete the template chain"
    ]
    chain.write("c.yaml", documents(workflow("c"), template("own"))).look()
    chain.write("c.yaml", "").look()
    assert chain.faults("c.yaml")[0].endswith("remove the file to delete c, the template own")
    soon(chain.remove(CHAIN))
    assert chain.look(1) == [f"FileCleared {CHAIN}", "FileRejected a.yaml", "FileRejected b.yaml"]


def test_a_file_whose_template_is_elsewhere_now_is_any_other_file(chain: SpecsFolder) -> None:
    chain.write(CHAIN, "a: b").look()
    assert chain.state.rejected.keys() == {CHAIN}
    chain.write("x.yaml", GOOD)
    assert soon(chain)[0] == f"FileCleared {CHAIN}"
    assert chain.state.rejected == {}


def test_a_template_that_went_while_the_folder_was_away(chain: SpecsFolder) -> None:
    chain.sight.root = "missing"
    assert chain.look(1) == []
    del chain.sight.files[CHAIN]
    chain.sight.changed.clear()
    chain.sight.root = "ok"
    assert chain.look(1) == []
    assert chain.look(10) == ["FileRejected a.yaml", "FileRejected b.yaml"]


# ---------------------------------------- cost


def test_a_change_of_a_template_looks_at_its_callers_and_no_more(folder: SpecsFolder) -> None:
    folder.write("chain.yaml", template("chain")).write("other.yaml", template("other"))
    for n in range(50):
        folder.write(f"w{n}.yaml", caller(f"w{n}", "chain" if n < 3 else "other"))
    folder.look()
    folder.write("chain.yaml", template("chain", run="date"))
    sight = folder.sight.files
    looked: list[str] = []

    class Files(dict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            looked.append(key)
            return super().get(key)

    folder.sight.files = Files(sight)  # type: ignore[assignment]
    assert soon(folder) == ["edit w0", "edit w1", "edit w2"]
    assert set(looked) == {"chain.yaml", "w0.yaml", "w1.yaml", "w2.yaml"}
    looked.clear()
    folder.write("chain.yaml", documents(template("chain", run="date"), workflow("w")))
    assert soon(folder) == ["new w"]
    assert set(looked) == {"chain.yaml"}, "the template is as it was"
