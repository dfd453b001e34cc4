"""What an edit would do, as `diff` prints it and as scripts read it."""

import re
from typing import Any

import msgspec
import pytest
from story import a_step, document

from controller.model.events import StepEffect
from controller.rehearsal.change import Change, PolicyChange, TriggerAction, TriggerChange
from controller.spec.models import DefaultsSpec, PoolSpec, Spec
from controller.view.changes.difference import lines, plan, policy_lines, shape
from controller.view.ink import inked
from controller.view.look import Look

PLAIN, COLOURED = Look(now=0), Look(now=0, colour=True)


def spec(*steps: dict[str, Any], **fields: Any) -> Spec:
    return document(list(steps), **fields).spec


def change(**fields: Any) -> Change:
    """An edit from generation 1 to 2 that does nothing, but for what is given."""
    known: dict[str, Any] = {"workflow": "etl", "before": 1, "after": 2, "steps": {}}
    known |= {"was": None, "becomes": None}
    return Change(**{**known, **fields})


def between(was: Spec, becomes: Spec) -> list[str]:
    """The lines about the spec alone."""
    return list(lines(change(was=was, becomes=becomes), PLAIN))[2:-1]


@pytest.mark.parametrize(
    ("fields", "heading"),
    [
        pytest.param({}, "etl  generation 1 -> 2", id="an edit"),
        pytest.param({"before": 0, "after": 1}, "etl  is new", id="a new workflow"),
        pytest.param({"after": None}, "etl  is deleted", id="a deletion"),
        pytest.param(
            {"after": 1, "note": "it waits"}, "etl  generation 1; it waits", id="only a note"
        ),
        pytest.param(
            {"note": "a marker is there"},
            "etl  generation 1 -> 2; a marker is there",
            id="an edit and a note",
        ),
    ],
)
def test_the_heading(fields: dict[str, Any], heading: str) -> None:
    assert next(lines(change(**fields), PLAIN)) == heading


def test_of_an_unchanged_workflow_nothing_is_said() -> None:
    assert list(lines(change(after=1), PLAIN)) == []


def test_a_line_a_step_with_what_and_why() -> None:
    steps = {
        "extract": StepEffect("keep", "Unchanged", "what it does is unchanged"),
        "load": StepEffect("restart", "SpecChanged", "its script changed", finish=True),
        "report": StepEffect("run", "NotKnownYet", 'depends on "load", which may run'),
    }
    assert list(lines(change(steps=steps), PLAIN)) == [
        "etl  generation 1 -> 2",
        "  STEP     ACTION           WHY",
        "  extract  keep             what it does is unchanged",
        "  load     stop, run again  its script changed; the running attempt may finish first",
        '  report   may run again    depends on "load", which may run',
        "",
    ]


KEEP = StepEffect("keep", "Unchanged", "what it does is unchanged")
RUN = StepEffect("run", "SpecChanged", "run changed")


@pytest.mark.parametrize(
    ("was", "becomes", "heading"),
    [
        (None, 2, "pool gpu (p.yaml)  is new; runs nothing again"),
        (1, 2, "pool gpu (p.yaml)  edited; runs nothing again"),
        (1, None, "pool gpu (p.yaml)  is removed; runs nothing again"),
    ],
)
def test_an_edit_of_a_pool(was: int | None, becomes: int | None, heading: str) -> None:
    old, new = (None if slots is None else PoolSpec(slots=slots) for slots in (was, becomes))
    one = PolicyChange(name="pool gpu", path="p.yaml", was=old, becomes=new)
    assert next(policy_lines(one, Look(now=0))) == heading


def test_an_edit_of_defaults_says_for_how_many_it_holds() -> None:
    spec = DefaultsSpec(ttl_seconds_after_finished=5)
    changed = PolicyChange(name="Defaults of team", path="d", was=None, becomes=spec, workflows=1)
    assert [*policy_lines(changed, Look(now=0))] == [
        "Defaults of team (d)  is new; it holds for 1 workflow; runs nothing again",
        "  @@ spec @@",
        "  +ttlSecondsAfterFinished: 5",
        "",
    ]


