"""kill -9 again and again at random instants, and a ledger that owes nothing to treadle.

A workflow of many short steps, a quarter of them the children of one, a quarter those of a template
that is called for each item, each failing a given number of times with an exit code of its own;
every attempt appends one line to the ledger with one write. A last step gets what all of them have
handed on. `treadle up --once` drives it, and it,
its shim, or both in the same instant are killed and started anew until the kills are used up. Then
the ledger is held against the log.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes.yard import eventually, kill, pids, read, shims_of

# `treadle` that has snapshots taken, and begins segments, all the time.
EAGER = """
import sys
from controller.cli.main import main
from controller.log import upkeep, writer
upkeep.EVERY_RECORDS = 30
writer.SEGMENT_SIZE_MAX = 20_000
sys.exit(main())
"""
SETTLE_SECONDS = 120
GAVE_UP = 4  # what a controller says whose shims die again and again
SCRIPT = """\
        code=$((1 + N % 99))
        [ "$TREADLE_ATTEMPT" -le $((N % 3)) ] || code=0
        echo "$TREADLE_STEP $TREADLE_ATTEMPT $code" >> {ledger}
        echo "n=$N" > "$TREADLE_OUTPUT"
        sleep {seconds}
        exit $code
"""
STEP = """\
    - name: s{number}
      env: {{N: {number}}}
      outputs: {{n: integer}}
      run: |
"""
FAN = """\
    - name: list
      outputs: {{numbers: array, sites: array}}
      run: |
        echo "$TREADLE_STEP $TREADLE_ATTEMPT 0" >> {ledger}
        echo '{{"numbers": {numbers}, "sites": {sites}}}' > "$TREADLE_OUTPUT"
    - name: site
      template: {{name: chain, params: {{number: "${{{{ item }}}}"}}}}
      forEach: ${{{{ steps.list.outputs.sites }}}}
      dependsOn: [list]
      parallelism: 2
    - name: each
      forEach: ${{{{ steps.list.outputs.numbers }}}}
      dependsOn: [list]
      parallelism: 3
      env: {{N: "${{{{ item }}}}"}}
      outputs: {{n: integer}}
      run: |
"""
SUM = """\
    - name: sum
      dependsOn: [each, site, {all}]
      when: ${{{{ size(steps.each.outputs.n) > 0 }}}}
      env: {{GOT: "${{{{ steps.each.outputs.n }}}} ${{{{ steps.site.outputs.n }}}} {each}"}}
      run: |
        code=0
        [ "$GOT" = "{numbers} {sites} {plain}" ] || code=9
        echo "$TREADLE_STEP $TREADLE_ATTEMPT $code" >> {ledger}
        exit $code
"""
CHAIN = """\
apiVersion: treadle.dev/v1
kind: Template
metadata: {{name: chain}}
spec:
  params: {{number: {{type: integer}}}}
  outputs: {{n: "${{{{ steps.second.outputs.n }}}}"}}
  steps:
    - name: first
      env: {{N: "${{{{ params.number }}}}"}}
      outputs: {{n: integer}}
      run: |
{script}\
    - name: second
      dependsOn: [first]
      env: {{N: "${{{{ steps.first.outputs.n }}}}"}}
      outputs: {{n: integer}}
      run: |
{script}\
---
"""
HEAD = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: campaign}
spec:
  defaults:
    retry: {limit: 20, backoff: {initialSeconds: 0.01, maxSeconds: 0.05}}
  steps:
"""


@dataclass
class Figures:
    """What a campaign came to; all but the first three should be zero."""

    kills: int = 0
    attempts: int = 0
    interrupted: int = 0
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # ran, and the log does not know it
    guessed: list[str] = field(default_factory=list)  # an exit code that is not the ledger's
    unfinished: list[str] = field(default_factory=list)
    survivors: list[int] = field(default_factory=list)

    def faults(self) -> dict[str, Any]:
        names = ("twice", "lost", "guessed", "unfinished", "survivors")
        return {name: found for name in names if (found := getattr(self, name))}

    def __str__(self) -> str:
        counts = {name: len(found) for name, found in vars(self).items() if isinstance(found, list)}
        numbers = {name: n for name, n in vars(self).items() if isinstance(n, int)}
        return ", ".join(f"{name} {n}" for name, n in {**numbers, **counts}.items())


