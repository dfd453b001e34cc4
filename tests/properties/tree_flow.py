"""Stories of specs whose steps call templates: whatever happens, in the end all has settled.

Each invariant is checked after each event, and nothing else is foretold. Limits on slots are tight,
and what is edited, retried, cancelled and started is drawn without regard to what it will do. One
seed is one story.
"""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from properties.flow import Flow
from story import template

from controller.planner.permission import Limits

ENDS_MAX = 500  # of attempts, after the last edit
CONDITIONS = ("Succeeded", "Failed", "Finished")

Written = dict[str, Any]  # as a file has it


class TreeFlow(Flow):
    """Attempts end as chance has it."""

    def __init__(self, random: Random, seed: int) -> None:
        super().__init__(random, seed, Limits(max_parallel=random.choice((1, 2, 1_000))), True)

    def takes(self, spec: Written, **policies: Any) -> None:
        self.accept(**{**deepcopy(spec), **policies})

    def go_on(self, times: int = ENDS_MAX) -> None:
        """Also what waits for a person, who answers as chance has it."""
        super().go_on(times)
        while self.asking():
            self.one_answers()
            super().go_on(times)

    def one_answers(self) -> None:
        self.answers(self.random.choice(self.asking()), self.random.random() < 0.7)

    def one_ends(self, name: str) -> None:
        attempt, chance = self.attempt(name), self.random.random()
        if attempt.ending is not None:
            self.end(name)
        elif attempt.started is None and chance < 0.1:
            self.start(name)
        else:
            self.exit(name, 1 if chance > 0.8 else 0)


# ---------------------------------------- drawing specs


def a_spec(random: Random) -> Written:
    templates = {name: _a_template(random) for name in random.sample(("t", "u"), 2)}
    steps = [_a_step(random, name, before, templates) for name, before in _names(random, "suvw")]
    called = {step["template"]["name"] for step in steps if "template" in step}
    spec: Written = {
        "params": {"a": random.choice("19"), "list": some_items(random)},
        "templates": {name: templates[name] for name in sorted(called)},
        "steps": steps,
    }
    if random.random() < 0.3:
        spec["env"] = {"E": "${{ params.a }}"}
    if random.random() < 0.2:
        spec["parallelism"] = random.randint(1, 3)
    if random.random() < 0.1:
        spec["failFast"] = True
    if random.random() < 0.1:
        spec["suspend"] = True
    return spec


def _names(random: Random, letters: str) -> list[tuple[str, list[str]]]:
    """One to three names, each with some of those before it."""
    names = sorted(random.sample(letters, random.randint(1, 3)))
    return [
        (name, [one for one in names[:nth] if random.random() < 0.35])
        for nth, name in enumerate(names)
    ]


def some_items(random: Random) -> list[str]:
    return random.sample("abcd", random.randint(0, 3))


def _a_template(random: Random) -> Written:
    steps = [_common(random, name, before) for name, before in _names(random, "ijk")]
    for step in steps:
        _draw_work(random, step, "params.p")
    outputs = {"o": "${{ params.p }}"} if random.random() < 0.5 else {}
    return template(*steps, params={"p": "0"}, outputs=outputs)


def _a_step(random: Random, name: str, before: list[str], templates: Written) -> Written:
    step = _common(random, name, before)
    if random.random() < 0.5:
        _draw_work(random, step, "params.a")
        return step
    given = ["1", "2", "${{ params.a }}"]
    if random.random() < 0.6:
        step["forEach"] = some_items(random) if random.random() < 0.7 else "${{ params.list }}"
        given.append("${{ item }}")
        if random.random() < 0.4:
            step["parallelism"] = random.randint(1, 2)
    step["template"] = {"name": random.choice(sorted(templates))}
    if random.random() < 0.7:
        step["template"]["params"] = {"p": random.choice(given)}
    if random.random() < 0.2:
        of_item = "forEach" in step and random.random() < 0.5
        step["when"] = '${{ item != "a" }}' if of_item else '${{ params.a != "9" }}'
    return step


def _common(random: Random, name: str, before: list[str]) -> Written:
    step: Written = {"name": name}
    if before:
        step["dependsOn"] = [
            one if random.random() < 0.7 else {"step": one, "condition": random.choice(CONDITIONS)}
            for one in before
        ]
    if random.random() < 0.2:
        step["continueOnFailure"] = True
    return step


