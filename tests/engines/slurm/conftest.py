from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.slurm import lab as labs
from engines.slurm.fake import World
from engines.slurm.lab import Lab, Place


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A cluster without Slurm, and a virtual clock."""
    return World(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The real one."""
    if why := labs.why_not():
        pytest.skip(why)
    made = Lab(tmp_path_factory.mktemp("slurm"))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def place(tmp_path: Path, lab: Lab) -> Iterator[Place]:
    """Specs for the real one, and whatever controller runs them."""
    made = Place(tmp_path, lab)
    yield made
    made.close()
