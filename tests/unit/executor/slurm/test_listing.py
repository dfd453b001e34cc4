"""What Slurm's programs say, and what can't be read."""

import pytest

from controller.executor.names import Labels
from controller.executor.slurm.listing import (
    SQUEUE,
    Garbled,
    Listing,
    Seen,
    Told,
    is_passing,
    is_unreachable,
    read_accounting,
    read_handle,
    read_job,
    read_kill_wait,
    read_listing,
)
from controller.executor.slurm.submission import comment
from controller.loop.ports import AttemptId

NAME = "treadle-load-00000000000002a"
LABELS = Labels("folder", AttemptId("uid", "load", 2), 42)


def line(*fields: str) -> str:
    return "\x1e" + "\x1f".join(fields) + "\n"


def test_squeue_is_asked_for_what_is_read() -> None:
    assert SQUEUE[-1] == "--format=" + line("%A", "%T", "%N", "%j", "%k", "%r").rstrip("\n")


def test_jobs_of_ours() -> None:
    text = line("7", "PENDING", "", NAME, comment(LABELS), "JobHeldUser")
    text += line("8", "RUNNING", "n[1-3]", NAME, "something", "None")
    assert read_listing(text) == [
        Seen("7", "PENDING", "", NAME, LABELS, "JobHeldUser"),
        Seen("8", "RUNNING", "n[1-3]", NAME, None, "None"),
    ]


@pytest.mark.parametrize(
    "others",
    [
        line("9", "RUNNING", "n1", "a\nb", "c\n\nd", "None"),
        line("9", "RUNNING", "n1", "a\x1fb", "c", "None"),
        line("9", "OUT_OF_MEMORY", "n1", "", "", ""),
    ],
    ids=["newlines", "separators", "nothing"],
)
def test_other_jobs_may_have_any_name(others: str) -> None:
    ours = line("7", "PENDING", "", NAME, comment(LABELS), "None")
    assert [seen.job for seen in read_listing(others + ours + others)] == ["7"]


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "motd of the day\n" + line("7", "PENDING", "", NAME, "", ""),
        line("7", "PENDING", "", NAME),
        line("x", "PENDING", "", NAME, "", ""),
        line("7", "pending?", "", NAME, "", ""),
        "\x1e",
    ],
)
def test_garbage_is_no_listing(text: str) -> None:
    with pytest.raises(Garbled, match="squeue said: "):
        read_listing(text)


def test_an_empty_queue_is_one() -> None:
    assert read_listing("") == read_listing("\n") == []


def test_a_number_that_another_job_has_is_not_the_job() -> None:
    listing = Listing(0, [Seen("7", "RUNNING", "n1", NAME, None, "")])
    assert listing.get("7", NAME) is not None
    assert listing.get("7", "treadle-other-1") is None and listing.get("8", NAME) is None


@pytest.mark.parametrize(
    ("state", "reason", "over", "waits", "held"),
    [
        ("PENDING", "Resources", False, True, False),
        ("PENDING", "JobHeldUser", False, True, True),
        ("PENDING", "JobHeldAdmin", False, True, True),
        ("CONFIGURING", "None", False, True, False),
        ("RUNNING", "None", False, False, False),
        ("SUSPENDED", "None", False, False, False),
        ("COMPLETING", "None", False, False, False),
        ("COMPLETED", "None", True, False, False),
        ("NODE_FAIL", "None", True, False, False),
        ("A_STATE_OF_A_LATER_SLURM", "None", False, False, False),
    ],
)
def test_states(state: str, reason: str, over: bool, waits: bool, held: bool) -> None:
    seen = Seen("7", state, "", NAME, None, reason)
    assert (seen.over, seen.waits, seen.held) == (over, waits, held)


@pytest.mark.parametrize(("text", "job"), [("17\n", "17"), ("17;lab\n", "17")])
def test_the_number_of_a_new_job(text: str, job: str) -> None:
    assert read_handle(text) == job


@pytest.mark.parametrize("text", ["", "Submitted batch job 17\n", "17_1"])
def test_no_number(text: str) -> None:
    with pytest.raises(Garbled, match="sbatch said: "):
        read_handle(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("JobId=4 JobState=FAILED ExitCode=0:53 BatchHost=n7 Y=1", Told("FAILED", 0, 53, "n7")),
        ("JobId=4 JobState=COMPLETED DerivedExitCode=1:0 ExitCode=3:0", Told("COMPLETED", 3)),
        ("JobId=4 JobState=RUNNING ExitCode=0:0 BatchHost=n7", None),
        ("nonsense", None),
    ],
)
def test_how_a_job_ended(text: str, told: Told | None) -> None:
    assert read_job(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"7|{NAME}|CANCELLED by 1000|0:15|n1\n", Told("CANCELLED by 1000", 0, 15, "n1")),
        (f"7|{NAME}|NODE_FAIL|1:0|None assigned\n", Told("NODE_FAIL", 1, 0, "")),
        (f"7|{NAME}|RUNNING|0:0|n1\n", None),
        ("7|another|FAILED|1:0|n1\n", None),
        (f"8|{NAME}|FAILED|1:0|n1\n", None),
        ("", None),
    ],
)
def test_the_books(text: str, told: Told | None) -> None:
    assert read_accounting(text, "7", NAME) == told
    assert told is None or told.word in ("CANCELLED", "NODE_FAIL")


def test_kill_wait() -> None:
    assert read_kill_wait("KeepAlive = 1\nKillWait                = 5 sec\n") == 5.0
    assert read_kill_wait("nonsense") is None


@pytest.mark.parametrize(
    ("code", "problem", "unreachable", "passing"),
    [
        (None, "sbatch did not answer within 60 s", True, False),
        (127, "sh: sbatch: not found", True, False),
        (1, "Batch job submission failed: Socket timed out on send/recv operation", True, False),
        (1, "Batch job submission failed: Unable to contact slurm controller", True, False),
        (1, "Munge encode failed: Failed to access the socket", True, False),
        (1, "Batch job submission failed: Invalid partition name specified", False, False),
        (1, "sbatch: unrecognized option '--foo'", False, False),
        (1, "Job violates accounting/QOS policy (job submit limit)", False, True),
        (1, "Slurm temporarily unable to accept job, sleeping and retrying", False, True),
    ],
)
def test_what_a_failure_means(
    code: int | None, problem: str, unreachable: bool, passing: bool
) -> None:
    assert (is_unreachable(code, problem), is_passing(problem)) == (unreachable, passing)
