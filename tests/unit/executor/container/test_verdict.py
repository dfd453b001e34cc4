"""How an attempt ended, by what its container and its client came to."""

import pytest
from msgspec.structs import replace

from controller.executor.container.attempt import ContainerAttempt
from controller.executor.container.reading import Container
from controller.executor.container.verdict import DOUBTS_MAX, judge
from controller.executor.names import Labels
from controller.loop.ports import AttemptId, ClockReading, Ended

ID = AttemptId("uid", "load", 2)
OURS = Labels("folder", ID, 7)
NOW, WALL = 1_000_000_000, 5_000_000_000
CLOCKS = ClockReading("boot", 0, 0, WALL)


def container(stage: str = "over", **changes: object) -> Container:
    fields = {"id": "f00", "name": "n", "labels": OURS, "stage": stage, "started": True}
    fields |= {"exit_code": 3 if stage == "over" else None, "seconds": 2.0, "ended": WALL / 1e6 - 5}
    return Container(**fields | changes)  # type: ignore[arg-type]


def client(how: str = "exited", **changes: object) -> Ended:
    fields = {"id": ID, "how": how, "at": NOW - 7_000_000}
    return Ended(**fields | changes)  # type: ignore[arg-type]


NEVER_RAN = container("held", started=False)
FOREIGN = container(labels=None)
OF_ANOTHER = container(labels=OURS._replace(mark=8))


def verdict(seen: Container | None, of_client: Ended | None, **changes: object) -> Ended | str:
    attempt = ContainerAttempt(ID, 7, "n", "podman", client=of_client, **changes)  # type: ignore[arg-type]
    return judge(attempt, seen, CLOCKS, NOW, lambda: "Error: what the client said")


@pytest.mark.parametrize(
    ("seen", "of_client", "expected"),
    [
        pytest.param(None, None, "making", id="its client has not made it yet"),
        pytest.param(NEVER_RAN, None, "making", id="its client has not started it yet"),
        pytest.param(FOREIGN, None, "making", id="its client will find the name taken"),
        pytest.param(container("alive"), None, "runs", id="both are there"),
        pytest.param(container("alive"), client(signal=9), "runs", id="the container counts"),
        pytest.param(
            container("alive"), client(exit_code=125), "runs", id="whatever its client said"
        ),
    ],
)
def test_what_is_not_over(seen: Container | None, of_client: Ended | None, expected: str) -> None:
    assert verdict(seen, of_client) == expected


@pytest.mark.parametrize(
    ("seen", "of_client", "how", "word"),
    [
        pytest.param(container(), client(exit_code=3), "exited", "", id="as its client says"),
        pytest.param(container(), client(signal=9), "exited", "", id="its client was killed"),
        pytest.param(container(), client("lost"), "exited", "", id="nobody saw its client end"),
        pytest.param(container(), client(exit_code=125), "exited", "", id="its client is wrong"),
        pytest.param(
            container(exit_code=127), client(exit_code=127), "exited", "", id="its own 127"
        ),
        pytest.param(None, client(exit_code=125), "start-failed", "what the client said", id="125"),
        pytest.param(
            NEVER_RAN, client(exit_code=126), "start-failed", "what the client said", id="126"
        ),
        pytest.param(
            NEVER_RAN, client(exit_code=127), "start-failed", "what the client said", id="127"
        ),
        pytest.param(
            replace(NEVER_RAN, problem="no exec"),
            client(exit_code=127),
            "start-failed",
            "no exec",
            id="words",
        ),
        pytest.param(FOREIGN, client(exit_code=125), "start-failed", "taken", id="foreign name"),
        pytest.param(OF_ANOTHER, client(exit_code=125), "start-failed", "taken", id="another mark"),
        pytest.param(NEVER_RAN, client(signal=9), "lost", "client was killed", id="client killed"),
        pytest.param(
            None,
            client(signal=9),
            "lost",
            "client was killed",
            id="client killed before it was made",
        ),
        pytest.param(None, client(exit_code=137), "lost", "no container", id="removed by force"),
        pytest.param(
            container(exit_code=None),
            client(exit_code=0),
            "lost",
            "does not know",
            id="no exit code",
        ),
    ],
)
def test_what_is_over(seen: Container | None, of_client: Ended, how: str, word: str) -> None:
    ended = verdict(seen, of_client)
    assert isinstance(ended, Ended)
    assert ended.how == how
    assert word in ended.problem


def test_one_that_ran_and_was_removed_has_started() -> None:
    ended = verdict(None, client(exit_code=125), ran=True)
    assert isinstance(ended, Ended)
    assert ended.how == "lost"


@pytest.mark.parametrize("code", [137, 143])
def test_what_was_stopped_together_with_the_shim_is_lost(code: int) -> None:
    stopped = client("lost", signal=15, problem="SIGTERM stopped it")
    ended = verdict(container(exit_code=code), stopped)
    assert isinstance(ended, Ended)
    assert (ended.how, ended.problem) == ("lost", "SIGTERM stopped it")


def test_a_code_of_its_own_counts_although_the_shim_was_stopped() -> None:
    ended = verdict(container(exit_code=1), client("lost", signal=15))
    assert isinstance(ended, Ended)
    assert (ended.how, ended.exit_code) == ("exited", 1)


@pytest.mark.parametrize(
    ("of_client", "started", "at"),
    [
        pytest.param(client(exit_code=3), 0, NOW - 7_000_000, id="when its client ended"),
        pytest.param(client(signal=9), 0, NOW - 5_000_000, id="as long ago as the wall clock says"),
        pytest.param(client(signal=9), NOW - 1, NOW - 1, id="not before it started"),
    ],
)
def test_when_it_ended(of_client: Ended, started: int, at: int) -> None:
    ended = verdict(container(), of_client, started=started)
    assert isinstance(ended, Ended)
    assert ended.at == at
    assert ended.usage is not None
    assert ended.usage.wall_seconds == 2.0


def test_a_clock_that_was_set_back_puts_no_end_into_the_future() -> None:
    ended = verdict(container(ended=WALL / 1e6 + 100), client(signal=9))
    assert isinstance(ended, Ended)
    assert ended.at == NOW


def test_out_of_memory_is_the_reason_of_the_engine() -> None:
    ended = verdict(container(exit_code=137, out_of_memory=True), client(exit_code=137))
    assert isinstance(ended, Ended)
    assert ended.engine_reason == "OOMKilled"


@pytest.mark.parametrize("seen", [container("alive"), container(exit_code=0)])
def test_what_nobody_watched_is_lost_whatever_podman_says_later(seen: Container) -> None:
    ended = verdict(seen, client(signal=9), doubts=DOUBTS_MAX)
    assert isinstance(ended, Ended)
    assert ended.how == "lost"
