"""The delays that tenacity's strategies give, within what the policy allows."""

import pytest

from controller.chance import MARK_BITS, SystemChance, delay_seconds
from controller.spec.definition import BackoffPolicy

PLAIN = BackoffPolicy(initial_seconds=1, factor=2, max_seconds=10, jitter=0)


@pytest.mark.parametrize(("number", "delay"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (5000, 10)])
def test_it_grows_by_the_factor_up_to_the_most(number: int, delay: float) -> None:
    assert delay_seconds(PLAIN, number) == delay


def test_jitter_takes_or_gives_a_share() -> None:
    policy = BackoffPolicy(initial_seconds=10, factor=1, max_seconds=10, jitter=0.2)
    drawn = [delay_seconds(policy, 1) for _ in range(200)]
    assert all(8 <= delay <= 12 for delay in drawn)
    assert min(drawn) < 9.5 < 10.5 < max(drawn)


def test_no_wait_is_no_wait() -> None:
    policy = BackoffPolicy(initial_seconds=0, factor=2, max_seconds=60, jitter=1)
    assert delay_seconds(policy, 7) == 0


def test_the_default_is_half_a_second_doubling_to_a_minute() -> None:
    plain = BackoffPolicy()
    assert 0.45 <= delay_seconds(plain, 1) <= 0.55
    assert 54 <= delay_seconds(plain, 30) <= 66


def test_marks_have_sixty_bits_and_differ() -> None:
    marks = {SystemChance().mark() for _ in range(100)}
    assert len(marks) == 100
    assert {mark.bit_length() for mark in marks} == {MARK_BITS}


def test_uids_differ() -> None:
    assert SystemChance().uid() != SystemChance().uid()
