"""The output of the attempts of a workflow, shown byte by byte, also while they write.

With several steps, each line begins with the name of its step, and is shown when it is whole; only
the beginning of a long one before that. With one step, the bytes are shown at once and unchanged.
To follow, it learns from the log which attempts begin and end, and reads their files: it shows all
output of an attempt before it closes the file.
Memory: one block per open file.
"""

import os
from collections.abc import Callable
from typing import IO

from controller.client.replica import Replica
from controller.errors import NotFound, StorageError
from controller.log.archive import output
from controller.log.output import BLOCK_BYTES, start_of_last_lines
from controller.model.events import AttemptFinished, AttemptScheduled
from controller.model.phases import TERMINAL
from controller.model.state import Attempt, State, Step
from controller.view.find import find_workflow
from controller.view.status import ended
from controller.view.words import of_step


class Page:
    """Where the lines of all outputs come together. A line that is not over may be the last one."""

    def __init__(self, out: IO[bytes], note: Callable[[str], None]) -> None:
        self.out = out
        self.note = note
        self.unfinished: AttemptOutput | None = None  # whose line is not over

    def show(self, writer: "AttemptOutput", text: bytes, end: bytes) -> None:
        """Show a line of `writer`, or a piece of one if `end` is empty."""
        if self.unfinished is not writer:
            if self.unfinished is not None:
                self.out.write(b"\n")
            self.out.write(writer.prefix)
        self.out.write(text + end)
        self.unfinished = None if end else writer


class AttemptOutput:
    """The output file of one attempt, and how much of it was shown."""

    def __init__(self, state_dir: str, log: str, prefix: bytes, page: Page) -> None:
        self.path = os.path.join(state_dir, log)
        self.prefix = prefix
        self._state_dir, self._log = state_dir, log
        self._page = page
        self._file: IO[bytes] | None = None
        self._held = b""  # the beginning of a line

    def open(self, tail: int | None) -> bool:
        """False if the attempt has not written anything yet."""
        try:
            self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115 - until `close`
        except FileNotFoundError:
            self._file = output(self._state_dir, self._log)
            if self._file is None:
                return False
        except OSError as error:
            raise StorageError(f"{self.path}: can't be read: {error.strerror}") from error
        if tail is not None:
            self._file.seek(start_of_last_lines(self._file, tail))
        return True

    def show_new(self) -> None:
        """Show what was written since the last call."""
        if self._file is None and not self.open(None):
            return
        assert self._file is not None
        while block := self._file.read(BLOCK_BYTES):
            if not self.prefix:
                self._page.out.write(block)
                continue
            *lines, self._held = (self._held + block).split(b"\n")
            for line in lines:
                self._page.show(self, line, b"\n")
            if len(self._held) > BLOCK_BYTES:
                self._page.show(self, self._held, b"")
                self._held = b""
        shown = self._file.tell()
        if shown <= self._file.seek(0, os.SEEK_END):
            self._file.seek(shown)
        else:
            self._page.note(f"{self.path}: the step has emptied it; what it wrote before is gone")
            self._file.seek(0)
            self.show_new()

    def close(self) -> None:
        """Show the rest, and close the file."""
        self.show_new()
        if self._held or self._page.unfinished is self:
            self._page.show(self, self._held, b"\n")
        if self._file is not None:
            self._file.close()


class Transcript:
    """The output of the chosen steps of one life of a workflow."""

    def __init__(
        self,
        state: State,
        state_dir: str,
        name: str,
        step: str | None,
        attempt: int | None,
        tail: int | None,
        out: IO[bytes],
        note: Callable[[str], None],
    ) -> None:
        """`out` gets the output; `note` gets messages about it, for people."""
        self._out = out
        self._note = note
        self._page = Page(out, note)
        self._state = state
        self._state_dir = state_dir
        self._workflow = find_workflow(state, name)
        self._step = step
        self._attempt = attempt
        self._tail = tail
        self._open: dict[tuple[str, int], AttemptOutput] = {}

    def show(self) -> None:
        """Show the chosen attempts so far. Files of attempts that still run stay open."""
        for step in self._chosen():
            attempt = self._pick(step)
            if attempt is not None:
                self._show(step, attempt)
            elif self._attempt is not None and self._show_archived(step, self._attempt):
                continue
            elif self._step is not None:
                message = of_step(self._state, self._workflow, step)[1]
                self._note(f"{step.name} has not been tried yet: {message}")

    def follow(self, replica: Replica) -> None:
        """Continue until the chosen workflow, step or attempt has ended."""
        uid = self._workflow.uid
        for folded in replica.follow():
            match folded:
                case None:
                    for output_file in self._open.values():
                        output_file.show_new()
                    self._out.flush()
                    if self._over():
                        return
                case (record, _):
                    event = record.event
                    if isinstance(event, AttemptScheduled) and event.uid == uid:
                        self._begin(event)
                    elif isinstance(event, AttemptFinished) and event.uid == uid:
                        self._end(event)

    def close(self) -> None:
        """Close all files. An incomplete last line is shown as it is."""
        for output_file in self._open.values():
            output_file.close()
        self._out.flush()

    # ---------------------------------------- what is shown

    def _chosen(self) -> list[Step]:
        steps = self._workflow.steps
        return list(steps.values()) if self._step is None else [steps[self._step]]

    def _pick(self, step: Step) -> Attempt | None:
        """The chosen attempt, else the last one."""
        if self._attempt is None:
            return step.attempt
        for attempt in step.attempts:
            if attempt.number == self._attempt:
                return attempt
        if self._step is None or 0 < self._attempt <= step.numbered:
            return None
        count = f"it has {step.numbered}" if step.numbered else "it has none"
        raise NotFound(f"{step.name} has no attempt {self._attempt}; {count}")

    def _show_archived(self, step: Step, number: int) -> bool:
        """Show an attempt that the state no longer has, if its file still exists."""
        log = f"runs/{self._workflow.uid}/{step.name}.{number}.log"
        output_file = self._output_of(step.name, log)
        if number > step.numbered or not output_file.open(self._tail):
            return False
        output_file.close()
        return True

    def _show(self, step: Step, attempt: Attempt) -> None:
        output_file = self._output_of(step.name, attempt.log)
        if output_file.open(self._tail):
            output_file.show_new()
        elif not attempt.live and attempt.started is not None:
            self._note(
                f"{step.name}: the output of attempt {attempt.number} is gone: {output_file.path}"
            )
        if attempt.live:
            self._open[step.name, attempt.number] = output_file
        else:
            output_file.close()

    def _output_of(self, step: str, log: str) -> AttemptOutput:
        alone = self._step is not None or len(self._workflow.steps) == 1
        prefix = b"" if alone else b"[%s] " % step.encode()
        return AttemptOutput(self._state_dir, log, prefix, self._page)

    # ---------------------------------------- to follow

    def _begin(self, event: AttemptScheduled) -> None:
        if self._step in (None, event.step) and self._attempt in (None, event.attempt):
            self._open[event.step, event.attempt] = self._output_of(event.step, event.log)

    def _end(self, event: AttemptFinished) -> None:
        output_file = self._open.pop((event.step, event.attempt), None)
        if output_file is not None:
            output_file.close()

    def _over(self) -> bool:
        workflow = self._workflow
        if workflow.finished or ended(self._state, workflow):
            return True
        step = workflow.steps.get(self._step or "")
        if self._step is None:
            return False
        if step is None or step.phase in TERMINAL:
            return True
        return any(
            attempt.number == self._attempt and not attempt.live for attempt in step.attempts
        )
