"""How a person or a service manager stops a controller."""

import signal
from types import FrameType, TracebackType


class StopSignals:
    """Counts SIGINT, SIGTERM and SIGHUP inside its block; a second SIGINT exits at once.

    If SIGHUP is ignored (as under nohup), it stays ignored. Else it means that the terminal is
    gone.
    """

    def __init__(self) -> None:
        self.seen = 0
        self._is_decided = False
        self.last = signal.SIGINT.value
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._note) for number in numbers}

    def __enter__(self) -> "StopSignals":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def keep(self) -> None:
        """Stay beyond the block: how this process ends is decided, and no signal changes it."""
        self._is_decided = True
        self._before.clear()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.seen += 1
        self.last = number
        if self.seen > 1 and number == signal.SIGINT and not self._is_decided:
            raise KeyboardInterrupt
