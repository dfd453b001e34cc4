"""`make torture`: long forms of what the suite does briefly. Prints figures; 1 if any is bad.

`--triggers N` lets the triggers go on for N seconds instead of 600; `--only-triggers` does nothing
else.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from expressions.trial import compared, damage
from faults.churn import churn
from processes.attempts import cost_at_once, leave_nothing, whole_cost_at_once
from processes.campaign import Campaign
from processes.diamond import (
    CALLS,
    FAILING,
    FAILURES,
    SHIM_CALLS,
    failed_at_call,
    killed_at_call,
    shim_killed_at_call,
    why_no_strace,
)
from processes.firings import Firings, stopped_for
from processes.yard import Yard
from properties.costs import a_chain, a_fan, a_life, too_dear
from simulation import chaos
from simulation.trial import figures

SIMULATED_SECONDS = 60.0
STOPPED_SECONDS = 90  # so much longer than what counts as late that some were missed
EXPRESSIONS = 100_000
DAMAGED = 300_000
CAME_THROUGH_MAX = 4  # failures in a row that were no harm; then there are no more such calls

CAMPAIGNS = (  # victims, steps, seconds of a step, kills, longest life
    ("controller", 500, 0.35, 210, 0.6),
    ("shim", 500, 0.2, 200, 0.2),
    ("both", 500, 0.2, 60, 0.9),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m processes.torture", description=__doc__)
    parser.add_argument("--triggers", type=float, default=600, metavar="N")
    parser.add_argument("--only-triggers", action="store_true")
    args = parser.parse_args()
    first = int(time.time())
    faults = firings(first, args.triggers)
    if args.only_triggers:
        return min(faults, 1)
    print(f"simulated from seed {first} on: {figures(count(first), SIMULATED_SECONDS)}", flush=True)
    in_chaos = chaos.figures(count(first), SIMULATED_SECONDS)
    print(f"simulated with faults from seed {first} on: {in_chaos}", flush=True)
    faults += campaigns()
    faults += expressions(first)
    faults += resources()
    with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
        most = churn(f"{folder}/state", lives=100_000, keep_finished=1_000, every=50_000)
        print(f"100,000 workflows came and went; at most there were: {most}", flush=True)
    faults += costs()
    if reason := why_no_strace():
        print(f"system calls: skipped, {reason}")
    else:
        system_calls()
        failing_disk()
    return min(faults, 1)


def firings(seed: int, seconds: float) -> int:
    """Returns how many kinds of faults there were."""
    with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
        figures = Firings(Path(folder), seed).run(seconds, longest=4)
        print(f"triggers from seed {seed} on, {seconds:g} s: {figures}", flush=True)
    for name, found in figures.faults().items():
        print(f"  {name}: {found}")
    with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
        outcomes, wrong = stopped_for(Path(folder), STOPPED_SECONDS)
        print(f"stopped for {STOPPED_SECONDS} s: {dict(outcomes)}, wrong: {wrong}", flush=True)
    return len(figures.faults()) + len(wrong)


def expressions(first: int) -> int:
    """Returns how many of them give something else than in Google's runtime."""
    found, differences = compared(first, EXPRESSIONS)
    print(f"expressions from seed {first} on: {dict(found)}", flush=True)
    for difference in differences:
        print(f"  {difference}")
    found, longest = damage(first, DAMAGED)
    print(f"damaged ones from seed {first} on: {dict(found)}, at most {longest:.3f} s", flush=True)
    return len(differences)


def resources() -> int:
    """Returns how much 10,000 attempts left behind; what 1,000 at once cost is for people."""
    left = in_a_yard(lambda yard: leave_nothing(yard, attempts=10_000))
    print(f"left by 10,000 attempts: {left}", flush=True)
    cost = in_a_yard(lambda yard: cost_at_once(yard, steps=1_000, seconds=5.0))
    print(f"1,000 at once: {in_words(cost)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
        cost = whole_cost_at_once(Path(folder), steps=1_000, seconds=5.0)
    print(f"1,000 at once under a whole controller: {in_words(cost)}", flush=True)
    return sum(left.values())


def costs() -> int:
    """Returns how many costs grow faster than the DAG, from 1,000 steps to 10,000."""
    dear = {life.__name__: too_dear(life, 1_000) for life in (a_life, a_chain, a_fan)}
    print(f"costs that grow faster than the steps: {dear}", flush=True)
    return sum(map(len, dear.values()))


def in_words(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {number:.3f}" for name, number in figures.items())


def in_a_yard(measure: Callable[[Yard], dict[str, Any]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
        yard = Yard(Path(folder))
        try:
            return measure(yard)
        finally:
            yard.clear()


def system_calls() -> None:
    """Kill the controller, or its shim, at each system call by which it has an effect."""
    kinds = (("controller", CALLS, killed_at_call), ("shim", SHIM_CALLS, shim_killed_at_call))
    for victim, calls, killed_at in kinds:
        for call in calls:
            with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
                nth = 1
                while killed_at(Path(folder), call, nth):
                    nth += 1
            print(f"{victim} killed at {call}: {nth - 1} points, none twice, none lost", flush=True)


def failing_disk() -> None:
    """Fail each of the controller's calls by which something gets onto the disk, once."""
    for call in FAILING:
        for error in FAILURES:
            ended = nth = came_through = 0
            with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
                while came_through < CAME_THROUGH_MAX:
                    nth += 1
                    said = failed_at_call(Path(folder), call, error, nth)
                    came_through = 0 if said else came_through + 1
                    ended += bool(said)
            print(f"{call} fails with {error}: {ended} points, none twice, none lost", flush=True)


def campaigns() -> int:
    faults = 0
    for victims, steps, seconds, kills, longest in CAMPAIGNS:
        with tempfile.TemporaryDirectory(prefix="treadle-torture-") as folder:
            began = time.monotonic()
            campaign = Campaign(Path(folder), steps, seconds, seed=int(began))
            figures = campaign.run(victims, kills, longest)
            print(f"{victims}: {figures} ({time.monotonic() - began:.0f} s)", flush=True)
            for name, found in figures.faults().items():
                faults += 1
                print(f"  {name}: {found}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
