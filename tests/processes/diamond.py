"""The diamond example under a shell that keeps a ledger of what really ran."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import loaded
from processes.dies_at import DIES_AT
from processes.yard import kill, shims_of

DIAMOND = Path(__file__).parents[2] / "examples/diamond/diamond.yaml"

UP = ("up", "--once", "--max-parallel", "2")
LEDGER = """\
echo "begin $TREADLE_STEP $TREADLE_ATTEMPT" >> {ledger}
/bin/sh -euc "$1"
code=$?
echo "end $TREADLE_STEP $TREADLE_ATTEMPT $code" >> {ledger}
exit $code
"""


class Bench:
    """One diamond in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.specs, self.state, self.ledger = root / "specs", root / "state", root / "ledger"
        self.specs.mkdir(parents=True)
        shell = root / "ledger.sh"
        shell.write_text(LEDGER.format(ledger=self.ledger))
        spec = DIAMOND.read_text().replace("initialSeconds: 0.2", "initialSeconds: 0.02")
        spec = spec.replace("\nspec:\n", f'\nspec:\n  shell: [/bin/sh, "{shell}"]\n')
        (self.specs / "diamond.yaml").write_text(spec)

    def up(self, fatal: int = -1) -> subprocess.CompletedProcess[str]:
        """`treadle up --once` that dies at effect `fatal`, or lives if there are fewer."""
        how = [str(fatal), str(self.root / "effects")]
        return loaded.run([*how, *UP, *self.where()], self.root, DIES_AT)

    def run(self, *how: str, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """`treadle up --once` by these arguments of Python, `under` another program."""
        return subprocess.run(
            [*under, sys.executable, *how, *UP, *self.where()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def where(self) -> list[str]:
        return ["--specs", str(self.specs), "--state", str(self.state)]

    def effects(self) -> int:
        return int((self.root / "effects").read_text())

    def lines(self, word: str) -> list[list[str]]:
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return [line[1:] for line in lines if line[0] == word]

    def attempts(self, phase: str = "Succeeded") -> dict[tuple[str, int], dict[str, Any]]:
        found = loaded.run(["get", "-o", "json", *self.where()], self.root)
        (workflow,) = json.loads(found.stdout)["items"]
        assert workflow["status"]["phase"] == phase, found.stdout
        return {
            (step["name"], attempt["number"]): attempt
            for step in workflow["status"]["steps"]
            for attempt in step["attempts"]
        }

    def check(self) -> None:
        """What really ran is what the log says, once each."""
        codes = self.codes()
        assert codes == self.ended()
        assert [codes["left", number] for number in (1, 2, 3)] == [75, 75, 0]

    def check_without_shim(self) -> None:
        """As `check`, but for exits that nobody could see."""
        codes, ended = self.codes(), self.ended()
        assert codes.keys() >= ended.keys()
        for key, code in codes.items():
            assert code is None or code == ended[key], f"{key}: {code} is a guess"

    def codes(self) -> dict[tuple[str, int], int | None]:
        begun = Counter((step, int(attempt)) for step, attempt in self.lines("begin"))
        assert set(begun.values()) == {1}, "an attempt was started twice"
        return {key: attempt["exitCode"] for key, attempt in self.attempts().items()}

    def ended(self) -> dict[tuple[str, int], int]:
        return {(step, int(number)): int(code) for step, number, code in self.lines("end")}


# By which the loop has effects, and by which the shim has.
CALLS = ("fdatasync", "sendto", "pwrite64", "rename")
SHIM_CALLS = ("write", "sendto", "recvfrom", "clone3", "wait4", "rename")

# An interpreter that, the first time, runs under strace; the controller takes it for its own.
TRACED = """\
#!/bin/sh
[ ! -e {trace} ] || exec {python} "$@"
exec strace -q -o {trace} -e trace={call} -e inject={call}:signal=KILL:when={nth} {python} "$@"
"""
WITH_A_TRACED_SHIM = """
import sys
from controller.cli.main import main
sys.executable = {interpreter!r}
sys.exit(main())
"""


@cache
def why_no_strace() -> str:
    """Empty if system calls can be counted here."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True, check=False
    )
    return "" if tried.returncode == 0 else f"no tracing here: {tried.stderr.strip()}"


def killed_at_call(folder: Path, call: str, nth: int) -> bool:
    """Kill the controller when it enters its n-th `call`; False: it did not make so many."""
    bench = Bench(folder / f"{call}.{nth}")
    inject = f"inject={call}:signal=KILL:when={nth}"
    strace = ("strace", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", inject)
    first = bench.run("-m", "controller.cli", under=strace)
    if first.returncode == 0:
        bench.check()
        return False
    assert first.returncode == -signal.SIGKILL, first.stderr
    second = bench.up()
    assert second.returncode == 0, f"after a kill at {call} {nth}: {second.stderr}"
    bench.check()
    return True


FAILING = ("fdatasync", "fsync", "pwrite64", "rename", "unlink")  # calls that a disk can refuse
FAILURES = ("EIO", "ENOSPC", "EROFS")
STORAGE = 4


def failed_at_call(folder: Path, call: str, error: str, nth: int) -> str:
    """Have the controller's n-th `call` fail once, then let another one go on.

    Tells what the first said if that was the end of it; empty if it came through.
    """
    bench = Bench(folder / f"{call}.{error}.{nth}")
    inject = f"inject={call}:error={error}:when={nth}"
    strace = ("strace", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", inject)
    first = bench.run("-m", "controller.cli", under=strace)
    about = f"{call} {nth} fails with {error}: {first.returncode}: {first.stderr}"
    if first.returncode != 0:
        assert first.returncode == STORAGE, about
        assert first.stderr.count("\n") == 1, about
        assert "make room or repair the disk, then start again" in first.stderr, about
        second = bench.up()
        assert second.returncode == 0, f"after {about}{second.stderr}"
    bench.check()
    return first.stderr


def shim_killed_at_call(folder: Path, call: str, nth: int) -> bool:
    """Kill the first shim when it enters its n-th `call`; False: it did not make so many."""
    bench = Bench(folder / f"shim.{call}.{nth}")
    trace, interpreter = bench.root / "trace", bench.root / "python"
    interpreter.write_text(TRACED.format(trace=trace, python=sys.executable, call=call, nth=nth))
    interpreter.chmod(0o755)
    done = bench.run("-c", WITH_A_TRACED_SHIM.format(interpreter=str(interpreter)))
    kill(shims_of(bench.state), signal.SIGTERM)
    assert done.returncode == 0, f"after a kill of the shim at {call} {nth}: {done.stderr}"
    bench.check_without_shim()
    return "killed by SIGKILL" in trace.read_text()
