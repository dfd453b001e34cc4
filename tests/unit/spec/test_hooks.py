"""Each kind of mistake in hooks, and what its author is told.

§ marks where the fault has to be placed.
"""
# ruff: noqa: E501  (a line a case)

import pytest

from controller.spec.definition import all_expressions
from controller.spec.hooks import DueHook, by_kind, hook_definition
from controller.spec.models import Hook
from controller.spec.reading.load import Loaded, load

HEAD = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: etl}
spec:
  params: {region: eu, seconds: 5}
  steps:
    - {name: load-it, run: x, outputs: {rows: integer}}
    - {name: check, run: x, dependsOn: [load-it]}
"""
IN_A_SCRIPT = "an expression can't be used in a script: its value would become part of the program"


def loaded(hooks: str) -> Loaded:
    return load(f"{HEAD}  hooks: {hooks}\n".encode(), "etl.yaml")


def at_mark(hooks: str) -> tuple[list[str], str]:
    """The faults of a spec with these hooks, and the place of the mark in it."""
    found = [
        str(fault).removeprefix("etl.yaml:") for fault in loaded(hooks.replace("§", "")).faults
    ]
    before = f"{HEAD}  hooks: {hooks}".partition("§")[0]
    return found, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        # what it does
        ("§{name: a}", "[0]: a hook needs run or command; give it a script (run: …) or a program (command: [program, argument])"),
        ("{name: a, run: x, §command: [x]}", "[0].command: a hook has run or command, not both; remove one of them"),
        ("{name: a, run: §''}", "[0].run: the script is empty"),
        ("{name: a, command: §[]}", "[0].command: the list is empty"),
        ("{name: a, command: [§'']}", "[0].command[0]: the program's name is empty"),
        ("{name: a, command: [x], §shell: bash}", "[0].shell: shell can't be used with command; remove shell, or write a script with run"),
        # its name
        ("§{run: x}", "[0]: name is missing"),
        ("{name: §a/b, run: x}", '[0].name: "a/b" is not a valid name; use letters, digits, _ and -, at most 63; it must start with a letter or digit'),
        ("{name: a, run: x}, {name: §a, run: y}", '[1].name: a second onExit hook named "a"; the first is at line 9'),
        # as in steps
        ("{name: a, run: x, shell: §zsh}", "[0].shell: how zsh takes a script is not known; write all of its arguments, like zsh -c; known are sh, bash, python3"),
        ("{name: a, run: x, workingDir: §''}", '[0].workingDir: the path is empty; the folder of this file is "."'),
        ("{name: a, run: x, env: {A: §{}}}", "[0].env.A: has none of fromEnv, fromFile and asFile; write exactly one of them"),
        ("{name: a, run: x, envFrom: [{file: §''}]}", "[0].envFrom[0].file: not the name of a file"),
        ("{name: a, run: x, timeoutSeconds: §5m}", '[0].timeoutSeconds: expected a number, found "5m"; write 300'),
        ("{name: a, run: x, timeoutSeconds: §0}", "[0].timeoutSeconds: must be more than 0, not 0"),
        ("{name: a, run: x, retry: {exitCodes: [1], §exceptExitCodes: [2]}}", "[0].retry.exceptExitCodes: exitCodes and exceptExitCodes exclude each other"),
        ("{name: a, run: x, retry: {exitCodes: [§300]}}", "[0].retry.exitCodes[0]: must be at most 255, not 300"),
        ("{name: a, run: x, retry: {backoff: {initialSeconds: 9, maxSeconds: §8}}}", "[0].retry.backoff.maxSeconds: initialSeconds (9) is more than maxSeconds (8); set both to fit"),
        # expressions
        ("{name: a, run: 'echo §${{ run.phase }}'}", f'[0].run: {IN_A_SCRIPT}; write env: {{PHASE: "${{{{ run.phase }}}}"}}, and "$PHASE" here'),
        ("{name: a, run: x, shell: 'bash §${{ run.phase }}'}", "[0].shell: an expression can't be used here; write the value itself"),
        ("{name: a, run: x, when: §run.phase}", "[0].when: expected one expression that gives true or false; write ${{ run.phase }}"),
        ("{name: a, run: x, when: '${{ §run.phase }}'}", "[0].when: expected an expression that gives true or false; this one gives a string"),
        ("{name: a, run: x, env: {A: '${{ §run }}'}}", "[0].env.A: run is no value by itself; name a field: run.number, run.phase, run.lastPhase"),
        ("{name: a, run: x, env: {A: '${{ run.§reason }}'}}", "[0].env.A: run has no field reason; run has number, phase, lastPhase"),
        ("{name: a, run: x, env: {A: '${{ params.§regio }}'}}", '[0].env.A: params has no field regio; did you mean "region"?'),
        ("{name: a, run: x, env: {A: '${{ steps.§chek.phase }}'}}", '[0].env.A: steps has no field chek; did you mean "check"?'),
        ("{name: a, run: x, env: {A: '${{ workflow.§status }}'}}", "[0].env.A: workflow has no status; a hook reads run.phase"),
        ("{name: a, run: x, env: {A: '${{ §job.status }}'}}", "[0].env.A: unknown name: job; write run.phase"),
        ("{name: a, run: x, when: '${{ §failure() }}'}", '[0].when: unknown function: failure; write run.phase == "Failed"'),
        ("{name: a, run: x, env: {A: '${{ §item }}'}}", "[0].env.A: item can be read only in a step with forEach"),
        ("{name: a, run: x, workingDir: '${{ §params }}'}", "[0].workingDir: params is no value by itself; name a field: params.region, params.seconds"),
        ("{name: a, run: x, timeoutSeconds: '${{ §params.region }}'}", "[0].timeoutSeconds: expected an expression that gives a number of seconds; this one gives a string"),
        ("{name: a, command: ['${{ §null }}']}", "[0].command[0]: it gives null, which has no text"),
        ("{name: a, command: [x, §\"\\0\"]}", r"[0].command[1]: holds a NUL byte, which no process can be given; in double quotes YAML reads \0 as NUL; use single quotes or a block |"),
        # one that is faulty hides no other
        ("{name: a, run: §5}, {name: b, run: x, env: {A: '${{ steps.check.phase }}'}}", '[0].run: expected text, found the number 5; put it in quotes: "5"'),
    ],
)  # fmt: skip
def test_a_hook(written: str, fault: str) -> None:
    found, place = at_mark(f"{{onExit: [{written}]}}")
    assert found == [f"{place}: spec.hooks.onExit{fault}"]


def test_faults_of_several_hooks_come_at_once() -> None:
    found, _ = at_mark("{onExit: [{name: a, run: 5}, {name: b, run: x, env: {A: '${{ x }}'}}]}")
    assert [fault.split(": ")[1] for fault in found] == [
        "spec.hooks.onExit[0].run",
        "spec.hooks.onExit[1].env.A",
    ]


def test_on_start_reads_no_steps() -> None:
    written = "[{name: a, run: x, when: '${{ §steps.check.phase == run.phase }}'}]"
    found, place = at_mark(f"{{onStart: {written}}}")
    why = "when onStart runs, no step has finished; read steps in another kind of hook"
    assert found == [f"{place}: spec.hooks.onStart[0].when: {why}"]
    assert not loaded(f"{{onExit: {written.replace('§', '')}}}").faults


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("run.phase", "run.phase can be read only in hooks; in a step, read steps.NAME.phase"),
        ("run.lastPhase", "run.lastPhase can be read only in hooks"),
        ("run", "run is no value by itself; name a field: run.number"),
    ],
)
def test_only_hooks_read_the_phase_of_the_run(code: str, said: str) -> None:
    for fields in (f'env: {{A: "${{{{ {code} }}}}"}}', f'forEach: "${{{{ [{code}] }}}}"'):
        text = HEAD.replace("check, run: x", f"check, run: x, {fields}")
        (fault,) = load(text.encode(), "etl.yaml").faults
        assert fault.advice == said


@pytest.mark.parametrize("kind", ["onStart", "onSuccess", "onFailure", "onCancel", "onExit"])
def test_no_step_is_named_as_hooks_begin(kind: str) -> None:
    for head, more in (
        (HEAD, f", or write it as a hook: hooks: {{{kind}: [{{name: NAME, run: …}}]}}"),
        (HEAD.replace("Workflow", "Template"), ""),
    ):
        (fault,) = load(head.replace("check", kind).encode(), "etl.yaml").faults
        assert str(fault).startswith("etl.yaml:8:14: spec.steps[1].name: ")
        said = f"a step can't be named {kind}: names of hooks begin with it; rename the step{more}"
        assert fault.advice == said


def test_hooks_of_two_kinds_may_have_one_name() -> None:
    assert not loaded("{onExit: [{name: a, run: x}], onStart: [{name: a, run: x}]}").faults


def test_what_is_warned_of_in_steps_is_warned_of_in_hooks() -> None:
    warnings = loaded(
        "{onExit: [{name: a, run: \"#!/usr/bin/python3\\nx\"}, {name: b, run: 'echo {{workflow.x}}'}]}"
    ).warnings
    assert [warning.problem for warning in warnings] == [
        "its #! line is a comment to /bin/sh, which runs this script",
        "{{workflow. … is plain text here",
    ]


FULL = """{onStart: [], onFailure: [{
    name: page-me, run: ./page.sh, shell: bash, workingDir: "${{ params.region }}",
    env: {ROWS: "${{ steps.load_it.outputs.rows }}", WAS: "${{ run.lastPhase }}"},
    envFrom: [{file: page.env, optional: true}], when: '${{ run.phase == "Failed" }}',
    timeoutSeconds: "${{ params.seconds }}", terminationGracePeriodSeconds: 1, retry: {limit: 2}}]}"""


def test_all_fields_of_a_hook() -> None:
    (document,) = loaded(FULL).documents
    spec = document.workflow.spec
    hooks = by_kind(spec.hooks)
    assert [*hooks] == ["onStart", "onFailure"]
    assert all_expressions(hook_definition(spec, hooks["onFailure"][0])) == [
        "params.region",
        "steps.load_it.outputs.rows",
        "run.lastPhase",
        'run.phase == "Failed"',
        "params.seconds",
    ]


def test_defaults_do_not_hold_for_hooks() -> None:
    text = f"{HEAD}  defaults: {{timeoutSeconds: 7, retry: {{limit: 3}}}}\n"
    (document,) = load(text.encode(), "etl.yaml").documents
    due = DueHook("onExit", Hook(name="tidy", run="x"))
    found = hook_definition(document.workflow.spec, due)
    assert (found.timeout_seconds, found.retry.limit, found.grace_seconds) == (300, 0, 3)
