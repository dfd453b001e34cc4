"""kill -9 of the controller at every effect it has on the world, with real processes.

The diamond example runs under a shell that keeps a ledger of what really ran. Whatever instant the
controller died, the next one brings the diamond to its end, each attempt stands in the ledger once,
and each exit code in the log is the one in the ledger.
"""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
DIAMOND = HERE.parents[1] / "examples/diamond/diamond.yaml"
CHUNKS = 8  # so that several processes can share the work

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

    def up(self, fatal: int) -> subprocess.CompletedProcess[str]:
        """`treadle up --once` that dies at effect `fatal`, or lives if there are fewer."""
        words = ["up", "--once", "--max-parallel", "2", *self.where()]
        return subprocess.run(
            [sys.executable, HERE / "dies_at.py", str(fatal), self.root / "effects", *words],
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

    def attempts(self) -> dict[tuple[str, int], dict[str, Any]]:
        found = subprocess.run(
            [sys.executable, "-m", "controller.cli", "get", "-o", "json", *self.where()],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        (workflow,) = json.loads(found.stdout)["items"]
        assert workflow["status"]["phase"] == "Succeeded", found.stdout
        return {
            (step["name"], attempt["number"]): attempt
            for step in workflow["status"]["steps"]
            for attempt in step["attempts"]
        }

    def check(self) -> None:
        """What really ran is what the log says, once each."""
        begun = Counter((step, int(attempt)) for step, attempt in self.lines("begin"))
        assert set(begun.values()) == {1}, "an attempt was started twice"
        ended = {(step, int(number)): int(code) for step, number, code in self.lines("end")}
        logged = self.attempts()
        codes = {key: attempt["exitCode"] for key, attempt in logged.items()}
        assert codes == ended
        assert [codes["left", number] for number in (1, 2, 3)] == [75, 75, 0]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_every_effect_of_the_diamond(chunk: int, tmp_path: Path) -> None:
    calm = Bench(tmp_path / "calm")
    done = calm.up(fatal=-1)
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
        resumed = bench.up(fatal=-1)
        assert resumed.returncode == 0, f"after a kill at effect {fatal}: {resumed.stderr}"
        bench.check()
        fatal += CHUNKS
