"""What `treadle doctor` finds out about a cluster, with programs that only answer."""
# ruff: noqa: E501  (a line a case)

import os
import shutil
from pathlib import Path

import pytest

from controller.executor.calls import Answer
from controller.executor.finding import LeftBehind
from controller.executor.slurm.check import check
from controller.spec.placement import OnSlurm

VERSION = Answer(0, "slurm-wlm 22.05.8\n", "")
NOTHING = Answer(0, "", "")
DOWN = Answer(1, "", "squeue: error: Unable to contact slurm controller (connect failure)")
LEFT = LeftBehind("w/a attempt 2", "4711", "treadle-a-1", {})


class Programs:
    """All are installed, and say this by the first word that a call begins with or holds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **said: Answer) -> None:
        self.said = {"sbatch": VERSION, "squeue": NOTHING, **said}
        self.asked: list[list[str]] = []
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    def __call__(self, argv: list[str]) -> Answer:
        self.asked.append(argv)
        return self.said[argv[0]]


def found(programs: Programs, *jobs: OnSlurm, left: tuple[LeftBehind, ...] = ()) -> list[str]:
    marks = {True: "fine", False: "wrong"}
    return [f"{marks[one.fine]} {one.of}: {one.message}" for one in check(jobs, left, programs)]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir(mode=0o700)
    return tmp_path / "shared"


def test_a_cluster_that_answers(monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    up = Answer(0, "PartitionName=gpu AllowGroups=ALL State=UP TotalNodes=4\n", "")
    programs = Programs(monkeypatch, scontrol=up)
    first, partition, folder = found(
        programs, OnSlurm("gpu", str(shared)), OnSlurm("gpu", str(shared))
    )
    assert (first, partition) == ("fine slurm: slurm-wlm 22.05.8 answers", "fine partition gpu: UP")
    assert folder.startswith(f"fine sharedDir {shared}: is yours alone, on ")


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    programs = Programs(monkeypatch, squeue=DOWN)
    assert found(programs, OnSlurm("gpu", str(shared)))[0] == f"wrong slurm: {DOWN.problem}"
    assert [argv[0] for argv in programs.asked] == ["sbatch", "squeue"], "no partition is asked for"
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "sbatch" else name)
    (first, *_) = found(programs, OnSlurm(shared_dir=str(shared)))
    assert first == "wrong slurm: this machine has no sbatch: install Slurm's client programs"


def test_partitions(monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    where = OnSlurm("gpu", str(shared))
    down = Answer(0, "PartitionName=gpu State=DOWN", "")
    assert found(Programs(monkeypatch, scontrol=down), where)[1] == "wrong partition gpu: DOWN"
    absent = Answer(1, "", "scontrol: Partition gpu not found")
    assert found(Programs(monkeypatch, scontrol=absent), where)[1] == (
        "wrong partition gpu: scontrol: Partition gpu not found"
    )


def test_shared_folders(monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    programs = Programs(monkeypatch)

    def said(path: object) -> str:
        return found(programs, OnSlurm(shared_dir=str(path)))[1]

    assert "is not there yet; the first step" in said(shared / "new")
    assert said(shared / "a" / "b").startswith("wrong ")
    assert "a step on Slurm has no sharedDir" in said("")
    (shared / "file").touch()
    assert said(shared / "file").endswith("is no folder")
    shared.chmod(0o750)
    assert f"close it: chmod 700 {shared}" in said(shared)
    if os.geteuid() == 0:
        os.chown(shared, 65534, 65534)
        assert "belongs to " in said(shared)


@pytest.mark.parametrize(
    ("handle", "answer", "said"),
    [
        ("4711", Answer(1, "", "slurm_load_jobs error: Invalid job id specified"), "fine given up: w/a attempt 2: job 4711 is no longer in the queue"),
        ("4711", NOTHING, "fine given up: w/a attempt 2: job 4711 is no longer in the queue"),
        ("4711", Answer(0, "RUNNING\n", ""), "wrong given up: w/a attempt 2: job 4711 is still in the queue; to cancel it: scancel 4711"),
        ("4711", DOWN, f"wrong given up: w/a attempt 2: job 4711: {DOWN.problem}"),
        ("", NOTHING, "fine given up: w/a attempt 2: no job of its name is in the queue"),
        ("--all", Answer(0, "12\n13\n", ""), "wrong given up: w/a attempt 2: job 12 13 is still in the queue; to cancel it: scancel 12 13"),
    ],
)  # fmt: skip
def test_what_was_given_up(
    handle: str, answer: Answer, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, squeue=answer)
    assert found(programs, left=(LEFT._replace(handle=handle),))[1] == said
    assert not any("--all" in argv for argv in programs.asked)
