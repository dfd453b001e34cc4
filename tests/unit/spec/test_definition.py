"""Every default, filled in from where the contract says."""

import pytest

from controller.spec.definition import (
    BackoffPolicy,
    Definition,
    ForEach,
    Requires,
    RetryPolicy,
    all_expressions,
    asks_each,
    definitions,
    env_text,
    exit_code_list,
    expansion_expressions,
    reads,
)
from controller.spec.models import Spec
from controller.spec.reading.load import load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"


def define(fields: str, rest: str = "") -> Definition:
    step = f"[{{name: z, run: z}}, {{name: a, {fields}}}]"
    loaded = load(f"{HEAD}  steps: {step}\n{rest}".encode(), "a.yaml")
    assert loaded.faults == ()
    return definitions(loaded.documents[0].workflow.spec)["a"]


def spec_of(steps: str) -> Spec:
    loaded = load(f"{HEAD}  steps: {steps}\n".encode(), "a.yaml")
    assert loaded.faults == ()
    return loaded.documents[0].workflow.spec


def test_a_step_that_says_nothing() -> None:
    assert define("run: x y") == Definition(
        name="a",
        argv=("/bin/sh", "-euc", "x y"),
        env={},
        working_dir=".",
        requires=(),
        timeout_seconds=None,
        grace_seconds=3.0,
        retry=RetryPolicy(
            limit=0,
            backoff=BackoffPolicy(0.5, 2.0, 60.0, 0.1),
            on=("Interrupted", "NonZeroExit", "Timeout"),
        ),
        continue_on_failure=False,
        leave_processes=False,
    )


@pytest.mark.parametrize(
    ("fields", "rest", "argv"),
    [
        ("command: [x, y z]", "  shell: bash\n", ("x", "y z")),
        ("run: x", "  shell: /bin/bash -ec\n", ("/bin/bash", "-ec", "x")),
        ("run: x, shell: sh", "  shell: bash\n", ("/bin/sh", "-euc", "x")),
        ("run: x", "  shell: bash\n", ("bash", "-euo", "pipefail", "-c", "x")),
        ("run: x, shell: python3", "", ("python3", "-c", "x")),
        ("run: x, shell: [bash]", "", ("bash", "x")),
        ("run: x, shell: [sh, -c]", "  shell: bash\n", ("sh", "-c", "x")),
    ],
)
def test_what_is_executed(fields: str, rest: str, argv: tuple[str, ...]) -> None:
    assert define(fields, rest).argv == argv


@pytest.mark.parametrize(
    ("fields", "rest", "before", "after"),
    [
        ("run: x", "", (), ()),
        ("run: x, before: y", "", ("/bin/sh", "-euc", "y"), ()),
        ("command: [x], after: y", "  shell: [sh, -c]\n", (), ("sh", "-c", "y")),
        ("command: [x], after: y, shell: python3", "", (), ("python3", "-c", "y")),
    ],
)
def test_what_is_executed_around_it(
    fields: str, rest: str, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    defined = define(fields, rest)
    assert (defined.before, defined.after) == (before, after)
    assert defined.in_parts == bool(before or after)


def test_a_step_overlays_its_spec() -> None:
    rest = "  env: {A: 1, B: 2}\n  workingDir: w\n"
    assert define("run: x, env: {B: 3, C: 4}", rest).env == {"A": "1", "B": "3", "C": "4"}
    assert define("run: x", rest).working_dir == "w"
    assert define("run: x, workingDir: v", rest).working_dir == "v"


def test_defaults_are_given_field_by_field() -> None:
    rest = (
        "  defaults: {timeoutSeconds: 9, terminationGracePeriodSeconds: 0, "
        "retry: {limit: 2, backoff: {jitter: 0}, maxElapsedSeconds: 7, exitCodes: [1]}}\n"
    )
    assert define("run: x", rest).timeout_seconds == 9
    assert define("run: x, timeoutSeconds: 1", rest).timeout_seconds == 1
    assert define("run: x", rest).grace_seconds == 0
    retry = define("run: x, retry: {backoff: {factor: 3}, on: [Timeout]}", rest).retry
    assert retry == RetryPolicy(
        limit=2,
        backoff=BackoffPolicy(0.5, 3.0, 60.0, 0.0),
        on=("Timeout",),
        exit_codes=(1,),
        max_elapsed_seconds=7,
    )


def test_a_steps_own_list_of_exit_codes_sets_that_of_the_defaults_aside() -> None:
    rest = "  defaults: {retry: {limit: 2, exitCodes: [1]}}\n"
    retry = define("run: x, retry: {exceptExitCodes: [2, 4-5]}", rest).retry
    assert retry.exit_codes is None
    assert retry.except_exit_codes == (2, 4, 5)


@pytest.mark.parametrize(
    ("backoff", "most"),
    [("{}", 60), ("{initialSeconds: 5}", 60), ("{initialSeconds: 90}", 90),
     ("{initialSeconds: 5, maxSeconds: 7}", 7)],
)  # fmt: skip
def test_the_longest_delay_is_at_least_the_first(backoff: str, most: float) -> None:
    policy = define(f"run: x, retry: {{limit: 1, backoff: {backoff}}}").retry.backoff
    assert policy.max_seconds == most


def test_dependencies() -> None:
    assert define("run: x, dependsOn: [z]").requires == (Requires("z", "Succeeded"),)
    long = "run: x, dependsOn: [{step: z, condition: Failed}]"
    assert define(long).requires == (Requires("z", "Failed"),)
    assert define("run: x, continueOnFailure: true").continue_on_failure
    assert define("run: x, leaveProcesses: true").leave_processes


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1, "1"), (1.0, "1.0"), ("x", "x")]
)
def test_what_a_process_sees(value: str | float | bool, text: str) -> None:
    assert env_text(value) == text


