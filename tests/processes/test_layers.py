"""The environment of a step as a spec says it, from its file to the process."""

import os
import subprocess
import sys
from pathlib import Path

LAYERS = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: w}
spec:
  inheritEnv: [A, B, C, D, E, SOURCE]
  envFrom: [{file: spec.env}, {file: none.env, optional: true}]
  env: {C: spec, D: {fromEnv: SOURCE}, E: {fromFile: secret}, F: {asFile: spec}, G: {asFile: spec}}
  steps:
    - name: own
      command: [/usr/bin/env, "-0"]
      envFrom: [{file: step.env}]
      env: {E: step, G: {fromEnv: SOURCE}}
    - name: common
      command: [/usr/bin/env, "-0"]
"""


def test_later_layers_win(tmp_path: Path) -> None:
    specs, state = tmp_path / "specs", tmp_path / "state"
    specs.mkdir()
    (specs / "w.yaml").write_text(LAYERS)
    (specs / "spec.env").write_text("B=spec.env\nC=spec.env\nD=spec.env\nE=spec.env\nF=spec.env")
    (specs / "step.env").write_text("D=step.env\nE=step.env\nF=step.env")
    (specs / "secret").write_text("secret\n")
    words = ["up", "--once", "--specs", str(specs), "--state", str(state)]
    ours = {**os.environ, **dict.fromkeys("ABCDEFGH", "ours"), "SOURCE": "source"}
    done = subprocess.run(
        [sys.executable, "-m", "controller.cli", *words],
        env=ours,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = {log.name.split(".")[0]: variables(log) for log in state.glob("runs/*/*.log")}
    common = {"A": "ours", "B": "spec.env", "C": "spec", "SOURCE": "source"}
    assert seen["own"] == {**common, "D": "step.env", "E": "step", "F": "step.env", "G": "source"}
    paths = {name: seen["common"].pop(name) for name in "FG"}
    assert seen["common"] == {**common, "D": "source", "E": "secret"}
    assert {Path(path).read_text() for path in paths.values()} == {"spec"}


def variables(log: Path) -> dict[str, str]:
    pairs = dict(pair.split("=", 1) for pair in log.read_text().split("\0")[:-1])
    return {name: value for name, value in pairs.items() if not name.startswith("TREADLE_")}
