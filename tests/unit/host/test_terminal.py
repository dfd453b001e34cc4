"""What is typed, as it comes: in pieces, and with what no key sends."""

import os
import pty
import termios
from contextlib import suppress

import pytest

from controller.host.terminal import Terminal, _named


@pytest.mark.parametrize(
    ("typed", "keys", "held"),
    [
        pytest.param("jé\r", ["j", "é", "enter"], "", id="one by one"),
        pytest.param("\x1b[A\x1bOBx", ["up", "down", "x"], "", id="arrows"),
        pytest.param("\x1b", ["escape"], "", id="escape"),
        pytest.param("\x1bq", ["escape", "q"], "", id="escape, then another"),
        pytest.param("j\x1b[", ["j"], "\x1b[", id="the rest is still to come"),
        pytest.param("\x1b[<0;10;10Mj", ["j"], "", id="a mouse"),
        pytest.param("\x1b[" + ";" * 9999, [], "\x1b[" + ";" * 30, id="no end"),
        pytest.param("\x00\x9b\u202e\t", [], "", id="control characters"),
    ],
)
def test_keys(typed: str, keys: list[str], held: str) -> None:
    assert _named(typed) == (keys, held)


def test_a_terminal_that_is_gone_has_the_size_that_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = pty.openpty()
    termios.tcsetwinsize(other, (30, 100))
    with os.fdopen(other, "w") as file:
        monkeypatch.setattr("sys.stdout", file)
        monkeypatch.setattr("sys.stdin", file)
        terminal = Terminal()
        assert terminal.size == (100, 30)
        terminal.draw(["one line"])
        os.close(ours)
        with pytest.raises(OSError):
            os.get_terminal_size(file.fileno())
        assert terminal.size == (100, 30)
        assert not terminal.take()
        with suppress(OSError):
            file.flush()
