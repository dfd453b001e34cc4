"""The runs of a name: how long one usually takes, and when the present one should end.

Cost: O(the runs that are remembered of a name), and O(steps) of the present run.
"""

from collections.abc import Iterable

from controller.model.phases import Phase
from controller.model.state import RunShort, State, Workflow

USUAL_MIN = 3  # with fewer runs nothing is called usual


def usual(state: State, name: str) -> int | None:
    """The median duration of the full runs that are remembered of `name`, in microseconds."""
    return median(map(duration, full(state.runs.get(name, ()))))


def expected_end(state: State, workflow: Workflow, now: int) -> int | None:
    """When the present run should end, in microseconds since 1970, judged by earlier ones.

    None if there is nothing to judge by: too few of them, a run that keeps earlier results, one
    that is suspended or being ended, and one that already takes longer than usual.
    """
    if not workflow.in_run or workflow.started is None:
        return None
    if workflow.suspended is not None or workflow.cancel is not None or workflow.deleting:
        return None
    length = usual(state, workflow.name)
    if length is None or _keeps_results(workflow):
        return None
    end = workflow.started + workflow.stood + length
    return end if end > now else None


def full(runs: Iterable[RunShort]) -> list[RunShort]:
    """Those that succeeded and kept no result of an earlier run: only they are comparable."""
    return [run for run in runs if run.phase is Phase.SUCCEEDED and run.ended and not run.kept]


def duration(run: RunShort) -> int:
    """Microseconds that a run took which is over, without those in which it was suspended."""
    assert run.completed is not None, run
    return run.completed - run.started - run.stood


def median(lengths: Iterable[int]) -> int | None:
    """None with fewer than USUAL_MIN."""
    # `statistics` takes 6 ms to load, which is too much for a command of 90 ms.
    ordered = sorted(lengths)
    if len(ordered) < USUAL_MIN:
        return None
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


def _keeps_results(workflow: Workflow) -> bool:
    return any(
        step.phase is Phase.SUCCEEDED and not step.succeeded_in(workflow.run)
        for step in workflow.steps.values()
    )
