"""Attempts wait for images; the programs answer here at once, or when the test says so."""

from collections.abc import Callable, Sequence

from controller.executor.calls import Answer, Calls
from controller.executor.container.images import (
    PAUSE_US,
    PAUSE_US_MAX,
    PULLS_MAX,
    Images,
    News,
    Ready,
    Refused,
    Waits,
    Wanted,
)
from controller.loop.ports import AttemptId

HERE, ABSENT, FAILED = Answer(0, "1\n", ""), Answer(125, "", "image not known"), "no such host"


class Asked(Calls):
    """Programs that answer when they are told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, Callable[[Answer], None]]] = []

    def ask(self, argv: Sequence[str], then: Callable[[Answer], None], **_: object) -> None:
        self.waiting.append(("pull" if "pull" in argv else "look", then))

    def answer(self, answer: Answer) -> str:
        verb, then = self.waiting.pop(0)
        then(answer)
        return verb


class Waiting:
    def __init__(self) -> None:
        self.calls = Asked()
        self.news: list[tuple[str, News]] = []
        self.problems: list[str] = []
        self.images = Images(
            self.calls,
            lambda attempt, news: self.news.append((attempt.step, news)),
            lambda _, problem: self.problems.append(problem),
        )
        self.now = 0

    def want(self, step: str, image: str = "x", pull: str = "missing") -> None:
        self.images.want(AttemptId("uid", step, 1), Wanted("podman", image, pull))

    def drop(self, step: str) -> None:
        self.images.drop(AttemptId("uid", step, 1))

    def advance(self, by: int = 0) -> list[str]:
        """What is asked then."""
        self.now += by
        self.images.advance(self.now)
        return [verb for verb, _ in self.calls.waiting]


def test_one_that_is_here() -> None:
    waiting = Waiting()
    waiting.want("a")
    assert waiting.advance() == ["look"]
    waiting.calls.answer(HERE)
    assert waiting.news == [("a", Ready("1"))]
    assert waiting.advance(PAUSE_US) == []


def test_one_that_is_pulled() -> None:
    waiting = Waiting()
    waiting.want("a")
    waiting.advance()
    waiting.calls.answer(ABSENT)
    assert waiting.advance() == ["pull"]
    waiting.calls.answer(HERE)
    assert waiting.advance() == ["look"]
    waiting.calls.answer(HERE)
    assert waiting.news == [("a", Waits("pulling image x")), ("a", Ready("1"))]


def test_pauses_grow_up_to_a_limit() -> None:
    waiting = Waiting()
    waiting.want("a", pull="always")
    pauses = []
    for _ in range(10):
        assert waiting.advance() == ["pull"]
        waiting.calls.answer(Answer(125, "", FAILED))
        due = waiting.images.next_due()
        assert due is not None
        pauses.append(due - waiting.now)
        assert waiting.advance(pauses[-1] - 1) == []
        waiting.now += 1
    assert pauses[:3] == [PAUSE_US, 2 * PAUSE_US, 4 * PAUSE_US]
    assert pauses[-1] == PAUSE_US_MAX
    assert ("a", Waits(FAILED)) in waiting.news


def test_who_comes_later_hears_why_it_waits() -> None:
    waiting = Waiting()
    waiting.want("a", pull="always")
    waiting.advance()
    waiting.want("b", pull="always")
    assert waiting.news[-1] == ("b", Waits("pulling image x"))


def test_only_some_pulls_run_at_once() -> None:
    waiting = Waiting()
    for number in range(PULLS_MAX + 1):
        waiting.want(str(number), f"image{number}", "always")
    assert waiting.advance() == ["pull"] * PULLS_MAX
    waiting.want("other", "here")
    assert waiting.advance() == ["pull"] * PULLS_MAX + ["look"]
    waiting.calls.answer(HERE)
    assert waiting.advance().count("pull") == PULLS_MAX


def test_what_nobody_wants_any_more_is_not_asked_for() -> None:
    waiting = Waiting()
    waiting.want("a")
    waiting.drop("a")
    assert waiting.advance() == []
    assert waiting.images.next_due() is None


def test_an_answer_that_nobody_waits_for_any_more() -> None:
    waiting = Waiting()
    waiting.want("a")
    waiting.advance()
    waiting.drop("a")
    waiting.calls.answer(HERE)
    assert waiting.news == []
    assert waiting.images.next_due() is None


def test_an_edit_changes_what_is_wanted() -> None:
    waiting = Waiting()
    waiting.want("a", "old", "never")
    waiting.advance()
    waiting.want("a", "new", "never")
    waiting.advance()
    waiting.calls.answer(Answer(0, "old", ""))
    waiting.calls.answer(ABSENT)
    ((_, news),) = waiting.news
    assert isinstance(news, Refused)
    assert "new" in news.problem


def test_a_program_that_cant_be_asked_is_no_end() -> None:
    waiting = Waiting()
    waiting.want("a", pull="never")
    waiting.advance()
    waiting.calls.answer(Answer(None, "", "did not answer"))
    assert waiting.problems == ["did not answer"]
    assert waiting.advance(PAUSE_US) == ["look"]
    waiting.calls.answer(HERE)
    assert waiting.problems[-1] == ""
    assert waiting.news == [("a", Ready("1"))]


def test_a_pull_that_brings_nothing_is_tried_again() -> None:
    waiting = Waiting()
    waiting.want("a", pull="always")
    waiting.advance()
    waiting.calls.answer(HERE)
    waiting.advance()
    waiting.calls.answer(ABSENT)
    assert waiting.advance() == []
    assert waiting.advance(PAUSE_US) != []
