"""One turn: observe, plan, append, act; what is told twice, what a new controller takes over."""

from collections.abc import Callable
from typing import Any

import pytest
from simulation.world import BEGIN, Crash, Fate, World
from story import a_step, document

from controller.loop.ports import AttemptId
from controller.model import events as e
from controller.model.observations import Ended, EndFailed, Request, SeenMarker, Started

CHAIN = [a_step("a"), a_step("b", "a")]
LONG = 1_000.0


def world(
    *steps: dict[str, Any], fate: Callable[..., Fate] = lambda *of: Fate(LONG), **settings: Any
) -> World:
    made = World(fate=fate, **settings)
    made.files["w.yaml"] = (document(list(steps) or CHAIN),)
    made.boot_controller()
    return made


def kinds(of: World) -> list[str]:
    return [type(record.event).__name__ for record in of.records()]


def attempt(of: World, step: str = "a", number: int = 1) -> AttemptId:
    return AttemptId(of.controller.state.workflows["w"].uid, step, number)


def test_all_of_a_turn_goes_with_one_append() -> None:
    one = world()
    one.turn()
    assert kinds(one) == [
        "ControllerStarted",
        "GenerationAccepted",
        "StepReady",
        "AttemptScheduled",
    ]
    assert [record.turn for record in one.records()] == [1, 2, 2, 2]
    assert [record.seq for record in one.records()] == [1, 2, 3, 4]


def test_each_record_names_the_one_that_it_follows_from() -> None:
    one = world(fate=lambda *of: Fate(exit_code=1))
    one.run()
    one.requests["1-1-a"] = Request(name="1-1-a", kind="retry", workflow="w", by="ada")
    one.run()
    records = one.records()
    causes = [(type(r.event).__name__, kinds(one)[r.cause - 1] if r.cause else "") for r in records]
    assert causes[:5] == [
        ("ControllerStarted", ""),
        ("GenerationAccepted", ""),
        ("StepReady", "GenerationAccepted"),
        ("AttemptScheduled", "StepReady"),
        ("RunStarted", "AttemptScheduled"),
    ]
    asked = kinds(one).index("RequestApplied")
    assert causes[asked : asked + 3] == [
        ("RequestApplied", ""),
        ("StepReset", "RequestApplied"),
        ("StepReset", "RequestApplied"),
    ]
    assert set(causes[asked + 3 :]) >= {
        ("StepReady", "StepReset"),
        ("StepFailed", "AttemptFinished"),
    }


def test_nothing_is_done_before_it_is_durable() -> None:
    one = world(crash_before=2)  # the first turn's append; the first was that of the start
    with pytest.raises(Crash):
        one.controller.turn()
    assert not one.ledger
    assert kinds(one) == ["ControllerStarted"]


def test_a_turn_without_anything_new_writes_nothing() -> None:
    one = world()
    one.come_to_rest()
    written = len(one.log)
    assert not one.turn()
    assert len(one.log) == written


def test_what_was_promised_and_not_started_is_started_by_the_next_controller() -> None:
    one = world(crash_before=3)  # the start that the first turn promised
    one.turn()
    one.come_to_rest()
    assert list(one.ledger.elements()) == [attempt(one)]
    assert kinds(one).count("AttemptScheduled") == 1


def test_what_was_to_end_before_it_started_is_not_started_by_the_next_controller() -> None:
    one = world(a_step("x"), a_step("a"), max_parallel=1, ahead=1)
    one.come_to_rest()
    one.markers["w.cancel"] = SeenMarker(path="w.cancel", workflow="w", digest="d")
    one.crash_before = one.effects + 2  # the first order to end, behind the append
    one.processes.clear()  # as if their parent had never got the starts
    one.queue.clear()
    one.ledger.clear()
    one.busy = 0
    one.come_to_rest()
    assert not one.ledger
    assert one.phases()["w"] == {"": "Cancelled", "x": "Cancelled", "a": "Cancelled"}


def test_an_end_that_is_told_twice_is_forgotten_only_when_it_is_durable() -> None:
    one = world()
    one.come_to_rest()
    ended = Ended(id=attempt(one), how="exited", at=BEGIN, exit_code=0)
    executor = one.controller.edges.executor
    executor.observe = lambda: [ended, ended]  # type: ignore[method-assign]
    forgotten: list[list[AttemptId]] = []
    executor.forget = lambda ids: forgotten.append(list(ids))  # type: ignore[method-assign]
    one.crash_before = one.effects + 1
    with pytest.raises(Crash):
        one.controller.turn()
    assert forgotten == []


def test_what_is_told_of_attempts_long_over_is_forgotten() -> None:
    one = world(fate=lambda *of: Fate(0))
    one.run()
    seen = Started(id=attempt(one), pid=1, start_ticks=1, at=BEGIN)
    executor = one.controller.edges.executor
    executor.observe = lambda: [seen]  # type: ignore[method-assign]
    forgotten: list[AttemptId] = []
    executor.forget = forgotten.extend  # type: ignore[method-assign]
    written = len(one.log)
    one.controller.turn()
    assert (forgotten, len(one.log)) == ([attempt(one)], written)