def _draw_work(random: Random, step: Written, param: str) -> None:
    if random.random() < 0.2:
        step["approve"] = {"message": f"${{{{ {param} }}}}?"}
        if random.random() < 0.5:
            step["approve"]["timeoutSeconds"] = random.choice((4, 100))
        if random.random() < 0.2:
            step["when"] = f'${{{{ {param} != "9" }}}}'
        return
    step["run"] = random.choice("xy")
    env = {"P": f"${{{{ {param} }}}}"} if random.random() < 0.3 else {}
    if random.random() < 0.3:
        step["forEach"] = some_items(random)
        if random.random() < 0.4:
            step["parallelism"] = random.randint(1, 2)
        if random.random() < 0.5:
            env["I"] = "${{ item }}"
    if env:
        step["env"] = env
    if random.random() < 0.25:
        step["onChanged"] = random.choice(("FinishFirst", "KeepResult"))
    if random.random() < 0.2:
        step["onRemoved"] = "Finish"
    if random.random() < 0.2:
        step["retry"] = {"limit": 1}
    if random.random() < 0.15:
        step["when"] = f'${{{{ {param} != "9" }}}}'


def an_edit(random: Random, spec: Written) -> Written:
    edited = deepcopy(spec)
    match random.choice(("other", "template", "lists", "step")):
        case "template" if edited["templates"]:
            within = random.choice(sorted(edited["templates"].items()))[1]["spec"]
            step = random.choice(within["steps"])
            _change(random, step)
            if random.random() < 0.3 and len(within["steps"]) > 1:
                _take_out(within["steps"], step)
        case "lists":
            for step in edited["steps"]:
                if isinstance(step.get("forEach"), list):
                    step["forEach"] = some_items(random)
            edited["params"]["list"] = some_items(random)
        case "step":
            step = random.choice(edited["steps"])
            if "template" not in step:
                _change(random, step)
            edited["params"]["a"] = random.choice("19")
            edited["suspend"] = False
        case _:
            return a_spec(random)
    return edited


def _change(random: Random, step: Written) -> None:
    """It does something else; or it asks a person in place of that, or no longer."""
    if random.random() < 0.2 or "approve" in step:
        kept = {key: step[key] for key in ("name", "dependsOn") if key in step}
        step.clear()
        step.update(kept)
    if len(step) < 3 and random.random() < 0.5:
        step["approve"] = {"message": random.choice("mn")}
    else:
        step["run"] = random.choice("xyz")


def _take_out(steps: list[Written], step: Written) -> None:
    steps.remove(step)
    names = {one["name"] for one in steps}
    for one in steps:
        needs = one.get("dependsOn", [])
        one["dependsOn"] = [
            need for need in needs if (need if isinstance(need, str) else need["step"]) in names
        ]


# ---------------------------------------- telling


def whatever_happens(
    seed: int, look: Callable[["TreeFlow", Written], None] = lambda flow, spec: None
) -> None:
    """`look` is called after each deed, with a spec that may be the next one."""
    random = Random(seed)
    specs, flow = [a_spec(random)], TreeFlow(random, seed)
    flow.takes(specs[-1])
    for _ in range(random.randint(3, 25)):
        _deed(flow, random, specs)
        look(flow, specs[random.randrange(len(specs))])
    if flow.state.markers:
        flow.unmark()
    flow.takes(specs[-1], suspend=False)
    flow.go_on(ENDS_MAX)
    assert flow.life().finished, {name: step.message for name, step in flow.life().steps.items()}
    flow.restart()


def _deed(flow: TreeFlow, random: Random, specs: list[Written]) -> None:
    step = random.choice(list(flow.life().steps))
    match random.choice(("end", "end", "end", "answer", "edit", "edit", "retry", "mark", "wait")):
        case "end" if flow.live():
            flow.one_ends(random.choice(sorted(flow.live())))
        case "answer" if flow.asking():
            flow.one_answers()
        case "edit":
            back = random.random() < 0.2
            specs.append(random.choice(specs) if back else an_edit(random, specs[-1]))
            flow.takes(specs[-1])
        case "retry" if not flow.step(step).leaving:
            flow.retry(step)
        case "mark":
            flow.mark(steps=[step], drain=random.random() < 0.3)
            if random.random() < 0.8:
                flow.unmark()
        case _:
            flow.wait(5)
    if random.random() < 0.2:
        flow.restart()
