"""Deliveries of webhooks: each is decided once, by the rules, wherever the controller is killed.

`PYTHONPATH=tests python -m simulation.deliveries FIRST LAST` tries more stories.
"""

from collections import Counter

import pytest
from simulation.deliveries import Deed, Expected, Post, Story, a_story, trial

STORIES = 8


@pytest.mark.parametrize("seed", range(STORIES))
def test_each_delivery_is_decided_as_the_rules_say_killed_or_not(seed: int) -> None:
    trial(seed)


def test_the_stories_have_all_that_can_become_of_one() -> None:
    came = Counter(
        came.split()[0] for seed in range(40) for came in Expected(a_story(seed)).came.values()
    )
    assert came.keys() == {"Started", "Queued", "again", "Overlap", "Suspended", "CancelMarker"}
    assert min(came.values()) > 10, came


def test_a_thousand_that_waited_for_a_controller_are_taken_in_their_order() -> None:
    """The most that a server lets wait."""
    away = [Deed(0, "deliver", "push", "", number) for number in range(1_000)]
    world = Post(Story("Queue", 1, [Deed(0, "away"), *away, Deed(1, "up")], max_queued=1_000))
    world.boot_controller()
    world.come_to_rest()
    for deed in world.story.deeds:
        world.do(deed)
    came = world.came()
    assert list(came) == list(range(1_000))
    assert Counter(came.values()) == Counter(Queued=999, Started=1)
    assert not world.requests
