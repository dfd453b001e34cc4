"""DAGs that are drawn again and compared: docs/graph.svg, and the golden files of the tests.

`make diagrams` draws them, and `make check` fails if one is another than its file.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from story import Story, a_step, document, template

from controller.view.graph.boxes import boxes_of
from controller.view.graph.layout import laid_out
from controller.view.graph.shape import Direction
from controller.view.graph.standing import Graph, standings
from controller.view.graph.svg import svg
from controller.view.look import Look
from controller.view.planned import planned, with_planned

_ROOT = Path(__file__).parents[1]
_GOLDEN = _ROOT / "tests" / "unit" / "view" / "graph" / "drawn"


def pictures() -> Iterator[tuple[Path, str]]:
    """Every file, and what it should hold."""
    yield _ROOT / "docs" / "graph.svg", svg(nightly())
    for name, draw in GRAPHS.items():
        graph = draw()
        layout = msgspec.json.format(msgspec.json.encode(graph), indent=1).decode()
        yield _GOLDEN / f"{name}.svg", svg(graph)
        yield _GOLDEN / f"{name}.json", f"{layout}\n"


def run_of(story: Story, name: str = "w") -> Graph:
    """The graph of the workflow of a story at its present moment, under this name."""
    life = story.life()
    steps = with_planned(life)
    layout = laid_out(boxes_of(steps))
    return Graph(
        workflow=name,
        uid=life.uid,
        generation=life.generation,
        run=life.run or None,
        phase=life.phase,
        layout=layout,
        standings=standings(story.state, life, Look(now=story.now), {}, steps, layout),
    )


def plan_of(steps: list[dict[str, Any]], direction: Direction = "right", **spec: Any) -> Graph:
    """The graph of a spec that has not run."""
    boxes = boxes_of(planned(document(steps, **spec).spec))
    return Graph(workflow="w", layout=laid_out(boxes, direction))


def nightly() -> Graph:
    """A night under way: a list with a failure, a long list, a template and a question to come."""
    publish = template(
        a_step("build"),
        a_step("unit", "build"),
        a_step("browsers", "build"),
        a_step("ship", "unit", "browsers"),
    )
    story = Story(checked=False).accept(
        [
            a_step("fetch"),
            a_step("clean", "fetch", forEach=["asia", "eu", "uk", "us"], continueOnFailure=True),
            a_step("rate", "fetch", forEach=list(range(1000)), run="rate"),
            a_step("load", "clean"),
            a_step("page-me", {"step": "load", "condition": "Failed"}),
            a_step("publish", "load", template={"name": "publish"}),
            a_step("sign-off", "publish", "rate", approve={"message": "Numbers fine?"}),
            a_step("release", "sign-off"),
        ],
        templates={"publish": publish},
    )
    story.start("fetch").wait(12).exit("fetch")
    story.start("clean[asia]", "clean[eu]", "clean[uk]", "clean[us]").wait(4)
    story.exit("clean[asia]").exit("clean[uk]", code=3).wait(3).exit("clean[us]").exit("clean[eu]")
    for number in range(640):
        story.exit(f"rate[{number}]", code=int(number in (41, 42, 300)))
    story.start("load").wait(64).exit("load")
    story.start("publish/build").wait(95).exit("publish/build")
    story.start("publish/unit", "publish/browsers").wait(20).exit("publish/unit")
    return run_of(story, "nightly")


def two_ways() -> Graph:
    """A long edge beside others, and one that a longer way says."""
    story = Story().accept(
        [
            a_step("split"),
            a_step("left", "split"),
            a_step("right", "split"),
            a_step("more", "left"),
            a_step("join", "more", "right", "split"),
            a_step("tidy", {"step": "join", "condition": "Finished"}),
        ]
    )
    story.start("split").wait(2).exit("split").start("left", "right").wait(1)
    return run_of(story.exit("right", code=7).exit("left"))


def many_alike() -> Graph:
    """Twelve that begin alike and end alike, and three parts that no edge joins."""
    middle = [a_step(f"part-{number}", "first") for number in range(12)]
    last = a_step("last", *(step["name"] for step in middle))
    return plan_of([a_step("first"), *middle, last, a_step("alone"), a_step("a"), a_step("b", "a")])


def box_in_box() -> Graph:
    inner = template(a_step("x"), a_step("y", "x"))
    outer = template(a_step("in", template={"name": "inner"}), a_step("out", "in"))
    return plan_of(
        [a_step("one", template={"name": "outer"}), a_step("two", "one", forEach=["p", "q"])],
        templates={"inner": inner, "outer": outer},
    )


def downwards() -> Graph:
    steps = [a_step("top"), a_step("l", "top"), a_step("a-wide-one", "top"), a_step("end", "l")]
    return plan_of([*steps, a_step("both", "end", "a-wide-one", "top")], "down")


def one_step() -> Graph:
    return plan_of([a_step("only")])


GRAPHS: dict[str, Callable[[], Graph]] = {
    "two-ways": two_ways,
    "many-alike": many_alike,
    "box-in-box": box_in_box,
    "downwards": downwards,
    "one-step": one_step,
}
