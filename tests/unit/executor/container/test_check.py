"""What `treadle doctor` finds out about containers, with programs that only answer."""

import shutil

import pytest

from controller.executor.calls import Answer
from controller.executor.container.check import check
from controller.executor.finding import LeftBehind
from controller.spec.placement import InContainer

VERSION = Answer(0, "podman version 4.3.1\n", "")
NOTHING = Answer(0, "", "")
NO_IMAGE = Answer(125, "", "podman: Error: inspecting object: i: image not known")
NO_CONTAINER = Answer(125, "[]", 'podman: Error: no such container "x"')
LEFT = LeftBehind("w/a attempt 2", "treadle-a-1", "treadle-a-1", {"program": "podman"})


class Programs:
    """Podman is installed, and says this by the first word that is found in a call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **said: Answer) -> None:
        self.said = {"--version": VERSION, "ps": NOTHING, **said}
        self.asked: list[list[str]] = []
        installed = {"podman": "/usr/bin/podman"}
        monkeypatch.setattr(shutil, "which", installed.get)

    def __call__(self, argv: list[str]) -> Answer:
        self.asked.append(argv)
        return next(answer for word, answer in self.said.items() if word in argv)


def found(programs: Programs, *boxes: InContainer, left: tuple[LeftBehind, ...] = ()) -> list[str]:
    marks = {True: "fine", False: "wrong"}
    said = check(boxes, left, programs)
    return [f"{marks[one.fine]} {one.of}: {one.message}" for one in said]


def test_a_program_that_answers_and_an_image_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs(monkeypatch, image=Answer(0, "sha256:1\n", ""))
    assert found(programs, InContainer("i"), InContainer("i")) == [
        "fine podman: podman version 4.3.1 answers",
        "fine image i: podman has it",
    ]


@pytest.mark.parametrize(
    ("box", "said"),
    [
        (InContainer("i"), "fine image i: podman does not have it yet, and pulls it for the first"),
        (
            InContainer("i", pull="never"),
            "wrong image i: podman does not have it, and the spec say",
        ),
    ],
)
def test_an_image_that_is_not_here(
    box: InContainer, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(Programs(monkeypatch, image=NO_IMAGE), box)[1].startswith(said)


def test_an_image_whose_name_an_expression_gives_is_not_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(found(Programs(monkeypatch), InContainer("py:${{ params.v }}"))) == 1


def test_programs_that_are_missing_or_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs(monkeypatch, ps=Answer(125, "", "podman: cannot connect"))
    assert found(programs, InContainer("i"), InContainer("i", program="docker")) == [
        "wrong podman: podman version 4.3.1, but it can't list containers: podman: cannot connect",
        "wrong container: docker is not installed: install it",
    ]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert found(programs, InContainer("i")) == [
        "wrong container: neither podman nor docker is installed: install one of them"
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NO_CONTAINER, "fine given up: w/a attempt 2: no container treadle-a-1 is there any more"),
        (
            Answer(None, "", "podman did not answer within 20 s"),
            "wrong given up: w/a attempt 2: container treadle-a-1: podman did not answer within",
        ),
    ],
)
def test_what_was_given_up(answer: Answer, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = found(Programs(monkeypatch, inspect=answer), left=(LEFT,))
    assert only.startswith(said)


def test_a_log_of_a_stranger_says_nothing_to_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs(monkeypatch)
    odd = LEFT._replace(handle="--all", place={"program": "sh -c evil"})
    found(programs, left=(odd,))
    assert programs.asked == []
