"""A failure comes with what the step printed, in every view, and with the command for the rest."""

import pytest
from cli.place import Place

PRINTS = "for i in 1 2 3 4 5 6 7; do echo line $i; done; printf '\\033[31mboom\\n'; exit 3"
RULE = "── t/b, attempt 1: treadle logs t b ──"


@pytest.fixture
def place_of_t(place: Place) -> Place:
    place.spec("t", a="echo fine", b=PRINTS, c="true")
    return place


def test_up_once_shows_it(place_of_t: Place) -> None:
    lines = place_of_t.says("up", "--once", code=1).splitlines()
    at = lines.index(RULE)
    assert lines[at + 1 : at + 9] == [*(f"  line {n}" for n in range(1, 8)), r"  \x1b[31mboom"]
    assert "  fine" not in lines
    assert lines[-1].endswith(
        ": 1 succeeded, 1 failed (b), 1 skipped (c); try again: treadle retry t"
    )


@pytest.mark.parametrize(("whose", "shown"), [("all", (True, True)), ("none", (False, False))])
def test_whose_output_is_shown_can_be_said(
    place_of_t: Place, whose: str, shown: tuple[bool, bool]
) -> None:
    lines = place_of_t.says("up", "--once", "--show-output", whose, code=1).splitlines()
    assert ("  fine" in lines, RULE in lines) == shown


def test_run_shows_it(place_of_t: Place) -> None:
    (place_of_t.specs / "t.yaml").rename(place_of_t.root / "t.yaml")
    assert RULE in place_of_t.says("run", "t.yaml", code=1).splitlines()


def test_status_and_explain_show_its_end(place_of_t: Place) -> None:
    place_of_t.says("up", "--once", code=1)
    printed = [*(f"line {n}" for n in range(4, 8)), r"\x1b[31mboom"]
    lines = place_of_t.says("status", "t").splitlines()
    at = lines.index(RULE)
    assert lines[at + 1 : at + 6] == [f"  {line}" for line in printed]
    assert place_of_t.says("explain", "t").splitlines()[1:] == [
        r"✗ b failed (exit 3: \x1b[31mboom) → skipped: c",
        *(f"    │ {line}" for line in printed),
        "next: treadle logs t b · treadle retry t",
    ]
    assert "  1 failed (b), 1 skipped, 1 of 3 steps succeeded" in place_of_t.says("status", "t")


def test_output_of_an_earlier_run_is_not_shown(place_of_t: Place) -> None:
    """The step is skipped now: what it printed before says nothing about this run."""
    place_of_t.says("up", "--once", code=1)
    place_of_t.spec("t", a="exit 1", b=PRINTS, c="true")
    place_of_t.says("up", "--once", code=1)
    assert RULE not in place_of_t.says("status", "t").splitlines()


def test_well_known_exit_codes_are_explained(place: Place) -> None:
    place.spec("t", a="pyton3 x.py")
    assert "exit code 127: command not found" in place.says("up", "--once", code=1)


def test_a_step_that_printed_nothing(place: Place) -> None:
    place.spec("t", a="exit 1")
    assert "  (it printed nothing)" in place.says("up", "--once", code=1).splitlines()


def test_output_can_be_shown_while_it_comes(place: Place) -> None:
    script = "echo begin; while [ ! -e go ]; do sleep 0.05; done; printf 'end \\033[1mbold'"
    place.spec("t", a=script, b="echo quick")
    controller = place.begin("up", "--once", "--show-output", "stream", "--utc")
    assert controller.stdout is not None
    lines = iter(controller.stdout.readline, b"")
    assert next(line for line in lines if b"|" in line) == b"t/a | begin\n"
    (place.specs / "go").touch()
    shown = b"".join(lines).decode().splitlines()
    ended = next(n for n, line in enumerate(shown) if "t/a Succeeded" in line)
    assert shown[ended - 1] == r"t/a | end \x1b[1mbold"
    assert "t/b | quick" in shown
    assert controller.wait(30) == 0


def test_up_shows_its_times_in_utc_or_in_the_zone_of_the_machine(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.spec("t", a="true")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert "+09:00 t/a Succeeded" in place.says("up", "--once")
    place.spec("t", a="echo other")
    assert "+00:00 t/a Succeeded" in place.says("up", "--once", "--utc")
