"""What is typed, as it comes: in pieces, and with what no key sends."""

import pytest

from controller.host.terminal import _named


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
