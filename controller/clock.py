"""The controller's time: wall time once, at the start, then the kernel's clock that counts sleep.

So a change of the wall clock moves no timer. From readings of all clocks together the loop can see
whether the machine slept, whether the wall clock was set, and whether the machine was rebooted.
"""

import sys
import time

from controller.loop.ports import ClockReading

_BOOT_ID = "/proc/sys/kernel/random/boot_id"

if sys.platform == "darwin":  # where CLOCK_MONOTONIC is the one that counts sleep
    _BOOTTIME, _UPTIME = time.CLOCK_MONOTONIC, time.CLOCK_UPTIME_RAW
else:
    _BOOTTIME, _UPTIME = time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC


class SystemClock:
    """`ports.Clock` with the machine's clocks; everything in microseconds."""

    def __init__(self) -> None:
        self._boot_id = _boot_id()
        self._offset = _micros(time.CLOCK_REALTIME) - _micros(_BOOTTIME)

    def now(self) -> int:
        """Microseconds since 1970: wall time at start-up, advanced by CLOCK_BOOTTIME."""
        return self._offset + _micros(_BOOTTIME)

    def read(self) -> ClockReading:
        """All clocks at once, to notice sleep and steps of the wall clock."""
        return ClockReading(
            boot_id=self._boot_id,
            boottime=_micros(_BOOTTIME),
            uptime=_micros(_UPTIME),
            wall=_micros(time.CLOCK_REALTIME),
        )


def _micros(clock: int) -> int:
    return time.clock_gettime_ns(clock) // 1000


def _boot_id() -> str:
    if sys.platform == "darwin":
        import subprocess

        asked = ["sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    with open(_BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
