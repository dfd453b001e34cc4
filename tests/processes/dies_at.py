"""`treadle …` that ends itself with SIGKILL at its N-th effect: DIES_AT, with N, REPORT, WORDS….

Each call by which the loop changes the world counts twice, before and after. If there are fewer,
it runs to its end, and REPORT gets their number.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.cli.main import main
from controller.executor.calls import Calls
from controller.executor.local.executor import LocalExecutor
from controller.log.writer import LogWriter
from controller.requests import RequestBox

DIES_AT = f"import runpy; runpy.run_path({__file__!r}, run_name='__main__')"
EFFECTS = (
    (LogWriter, "append"),
    (LocalExecutor, "adopt"),
    (LocalExecutor, "start"),
    (LocalExecutor, "end"),
    (LocalExecutor, "forget"),
    (LocalExecutor, "flush"),
    (Calls, "ask"),
    (RequestBox, "done"),
)


class Countdown:
    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.seen = 0

    def step(self) -> None:
        if self.seen == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen += 1

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.step()
            result = effect(*args, **kwargs)
            self.step()
            return result

        return call


if __name__ == "__main__":
    countdown = Countdown(int(sys.argv[1]))
    for kind, name in EFFECTS:
        setattr(kind, name, countdown.around(getattr(kind, name)))
    code = main(sys.argv[3:])
    Path(sys.argv[2]).write_text(str(countdown.seen))
    sys.exit(code)
