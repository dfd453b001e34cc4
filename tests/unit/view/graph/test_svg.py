"""The picture of a graph: well-formed whatever steps are called, and told by more than colour."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import GRAPHS, nightly, pictures, run_of
from story import Story, a_step, template

from controller.model.phases import Phase
from controller.view.graph.layout import laid_out
from controller.view.graph.shape import Box, Layout
from controller.view.graph.standing import Graph, Standing
from controller.view.graph.style import STYLE
from controller.view.graph.svg import svg
from controller.view.table import PHASE_MARKS

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "]]>&amp;",
    "a\x00b\x1b[31m\x85",
    "\u202eright to left",
    "\ud800 half a pair",
    "\ufffe\uffff",
    "日本語の名前がとても長いので真ん中で短くなります",
    "x" * 200,
]


def a_graph(name: str, **standing: object) -> Graph:
    layout = laid_out([Box(id=name, label=name, width=100, height=32)])
    known = {"phase": Phase.FAILED, "note": name, "seconds": 1.5, "counts": {}, **standing}
    return Graph(
        workflow=name,
        phase=Phase.FAILED,
        layout=layout,
        standings={name: msgspec.convert(known, Standing)},
    )


def elements(graph: Graph, alone: bool = True) -> list[ET.Element]:
    return list(ET.fromstring(svg(graph, alone)).iter())


def groups(graph: Graph) -> dict[str, ET.Element]:
    """The group of each step."""
    found = (element for element in elements(graph) if element.tag == f"{SVG}g")
    return {name: group for group in found if (name := group.get("data-step")) is not None}


def words(element: ET.Element) -> list[str]:
    return [text for part in element.iter() if (text := (part.text or "").strip())]


# ---------------------------------------- golden files


@pytest.mark.parametrize("nth", range(1 + 2 * len(GRAPHS)))
def test_the_pictures_are_as_they_were(nth: int) -> None:
    path, text = list(pictures())[nth]
    assert path.read_text(encoding="utf-8") == text, "look at it, then run make diagrams"


@pytest.mark.parametrize("draw", GRAPHS.values(), ids=list(GRAPHS))
def test_the_json_is_read_as_it_was_written(draw: object) -> None:
    assert callable(draw)
    layout = draw().layout
    assert msgspec.json.decode(msgspec.json.encode(layout), type=Layout) == layout


# ---------------------------------------- what is hostile


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("alone", [True, False])
def test_no_name_breaks_out(name: str, alone: bool) -> None:
    text = svg(a_graph(name), alone)
    text.encode("utf-8")
    found = list(ET.fromstring(text).iter())
    expected = {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "g",
        "text",
        "tspan",
        "defs",
        "marker",
        "path",
    }
    assert {element.tag.removeprefix(SVG) for element in found} <= expected
    assert not any(key.startswith("on") for element in found for key in element.attrib)


@given(st.text(max_size=30), st.sampled_from(list(Phase)), st.text(max_size=30))
def test_any_text_gives_a_well_formed_picture(name: str, phase: Phase, note: str) -> None:
    graph = a_graph(name or "a", phase=phase, note=note)
    assert ET.fromstring(svg(graph)).tag == f"{SVG}svg"


def test_nothing_is_drawn_of_nothing() -> None:
    empty = Graph(workflow="w", layout=laid_out([]))
    assert groups(empty) == {}
    assert "0 steps in 0 layers" in words(ET.fromstring(svg(empty)))


# ---------------------------------------- what a page needs


@pytest.mark.parametrize("alone", [True, False])
def test_there_is_no_inline_style_and_no_script(alone: bool) -> None:
    """The policy of the page forbids them; a file that stands alone has one element of style."""
    found = elements(nightly(), alone)
    assert not any("style" in element.attrib for element in found)
    tags = [element.tag for element in found]
    assert f"{SVG}script" not in tags
    assert tags.count(f"{SVG}style") == int(alone)


def test_steps_are_found_by_name_and_changed_by_their_class() -> None:
    found = groups(nightly())
    assert found["load"].get("class") == "node step is-Succeeded"
    assert found["clean[uk]"].get("class") == "node step is-Failed"
    assert found["rate"].get("class") == "node parent is-Running"
    assert found["publish"].get("class") == "node box is-Running"
    assert "rate[7]" not in found, "it is folded"


@pytest.mark.parametrize("phase", [p for p in Phase if p not in (Phase.SUSPENDED, Phase.WAITING)])
def test_a_phase_is_told_by_a_mark_and_in_words_too(phase: Phase) -> None:
    (group,) = groups(a_graph("s", phase=phase)).values()
    said = words(group)
    assert PHASE_MARKS[phase] in said
    assert any(f"s: {phase}" in text for text in said)


def test_no_two_ends_have_the_same_mark() -> None:
    ends = (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.SKIPPED, Phase.RUNNING)
    assert len({PHASE_MARKS[phase] for phase in ends}) == len(ends)


def test_every_phase_that_stands_out_has_a_colour_in_both_schemes() -> None:
    light, dark = STYLE.split("prefers-color-scheme: dark")
    for variable in ("--done", "--run", "--fail", "--stop", "--ground", "--text"):
        assert f"{variable}: #" in light and f"{variable}: #" in dark
    for phase in (Phase.SUCCEEDED, Phase.RUNNING, Phase.FAILED, Phase.CANCELLED):
        assert f".is-{phase} {{ --phase" in STYLE or f".is-{phase}, " in STYLE


def test_the_whole_is_described() -> None:
    title, desc = elements(nightly())[1:3]
    assert (title.text, title.get("id")) == ("nightly: its steps", "treadle-title")
    assert desc.text is not None
    assert desc.text.startswith("1,013 steps in 6 layers: 4 failed, 1 running")


def test_a_long_list_says_how_its_items_stand() -> None:
    rate = groups(nightly())["rate"]
    assert "3 failed, 637 of 1,000" in words(rate)
    parts = [part for part in rate.iter() if "bar is-" in part.get("class", "")]
    assert [part.get("class") for part in parts] == [
        "bar is-Failed",
        "bar is-Succeeded",
        "bar is-Ready",
    ]
    ends = [float(part.get("x", 0)) + float(part.get("width", 0)) for part in parts]
    assert float(parts[0].get("width", 0)) >= 3, "3 of 1,000 are seen"
    for end, part in zip(ends, parts[1:], strict=False):
        assert float(part.get("x", 0)) == pytest.approx(end)
    whole = next(part for part in rate.iter() if part.get("class") == "bar")
    assert ends[-1] <= float(whole.get("x", 0)) + float(whole.get("width", 0)) + 0.2


def test_a_step_that_asks_says_so() -> None:
    story = Story().accept([a_step("ok", approve={"message": "Fine?"})]).wait(60)
    group = groups(run_of(story))["ok"]
    assert group.get("class") == "node approval is-Pending asks"
    assert "asks" in words(group)
    answered = groups(run_of(story.answers("ok")))["ok"]
    assert answered.get("class") == "node approval is-Succeeded"
    assert "1m00s" in words(answered)


def test_the_children_of_a_step_that_was_skipped_are_skipped() -> None:
    """Its template never began, so no child is in the state."""
    steps = [a_step("a"), a_step("b", "a", template={"name": "t"})]
    story = Story().accept(steps, templates={"t": template(a_step("x"))}).exit("a", code=1)
    graph = run_of(story)
    assert graph.standings["b/x"] == Standing(phase=Phase.SKIPPED, note="", seconds=None, counts={})


def test_a_picture_stays_as_it_is_while_its_steps_run() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")])
    before = run_of(story)
    after = run_of(story.start("a").wait(100_000).exit("a"))
    assert before.layout == after.layout
    assert before.standings != after.standings


def test_lines_have_no_gap() -> None:
    for edge in nightly().layout.edges:
        assert all(one != other for one, other in pairwise(edge.points))
