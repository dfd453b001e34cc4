"""A layout shows all steps and what they wait for, forward and apart, and the same each time."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties.costs import calls_of

from controller.view.graph import dag, ordering
from controller.view.graph.bundles import BUNDLED_FROM
from controller.view.graph.layout import BOX_HEAD, laid_out
from controller.view.graph.shape import Box, Direction, Edge, Layout, Need, Node

DIRECTIONS: tuple[Direction, ...] = ("right", "down")


def a_box(name: str, *needs: str | Need, width: int = 100, inside: Sequence[Box] = ()) -> Box:
    found = [need if isinstance(need, Need) else Need(need) for need in needs]
    return Box(
        id=name,
        label=name,
        width=width,
        height=32,
        needs=found,
        inside=inside,
        kind="box" if inside else "step",
    )


@st.composite
def dags(draw: st.DrawFn, prefix: str = "s", deep: int = 2) -> list[Box]:
    """Up to 24 boxes in any order; some have others inside, some edges have a condition."""
    count = draw(st.integers(0, 24 if deep == 2 else 5))
    conditions = st.sampled_from(["Succeeded", "Succeeded", "Succeeded", "Failed", "Finished"])
    boxes = []
    for number in range(count):
        ends = draw(st.sets(st.integers(0, number - 1), max_size=4)) if number else set()
        needs = [Need(f"{prefix}{end}", draw(conditions)) for end in sorted(ends)]
        inside: Sequence[Box] = ()
        if deep and draw(st.integers(0, 5)) == 0:
            inside = draw(dags(f"{prefix}{number}/", deep - 1))
        width = draw(st.integers(20, 150))
        boxes.append(a_box(f"{prefix}{number}", *needs, width=width, inside=inside))
    return draw(st.permutations(boxes))


def every(boxes: Sequence[Box]) -> Iterator[Box]:
    for box in boxes:
        yield box
        yield from every(box.inside)


def places(layout: Layout) -> dict[str, Node]:
    return {node.id: node for node in layout.nodes}


def overlap(one: Node, other: Node) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def holder(layout: Layout, box: Box) -> str:
    """Where the edges of a box begin and end: at its bundle, if it is in one."""
    node = places(layout)[box.id]
    parent = places(layout).get(node.parent or "")
    return parent.id if parent is not None and parent.kind == "bundle" else box.id


# ---------------------------------------- what holds for every DAG


@given(dags(), st.sampled_from(DIRECTIONS))
def test_every_step_has_a_node_and_no_other_has(boxes: list[Box], direction: Direction) -> None:
    layout = laid_out(boxes, direction)
    own = [node.id for node in layout.nodes if node.kind != "bundle"]
    assert sorted(own) == sorted(box.id for box in every(boxes))
    assert len(places(layout)) == len(layout.nodes)


@given(dags(), st.sampled_from(DIRECTIONS))
def test_no_two_nodes_overlap_but_a_box_and_what_is_in_it(
    boxes: list[Box], direction: Direction
) -> None:
    layout = laid_out(boxes, direction)
    beside: dict[str | None, list[Node]] = {}
    for node in layout.nodes:
        beside.setdefault(node.parent, []).append(node)
        assert 0 <= node.x <= node.x + node.width <= layout.width
        assert 0 <= node.y <= node.y + node.height <= layout.height
    for parent, nodes in beside.items():
        for nth, one in enumerate(nodes):
            assert not any(overlap(one, other) for other in nodes[nth + 1 :]), one
            if parent is not None:
                box = places(layout)[parent]
                assert box.x < one.x and one.x + one.width < box.x + box.width
                assert box.y + BOX_HEAD <= one.y and one.y + one.height < box.y + box.height


@given(dags(), st.sampled_from(DIRECTIONS))
def test_every_edge_goes_forward_from_its_node_to_the_other(
    boxes: list[Box], direction: Direction
) -> None:
    layout = laid_out(boxes, direction)
    nodes = places(layout)
    for edge in layout.edges:
        source, target = nodes[edge.source], nodes[edge.target]
        assert source.layer < target.layer and source.parent == target.parent
        first, last = edge.points[0], edge.points[-1]
        along = [point[0] if direction == "right" else point[1] for point in edge.points]
        assert along == sorted(along), "never back"
        if direction == "right":
            assert first == (source.x + source.width, source.y + source.height // 2)
            assert last == (target.x, target.y + target.height // 2)
        else:
            assert first == (source.x + source.width // 2, source.y + source.height)
            assert last == (target.x + target.width // 2, target.y)


@given(dags(), st.sampled_from(DIRECTIONS))
def test_what_a_step_waits_for_is_an_edge_or_follows_from_edges(
    boxes: list[Box], direction: Direction
) -> None:
    layout = laid_out(boxes, direction)
    edges = {(edge.source, edge.target): edge.condition for edge in layout.edges}
    ways: dict[str, set[str]] = {}
    for (source, target), condition in edges.items():
        if condition == "Succeeded":
            ways.setdefault(source, set()).add(target)
    wanted = set()
    boxes_by_id = {box.id: box for box in every(boxes)}
    for box in boxes_by_id.values():
        for need in box.needs:
            pair = holder(layout, boxes_by_id[need.step]), holder(layout, box)
            wanted.add(pair)
            if need.condition != "Succeeded":
                assert edges[pair] == need.condition
            else:
                assert edges.get(pair) == "Succeeded" or pair[1] in reached(ways, pair[0])
    assert edges.keys() <= wanted, "and there is no other edge"


def reached(ways: dict[str, set[str]], begin: str) -> set[str]:
    found: set[str] = set()
    open_ = [begin]
    while open_:
        new = ways.get(open_.pop(), set()) - found
        found |= new
        open_ += new
    return found


@given(dags())
def test_the_same_boxes_give_the_same_bytes(boxes: list[Box]) -> None:
    again = msgspec.convert(msgspec.to_builtins(boxes), list[Box])
    assert msgspec.json.encode(laid_out(boxes)) == msgspec.json.encode(laid_out(again))


@given(dags())
def test_lines_pass_no_step(boxes: list[Box]) -> None:
    """Between two layers a curve can't; within one, its line is straight and in a free place."""
    layout = laid_out(boxes)
    for edge in layout.edges:
        source = places(layout)[edge.source]
        beside = [node for node in layout.nodes if node.parent == source.parent]
        for (x, y), (to_x, to_y) in pairwise(edge.points):
            if y == to_y:
                passed = [
                    node
                    for node in beside
                    if node.id not in (edge.source, edge.target)
                    and node.y < y < node.y + node.height
                    and max(x, node.x) < min(to_x, node.x + node.width)
                ]
                assert passed == []


