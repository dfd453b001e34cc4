"""What values that flow through a DAG come to, worked out by recursion: no state, no time, no log.

A plan is a workflow with params, outputs, conditions and expressions. Each expression is a text
for the product and a Python function for the reference, made together, so nothing is parsed here.
What an attempt does follows from the texts that it got, and from which try it is.
"""

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

STEPS_MAX = 7
CONDITIONS = ("Succeeded", "Succeeded", "Failed", "Finished")
PHASES = ("Succeeded", "Failed", "Skipped", "Cancelled")
SKIPS = 9  # the exit code by which a step skips itself
LONG = "x" * 5_000  # more than a record holds

Needs = tuple[tuple[str, str], ...]
Pieces = tuple["str | Expression", ...]
Texts = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]  # argv, variables


class Nothing(Exception):
    """There is no value."""


class Outcome(NamedTuple):
    """How a step ended. `tries`: the texts that its attempts got since it was last reset.

    `own`: it skipped itself, or its `when` did. `again`: not that from before the edit.
    """

    phase: str
    outputs: Mapping[str, Any] = {}
    tries: tuple[Texts, ...] = ()
    own: bool = False
    again: bool = True


class Seen(NamedTuple):
    params: Mapping[str, int]
    steps: Callable[[str], Outcome]


class Expression(NamedTuple):
    """`steps` and `params`: the names of those that it reads."""

    text: str
    give: Callable[[Seen], Any]
    steps: frozenset[str] = frozenset()
    params: frozenset[str] = frozenset()

    def made(self, text: str, give: Callable[[Seen], Any], *others: "Expression") -> "Expression":
        all_ = (self, *others)
        steps = frozenset[str]().union(*(one.steps for one in all_))
        return Expression(text, give, steps, frozenset().union(*(one.params for one in all_)))


class Step(NamedTuple):
    name: str
    needs: Needs  # steps, with conditions
    words: Pieces  # of its command
    env: Mapping[str, Pieces]
    when: Expression | None
    hands_on: bool  # an integer n and a text t
    limit: int  # of retries
    tolerated: bool
    skips: bool
    finishes: bool = False  # what runs, before an edit takes effect
    keeps: bool = False  # its result, whatever is edited

    @property
    def fixed(self) -> list[Expression]:
        """All of its expressions but `when`."""
        pieces = [*self.words, *(piece for text in self.env.values() for piece in text)]
        return [one for one in pieces if isinstance(one, Expression)]

    @property
    def after(self) -> set[str]:
        """The steps whose results it is made from."""
        read = [one.steps for one in (*self.fixed, *([self.when] if self.when else []))]
        return {name for name, _ in self.needs}.union(*read)

    def written(self) -> dict[str, Any]:
        step: dict[str, Any] = {
            "name": self.name,
            "command": [_text((word,)) for word in self.words],
            "env": {name: _text(pieces) for name, pieces in self.env.items()},
            "dependsOn": [{"step": name, "condition": on} for name, on in self.needs],
            "retry": {"limit": self.limit, "backoff": {"initialSeconds": 1, "jitter": 0}},
            "continueOnFailure": self.tolerated,
        }
        if self.finishes or self.keeps:
            step["onChanged"] = "KeepResult" if self.keeps else "FinishFirst"
        if self.when is not None:
            step["when"] = _text((self.when,))
        if self.hands_on:
            step["outputs"] = {"n": "integer", "t": "string"}
        if self.skips:
            step["skipExitCodes"] = [SKIPS]
        return step


def _text(pieces: Pieces) -> str:
    return "".join(one if isinstance(one, str) else f"${{{{ {one.text} }}}}" for one in pieces)


class Plan(NamedTuple):
    steps: Mapping[str, Step]  # dependencies first
    params: Mapping[str, int]

    def written(self) -> list[dict[str, Any]]:
        return [step.written() for step in self.steps.values()]

    def with_keepers(self, random: Random) -> "Plan":
        """Some of the steps keep their results."""
        some = {name: random.random() < 0.3 for name in self.steps}
        steps = {name: step._replace(keeps=some[name]) for name, step in self.steps.items()}
        return Plan(steps, self.params)

    def before(self, name: str) -> set[str]:
        """All steps that this one depends on, directly or through others."""
        needs = {need for need, _ in self.steps[name].needs}
        return needs.union(*(self.before(need) for need in needs))