def test_many_that_are_kept_are_one_row() -> None:
    steps = {"first": RUN} | dict.fromkeys("abcdef", KEEP)
    assert list(lines(change(steps=steps), PLAIN))[2:] == [
        "  first    run again  run changed",
        "  6 steps  keep       what it does is unchanged: a, b, c and 3 more",
        "",
    ]
    few = list(lines(change(steps=dict.fromkeys("abcde", KEEP)), PLAIN))
    assert len(few) == 2 + 5 + 1


@pytest.mark.parametrize(
    ("steps", "fields", "said"),
    [
        pytest.param([], {}, "", id="no steps"),
        pytest.param([RUN], {"after": 1}, "", id="no change"),
        pytest.param([RUN], {}, "Plan: 1 runs again", id="one"),
        pytest.param(
            [RUN, KEEP, KEEP, RUN, KEEP],
            {},
            "Plan: 2 run again, 3 keep their results",
            id="an edit of what a step does",
        ),
        pytest.param(
            [RUN, StepEffect("run", "NotKnownYet", ""), StepEffect("restart", "NotKnownYet", "")],
            {},
            "Plan: 1 runs again, 1 is stopped and runs again, 1 may run again",
            id="a condition that is asked again",
        ),
        pytest.param(
            [KEEP, KEEP, StepEffect("continue", "Unchanged", "")],
            {},
            "Nothing runs again: 1 keeps running, 2 keep their results",
            id="an edit of a policy",
        ),
        pytest.param(
            [
                StepEffect("restart", "SpecChanged", ""),
                StepEffect("run", "StepAdded", ""),
                StepEffect("remove", "StepRemoved", ""),
            ],
            {},
            "Plan: 1 is new, 1 is stopped and runs again, 1 is removed",
            id="one of each",
        ),
        pytest.param(
            [KEEP, StepEffect("keep", "SpecChanged", ""), KEEP],
            {"waiting": frozenset({"s0", "s1"})},
            "Nothing runs again: 1 keeps its result, 2 keep waiting",
            id="what has no result keeps none",
        ),
        pytest.param(
            [StepEffect("keep", "CancelMarker", ""), StepEffect("run", "CancelMarker", "")],
            {},
            "Plan: 2 are kept from running",
            id="a marker",
        ),
    ],
)
def test_a_plan_sums_up(steps: list[StepEffect], fields: dict[str, Any], said: str) -> None:
    named = {f"s{n}": effect for n, effect in enumerate(steps)}
    assert plan([change(steps=named, **fields)]) == said


def test_a_plan_counts_over_all_workflows() -> None:
    one = change(steps={"a": RUN, "b": KEEP})
    assert plan([one, one, change(after=1)]) == "Plan: 2 run again, 2 keep their results"


def test_in_colour_only_colour_is_added() -> None:
    steps = {"a": StepEffect("remove", "StepRemoved", "no longer in the spec")}
    edit = change(steps=steps, was=spec(a_step("a"), a_step("b")), becomes=spec(a_step("b")))
    plain = list(lines(edit, PLAIN))
    coloured = [inked(line) for line in lines(edit, COLOURED)]
    assert coloured != plain
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in coloured] == plain


A_HOOK, B_HOOK = {"name": "a", "run": "x", "timeoutSeconds": 60}, {"name": "b", "run": "x"}


