"""The live view on a real terminal: what it draws, what keys do, and how it leaves the terminal."""

import json
import os
import re
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from cli.place import HELD, TREADLE, Place, document
from cli.screen import on_a_screen

from controller.log.status_file import read_status

ENTERS, LEAVES = b"\x1b[?1049h", b"\x1b[?1049l"
RULE = "─".encode() * 80
HIDES, SHOWS = b"\x1b[?25l", b"\x1b[?25h"
FAILS = "printf 'before \\033[31mred\\n'; exit 3"


def spec(place: Place, **steps: str) -> None:
    """A workflow whose steps don't wait for each other."""
    written = json.loads(document("w", **steps))
    for step in written["spec"]["steps"]:
        step.pop("dependsOn", None)
    (place.specs / "w.json").write_text(json.dumps(written))


def test_it_is_drawn_on_a_screen_of_its_own_and_q_gives_the_terminal_back(place: Place) -> None:
    spec(place, a=HELD, b=FAILS)
    with on_a_screen(place, "up") as screen:
        place.until(lambda: b"exit 3: before" in screen.written)
        assert not screen.echoes()
        assert (ENTERS in screen.written, HIDES in screen.written) == (True, True)
        assert b"\x1b[31mred" not in screen.written, "a step steers no terminal"
        screen.type("q")
        assert screen.exit_code() == 0
        place.until(lambda: b"left running" in screen.written)
        assert screen.echoes()
        left = screen.written.index(LEAVES)
        assert SHOWS in screen.written
        assert b"  before \\x1b[31mred" in screen.written[left:], "the output of the failure stays"
    (place.specs / "go").touch()
    place.says("up", "--once", code=1)


def test_keys_open_logs_and_retry(place: Place) -> None:
    spec(place, a="echo the output of a", b=FAILS)
    with on_a_screen(place, "up") as screen:
        place.until(lambda: b"exit 3: before" in screen.written)
        screen.type("j")
        screen.type("j")
        screen.type("l")
        place.until(lambda: b"w/a, attempt 1" in screen.written)
        screen.type("q")
        screen.type("k")
        screen.type("r")
        place.until(lambda: b"retry w? y/n" in screen.written)
        screen.type("y")
        place.until(lambda: len(place.shape("w")["status"]["steps"][1]["attempts"]) == 2)
        place.until(lambda: b"w: retrying b (applied)" in screen.written)
        assert b"follow it" not in screen.written, "the advice of the command is not for here"
        screen.type("\x03")
        assert screen.exit_code() == 0


def test_a_narrower_window_is_drawn_anew(place: Place) -> None:
    place.spec("w", a=HELD)
    with on_a_screen(place, "up") as screen:
        place.until(lambda: "─".encode() * 80 in screen.written)
        screen.written = b""
        screen.resize(40, 10)
        place.until(lambda: "─".encode() * 40 in screen.written)
        assert "─".encode() * 41 not in screen.written
        screen.type("q")
        assert screen.exit_code() == 0
    (place.specs / "go").touch()
    place.says("up", "--once")


def test_run_has_it_too_and_goes_on_in_the_background(place: Place) -> None:
    (place.root / "w.yaml").write_text(document("w", a=HELD))
    with on_a_screen(place, "run", "w.yaml") as screen:
        place.until(lambda: place.phase("w") == "Running")
        screen.type("q")
        place.until(lambda: b"d continue in the background" in screen.written)
        screen.type("d")
        assert screen.exit_code() == 0
        place.until(lambda: b"running in the background as pid" in screen.written)
    assert place.phase("w") == "Running"
    (place.root / "go").touch()
    place.until(lambda: place.phase("w") == "Succeeded")
    place.until(lambda: read_status(str(place.state)).phase == "Stopped")


def test_run_ends_with_what_came_of_it(place: Place) -> None:
    (place.root / "w.yaml").write_text(document("w", a="true"))
    with on_a_screen(place, "run", "w.yaml") as screen:
        assert screen.exit_code() == 0
        place.until(lambda: b": 1 succeeded" in screen.written.partition(LEAVES)[2])


def test_its_last_lines_break_between_words(place: Place) -> None:
    name = "a-name-that-is-as-long-as-names-of-real-workflows"
    (place.root / "w.yaml").write_text(document(name, a="false"))
    with on_a_screen(place, "run", "w.yaml") as screen:
        assert screen.exit_code() == 1
        last = f"\r\n  try again: treadle retry {name}\r\n"
        place.until(lambda: screen.written.endswith(last.encode()))


def test_get_watches_in_the_same_view(place: Place) -> None:
    place.spec("w", a=HELD)
    (place.specs / "bad.json").write_text('{"apiVersion": "treadle.dev/v1"}')
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        with on_a_screen(place, "get", "-w") as screen:
            place.until(lambda: "● w".encode() in screen.written)
            assert b"1 invalid" in screen.written
            (place.specs / "go").touch()
            place.until(lambda: "✓ w".encode() in screen.written)
            screen.type("q")
            assert screen.exit_code() == 0


def test_get_watches_what_was_never_valid_too(place: Place) -> None:
    place.spec("fine", a="true")
    (place.specs / "bad.json").write_text(document("bad", a="true").replace('"run"', '"rum"'))
    place.treadle("up", "--once", code=2)
    for names in ((), ("bad",)):
        with on_a_screen(place, "get", "-w", *names) as screen:
            place.until(lambda: "✗ bad: ".encode() in screen.written)
            screen.type("q")
            assert screen.exit_code() == 0
            assert ("✓ fine".encode() in screen.written) == (not names)


