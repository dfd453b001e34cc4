"""Chance as an edge: uids, marks and the delays of backoffs.

Each drawn value goes into a record, so a replay never draws again; a simulation uses its seed.
"""

import os
import uuid
from types import SimpleNamespace

from controller.spec.definition import BackoffPolicy

MARK_BITS = 60


class SystemChance:
    def uid(self) -> str:
        return str(uuid.uuid4())

    def mark(self) -> int:
        # The top bit is set, so that a mark is never a limit that somebody set on purpose.
        return int.from_bytes(os.urandom(8)) >> (64 - MARK_BITS) | 1 << (MARK_BITS - 1)

    def delay_seconds(self, policy: BackoffPolicy, number: int) -> float:
        return delay_seconds(policy, number)


def delay_seconds(policy: BackoffPolicy, number: int) -> float:
    """The wait before retry `number` (1 for the first), jitter included, never negative.

    Exponential, like tenacity's `wait_exponential`: initial * factor ** (number - 1), at most max.
    The jitter adds or subtracts a share of that, so the limit is max * (1 + jitter).
    """
    from tenacity import wait_exponential, wait_random

    state = SimpleNamespace(attempt_number=number)
    exponential = wait_exponential(
        multiplier=policy.initial_seconds, max=policy.max_seconds, exp_base=policy.factor
    )
    plain: float = exponential(state)  # type: ignore[arg-type]
    share: float = wait_random(-policy.jitter, policy.jitter)(state)  # type: ignore[arg-type]
    return max(0.0, plain * (1 + share))