# ---------------------------------------- single DAGs


def test_nothing_takes_no_room() -> None:
    assert laid_out([]) == Layout(direction="right", width=0, height=0, nodes=[], edges=[])


def test_one_step_is_all_of_the_picture() -> None:
    layout = laid_out([a_box("only")])
    assert (layout.width, layout.height) == (100, 32)
    assert [(node.id, node.x, node.y, node.layer) for node in layout.nodes] == [("only", 0, 0, 0)]


def test_steps_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"wait for each other: \[1, 2\]"):
        laid_out([a_box("a"), a_box("b", "a", "c"), a_box("c", "b")])


def test_a_need_that_is_no_step_beside_it_is_no_edge() -> None:
    assert laid_out([a_box("a", "gone")]).edges == []


def straight(edge: Edge) -> bool:
    return len({y for _, y in edge.points}) == 1


def test_a_chain_is_a_straight_line() -> None:
    layout = laid_out([a_box("a"), a_box("b", "a", width=150), a_box("c", "b")])
    assert all(map(straight, layout.edges))
    assert [node.layer for node in layout.nodes] == [0, 1, 2]


def test_a_diamond_is_symmetrical() -> None:
    layout = laid_out([a_box("a"), a_box("b", "a"), a_box("c", "a"), a_box("d", "b", "c")])
    nodes = places(layout)
    assert nodes["a"].y == nodes["d"].y == (nodes["b"].y + nodes["c"].y) / 2
    assert nodes["b"].y < nodes["c"].y, "as in the spec"


