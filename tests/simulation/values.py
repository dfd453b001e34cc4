"""Values in the stories: what steps read and hand on, and what must hold of what they got."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from simulation.reference import DONE, holds

from controller.model import events as e
from controller.model.phases import AttemptPhase
from controller.model.state import State, Step

LONG = "x" * 4_200  # more than a record holds
SKIPS = 9  # the exit code by which a step skips itself
GIVEN = {"n": 1, "t": "by hand"}  # by whoever marks a step

Files = Callable[[str], bytes | None]  # by path in the state folder

# ---------------------------------------- drawing


def params(random: Random) -> dict[str, Any]:
    return {"p": random.randint(1, 3), "w": random.random() < 0.7}


def fields(random: Random, visible: list[str], givers: list[str]) -> dict[str, Any]:
    """What a step has to do with values. `visible`: the steps before it; `givers`: with outputs."""
    found: dict[str, Any] = {}
    env = {"P": "p ${{ params.p }}"} if random.random() < 0.3 else {}
    some = [one for one in givers if one in visible]
    if some and random.random() < 0.6:
        env["N"] = f"${{{{ steps.{random.choice(some)}.outputs.n }}}}"
    if some and random.random() < 0.4:
        env["T"] = f"${{{{ steps.{random.choice(some)}.outputs.t }}}}"
    if visible and random.random() < 0.2:
        env["PHASE"] = f"${{{{ steps.{random.choice(visible)}.phase }}}}"
    if env:
        found["env"] = env
    if random.random() < 0.3:
        found["when"] = when(random, visible, givers)
    if random.random() < 0.2:
        found["skipExitCodes"] = [SKIPS]
    return found


def when(random: Random, visible: list[str], givers: list[str]) -> str:
    said = ["params.w", "params.p > 1"]
    givers = [one for one in givers if one in visible]
    if visible:
        said.append(f'steps.{random.choice(visible)}.phase == "Succeeded"')
    if givers:
        step = random.choice(givers)
        said += [f"steps.{step}.outputs.n > 0", f"has(steps.{step}.outputs.n)"]
    return f"${{{{ {random.choice(said)} }}}}"


def written(random: Random) -> bytes:
    """The output file of an attempt."""
    outputs = {"n": random.randint(-1, 2), "t": random.choice(("", "a = b", LONG))}
    if random.random() < 0.1:
        del outputs["n"]
    return json.dumps(outputs).encode()


# ---------------------------------------- what has to hold

_OUTPUT = re.compile(r"steps\.(\w+)\.outputs\.(\w+)")
_PHASE = re.compile(r"steps\.(\w+)\.phase")


class Asked:
    """Which steps have been asked their `when` since they were last reset."""

    def __init__(self) -> None:
        self._steps: set[tuple[str, str]] = set()

    def see(self, state: State, event: e.AnyEvent) -> str:
        """Why this may not follow now; to be asked before it is folded."""
        match event:
            case e.StepReset(uid=uid, step=step) | e.StepRestored(uid=uid, step=step):
                self._steps.discard((uid, step))
            case e.GenerationAccepted(uid=uid):
                self._steps = {one for one in self._steps if one[0] != uid}
            case e.StepReady(uid=uid, step=step) | e.StepSkipped(uid=uid, step=step):
                if event.when is None:
                    return ""
                if (uid, step) in self._steps:
                    return f"{step} is asked again"
                self._steps.add((uid, step))
            case e.AttemptScheduled(uid=uid, step=name):
                step = state.lives[uid].step(name)
                first = step.series_from is None and bool(step.definition.when)
                if first and step.answer is None:
                    return f"{name} starts and was not asked"
        return ""


def flaw(state: State, event: e.AnyEvent, files: Files) -> str:
    """What is wrong with the values in this record; to be asked before it is folded."""
    match event:
        case e.AttemptScheduled():
            values = event.values
            if event.values_file:
                values = msgspec.json.decode(files(event.values_file) or b"")
            for code, value in values.items():
                if problem := _misread(state, event.uid, code, value, files):
                    return f"{event.step}: {code} is {str(value)[:40]}, but {problem}"
        case e.StepFailed() if "has not finished" in event.message:
            return f"{event.step} reads what is not there yet: {event.message}"
        case e.StepSkipped(when=None):
            steps = state.lives[event.uid].steps
            needs = steps[event.step].definition.requires
            ended = [need for need in needs if str(steps[need.step].phase) in DONE]
            if all(holds(steps[need.step], need.condition) for need in ended):
                return f"{event.step} is skipped, although all that it needs is there"
        case e.StepRestored():
            kept = state.lives[event.uid].steps[event.step].standing
            skipped = kept is not None and str(kept.phase) == "Skipped"
            if skipped and str(kept.reason) != "SkippedItself":
                return f"{event.step} is skipped again without being judged"
    return ""


def _misread(state: State, uid: str, code: str, value: object, files: Files) -> str:
    life = state.lives[uid]
    if code == "params.p":
        default = life.spec.params["p"]  # type: ignore[index]
        return "" if value == default else f"the param is {default}"
    if found := _PHASE.fullmatch(code):
        phase = str(life.steps[found[1]].phase)
        return "" if value == phase and phase in DONE else f"{found[1]} is {phase}"
    found = _OUTPUT.fullmatch(code)
    if found is None:
        return ""
    step = life.steps[found[1]]
    if str(step.phase) != "Succeeded":
        return f"{step.name} is {step.phase}"
    given = GIVEN if step.reason == "Marked" else _last_handed_on(step, files)
    wanted = given[found[2]]
    return "" if value == wanted else f"{step.name} handed on {str(wanted)[:40]}"


def _last_handed_on(step: Step, files: Files) -> dict[str, Any]:
    """What the last attempt that succeeded wrote, read as a person would."""
    for attempt in reversed(step.attempts):
        if attempt.phase is AttemptPhase.SUCCEEDED:
            found: dict[str, Any] = json.loads(files(attempt.log) or b"{}")
            return found
    raise AssertionError(f"{step.name} succeeded, and nobody ran it")
