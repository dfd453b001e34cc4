"""How much a look reads by itself, what waits for the next one, and what is read beside."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from controller.errors import Fault
from controller.folder import beside, scan
from controller.folder.beside import Reading, Work
from controller.folder.folder import OpenFolder
from controller.folder.scan import LARGE, SLICE, Scanner
from controller.model.observations import FolderSight
from controller.spec.reading.load import SPEC_BYTES_MAX, Loaded, load

PATIENCE = 60.0  # seconds until a test gives up
HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {{name: {}}}\nspec:\n  steps:\n"


def workflow(name: str, run: str = "true", size: int = 0) -> str:
    """A workflow of one step; a comment makes the file as large as wanted."""
    text = HEAD.format(name) + f"    - {{name: one, run: '{run}'}}\n"
    return text + "#" * max(0, size - len(text))


def large(name: str, run: str = "true") -> str:
    return workflow(name, run, LARGE + 1)


def faulty(size: int) -> str:
    text = HEAD.format("bad")
    step = "    - {{name: S_{}, rum: x}}\n"
    return text + "".join(map(step.format, range(size // len(step))))


class Paced:
    """A real folder, and the scanner of a controller; time goes by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sight = FolderSight(path=str(root), shown="specs")
        self.scanner = Scanner(self.sight, SPEC_BYTES_MAX, paced=True)
        self.now = 4_000_000_000_000_000

    def save(self, path: str, text: str) -> None:
        """As an editor does, and the watcher tells it."""
        (self.root / "draft").write_text(text)
        os.replace(self.root / "draft", self.root / path)
        self.scanner.look_at(path, self.now, done=True)

    def look(self) -> None:
        self.now += 1_000_000
        self.scanner.read_on(self.now)

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, self.sight
            self.look()
            time.sleep(0.01)

    def steady(self, path: str) -> bool:
        return self.sight.files[path].steady

    def script(self, path: str) -> str:
        (document,) = self.sight.files[path].documents
        return str(document.workflow.spec.steps[0].run)


@pytest.fixture
def paced(tmp_path: Path) -> Iterator[Paced]:
    folder = Paced(tmp_path)
    yield folder
    folder.scanner.close()


# ---------------------------------------- large files


def test_a_large_file_is_read_beside_and_its_last_version_stays_until_then(paced: Paced) -> None:
    paced.save("w.yaml", workflow("w", "before"))
    paced.save("w.yaml", large("w", "after"))
    assert (paced.steady("w.yaml"), paced.script("w.yaml")) == (False, "before")
    paced.until(lambda: paced.steady("w.yaml"))
    assert paced.script("w.yaml") == "after"
    assert paced.scanner.due() is None


def test_what_is_read_beside_is_what_load_gives(paced: Paced) -> None:
    text = faulty(LARGE + 1)
    paced.save("bad.yaml", text)
    paced.until(lambda: paced.steady("bad.yaml"))
    found = load(text.encode(), "specs/bad.yaml", in_folder=True)
    seen = paced.sight.files["bad.yaml"]
    assert (seen.faults, seen.names, seen.documents) == (found.faults, ("bad",), ())


def test_a_caller_that_is_read_beside_keeps_its_places() -> None:
    text = f"{HEAD.format('w')}    - {{name: a, template: {{name: gone}}}}\n#{'#' * LARGE}"
    work = Work("w.yaml", text.encode(), SPEC_BYTES_MAX)
    (caller,) = loaded(Reading(work)).documents
    (same,) = load(text.encode(), "w.yaml", in_folder=True).documents
    assert caller.places.place == same.places.place  # type: ignore[attr-defined]
    assert caller.calls == ("gone",)


def test_a_later_save_of_the_same_file_wins(paced: Paced) -> None:
    paced.save("w.yaml", large("w", "first"))
    paced.save("w.yaml", large("w", "second"))
    paced.until(lambda: paced.steady("w.yaml"))
    assert paced.script("w.yaml") == "second"


def test_a_small_version_does_not_wait_for_the_large_one_before_it(paced: Paced) -> None:
    paced.save("w.yaml", large("w", "first"))
    paced.save("w.yaml", workflow("w", "second"))
    assert (paced.steady("w.yaml"), paced.script("w.yaml")) == (True, "second")
    assert paced.scanner.due() is None, "nothing is read any more"


def test_one_that_becomes_what_it_was_is_not_read_again(paced: Paced) -> None:
    paced.save("w.yaml", workflow("w"))
    paced.save("w.yaml", large("w"))
    paced.save("w.yaml", workflow("w"))
    assert paced.steady("w.yaml")
    assert paced.scanner.due() is None


def test_a_file_that_vanishes_is_not_read_to_its_end(paced: Paced) -> None:
    paced.save("w.yaml", large("w"))
    (paced.root / "w.yaml").unlink()
    paced.scanner.look_at("w.yaml", paced.now, done=True)
    assert not paced.sight.files
    assert paced.scanner.due() is None


def test_large_files_are_read_one_after_the_other(paced: Paced) -> None:
    first, *others = paths = [f"w{number}.yaml" for number in range(3)]
    paced.save(first, large("w0"))
    (reading,) = readers()
    reading.suspend()  # it may not be done before the others are there
    for path in others:
        paced.save(path, large(path.removesuffix(".yaml")))
    assert readers() == [reading]
    reading.resume()
    paced.scanner.scan(paced.now)  # a full scan starts no second one
    assert len(readers()) == 1
    paced.until(lambda: all(map(paced.steady, paths)))
    assert not readers()


