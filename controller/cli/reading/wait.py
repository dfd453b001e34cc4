"""`treadle wait`: for scripts, block until a workflow has a phase, condition or generation."""

import argparse
import time

from controller.client.past import recall
from controller.client.replica import FOLLOW_SECONDS, Replica, is_live
from controller.errors import ExitCode, NotFound, UsageError
from controller.model.state import Workflow
from controller.printing import complain, note, say
from controller.view.find import NeverValid, find
from controller.view.live.goal import parse_goal
from controller.view.status import faults_in_words
from controller.view.words import verdict as verdict_of

NEW_NAME_SECONDS = 2.0  # a controller may be about to see a file that was just written


def wait(args: argparse.Namespace) -> int:
    """treadle wait NAME --for=GOAL: the exit code is the answer."""
    goal = parse_goal(args.goal)
    until = None if args.timeout is None else time.monotonic() + args.timeout
    replica = Replica(args.state)
    workflow = _appeared(replica, args.name, args.state, until)
    if isinstance(workflow, NeverValid):
        if not goal.holds_without_spec:
            raise UsageError(f"{args.name} has no valid spec: {faults_in_words(workflow.rejected)}")
        say(f"{args.name}: {args.goal}")
        return ExitCode.FINE
    if workflow.starter is not None and goal.is_of_an_end:
        from controller.intake.requests import of_instances

        raise UsageError(of_instances(workflow.name, "wait", ["--for", args.goal]))
    while (verdict := goal.verdict(replica.state, workflow)) == "not yet":
        if until is not None and time.monotonic() >= until:
            complain(f"{workflow.name} is {workflow.phase}; waited too long for {args.goal}")
            return ExitCode.TIMED_OUT
        _pause(until)
        replica.catch_up()
    if verdict == "never":
        name = workflow.name
        complain(f"{name} ended as {workflow.phase}: {verdict_of(workflow)}")
        note(f"next: treadle status {name}")
        return ExitCode.FAILED
    say(f"{workflow.name}: {args.goal}")
    return ExitCode.FINE


def _appeared(
    replica: Replica, name: str, state_dir: str, until: float | None
) -> Workflow | NeverValid:
    """The workflow, as soon as the log has it. Without a running controller, don't wait for it."""
    patience = time.monotonic() + NEW_NAME_SECONDS
    while True:
        try:
            return find(replica.catch_up(), name)
        except NotFound:
            late = time.monotonic() >= min(patience, until or patience)
            if late or not is_live(state_dir):
                recall(state_dir, replica.state, name)
                return find(replica.state, name)
            _pause(until)


def _pause(until: float | None) -> None:
    left = FOLLOW_SECONDS if until is None else until - time.monotonic()
    time.sleep(max(0.0, min(FOLLOW_SECONDS, left)))