# ---------------------------------------- drawing plans


def a_plan(random: Random) -> Plan:
    plan = Plan({}, {name: random.randint(-2, 2) for name in ("p", "q", "w")})
    for index in range(random.randint(1, STEPS_MAX)):
        name = f"s-{index}"
        plan = Plan({**plan.steps, name: a_step(random, plan, name)}, plan.params)
    return plan


def a_step(random: Random, plan: Plan, name: str, needs: Needs | None = None) -> Step:
    """A step that can come after those of the plan."""
    if needs is None:
        some = random.sample(list(plan.steps), min(len(plan.steps), random.choice((0, 1, 1, 2))))
        needs = tuple((need, random.choice(CONDITIONS)) for need in some)
    visible = sorted({need for need, _ in needs}.union(*(plan.before(need) for need, _ in needs)))
    say = Speaker(random, visible, plan, ("p", "q"))
    env: dict[str, Pieces] = {}
    if random.random() < 0.7:
        env = {"A": ("a ", say.integer(), " b"), "B": (say.integer(1),)}
    if say.givers and random.random() < 0.5:
        env["T"] = ("t=", say.output(random.choice(say.givers), "t"))
    listed = say.integers() if random.random() < 0.4 else say.integer()
    asks = Speaker(random, visible, plan, ("w",))
    return Step(
        name,
        needs,
        words=(name, str(random.randint(1, 3)), listed),
        env=env,
        when=asks.boolean() if random.random() < 0.5 else None,
        hands_on=random.random() < 0.7,
        limit=random.choice((0, 0, 1)),
        tolerated=random.random() < 0.2,
        skips=random.random() < 0.3,
        finishes=random.random() < 0.3,
    )


class Speaker(NamedTuple):
    """Draws expressions over these steps and params."""

    random: Random
    visible: list[str]
    plan: Plan
    params: tuple[str, ...]

    @property
    def givers(self) -> list[str]:
        return [one for one in self.visible if self.plan.steps[one].hands_on]

    def integer(self, depth: int = 2) -> Expression:
        random, givers = self.random, self.givers
        kind = random.choice(
            ("param", "output", "output", "plus", "choice") if depth else ("param",)
        )
        if kind == "output" and givers:
            return self.output(random.choice(givers), "n")
        if kind == "plus":
            one, other = self.integer(depth - 1), self.integer(depth - 1)
            text = f"({one.text} + {other.text})"
            return one.made(text, lambda seen: one.give(seen) + other.give(seen), other)
        if kind == "choice":
            cond, one, other = self.boolean(1), self.integer(depth - 1), self.integer(depth - 1)
            text = f"({cond.text} ? {one.text} : {other.text})"
            return cond.made(
                text,
                lambda seen: one.give(seen) if cond.give(seen) else other.give(seen),
                one,
                other,
            )
        name = random.choice(self.params)
        return Expression(
            f"params.{name}", lambda seen: seen.params[name], params=frozenset({name})
        )

    def integers(self) -> Expression:
        """A list, which takes the place of a word."""
        items = [self.integer(1) for _ in range(self.random.randint(0, 2))]
        text = f"[{', '.join(one.text for one in items)}]"
        return Expression("", lambda seen: None).made(
            text, lambda seen: [one.give(seen) for one in items], *items
        )

    def output(self, step: str, name: str) -> Expression:
        def give(seen: Seen) -> Any:
            found = seen.steps(step)
            if found.phase != "Succeeded":
                raise Nothing
            return found.outputs[name]

        return Expression(f"steps.{_alias(step)}.outputs.{name}", give, frozenset({step}))

    def boolean(self, depth: int = 2) -> Expression:
        random = self.random
        kinds = ["more"] if not depth else ["more", "and", "or", "not"]
        kind = random.choice([*kinds, *(["phase", "has"] if self.visible else [])])
        if kind == "phase":
            step, phase = random.choice(self.visible), random.choice(PHASES)
            text = f'steps.{_alias(step)}.phase == "{phase}"'
            return Expression(text, lambda seen: seen.steps(step).phase == phase, frozenset({step}))
        if kind == "has" and self.givers:
            of = self.output(random.choice(self.givers), "n")
            return of.made(f"has({of.text})", lambda seen: not _fails(of, seen))
        if kind == "not":
            inner = self.boolean(depth - 1)
            return inner.made(f"!({inner.text})", lambda seen: not inner.give(seen))
        if kind in ("and", "or"):
            one, other = self.boolean(depth - 1), self.boolean(depth - 1)
            sign, decides = ("&&", False) if kind == "and" else ("||", True)
            text = f"(({one.text}) {sign} ({other.text}))"
            return one.made(text, lambda seen: _either(one, other, decides, seen), other)
        less, more = self.integer(max(0, depth - 1)), self.integer(0)
        text = f"{less.text} > {more.text}"
        return less.made(text, lambda seen: less.give(seen) > more.give(seen), more)


