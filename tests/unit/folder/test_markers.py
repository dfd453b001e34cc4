"""What a marker's content means."""

import pytest

from controller.folder.markers import MARKER_BYTES_MAX, BadMarker, Marker, parse_marker, read_marker

ALL = Marker()


@pytest.mark.parametrize(
    ("text", "means"),
    [
        pytest.param("", ALL, id="empty cancels all"),
        pytest.param("\n# why not\n", ALL, id="a comment cancels all"),
        pytest.param("stop it please", ALL, id="no mapping cancels all"),
        pytest.param("[a, b]", ALL, id="a list cancels all"),
        pytest.param("{", ALL, id="no YAML cancels all"),
        pytest.param("a: b: c", ALL, id="broken YAML cancels all"),
        pytest.param("\xff\x00", ALL, id="bytes that are no text cancel all"),
        pytest.param("[" * 60_000, ALL, id="depth without end cancels all"),
        pytest.param("- " * 30_000 + "a", ALL, id="also without brackets"),
        pytest.param("? " * 30_000 + "a", ALL, id="and in keys"),
        pytest.param("{[a]: b}", ALL, id="a key that is no text cancels all"),
        pytest.param("reason: x" * MARKER_BYTES_MAX, ALL, id="too large to be a marker: all"),
        pytest.param("reason: budget", Marker(reason="budget"), id="a reason"),
        pytest.param("reason: no", Marker(reason="no"), id="a reason is text, whatever YAML says"),
        pytest.param("steps: [1, on]", Marker(steps=("1", "on")), id="names of steps are text"),
        pytest.param("reason:", ALL, id="no reason given"),
        pytest.param("steps: [a, b, a]", Marker(steps=("a", "b")), id="some steps"),
        pytest.param("mode: Drain", Marker(drain=True), id="drain"),
        pytest.param("mode:", ALL, id="no mode given"),
    ],
)
def test_what_is_taken(text: str, means: Marker) -> None:
    assert parse_marker(text.encode("latin-1")) == means


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hooks: no", "hooks: must be true or false"),
        (
            "hooks: false\nsteps: [a]",
            "hooks: can be false only for all of a workflow: leave out steps",
        ),
        ("step: a", "step: unknown field; a marker may have reason, steps, mode, hooks"),
        ("steps: a", "steps: must be a list of step names, like [a, b]; left out, it means all"),
        ("steps: []", "steps: must be a list of step names, like [a, b]; left out, it means all"),
        ("steps: [-a, b]", 'steps: "-a" is not a valid step name'),
        ("steps: ['a[b c]']", 'steps: "a[b c]" is not a valid step name'),
        ("steps: ['a[b']", 'steps: "a[b" is not a valid step name'),
        ("steps: [[a], {b: c}]", 'steps: "[…]" is not a valid step name; '
         'steps: "{…}" is not a valid step name'),
        (f"steps: ['{'x' * 300}']", f'steps: "{"x" * 200}…" is not a valid step name'),
        (
            f"{'x' * 300}: 1",
            f"{'x' * 200}…: unknown field; a marker may have reason, steps, mode, hooks",
        ),
        ("reason: &why budget\nsteps: [*why]", "*why: a marker can't have aliases; write it out"),
        ("mode: drain", "mode: must be Drain, or left out"),
        ("reason: [a]", "reason: must be text"),
        ("1: 2\nmode: x", "1: unknown field; a marker may have reason, steps, mode, hooks; "
         "mode: must be Drain, or left out"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadMarker) as refused:
        parse_marker(text.encode())
    assert str(refused.value) == problem


def test_of_very_many_problems_only_some_are_named() -> None:
    with pytest.raises(BadMarker, match=r'"a b" is not a valid step name; 9,980 more problems$'):
        parse_marker(b"steps: [" + b"a b," * 10_000 + b"]")


def test_a_marker_names_its_workflow_by_its_file() -> None:
    marker = read_marker("team/etl.cancel", b"reason: budget", "d", "ann")
    assert (marker.workflow, marker.reason, marker.by) == ("etl", "budget", "ann")


def test_a_name_that_no_workflow_can_have_is_a_problem() -> None:
    marker = read_marker("My ETL.cancel", b"", "d", "ann")
    assert marker.problem == 'no workflow can be named "My ETL"'


def test_the_name_of_an_older_form_is_told_as_the_workflow_has_it() -> None:
    marker = read_marker("team/ETL_Nightly.cancel", b"", "d", "ann")
    assert marker.problem == (
        'no workflow can be named "ETL_Nightly"; the marker of "etl-nightly" is etl-nightly.cancel'
    )


def test_a_marker_may_name_an_instance() -> None:
    marker = read_marker("team/etl@20261128T013000Z.cancel", b"", "d", "ann")
    assert (marker.workflow, marker.problem) == ("etl@20261128T013000Z", "")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("etl@latest", "etl@latest means another instance each time; name one, like etl@20261128T"),
        ("etl@a b", '"a b" is not the key of an instance; write one like etl@20261128T'),
        ("etl@", '"" is not the key of an instance'),
        ("ETL@x", 'no workflow can be named "ETL@x"'),
    ],
)
def test_an_instance_that_can_not_be_named(name: str, problem: str) -> None:
    assert read_marker(f"{name}.cancel", b"", "d", "ann").problem.startswith(problem)
