"""Engines: each test runs with a program that plays the engine, and with the real one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.container.dock import Dock
from engines.container.worlds import Fake, Podman, why_no_podman


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """The real one, with a store of its own."""
    if why := why_no_podman():
        pytest.skip(why)
    made = Podman(tmp_path_factory.mktemp("podman"))
    yield made
    made.remove()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A program that plays podman, and says what the test wants."""
    made = Fake(tmp_path)
    monkeypatch.setenv("PATH", f"{made.program.parent}:{os.environ['PATH']}")
    yield made
    made.clear()


@pytest.fixture(params=["fake", "podman"])
def world(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fake | Podman]:
    made: Fake | Podman = request.getfixturevalue(request.param)
    if isinstance(made, Podman):
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
    yield made
    made.clear()


@pytest.fixture
def dock(world: Fake | Podman, tmp_path: Path) -> Iterator[Dock]:
    made = Dock(tmp_path, world)
    yield made
    made.close()


@pytest.fixture
def played(fake: Fake, tmp_path: Path) -> Iterator[Dock]:
    """A dock with the program that plays podman alone."""
    made = Dock(tmp_path, fake)
    yield made
    made.close()
