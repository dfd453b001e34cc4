"""kill -9 of a whole controller at its effects, with steps in containers.

Whatever instant it died, the next controller brings the workflow to its end, each attempt ran once,
and each exit code in the log is the one that really was.
"""

import os
import signal
from pathlib import Path

import pytest
from engines.container.worlds import IMAGE, Fake, Podman
from processes.diamond import Bench
from processes.yard import kill, shims_of

WORKFLOW = f"""
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {{name: w}}
spec:
  workingDir: ..
  executor: {{container: {{image: "{IMAGE}", network: none, program: podman}}}}
  defaults: {{retry: {{limit: 1, backoff: {{initialSeconds: 0.02}}}}}}
  steps:
    - name: first
      outputs: {{rows: integer}}
      run: |
        echo "begin $TREADLE_STEP $TREADLE_ATTEMPT" >> ledger
        echo rows=5 > "$TREADLE_OUTPUT"
        echo "end $TREADLE_STEP $TREADLE_ATTEMPT 0" >> ledger
    - name: flaky
      dependsOn: [first]
      env: {{ROWS: "${{{{ steps.first.outputs.rows }}}}"}}
      run: |
        echo "begin $TREADLE_STEP $TREADLE_ATTEMPT" >> ledger
        code=$((2 - TREADLE_ATTEMPT))
        [ "$ROWS" = 5 ] || code=77
        echo "end $TREADLE_STEP $TREADLE_ATTEMPT $code" >> ledger
        exit $code
"""
LONG = os.environ.get("TREADLE_ENGINES") == "long"
STRIDES = {Fake: 5 if LONG else 17, Podman: 41}  # all would take minutes


@pytest.mark.parametrize("first", range(3))
def test_killed_at_effects(world: Fake | Podman, first: int, tmp_path: Path) -> None:
    if isinstance(world, Podman) and not LONG:
        pytest.skip("it takes minutes with the real one: make test-engines")
    stride = STRIDES[type(world)]
    fatal, killed = first, True
    while killed:
        bench = Bench(tmp_path / str(fatal))
        (bench.specs / "diamond.yaml").write_text(WORKFLOW)
        try:
            killed = bench.up(fatal).returncode == -signal.SIGKILL
            done = bench.up(fatal=-1)
            assert done.returncode == 0, f"after a kill at effect {fatal}: {done.stderr}"
            codes, ended = bench.codes(), bench.ended()
            assert codes == ended, f"killed at {fatal}"
            assert list(ended.values()) == [0, 1, 0], f"killed at {fatal}"
        finally:
            kill(shims_of(bench.state))
        fatal += stride
    assert fatal > 40
