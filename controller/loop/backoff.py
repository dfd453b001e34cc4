"""The delay before an attempt, by tenacity's wait strategies.

They draw from the global random generator, so this lives beside the turn and not in the core: the
delay that was drawn goes into the record, and no replay draws it again.
"""

from types import SimpleNamespace

from controller.spec.definition import BackoffPolicy


def delay_seconds(policy: BackoffPolicy, number: int) -> float:
    """The wait before retry `number` (1 for the first), jitter included, never negative.

    Exponential, as `wait_exponential` has it: initial * factor ** (number - 1), at most max. The
    jitter takes or gives a share of that, so the bound is max * (1 + jitter).
    """
    from tenacity import wait_exponential, wait_random

    state = SimpleNamespace(attempt_number=number)
    exponential = wait_exponential(
        multiplier=policy.initial_seconds, max=policy.max_seconds, exp_base=policy.factor
    )
    plain: float = exponential(state)  # type: ignore[arg-type]
    share: float = wait_random(-policy.jitter, policy.jitter)(state)  # type: ignore[arg-type]
    return max(0.0, plain * (1 + share))
