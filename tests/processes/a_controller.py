"""A controller of the smallest kind: it starts the steps of a plan and writes down how each ended.

Its log is one file, replaced as a whole, which it writes before it starts anything and after it saw
anything. To be killed at any instant and run again. A line on stdout says that it has begun.
"""

import json
import os
import select
import sys
from pathlib import Path

from controller.clock import SystemClock
from controller.executor.local.executor import LocalExecutor
from controller.loop.ports import AttemptId, Ended, Launch, Running, Started


def main(state: Path, work: Path, epoch: int) -> None:
    plan = json.loads((work / "plan").read_text())
    log = {"scheduled": [], "started": {}, "ended": {}}
    if (work / "log").exists():
        log = json.loads((work / "log").read_text())
    print("begun", flush=True)

    def save() -> None:
        (work / "log.new").write_text(json.dumps(log))
        os.replace(work / "log.new", work / "log")

    def attempt(step: str) -> AttemptId:
        return AttemptId(plan["uid"], step, 1)

    def launch(step: str) -> Launch:
        mark, code = plan["steps"][step]
        script = f"echo {step} >> {work}/ledger; sleep 0.00{code}; exit {code}"
        return Launch(
            id=attempt(step),
            mark=mark,
            argv=("/bin/sh", "-c", script),
            env={"TREADLE_UID": plan["uid"], "TREADLE_STEP": step, "TREADLE_ATTEMPT": "1"},
            working_dir=str(work),
            log=f"runs/{step}.log",
        )

    clock = SystemClock()
    boot_id = clock.read().boot_id
    executor = LocalExecutor(str(state), epoch, 4, clock)
    alive = [step for step in log["scheduled"] if step not in log["ended"]]
    adopted = []
    for step in alive:
        pid, ticks = log["started"].get(step, (None, None))
        mark = plan["steps"][step][0]
        adopted.append(
            Running(id=attempt(step), mark=mark, pid=pid, start_ticks=ticks, boot_id=boot_id)
        )
    executor.adopt(adopted)
    executor.start([launch(step) for step in alive if step not in log["started"]])
    while len(log["ended"]) < len(plan["steps"]):
        seen = executor.observe()
        for each in seen:
            if isinstance(each, Started):
                log["started"][each.id.step] = (each.pid, each.start_ticks)
            elif isinstance(each, Ended):
                assert each.how in ("exited", "lost"), each
                log["ended"].setdefault(each.id.step, each.exit_code)
        live = len(log["scheduled"]) - len(log["ended"])
        waiting = [step for step in plan["steps"] if step not in log["scheduled"]]
        new = waiting[: 10 - live]
        log["scheduled"] += new
        if seen or new:
            save()
        executor.start([launch(step) for step in new])
        executor.forget([each.id for each in seen if isinstance(each, Ended)])
        executor.flush()
        due = executor.next_due()
        pause = 0.05 if due is None else max(0.0, (due - clock.now()) / 1e6)
        select.select([executor], [], [], min(pause, 0.05))
    executor.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
