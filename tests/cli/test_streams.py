"""Where output goes: into another encoding, to a reader that went away, to one that hangs."""

import json
import os
import pty
from collections.abc import Iterator
from contextlib import suppress

import pytest
import yaml
from cli.place import DEADLINE_SECONDS, HELD, Place, document

FOREIGN = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: t, annotations: {who: "漢"}}
spec:
  steps:
    - {name: a, command: ["./prögramm→漢"]}
"""


@pytest.fixture
def in_ascii(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    (place.specs / "t.yaml").write_text(FOREIGN, encoding="utf-8")
    return place


def test_what_an_encoding_does_not_have_is_written_as_an_escape(in_ascii: Place) -> None:
    assert r"./pr\xf6gramm\u2192\u6f22" in in_ascii.says("up", "--once", code=1)
    for words in (("status", "t"), ("explain", "t"), ("events",)):
        assert r"./pr\xf6gramm\u2192\u6f22" in in_ascii.says(*words)


def test_data_is_utf_8_whatever_the_locale(in_ascii: Place) -> None:
    in_ascii.says("up", "--once", code=1)
    for words in (("get", "-o"), ("get", "t", "-o"), ("status", "t", "-o")):
        as_json = json.loads(in_ascii.says(*words, "json"))
        assert as_json == yaml.safe_load(in_ascii.says(*words, "yaml"))
        assert "漢" in str(as_json)
    events = in_ascii.says("events", "-o", "json").splitlines()
    assert "./prögramm→漢" in str([json.loads(event) for event in events])
    assert json.loads(in_ascii.says("schema"))
    in_ascii.says("retry", "t")
    for line in in_ascii.says("up", "--once", "--log-format", "json", code=1).splitlines():
        json.loads(line)


# ---------------------------------------- a reader that is gone


@pytest.fixture
def gone() -> Iterator[int]:
    """The end of a pipe that nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


FAILS = document("t", a="true", b="exit 3")

# A command, and its exit code after the workflow of FAILS has failed.
VERDICTS = [
    (("up", "--once"), 1),
    (("run", "again.yaml"), 1),
    (("wait", "t", "--for=phase=Succeeded"), 1),
    (("diff", "edited.yaml"), 1),
    (("validate", "edited.yaml", "bad.yaml"), 2),
    (("get", "nobody"), 5),
    (("get", "--nonsense"), 2),
    (("get", "--help"), 0),
    (("get",), 0),
]


@pytest.fixture
def failed(place: Place) -> Place:
    (place.specs / "t.yaml").write_text(FAILS)
    place.says("up", "--once", code=1)
    (place.root / "again.yaml").write_text(FAILS.replace('"t"', '"again"'))
    (place.root / "edited.yaml").write_text(FAILS.replace("exit 3", "exit 4"))
    (place.root / "bad.yaml").write_text(FAILS.replace('"run"', '"runs"'))
    return place


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at the end", "at each line"])
def test_who_does_not_listen_does_not_change_the_exit_code(
    failed: Place, gone: int, unbuffered: str
) -> None:
    more = {"PYTHONUNBUFFERED": unbuffered}
    for words, code in VERDICTS:
        command = failed.begin(*words, stdout=gone, stderr=gone, more_env=more)
        assert (words, command.wait(DEADLINE_SECONDS)) == (words, code)


def test_an_error_is_told_to_who_still_listens(failed: Place, gone: int) -> None:
    command = failed.begin("get", "t", "nobody", stdout=gone, more_env={"PYTHONUNBUFFERED": ""})
    _, said = command.communicate(timeout=DEADLINE_SECONDS)
    assert (command.returncode, said) == (5, b'treadle: no workflow is named "nobody"\n')


def test_a_listing_ends_when_its_reader_is_gone(failed: Place) -> None:
    listing = failed.begin("events", "--follow")
    assert listing.stdout is not None
    listing.stdout.readline()
    listing.stdout.close()
    with failed.up():
        failed.until(lambda: listing.poll() is not None)
    assert listing.wait() == 0
    assert listing.stderr is not None and listing.stderr.read() == b""


def test_who_drives_goes_on_without_a_reader(place: Place) -> None:
    place.spec("w", a=HELD, b="touch done")
    controller = place.begin("up", "--once")
    assert controller.stdout is not None and controller.stderr is not None
    controller.stdout.readline()
    controller.stdout.close()
    controller.stderr.close()
    (place.specs / "go").touch()
    assert controller.wait(DEADLINE_SECONDS) == 0
    assert (place.specs / "done").exists()


# ---------------------------------------- one that is there and does not read


@pytest.fixture(params=["pipe", "terminal"])
def stuck(request: pytest.FixtureRequest) -> Iterator[int]:
    """A pipe or a terminal that takes nothing more; a write to it blocks."""
    reader, writer = os.pipe() if request.param == "pipe" else pty.openpty()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)
    yield writer
    os.close(writer)
    os.close(reader)


TERMINAL = {"TERM": "xterm"}


def test_a_reader_that_does_not_read_holds_up_nothing(place: Place, stuck: int) -> None:
    place.spec("w", a="true", b=HELD)
    late = place.spec("late", a="sleep 100")
    timeout = '"name": "a", "timeoutSeconds": 0.1'
    late.write_text(late.read_text().replace('"name": "a"', timeout))
    controller = place.begin("up", stdout=stuck, stderr=stuck, more_env=TERMINAL)
    place.until(lambda: place.phase("late") == "Failed")
    (place.specs / "go").touch()
    place.until(lambda: place.phase("w") == "Succeeded")
    controller.terminate()
    assert controller.wait(DEADLINE_SECONDS) == 0


@pytest.mark.parametrize("words", [("up", "--once"), ("run", "t.yaml")])
def test_a_reader_that_does_not_read_does_not_change_the_exit_code(
    place: Place, stuck: int, words: tuple[str, ...]
) -> None:
    home = place.specs if words[0] == "up" else place.root
    (home / "t.yaml").write_text(FAILS)
    command = place.begin(*words, stdout=stuck, stderr=stuck, more_env=TERMINAL)
    assert command.wait(DEADLINE_SECONDS) == 1


def test_a_signal_to_end_only_cuts_the_wait_for_such_a_reader_short(
    place: Place, stuck: int
) -> None:
    (place.root / "t.yaml").write_text(FAILS)
    command = place.begin("run", "t.yaml", stdout=stuck, stderr=stuck, more_env=TERMINAL)
    place.until(lambda: place.phase("t") == "Failed")
    command.terminate()
    assert command.wait(DEADLINE_SECONDS) == 1