def a_full_pipe() -> tuple[int, int]:
    """Any further write to it would block."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    return reader, writer


class Campaign:
    def __init__(self, root: Path, steps: int, seconds: float, seed: int) -> None:
        self.rng = random.Random(seed)
        self.specs, self.state = root / "specs", root / "state"
        self.ledger, self.errors = root / "ledger", root / "errors"
        self.specs.mkdir(parents=True)
        self.ledger.touch()
        self.reader, self.full = a_full_pipe()  # nobody ever reads what the controllers say
        half, where = steps // 2, {"ledger": self.ledger, "seconds": seconds}
        script = SCRIPT.format(**where)
        plain = [STEP.format(number=number) + script for number in range(half)]
        sites, numbers = (
            json.dumps([*some], separators=(",", ":"))
            for some in (range(half, half + steps // 8), range(steps - steps // 4, steps))
        )
        fan = FAN.format(numbers=numbers, sites=sites, **where) + script
        last = SUM.format(
            all=", ".join(f"s{number}" for number in range(half)),
            each=" ".join(f"${{{{ steps.s{number}.outputs.n }}}}" for number in range(half)),
            numbers=numbers,
            sites=sites,
            plain=" ".join(map(str, range(half))),
            **where,
        )
        chain = CHAIN.format(script=script)
        (self.specs / "campaign.yaml").write_text("".join([chain, HEAD, *plain, fan, last]))

    def where(self) -> list[str]:
        return ["--specs", str(self.specs), "--state", str(self.state)]

    def up(self) -> subprocess.Popen[bytes]:
        words = ["up", "--once", "--max-parallel", "4", *self.where()]
        with self.errors.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-c", EAGER, *words],
                stdout=self.full,
                stderr=errors,
                start_new_session=True,
            )

    def run(self, victims: str, kills: int, longest: float) -> Figures:
        """Kill `victims` ("controller", "shim" or "both") after up to `longest` seconds each."""
        figures = Figures()
        controller = self.up()
        while figures.kills < kills:
            time.sleep(self.rng.random() * longest)
            if controller.poll() == GAVE_UP:
                controller = self.up()
            assert controller.poll() is None, f"too early: {self.errors.read_text()[-2000:]}"
            shims = shims_of(self.state) if victims != "controller" else []
            with suppress(ProcessLookupError):
                for pid in [*shims, *([controller.pid] if victims != "shim" else [])]:
                    os.kill(pid, signal.SIGKILL)
            figures.kills += 1
            if victims != "shim":
                controller.wait()
                controller = self.up()
        while controller.wait(SETTLE_SECONDS) == GAVE_UP:
            controller = self.up()
        assert controller.returncode in (0, 1), self.errors.read_text()[-2000:]
        self.judge(figures)
        return figures

    def judge(self, figures: Figures) -> None:
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        ran = {(step, int(number)): int(code) for step, number, code in lines}
        begun = Counter((step, int(number)) for step, number, _ in lines)
        workflow = self.workflow()
        logged = {}
        gave_up = False
        for step in workflow["status"]["steps"]:
            attempts = step["attempts"]
            logged |= {(step["name"], each["number"]): each for each in attempts}
            reasons = [each["reason"] for each in attempts[-4:]]
            gave_up |= reasons == ["Interrupted"] * 4
            if step["phase"] != "Succeeded" and reasons != ["Interrupted"] * 4:
                figures.unfinished.append(step["name"])
        if gave_up:  # what has children has failed then, and what comes after them has no attempts
            ran_once = {name for name, _ in logged}
            figures.unfinished = [one for one in figures.unfinished if one in ran_once]
        figures.attempts = len(logged)
        figures.twice = [f"{key}" for key, times in begun.items() if times > 1]
        figures.lost = [f"{key}" for key in ran.keys() - logged.keys()]
        for key, attempt in logged.items():
            code = attempt.get("exitCode")
            if code is None:
                assert attempt["reason"] == "Interrupted", attempt
                figures.interrupted += 1
            elif ran.get(key) != code:
                figures.guessed.append(f"{key}: {code}, not {ran.get(key)}")
        uid = f"TREADLE_UID={workflow['metadata']['uid']}".encode()
        figures.survivors = [pid for pid in pids() if uid in read(pid, "environ")]
        kill(shims_of(self.state), signal.SIGTERM)  # it need not wait for another controller
        eventually(lambda: not shims_of(self.state), "the shim has ended")
        verify = [sys.executable, "-m", "controller.cli", "replay", "--verify", *self.where()]
        assert b"consistent" in subprocess.run(verify, capture_output=True, check=True).stdout

    def workflow(self) -> Any:
        found = subprocess.run(
            [sys.executable, "-m", "controller.cli", "get", "-o", "json", *self.where()],
            capture_output=True,
            check=True,
        )
        (workflow,) = json.loads(found.stdout)["items"]
        return workflow
