"""Ways to break the controller on purpose, each of which the simulation has to notice.

A simulation that notices nothing proves nothing. `PYTHONPATH=tests python -m simulation.mutants`
tells for each by which seed it was caught, and by what.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec import structs
from properties.flow import edits_on_the_way, one_edit
from scenarios.player import rewrite
from simulation import deliveries, firings
from simulation.chaos import chaos
from simulation.trial import afar, calm, crowd, shared, storm

from controller.intake import requests
from controller.log import archive, reader, segments
from controller.log.writer import LogWriter
from controller.loop import causes, promises, turn
from controller.loop.passes import Passes
from controller.loop.turn import Controller
from controller.model import children, indexes, movement, pools
from controller.model.apply import attempt as apply_attempt
from controller.model.apply import firing as apply_firing
from controller.model.apply import hooks as apply_hooks
from controller.model.apply import step as apply_step
from controller.model.apply import workflow as apply_workflow
from controller.model.apply.fold import APPLY
from controller.model.events import (
    ApprovalAnswered,
    ApprovalAsked,
    AttemptFinished,
    AttemptSubmitted,
    GenerationAccepted,
    HooksBegun,
    MachineSlept,
    RetryScheduled,
    RunStarted,
)
from controller.model.observations import Ended
from controller.model.phases import Phase, Reason
from controller.model.state import Attempt, Standing, Step
from controller.planner import (
    cancel,
    outcome,
    plan,
    readiness,
    resolve,
    retries,
    run,
    slots,
    wish,
)
from controller.planner.editing import accept
from controller.planner.firings import birth, firing
from controller.spec.linked import below
from controller.spec.placement import MACHINE
from controller.spec.triggers.trigger import ResolvedTrigger

SEEDS = range(200)  # most are noticed by one of the first
LIKELY = {  # which notices it; with other stories it may not, then all are tried
    "delivers although it is suspended": 1,
    "forgets that something was decided ahead": 23,
    "goes on ending nothing after a restart": 7,
    "hands on the outputs of an earlier success": 144,
    "has nobody look when a marker comes": 20,
    "leaves in the queue what may not start now": 16,
    "runs hooks although a marker says no": 127,
    "starts more children than their parent allows": 7,
    "takes a delivery before it has seen who has ended": 8,
    "takes a skipped delivery for one that began": 1,
    "takes a sleep for presence": 23,
    "takes an edited trigger for the one before": 11,
}
STORIES_OF_FLOW = 20  # of a seed
FILES = sorted((Path(__file__).parents[1] / "scenarios" / "values").glob("*.txt"))

Patch = Any  # a context manager, as unittest.mock makes them
Made = Callable[[], Patch]
Trial = Callable[[int], object]
MUTANTS: dict[str, tuple[Made, Trial]] = {}


def mutant(made: Made) -> Made:
    """One that takes a crash at a certain effect: each of its seeds is told some thirty times."""
    MUTANTS[made.__name__.replace("_", " ")] = made, storm
    return made


def mutant_in_calm(made: Made) -> Made:
    """One that shows in a story that is told once, with its sleeps and reboots."""
    MUTANTS[made.__name__.replace("_", " ")] = made, calm
    return made


def mutant_in_chaos(made: Made) -> Made:
    """One that takes a real log, or a look after every turn."""
    MUTANTS[made.__name__.replace("_", " ")] = made, chaos
    return made


def mutant_in_a_crowd(made: Made) -> Made:
    """One that takes a long queue."""
    MUTANTS[made.__name__.replace("_", " ")] = made, crowd
    return made


def mutant_among_pools(made: Made) -> Made:
    """One that takes steps which share something."""
    MUTANTS[made.__name__.replace("_", " ")] = made, shared
    return made


def mutant_of_jobs(made: Made) -> Made:
    """One that takes a cluster, with which contact is lost."""
    MUTANTS[made.__name__.replace("_", " ")] = made, afar
    return made


def mutant_at_due_times(made: Made) -> Made:
    """One that takes a definition, and a reference that knows each of its due times."""
    MUTANTS[made.__name__.replace("_", " ")] = made, firings.trial
    return made


def mutant_of_deliveries(made: Made) -> Made:
    """One that takes deliveries, some of which come again."""
    MUTANTS[made.__name__.replace("_", " ")] = made, deliveries.trial
    return made


def mutant_in_the_flow(made: Made) -> Made:
    """One that takes values which flow through a DAG, and a reference that knows them."""

    def trial(seed: int) -> None:
        for one in range(STORIES_OF_FLOW * seed, STORIES_OF_FLOW * (seed + 1)):
            one_edit(one)
            edits_on_the_way(one)

    MUTANTS[made.__name__.replace("_", " ")] = made, trial
    return made


def mutant_in_a_scenario(made: Made) -> Made:
    """One that takes a rare moment, which a scenario file about values tells."""

    def trial(seed: int) -> None:
        for file in FILES[seed : seed + 1]:
            assert rewrite(file.read_text()) == file.read_text(), file.stem

    MUTANTS[made.__name__.replace("_", " ")] = made, trial
    return made


@mutant_in_calm
def acts_before_it_appends() -> Patch:
    def wrong(self: Any) -> bool:
        self._begin_turn()
        self._observe()
        self.passes.rest(self.limits())
        self._act()
        if self.passes.batch:
            self.edges.log.append(self.passes.batch)
        return bool(self.passes.batch)

    return patch.object(Controller, "turn", wrong)


@mutant_in_calm
def appends_only_what_it_observed() -> Patch:
    real = Passes.fold

    def wrong(self: Any, event: Any, cause: int = 0) -> None:
        real(self, event, cause)
        if isinstance(event, RetryScheduled):
            self.batch.pop()

    return patch.object(Passes, "fold", wrong)


@mutant_in_calm
def adopts_nobody_after_a_restart() -> Patch:
    real = Controller.start

    def wrong(self: Any) -> None:
        self.edges.executor.adopt = lambda attempts, sites: None
        real(self)

    return patch.object(Controller, "start", wrong)


@mutant
def offers_no_start_again_after_a_restart() -> Patch:
    real = Controller.start

    def wrong(self: Any) -> None:
        real(self)
        live = self.state.live
        self._promised = {key: None for key in self._promised if live[key].ending is not None}

    return patch.object(Controller, "start", wrong)


@mutant_in_chaos
def goes_on_ending_nothing_after_a_restart() -> Patch:
    real = Controller.start

    def wrong(self: Any) -> None:
        real(self)
        self._promised = {
            key: None for key in self._promised if self.state.live[key].ending is None
        }

    return patch.object(Controller, "start", wrong)


@mutant_in_calm
def never_tells_that_an_end_is_durable() -> Patch:
    real = Controller._act

    def wrong(self: Any) -> None:
        self.edges.executor.forget = lambda ids: None
        real(self)

    return patch.object(Controller, "_act", wrong)


@mutant_in_calm
def applies_a_request_again_after_a_crash() -> Patch:
    real = Controller._observe_requests

    def wrong(self: Any) -> bool:
        self.state.requests.clear()
        return real(self)

    return patch.object(Controller, "_observe_requests", wrong)


@mutant_in_calm
def counts_a_met_dependency_twice() -> Patch:
    real = movement._add_verdict

    def wrong(dependent: Any, name: str, verdict: str) -> None:
        real(dependent, name, verdict)
        if verdict == movement.MET:
            dependent.open -= 1

    return patch.object(movement, "_add_verdict", wrong)


@mutant_in_calm
def has_nobody_look_at_what_depends_on_a_finished_step() -> Patch:
    return patch.object(movement, "_has_to_look", lambda dependent: False)


@mutant_in_calm
def spreads_no_skips() -> Patch:
    return patch.object(movement, "_has_to_look", lambda dependent: not dependent.open)


@mutant_in_calm
def never_frees_a_slot() -> Patch:
    def wrong(state: Any, workflow: Any, step: Any) -> None:
        del state.live[workflow.uid, step.name]
        indexes.requeue(state, workflow)

    return patch.multiple("controller.model.apply.attempt", vacate=wrong)


@mutant_in_calm
def knows_no_parallelism_of_a_workflow() -> Patch:
    real = indexes.rank_for

    def wrong(state: Any, workflow: Any) -> Any:
        if not workflow.ready or real(state, workflow) is not None:
            return real(state, workflow)
        if workflow.suspended is not None or workflow.deleting or workflow.cancel is not None:
            return None
        if indexes.forbidden(state, workflow.name):
            return None
        return -workflow.priority

    return patch.multiple(indexes, rank_for=wrong)


@mutant_in_calm
def retries_without_end() -> Patch:
    def wrong(workflow: Any, step: Any, attempt: Any) -> str | None:
        return None

    return patch.object(retries, "_refusal", wrong)


@mutant_in_calm
def forgets_how_many_retries_were_spent() -> Patch:
    real = apply_step.retry_scheduled

    def wrong(state: Any, event: Any) -> None:
        real(state, event)
        state.lives[event.uid].step(event.step).retries = 0

    return patch.dict(APPLY, {RetryScheduled: wrong})


@mutant_in_calm
def loses_an_exit() -> Patch:
    real = outcome.fact

    def wrong(attempt: Any, seen: Any, *codes: Any) -> Any:
        lost = isinstance(seen, Ended) and seen.exit_code == 1
        return None if lost else real(attempt, seen, *codes)

    return patch.object(outcome, "fact", wrong)


@mutant_in_calm
def cancels_nothing_that_is_ready() -> Patch:
    real = wish.wish

    def wrong(state: Any, workflow: Any, step: Any) -> Any:
        return None if step.phase is Phase.READY else real(state, workflow, step)

    return patch.object(wish, "wish", wrong)


@mutant_in_a_crowd
def takes_a_queued_start_for_a_running_one() -> Patch:
    real = wish._stage

    def wrong(step: Any) -> Any:
        stage = real(step)
        return "running" if stage == "queued" else stage

    return patch.object(wish, "_stage", wrong)


@mutant_in_a_crowd
def keeps_the_queued_starts_that_a_lowered_limit_has_no_room_for() -> Patch:
    return patch.object(wish, "_is_surplus", lambda state, workflow, step: False)


@mutant_in_a_crowd
def keeps_the_queued_starts_of_a_suspended_workflow() -> Patch:
    return patch.multiple(wish, SOURCES=tuple(s for s in wish.SOURCES if s != wish._has_to_wait))


@mutant_in_a_crowd
def lets_a_queued_start_keep_its_place_before_a_higher_priority() -> Patch:
    return patch.object(plan.slots, "overtaken", lambda state, limits: [])


@mutant_in_a_crowd
def begins_a_run_with_a_start_that_is_only_queued() -> Patch:
    real = promises._attempt

    def wrong(state: Any, action: Any, *others: Any) -> Iterator[Any]:
        life = state.lives[action.uid]
        if not life.in_run:
            yield RunStarted(uid=life.uid, run=indexes.next_run(state, life))
        yield from real(state, action, *others)

    return patch.object(promises, "_attempt", wrong)


@mutant_in_a_crowd
def starts_what_is_queued_as_the_document_before_had_it() -> Patch:
    real = Controller._act

    def wrong(self: Any) -> None:
        batch = self.passes.batch
        self.passes.batch = [one for one in batch if not isinstance(one.event, GenerationAccepted)]
        real(self)
        self.passes.batch = batch

    return patch.object(Controller, "_act", wrong)


@mutant_in_chaos
def leaves_in_the_queue_what_may_not_start_now() -> Patch:
    return patch.object(plan.slots, "forbidden", lambda state, limits: [])


@mutant_in_calm
def names_no_cause_of_what_it_decides() -> Patch:
    return patch.object(causes, "of_decision", lambda state, action: 0)


@mutant_in_calm
def lets_no_deadline_pass() -> Patch:
    return patch.object(cancel, "_overdue", lambda state, workflow, now: None)


@mutant_in_calm
def starts_what_still_waits() -> Patch:
    real = plan.readiness.decide

    def wrong(state: Any, workflow: Any, step: Any, now: int) -> Any:
        step.open = 0
        return real(state, workflow, step, now)

    return patch.object(plan.readiness, "decide", wrong)


@mutant_in_chaos
def takes_a_turn_for_durable_before_it_is_written() -> Patch:
    real = LogWriter.append
    late: dict[int, list[Any]] = {}

    def wrong(self: Any, records: Any) -> None:
        before = late.pop(id(self), [])
        late[id(self)] = list(records)
        if before:
            real(self, before)

    return patch.object(LogWriter, "append", wrong)


@mutant_in_chaos
def leaves_a_torn_turn_where_it_is() -> Patch:
    return patch.object(LogWriter, "_cut_tail", lambda self: None)


@mutant_in_chaos
def reads_half_a_turn() -> Patch:
    real = reader.ends_turn
    return patch.object(reader, "ends_turn", lambda line: real(line) or b"AttemptFinished" in line)


@mutant_in_chaos
def has_nobody_look_when_a_marker_comes() -> Patch:
    return patch.object(indexes, "_look_again", lambda state, name: None)


@mutant_in_chaos
def starts_in_a_folder_that_is_away() -> Patch:
    return patch.object(slots, "why_not_there", lambda workflow, step, limits: None)


@mutant_in_chaos
def starts_on_a_full_disk() -> Patch:
    real = slots.fill
    return patch.object(
        plan.slots, "fill", lambda state, limits: real(state, structs.replace(limits, short=False))
    )


@mutant_in_calm
def runs_the_hooks_of_the_start_twice() -> Patch:
    real = apply_hooks.begun

    def wrong(state: Any, event: Any) -> None:
        real(state, event)
        state.lives[event.uid].has_started = False

    return patch.dict(APPLY, {HooksBegun: wrong})


@mutant_in_calm
def runs_hooks_although_a_marker_says_no() -> Patch:
    return patch.object(run, "is_without_hooks", lambda state, workflow: False)


@mutant_in_calm
def runs_the_hooks_of_another_end() -> Patch:
    return patch.dict(run._BY_PHASE, {Phase.CANCELLED: "onFailure"})


@mutant_in_calm
def cancels_the_hooks_that_a_cancel_has_caused() -> Patch:
    def wrong(state: Any, workflow: Any, step: Any) -> Any:
        return wish._workflow_cancelled(state, workflow, step)

    return patch.multiple(wish, HOOK_SOURCES=(wrong, *wish.HOOK_SOURCES))


@mutant_in_calm
def takes_an_edit_while_hooks_run() -> Patch:
    return patch.object(accept, "_holds_edits", lambda life: False)


@mutant_in_chaos
def lets_a_step_go_before_a_hook() -> Patch:
    real = indexes._put_at

    def wrong(workflow: Any, step: Any, place: int) -> None:
        real(workflow, step, len(workflow.ready) if step.is_hook else place)

    return patch.object(indexes, "_put_at", wrong)


@mutant_in_chaos
def archives_what_is_in_the_folder() -> Patch:
    return patch.object(indexes, "is_over", lambda state, workflow: workflow.finished)


@mutant_in_chaos
def retires_what_the_checkpoint_needs() -> Patch:
    real = archive.finish

    def wrong(state_dir: str) -> None:
        real(state_dir)
        for first in segments.firsts(state_dir)[:-1]:
            os.unlink(segments.path(state_dir, first))

    return patch.object(archive, "finish", wrong)


@mutant_in_chaos
def never_tries_again_what_was_interrupted() -> Patch:
    real = retries.judge

    def wrong(workflow: Any, step: Any) -> Any:
        return None if step.attempts[-1].reason == "Interrupted" else real(workflow, step)

    return patch.object(plan.retries, "judge", wrong)


@mutant_in_chaos
def admits_a_child_twice() -> Patch:
    real = indexes._admit

    def wrong(parent: Any, step: Any) -> None:
        real(parent, step)
        parent.places += 1

    return patch.object(indexes, "_admit", wrong)


@mutant_in_calm
def gives_no_place_back() -> Patch:
    return patch.object(movement, "give_place", lambda state, workflow, step: None)


@mutant_in_chaos
def starts_more_children_than_their_parent_allows() -> Patch:
    return patch.object(indexes, "has_place", lambda parent: True)


@mutant_in_calm
def keeps_children_that_are_no_longer_in_the_list() -> Patch:
    return patch.object(children, "let_go", lambda state, workflow, step, why: None)


@mutant_in_chaos
def completes_a_parent_while_a_child_runs() -> Patch:
    real = readiness.decide

    def wrong(state: Any, workflow: Any, step: Any, now: int) -> Any:
        if step.expanded and step.phase is Phase.RUNNING:
            return readiness._complete(state, workflow, step)
        return real(state, workflow, step, now)

    return patch.object(plan.readiness, "decide", wrong)


@mutant_in_calm
def asks_a_when_again_after_a_failure() -> Patch:
    real = apply_step.retry_scheduled

    def wrong(state: Any, event: Any) -> None:
        real(state, event)
        step = state.lives[event.uid].step(event.step)
        step.answer = step.series_from = None

    return patch.dict(APPLY, {RetryScheduled: wrong})


@mutant_in_calm
def asks_no_when() -> Patch:
    return patch.object(Step, "has_to_ask", False)


@mutant_in_calm
def gives_a_step_what_its_attempt_before_was_given() -> Patch:
    real = promises.resolve
    known: dict[tuple[str, str, tuple[str, ...]], Any] = {}

    def wrong(seen: Any, definition: Any) -> Any:
        key = (seen.uid, definition.name, definition.expressions)
        return known.setdefault(key, real(seen, definition))

    return patch.object(promises, "resolve", wrong)


@mutant_in_calm
def hands_on_what_a_failed_step_wrote() -> Patch:
    real = resolve.Sight._of_step

    def wrong(self: Any, name: str, path: Any) -> object:
        step = self.steps.get(name)
        wrote = step.attempts[-1].outputs if step and step.attempts else {}
        if step and step.phase is Phase.FAILED and path[-1] in wrote:
            return wrote[path[-1]]
        return real(self, name, path)

    return patch.object(resolve.Sight, "_of_step", wrong)


@mutant_in_calm
def hands_on_the_outputs_of_an_earlier_success() -> Patch:
    real = APPLY[AttemptFinished]

    def wrong(state: Any, event: Any) -> None:
        step = state.lives[event.uid].step(event.step)
        before = step.outputs
        real(state, event)
        step.outputs = before or step.outputs

    return patch.dict(APPLY, {AttemptFinished: wrong})


@mutant_in_calm
def waits_for_no_step_that_is_only_read() -> Patch:
    real = movement.edges

    def wrong(workflow: Any, step: Any) -> Any:
        return [one for one in real(workflow, step) if one[1] != movement.READ]

    return patch.object(movement, "edges", wrong)


@mutant_in_a_scenario
def keeps_what_ran_after_a_success_when_that_is_skipped_now() -> Patch:
    return patch.object(apply_step, "replace_result", lambda workflow, step: None)


@mutant_in_the_flow
def runs_nothing_again_when_a_param_is_edited() -> Patch:
    return patch.multiple("controller.spec.fingerprint", params_read=lambda spec, codes: [])


@mutant_in_the_flow
def evaluates_with_the_params_of_an_earlier_generation() -> Patch:
    real = promises.sight
    known: dict[str, Any] = {}

    def wrong(workflow: Any, run: int) -> Any:
        seen = real(workflow, run)
        return seen._replace(params=known.setdefault(seen.uid, seen.params))

    return patch.object(promises, "sight", wrong)


@mutant_in_a_scenario
def restores_a_skip_without_judging_it() -> Patch:
    return patch.object(Standing, "is_asked_again", False)


@mutant_in_calm
def skips_what_depends_on_a_step_that_skipped_itself() -> Patch:
    return patch.object(movement, "OWN_SKIPS", frozenset())


@mutant_in_calm
def names_a_file_of_values_that_nobody_writes() -> Patch:
    real = Passes.rest

    def wrong(self: Any, limits: Any) -> None:
        real(self, limits)
        self.attached.clear()

    return patch.object(Passes, "rest", wrong)


@mutant_in_calm
def takes_the_start_of_a_hook_for_that_of_a_step() -> Patch:
    real = apply_hooks.note_start

    def wrong(workflow: Any, step: Any) -> None:
        real(workflow, next(iter(workflow.steps.values())))

    return patch.object(apply_attempt, "note_start", wrong)


@mutant_in_calm
def forgets_the_hooks_of_the_start() -> Patch:
    return patch.object(apply_attempt, "note_start", lambda workflow, step: None)


@mutant_in_calm
def takes_the_hooks_of_the_farthest_defaults() -> Patch:
    real = run.hooks_in_force

    def wrong(spec: Any) -> Any:
        return real(below(spec, spec.above[::-1]))

    return patch.object(run, "hooks_in_force", wrong)


@mutant_in_calm
def takes_a_no_for_a_yes() -> Patch:
    real = APPLY[ApprovalAnswered]

    def wrong(state: Any, event: Any) -> None:
        real(state, structs.replace(event, approved=True))

    return patch.dict(APPLY, {ApprovalAnswered: wrong})


@mutant_in_calm
def numbers_each_question_from_one() -> Patch:
    real = APPLY[ApprovalAsked]

    def wrong(state: Any, event: Any) -> None:
        real(state, event)
        state.lives[event.uid].step(event.step).questions = 0

    return patch.dict(APPLY, {ApprovalAsked: wrong})


@mutant_in_calm
def goes_on_before_anybody_has_answered() -> Patch:
    real = APPLY[ApprovalAsked]

    def wrong(state: Any, event: Any) -> None:
        real(state, event)
        yes = {"number": event.number, "approved": True, "by": "", "reason": ""}
        APPLY[ApprovalAnswered](state, ApprovalAnswered(uid=event.uid, step=event.step, **yes))

    return patch.dict(APPLY, {ApprovalAsked: wrong})


@mutant_among_pools
def gives_away_slots_of_a_pool_that_are_held() -> Patch:
    return patch.object(slots, "free", pools.slots)


@mutant_of_jobs
def lets_a_job_go_without_its_handle() -> Patch:
    def wrong(state: Any, event: Any) -> None:
        """As if it had been submitted by another name."""
        real(state, event)
        state.live[event.uid, event.step].handle = "0"

    real = APPLY[AttemptSubmitted]
    return patch.dict(APPLY, {AttemptSubmitted: wrong})


@mutant_of_jobs
def never_lets_a_job_go() -> Patch:
    real = turn.effects
    return patch.object(turn, "effects", lambda *of: real(*of)._replace(releases=[]))


@mutant_of_jobs
def submits_again_what_is_written_down() -> Patch:
    real = turn.effects

    def wrong(*of: Any) -> Any:
        told = real(*of)
        return told._replace(launches=[*told.launches, *told.releases], releases=[])

    return patch.object(turn, "effects", wrong)


@mutant_of_jobs
def gives_jobs_to_an_engine_that_it_can_t_reach() -> Patch:
    return patch.object(slots, "why_not_with", lambda *of: None)


@mutant_of_jobs
def counts_jobs_among_the_slots_of_the_machine() -> Patch:
    return patch.object(Attempt, "slots", property(lambda self: MACHINE))


@mutant_of_jobs
def takes_jobs_their_place_in_the_queue() -> Patch:
    real = slots.overtaken

    def wrong(state: Any, limits: Any) -> Any:
        with patch.object(Attempt, "slots", property(lambda self: MACHINE)):
            return real(state, limits)

    return patch.object(slots, "overtaken", wrong)


@mutant_of_jobs
def tries_again_what_was_given_up() -> Patch:
    real = retries._refusal

    def wrong(workflow: Any, step: Any, attempt: Any) -> str | None:
        found = real(workflow, step, attempt)
        return None if attempt.reason == Reason.ABANDONED else found

    return patch.object(retries, "_refusal", wrong)


@mutant_of_jobs
def lets_a_step_wait_where_it_waited_before_an_edit() -> Patch:
    return patch.object(apply_workflow, "wait_elsewhere", lambda workflow, step: None)


@mutant_among_pools
def never_gives_back_what_an_attempt_held() -> Patch:
    return patch.object(pools, "release", lambda state, workflow, step, attempt: None)


@mutant_among_pools
def queues_a_step_that_uses_something_ahead() -> Patch:
    real = slots.fill

    def wrong(state: Any, limits: Any) -> Any:
        more = limits.max_parallel + limits.ahead
        return real(state, structs.replace(limits, max_parallel=more, ahead=0))

    return patch.object(slots, "fill", wrong)


@mutant_among_pools
def has_nobody_stand_in_line_again_after_an_end() -> Patch:
    return patch.object(pools, "line_up", lambda state, workflow, key: None)


@mutant_at_due_times
def fires_again_what_it_fired_before_the_clock_was_set_back() -> Patch:
    def wrong(state: Any, trigger: Any) -> None:
        now = indexes.wall(state, state.time) // 1_000_000
        trigger.mark, trigger.beyond, trigger.missed = min(trigger.mark, now), [], []
        trigger.is_armed, trigger.due, trigger.catching = False, None, None

    return patch.object(apply_firing, "_undo_missed", wrong)


@mutant_at_due_times
def never_comes_back_to_what_a_clock_ahead_skipped() -> Patch:
    return patch.object(apply_firing, "_undo_missed", lambda state, trigger: None)


@mutant_at_due_times
def forgets_that_something_was_decided_ahead() -> Patch:
    real = apply_firing._undo_missed

    def wrong(state: Any, trigger: Any) -> None:
        real(state, trigger)
        trigger.beyond = []

    return patch.object(apply_firing, "_undo_missed", wrong)


@mutant_at_due_times
def does_not_note_the_due_times_of_a_suspension() -> Patch:
    return patch.object(firing, "_stood", lambda starter, timed: iter(()))


@mutant_at_due_times
def counts_the_queued_as_running() -> Patch:
    real = firing._turns

    def wrong(state: Any, starter: Any, said: Any) -> Iterator[Any]:
        waiting = sum(len(group.queued) for group in starter.groups.values())
        yield from real(state, starter, structs.replace(said, limit=said.limit - waiting))

    return patch.object(firing, "_turns", wrong)


@mutant_at_due_times
def counts_only_what_runs_as_overlap() -> Patch:
    real = birth._waits_for

    def wrong(state: Any, definition: Any, fire: Any, group: str) -> str:
        for one in definition.starter.groups.values():
            with patch.object(one, "queued", {}):
                return real(state, definition, fire, group)
        return real(state, definition, fire, group)

    return patch.object(birth, "_waits_for", wrong)


@mutant_at_due_times
def takes_each_missed_due_time_for_one_on_time() -> Patch:
    return patch.object(firing._Timed, "_newest_missed", lambda self, now, present: None)


@mutant_at_due_times
def takes_a_sleep_for_presence() -> Patch:
    real = APPLY[MachineSlept]

    def wrong(state: Any, event: Any) -> None:
        present = state.controller.present
        real(state, event)
        state.controller.present = present

    return patch.dict(APPLY, {MachineSlept: wrong})


@mutant_at_due_times
def forgets_the_jitter_when_it_looks() -> Patch:
    return patch.object(firing, "offset", lambda workflow, trigger, jitter: 0)


@mutant_at_due_times
def takes_an_edited_trigger_for_the_one_before() -> Patch:
    return patch.object(ResolvedTrigger, "waits_for", ())


@mutant_at_due_times
def decides_before_it_has_seen_who_has_ended() -> Patch:
    real = plan._to_look_at

    def wrong(state: Any, now: int, limits: Any) -> Iterator[Any]:
        looked = [*real(state, now, limits)]
        due = [one for one in looked if one[0].starter is not None]
        yield from due if any(firing.decide(state, life, now) for life, _ in due) else looked

    return patch.object(plan, "_to_look_at", wrong)


@mutant_of_deliveries
def forgets_the_keys_of_deliveries() -> Patch:
    return patch.object(apply_firing, "_remember_key", lambda state, starter, event: None)


@mutant_of_deliveries
@contextmanager
def has_one_memory_for_all_hooks() -> Iterator[None]:
    def wrong(trigger: str, key: str) -> str:
        return key

    with (
        patch.object(apply_firing, "remembered_as", wrong),
        patch.object(requests, "remembered_as", wrong),
    ):
        yield


@mutant_of_deliveries
def takes_a_skipped_delivery_for_one_that_began() -> Patch:
    real = apply_firing._remember_key

    def wrong(state: Any, starter: Any, event: Any) -> None:
        real(state, starter, structs.replace(event, instance=event.instance or "nobody"))

    return patch.object(apply_firing, "_remember_key", wrong)


@mutant_of_deliveries
def takes_a_delivery_before_it_has_seen_who_has_ended() -> Patch:
    return patch.object(turn, "FIRES", ())


@mutant_of_deliveries
def delivers_although_it_is_suspended() -> Patch:
    real = birth._check_hold

    def wrong(state: Any, definition: Any, fire: Any) -> None:
        real(state, definition, structs.replace(fire, trigger=""))

    return patch.object(birth, "_check_hold", wrong)


def caught(name: str) -> tuple[int, str]:
    """The seed by which it is noticed, and how; seed -1 if it never is."""
    made, trial = MUTANTS[name]
    with made():
        for seed in (LIKELY.get(name, 0), *SEEDS):
            try:
                trial(seed)
            except TypeError:  # most likely it no longer fits what it breaks, and proves nothing
                raise
            except Exception as error:  # whatever a broken controller does
                return seed, f"{type(error).__name__}: {error}".splitlines()[0]
    return -1, ""


def table() -> Iterator[tuple[str, int, str]]:
    for name in MUTANTS:
        yield (name, *caught(name))


if __name__ == "__main__":
    missed = 0
    for name, seed, how in table():
        missed += seed < 0
        by = f"seed {seed}" if seed >= 0 else "NOT CAUGHT"
        print(f"{name:<52}{by:<12}{how[:90]}", flush=True)
    sys.exit(min(missed, 1))