def _alias(step: str) -> str:
    return step.replace("-", "_")


def _fails(one: Expression, seen: Seen) -> bool:
    try:
        one.give(seen)
    except Nothing:
        return True
    return False


def _either(one: Expression, other: Expression, decides: bool, seen: Seen) -> bool:
    """One side that decides is enough, even if the other one fails."""
    known = [side.give(seen) for side in (one, other) if not _fails(side, seen)]
    if decides in known:
        return decides
    if len(known) < 2:
        raise Nothing
    return not decides


def an_edit(random: Random, plan: Plan, policies: bool) -> Plan:
    """Another plan. `policies`: also of what is no part of a fingerprint, `when` for one."""
    moving = ("p", "q", "w") if policies else ("p", "q")
    params = {
        name: random.randint(-2, 2) if name in moving and random.random() < 0.3 else value
        for name, value in plan.params.items()
    }
    if random.random() < 0.5:  # a small one
        params = plan.params
    only = random.choice(list(plan.steps)) if random.random() < 0.5 else None
    edited = Plan({}, params)
    for name, step in plan.steps.items():
        if only not in (name, None) and _fits(edited, step):
            edited = Plan({**edited.steps, name: step}, params)
            continue
        is_read = any(name in other.after for other in plan.steps.values())
        if edited.steps and not is_read and random.random() < 0.15:
            continue
        edited = Plan({**edited.steps, name: _edited(random, edited, step, policies)}, params)
    if random.random() < 0.2:
        new = f"new-{random.getrandbits(32)}"
        edited = Plan({**edited.steps, new: a_step(random, edited, new)}, params)
    return edited


def _fits(plan: Plan, step: Step) -> bool:
    """Whether all that it reads is still before it."""
    needs = {need for need, _ in step.needs}
    return needs <= plan.steps.keys() and step.after <= needs.union(*map(plan.before, needs))


def _edited(random: Random, plan: Plan, step: Step, policies: bool) -> Step:
    if not policies:
        drawn = a_step(random, plan, step.name, step.needs)
        return step._replace(words=drawn.words, env=drawn.env) if random.random() < 0.3 else step
    drawn = a_step(random, plan, step.name)._replace(hands_on=step.hands_on)
    if not _fits(plan, step) or random.random() < 0.2:
        return drawn
    if random.random() < 0.3:
        step = step._replace(when=a_step(random, plan, step.name, step.needs).when)
    if random.random() < 0.3:
        step = step._replace(tolerated=drawn.tolerated, limit=drawn.limit, skips=drawn.skips)
    return step


# ---------------------------------------- what it comes to


class Fate(NamedTuple):
    """What an attempt does: its exit code, what it writes, and the values in that, if any."""

    code: int
    data: bytes = b""
    outputs: Mapping[str, Any] | None = None


def fate(seed: int, step: str, nth: int, texts: Texts) -> Fate:
    """By name, number of the try and texts alone."""
    random = Random(f"{seed}/{step}/{nth}/{texts}")
    code = random.choice((0, 0, 0, 1, SKIPS))
    outputs = {"n": random.randint(-2, 2), "t": random.choice(("", "a = b", '"', LONG))}
    kind = random.choice(("lines", "JSON", "JSON", "JSON", "missing", "no integer"))
    if kind == "lines":
        return Fate(code, f"n={outputs['n']}\nt={outputs['t']}\n".encode(), outputs)
    if kind == "JSON":
        return Fate(code, json.dumps(outputs).encode(), outputs)
    return Fate(code, b"n=1" if kind == "missing" else b"n=one\nt=")


