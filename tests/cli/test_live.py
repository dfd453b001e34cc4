"""The live view on a real terminal: what it draws, what keys do, and how it leaves the terminal."""

import fcntl
import json
import os
import pty
import shutil
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from cli.place import HELD, TREADLE, Place, document

from controller.log.status_file import read_status

ENTERS, LEAVES = b"\x1b[?1049h", b"\x1b[?1049l"
HIDES, SHOWS = b"\x1b[?25l", b"\x1b[?25h"
FAILS = "printf 'before \\033[31mred\\n'; exit 3"


class Screen:
    """A terminal with a program in it, and all that was written to it."""

    def __init__(self, pid: int, master: int) -> None:
        self.pid, self.master = pid, master
        self.written = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError):  # EIO: the other end is closed
            while data := os.read(self.master, 65536):
                self.written += data

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def exit_code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def on_a_screen(place: Place, *words: str, program: str = "") -> Iterator[Screen]:
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(place.root)
        env = {**os.environ, "TERM": "xterm", "PS1": "prompt: "}
        os.execvpe(program or TREADLE, [program or "treadle", *words], env)
    screen = Screen(pid, master)
    screen.resize(80, 24)
    try:
        yield screen
    finally:
        os.close(master)


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
        place.until(lambda: b"d go on in the background" in screen.written)
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


def test_get_watches_in_the_same_view(place: Place) -> None:
    place.spec("w", a=HELD)
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        with on_a_screen(place, "get", "-w") as screen:
            place.until(lambda: "● w".encode() in screen.written)
            (place.specs / "go").touch()
            place.until(lambda: "✓ w".encode() in screen.written)
            screen.type("q")
            assert screen.exit_code() == 0


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
