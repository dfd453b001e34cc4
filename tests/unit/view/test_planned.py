"""The steps of a spec before it runs: those of its templates below them."""

from story import Story, a_step, document, template

from controller.model.phases import Phase
from controller.view.planned import planned, with_planned

TEMPLATES = {
    "outer": template(a_step("in", template={"name": "inner"}), a_step("out", "in")),
    "inner": template(a_step("x"), a_step("y", "x")),
}


def test_the_steps_of_templates_are_below_the_step_that_calls_them() -> None:
    spec = document(
        [a_step("a", template={"name": "outer"}), a_step("b", "a")], templates=TEMPLATES
    )
    steps = planned(spec.spec)
    assert list(steps) == ["a", "b", "a/in", "a/in/x", "a/in/y", "a/out"]
    assert steps["a"].children == ["a/in", "a/out"]
    assert steps["a/in"].children == ["a/in/x", "a/in/y"]
    assert steps["a/out"].sibling("in") == "a/in"


def test_what_a_list_makes_is_not_known() -> None:
    spec = document([a_step("a", forEach=[1, 2], template={"name": "inner"})], templates=TEMPLATES)
    assert list(planned(spec.spec)) == ["a"]


def test_a_template_that_has_not_begun_has_its_steps_already() -> None:
    steps = [a_step("a"), a_step("b", "a", template={"name": "inner"})]
    story = Story().accept(steps, templates=TEMPLATES)
    before = with_planned(story.life())
    assert [*before] == ["a", "b", "b/x", "b/y"]
    assert story.life().steps["b"].children == [], "what was given is as it was"
    after = with_planned(story.exit("a").life())
    assert [*after] == [*before]
    assert after["b/x"] is story.step("b/x")


def test_those_of_one_that_ended_before_it_began_share_its_end() -> None:
    steps = [a_step("a"), a_step("b", "a", template={"name": "inner"})]
    story = Story().accept(steps, templates=TEMPLATES).exit("a", code=1)
    assert with_planned(story.life())["b/y"].phase == Phase.SKIPPED