@pytest.mark.parametrize(
    ("was", "becomes", "expected"),
    [
        pytest.param(
            spec(a_step("a", run="date")),
            spec(a_step("a", run="date -u")),
            ["  @@ step a @@", "   name: a", "  -run: date", "  +run: date -u"],
            id="a changed step, with what stands around it",
        ),
        pytest.param(
            spec(a_step("a"), a_step("b")),
            spec(a_step("b"), a_step("a")),
            [],
            id="another order of steps means nothing",
        ),
        pytest.param(
            spec(a_step("a")),
            spec(a_step("a"), a_step("b", "a")),
            ["  @@ step b @@", "  +name: b", "  +run: b", "  +dependsOn:", "  +- a"],
            id="a new step is all new",
        ),
        pytest.param(
            spec(a_step("a"), a_step("b")),
            spec(a_step("a")),
            ["  @@ step b @@", "  -name: b", "  -run: b"],
            id="a removed step is all gone",
        ),
        pytest.param(
            spec(a_step("a"), priority=1),
            spec(a_step("a"), priority=1, parallelism=2),
            ["  @@ spec @@", "  +parallelism: 2", "   priority: 1"],
            id="a field of the spec is told without its steps",
        ),
        pytest.param(
            spec(a_step("a", timeoutSeconds=60)),
            spec(a_step("a", timeoutSeconds=90.5)),
            [
                "  @@ step a @@", "   name: a", "   run: a",
                "  -timeoutSeconds: 60", "  +timeoutSeconds: 90.5",
            ],
            id="numbers are as people write them",
        ),
        pytest.param(
            spec(a_step("a"), hooks={"onExit": [A_HOOK, B_HOOK], "onStart": [A_HOOK]}),
            spec(a_step("a"), hooks={"onExit": [B_HOOK, A_HOOK], "onFailure": []}),
            [
                "  @@ hooks onStart @@", "  -- name: a", "  -  run: x", "  -  timeoutSeconds: 60",
                "  @@ hooks onFailure @@", "  +[]",
                "  @@ hooks onExit @@",
                "  +- name: b", "  +  run: x",
                "   - name: a", "     run: x", "     timeoutSeconds: 60",
                "  -- name: b", "  -  run: x",
            ],
            id="hooks by their kind, whose order counts",
        ),
        pytest.param(
            spec(a_step("ü", run="echo ü") | {"name": "u"}),
            spec(a_step("ü", run="echo ß") | {"name": "u"}),
            ["  @@ step u @@", "   name: u", "  -run: echo ü", "  +run: echo ß"],
            id="so is text",
        ),
    ],
)  # fmt: skip
def test_what_differs_in_the_spec(was: Spec, becomes: Spec, expected: list[str]) -> None:
    assert between(was, becomes) == expected


def test_a_block_is_named_once_however_much_of_it_differs() -> None:
    long = "\n".join(f"line {n}" for n in range(30))
    was = spec(a_step("a", run=f"first\n{long}\nlast"))
    becomes = spec(a_step("a", run=f"First\n{long}\nLast"))
    assert [line for line in between(was, becomes) if "@@" in line] == ["  @@ step a @@"]


def test_the_shape_for_scripts() -> None:
    steps = {"a": StepEffect("run", "StepAdded", "new", finish=False)}
    told = msgspec.to_builtins(shape(change(after=None, steps=steps, note="why")))
    assert told == {
        "workflow": "etl",
        "from": 1,
        "to": None,
        "steps": [{"name": "a", "action": "run", "reason": "StepAdded", "message": "new"}],
        "note": "why",
    }


def test_a_first_field_of_the_spec_is_shown_as_added_alone() -> None:
    was, becomes = document([a_step("a")]).spec, document([a_step("a")], parallelism=2).spec
    change = Change(workflow="w", before=1, after=2, was=was, becomes=becomes, steps={})
    shown = list(lines(change, PLAIN))
    assert "  +parallelism: 2" in shown and "  -{}" not in shown


# ---------------------------------------- definitions and instances

DAY = 86_400


def trigger(name: str, action: TriggerAction, *dues: int | None, why: str = "") -> TriggerChange:
    before, after = dues
    return TriggerChange(
        name=name, kind="schedule", action=action, before=before, after=after, why=why
    )


MOVED = trigger("night", "moved", DAY, 2 * DAY, why="its times were edited")