class Reference:
    """The outcomes of a plan; after an edit, from those of the plan before."""

    def __init__(
        self,
        plan: Plan,
        seed: int,
        cancelled: frozenset[str] = frozenset(),
        before: "Reference | None" = None,
    ) -> None:
        self.plan, self.seed, self.cancelled, self._before = plan, seed, cancelled, before
        self._known: dict[str, Outcome] = {}

    def outcome(self, name: str) -> Outcome:
        if name not in self._known:
            self._known[name] = self._after_edit(name)
        return self._known[name]

    @property
    def phase(self) -> str:
        """Of the workflow."""
        ends = [(step, self.outcome(name).phase) for name, step in self.plan.steps.items()]
        if any(phase == "Failed" and not step.tolerated for step, phase in ends):
            return "Failed"
        return "Cancelled" if any(phase == "Cancelled" for _, phase in ends) else "Succeeded"

    def _after_edit(self, name: str) -> Outcome:
        before = self._before
        if before is None or name not in before.plan.steps:
            return self._anew(name)
        was, step, then = before.outcome(name), self.plan.steps[name], before.plan.steps[name]
        unchanged = self._meaning(name) == before._meaning(name)
        same = (
            unchanged
            and not any(self.outcome(one).again for one in step.after)
            and all(self._holds(need, on) for need, on in step.needs)
        )
        asked = (step.when and step.when.text, self._read(step.when)) != (
            then.when and then.when.text,
            before._read(step.when),
        )
        if was.phase == "Skipped" and not (was.own and was.tries):
            found = self._anew(name)
            return found._replace(
                again=not (unchanged and found.phase == "Skipped" and not found.tries)
            )
        stands = was.phase in ("Succeeded", "Skipped") or (was.phase == "Failed" and step.tolerated)
        never_ran = was.phase == "Failed" and not was.tries
        if stands and same and not (never_ran and asked):
            return was._replace(again=False)
        return self._anew(name)

    def _meaning(self, name: str) -> str:
        """What a step does, written out in full."""
        step = self.plan.steps[name]
        written = step.written()
        read = {one: self.plan.params[one] for fixed in step.fixed for one in fixed.params}
        after = sorted((on, self._meaning(need)) for need, on in step.needs)
        return (
            f"{written['command']} {written['env']} {step.hands_on} {sorted(read.items())} {after}"
        )

    def _read(self, when: Expression | None) -> dict[str, int]:
        return {one: self.plan.params[one] for one in when.params} if when else {}

    def _anew(self, name: str) -> Outcome:
        step = self.plan.steps[name]
        if name in self.cancelled:
            return Outcome("Cancelled")
        if not all(self._holds(need, on) for need, on in step.needs):
            return Outcome("Skipped")
        seen, tries = Seen(self.plan.params, self.outcome), list[Texts]()
        try:
            if step.when is not None and not step.when.give(seen):
                return Outcome("Skipped", own=True)
            for nth in range(1, step.limit + 2):
                tries.append(_texts(step, seen))
                does = fate(self.seed, name, nth, tries[-1])
                if step.skips and does.code == SKIPS:
                    return Outcome("Skipped", tries=tuple(tries), own=True)
                if does.code == 0 and not step.hands_on:
                    return Outcome("Succeeded", tries=tuple(tries))
                if does.code == 0 and does.outputs is not None:
                    return Outcome("Succeeded", does.outputs, tuple(tries))
        except Nothing:
            pass
        return Outcome("Failed", tries=tuple(tries))

    def _holds(self, need: str, on: str) -> bool:
        end = self.outcome(need)
        if end.phase == "Failed" and self.plan.steps[need].tolerated:
            return True
        return {
            "Succeeded": end.phase == "Succeeded" or end.own,
            "Failed": end.phase == "Failed",
            "Finished": end.phase != "Cancelled",
        }[on]


def _texts(step: Step, seen: Seen) -> Texts:
    argv: list[str] = []
    for word in step.words:
        value = word if isinstance(word, str) else word.give(seen)
        argv += [str(one) for one in value] if isinstance(value, list) else [str(value)]
    env = {
        name: "".join(one if isinstance(one, str) else str(one.give(seen)) for one in pieces)
        for name, pieces in step.env.items()
    }
    return tuple(argv), tuple(sorted(env.items()))
