"""The kinds of timers: what moves each, who looks when it is due, who waits for it.

A new kind is a row here. What it means when it is due is decided by who looks, from the state.
"""

from typing import NamedTuple

from controller.model.phases import Word


class TimerKind(Word):
    """What time alone makes due."""

    DEADLINE = "deadline"  # of a run
    BACKOFF = "backoff"  # of a step that is tried again
    TIMEOUT = "timeout"  # of an attempt
    EXPIRY = "expiry"  # of what may go to the archive


class Habits(NamedTuple):
    """How a kind of timer behaves."""

    sleeps: bool  # stands still while the machine sleeps
    clock_moves_it: bool  # stays as far away as it was when the wall clock was set meanwhile
    archives: bool  # retention looks at it; a plan at all others
    awaited: bool  # the controller has not settled before it is due


HABITS: dict[TimerKind, Habits] = {
    TimerKind.DEADLINE: Habits(sleeps=False, clock_moves_it=True, archives=False, awaited=False),
    TimerKind.BACKOFF: Habits(sleeps=True, clock_moves_it=True, archives=False, awaited=True),
    TimerKind.TIMEOUT: Habits(sleeps=True, clock_moves_it=True, archives=False, awaited=False),
    # An archive needs no more than the wall clock.
    TimerKind.EXPIRY: Habits(sleeps=False, clock_moves_it=False, archives=True, awaited=False),
}

SLEEPERS = frozenset(kind for kind, habits in HABITS.items() if habits.sleeps)
MOVED_BY_CLOCK = frozenset(kind for kind, habits in HABITS.items() if habits.clock_moves_it)
AWAITED = frozenset(kind for kind, habits in HABITS.items() if habits.awaited)
