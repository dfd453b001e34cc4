"""The process that does what takes long: it may be slow, die or answer nonsense."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from server.served import runs

from controller.server.beside import worker as module
from controller.server.beside.worker import WAITING_MAX, Folders, Worker
from controller.server.door import Refused

pytestmark = pytest.mark.usefixtures("stand_in")

FOLDERS = Folders("/nowhere", "/nowhere", None, 1)

# A stand-in that does what its question says.
PROGRAM = """
import json, os, subprocess, sys, tempfile, time
print(flush=True)
for line in sys.stdin:
    words = json.loads(line)["words"]
    if "begin" in words:
        child = subprocess.Popen(["sleep", "600"])
        with open(os.path.join(tempfile.mkdtemp(), "x"), "w") as file:
            file.write("x")
        with open(words["begin"], "w") as file:
            file.write(str(child.pid))
    if "sleep" in words:
        time.sleep(words["sleep"])
    if "die" in words:
        os._exit(3)
    if "say" in words:
        print(words["say"], flush=True)
        continue
    print(json.dumps({"result": [os.getpid(), words.get("echo")]}), flush=True)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    monkeypatch.setattr(Worker, "_command", lambda _: [sys.executable, str(program)])
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 100_000)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def within(test: Callable[[Worker], Awaitable[None]], seconds: float = 20) -> None:
    async def run() -> None:
        worker = Worker("questions", FOLDERS, seconds)
        try:
            await asyncio.wait_for(test(worker), 60)
        finally:
            await worker.stop()

    asyncio.run(run())


async def refused(asked: Awaitable[Any]) -> tuple[int, str]:
    with pytest.raises(Refused) as refusal:
        await asked
    return refusal.value.code, refusal.value.message


async def pid_of(worker: Worker) -> int:
    return int(msgspec.json.decode(await worker.ask("any"))[0])


def test_one_process_answers_all_in_turn() -> None:
    async def test(worker: Worker) -> None:
        first = await pid_of(worker)
        answers = await asyncio.gather(*(worker.ask("any", echo=n) for n in range(30)))
        assert [msgspec.json.decode(answer)[1] for answer in answers] == [*range(30)]
        assert await pid_of(worker) == first

    within(test)


def test_a_job_that_takes_too_long_ends_and_the_next_one_does_not() -> None:
    async def test(worker: Worker) -> None:
        first = await pid_of(worker)
        code, message = await refused(worker.ask("any", sleep=60))
        assert (code, "takes more than" in message) == (504, True)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        assert await pid_of(worker) != first

    within(test, seconds=1.5)


def test_one_that_is_ended_leaves_neither_processes_nor_files(tmp_path: Path) -> None:
    note = tmp_path / "note"

    async def test(worker: Worker) -> None:
        code, _ = await refused(worker.ask("any", begin=str(note), sleep=60))
        assert code == 504
        while runs(int(note.read_text())):
            await asyncio.sleep(0.01)
        assert [*(tmp_path / "tmp").iterdir()] == []
        await pid_of(worker)
        assert len([*(tmp_path / "tmp").iterdir()]) == 1, "of the next one"

    within(test, seconds=1.5)
    assert [*(tmp_path / "tmp").iterdir()] == []


@pytest.mark.parametrize("then", ["nothing", "a file", "a link"])
def test_one_whose_folder_was_cleared_away_is_replaced(tmp_path: Path, then: str) -> None:
    async def test(worker: Worker) -> None:
        first = await pid_of(worker)
        (folder,) = (tmp_path / "tmp").iterdir()
        folder.rmdir()
        if then == "a file":
            folder.touch()
        elif then == "a link":
            folder.symlink_to(tmp_path)
        assert await pid_of(worker) != first
        assert (tmp_path / "tmp").is_dir(), "the link was not followed"

    within(test)


def test_one_that_can_not_be_started_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(worker: Worker) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Worker, "_command", lambda _: [str(tmp_path / "no such program")])
            code, message = await refused(worker.ask("any"))
            assert (code, "can't be started: No such file" in message) == (503, True)
            assert [*(tmp_path / "tmp").iterdir()] == []
        assert await pid_of(worker)

    within(test)


@pytest.mark.parametrize(
    "say",
    [
        *("", "no JSON", "{", '{"result":', '{"problem":{"code":"x"}}', "[]", "\x00"),
        pytest.param("x" * 5_000_000, id="without an end"),
    ],
)
def test_an_answer_that_is_nonsense_is_not_believed(say: str) -> None:
    async def test(worker: Worker) -> None:
        first = await pid_of(worker)
        assert (await refused(worker.ask("any", say=say)))[0] == 500
        assert await pid_of(worker) != first

    within(test)


def test_one_that_dies_is_replaced() -> None:
    async def test(worker: Worker) -> None:
        first = await pid_of(worker)
        assert (await refused(worker.ask("any", die=True)))[0] == 500
        second = await pid_of(worker)
        os.kill(second, signal.SIGKILL)
        assert worker._process is not None
        await worker._process.wait()
        assert len({first, second, await pid_of(worker)}) == 3, "who was killed idle lost nothing"

    within(test)


def test_who_goes_away_leaves_its_answer_to_nobody() -> None:
    async def test(worker: Worker) -> None:
        first = await pid_of(worker)
        gone = asyncio.create_task(worker.ask("any", echo="of the first", sleep=0.5))
        await asyncio.sleep(0.1)
        gone.cancel()
        waits = asyncio.create_task(worker.ask("any", echo="of the second"))
        assert b"of the second" in await waits
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await pid_of(worker) == first, "it need not read the log again"

    within(test)


def test_only_so_many_wait() -> None:
    async def test(worker: Worker) -> None:
        asked = [worker.ask("any", echo=number) for number in range(WAITING_MAX + 5)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        refusals = [each for each in found if isinstance(each, Refused)]
        assert [each.code for each in refusals] == [503] * 5
        assert await pid_of(worker)

    within(test)


def test_a_question_that_lies_too_deep_is_refused() -> None:
    async def test(worker: Worker) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        assert (await refused(worker.ask("any", asked=deep)))[0] == 400

    within(test)
