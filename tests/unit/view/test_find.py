"""What words mean: a name, a uid, the start of a uid; steps and patterns of steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import Story, a_step, template

from controller.errors import Fault, NotFound, UsageError
from controller.model import events as e
from controller.view.find import (
    NeverValid,
    find,
    find_workflow,
    is_pattern,
    matches,
    name_and_steps,
    pick_step,
    pick_steps,
)


def told() -> Story:
    """`etl` in its second life, `weekly` in its first, `broken` never valid."""
    story = Story()
    uids = iter(["11111111-aaaa", "22222222-bbbb", "33333333-cccc"])
    story.chance.uid = lambda: next(uids)  # type: ignore[method-assign]
    story.accept([a_step("a")], name="etl").exit("a", workflow="etl").delete("etl")
    story.accept([a_step("a")], name="etl").accept([a_step("a")], name="weekly")
    fault = Fault(file="broken.yaml", problem="is wrong")
    return story.see(e.FileRejected(path="broken.yaml", digest="d", faults=[fault]))


@pytest.mark.parametrize(
    ("word", "uid"),
    [
        pytest.param("etl", "22222222-bbbb", id="a name means its present life"),
        pytest.param("11111111-aaaa", "11111111-aaaa", id="a uid means that life, ended or not"),
        pytest.param("33333333", "33333333-cccc", id="eight characters are enough"),
    ],
)
def test_found(word: str, uid: str) -> None:
    assert find_workflow(told().state, word).uid == uid


@pytest.mark.parametrize(("users", "said"), [("a", "which a uses"), ("ba", "which a and b use")])
def test_the_name_of_a_template_is_no_workflow(users: str, said: str) -> None:
    story = Story()
    for name in users:
        step = a_step("site", template={"name": "import"})
        story.accept([step], name=name, templates={"import": template(a_step("load"))})
    problem = f'no workflow is named "import"; it is a template, {said}$'
    with pytest.raises(NotFound, match=problem):
        find(story.state, "import")


def test_nor_is_that_of_a_pool() -> None:
    story = Story().see(e.PoolAccepted(name="gpu", slots=1, path="p.yaml"))
    with pytest.raises(NotFound, match=r"; it is a pool, of p\.yaml: `treadle pools` shows it$"):
        find(story.state, "gpu")


@pytest.mark.parametrize(
    ("word", "error"),
    [
        pytest.param("elt", 'no workflow is named "elt"; did you mean "etl"\\?', id="a slip"),
        pytest.param("3333333", 'no workflow is named "3333333"$', id="seven are too few"),
        pytest.param("zzz", 'no workflow is named "zzz"$', id="nothing like it"),
    ],
)
def test_not_found(word: str, error: str) -> None:
    with pytest.raises(NotFound, match=error):
        find(told().state, word)


def test_a_name_without_a_life_means_the_newest_that_had_it() -> None:
    story = told().exit("a", workflow="etl").delete("etl")
    assert find_workflow(story.state, "etl").uid == "22222222-bbbb"


def test_a_name_that_only_a_rejected_file_has() -> None:
    found = find(told().state, "broken")
    assert isinstance(found, NeverValid)
    assert found.rejected.path == "broken.yaml"
    with pytest.raises(NotFound, match="broken has no valid spec yet"):
        find_workflow(told().state, "broken")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["etl"], ("etl", [])),
        (["etl", "load", "report"], ("etl", ["load", "report"])),
        (["etl/load"], ("etl", ["load"])),
        (["etl/load", "report", "etl/check"], ("etl", ["load", "report", "check"])),
        (["33333333/load"], ("33333333", ["load"])),
        (["etl/clean-*"], ("etl", ["clean-*"])),
        pytest.param(["etl/load/x"], ("etl", ["load/x"]), id="NAME ends at the first slash"),
        pytest.param(["etl", "other/load"], ("etl", ["other/load"]), id="of another workflow"),
        pytest.param(["site", "site/load"], ("site", ["site/load"]), id="of a template"),
        pytest.param(["etl/"], ("etl", [""]), id="the step is missing"),
    ],
)
def test_a_step_is_written_behind_the_name(words: list[str], meant: tuple[str, list[str]]) -> None:
    assert name_and_steps(words[0], words[1:]) == meant


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ([], []),
        (["load"], ["load"]),
        (["load", "clean-us"], ["load", "clean-us"]),
        (["clean-*"], ["clean-eu", "clean-us"]),
        (["clean-?s", "clean-*"], ["clean-us", "clean-eu"]),
        (["*"], ["clean-eu", "clean-us", "load"]),
        (["???d"], ["load"]),
        (["*-*-*", "load"], 'no step of etl matches "\\*-\\*-\\*"$'),
        (["laod"], 'etl has no step "laod"; did you mean "load"\\?'),
        (["LOAD"], 'etl has no step "LOAD"; did you mean "load"\\?'),
        (["L*"], 'no step of etl matches "L\\*"'),
        (["load", ""], 'etl has no step ""'),
        (["[cl]*"], "no step of etl matches"),
    ],
)
def test_steps_are_named_or_match_a_pattern(words: list[str], steps: list[str] | str) -> None:
    names = [a_step(name) for name in ("clean-eu", "clean-us", "load")]
    etl = Story().accept(names, name="etl").life("etl")
    if isinstance(steps, str):
        with pytest.raises(NotFound, match=steps):
            pick_steps(etl, words)
    else:
        assert pick_steps(etl, words) == steps


@pytest.mark.parametrize(
    ("word", "steps"),
    [
        ("site*", ["site"]),
        ("site[?]", ["site[a]", "site[b]"]),
        ("*load", ["site[a]/load"]),
        ("*load[p]", ["site[a]/load[p]"]),
        (
            "site[b]/load",
            "no step \"site\\[b\\]/load\" yet; .*: treadle explain etl 'site\\[b\\]'$",
        ),
        ("site[a]/laod", 'no step "site\\[a\\]/laod"; did you mean "site\\[a\\]/load"'),
        ("later/load", 'no step "later/load" yet; what later becomes: treadle explain etl later$'),
    ],
)
def test_what_matches_stands_for_all_below_it(word: str, steps: list[str] | str) -> None:
    chain = {"name": "chain"}
    site = a_step("site", template=chain, forEach=["a", "b"], parallelism=1)
    templates = {"chain": template(a_step("load", forEach=["p", "q"]))}
    steps_ = [site, a_step("later", "site", template=chain)]
    story = Story().accept(steps_, "etl", templates=templates)
    if isinstance(steps, str):
        with pytest.raises(NotFound, match=steps):
            pick_steps(story.life("etl"), [word])
    else:
        assert pick_steps(story.life("etl"), [word]) == steps


def test_without_a_life_any_name_may_be_right_but_no_pattern() -> None:
    assert pick_steps(None, ["anything", "b"]) == ["anything", "b"]
    with pytest.raises(NotFound, match="write their names"):
        pick_steps(None, ["any*"])


def test_one_step_is_one_step() -> None:
    etl = Story().accept([a_step("a"), a_step("b")], name="etl").life("etl")
    assert pick_step(etl, []) is None
    assert pick_step(etl, ["a"]) == pick_step(etl, ["a", "a"]) == "a"
    with pytest.raises(UsageError, match="choose one step of etl: a and b"):
        pick_step(etl, ["*"])


def test_a_step_where_none_belongs() -> None:
    with pytest.raises(NotFound, match="etl is one, but this command takes no step"):
        find(told().state, "etl/load")


@pytest.mark.parametrize(
    ("name", "pattern", "match"),
    [
        ("load[eu]", "load[eu]", True),
        ("load[eu]", "load[*]", True),
        ("loade", "load[eu]", False),
        ("a]", "a]", True),
        ("a-b", "a*", True),
        ("A", "a", False),
        pytest.param("a" * 63, "*a" * 30 + "b", False, id="at once, however many stars"),
    ],
)
def test_only_stars_and_question_marks_are_special(name: str, pattern: str, match: bool) -> None:
    assert matches(name, pattern) == match


ODD_NAMES = st.text(alphabet="ab*?[]-!\\", min_size=1, max_size=6)


@given(st.lists(ODD_NAMES, min_size=1, unique=True))
def test_a_name_that_exists_is_never_read_as_a_pattern(names: list[str]) -> None:
    """Today no name has a star; if ever one does, it still means itself alone."""
    life = Story(checked=False).accept([a_step("a")]).life()
    life.steps = dict.fromkeys(names, life.steps["a"])
    for name in names:
        assert pick_steps(life, [name]) == [name]


@given(ODD_NAMES)
def test_every_name_matches_itself_if_it_is_no_pattern(name: str) -> None:
    assert matches(name, "*")
    assert is_pattern(name) or matches(name, name)


# ---------------------------------------- instances


def with_instances() -> Story:
    """`job` has begun `job@a` and then `job@b`; `none` has not begun any."""
    story = Story()
    for name in ("job", "none"):
        story.accept([a_step("only")], name=name, triggers=[])
    for key in ("a", "b"):
        story.ask("start", workflow="job", key=key)
    return story.accept([a_step("only")], name="plain")


def test_latest_is_the_instance_that_was_born_last() -> None:
    state = with_instances().state
    assert find_workflow(state, "job@latest").name == "job@b"


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("none@latest", "none has no instance yet; to start one: treadle start none$"),
        ("plain@latest", "plain has no triggers, so it has no instances: write plain alone$"),
        ("nobody@latest", 'no workflow is named "nobody"'),
        ("job@c", 'no workflow is named "job@c"; the instances of job: treadle runs job --all$'),
    ],
)
def test_no_such_instance(word: str, problem: str) -> None:
    with pytest.raises(NotFound, match=problem):
        find_workflow(with_instances().state, word)
