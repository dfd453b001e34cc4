"""An image of a state is as good as the state: nothing is missing, whatever is folded next."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from simulation.scenario import Scenario
from story import dump

from controller import __version__
from controller.model.apply.fold import apply, replay
from controller.model.events import Record
from controller.model.image import SCHEMA, NoImage, freeze, thaw
from controller.model.invariants import check
from controller.model.state import State

CUTS = 5


def folded(state: State, records: Sequence[Record]) -> State:
    for record in records:
        apply(state, record)
    return state


@pytest.mark.parametrize("seed", range(2_000, 2_060))
def test_it_makes_no_difference_to_go_on_from_an_image(seed: int) -> None:
    records = Scenario(seed).play().records()
    whole = replay(records)
    for cut in range(0, len(records) + 1, max(1, len(records) // CUTS)):
        before = replay(records[:cut])
        image = freeze(before)
        state = thaw(image)
        check(state)
        assert dump(state) == dump(before)
        assert freeze(state) == image
        assert freeze(folded(state, records[cut:])) == freeze(whole)


PRINT_IMAGE = """
from simulation.scenario import Scenario
from controller.model.apply.fold import replay
from controller.model.image import freeze
print(freeze(replay(Scenario(5).play().records())))
"""


def test_the_same_history_has_the_same_image_in_every_process() -> None:
    """Neither the seed of string hashes nor the addresses of objects show in it."""
    images = {
        subprocess.run(
            [sys.executable, "-c", PRINT_IMAGE],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(images) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        freeze(State())[:-1],
        freeze(State()).replace(__version__.encode(), b"0.0.9"),
        freeze(State()).replace(b'"schema":%d' % SCHEMA, b'"schema":9'),
    ],
)
def test_what_is_no_image_of_this_version_is_refused(data: bytes) -> None:
    with pytest.raises(NoImage):
        thaw(data)


def test_a_checkpoint_is_read_whoever_wrote_it() -> None:
    data = freeze(State()).replace(__version__.encode(), b"0.0.9")
    assert freeze(thaw(data, by_any=True)) == freeze(State())
