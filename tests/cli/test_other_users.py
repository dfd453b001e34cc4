"""Another user of the machine, beside a controller that runs: a real one, with real attempts."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cli.place import HELD, Place
from users import as_nobody, as_root, open_to_all

pytestmark = as_root


@pytest.fixture
def shared() -> Iterator[Place]:
    """A place that everybody may enter and look into, as home folders often are."""
    with open_to_all() as folder:
        home = folder / "ada"
        home.mkdir(mode=0o755)
        place = Place(home)
        yield place
        place.clear()


def attempts(place: Place, pids: list[int]) -> Iterator[tuple[str, Callable[[], object]]]:
    """All that the other one tries, by a name; each has to fail."""
    for path in [place.state, *place.state.rglob("*")]:
        name = str(path.relative_to(place.root))
        yield f"read {name}", lambda path=path: path.read_bytes()
        yield f"list {name}", lambda path=path: os.listdir(path)
        yield f"write {name}", lambda path=path: os.open(path, os.O_WRONLY)
        yield f"put into {name}", lambda path=path: os.open(path / "x", os.O_WRONLY | os.O_CREAT)
    for name in ("evil.yaml", "w.cancel", "w.yaml"):
        target = place.specs / name
        yield f"write {target.name}", lambda path=target: path.write_text("")
        yield f"remove {target.name}", lambda path=target: path.unlink()
    for folder in (place.specs, place.state):
        yield f"move {folder.name}", lambda path=folder: path.rename(f"{path}.old")
    yield "speak to the shim", lambda: call(place.state / "shim/socket")
    for pid in pids:
        yield f"signal {pid}", lambda pid=pid: os.kill(pid, signal.SIGTERM)
        yield f"see variables of {pid}", lambda pid=pid: Path(f"/proc/{pid}/environ").read_bytes()
        yield f"see files of {pid}", lambda pid=pid: os.listdir(f"/proc/{pid}/fd")


def call(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(path))


def test_what_another_user_can_do_is_nothing(shared: Place) -> None:
    place = shared
    place.spec("w", a=f"echo secret; {HELD}")
    before = os.umask(0)  # the worst that there is
    try:
        with place.up() as controller:
            place.until(lambda: place.phase("w") == "Running")
            ours = psutil.Process(controller.pid).children(recursive=True)
            (attempt,) = place.folded().live.values()
            pids = [controller.pid, *(one.pid for one in ours), int(attempt.pid or 0)]
            tries = [*attempts(place, pids)]
            assert len(tries) > 50

            def attack() -> None:
                worked = [name for name, act in tries if works(act)]
                assert not worked, worked

            assert as_nobody(attack) == ""
            (place.specs / "go").touch()
            place.until(lambda: place.phase("w") == "Succeeded")
    finally:
        os.umask(before)


def works(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


def test_specs_that_another_user_put_there_do_not_run(shared: Place) -> None:
    """The folder is open to all, by mistake; then it is held, whatever is in it."""
    place = shared
    place.spec("w", a=HELD)
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        mine, theirs = place.specs, place.root / "theirs"
        mine.rename(place.root / "mine")
        place.root.chmod(0o777)

        def attack() -> None:
            theirs.mkdir()
            (theirs / "evil.json").write_text(json.dumps(evil(place.root / "evil")))
            theirs.rename(mine)

        assert as_nobody(attack) == ""
        place.until(lambda: "FolderHeld" in place.treadle("get").stderr.decode())
        place.root.chmod(0o755)
        mine.rename(theirs)
        (place.root / "mine").rename(mine)
        place.until(lambda: "FolderHeld" not in place.treadle("get").stderr.decode())
        assert not (place.root / "evil").exists()
        assert place.phase("w") == "Running"
        assert "evil" not in place.folded().workflows
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")  # before its folder is removed


def evil(ran: Path) -> dict[str, object]:
    return {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "evil"},
        "spec": {"steps": [{"name": "a", "run": f"touch {ran}"}]},
    }
