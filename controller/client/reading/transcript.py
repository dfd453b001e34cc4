"""The output of the attempts of a workflow, also while they write.

With several steps, each line begins with the name of its step, and is shown when it is whole; only
the beginning of a long one before that. With one step, the bytes are shown at once and unchanged.
On a terminal, which they could steer, lines come instead of bytes in any case, and what is no text
in them is made visible.
To follow, it learns from the log which attempts begin and end, and reads their files: it shows all
output of an attempt before it closes the file.
Memory: one block per open file.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO

from controller.client.replica import Replica
from controller.errors import StorageError
from controller.log.output import (
    BLOCK_BYTES,
    LOOK_BACK_BYTES,
    open_output,
    start_of_last_lines,
)
from controller.model.events import AttemptFinished, AttemptScheduled
from controller.model.phases import TERMINAL, Phase
from controller.model.places import log_file
from controller.model.state import Attempt, State, Workflow
from controller.spec.hooks import hooks_in_force
from controller.spec.items import names_above
from controller.view.ink import inked, inked_output
from controller.view.lists.attempts import (
    NAMED_MAX,
    AttemptChoice,
    Shown,
    chosen,
    earlier_tries,
    heading,
    prefixes,
    printed_nothing,
)
from controller.view.look import Look
from controller.view.status import ended


class Page:
    """Where all outputs come together. `unfinished` is whose line is not over, and may be the last.

    `raw`: the bytes of a line stay as they are. `coloured`: no colour of a step goes on into the
    name of the next.
    """

    def __init__(
        self, out: IO[bytes], note: Callable[[str], None], *, raw: bool, coloured: bool
    ) -> None:
        self.out = out
        self.note = note
        self.raw = raw
        self.unfinished: AttemptOutput | None = None
        self._coloured = coloured
        self._before = b"\x1b[0m" if coloured and raw else b""

    def show(self, writer: "AttemptOutput", text: bytes, end: bytes) -> None:
        """Show a line of `writer`, or a piece of one if `end` is empty.

        A progress bar draws over itself with \\r; only what it drew last is shown, because it would
        also draw over the name.
        """
        if self.unfinished is not writer:
            self.end_line()
            self.out.write(self._before + writer.prefix)
        line = _drawn_last(text)
        self.out.write((line if self.raw else self._printable(line)) + end)
        self.unfinished = None if end else writer

    def _printable(self, line: bytes) -> bytes:
        return inked_output(line.decode(errors="backslashreplace"), self._coloured).encode()

    def show_raw(self, writer: "AttemptOutput", block: bytes) -> None:
        self.out.write(block)
        self.unfinished = None if block.endswith(b"\n") else writer

    def end_line(self) -> None:
        if self.unfinished is not None:
            self.out.write(b"\n")
            self.unfinished = None


def _drawn_last(line: bytes) -> bytes:
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _is_plain(piece: bytes) -> bool:
    """Whether it can be shown before its line is over: nothing in it waits for more."""
    return piece.isascii() and piece.translate(None, b"\t").decode().isprintable()


class AttemptOutput:
    """The output file of one attempt, and how much of it was shown.

    While an engine runs it, that is where the engine has it; then it is in the state folder.
    """

    def __init__(
        self, state_dir: str, log: str, prefix: bytes, page: Page, attempt: Attempt | None
    ) -> None:
        self.path = os.path.join(state_dir, log)
        self.prefix = prefix
        self._attempt = attempt
        self._state_dir, self._log = state_dir, log
        self._page = page
        self._in_lines = bool(prefix) or not page.raw
        self._file: IO[bytes] | None = None
        self._held = b""  # the beginning of a line

    def open(self, tail: int | None) -> bool:
        """False if there is no file: the attempt has not begun, or its output is gone."""
        place = self._attempt.place if self._attempt is not None else {}
        try:
            self._file = open_output(self._state_dir, self._log, place.get("output", ""))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(f"{self.path}: can't be read: {error.strerror}") from error
        if tail is not None:
            start, enough = start_of_last_lines(self._file, tail, LOOK_BACK_BYTES)
            if not enough:
                mib = LOOK_BACK_BYTES >> 20
                self._page.note(
                    f"{self.path}: the last {mib} MiB; they have less than {tail} lines"
                )
            self._file.seek(start)
        return True

    def is_empty(self) -> bool:
        if self._file is None:
            return True
        at = self._file.tell()
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(at)
        return size == 0

    def show_new(self) -> None:
        """Show what was written since the last call."""
        if self._file is None and not self.open(None):
            return
        assert self._file is not None
        while block := self._file.read(BLOCK_BYTES):
            if not self._in_lines:
                self._page.show_raw(self, block)
                continue
            *lines, self._held = (self._held + block).split(b"\n")
            for line in lines:
                self._page.show(self, line, b"\n")
            if len(self._held) > BLOCK_BYTES:
                self._hold_less()
        if not self.prefix and self._held and _is_plain(self._held):  # dots, or a question
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
        self._follow_home()
        self.show_new()
        if self._in_lines and (self._held or self._page.unfinished is self):
            self._page.show(self, self._held, b"\n")
        if self._file is not None:
            self._file.close()

    def _follow_home(self) -> None:
        """The attempt may have ended: an engine has then moved its output, and removes the rest."""
        if self._file is None or self._attempt is None or not self._attempt.place:
            return
        with suppress(FileNotFoundError):
            moved = open_output(self._state_dir, self._log)
            moved.seek(self._file.tell())
            self._file.close()
            self._file = moved

    def _hold_less(self) -> None:
        """Of a long line, show the beginning; of a progress bar, forget what was drawn over."""
        self._held = _drawn_last(self._held)
        if len(self._held) > BLOCK_BYTES:
            self._page.show(self, self._held, b"")
            self._held = b""


class Transcript:
    """The output of the chosen attempts of one life of a workflow."""

    def __init__(
        self,
        state: State,
        state_dir: str,
        workflow: Workflow,
        choice: AttemptChoice,
        tail: int | None,
        out: IO[bytes],
        note: Callable[[str], None],
        look: Look,
        *,
        raw: bool,
    ) -> None:
        """`out` gets the output; `note` gets lines about it, for people. `tail`: lines of each.
        `raw`: the bytes of the output as they are.
        """
        self._out = out
        self._page = Page(out, note, raw=raw, coloured=look.colour)
        self._write_note = note
        self._look = look
        self._state = state
        self._state_dir = state_dir
        self._workflow = workflow
        self._choice = choice
        self._tail = tail
        self._open: dict[tuple[str, int], AttemptOutput] = {}
        names = [step.name for step in chosen(workflow, choice)]
        self._chosen = len(names)
        self._prefix = prefixes(workflow, names, look.width is not None, look.colour)

    def show(self, told: Iterable[Shown | str]) -> None:
        """Show these so far, each line with its step. Files of attempts that run stay open."""
        for shown in told:
            if isinstance(shown, str):
                self._note(shown)
            else:
                self._say_what_was_before(shown)
                self._show(shown, self._output_of(shown.step.name, self._log(shown), shown.attempt))

    def show_under_headings(self, told: Iterable[Shown | str]) -> None:
        """Show these, one below the other."""
        for shown in told:
            if isinstance(shown, str):
                self._note(shown)
                continue
            assert shown.attempt is not None, shown
            line = self._look.fit(heading(shown.step, shown.attempt, self._look))
            self._page.end_line()
            self._out.write(f"{inked(self._look.paint(line, 'dim'))}\n".encode())
            log, attempt = self._log(shown), shown.attempt
            self._show(shown, AttemptOutput(self._state_dir, log, b"", self._page, attempt))
            self.close()  # what it writes from now on would come under another heading

    def follow(self, replica: Replica) -> None:
        """Go on with these and what begins, until the chosen steps or the run have ended."""
        uid = self._workflow.uid
        for folded in replica.follow():
            match folded:
                case None:
                    for output_file in self._open.values():
                        output_file.show_new()
                    self._out.flush()
                    if self.is_over():
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
        self._open.clear()
        self._out.flush()

    def is_over(self) -> bool:
        """Whether nothing more will come of the chosen steps in this run."""
        workflow = self._workflow
        if workflow.finished or ended(self._state, workflow):
            return True
        if not self._choice.steps:
            return False
        steps = [workflow.find(name) for name in self._choice.steps]
        return all(
            step is None
            or step.phase in TERMINAL
            or any(
                attempt.number == self._choice.attempt and not attempt.live
                for attempt in step.attempts
            )
            for step in steps
        )

    def _note(self, text: str) -> None:
        for line in self._look.wrapped(text, hang=3):
            self._write_note(line)

    # ---------------------------------------- one attempt

    def _show(self, shown: Shown, output_file: AttemptOutput) -> None:
        attempt = shown.attempt
        if output_file.open(self._tail):
            empty = output_file.is_empty()
            output_file.show_new()
        else:
            empty = attempt is not None and (attempt.live or attempt.started is None)
            if not empty:
                self._note(
                    f"{shown.step.name}: the output of attempt {shown.number} is gone: "
                    f"{output_file.path}"
                )
        if empty and attempt is not None and self._is_asked_about(shown):
            self._note(printed_nothing(self._state, self._workflow, shown.step, attempt))
        if attempt is not None and attempt.live:
            self._open[shown.step.name, shown.number] = output_file
        else:
            output_file.close()

    def _say_what_was_before(self, shown: Shown) -> None:
        if shown.attempt is None or self._choice.attempt is not None:
            return
        line = earlier_tries(self._workflow, shown.step, shown.attempt, self._choice)
        if line and self._is_asked_about(shown):
            self._note(line)

    def _is_asked_about(self, shown: Shown) -> bool:
        """Whether to print a line about it: a hundred such lines would help nobody."""
        named = 0 < self._chosen <= NAMED_MAX and bool(self._choice.steps)
        return self._alone() or named or shown.step.phase is Phase.FAILED

    def _alone(self) -> bool:
        """Whether there is one step, so that no line needs its name. An edit may add others."""
        workflow, steps = self._workflow, self._choice.steps
        if not steps:
            no_hooks = not workflow.hooks and not any(hooks_in_force(workflow.spec).values())
            steps = list(workflow.steps) if no_hooks else ()
        return len(steps) == 1 and not self._is_parent(steps[0])

    def _is_parent(self, name: str) -> bool:
        step = self._workflow.find(name)
        return step is not None and step.is_parent

    def _log(self, shown: Shown) -> str:
        if shown.attempt is not None:
            return shown.attempt.log
        return log_file(self._workflow.uid, shown.step.name, shown.number)

    def _output_of(self, step: str, log: str, attempt: Attempt | None) -> AttemptOutput:
        prefix = b"" if self._alone() else inked(self._prefix(step)).encode()
        return AttemptOutput(self._state_dir, log, prefix, self._page, attempt)

    # ---------------------------------------- to follow

    def _begin(self, event: AttemptScheduled) -> None:
        choice = self._choice
        wanted = {event.step, *names_above(event.step)}
        step = not choice.steps or not wanted.isdisjoint(choice.steps)
        if step and choice.attempt in (None, event.attempt):
            attempt = self._workflow.step(event.step).live
            output_file = self._output_of(event.step, event.log, attempt)
            self._open[event.step, event.attempt] = output_file

    def _end(self, event: AttemptFinished) -> None:
        output_file = self._open.pop((event.step, event.attempt), None)
        if output_file is not None:
            output_file.close()
