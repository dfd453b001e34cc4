"""Why a definition waits, or stands still: what `explain NAME` says of one.

Cost: O(triggers + unfinished instances).
"""

from collections.abc import Iterator

from controller.model.phases import Phase
from controller.model.state import State, Workflow, starter_of
from controller.view import firings, words
from controller.view.changes.edits import generation_line, is_news, pending_words
from controller.view.look import Look
from controller.view.pages.definition_page import ago, in_its_zone, to_continue
from controller.view.shape import FilesWaiting
from controller.view.times import span
from controller.view.why.explain import Around

_NAMED_MAX = 5


def explanation(
    state: State, definition: Workflow, around: Around, look: Look, files: FilesWaiting
) -> Iterator[str]:
    """Lines for people; the last one names the commands that may be next."""
    message = words.at_present(state, definition)[1]
    yield from look.marked(definition.phase, f"{definition.name} is {definition.phase}: {message}")
    if not around.runs:
        yield from look.wrapped("no controller is running, so nothing starts", hang=2)
    if is_news(state, definition):
        yield from look.wrapped(generation_line(definition, look), hang=2)
    if waits := pending_words(definition):
        yield from look.wrapped(waits, hang=2)
    for said in words.faults_in_file(state, definition):
        yield from look.wrapped(f"fault: {said}", hang=2)
    for condition in firings.conditions(state, definition, look.now):
        yield from look.wrapped(f"{condition.type}: {condition.message}", hang=2)
    for name in starter_of(definition).triggers:
        yield from look.marked(Phase.WAITING, _of_trigger(definition, name, look, files))
    yield from _instances(state, definition, look)
    yield from look.wrapped(f"next: {' · '.join(_next(state, definition, around))}", hang=2)


def _of_trigger(definition: Workflow, name: str, look: Look, files: FilesWaiting) -> str:
    trigger, due = firings.trigger_of(definition, name), firings.due_of(definition, name)
    count = firings.files_of(definition, name, files)
    waits = f"trigger {name} ({firings.rule_words(trigger)})"
    if definition.phase is Phase.SUSPENDED:
        files_wait = "; files wait" if trigger.files else ""
        waits = f"{waits} starts nothing while the workflow is suspended{files_wait}"
    elif due is not None:
        waits = f"{waits} {_when(definition, due, look)}"
    elif trigger.rule is not None:
        waits = f"{waits} is never due again"
    if count:
        waits = f"{waits}; {count:,} {'file waits' if count == 1 else 'files wait'}"
    last = starter_of(definition).triggers[name].last
    if last is None:
        return f"{waits}; it has not fired yet"
    was = "was " if last.outcome == "Skipped" else ""
    return f"{waits}; its last firing, {ago(look, last)}, {was}{firings.outcome_words(last)}"


def _when(definition: Workflow, due: firings.Due, look: Look) -> str:
    there = in_its_zone(definition, due, look)
    when = f"{firings.moment(look, due.time)}{there and f' ({there})'}"
    if firings.has_passed(due, look):
        return f"was due {when}, no controller"
    jitter = f", {span(due.fires - due.time)} later by its jitter" if due.fires > due.time else ""
    return f"is next due {when}, in {span(due.fires - look.now)}{jitter}"


def _instances(state: State, definition: Workflow, look: Look) -> Iterator[str]:
    lives = [state.lives[uid] for uid in starter_of(definition).unfinished]
    for life in lives[:_NAMED_MAX]:
        yield from look.marked(life.phase, f"{life.name}: {words.at_present(state, life)[1]}")
    if (more := len(lives) - _NAMED_MAX) > 0:
        said = "1 more instance has" if more == 1 else f"{more} more instances have"
        yield from look.marked(Phase.PENDING, f"{said} not ended")
    newest = firings.newest(state, definition)
    if newest is not None and newest.finished:
        yield from look.marked(newest.phase, f"{newest.name}: {words.verdict(newest)}")


def _next(state: State, definition: Workflow, around: Around) -> Iterator[str]:
    """Commands that make sense now."""
    if not around.runs:
        yield "treadle up"
    life = firings.newest(state, definition)
    if life is not None:
        yield f"treadle explain {life.name}"
    if definition.phase is Phase.SUSPENDED:
        yield to_continue(state, definition)
    yield f"treadle start {definition.name}"
