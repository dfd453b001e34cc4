"""The kinds of timers: what moves each, which code looks when it is due, who waits for it.

A new kind is a row here. The code that looks at a due timer decides from the state what to do.
"""

from typing import NamedTuple

from controller.model.phases import Word


class TimerKind(Word):
    """What time alone makes due."""

    DEADLINE = "deadline"  # of a run
    BACKOFF = "backoff"  # of a step that is tried again
    TIMEOUT = "timeout"  # of an attempt
    APPROVAL = "approval"  # of a step that asks a person
    EXPIRY = "expiry"  # of what may go to the archive
    DUE = "due"  # of a trigger, by its name in place of a step


class Habits(NamedTuple):
    """How a kind of timer behaves."""

    sleeps: bool  # stands still while the machine sleeps
    clock_moves_it: bool  # keeps the time it had left when the wall clock was set
    archives: bool  # retention looks at it when it is due; the planner looks at all others
    awaited: bool  # the controller has not settled before it is due


HABITS: dict[TimerKind, Habits] = {
    TimerKind.DEADLINE: Habits(sleeps=False, clock_moves_it=True, archives=False, awaited=False),
    TimerKind.BACKOFF: Habits(sleeps=True, clock_moves_it=True, archives=False, awaited=True),
    TimerKind.TIMEOUT: Habits(sleeps=True, clock_moves_it=True, archives=False, awaited=False),
    TimerKind.APPROVAL: Habits(sleeps=False, clock_moves_it=True, archives=False, awaited=False),
    # For the archive the wall clock is good enough.
    TimerKind.EXPIRY: Habits(sleeps=False, clock_moves_it=False, archives=True, awaited=False),
    # It follows the wall clock, and is set anew when that is.
    TimerKind.DUE: Habits(sleeps=False, clock_moves_it=False, archives=False, awaited=False),
}

SLEEPERS = frozenset(kind for kind, habits in HABITS.items() if habits.sleeps)
MOVED_BY_CLOCK = frozenset(kind for kind, habits in HABITS.items() if habits.clock_moves_it)
AWAITED = frozenset(kind for kind, habits in HABITS.items() if habits.awaited)