def test_small_files_do_not_wait_for_a_large_one(paced: Paced) -> None:
    paced.save("large.yaml", faulty(2 << 20))
    paced.save("small.yaml", workflow("small"))
    assert (paced.steady("large.yaml"), paced.steady("small.yaml")) == (False, True)


def readers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.ZombieProcess):  # what another test has left in this process
            if beside.__name__ in " ".join(child.cmdline()):
                found.append(child)
    return found


# ---------------------------------------- many small ones


def test_a_look_reads_a_slice_of_many_files_and_the_next_one_reads_on(paced: Paced) -> None:
    size = SLICE // 2
    for number in range(6):
        paced.save(f"w{number}.yaml", workflow(f"w{number}", size=size))
    known = [path for path in paced.sight.files if paced.steady(path)]
    assert len(known) == SLICE // size
    paced.look()
    assert [path for path in paced.sight.files if paced.steady(path)] == known, "the look ends"
    assert paced.scanner.behind(large=False)
    assert paced.scanner.due() is not None
    paced.look()
    assert sum(map(paced.steady, paced.sight.files)) == 2 * len(known)
    paced.look()
    assert not paced.scanner.behind(large=True)
    assert paced.scanner.due() is None


def test_one_that_waits_and_is_written_again_waits_for_its_writer(paced: Paced) -> None:
    for number in range(4):
        paced.save(f"w{number}.yaml", workflow(f"w{number}", size=SLICE // 2))
    assert not paced.steady("w3.yaml")
    (paced.root / "w3.yaml").write_text(workflow("w3", "newest"))
    paced.until(lambda: paced.steady("w3.yaml"))
    assert paced.script("w3.yaml") == "newest"


# ---------------------------------------- the folder


def test_a_folder_is_judged_only_when_all_of_it_has_been_read(tmp_path: Path) -> None:
    """At the start large files count too: nothing may start by what the log knows of them."""
    (tmp_path / "large.yaml").write_text(large("large"))
    (tmp_path / "small.yaml").write_text(workflow("small"))
    folder = OpenFolder(str(tmp_path), spec_bytes_max=SPEC_BYTES_MAX, poll=True)
    now = 4_000_000_000_000_000
    try:
        sight = folder.look(now)
        assert sight.unread
        deadline = time.monotonic() + PATIENCE
        while folder.look(now).unread:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert all(file.steady for file in sight.files.values())
        (tmp_path / "large.yaml").write_text(large("large", "edited"))
        assert not folder.look(now + 2_000_000).unread, "an edit holds up nothing else"
        assert not folder.look(now + 3_000_000).unread
        assert not sight.files["large.yaml"].steady
    finally:
        folder.close()


# ---------------------------------------- the process


def loaded(reading: Reading) -> Loaded:
    found = result(reading)
    assert isinstance(found, Loaded)
    return found


def result(reading: Reading) -> Loaded | Fault:
    deadline = time.monotonic() + PATIENCE
    while (found := reading.result()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_file_that_takes_too_much_memory_has_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MEMORY_MAX", 1 << 20)
    found = result(Reading(Work("w.yaml", faulty(1 << 20).encode(), SPEC_BYTES_MAX)))
    assert isinstance(found, Fault)
    assert found.file == "w.yaml"
    assert found.problem.startswith("can't be read: ")


def test_a_file_that_takes_too_long_has_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "CPU_SECONDS_MAX", -29)
    found = result(Reading(Work("w.yaml", faulty(3 << 20).encode(), SPEC_BYTES_MAX)))
    assert isinstance(found, Fault)
    assert found.advice == "can't be read: it takes more than 1 seconds of CPU time; split it"


def test_a_process_that_dies_is_a_fault_of_its_file_alone(paced: Paced) -> None:
    paced.save("w.yaml", workflow("w"))
    paced.save("other.yaml", workflow("other"))
    paced.save("w.yaml", large("w", "lost"))
    (reader,) = readers()
    reader.kill()
    paced.until(lambda: paced.steady("w.yaml"))
    (fault,) = paced.sight.files["w.yaml"].faults
    assert fault.problem == "can't be read: the process that read it ended with signal 9"
    assert not paced.sight.files["other.yaml"].faults
    paced.now += 1_000_000
    paced.scanner.scan(paced.now)  # it may have been written twice within one tick
    paced.until(lambda: paced.steady("w.yaml"))
    paced.scanner.scan(paced.now)
    assert paced.scanner.due() is None, "it is not tried again and again"
    paced.save("w.yaml", large("w", "lost"))
    paced.until(lambda: paced.steady("w.yaml"))
    assert paced.script("w.yaml") == "lost"


def test_without_processes_it_is_tried_again(paced: Paced, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(work: Work) -> Reading:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as full:
        full.setattr(scan, "Reading", none_left)
        paced.save("w.yaml", large("w"))
        paced.look()
        assert not paced.steady("w.yaml")
        assert paced.scanner.due() is not None
    paced.until(lambda: paced.steady("w.yaml"))


def test_the_process_exits_with_the_controller() -> None:
    """What is closed here, the kernel closes when the controller dies."""
    reading = Reading(Work("w.yaml", faulty(7 << 20).encode(), SPEC_BYTES_MAX))
    os.dup2(os.open(os.devnull, os.O_RDONLY), reading._life)
    found = result(reading)
    assert isinstance(found, Fault), "it read the file to its end"
    assert found.problem == "can't be read: the process that read it ended with exit code 1"