def test_what_a_cut_log_does_not_know_is_not_forgotten_and_not_started_again() -> None:
    one = world(fate=lambda workflow, step, number: Fate(0 if step == "a" else LONG))
    one.come_to_rest()
    b = attempt(one, "b")
    one.pass_time(2 * round(LONG) * 1_000_000)  # b ends as well, unheard
    one.live()
    scheduled = next(n for n, record in enumerate(one.records()) if is_schedule(record, "b"))
    del one.log[one.records()[scheduled].turn - 1 :]
    one.boot_controller()
    one.run()
    assert one.ledger[b] == 1
    assert one.phases() == {"w": {"": "Succeeded", "a": "Succeeded", "b": "Succeeded"}}


def is_schedule(record: e.Record, step: str) -> bool:
    return isinstance(record.event, e.AttemptScheduled) and record.event.step == step


def test_survivors_are_recorded_once() -> None:
    one = world()
    one.come_to_rest()
    seen = EndFailed(id=attempt(one), pids=(7,))
    one.controller.edges.executor.observe = lambda: [seen]  # type: ignore[method-assign]
    one.turn()
    one.turn()
    assert kinds(one).count("AttemptEndFailed") == 1


def test_a_sleep_is_an_event_and_moves_timeouts() -> None:
    one = world(a_step("a", timeoutSeconds=10))
    one.come_to_rest()
    one.sleep(60)
    one.come_to_rest()
    assert kinds(one)[-1] == "MachineSlept"
    assert one.phases()["w"]["a"] == "Running"
    assert one.controller.due() == BEGIN + 70_000_000


def test_a_step_of_the_wall_clock_is_recorded_and_moves_nothing() -> None:
    one = world(a_step("a", timeoutSeconds=10))
    one.come_to_rest()
    one.set_wall(-3600)
    one.come_to_rest()
    assert kinds(one)[-1] == "ClockStepped"
    assert one.controller.due() == BEGIN + 10_000_000


def test_small_corrections_of_the_clock_are_not_worth_a_record() -> None:
    one = world()
    one.come_to_rest()
    one.set_wall(0.5)
    one.come_to_rest()
    assert "ClockStepped" not in kinds(one)


def test_times_go_on_under_the_next_controller_s_clock() -> None:
    one = world(a_step("a", timeoutSeconds=10))
    one.come_to_rest()
    one.set_wall(-3600)
    one.new_controller().start()
    one.come_to_rest()
    assert one.controller.due() == BEGIN + 10_000_000 - 3600 * 1_000_000


def test_each_start_has_a_higher_epoch() -> None:
    one = world()
    one.new_controller().start()
    assert [record.epoch for record in one.records()] == [1, 2]


def test_a_request_is_applied_once_even_if_it_could_not_be_removed() -> None:
    one = world(fate=lambda *of: Fate(0))
    one.run()
    one.requests["r1"] = Request(name="r1", kind="retry", workflow="w", steps=["b"], by="me")
    one.crash_before = one.effects + 3  # append, start, then its removal
    one.run()
    assert not one.requests
    assert kinds(one).count("RequestApplied") == 1
    assert kinds(one).count("AttemptScheduled") == 3


def test_requests_for_one_workflow_keep_their_order() -> None:
    """Nothing that was asked for later overtakes a retry that has to wait."""
    one = world(fate=lambda *of: Fate(0))
    one.markers["w.cancel"] = SeenMarker(path="w.cancel", workflow="w", digest="d")
    one.run()
    one.requests["r1"] = Request(name="r1", kind="retry", workflow="w", by="me")
    one.requests["r2"] = Request(name="r2", kind="cancel", workflow="w", by="me")
    one.run()
    assert sorted(one.requests) == ["r1", "r2"]
    assert one.controller.settled(), "what a marker keeps from starting counts as settled"
    one.markers.clear()
    one.run()
    assert not one.requests
    applied = [r.event.name for r in one.records() if isinstance(r.event, e.RequestApplied)]
    assert applied == ["r1", "r2"]


def test_an_unread_request_is_not_settled() -> None:
    one = world(fate=lambda *of: Fate(0))
    one.run()
    assert one.controller.settled()
    one.requests["r1"] = Request(name="r1", kind="retry", workflow="w", steps=["a"], by="me")
    assert not one.controller.settled()


def test_what_a_step_may_leave_running_is_told_at_its_start_and_at_its_adoption() -> None:
    one = world(a_step("a", leaveProcesses=True))
    launches: list[Any] = []
    one.controller.edges.executor.start = launches.extend  # type: ignore[method-assign]
    one.turn()
    assert [launch.leave_processes for launch in launches] == [True]
    adopted: list[Any] = []
    another = one.new_controller()
    another.edges.executor.adopt = lambda alive, _: adopted.extend(alive)  # type: ignore[method-assign]
    another.start()
    assert [running.leave_processes for running in adopted] == [True]


