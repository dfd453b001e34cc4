"""A process that does what takes long, so that the event loop of the server never does.

It is asked by a line of JSON, a job after the other, and answers with one. A job that takes longer
than JOB_SECONDS ends with the process, and the next one gets a new process. It exits with the
server: then its stdin ends.

It leaves nothing: what it starts is in its process group, and its scratch files are in a folder of
its own. Whoever kills it ends the one and removes the other; if it exits, it removes that itself.
"""

import asyncio
import os
import shutil
import signal
import stat
import sys
import tempfile
from contextlib import suppress
from typing import Any

import msgspec

from controller.server.door import Refused

JOB_SECONDS = 10.0
WAITING_MAX = 64
_BUSY = "too many long questions are waiting; ask again in a moment"
_FAILED = "the process that works out the answer has failed"
_NOT_BEGUN = "the process that works out the answer can't be started"
ANSWER_BYTES_MAX = 256 << 20


class Folders(msgspec.Struct, frozen=True):
    """Where things are, and what spec files may be read."""

    state: str
    specs: str
    drafts: str | None
    max_spec_bytes: int


class Problem(msgspec.Struct, frozen=True):
    """Why a job has no result: the status of HTTP that tells it."""

    code: int
    message: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`result` is JSON, which the server hands on as it is."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None


class Worker:
    """The server's side. `does`: the module whose jobs the process does.

    `seconds`: what a job may take, once the process is ready.
    """

    def __init__(self, does: str, folders: Folders, seconds: float = JOB_SECONDS) -> None:
        self._does = does
        self._folders = folders
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: asyncio.subprocess.Process | None = None
        self._scratch = ""  # its folder for files that are not to stay
        self._reading: asyncio.Task[None] | None = None  # until it has read the log

    async def begin(self) -> None:
        """Start the process before anybody waits for it."""
        with suppress(Refused):
            async with self._turn:
                await self._ready()

    async def ask(self, job: str, **words: Any) -> bytes:
        """The result of `jobs`, as JSON. Raises Refused."""
        try:
            question = msgspec.json.encode({"job": job, "words": words}) + b"\n"
        except RecursionError:
            raise Refused(400, "something in this request lies too deep") from None
        if self._waiting >= WAITING_MAX:
            raise Refused(503, _BUSY)
        self._waiting += 1
        # Who asked may go away; the process goes on, and its answer is nobody else's.
        asking = asyncio.create_task(self._in_turn(question))
        asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(asking)

    async def _in_turn(self, question: bytes) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                await self._turn.acquire()
            try:
                return await self._asked(question)
            finally:
                self._turn.release()
        except TimeoutError:
            raise Refused(503, _BUSY) from None
        finally:
            self._waiting -= 1

    async def _asked(self, question: bytes) -> bytes:
        process = await self._ready()
        try:
            async with asyncio.timeout(self._seconds):
                assert process.stdin is not None
                process.stdin.write(question)
                await process.stdin.drain()
                answer = msgspec.json.decode(await _line(process), type=Answer)
        except TimeoutError:
            await self.stop()
            raise Refused(504, f"the answer takes more than {self._seconds:.0f} s") from None
        except (OSError, EOFError, msgspec.DecodeError, asyncio.LimitOverrunError):
            await self.stop()
            raise Refused(500, _FAILED) from None
        except BaseException:  # the server stops: nobody takes the answer
            await self.stop()
            raise
        if answer.problem is not None:
            raise Refused(answer.problem.code, answer.problem.message)
        return bytes(answer.result)

    async def _ready(self) -> asyncio.subprocess.Process:
        """The process, once it has read the log, however long that is. Raises Refused."""
        if self._process is not None and not self._is_fit(self._process):
            await self.stop()  # nobody has asked it since then, so nothing is lost
        if self._process is None:
            try:
                self._process = await self._begin()
            except OSError as error:
                await self.stop()
                raise Refused(503, f"{_NOT_BEGUN}: {error.strerror}") from error
            self._reading = asyncio.create_task(_greeted(self._process))
        if self._reading is not None:
            try:
                async with asyncio.timeout(self._seconds):
                    await asyncio.shield(self._reading)
            except TimeoutError:
                raise Refused(503, "the log is still being read; ask again in a moment") from None
            except (OSError, EOFError):
                await self.stop()
                raise Refused(500, _FAILED) from None
            self._reading = None
        return self._process

    def _is_fit(self, process: asyncio.subprocess.Process) -> bool:
        """Whether it was not killed meanwhile, and still has its folder.

        What is old in /tmp is removed, and there anybody can make another in its place.
        """
        try:
            found = os.lstat(self._scratch)
        except OSError:
            return False
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return is_ours and process.returncode is None

    async def _begin(self) -> asyncio.subprocess.Process:
        """Raises OSError."""
        self._scratch = tempfile.mkdtemp(prefix="treadle-serve-")
        return await asyncio.create_subprocess_exec(
            *self._command(),
            env={**os.environ, "TMPDIR": self._scratch},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the server
            limit=ANSWER_BYTES_MAX,
        )

    def _command(self) -> list[str]:
        # -P: a file in the present folder can't replace one of our modules.
        module = f"{__package__}.{self._does}"
        folders = msgspec.json.encode(self._folders).decode()
        return [sys.executable, "-P", "-m", module, folders, self._scratch]

    async def stop(self) -> None:
        process, self._process = self._process, None
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()  # `wait` would not end while something is left to be read
        scratch, self._scratch = self._scratch, ""
        if scratch:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


async def _greeted(process: asyncio.subprocess.Process) -> None:
    """Its first line says that it has read the log."""
    await _line(process)


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readuntil(b"\n")