def test_what_is_wrong_in_the_state_folder_is_shown_in_the_view(place: Place) -> None:
    place.spec("w", a=HELD)
    with on_a_screen(place, "up") as screen:
        place.until(lambda: "● w".encode() in screen.written)
        (place.state / "requests" / f"{1:020}-1-ab.json").write_text("no request")
        place.until(lambda: b"not a request" in screen.written)
        before = screen.written[: screen.written.index(b"not a request")]
        assert before.rpartition(b"\x1b[K")[2].startswith(b"\x1b[33m"), "a line of the view"
        screen.type("q")
        assert screen.exit_code() == 0


@pytest.mark.parametrize("words", [("get", "-w"), ("run", "other.json"), ("up", "--once")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_terminal_as_it_was(
    place: Place, words: tuple[str, ...], number: signal.Signals
) -> None:
    place.spec("w", a=HELD)
    (place.root / "other.json").write_text(document("other", a=HELD))
    with ExitStack() as stack:
        if words[0] != "up":  # `run` follows this one
            stack.enter_context(place.up())
        place.until(lambda: words[0] == "up" or place.phase("w") == "Running")
        screen = stack.enter_context(on_a_screen(place, *words))
        place.until(lambda: "●".encode() in screen.written)
        os.kill(screen.pid, number)
        assert screen.exit_code() == 128 + number
        place.until(lambda: LEAVES in screen.written)
        assert SHOWS in screen.written
        assert screen.echoes()


def test_a_terminal_that_is_gone_costs_nothing(place: Place) -> None:
    place.spec("w", a=HELD)
    with on_a_screen(place, "up", hears_hangup=False) as screen:
        place.until(lambda: "● w".encode() in screen.written)
        screen.close()
        before = cpu_seconds(screen.pid)
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")
        time.sleep(1)
        assert cpu_seconds(screen.pid) - before < 0.6
        os.kill(screen.pid, signal.SIGTERM)
        assert screen.exit_code() == 0


def cpu_seconds(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TERM", "unknown"), ("TERM", ""), ("TERM", "dumb"), ("PYTHONIOENCODING", "latin-1")],
)
def test_lines_where_a_view_can_not_be_drawn(place: Place, variable: str, value: str) -> None:
    place.spec("w", a="true")
    with on_a_screen(place, "up", "--once", **{variable: value}) as screen:
        assert screen.exit_code() == 0
        place.until(lambda: b"done: 1 succeeded" in screen.written)
        assert b"\x1b" not in screen.written


def test_nothing_is_coloured_if_that_is_not_wanted(place: Place) -> None:
    place.spec("w", a="exit 3")
    with on_a_screen(place, "up", NO_COLOR="1", TTY_COMPATIBLE="0") as screen:
        place.until(lambda: "✗ w".encode() in screen.written)
        assert ENTERS in screen.written
        assert not re.search(rb"\x1b\[[0-9;]*m", screen.written)
        screen.type("q")
        assert screen.exit_code() == 0


def test_what_was_typed_before_a_question_does_not_answer_it(place: Place) -> None:
    place.spec("w", a=HELD)
    with on_a_screen(place, "up") as screen:
        place.until(lambda: "● w".encode() in screen.written)
        screen.type("jcy" + "y" * 3000)
        place.until(lambda: b"cancel w? y/n" in screen.written)
        screen.type("n")
        screen.type("q")
        assert screen.exit_code() == 0
    assert place.phase("w") == "Running"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no shell with job control")
def test_stopped_and_in_the_background_it_leaves_the_terminal_to_others(place: Place) -> None:
    place.spec("w", a=HELD, b="true")
    with on_a_screen(place, "--norc", "--noprofile", "-i", program="bash") as screen:
        screen.type(f"{TREADLE} up\n")
        place.until(lambda: place.phase("w") == "Running")
        place.until(lambda: "● w".encode() in screen.written)
        screen.type("\x1a")
        place.until(lambda: b"Stopped" in screen.written)
        assert LEAVES in screen.written
        drawn = screen.written.count(ENTERS)
        screen.type("bg\n")
        screen.type("echo ty'ped'\n")
        place.until(lambda: b"typed" in screen.written)
        (place.specs / "go").touch()
        place.until(lambda: b"w/a Succeeded" in screen.written)
        assert screen.written.count(ENTERS) == drawn, "in the background it prints lines"
        screen.type("fg\n")
        place.until(lambda: screen.written.count(ENTERS) > drawn)
        screen.type("q")
        place.until(lambda: b"stopped; nothing was running" in screen.written)
        screen.type("exit\n")
        assert screen.exit_code() == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="no shell with job control")
@pytest.mark.parametrize("goes_on", ["fg", "bg"])
def test_after_sigstop_the_terminal_belongs_to_others(place: Place, goes_on: str) -> None:
    place.spec("w", a=HELD)
    with on_a_screen(place, "--norc", "--noprofile", "-i", program="bash") as screen:
        screen.type(f"{TREADLE} up\n")
        place.until(lambda: "● w".encode() in screen.written)
        pid = read_status(str(place.state)).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        place.until(lambda: b"Stopped" in screen.written)
        drawn = screen.written.count(RULE)
        screen.type(f"{goes_on}\n")
        if goes_on == "fg":
            place.until(lambda: screen.written.count(RULE) > drawn)
        else:
            place.until(lambda: LEAVES in screen.written)
        os.kill(pid, signal.SIGTERM)
        place.until(lambda: b"stopped; 1 step left running" in screen.written)
        screen.type("exit\n")
        assert screen.exit_code() == 0
