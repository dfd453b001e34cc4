"""What expressions see of the state."""

import pytest
from story import Story, a_step

from controller.model.phases import AttemptPhase


@pytest.mark.parametrize(
    ("code", "outputs", "starts"),
    [
        pytest.param(0, b"rows=3\n", True, id="it gave the output"),
        pytest.param(9, b"", False, id="it failed"),
    ],
)
def test_has_asks_whether_a_step_gave_an_output(code: int, outputs: bytes, starts: bool) -> None:
    story = Story().accept(
        [
            a_step("load", outputs={"rows": "integer"}, continueOnFailure=True),
            a_step("report", "load", when="${{ has(steps.load.outputs.rows) }}"),
        ]
    )
    story.exit("load", code, outputs=outputs)
    if starts:
        assert story.attempt("report").phase is AttemptPhase.SCHEDULED
    else:
        assert story.why("report") == ("Skipped", "WhenFalse")


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        pytest.param(
            {"env": {"A": "${{ 1 / (steps.a.outputs.n - 3) }}"}},
            "ExpressionFailed",
            "${{ 1 / (steps.a.outputs.n - 3) }} failed: division by zero",
            id="in a variable",
        ),
        pytest.param(
            {"command": ["x", f"${{{{ {'1 + ' * 20}1 / (steps.a.outputs.n - 3) }}}}"]},
            "ExpressionFailed",
            f"${{{{ {'1 + ' * 15}… }}}} failed: division by zero",
            id="a long one",
        ),
        pytest.param(
            {"timeoutSeconds": "${{ steps.a.outputs.n - 3 }}"},
            "ExpressionFailed",
            "timeoutSeconds: ${{ steps.a.outputs.n - 3 }} gives 0; "
            "it must be more than 0 and at most 1,000,000,000 seconds",
            id="no length of time",
        ),
        pytest.param(
            {"command": ["${{ steps.a.outputs.t }}"]},
            "ExpressionFailed",
            "the name of the program is empty",
            id="no program",
        ),
        pytest.param(
            {"env": {"A": "${{ steps.a.outputs.l.map(x, params.big).join(params.big) }}"}},
            "ValueTooLarge",
            "env.A would have 180,000 bytes, 102,400 is the most; "
            "pass it as a file: env: {A: {asFile: …}}",
            id="a variable that is too large",
        ),
        pytest.param(
            {"command": ["x", "${{ params.big + params.big }}"]},
            "ValueTooLarge",
            "an argument would have 120,000 bytes, 102,400 is the most; "
            "pass it as a file: env: {NAME: {asFile: …}}",
            id="an argument that is too large",
        ),
    ],
)
def test_why_a_step_could_not_be_given_its_values(
    fields: dict[str, object], reason: str, message: str
) -> None:
    a = a_step("a", outputs={"n": "integer", "t": "string", "l": "array"})
    story = Story().accept([a, a_step("b", "a", **fields)], params={"big": "x" * 60_000})
    story.exit("a", outputs=b"n=3\nt=\nl=[1, 2]")
    assert story.why("b") == ("Failed", reason)
    assert story.step("b").message == message
    assert story.step("b").attempts == []


# ---------------------------------------- hooks

PAGE = "onFailure/page-me"
HOOK = {
    "name": "page-me",
    "command": ["page", "${{ run.phase }}", "${{ steps.load.outputs.rows }}"],
    "env": {"WAS": "${{ run.lastPhase }}", "RUN": "${{ run.number }}/${{ workflow.name }}"},
    "workingDir": "${{ params.folder }}",
    "timeoutSeconds": "${{ size(steps.load.phase) }}",
    "when": '${{ run.lastPhase != run.phase && steps.report.phase == "Skipped" }}',
}


def with_hooks(**hooks: object) -> Story:
    steps = [
        a_step("load", outputs={"rows": "integer"}),
        a_step("check", "load"),
        a_step("report", "check"),
    ]
    return Story().accept(steps, params={"folder": "f"}, hooks=hooks)


def test_what_a_hook_at_the_end_sees() -> None:
    story = with_hooks(onFailure=[HOOK]).exit("load", outputs=b"rows=3\n").exit("check", 1)
    story.start(PAGE)
    assert story.attempt(PAGE).values == {
        "run.phase": "Failed",
        "steps.load.outputs.rows": 3,
        "params.folder": "f",
        "run.lastPhase": "",
        "run.number": 1,
        "workflow.name": "w",
    }
    assert story.attempt(PAGE).timeout == len("Succeeded")


def test_a_hook_sees_how_the_run_before_has_ended() -> None:
    story = with_hooks(onFailure=[HOOK]).exit("load", outputs=b"rows=3\n").exit("check", 1)
    story.exit(PAGE).ask("retry").exit("check", 1)
    assert story.why(PAGE) == ("Skipped", "WhenFalse")
    read = 'run.lastPhase is "Failed", run.phase is "Failed"'
    assert story.step(PAGE).message == f"`when` is false: {read}"


def test_what_a_hook_at_the_start_sees() -> None:
    hook = {"name": "note", "command": ["note", "${{ run.phase }}/${{ run.lastPhase }}"]}
    story = with_hooks(onStart=[hook]).start("load")
    assert story.attempt("onStart/note").values == {"run.phase": "Running", "run.lastPhase": ""}


def test_a_hook_that_reads_an_output_that_was_not_given_fails() -> None:
    hook = {"name": "page-me", "command": ["page", "${{ steps.load.outputs.rows }}"]}
    story = with_hooks(onFailure=[hook]).exit("load", 1)
    assert story.why(PAGE) == ("Failed", "ExpressionFailed")
    assert '"load" failed, so it has no output "rows"' in story.step(PAGE).message
    assert story.why() == ("Failed", "StepFailed")
