"""What takes long, or is about the past, the archive, or other specs than those in force.

It has a replica of its own, which follows the log from one question to the next.
"""

import gc
import os
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BytesIO
from itertools import islice
from typing import IO, Any

import msgspec

from controller.client.past import (
    apart,
    as_it_left,
    played,
    recall,
    run_of,
    state_at,
    told_since,
)
from controller.client.reading.audit import read_past
from controller.client.reading.foresight import Folder, of_folder
from controller.client.reading.in_use import used_now
from controller.client.reading.metrics import exposition
from controller.client.reading.printed import by_failed
from controller.client.reading.reasons import around, lines, shapes
from controller.client.replica import Replica, controller_shape, files_waiting, is_live, now, stood
from controller.errors import NotFound, TreadleError, UsageError
from controller.log.status_file import read_status
from controller.model.state import SECOND, Attempt, State, Step, Workflow
from controller.rehearsal import change
from controller.server.attempts import Part, Printed, attempt_of, opened, printed, unpacked
from controller.server.beside.process import answer_all, folders_given
from controller.server.beside.worker import Folders
from controller.server.feed import shortened
from controller.server.lists import chosen, grid_of, overview_of, page_of
from controller.server.shapes import (
    Differences,
    DueList,
    Explained,
    Insight,
    InstanceGrid,
    Match,
    Matches,
    Overview,
    PhaseChange,
    RunPlay,
    StepExplained,
    WorkflowList,
)
from controller.spec.linked import Linked
from controller.view import words
from controller.view.changes.difference import shape as shape_of_change
from controller.view.find import find, find_workflow, pick_step
from controller.view.graph.boxes import boxes_of
from controller.view.graph.layout import laid_out
from controller.view.graph.shape import Direction, Layout
from controller.view.graph.standing import Graph, standings
from controller.view.lists.listing import shape_of, standing
from controller.view.lists.runs import expected_end, usual_of, why_of_present
from controller.view.lists.schedule import DueTime, audit, parse_range, timed
from controller.view.lists.schedule import shape as shape_of_due
from controller.view.look import Look
from controller.view.pages.page import critical_path
from controller.view.planned import planned, with_planned
from controller.view.shape import ControllerShape
from controller.view.status import ARCHIVED, workflow_shape
from controller.view.times import rfc3339, rfc3339_or_none

MATCHES_MAX = 200
LINE_MAX = 1_000  # characters of a line that is shown
SEARCH_BLOCK, SEARCH_MAX = 1 << 20, 256 << 20  # bytes of one block, of one search
AUDIT_MAX = 5_000
MOVES_MAX = 200_000
RECORDS_MAX, RECORDS_BYTES_MAX = 2_000, 1 << 20  # told at once
LAYOUTS_MAX = 50
PLAYS_MAX = 8  # of finished runs that are kept
DRAWN_MAX = 50  # changes of specs
RECALLED_MAX = 20  # archived lives that are kept