def test_exit_codes() -> None:
    assert exit_code_list([75, "100-102", "3"]) == (3, 75, 100, 101, 102)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("forEach: [a, {b: 1}]", ForEach(items=["a", {"b": 1}])),
        ("forEach: ' ${{ params.p }} '", ForEach(items="params.p")),
        (
            "forEach: [a], key: 'x-${{ item }}', parallelism: 3",
            ForEach(items=["a"], key="x-${{ item }}", parallelism=3),
        ),
        (
            "forEach: {matrix: {q: [1], p: '${{ params.p }}'}, exclude: [{q: 2}]}",
            ForEach(items=[], matrix={"q": [1], "p": "params.p"}, exclude=[{"q": 2}]),
        ),
        (
            "forEach: {matrix: {q: [1]}, include: [{q: 2}]}, parallelism: 1",
            ForEach(items=[], matrix={"q": [1]}, include=[{"q": 2}], parallelism=1),
        ),
    ],
)
def test_what_a_step_runs_for(fields: str, found: ForEach) -> None:
    assert define(f"run: x, {fields}", "  params: {p: [a]}\n").for_each == found
    assert define("run: x").for_each is None


def test_what_an_attempt_is_made_of_has_no_list() -> None:
    step = define(
        "run: x, env: {A: '${{ item }}', B: {asFile: '${{ [index] }}'}}, "
        "workingDir: '${{ item.d }}', when: '${{ item.w }}', timeoutSeconds: '${{ item.t }}', "
        "key: '${{ item.k }}${{ item.j }}', "
        "forEach: {matrix: {p: '${{ params.p }}', q: [1], r: '${{ params.q }}'}}",
        "  params: {p: [a], q: [b]}\n",
    )
    assert step.expressions == ("item.d", "item", "[index]")
    assert expansion_expressions(step.for_each) == ["params.p", "params.q", "item.k", "item.j"]
    assert all_expressions(step) == [
        *step.expressions,
        "item.w",
        "item.t",
        *expansion_expressions(step.for_each),
    ]
    assert expansion_expressions(define("run: x").for_each) == []


@pytest.mark.parametrize(
    "fields",
    [
        "forEach: '${{ steps.y.outputs.l }}'",
        "forEach: {matrix: {a: [1], b: '${{ steps.y.outputs.l }}'}}",
        "forEach: [1], key: '${{ index }}${{ steps.y.phase }}'",
        "forEach: [1], env: {A: '${{ steps.y.phase + item }}'}",
    ],
)
def test_the_steps_that_a_list_reads(fields: str) -> None:
    first = "{name: y, run: x, outputs: {l: array}}, {name: z, run: x, dependsOn: [y]}"
    spec = spec_of(f"[{first}, {{name: a, run: x, dependsOn: [z], {fields}}}]")
    assert reads(spec) == {"a": ["y"]}


def test_the_steps_that_ask_for_each_item() -> None:
    spec = spec_of(
        "[{name: a, run: x, forEach: [1], when: '${{ item > 1 }}'}, "
        "{name: b, run: x, forEach: [1], when: '${{ index > 1 }}'}, "
        "{name: c, run: x, forEach: [1], when: '${{ true }}'}, "
        "{name: d, run: x, forEach: [1], env: {A: '${{ item }}'}}, "
        "{name: e, run: x, when: '${{ true }}'}, {name: f, run: x}]"
    )
    asking = {name for name, step in definitions(spec).items() if asks_each(spec, step)}
    assert asking == {"a", "b"}