def test_crossings_that_need_not_be_are_taken_out() -> None:
    """As in the spec, both edges of `a3` would cross those of `b1` and `b2`."""
    begins = [a_box(f"a{n}", "first") for n in range(4)]
    ends = [a_box("b0", "a0", "a3"), a_box("b1", "a1"), a_box("b2", "a2")]
    layout = laid_out([a_box("first"), *begins, *ends, a_box("last", "b0", "b1", "b2")])
    assert crossings(layout) == 0


def crossings(layout: Layout) -> int:
    """Of edges that pass no layer."""
    nodes = places(layout)
    lines = [
        (nodes[edge.source].layer, nodes[edge.source].y, nodes[edge.target].y)
        for edge in layout.edges
    ]
    return sum(
        one[0] == other[0] and (one[1] - other[1]) * (one[2] - other[2]) < 0
        for one, other in combinations(lines, 2)
    )


def test_a_tangle_has_fewer_crossings_than_as_in_the_spec() -> None:
    chance = Random(1)
    needs = [
        [chance.randrange(max(0, n - 12), n) for _ in range(3)] if n else [] for n in range(60)
    ]
    needs = [sorted(set(ends)) for ends in needs]
    dependents = dag.turned(needs)
    level = dag.levels(needs, dependents, dag.in_order(needs))
    graph = dag.Layered(needs, dependents, level, 1_000)
    before = ordering.crossings(graph, places_in(graph))
    ordering.put_in_order(graph)
    after = ordering.crossings(graph, places_in(graph))
    assert after < before * 0.8


def places_in(graph: dag.Layered) -> list[int]:
    place = [0] * len(graph.level)
    for layer in graph.layers:
        for nth, node in enumerate(layer):
            place[node] = nth
    return place


def test_a_long_edge_has_a_place_of_its_own_beside_the_steps_that_it_passes() -> None:
    boxes = [a_box("a"), a_box("b", "a"), a_box("c", "b"), a_box("d", "c", Need("a", "Finished"))]
    layout = laid_out(boxes)
    (long,) = [edge for edge in layout.edges if edge.condition == "Finished"]
    (y,) = {y for (_, y), (_, to_y) in pairwise(long.points) if y == to_y}
    assert all(not node.y <= y <= node.y + node.height for node in layout.nodes[1:3])


def test_an_edge_that_a_longer_way_says_is_left_out() -> None:
    layout = laid_out([a_box("a"), a_box("b", "a"), a_box("c", "b", "a")])
    assert [(edge.source, edge.target) for edge in layout.edges] == [("a", "b"), ("b", "c")]


def test_but_not_one_that_says_something_else() -> None:
    """`c` also runs if `a` fails: the way over `b` does not say that."""
    layout = laid_out([a_box("a"), a_box("b", "a"), a_box("c", "b", Need("a", "Failed"))])
    assert [(edge.source, edge.target, edge.condition) for edge in layout.edges] == [
        ("a", "b", "Succeeded"),
        ("a", "c", "Failed"),
        ("b", "c", "Succeeded"),
    ]


def test_a_step_that_waits_for_nothing_is_near_the_one_that_waits_for_it() -> None:
    layout = laid_out([a_box("a"), a_box("b", "a"), a_box("late"), a_box("c", "b", "late")])
    assert places(layout)["late"].layer == 1


def test_steps_below_each_other_are_equally_wide() -> None:
    layout = laid_out([a_box("a"), a_box("b", "a", width=40), a_box("c", "a", width=130)])
    assert [node.width for node in layout.nodes] == [100, 130, 130]


