from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.place import Place
from server.served import Served, serving
from server.stories import a_story, output_of
from story import Story


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all tests of a module: to start a server takes a second."""
    place = Place(tmp_path_factory.mktemp("place"))
    yield place
    place.clear()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Place]:
    """One for a test that spoils it."""
    own = Place(tmp_path)
    yield own
    own.clear()


@pytest.fixture(scope="module")
def story(place: Place) -> Story:
    """It is in the log, and its step has printed something."""
    story = a_story()
    place.log(story.records)
    output_of(place.state, story).write_bytes(b"one\ntwo\nthree\n")
    return story


@pytest.fixture(scope="module")
def served(place: Place, story: Story) -> Iterator[Served]:
    with serving(place) as served:
        yield served