def test_a_launch_has_all_that_a_step_sees() -> None:
    one = world(a_step("a", env={"X": "1", "TREADLE_STEP": "mine"}, workingDir="sub"))
    launches: list[Any] = []
    one.controller.edges.executor.start = launches.extend  # type: ignore[method-assign]
    one.turn()
    launch = launches[0]
    uid = launch.id.uid
    assert launch.argv == ("/bin/sh", "-euc", "a")
    assert launch.working_dir == "/specs/sub"
    assert launch.log == f"runs/{uid}/a.1.log"
    assert not launch.leave_processes
    assert launch.env == {
        "X": "1",
        "TREADLE_WORKFLOW": "w",
        "TREADLE_UID": uid,
        "TREADLE_RUN": "1",
        "TREADLE_STEP": "a",
        "TREADLE_ATTEMPT": "1",
        "TREADLE_GENERATION": "1",
        "TREADLE_OUTPUT": f"/state/runs/{uid}/a.1.out",
        "TREADLE_WORK_DIR": f"/state/work/{uid}",
        "TREADLE_TRIGGER": "",
        "TREADLE_INSTANCE": "",
        "TREADLE_DUE": "",
        "TREADLE_INTERVAL_START": "",
        "TREADLE_INTERVAL_END": "",
    }


def test_a_mark_that_waits_behind_another_request_withdraws_nothing() -> None:
    """It can't be answered yet: the step would be withdrawn and scheduled again and again."""
    one = world(*map(a_step, "abc"), max_parallel=1, ahead=1)
    one.turn()
    one.turn()
    marker = SeenMarker(path="w.cancel", workflow="w", digest="d", steps=("c",))
    one.markers[marker.path] = marker
    one.requests["r1"] = Request(name="r1", kind="retry", workflow="w", steps=["c"], by="me")
    one.requests["r2"] = Request(name="r2", kind="mark", workflow="w", steps=["b"], by="me")
    for _ in range(5):
        one.turn()
    assert not any(isinstance(record.event, e.AttemptEnding) for record in one.records())


def test_a_request_whose_time_comes_in_a_turn_is_applied_in_that_turn() -> None:
    """Nothing would wake the loop for it, and `up --once` would leave without it."""
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    one = World(fate=lambda workflow, step, nth: Fate(1, exit_code=int(step == "a")))
    one.files["w.yaml"] = (document([a_step("a")], hooks=hooks),)
    one.boot_controller()
    one.run(1.5)
    one.requests["r1"] = Request(name="r1", kind="retry", workflow="w", by="ada")
    one.turn()
    assert "RequestApplied" not in kinds(one), "the hook still runs"
    one.run(0.6)
    ended, applied = (
        next(record for record in one.records() if type(record.event).__name__ == kind)
        for kind in ("WorkflowFinished", "RequestApplied")
    )
    assert ended.turn == applied.turn


def test_what_lets_hooks_run_does_not_wait_behind_what_waits_for_them() -> None:
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    one = World(fate=lambda workflow, step, nth: Fate(1, exit_code=int(step == "a" and nth == 1)))
    one.files["w.yaml"] = (document([a_step("a")], hooks=hooks),)
    one.boot_controller()
    one.run(0.5)
    for number, kind in enumerate(("suspend", "retry", "resume")):
        name = f"r{number}"
        one.requests[name] = Request(name=name, kind=kind, workflow="w", by="ada")  # type: ignore[arg-type]
        one.run(1)
    one.run()
    assert one.controller.state.workflows["w"].phase == "Succeeded"
    assert not one.requests


def test_while_the_folder_is_read_nothing_of_it_is_judged_and_nothing_starts() -> None:
    """A new controller could start a step by the spec of yesterday."""
    steps = [a_step("x"), a_step("y")]
    one = world(*steps, fate=lambda *of: Fate(5), max_parallel=1, ahead=0)
    one.run(1)
    one.boot_controller()
    folder = one.controller.edges.folder
    assert folder is not None
    sight = folder.look(0)
    sight.unread = True
    one.files["new.yaml"] = (document([a_step("z")], name="new"),)
    one.run(20)
    assert one.phases()["w"] == {"": "Running", "x": "Succeeded", "y": "Ready"}
    assert "new" not in one.controller.state.workflows
    assert not one.controller.settled()
    sight.unread = False
    one.run()
    assert {phases[""] for phases in one.phases().values()} == {"Succeeded"}
    assert one.phases().keys() == {"w", "new"}


def test_an_edit_of_many_files_withdraws_nothing_while_they_are_read() -> None:
    one = world(a_step("x"), a_step("y"), max_parallel=1, ahead=1)
    one.come_to_rest()
    folder = one.controller.edges.folder
    assert folder is not None
    folder.look(0).unread = True
    before = len(one.log)
    one.come_to_rest()
    assert len(one.log) == before
    assert not one.controller.settled()
