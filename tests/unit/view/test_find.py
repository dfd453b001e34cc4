"""What a word means: a name, a uid, the start of a uid."""

import pytest
from story import Story, a_step

from controller.errors import Fault, NotFound
from controller.model import events as e
from controller.view.find import NeverValid, find, find_workflow, require_steps


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


def test_steps_have_to_be_there_as_far_as_the_spec_is_known() -> None:
    etl = Story().accept([a_step("extract"), a_step("load", "extract")], name="etl").life("etl")
    require_steps(None, ["anything"])
    require_steps(etl, ["load"])
    with pytest.raises(NotFound, match='etl has no step "laod"; did you mean "load"'):
        require_steps(etl, ["extract", "laod"])
