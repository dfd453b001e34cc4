"""`treadle repair`: show what a damaged log still has and what a cut would lose, then cut it."""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from controller.cli.output import look
from controller.errors import ExitCode, LockHeld, NotFound, UsageError
from controller.model.events import AttemptFinished, AttemptScheduled, GenerationAccepted
from controller.printing import say
from controller.view.look import Look

if TYPE_CHECKING:
    from controller.log.repair import Finding

LISTED_MAX = 20


def repair(args: argparse.Namespace) -> int:
    """treadle repair [--yes]"""
    from controller.client.replica import is_live
    from controller.log.lock import StateLock
    from controller.log.repair import cut, examine
    from controller.log.state_folder import refuse_strangers

    if not os.path.isdir(args.state):
        raise NotFound(f"{os.path.abspath(args.state)}: no such state folder")
    refuse_strangers(args.state)
    if is_live(args.state):
        raise LockHeld(f"{args.state}: a controller is using it: stop it first")
    finding = examine(args.state)
    if finding.damage is None and not finding.missing:
        say(_whole(finding))
        return ExitCode.FINE
    for line in _missing(finding) if finding.damage is None else _damaged(finding, look(args)):
        say(line)
    if not args.yes and not _confirmed():
        does = "continues without them" if finding.damage is None else "cuts it"
        say(f"nothing was changed; `treadle repair --yes` {does}")
        return ExitCode.STORAGE
    with StateLock(args.state, "treadle repair") as lock:
        now = examine(args.state)
        if (now.place, now.behind) != (finding.place, finding.behind):
            raise UsageError("the log has changed meanwhile, so nothing was cut; run repair again")
        kept = cut(args.state, finding.place) if finding.damage is not None else ""
        lock.note_end(finding.place.seq)
    if not kept:
        say(f"the next controller continues after record {finding.place.seq}")
        return ExitCode.FINE
    say(f"cut after record {finding.place.seq}; what was cut is kept in {kept}")
    return ExitCode.FINE


def _confirmed() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input("Cut it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        say()
        return False


def _whole(finding: "Finding") -> str:
    torn = ""
    if finding.torn_bytes:
        torn = f"; {finding.torn_bytes} bytes of an unfinished turn, which `treadle up` cuts off"
    return f"the log is whole: {finding.state.seq} records{torn}"


def _missing(finding: "Finding") -> Iterator[str]:
    seq, missing = finding.state.seq, finding.missing
    yield f"the log ends with record {seq}; {missing} records after it were deleted or cut"
    yield "put them back from a copy; without them, what they record is done again"


def _damaged(finding: "Finding", view: Look) -> Iterator[str]:
    damage, state = finding.damage, finding.state
    assert damage is not None
    yield f"{damage.file}: damaged at byte {damage.offset}, record {damage.seq}"
    yield f"good before it: records up to {state.seq}, of {view.moment(state.time)}"
    if not finding.behind:
        yield "after it: nothing that can be read"
        return
    last = view.moment(max(record.time for record in finding.behind))
    yield f"after it: {len(finding.behind)} good records up to {last}, which would be lost:"
    lost = list(dict.fromkeys(_lost(finding)))
    yield from (f"  {line}" for line in lost[:LISTED_MAX])
    if len(lost) > LISTED_MAX:
        yield f"  and {len(lost) - LISTED_MAX} more"


def _lost(finding: "Finding") -> Iterator[str]:
    """What would be lost, and what would be done again."""
    names = {uid: life.name for uid, life in finding.state.lives.items()}
    for record in finding.behind:
        match record.event:
            case GenerationAccepted(uid=uid, workflow=name, generation=generation):
                names[uid] = name
                yield f"{name}: generation {generation}"
            case AttemptScheduled(uid=uid, step=step, attempt=number):
                yield f"{names.get(uid, uid)}/{step}: attempt {number}, whose step may run again"
            case AttemptFinished(uid=uid, step=step, attempt=number, phase=phase):
                yield f"{names.get(uid, uid)}/{step}: attempt {number} {phase}"
