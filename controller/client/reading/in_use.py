"""What running steps use now, for commands that show them."""

from collections.abc import Iterable

from controller.clock import SystemClock
from controller.executor.local.usage import of_running
from controller.model.state import Workflow
from controller.view.lists.listing import Entry
from controller.view.shape import InUse


def used_now(entries: Iterable[Entry], now: int) -> InUse:
    """What their running steps use, for those on this machine."""
    lives = [life for life in entries if isinstance(life, Workflow) and not life.finished]
    return of_running(lives, SystemClock().read().boot_id, now) if lives else {}
