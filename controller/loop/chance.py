"""Chance as an edge: uids, marks and the jitter of delays.

What was drawn goes into a record, so no replay draws again; a simulation draws from its seed.
"""

import secrets
import uuid
from typing import Protocol

from controller.loop.backoff import delay_seconds
from controller.spec.definition import BackoffPolicy

MARK_BITS = 60


class Chance(Protocol):
    def uid(self) -> str:
        """The name of a life, for ever and everywhere."""

    def mark(self) -> int:
        """60 bits for a resource limit; never a counter, since state folders share a machine."""

    def delay_seconds(self, policy: BackoffPolicy, number: int) -> float:
        """The wait before retry `number`, jitter included."""


class SystemChance:
    def uid(self) -> str:
        return str(uuid.uuid4())

    def mark(self) -> int:
        # The top bit is set, so that a mark is never a limit that somebody set on purpose.
        return secrets.randbits(MARK_BITS) | 1 << (MARK_BITS - 1)

    def delay_seconds(self, policy: BackoffPolicy, number: int) -> float:
        return delay_seconds(policy, number)