class Questions:
    """Each public method is a job: what it gives goes to the client as JSON."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._state_dir = folders.state
        self._replica: Replica | None = None
        self._told: dict[tuple[int, int], Any] = {}  # a reading of the log that goes on
        self._plays: OrderedDict[tuple[str, int], RunPlay] = OrderedDict()
        self._layouts: OrderedDict[tuple[Any, ...], Layout] = OrderedDict()
        self._left = lru_cache(RECALLED_MAX)(as_it_left)
        self._unpacked: tuple[str, IO[bytes]] = ("", BytesIO())  # the last output, by its log

    def begin(self) -> None:
        """Read the log, so that no question waits for that."""
        with suppress(TreadleError):  # each question that needs it will say so
            self._fresh()
        gc.freeze()

    # ---------------------------------------- now

    def workflow(self, name: str, point: str = "") -> Any:
        """One that is large, in the archive, or as it was then."""
        if point:
            past = self._past(point)
            return shape_of(past, find(past, name))
        state, life = self._life(name)
        moment = now()
        return workflow_shape(
            state, life, used_now([life], moment), files_waiting(self._state_dir), moment
        )

    def overview(self, asked: dict[str, str]) -> Overview:
        """A list that is wide; with `at`, as it was at a record or a moment."""
        if point := asked.get("at"):
            state = self._past(point)
            look, controller = Look(now=state.time), _then(state)
        else:
            state = self._fresh()
            look, controller = self._look(state), controller_shape(self._state_dir)
        return overview_of(state, asked, look, controller, f"{state.epoch}.{state.seq}")

    def instances(self, name: str, asked: dict[str, str]) -> InstanceGrid:
        """A grid that is wide."""
        return grid_of(self._fresh(), name, asked)

    def workflows(self, asked: dict[str, str]) -> WorkflowList:
        """A part of them, in full; with `at`, as they were then."""
        if point := asked.get("at"):
            state = self._past(point)
            page, after = page_of(chosen(state, asked, "all"), asked)
            items = [shape_of(state, entry) for entry in page]
            return WorkflowList(items=items, controller=_then(state), next=after)
        state, moment = self._fresh(), now()
        page, after = page_of(chosen(state, asked, "all"), asked)
        in_use = used_now(page, moment)
        files = files_waiting(self._state_dir)
        return WorkflowList(
            items=[shape_of(state, entry, in_use, files, moment) for entry in page],
            controller=controller_shape(self._state_dir),
            next=after,
        )

    def insight(self, name: str) -> Insight:
        """What there is to say beyond its shape."""
        state, life = self._life(name)
        view = self._look(state)
        end, length = expected_end(state, life, view.clock), usual_of(state, life)
        reason, message = words.at_present(state, life)
        return Insight(
            reason=reason,
            verdict=words.verdict(life) if life.finished else message,
            standing="" if life.starter is not None else standing(life),
            started_by=why_of_present(state, life),
            expected_end=rfc3339_or_none(end),
            usual_seconds=None if length is None else length / SECOND,
            critical_path=[step.name for step in critical_path(life)],
            archived=ARCHIVED in life.conditions,
            why=[*lines(self._state_dir, state, life, None, around(self._state_dir), view)],
            printed=_printed(self._state_dir, life),
        )

    def graph(self, name: str, direction: Direction) -> Graph:
        """Where each step stands in a picture; places are kept while the steps stay the same."""
        state, life = self._life(name)
        is_definition = life.starter is not None  # it has no run of its own
        steps = planned(life.spec) if is_definition else with_planned(life)
        layout = self._layout((life.uid, life.generation, direction, *steps), steps, direction)
        if is_definition:
            return Graph(workflow=life.name, uid=life.uid, layout=layout)
        printed = by_failed(self._state_dir, life)
        return Graph(
            workflow=life.name,
            uid=life.uid,
            generation=life.generation,
            run=life.run or None,
            phase=life.phase,
            layout=layout,
            standings=standings(state, life, self._look(state), printed, steps, layout),
        )

    def _layout(
        self, key: tuple[Any, ...], steps: Mapping[str, Step], direction: Direction
    ) -> Layout:
        """`key`: what the picture depends on."""
        if key not in self._layouts:
            self._layouts[key] = laid_out(boxes_of(steps), direction)
            while len(self._layouts) > LAYOUTS_MAX:
                self._layouts.popitem(last=False)
        self._layouts.move_to_end(key)
        return self._layouts[key]

    def explain(self, name: str, step: str | None) -> Explained:
        state, life = self._life(name)
        picked = pick_step(life, [step]) if step else None
        seen = around(self._state_dir)
        told = [*lines(self._state_dir, state, life, picked, seen, self._look(state))]
        found = [] if life.starter is not None else shapes(state, life, picked, seen)
        steps = msgspec.convert(found, list[StepExplained])
        among = {cause.step for each in steps for cause in each.causes}
        return Explained(lines=told, steps=steps, printed=_printed(self._state_dir, life, among))

    def diff(self, revision: str | None, staged: bool, drafts: bool) -> Differences:
        """What the specs of the folder, of git or of the drafts would do."""
        state, folders = self._fresh(), self._folders
        if drafts and folders.drafts is None:
            raise UsageError("the server was started without --drafts")
        notes: list[str] = []
        folder = Folder(
            specs=folders.specs,
            state_dir=self._state_dir,
            max_bytes=folders.max_spec_bytes,
            of_git=staged or revision is not None,
            revision=revision,
            drafts=folders.drafts if drafts else None,
        )
        seen = of_folder(folder, state, notes.append)
        drawn = [change for change in seen.changes if change.is_change][:DRAWN_MAX]
        return Differences(
            notes=notes,
            items=[shape_of_change(change) for change in seen.changes],
            faults=[*seen.faults, *seen.warnings],
            graphs={change.workflow: _as_it_becomes(change) for change in drawn},
        )

    def schedule(self, name: str, count: int) -> DueList:
        state, life = self._life(name)
        found = timed(state, [life], now() // SECOND, is_live(self._state_dir))
        shown = [due for each in found for due in (*each.behind(), *each.ahead(count))]
        shown.sort(key=lambda due: (due.due, due.trigger))
        return DueList(items=[shape_of_due(due) for due in shown])

    def metrics(self) -> str:
        """In the text format of Prometheus."""
        return exposition(self._fresh(), read_status(self._state_dir)).decode()

    # ---------------------------------------- the past

    def since(self, epoch: int, seq: int) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
        """Some of the records behind this one, each with its id; who asks goes on behind the last.

        Nothing behind it: an empty list. Raises NotFound if the log has another in its place.
        """
        news = self._told.pop((epoch, seq), None) or told_since(self._state_dir, epoch, seq)
        found: list[tuple[str, Sequence[Mapping[str, Any]]]] = []
        size = 0
        for record, told in news:
            few = shortened(told)
            found.append((f"{record.epoch}.{record.seq}", few))
            size += len(msgspec.json.encode(few))
            if len(found) == RECORDS_MAX or size > RECORDS_BYTES_MAX:
                self._told = {(record.epoch, record.seq): news}
                break
        return found

    def run(self, name: str, number: int) -> Any:
        """One workflow at the end of a run."""
        state, life = run_of(self._state_dir, apart(self._fresh()), name, number)
        return workflow_shape(state, life, now=state.time)

    def changes(self, name: str, number: int | None) -> RunPlay:
        """All that happened in a run, the last one if None, so that the page can play it."""
        life = self._life(name)[1]
        uid, number = life.uid, life.run if number is None else number
        if (uid, number) in self._plays:
            return self._plays[uid, number]
        play = self._played(name, number)
        if play.completion_time is not None:  # it stays as it is
            self._plays[uid, number] = play
            if len(self._plays) > PLAYS_MAX:
                self._plays.popitem(last=False)
        return play

    def _played(self, name: str, number: int) -> RunPlay:
        run, life, began, moves = played(self._state_dir, apart(self._fresh()), name, number)
        return RunPlay(
            run=number,
            phase=run.phase,
            start_time=rfc3339(run.started),
            completion_time=rfc3339_or_none(run.completed),
            steps=[*life.steps],
            began={name: str(phase) for name, phase in began.items()},
            moves=[
                PhaseChange(move.time, move.step, move.phase, move.reason, move.message)
                for move in moves[:MOVES_MAX]
            ],
            complete=len(moves) <= MOVES_MAX,
        )

    def audit(self, name: str, text: str) -> DueList:
        """What became of each due time of a span."""
        wanted, view = parse_range("audit", text), self._look(self._fresh())
        life = self._life(name)[1]
        state, past, _ = read_past(self._state_dir, life.name)
        present = state.workflows.get(life.name)
        of_now = [present] if present is not None and present.starter is not None else []
        found = timed(state, of_now, view.now // SECOND, is_live(self._state_dir))
        told: list[DueTime] = []
        for trigger, forces in past.forces.items():
            if forces[-1].trigger.rule is not None:
                begin, end = wanted.seconds(forces[-1].trigger.zone, view.now, view.zone)
                told += islice(audit(past, found, life.name, trigger, begin, end), AUDIT_MAX)
        told.sort(key=lambda due: (due.due, due.trigger))
        return DueList(items=[shape_of_due(due) for due in told[:AUDIT_MAX]])

    # ---------------------------------------- output

    def output(self, name: str, step: str, attempt: str | None, part: dict[str, Any]) -> Printed:
        """A part of what an attempt has printed."""
        found = attempt_of(self._life(name)[1], step, attempt)
        with self._opened(step, found) as file:
            return printed(file, msgspec.convert(part, Part), found)

    def search(self, name: str, step: str, attempt: str | None, text: str, offset: int) -> Matches:
        """The lines that have this text, from an offset on, and where to go on."""
        if not text:
            raise UsageError("text: what to search for is missing")
        found = attempt_of(self._life(name)[1], step, attempt)
        with self._opened(step, found) as file:
            return _search(file, text.encode(), offset)

    @contextmanager
    def _opened(self, step: str, attempt: Attempt) -> Iterator[IO[bytes]]:
        """From where it was written, or from the archive."""
        try:
            file = opened(self._state_dir, step, attempt)
        except NotFound:
            yield self._from_archive(step, attempt)
        else:
            with file:
                yield file

    def _from_archive(self, step: str, attempt: Attempt) -> IO[bytes]:
        """What was unpacked last is kept, since people read it part by part."""
        log, file = self._unpacked
        if log != attempt.log:
            file.close()
            self._unpacked = ("", BytesIO())
            file = unpacked(self._state_dir, step, attempt)
            self._unpacked = (attempt.log, file)
        return file

    # ---------------------------------------- reading

    def _fresh(self) -> State:
        is_new = self._replica is None
        if self._replica is None:
            self._replica = Replica(self._state_dir)
        try:
            return self._replica.catch_up()
        except TreadleError as error:
            if self._replica.goes_on_after(error):
                raise
            self._replica = None  # the log is another now, or can't be read
            if is_new:
                raise
            return self._fresh()

    def _past(self, point: str) -> State:
        """As it was at a record or a moment. Raises UsageError, NotFound."""
        return state_at(self._state_dir, "at", point, self._look(self._fresh()))

    def _life(self, name: str) -> tuple[State, Workflow]:
        """Raises NotFound."""
        state = self._fresh()
        try:
            return state, find_workflow(state, name)
        except NotFound:
            state = apart(state)
            recall(self._state_dir, state, name, self._left)
            return state, find_workflow(state, name)

    def _look(self, state: State) -> Look:
        return Look(now=now(), stood=stood(self._state_dir, state))


def _printed(
    state_dir: str, life: Workflow, among: Collection[str] | None = None
) -> dict[str, list[str]]:
    return {step: [*said] for step, said in by_failed(state_dir, life, among).items()}


def _then(state: State) -> ControllerShape:
    """The controller of an earlier state: the log does not say whether it still ran."""
    return ControllerShape(
        phase="Unknown",
        pid=state.controller.pid or None,
        epoch=state.controller.epoch,
        conditions=[],
    )


def _as_it_becomes(changed: change.Change) -> Layout | None:
    """The picture of the steps that there will be, and of those that go."""
    spec = changed.becomes or changed.was
    if not isinstance(spec, Linked):
        return None
    return laid_out(boxes_of(planned(spec)))


def _search(file: IO[bytes], text: bytes, offset: int) -> Matches:
    """In whole blocks, so a line that has the text costs no more than one that has not."""
    matches: list[Match] = []
    offset = min(offset, file.seek(0, os.SEEK_END))
    file.seek(offset)
    at, held, read = offset, b"", 0
    while block := file.read(SEARCH_BLOCK):
        read += len(block)
        data = held + block
        end = last = data.rfind(b"\n") + 1
        if end == 0 and len(data) > SEARCH_BLOCK:  # a line so long is shown in pieces
            end, last = len(data) - len(text) + 1, len(data)  # the text may lie across their ends
        place = 0
        while (place := data.find(text, place, last)) >= 0:
            begin = data.rfind(b"\n", 0, place) + 1
            until = data.find(b"\n", place, last)
            until = last if until < 0 else until
            line = data[begin : min(until, begin + LINE_MAX)].decode(errors="replace")
            matches.append(Match(offset=at + begin, line=line))
            place = min(until + 1, last)
            if len(matches) == MATCHES_MAX:
                return Matches(matches=matches, next=at + place)
        at, held = at + end, data[end:]
        if read >= SEARCH_MAX:
            return Matches(matches=matches, next=at)
    if held.find(text) >= 0:
        matches.append(Match(offset=at, line=held[:LINE_MAX].decode(errors="replace")))
    return Matches(matches=matches, next=None)


if __name__ == "__main__":
    answer_all(Questions(folders_given()))
