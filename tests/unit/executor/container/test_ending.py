"""A container is ended: its stop signal, the grace, SIGKILL, and in the end a word about it."""

from controller.executor.calls import Answer
from controller.executor.container.ending import FAILED_US, ContainerEnding
from controller.executor.container.reading import Container

SEEN = Container(id="f00", name="n", labels=None, stage="alive", started=True, stop_signal="QUIT")


def test_each_signal_at_its_time() -> None:
    ending = ContainerEnding(kill_at=1000)
    asked = [ending.next_call("podman", SEEN, now) for now in (0, 500, 1000, 1500)]
    kill = ["podman", "kill", "--signal=KILL", "f00"]
    assert asked == [["podman", "kill", "--signal=QUIT", "f00"], None, kill, kill]


def test_a_look_comes_at_the_end_of_the_grace() -> None:
    ending = ContainerEnding(kill_at=150_000)
    assert ending.look_again(0) == 100_000
    assert ending.look_again(100_000) == 150_000


def test_it_fails_once_and_says_why() -> None:
    ending = ContainerEnding(kill_at=0)
    ending.next_call("podman", SEEN, 5)
    ending.heard(Answer(125, "", "permission denied"))
    assert not ending.has_failed(5 + FAILED_US - 1)
    assert ending.has_failed(5 + FAILED_US)
    assert ending.problem == "permission denied"
    assert not ending.has_failed(6 + FAILED_US)


def test_it_goes_on_after_that() -> None:
    ending = ContainerEnding(kill_at=0, killed_at=0, failed=True)
    assert ending.next_call("podman", SEEN, 2 * FAILED_US) is not None
