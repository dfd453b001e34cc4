"""The clock of the machine, as far as it can be told from itself."""

import time
from itertools import pairwise

from controller.clock import SystemClock


def test_it_begins_at_wall_time_and_never_goes_back() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time_ns() // 1000) < 1_000_000
    times = [clock.now() for _ in range(1000)]
    assert all(one <= two for one, two in pairwise(times))


def test_a_reading_has_every_clock_of_this_boot() -> None:
    clock = SystemClock()
    one, two = clock.read(), clock.read()
    assert one.boot_id == two.boot_id != ""
    assert one.boottime <= two.boottime
    assert one.uptime <= two.uptime
    assert one.boottime >= one.uptime - 1000, "sleep counts in the one only"
    assert abs(one.wall - clock.now()) < 1_000_000
