"""`treadle wait`: block until something of a workflow has come true, for scripts."""

import argparse
import time

from controller.cli.options import common
from controller.cli.output import tell
from controller.client.past import recall
from controller.client.replica import FOLLOW_SECONDS, Replica, is_live
from controller.errors import ExitCode, NotFound, UsageError
from controller.model.state import Workflow
from controller.view.find import NeverValid, find
from controller.view.goal import parse_goal
from controller.view.status import faults_in_words
from controller.view.times import parse_length

NEW_NAME_SECONDS = 2.0  # a controller may be about to see a file that was just written


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "wait",
        parents=[common()],
        help="block until something has come true",
        description="Block until it has come true (exit code 0), can't any more because the "
        "workflow ended otherwise (1), or the time is up (124).",
    )
    parser.add_argument("name", metavar="NAME", help="a name, or (the start of) a uid")
    parser.add_argument(
        "--for",
        dest="goal",
        required=True,
        metavar="GOAL",
        help="phase=Succeeded, condition=Complete, or generation=3",
    )
    parser.add_argument(
        "--timeout", type=_length, metavar="TIME", help="60, 90s or 1m30s (default: no limit)"
    )
    parser.set_defaults(command=wait)


def _length(text: str) -> float:
    seconds = parse_length(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time; try 60 or 1m30s")
    return seconds


def wait(args: argparse.Namespace) -> int:
    """treadle wait NAME --for=GOAL: the exit code is the answer."""
    goal = parse_goal(args.goal)
    until = None if args.timeout is None else time.monotonic() + args.timeout
    replica = Replica(args.state)
    workflow = _appeared(replica, args.name, args.state, until)
    if isinstance(workflow, NeverValid):
        if not goal.holds_without_spec:
            raise UsageError(f"{args.name} has no valid spec: {faults_in_words(workflow.rejected)}")
        print(f"{args.name}: {args.goal}")
        return ExitCode.FINE
    while (verdict := goal.verdict(replica.state, workflow)) == "not yet":
        if until is not None and time.monotonic() >= until:
            tell(f"treadle: {workflow.name} is {workflow.phase}; {args.goal} was not seen in time")
            return ExitCode.TIMED_OUT
        _pause(until)
        replica.catch_up()
    if verdict == "never":
        tell(f"treadle: {workflow.name} ended as {workflow.phase} ({workflow.message})")
        return ExitCode.FAILED
    print(f"{workflow.name}: {args.goal}")
    return ExitCode.FINE


def _appeared(
    replica: Replica, name: str, state_dir: str, until: float | None
) -> Workflow | NeverValid:
    """The workflow, once the log has it; only a controller at work can still bring it."""
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