def test_the_triggers_of_a_definition_with_their_next_due_times() -> None:
    found = [
        MOVED,
        trigger("noon", "new", None, DAY, why="new"),
        trigger("drop", "gone", None, None, why="starts nothing any more"),
        trigger("same", "keep", DAY, DAY, why="nothing changes"),
    ]
    shown = list(lines(change(triggers=found), PLAIN))
    assert shown[0] == "etl  generation 1 -> 2"
    assert [re.split("  +", line.strip()) for line in shown[1:-1]] == [
        ["TRIGGER", "ACTION", "NEXT DUE", "WHY"],
        [
            "night",
            "moved",
            "1970-01-02T00:00:00+00:00 -> 1970-01-03T00:00:00+00:00",
            "its times were edited",
        ],
        ["noon", "new", "1970-01-02T00:00:00+00:00", "new"],
        ["drop", "gone", "-", "starts nothing any more"],
        ["same", "keep", "1970-01-02T00:00:00+00:00", "nothing changes"],
    ]


def test_the_shape_of_a_definition() -> None:
    told = msgspec.to_builtins(shape(change(triggers=[MOVED])))
    assert told["steps"] == []
    assert told["triggers"] == [
        {
            "name": "night",
            "action": "moved",
            "before": "1970-01-02T00:00:00.000000Z",
            "after": "1970-01-03T00:00:00.000000Z",
            "message": "its times were edited",
        }
    ]


def test_of_an_instance_that_has_not_begun_or_stays_a_line_says_all() -> None:
    steps = {"a": StepEffect("keep", "SpecChanged", "run changed; not started yet")}
    waits = change(steps=steps, is_instance=True, waiting=frozenset("a"), note="it waits")
    stays = change(steps={"a": KEPT}, is_instance=True, after=1, note="AfterRun")
    shown = [list(lines(one, PLAIN)) for one in (waits, stays)]
    assert shown == [["etl  generation 1 -> 2; it waits", ""], ["etl  generation 1; AfterRun", ""]]
    begun = list(lines(change(steps=steps, is_instance=True), PLAIN))
    assert begun[2].split() == ["a", "keep", "run", "changed;", "not", "started", "yet"]


# ---------------------------------------- children


def family(count: int, effect: StepEffect) -> dict[str, StepEffect]:
    return {f"load[{n}]": effect for n in range(count)}


KEPT = StepEffect("keep", "Unchanged", "what it does is unchanged")
AGAIN = StepEffect("run", "SpecChanged", "run changed")
NEW = StepEffect("run", "StepAdded", "new in this generation")
GONE = StepEffect("remove", "StepRemoved", "no longer in the list")


def table_of(steps: dict[str, StepEffect]) -> list[list[str]]:
    return [re.split("  +", line.strip()) for line in list(lines(change(steps=steps), PLAIN))[2:-1]]


def test_children_that_change_have_a_row_and_the_others_are_in_that_of_their_parent() -> None:
    steps = {"load": AGAIN, **family(3, KEPT), "load[us]": GONE, "end": AGAIN, "load[de]": NEW}
    assert table_of(steps) == [
        ["load", "run again", "run changed; nothing changes for 3 of 5 children"],
        ["load[us]", "remove", "no longer in the list"],
        ["load[de]", "new", "new in this generation"],
        ["end", "run again", "run changed"],
    ]
    assert plan([change(steps=steps)]) == (
        "Plan: 1 is new, 1 runs again, 1 is removed, 3 keep their results"
    )


def test_past_twenty_children_of_one_fate_are_one_row() -> None:
    steps = {"load": KEPT, **family(20, AGAIN)}
    assert len(table_of(steps)) == 21
    steps |= family(1021, AGAIN) | {"load[us]": GONE}
    assert table_of(steps) == [
        ["load", "keep", "what it does is unchanged"],
        ["load[…]", "run again", "1,021 of 1,022: run changed"],
        ["load[us]", "remove", "no longer in the list"],
    ]
    assert plan([change(steps=steps)]) == "Plan: 1,021 run again, 1 is removed"


def test_scripts_get_every_child() -> None:
    steps = {"load": KEPT, **family(1000, AGAIN)}
    assert len(shape(change(steps=steps)).steps) == 1001