@pytest.mark.parametrize(("count", "bundles"), [(BUNDLED_FROM - 1, 0), (BUNDLED_FROM, 1), (500, 1)])
def test_many_steps_that_are_alike_share_their_edges(count: int, bundles: int) -> None:
    names = [f"m{n}" for n in range(count)]
    boxes = [a_box("a"), *(a_box(name, "a") for name in names), a_box("z", *names)]
    layout = laid_out(boxes)
    bundled = [node for node in layout.nodes if node.kind == "bundle"]
    assert len(bundled) == bundles
    if bundles:
        assert [(edge.source, edge.target) for edge in layout.edges] == [("a", "*m0"), ("*m0", "z")]
        assert bundled[0].width < 4 * bundled[0].height, "a block, no band"
        assert sum(node.parent == "*m0" for node in layout.nodes) == count
    else:
        assert len(layout.edges) == 2 * count


def test_steps_with_other_conditions_are_not_alike() -> None:
    names = [f"m{n}" for n in range(BUNDLED_FROM)]
    condition = {"m3": Need("a", "Failed")}
    boxes = [a_box("a"), *(a_box(name, condition.get(name, "a")) for name in names)]
    assert not any(node.kind == "bundle" for node in laid_out(boxes).nodes)


def test_parts_that_no_edge_joins_are_below_each_other() -> None:
    chains = [[a_box(f"{c}1"), a_box(f"{c}2", f"{c}1"), a_box(f"{c}3", f"{c}2")] for c in "ab"]
    nodes = places(laid_out([*chains[0], *chains[1]]))
    assert nodes["a1"].x == nodes["b1"].x and nodes["a1"].y < nodes["b1"].y


def test_many_small_parts_make_no_tower() -> None:
    pairs = [box for n in range(100) for box in (a_box(f"a{n}"), a_box(f"b{n}", f"a{n}"))]
    layout = laid_out(pairs)
    assert 0.5 < layout.width / layout.height < 3


def test_down_is_right_turned() -> None:
    boxes = [a_box("a"), a_box("b", "a"), a_box("c", "a")]
    nodes = places(laid_out(boxes, "down"))
    assert nodes["a"].y < nodes["b"].y == nodes["c"].y and nodes["b"].x < nodes["c"].x


# ---------------------------------------- large ones


def a_chain(count: int) -> list[Box]:
    return [a_box(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(count)]


def layers_of_20(count: int) -> list[Box]:
    """Each of a layer waits for three of the layer before, no two for the same."""
    return [
        a_box(f"s{n}", *(f"s{n - n % 20 - 20 + (n + k) % 20}" for k in (0, 3, 11) if n >= 20))
        for n in range(count)
    ]


def with_long_edges(count: int) -> list[Box]:
    """Each waits for some far before it."""
    far = (3, 50, 90)
    return [a_box(f"s{n}", *(f"s{n - back}" for back in far if back <= n)) for n in range(count)]


@pytest.mark.parametrize("shape", [a_chain, layers_of_20, with_long_edges])
def test_5_000_steps_take_few_calls_for_each(shape: Callable[[int], list[Box]]) -> None:
    def calls(count: int) -> int:
        boxes = shape(count)
        return calls_of(lambda: laid_out(boxes))

    large = calls(5_000)
    assert large < 400 * 5_000
    assert large < 7 * calls(1_000), "no more than the steps grow"


def test_a_graph_with_too_many_bends_still_goes_forward() -> None:
    """Each step of a chain is waited for at its end, too, by conditions that nothing implies."""
    needs = [Need(f"s{n}", "Finished") for n in range(300)]
    layout = laid_out([*a_chain(300), a_box("last", *needs)])
    assert len(layout.edges) == 299 + 300
    nodes = places(layout)
    assert all(nodes[edge.source].layer < nodes[edge.target].layer for edge in layout.edges)


def test_above_some_size_implied_edges_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [a_box("a"), a_box("b", "a"), a_box("c", "b", "a")]
    monkeypatch.setattr(dag, "REDUCED_MAX", 2)
    assert len(laid_out(boxes).edges) == 3
