"""The live view: what failed, what runs with its last line of output, who waits, what is done.

Rows keep their order: workflows that of their beginning, steps that of the DAG. So the eye can rest
on one. Everything shown comes from the state.

Cost of a drawing: O(steps) to count phases, the rest O(rows on the screen).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from shlex import quote
from typing import Literal, NamedTuple

from controller.model.phases import AttemptPhase, Phase
from controller.model.state import Attempt, State, Step, Workflow
from controller.planner.permission import Limits
from controller.spec.placement import MACHINE
from controller.view import figures, firings, words
from controller.view.children import of, opened, shown, stands_alone, stands_at_the_top
from controller.view.failure import last_words, of_present_run
from controller.view.find import NeverValid, word_for
from controller.view.ink import paint, visible
from controller.view.lists.listing import listed, of_definition, succeeded_count
from controller.view.lists.runs import expected_end
from controller.view.live.choice import Choice, Key, Leaving
from controller.view.look import Look
from controller.view.pages.dag import Branch, tree, with_children
from controller.view.status import faults_in_words, never_valid
from controller.view.table import cells, mark_cell, middle, phase_cell, shorten
from controller.view.times import span

Tail = Callable[[Attempt, int], list[str]]  # the last lines that an attempt printed, so many

_BAR_WIDTH = 10
_BAR_FROM_WIDTH = 60  # on a narrower terminal there is no bar
_NAME_MIN = 10
_FAILURE_LINES = 2  # of output, under a step that failed
_FAILURES_MAX = 5  # of one workflow, unless it is open
_PROBLEM_LINES_MAX = 6
_NAMES_MAX = 50  # on the one line of a group
_PROGRAM = "treadle"
_RULES_FROM_HEIGHT = 7  # on a lower terminal no rules are drawn

KEYS = ("↑↓ select", "⏎ open", "l logs", "r retry", "c cancel", "/ filter", "? help")
_HELP = (
    "↑ ↓ PgUp PgDn   select a row",
    "⏎ or space      open or close a row: its steps, workflows or children",
    "l               show the output of the selected step",
    "r               retry the step, or all that did not succeed in the workflow",
    "c               cancel the workflow or the step",
    "/               show only names that contain a text; Esc shows all again",
    "?               close this help",
)


class BoardContent(NamedTuple):
    """What there is to show."""

    state: State
    title: str  # what is shown, such as the specs folder
    only: frozenset[str] | None = None  # uids, and names of those never valid; None: all
    limits: Limits | None = None  # how many steps may run at once, if that is known
    problems: tuple[str, ...] = ()
    keys: tuple[str, ...] = KEYS  # those that there are; none without a keyboard
    leaving: str = "q quit"  # how to leave


class Row(NamedTuple):
    kind: Literal["life", "step", "failure", "text"]  # a failure has its output below
    key: Key | None  # None: it can't be selected
    life: Workflow | None = None
    branch: Branch | None = None
    text: str = ""
    style: str = ""


# ---------------------------------------- what is shown where

_GROUPS = (
    ("waiting", Phase.PENDING, "waiting to start"),
    ("pending", Phase.PENDING, "pending"),
    ("queued", Phase.PENDING, "queued"),
    ("suspended", Phase.SUSPENDED, "suspended"),
    ("cancelled", Phase.CANCELLED, "cancelled"),
    ("done", Phase.SUCCEEDED, "done"),
    ("earlier", Phase.FAILED, "failed earlier"),
)
_DEFINITIONS = "definitions"  # the section of those that wait for their triggers


_SUMMARY = (
    ("failed", "failed"),
    ("invalid", "invalid"),
    ("active", "running"),
    *((name, what.partition(" ")[0]) for name, _, what in _GROUPS if name != "earlier"),
)


class _Sections(NamedTuple):
    invalid: list[NeverValid]
    lives: dict[str, list[Workflow]]  # by section, in the order in which they began


def _sections(content: BoardContent) -> _Sections:
    state, sections = content.state, _Sections([], {})
    if content.only is None:
        entries = listed(state)
    else:
        entries = [life for uid in content.only if (life := state.lives.get(uid)) is not None]
        invalid = never_valid(state).items()
        entries += [NeverValid(name, event) for name, event in invalid if name in content.only]
    for entry in sorted(entries, key=lambda entry: getattr(entry, "order", -1)):
        if isinstance(entry, NeverValid):
            sections.invalid.append(entry)
        else:
            sections.lives.setdefault(_section(state, entry), []).append(entry)
    return sections


def _section(state: State, life: Workflow) -> str:
    match life.phase:
        case Phase.FAILED:
            return "earlier" if firings.is_superseded(state, life) else "failed"
        case Phase.SUCCEEDED:
            return "done"
        case Phase.CANCELLED:
            return "cancelled"
        case Phase.SUSPENDED:
            return "suspended"
    if life.starter is not None:
        return _DEFINITIONS
    if life.is_queued:
        return "queued"
    phases = {step.phase for step in life.with_hooks}
    if Phase.READY in phases and Phase.RUNNING not in phases and not life.failed:
        return "waiting"
    return "active" if life.phase is Phase.RUNNING else "pending"


def _running(state: State) -> dict[str, list[Step]]:
    """The steps and hooks that run, by uid, in the order of the spec."""
    running: dict[str, list[Step]] = {}
    for (uid, name), attempt in state.live.items():
        if attempt.phase is AttemptPhase.RUNNING:
            running.setdefault(uid, []).append(state.lives[uid].step(name))
    for steps in running.values():
        steps.sort(key=lambda step: (step.is_hook, step.index, *step.above, step.nth))
    return running


def _failures(state: State, life: Workflow, tail: Tail) -> Iterator[Row]:
    """The steps that failed, each with the end of its output and how to see all of it."""
    could_fail = (*life.steps.values(), *life.present_hooks)
    failed = [step for step in could_fail if step.fails_its_workflow and stands_alone(step)]
    for step in failed[:_FAILURES_MAX]:
        yield Row("failure", (life.uid, step.name), life, Branch("  ", step))
        attempt = of_present_run(life, step)
        if attempt is not None:
            for line in tail(attempt, _FAILURE_LINES):
                yield Row("text", None, text=f"      │ {line}")
            logs = f"      └ treadle logs {word_for(state, life)} {quote(step.name)}"
            yield Row("text", None, text=logs, style="dim")
    if len(failed) > _FAILURES_MAX:
        more = f"    … and {len(failed) - _FAILURES_MAX} more that failed"
        yield Row("text", None, text=more, style="dim")


class Board:
    """Draws what there is to see, as the person has chosen."""

    def __init__(self, leaving: Leaving = "stop") -> None:
        self.choice = Choice(leaving)
        self._top = 0  # the first row on the screen
        self._trees: dict[str, tuple[int, list[str], list[Branch]]] = {}

    def draw(self, content: BoardContent, look: Look, height: int, tail: Tail) -> list[str]:
        """The lines of the screen: as many as it has, none wider than it."""
        assert look.width is not None
        selected = self.choice.selected(content.state)
        if self.choice.mode == "logs" and selected is not None and selected[1] is not None:
            return self._logs(content.state, selected[0], selected[1], look, height, tail)
        if self.choice.mode == "logs":  # an edit removed the step, or its life was archived
            self.choice.close_logs()
        problems = [
            look.paint(line, "yellow")
            for line in _problems(content, look, min(_PROBLEM_LINES_MAX, height // 3))
        ]
        sections = _sections(content)
        rows = list(self._rows(sections, content.state, look, tail))
        self.choice.page = max(1, _room(height) - len(problems))
        self.choice.rows = [row.key for row in rows if row.key is not None]
        if self.choice.mode == "help":
            help_ = (*_HELP, content.leaving.replace("q ", f"{'q':<16}", 1))
            shown = [shorten(line, look.width) for line in help_][: self.choice.page]
        else:
            shown = [self._line(row, content.state, look, tail) for row in self._window(rows)]
        shown += [""] * (self.choice.page - len(shown))
        return _framed(
            _head(sections, content, look),
            [*shown, *problems],
            self._foot(content, look),
            look,
            height,
        )

    def _window(self, rows: list[Row]) -> list[Row]:
        """The part of the rows that is on the screen, with the cursor in it."""
        room = self.choice.page
        if self.choice.cursor is not None:
            at = next((n for n, row in enumerate(rows) if row.key == self.choice.cursor), None)
            if at is None:
                self.choice.cursor = None  # its row is gone
            elif room < 3:
                self._top = at
            else:
                self._top = max(at - room + 2, min(self._top, at - 1))
        self._top = max(0, min(self._top, len(rows) - room))
        shown = rows[self._top : self._top + room]
        behind = len(rows) - self._top - room
        if behind > 0 and room > 1:
            more = Row("text", None, text=f"… {behind + 1} more lines below", style="dim")
            shown[-1] = more
        return shown

    def _foot(self, content: BoardContent, look: Look) -> str:
        assert look.width is not None
        if self.choice.mode == "asks" and self.choice.order is not None:
            what = f"{self.choice.order.workflow} {self.choice.order.step}".strip()
            text, style = f"{self.choice.order.verb} {what}? y/n", "bold"
        elif self.choice.mode == "leaves":
            text, style = "c cancel running steps   d continue in the background   Esc stay", "bold"
        elif self.choice.mode == "filter":
            text, style = f"show names with: {self.choice.filter}▏ ⏎ keep  Esc show all", "bold"
        elif self.choice.said:
            text, style = self.choice.said, "bold"
        else:
            kept = f"/{self.choice.filter} (Esc shows all)  " if self.choice.filter else ""
            keys = _keys(content.keys, content.leaving, look.width - cells(kept))
            text, style = kept + keys, "dim"
        return look.paint(shorten(visible(text), look.width), style)

    # ---------------------------------------- rows

    def _rows(self, sections: _Sections, state: State, look: Look, tail: Tail) -> Iterator[Row]:
        wanted = {
            name: [life for life in lives if self.choice.filter in life.name]
            for name, lives in sections.lives.items()
        }
        running = _running(state)
        alone = sum(map(len, wanted.values())) == 1
        for name in ("failed", "active"):
            for life in wanted.get(name, ()):
                yield from self._life_rows(state, life, running.get(life.uid, []), alone, tail)
        for invalid in sections.invalid:
            if self.choice.filter in invalid.name:
                text = f"✗ {invalid.name}: {faults_in_words(invalid.rejected)}"
                yield Row("text", None, text=text, style="red")
        if definitions := wanted.get(_DEFINITIONS):
            yield from self._definition_rows(state, definitions, look)
        for name, phase, what in _GROUPS:
            lives = wanted.get(name, [])
            if alone and lives:
                yield from self._life_rows(state, lives[0], [], alone, tail)
            elif lives:
                yield from self._group_rows(state, ("", name), phase, what, lives, tail)

    def _definition_rows(
        self, state: State, definitions: list[Workflow], look: Look
    ) -> Iterator[Row]:
        """One for all of them, since they hardly change; their instances are workflows like any."""
        mark, key = mark_cell(Phase.WAITING), ("", _DEFINITIONS)
        if len(definitions) > 1:
            text = f"{mark.text} {firings.definitions_words(state, definitions, look)}"
            yield Row("text", key, text=text, style=mark.style)
        if len(definitions) == 1 or key in self.choice.toggled:
            for life in definitions:
                yield Row("life", (life.uid, ""), life)

    def _group_rows(
        self, state: State, key: Key, phase: Phase, what: str, lives: list[Workflow], tail: Tail
    ) -> Iterator[Row]:
        mark = mark_cell(phase)
        names = " ".join(life.name for life in lives[:_NAMES_MAX])
        text = f"{mark.text} {len(lives)} {what}  {names}"
        yield Row("text", key, text=text, style=mark.style)
        if key in self.choice.toggled:
            for life in lives:
                yield from self._life_rows(state, life, [], False, tail)

    def _life_rows(
        self, state: State, life: Workflow, running: list[Step], alone: bool, tail: Tail
    ) -> Iterator[Row]:
        key = (life.uid, "")
        yield Row("life", key, life)
        if alone != (key in self.choice.toggled):
            children, opened_ = partial(self._children, life), partial(self._opened, life)
            for branch in with_children(self._tree(life), children, opened_):
                yield Row("step", (life.uid, branch.step.name), life, branch)
            for hook in life.present_hooks:
                yield Row("step", (life.uid, hook.name), life, Branch("", hook))
            return
        if life.failed or words.failed_hooks(life):
            yield from _failures(state, life, tail)
        for step in running:
            yield Row("step", (life.uid, step.name), life, Branch("  ", step))
        for step in words.asking(life):
            yield Row("step", (life.uid, step.name), life, Branch("  ", step))
            answer = f"      └ {words.answers(life.name, step.name)[0]}"
            yield Row("text", None, text=answer, style="dim")

    def _children(self, life: Workflow, parent: Step) -> list[Step]:
        """Those to show: all, if the person has opened their parent, else a few of many."""
        opened = (life.uid, parent.name) in self.choice.toggled
        return of(life, parent) if opened else shown(life, parent)

    def _opened(self, life: Workflow, children: Sequence[Step]) -> set[str]:
        """Those that show their own children: as on the page, or as the person wants it."""
        toggled = {
            child.name for child in children if (life.uid, child.name) in self.choice.toggled
        }
        return opened(children) ^ toggled

    def _tree(self, life: Workflow) -> list[Branch]:
        """Drawn once for each generation; steps that are removed leave it."""
        names = [name for name, step in life.steps.items() if stands_at_the_top(life.steps, step)]
        known = self._trees.get(life.uid)
        if known is None or known[:2] != (life.generation, names):
            known = (life.generation, names, tree(life.steps))
            self._trees[life.uid] = known
        return known[2]

    # ---------------------------------------- lines

    def _line(self, row: Row, state: State, look: Look, tail: Tail) -> str:
        assert look.width is not None
        chosen = row.key is not None and row.key == self.choice.cursor
        gutter = look.paint("▸", "bold") if chosen else " "
        width = look.width - 1
        match row.kind:
            case "life" if row.life is not None:
                text = _life_line(row.life, state, look, width)
            case "step" if row.life is not None and row.branch is not None:
                text = _step_line(row.life, row.branch, state, look, width, tail)
            case "failure" if row.life is not None and row.branch is not None:
                text = _step_line(row.life, row.branch, state, look, width, _nothing)
            case _:
                text = look.paint(shorten(visible(row.text), width), row.style)
        return gutter + text

    def _logs(
        self, state: State, life: Workflow, step: Step, look: Look, height: int, tail: Tail
    ) -> list[str]:
        assert look.width is not None
        attempt = step.attempt
        room = max(1, _room(height))
        self.choice.page = room
        lines = tail(attempt, room + self.choice.back) if attempt is not None else []
        self.choice.back = min(self.choice.back, max(0, len(lines) - room))
        shown = lines[: len(lines) - self.choice.back][-room:]
        number = "" if attempt is None else f", attempt {attempt.number}"
        phase = phase_cell(step.phase)
        title = f"{life.name}/{step.name}{number}  {phase.text} {figures.took(life, step, look)}"
        head = look.paint(middle(visible(title), look.width), "bold")
        end = "" if self.choice.back else "  (the end; new lines appear here)"
        command = f"treadle logs {word_for(state, life)} {quote(step.name)}"
        foot = f"↑↓ PgUp PgDn scroll  q back{end}   {command}"
        shown = shown or ["(it printed nothing)"]
        body = [shorten(visible(line), look.width) for line in shown]
        body += [""] * (room - len(body))
        return _framed(head, body, look.paint(shorten(foot, look.width), "dim"), look, height)


# ---------------------------------------- the frame


def _room(height: int) -> int:
    """How many lines there are between the head and the foot; 0 if not even the head has one."""
    return height - 4 if height >= _RULES_FROM_HEIGHT else max(0, height - 2)


def _framed(head: str, body: list[str], foot: str, look: Look, height: int) -> list[str]:
    """The lines of the screen. The last one, with its questions, is always there."""
    assert look.width is not None
    rule = [look.paint("─" * look.width, "dim")] if height >= _RULES_FROM_HEIGHT else []
    return [head, *rule, *body, *rule, foot][-height:]


# ---------------------------------------- one line each


def _head(sections: _Sections, content: BoardContent, look: Look) -> str:
    assert look.width is not None
    state = content.state
    slots = "" if content.limits is None else _slots(state, content.limits)
    counts = {name: len(lives) for name, lives in sections.lives.items()}
    counts["invalid"] = len(sections.invalid)
    summary = " · ".join(f"{counts[name]} {what}" for name, what in _SUMMARY if counts.get(name))
    stood = "" if look.stood is None else "no controller is running · "
    clock = look.moment(look.now)
    behind = f"{clock}   {slots}{stood}{summary or 'no workflows'}"
    title = middle(visible(content.title), max(0, look.width - cells(behind) - len(_PROGRAM) - 4))
    text = f"{_PROGRAM}  {title}  {behind}" if title else behind
    return look.paint(shorten(text, look.width), "bold")


def _slots(state: State, limits: Limits) -> str:
    """`slots 3/8   slurm 12/1000`: an engine is there while it has something, or is to get it."""
    live = state.live.values()
    running = [attempt.slots for attempt in live if attempt.phase is AttemptPhase.RUNNING]
    engines = Counter(attempt.slots for attempt in live if attempt.slots)
    here = f"slots {running.count(MACHINE)}/{limits.max_parallel}   "
    names = sorted(engines.keys() | state.queue_on.keys())
    return here + "".join(f"{name} {engines[name]}/{limits.slots_on(name)}   " for name in names)


def _keys(keys: tuple[str, ...], leaving: str, width: int) -> str:
    """The keys, as many as there is room for: the help has the others, and all about `q`."""
    shown = [*keys, leaving]
    if cells("  ".join(shown)) > width:
        shown[-1] = leaving.partition(" (")[0]
    while cells("  ".join(shown)) > width and len(shown) > 2:
        del shown[-3]
    return "  ".join(shown)


def _life_line(life: Workflow, state: State, look: Look, width: int) -> str:
    mark = mark_cell(life.phase)
    name_width = max(_NAME_MIN, min(30, width // 3))
    name = middle(life.name, name_width)
    padded = name + " " * (name_width - cells(name))
    if life.starter is not None:
        said = shorten(visible(of_definition(state, life, look)), max(0, width - name_width - 4))
        head = shorten(f"{mark.text} {padded}", width)
        return f"{look.paint(head, mark.style)}  {said}".rstrip()
    total, succeeded = len(life.counted), succeeded_count(life)
    bar = f"{_bar(life, succeeded, look)}  " if width >= _BAR_FROM_WIDTH else ""
    took = "-" if life.started is None else span((life.completed or look.clock) - life.started)
    figures_ = f"{succeeded}/{total}"
    plain = 2 + name_width + 2 + (_BAR_WIDTH + 2 if bar else 0) + 7 + 2 + 6 + 2
    end = expected_end(state, life, look.clock)
    left = f"about {span(end - look.clock)} left, " if end is not None and not look.stood else ""
    message = words.verdict(life) if life.finished else words.at_present(state, life)[1]
    text = shorten(visible(f"{left}{message}"), max(0, width - plain))
    head = look.paint(f"{mark.text} {padded}", mark.style)
    line = f"{head}  {bar}{figures_:>7}  {took:>6}  {text}"
    if plain > width:
        return look.paint(shorten(f"{mark.text} {name}", width), mark.style)
    return line.rstrip()


def _bar(life: Workflow, succeeded: int, look: Look) -> str:
    total = max(1, len(life.counted))
    full = succeeded * _BAR_WIDTH // total
    failed = min(_BAR_WIDTH - full, -(-words.failed_count(life) * _BAR_WIDTH // total))
    rest = _BAR_WIDTH - full - failed
    if not look.colour:
        return "█" * full + "!" * failed + "░" * rest
    return paint("█" * full, "green") + paint("█" * failed, "red") + paint("░" * rest, "dim")


def _nothing(_attempt: Attempt, _count: int) -> list[str]:
    return []


def _step_line(
    life: Workflow, branch: Branch, state: State, look: Look, width: int, tail: Tail
) -> str:
    step = branch.step
    mark = mark_cell(step.phase)
    attempt = of_present_run(life, step)
    name = f"  {branch.lead}{mark.text} {branch.name}"
    name_width = max(_NAME_MIN, min(34, width * 2 // 5))
    name = middle(name, name_width)
    padded = name + " " * (name_width - cells(name))
    took = figures.took(life, step, look)
    tries = figures.tries(life, step)
    tried = (
        f"try {tries}, " if attempt is not None and attempt.number > 1 and " of " in tries else ""
    )
    printed = tail(attempt, _FAILURE_LINES) if attempt is not None else []
    last = last_words(printed)
    if last and step.phase in (Phase.RUNNING, Phase.SUCCEEDED):
        note = f"{tried}│ {last}"
    else:
        note = f"{tried}{figures.note(state, life, step, look, {step.name: printed})}"
    text = f"{took:>6}  {shorten(visible(note), max(0, width - name_width - 8))}"
    if name_width + 8 > width:
        return look.paint(shorten(name, width), mark.style)
    return f"{look.paint(padded, mark.style)}{text}".rstrip()


def _problems(content: BoardContent, look: Look, room: int) -> list[str]:
    """All that they say, since the end of a fault often says what to do."""
    assert look.width is not None
    width = look.width
    lines = [line for text in content.problems for line in look.wrapped(text, hang=0)]
    if len(lines) > room:
        lines[max(0, room - 1) :] = [f"… {len(lines) - room + 1} more lines"]
    return [shorten(line, width) for line in lines[:room]]
