"""What one look at the process table proves, with real processes."""

import signal
import subprocess
from collections.abc import Iterator

import pytest
from processes.yard import RLIMIT_LOCKS, Yard

from controller.executor.local import by_mark, marks


def test_a_member_that_ends_during_the_pass_proves_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have forked just before, when the pid of its child had been looked at already."""
    limit = f"import resource as r; r.setrlimit({RLIMIT_LOCKS}, ({yard.mark('step')}, -1)); "
    member = subprocess.Popen(
        ["python3", "-c", f"{limit}print(flush=True); import time; time.sleep(300)"],
        stdout=subprocess.PIPE,
    )
    assert member.stdout is not None
    member.stdout.read(1)

    def newborns(_seen: int) -> Iterator[int | None]:
        member.send_signal(signal.SIGKILL)
        member.wait()
        yield None

    tree = marks.Tree(id=yard.id("step"), mark=yard.mark("step"))
    monkeypatch.setattr(by_mark, "newborns", newborns)
    sight = marks.look([tree], ())
    assert [process.pid for process in sight.members[tree.id]] == [member.pid]
    assert not marks.look([tree], ()).members[tree.id]
