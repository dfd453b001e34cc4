"""kill -9 of the controller at its effects around firings: each is decided and carried out once.

Files that lie there, in a queue; runs that follow others; an instance by hand, a backfill and
deliveries, asked for while no controller was there. Whatever instant it died, the next one brings
all to its end.
"""

import json
import shutil
import signal
from collections import Counter
from pathlib import Path

import loaded
import pytest
from processes.dies_at import DIES_AT
from processes.yard import kill, shims_of

from controller.client.acting.deliver import deliver
from controller.client.replica import Replica
from controller.log.reader import read
from controller.model import events as e
from controller.model.observations import Request
from controller.requests import drop

NEW_YEAR = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400
SPECS = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: drop}
spec:
  params: {files: {type: array, default: []}}
  triggers: [{files: {path: ../inbox/*.csv}, params: {files: "${{ trigger.files }}"}}]
  steps: [{name: a, run: 'echo "$TREADLE_INSTANCE" >> ../ledger'}]
---
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: hand}
spec:
  params: {who: nobody}
  triggers: [{name: night, schedule: "0 0 * * *"}]
  steps: [{name: a, run: 'echo "$TREADLE_INSTANCE" >> ../ledger'}]
---
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: hook}
spec:
  params: {who: nobody}
  triggers:
    - name: push
      webhook: {secret: {fromFile: ../secret}}
      params: {who: "${{ trigger.body.who }}"}
  env: {WHO: "${{ params.who }}"}
  steps: [{name: a, run: 'echo "$TREADLE_INSTANCE:$WHO" >> ../ledger'}]
---
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: chain}
spec:
  triggers: [{after: {workflow: hand}}]
  steps: [{name: a, run: 'echo "$TREADLE_INSTANCE" >> ../ledger'}]
"""


class Bench:
    """A folder with definitions of which nothing is due yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.specs, self.state, self.inbox = root / "specs", root / "state", root / "inbox"
        self.ledger = root / "ledger"
        self.specs.mkdir(parents=True)
        self.inbox.mkdir()
        (self.specs / "all.yaml").write_text(SPECS)
        (root / "secret").write_text("hush")
        self.settle()

    def up(self, fatal: int) -> int:
        """`treadle up --once` that dies at effect `fatal`, or lives if there are fewer."""
        words = [str(fatal), str(self.root / "effects"), "up", "--once", "--max-parallel", "2"]
        where = ["--specs", str(self.specs), "--state", str(self.state)]
        done = loaded.run([*words, *where], self.root, DIES_AT)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode

    def settle(self) -> None:
        assert self.up(fatal=-1) == 0

    def clear(self) -> None:
        kill(shims_of(self.state))

    def ask(self, kind: str, **more: object) -> None:
        drop(str(self.state), Request(kind=kind, workflow="hand", by="me", **more))  # type: ignore[arg-type]

    def deliver(self, **more: str) -> None:
        """As a server does, whose reader of the log knows all that there is."""
        state = Replica(str(self.state)).catch_up()
        headers = {"x-gitlab-token": "hush", "content-type": "application/json"}
        headers |= {"idempotency-key": more["key"]} if "key" in more else {}
        body = json.dumps({"who": more["who"]}).encode()
        deliver(str(self.state), state, "hook", "push", headers, body)

    def ran(self) -> Counter[str]:
        return Counter(self.ledger.read_text().split() if self.ledger.exists() else [])

    def events(self, kind: type[e.Event]) -> list[e.Event]:
        return [one.event for one in read(str(self.state)) if isinstance(one.event, kind)]

    def decided(self) -> Counter[str]:
        """How often each firing was decided, by what came of it."""
        found = self.events(e.FiringDecided)
        return Counter(f"{one.outcome} {one.instance or one.key}" for one in found)


@pytest.mark.parametrize("first", [0, 7])
def test_killed_at_effects_of_firings(first: int, tmp_path: Path) -> None:
    fatal, killed = first, True
    while killed:
        bench = Bench(tmp_path / str(fatal))
        for name in ("1.csv", "2.csv", "3.csv"):
            (bench.inbox / name).write_text(name)
        bench.ask("start", key="k", params={"who": "ada"})
        for who in ("bob", "eve"):
            bench.deliver(key="d", who=who)
        bench.ask("backfill", trigger="night", dues=[NEW_YEAR, NEW_YEAR + DAY])
        killed = bench.up(fatal) != 0
        bench.settle()
        wanted = {f"{one}@{key}": 1 for one in ("hand", "chain")
                  for key in ("k", "20260101T000000Z", "20260102T000000Z")}  # fmt: skip
        files = {one.instance: 1 for one in bench.events(e.FiringDecided) if one.file is not None}
        assert len(files) == 3, f"killed at {fatal}"
        wanted["hook@d:bob"] = 1
        assert bench.ran() == wanted | files, f"killed at {fatal}"
        assert set(bench.decided().values()) == {1}, f"killed at {fatal}"
        applied = [one.kind for one in bench.events(e.RequestApplied)]
        assert applied == ["start", "deliver", "deliver", "backfill"], f"killed at {fatal}"
        turns = Counter(one.uid for one in bench.events(e.TurnCame))
        assert set(turns.values()) <= {1}, f"killed at {fatal}"
        bench.clear()
        shutil.rmtree(bench.root)
        fatal += 28  # every one would take minutes
    assert fatal > 30, "the kills stopped too early"


def test_killed_when_consumed_files_are_gone_or_back(tmp_path: Path) -> None:
    fatal, killed = 0, True
    while killed:
        bench = Bench(tmp_path / str(fatal))
        first, second = bench.inbox / "1.csv", bench.inbox / "2.csv"
        first.write_text("1")
        second.write_text("2")
        bench.settle()
        aside = first.rename(bench.root / "1.csv")
        killed = bench.up(fatal) != 0
        bench.settle()
        aside.rename(first)
        killed |= bench.up(fatal) != 0
        bench.settle()
        seen = bench.events(e.InputsSeen)
        moved = [(one.gone, one.back) for one in seen if one.gone or one.back]
        assert moved == [([str(first)], []), ([], [str(first)])], f"killed at {fatal}"
        assert len(bench.events(e.FiringDecided)) == 2, f"killed at {fatal}"
        assert set(bench.ran().values()) == {1}
        bench.clear()
        shutil.rmtree(bench.root)
        fatal += 6
    assert fatal > 12, "the kills stopped too early"
