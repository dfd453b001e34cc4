"""`treadle doctor`: whether what the specs need is there, and what was left behind."""

import argparse
from collections.abc import Iterable, Iterator

from msgspec import Struct

from controller.cli.output import look, show_line, show_lines
from controller.client.engines import EnginesInUse, engines_in_use
from controller.client.replica import Replica
from controller.errors import ExitCode
from controller.executor.finding import Finding, LeftBehind
from controller.log.status_file import read_status
from controller.model.phases import Phase
from controller.printing import note
from controller.spec.placement import LOCAL, InContainer, OnSlurm
from controller.view.look import Look
from controller.view.table import mark_cell

_TOLD = ("EngineUnreachable", "UnknownAttempts", "ExecutorTrouble")  # by the controller


class FindingShape(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    engine: str
    of: str
    fine: bool
    message: str


def doctor(args: argparse.Namespace) -> int:
    """treadle doctor: check the engines that specs and log name; 1 if something is wrong."""
    state = Replica(args.state).catch_up()
    found = list(_found(args.state, engines_in_use(state, args.specs)))
    if args.output:
        for finding in found:
            show_line(finding)
    elif found:
        show_lines(_lines(found, look(args)))
    else:
        note("no spec and no attempt names an engine: there is nothing to check")
    return ExitCode.FINE if all(finding.fine for finding in found) else ExitCode.FAILED


def _found(state_dir: str, used: EnginesInUse) -> Iterator[FindingShape]:
    from controller.executor.container import check as containers
    from controller.executor.slurm import check as slurm

    boxes = [where for where in used.placements if isinstance(where, InContainer)]
    jobs = [where for where in used.placements if isinstance(where, OnSlurm)]
    left = used.given_up
    if boxes or "container" in left:
        yield from _shaped("container", containers.check(boxes, left.get("container", [])))
    if jobs or "slurm" in left:
        yield from _shaped("slurm", slurm.check(jobs, left.get("slurm", [])))
    yield from _shaped(LOCAL, map(_process, left.get(LOCAL, [])))
    for condition in read_status(state_dir).conditions:
        if condition.type in _TOLD:
            of = f"condition {condition.type}"
            yield FindingShape(engine="", of=of, fine=False, message=condition.message)


def _shaped(engine: str, found: Iterable[Finding]) -> Iterator[FindingShape]:
    for finding in found:
        yield FindingShape(engine=engine, of=finding.of, fine=finding.fine, message=finding.message)


def _process(left: LeftBehind) -> Finding:
    """Of one that is given up: another process may have its pid by now, so only a person knows."""
    said = f"look whether pid {left.handle} is still it; treadle does not stop it any more"
    return Finding(f"given up: {left.whose}", False, said)


def _lines(found: Iterable[FindingShape], view: Look) -> Iterator[str]:
    for finding in found:
        mark = mark_cell(Phase.SUCCEEDED if finding.fine else Phase.FAILED)
        first, *more = view.wrapped(f"{mark.text} {finding.of}: {finding.message}", hang=4)
        yield view.paint(mark.text, mark.style) + first[len(mark.text) :]
        yield from more
