"""A DAG for Mermaid: numbers for names, all edges, and no text that breaks out of its label."""

from pictures import nightly, plan_of
from story import a_step, document, template

from controller.view.graph.boxes import boxes_of
from controller.view.graph.layout import laid_out
from controller.view.graph.mermaid import mermaid
from controller.view.graph.shape import Box, Need
from controller.view.graph.standing import Graph
from controller.view.planned import planned


def drawn(boxes: list[Box]) -> list[str]:
    return list(mermaid(Graph(workflow="w", layout=laid_out(boxes)), boxes))


def test_steps_and_what_they_wait_for() -> None:
    steps = [
        a_step("a"),
        a_step("b", "a", approve={"message": "?"}),
        a_step("c", {"step": "b", "condition": "Failed"}, "a", forEach=[1, 2]),
        a_step("d", {"step": "c", "condition": "Finished"}, template={"name": "t"}),
    ]
    spec = document(steps, templates={"t": template(a_step("x"), a_step("y", "x"))}).spec
    assert drawn(boxes_of(planned(spec))) == [
        "flowchart LR",
        '    s0["a"]',
        '    s1{{"b"}}',
        '    s2[["c \N{MULTIPLICATION SIGN}…"]]',
        '    subgraph s3["d · 2 steps"]',
        '        s4["x"]',
        '        s5["y"]',
        "    end",
        "    s0 --> s1",
        "    s1 -. failed .-> s2",
        "    s0 --> s2",
        "    s2 -. finished .-> s3",
        "    s4 --> s5",
    ]


def test_phases_are_a_mark_and_a_class() -> None:
    graph = nightly()
    boxes = [Box(id="load", label="load"), Box(id="release", label="release")]
    assert list(mermaid(graph, boxes)) == [
        "flowchart LR",
        '    s0["✓ load"]:::Succeeded',
        '    s1["◌ release"]',
        "    classDef Succeeded stroke:#2f9461",
        "    classDef Running stroke:#2f6fde,stroke-width:2px",
        "    classDef Failed stroke:#cf2f3f,stroke-width:2px",
        "    classDef Skipped stroke-dasharray:3 3",
    ]


def test_a_graph_that_goes_down_does_so_here() -> None:
    graph = plan_of([a_step("a")], "down")
    assert next(mermaid(graph, [])) == "flowchart TD"


def test_no_label_breaks_out() -> None:
    name = 'a"]; click s0 call evil() #quot; <img src=x>'
    (_, node, edge) = drawn([Box(id=name, label=name), Box(id="b", label="b", needs=[Need(name)])])[
        :3
    ]
    assert node.count('"') == 2 and "<" not in node
    assert node.startswith('    s0["a#quot;]; click') and edge.startswith("    s1")
