"""Steps that go wrong, from the spec to the status: each says clearly how."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SPEC = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: bad}
spec:
  defaults: {retry: {limit: 0}}
  failFast: false
  steps:
    - {name: not-found, command: [no-such-command]}
    - {name: not-executable, command: [./plain]}
    - {name: no-directory, command: ["true"], workingDir: /no/where}
    - {name: signalled, run: kill -9 $$}
    - {name: huge, run: truncate -s 1G /proc/self/fd/1; exit 7}
    - {name: binary, run: head -c 300000 /dev/urandom; exit 8}
    - {name: fine, run: exit 0}
"""


def treadle(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    where = ["--specs", str(root / "specs"), "--state", str(root / "state")]
    command = [sys.executable, "-m", "controller.cli", *words, *where]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("bad")
    (root / "specs").mkdir()
    (root / "specs/plain").write_text("#!/bin/sh\n")
    (root / "specs/bad.yaml").write_text(SPEC)
    done = treadle(root, "up", "--once")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (workflow,) = json.loads(treadle(root, "get", "-o", "json").stdout)["items"]
    return {step["name"]: step["attempts"][-1] for step in workflow["status"]["steps"]}


@pytest.mark.parametrize(
    ("step", "reason", "exit_code", "message"),
    [
        ("not-found", "StartFailed", None, "command not found"),
        ("not-executable", "StartFailed", None, "not executable; try: chmod +x"),
        ("no-directory", "StartFailed", None, "no folder "),
        ("signalled", "Signalled", None, ""),
        ("huge", "NonZeroExit", 7, ""),
        ("binary", "NonZeroExit", 8, ""),
        ("fine", "Completed", 0, ""),
    ],
)
def test_how_it_went_wrong(
    attempts: dict[str, dict[str, Any]],
    step: str,
    reason: str,
    exit_code: int | None,
    message: str,
) -> None:
    attempt = attempts[step]
    assert (attempt["reason"], attempt.get("exitCode")) == (reason, exit_code)
    assert message in attempt.get("message", "")
