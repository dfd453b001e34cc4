"""kill -9 of controller and shim at every effect they have on the world, with real processes.

The diamond example runs under a shell that keeps a ledger of what really ran. Whatever instant the
controller died, the next one brings the diamond to its end, each attempt stands in the ledger once,
and each exit code in the log is the one in the ledger.

Effects are counted as Python calls, or as system calls by strace where it is to be had.
"""

import signal
from pathlib import Path

import pytest
from processes.diamond import (
    Bench,
    failed_at_call,
    killed_at_call,
    shim_killed_at_call,
    why_no_strace,
)

CHUNKS = 8  # so that several processes can share the work

LACKS_A_SECRET = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: w}
spec:
  steps:
    - {name: lacks, run: echo x >> ../ledger, env: {TOKEN: {fromFile: /no/such/token}}}
"""

TIMES_OUT = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: w}
spec:
  steps:
    - name: slow
      before: echo before >> ../ledger
      run: exec sleep 60
      after: echo after $TREADLE_EXIT_CODE >> ../ledger; sleep 0.2; echo end >> ../ledger
      timeoutSeconds: 1.5  # a runner on a busy machine needs some of it
      terminationGracePeriodSeconds: 20
"""

HOOKED = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: w}
spec:
  hooks:
    onStart: [{name: one, run: echo start >> ../ledger}]
    onFailure: [{name: page, run: "echo $TREADLE_FAILED_STEPS $TREADLE_MESSAGE >> ../ledger"}]
    onExit: [{name: tidy, run: echo $TREADLE_PHASE $TREADLE_STEP >> ../ledger; sleep 0.1}]
  steps:
    - {name: bad, run: echo why; sleep 0.2; exit 3}
"""


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_every_effect_of_the_diamond(chunk: int, tmp_path: Path) -> None:
    calm = Bench(tmp_path / "calm")
    done = calm.up()
    assert done.returncode == 0, done.stderr
    calm.check()
    # One more turn than the calm run had may come of timing: go on until a run gets through.
    fatal = chunk
    while True:
        bench = Bench(tmp_path / str(fatal))
        killed = bench.up(fatal)
        if killed.returncode == 0:
            assert fatal >= calm.effects() // 2, "the kills stopped too early"
            break
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        resumed = bench.up()
        assert resumed.returncode == 0, f"after a kill at effect {fatal}: {resumed.stderr}"
        bench.check()
        fatal += CHUNKS


def test_killed_at_every_effect_of_a_start_that_lacks_a_secret(tmp_path: Path) -> None:
    """It never runs, and fails. A kill before the report leaves one that was withdrawn."""
    refused = ("Failed", "SecretMissing")
    ends = []
    killed = True
    while killed:
        bench = Bench(tmp_path / str(len(ends)))
        (bench.specs / "diamond.yaml").write_text(LACKS_A_SECRET)
        killed = bench.up(fatal=len(ends)).returncode == -signal.SIGKILL
        assert bench.up().returncode == 1
        assert not bench.ledger.exists()
        attempts = bench.attempts("Failed")
        ends.append([(each["phase"], each["reason"]) for each in attempts.values()])
    assert len(ends) > 10
    withdrawn = [("Cancelled", "Withdrawn"), refused]
    assert [end for end in ends if end != withdrawn] == [[refused]] * (len(ends) - 2)


@pytest.mark.parametrize("first", [0, 3])
def test_killed_at_effects_of_a_timeout_with_an_after(first: int, tmp_path: Path) -> None:
    """Each part runs once, and `after` to its end, whichever controller carries out the timeout."""
    fatal, killed = first, True
    while killed:
        bench = Bench(tmp_path / str(fatal))
        (bench.specs / "diamond.yaml").write_text(TIMES_OUT)
        killed = bench.up(fatal).returncode == -signal.SIGKILL
        assert bench.up().returncode == 1
        assert bench.ledger.read_text() == "before\nafter 124\nend\n", f"killed at {fatal}"
        *withdrawn, attempt = bench.attempts("Failed").values()
        assert (attempt["phase"], attempt["reason"]) == ("Failed", "Timeout")
        assert [each["reason"] for each in withdrawn] in ([], ["Withdrawn"])
        fatal += 7  # every one would take minutes
    assert fatal > 20


@pytest.mark.parametrize("first", [0, 3])
def test_killed_at_effects_around_hooks(first: int, tmp_path: Path) -> None:
    """Each hook runs once, in its order, and knows what its run came to."""
    page = '["bad"] bad failed: exit code 3; it printed last: why'
    fatal, killed = first, True
    while killed:
        bench = Bench(tmp_path / str(fatal))
        (bench.specs / "diamond.yaml").write_text(HOOKED)
        killed = bench.up(fatal).returncode == -signal.SIGKILL
        assert bench.up().returncode == 1
        ran = bench.ledger.read_text().splitlines()
        assert ran == ["start", page, "Failed onExit/tidy"], f"killed at {fatal}"
        fatal += 6  # every one would take minutes
    assert fatal > 30


@pytest.mark.skipif(bool(why_no_strace()), reason=why_no_strace())
@pytest.mark.parametrize(
    ("call", "nth"), [("fdatasync", 4), ("sendto", 3), ("pwrite64", 3), ("rename", 1)]
)
def test_killed_at_a_system_call(call: str, nth: int, tmp_path: Path) -> None:
    assert killed_at_call(tmp_path, call, nth)


@pytest.mark.skipif(bool(why_no_strace()), reason=why_no_strace())
@pytest.mark.parametrize(
    ("call", "nth"), [("write", 5), ("sendto", 3), ("recvfrom", 4), ("clone3", 2), ("wait4", 6)]
)
def test_the_shim_killed_at_a_system_call(call: str, nth: int, tmp_path: Path) -> None:
    assert shim_killed_at_call(tmp_path, call, nth)


@pytest.mark.skipif(bool(why_no_strace()), reason=why_no_strace())
@pytest.mark.parametrize(
    ("call", "error", "nth", "ends"),
    [
        ("fdatasync", "EIO", 4, True),
        ("fdatasync", "ENOSPC", 9, True),
        ("pwrite64", "EIO", 1, True),
        pytest.param("pwrite64", "ENOSPC", 7, False, id="the ballast makes room"),
        pytest.param("rename", "ENOSPC", 1, False, id="no room for the ballast"),
        ("rename", "EIO", 2, True),
        ("fsync", "EIO", 2, True),
        ("pwrite64", "EROFS", 5, True),
    ],
)
def test_a_disk_that_refuses_once(
    call: str, error: str, nth: int, ends: bool, tmp_path: Path
) -> None:
    assert bool(failed_at_call(tmp_path, call, error, nth)) == ends
