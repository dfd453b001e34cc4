"""What running steps use now, by psutil: CPU time and memory of the whole tree.

For readers, which are not parents of the steps and don't ask the parent. Each step costs one look
at the process table, some 20 µs a process in it; psutil is imported only if a step runs.
"""

from collections.abc import Iterable
from contextlib import suppress

from controller.model.events import Usage
from controller.model.state import SECOND, Attempt, Workflow


def of_running(lives: Iterable[Workflow], boot_id: str, now: int) -> dict[tuple[str, str], Usage]:
    """By uid and step; without steps that are gone or run on another machine."""
    running = (
        (life.uid, step.name, step.attempt)
        for life in lives
        for step in life.with_hooks
        if step.attempt is not None and step.attempt.live
    )
    return {
        (uid, step): used
        for uid, step, attempt in running
        if attempt.boot_id == boot_id and (used := usage(attempt, now)) is not None
    }


def usage(attempt: Attempt, now: int) -> Usage | None:
    """Of an attempt of this boot; None if its first process is gone."""
    pid, start, started = attempt.pid, attempt.start_ticks, attempt.started
    if pid is None or start is None or started is None:
        return None
    import psutil

    from controller.executor.local.marks import named

    cpu_seconds, memory = 0.0, 0
    try:
        first = named(pid, start)
        if first is None:
            return None
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                cpu_seconds += sum(process.cpu_times()[:4])  # its own, and of children that ended
                memory += process.memory_info().rss
    except (psutil.Error, OSError):
        return None
    wall_seconds = (now - started) / SECOND
    return Usage(wall_seconds=wall_seconds, cpu_seconds=cpu_seconds, max_rss_bytes=memory or None)
