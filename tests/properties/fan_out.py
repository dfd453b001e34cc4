"""What steps that run for each item of a list come to, worked out by recursion: no state, no log.

It follows from docs/fan-out.md alone. A plan is a workflow; each expression in it is a text for the
product and a Python function for the reference, made together, so nothing is parsed here. What an
attempt does follows from its name, the texts that it got, and from which try it is.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import product
from random import Random
from typing import Any, NamedTuple

STEPS_MAX = 5
CONDITIONS = ("Succeeded", "Succeeded", "Finished", "Failed")
PHASES = ("Succeeded", "Failed", "Skipped", "Cancelled")
SKIPS = 9  # the exit code by which a step skips itself
OUTPUTS = {"n": "integer", "names": "array"}

Needs = tuple[tuple[str, str], ...]
Pieces = tuple["str | Expression", ...]
Texts = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]  # argv, variables


class Nothing(Exception):
    """There is no value."""


class Outcome(NamedTuple):
    """How a step, or a child, ended. `tries`: the texts of its attempts since it was last reset.

    `own`: it skipped itself, or its `when` did. `again`: not that from before the edit. `reset`:
    judged again because of the edit, even if it came to the same. `children`: by full name, in the
    order of the items; None if it has none, or never got any.
    """

    phase: str
    outputs: Mapping[str, Any] = {}
    tries: tuple[Texts, ...] = ()
    own: bool = False
    again: bool = True
    reset: bool = True
    children: Mapping[str, "Outcome"] | None = None
    failed: Sequence[str] = ()

    @property
    def gives(self) -> bool:
        return self.phase == "Succeeded" or self.children is not None


class Seen(NamedTuple):
    params: Mapping[str, Any]
    steps: Callable[[str], Outcome]
    item: Any = None
    index: int = -1


class Expression(NamedTuple):
    """`reads`: the params (`params.p`), the steps (their names), `item` and `index`."""

    text: str
    give: Callable[[Seen], Any]
    reads: frozenset[str] = frozenset()


class Fan(NamedTuple):
    """What a step runs for. `items`: a list, an expression, or a matrix with what it leaves out."""

    items: "Sequence[Any] | Expression | Matrix"
    key: Pieces = ()

    @property
    def expressions(self) -> list[Expression]:
        items = self.items
        lists = [*items.lists.values()] if isinstance(items, Matrix) else [items]
        return [one for one in (*lists, *self.key) if isinstance(one, Expression)]

    def written(self) -> dict[str, Any]:
        def text(items: Sequence[Any] | Expression) -> Any:
            return _text((items,)) if isinstance(items, Expression) else list(items)

        if isinstance(self.items, Matrix):
            matrix = {name: text(items) for name, items in self.items.lists.items()}
            each: Any = {"matrix": matrix, "exclude": list(self.items.exclude)}
        else:
            each = text(self.items)
        return {"forEach": each, **({"key": _text(self.key)} if self.key else {})}


class Matrix(NamedTuple):
    lists: Mapping[str, "Sequence[Any] | Expression"]
    exclude: Sequence[Mapping[str, Any]] = ()


class Step(NamedTuple):
    name: str
    needs: Needs  # steps, with conditions
    version: int  # of its command
    env: Mapping[str, Pieces]
    when: Expression | None
    hands_on: bool
    limit: int  # of retries
    tolerated: bool
    skips: bool
    fan: Fan | None = None
    parallelism: int = 0  # 0: no limit
    changed: str = "Restart"
    removed: str = "End"

    @property
    def fixed(self) -> list[Expression]:
        """What each attempt is made with."""
        pieces = [piece for text in self.env.values() for piece in text]
        return [one for one in pieces if isinstance(one, Expression)]

    @property
    def listed(self) -> list[Expression]:
        return self.fan.expressions if self.fan else []

    @property
    def asks_each(self) -> bool:
        """Whether `when` is asked for each child."""
        return self.fan is not None and self.when is not None and _by_item(self.when)

    @property
    def after(self) -> set[str]:
        """The steps whose results it is made from."""
        every = [*self.fixed, *self.listed, *([self.when] if self.when else [])]
        read = {name for one in every for name in one.reads if _is_step(name)}
        return read | {name for name, _ in self.needs}

    def written(self) -> dict[str, Any]:
        step: dict[str, Any] = {
            "name": self.name,
            "command": [self.name, str(self.version)],
            "env": {name: _text(pieces) for name, pieces in self.env.items()},
            "dependsOn": [{"step": name, "condition": on} for name, on in self.needs],
            "retry": {"limit": self.limit, "backoff": {"initialSeconds": 1, "jitter": 0}},
            "continueOnFailure": self.tolerated,
            "onChanged": self.changed,
            "onRemoved": self.removed,
        }
        if self.when is not None:
            step["when"] = _text((self.when,))
        if self.hands_on:
            step["outputs"] = OUTPUTS
        if self.skips:
            step["skipExitCodes"] = [SKIPS]
        if self.fan is not None:
            step |= self.fan.written()
            step |= {"parallelism": self.parallelism} if self.parallelism else {}
        return step


def _is_step(name: str) -> bool:
    return name not in ("item", "index") and not name.startswith("params.")


def _by_item(one: Expression) -> bool:
    return not one.reads.isdisjoint({"item", "index"})


def _text(pieces: Pieces) -> str:
    return "".join(one if isinstance(one, str) else f"${{{{ {one.text} }}}}" for one in pieces)


class Plan(NamedTuple):
    steps: Mapping[str, Step]  # dependencies first
    params: Mapping[str, Any]

    def written(self) -> list[dict[str, Any]]:
        return [step.written() for step in self.steps.values()]

    def with_keepers(self, random: Random) -> "Plan":
        """Some of the steps keep their results."""
        steps = {
            name: step._replace(changed="KeepResult") if random.random() < 0.3 else step
            for name, step in self.steps.items()
        }
        return Plan(steps, self.params)

    def before(self, name: str) -> set[str]:
        """All steps that this one depends on, directly or through others."""
        needs = {need for need, _ in self.steps[name].needs}
        return needs.union(*(self.before(need) for need in needs))


# ---------------------------------------- drawing plans


def a_plan(random: Random) -> Plan:
    plan = Plan({}, params(random))
    for index in range(random.randint(1, STEPS_MAX)):
        name = f"s{index}"
        plan = Plan({**plan.steps, name: a_step(random, plan, name)}, plan.params)
    return plan


def params(random: Random) -> dict[str, Any]:
    return {
        "p": random.randint(0, 1),
        "w": random.randint(0, 2),
        "l": some_items(random),
        "m": some_items(random),
    }


def some_items(random: Random, shape: str = "") -> list[Any]:
    shape = shape or random.choice(("names", "names", "maps", "odd"))
    count = random.choice((0, 1, 2, 2, 3, 3, 4))
    if shape == "names":
        return random.choices("abcd", k=count)
    if shape == "odd":
        odd = ("a", "x y", 5, True, None, ["a"], {"k": "a"})
        return random.choices(odd, k=count)
    return [{"k": random.choice("abcd"), "v": random.randint(0, 1)} for _ in range(count)]


def covered(plan: Plan) -> Plan:
    """What a `when` reads of an item is also in `env`, and so in the fingerprint of a child."""
    steps = dict(plan.steps)
    for name, step in steps.items():
        if step.when is not None and step.asks_each:
            read: dict[str, Pieces] = {"W": (ITEM, " ", INDEX)}
            steps[name] = step._replace(env={**step.env, **read})
    return Plan(steps, plan.params)


def a_step(random: Random, plan: Plan, name: str, needs: Needs | None = None) -> Step:
    """A step that can come after those of the plan."""
    if needs is None:
        some = random.sample(list(plan.steps), min(len(plan.steps), random.choice((0, 1, 1, 2))))
        needs = tuple((need, random.choice(CONDITIONS)) for need in some)
    before = {need for need, _ in needs}.union(*(plan.before(need) for need, _ in needs))
    say = Speaker(random, [plan.steps[one] for one in plan.steps if one in before])
    fan = say.fan() if random.random() < 0.6 else None
    say = say._replace(in_fan=fan is not None)
    return Step(
        name,
        needs,
        version=random.randint(1, 3),
        env={f"E{nth}": ("a ", say.value()) for nth in range(random.choice((0, 1, 1, 2)))},
        when=say.question() if random.random() < 0.4 else None,
        hands_on=random.random() < 0.7,
        limit=random.choice((0, 0, 1)),
        tolerated=random.random() < 0.3,
        skips=random.random() < 0.3,
        fan=fan,
        parallelism=random.choice((0, 0, 1, 2)),
        changed=random.choice(("Restart", "Restart", "FinishFirst")),
        removed=random.choice(("End", "End", "Finish")),
    )


class Speaker(NamedTuple):
    """Draws expressions over the params, these steps and, in a step with `forEach`, the item."""

    random: Random
    before: list[Step]
    in_fan: bool = False

    def value(self) -> Expression:
        """For `env`."""
        known = [param("p"), *self._outputs(), *self._failed()]
        if self.in_fan:
            known += [ITEM, ITEM, INDEX, *map(at_index, self._collected())]
        return self.random.choice(known)

    def question(self) -> Expression:
        """For `when`."""
        known = [compared(param("w"), "> 0", lambda value: value > 0)]
        for step in self.before:
            phase = self.random.choice(PHASES)
            known.append(phase_is(step.name, phase))
        known += [compared(one, "!= []", lambda value: value != []) for one in self._failed()]
        if self.in_fan:
            known += [
                compared(ITEM, "!= 'b'", lambda value: value != "b"),
                compared(V, "> 0", lambda value: value > 0),
                compared(INDEX, "< params.w", lambda value: value, "w"),
                *map(not_in, self._failed()),
            ]
        return self.random.choice(known)

    def fan(self) -> Fan:
        random = self.random
        lists: list[Any] = [param("l"), param("m"), *self._names(), *self._names()]
        lists += [*self._collected(), *self._failed(), some_items(random), some_items(random)]
        keys: list[Pieces] = [(), (), (K,), (K, "-", param("p")), ("x", INDEX)]
        if random.random() < 0.2:
            also = random.choice((param("l"), ["1", "2"]))
            exclude = [{"x": "a"}, {"x": "b", "y": "1"}]
            given = {"x": random.choice(lists), "y": also}
            return Fan(Matrix(given, exclude if random.random() < 0.5 else []))
        items = random.choice(lists)
        maps = isinstance(items, list) and items and all(isinstance(one, dict) for one in items)
        return Fan(items, (K,) if maps and random.random() < 0.7 else random.choice(keys))

    def _givers(self, fan: bool) -> list[str]:
        return [one.name for one in self.before if one.hands_on and (one.fan is not None) == fan]

    def _outputs(self) -> list[Expression]:
        return [output(one, "n") for one in (*self._givers(fan=False), *self._givers(fan=True))]

    def _names(self) -> list[Expression]:
        return [output(one, "names") for one in self._givers(fan=False)]

    def _collected(self) -> list[Expression]:
        return [output(one, "n") for one in self._givers(fan=True)]

    def _failed(self) -> list[Expression]:
        return [failed(one.name) for one in self.before if one.fan is not None]


def _field(name: str) -> Callable[[Seen], Any]:
    def give(seen: Seen) -> Any:
        if not isinstance(seen.item, dict) or name not in seen.item:
            raise Nothing
        return seen.item[name]

    return give


ITEM = Expression("item", lambda seen: seen.item, frozenset({"item"}))
INDEX = Expression("index", lambda seen: seen.index, frozenset({"index"}))
K = Expression("item.k", _field("k"), frozenset({"item"}))
V = Expression("item.v", _field("v"), frozenset({"item"}))


def param(name: str) -> Expression:
    path = f"params.{name}"
    return Expression(path, lambda seen: seen.params[name], frozenset({path}))


def output(step: str, name: str) -> Expression:
    def give(seen: Seen) -> Any:
        found = seen.steps(step)
        if not found.gives:
            raise Nothing
        return found.outputs[name]

    return Expression(f"steps.{step}.outputs.{name}", give, frozenset({step}))


def failed(step: str) -> Expression:
    path = f"steps.{step}.failed"
    return Expression(path, lambda seen: list(seen.steps(step).failed), frozenset({step}))


def phase_is(step: str, phase: str) -> Expression:
    text = f'steps.{step}.phase == "{phase}"'
    return Expression(text, lambda seen: seen.steps(step).phase == phase, frozenset({step}))


def at_index(items: Expression) -> Expression:
    def give(seen: Seen) -> Any:
        found = items.give(seen)
        if seen.index >= len(found):
            raise Nothing
        return found[seen.index]

    return Expression(f"{items.text}[index]", give, items.reads | {"index"})


def not_in(keys: Expression) -> Expression:
    return Expression(
        f"!(item in {keys.text})",
        lambda seen: not any(_same(seen.item, key) for key in keys.give(seen)),
        keys.reads | {"item"},
    )


def compared(
    one: Expression, sign: str, holds: Callable[[Any], bool], limit: str = ""
) -> Expression:
    def give(seen: Seen) -> bool:
        value = one.give(seen)
        return value < seen.params[limit] if limit else holds(value)

    reads = one.reads | ({f"params.{limit}"} if limit else set())
    return Expression(f"{one.text} {sign}", give, frozenset(reads))


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)


# ---------------------------------------- edits


def an_edit(random: Random, plan: Plan, policies: bool) -> Plan:
    """Another plan. `policies`: also of what is no part of a fingerprint, `when` for one."""
    drawn = params(random)
    moving = [name for name in plan.params if name != "w" or policies]
    moved = set(random.sample(moving, random.choice((0, 1, 1, 2))))
    given = {name: drawn[name] if name in moved else value for name, value in plan.params.items()}
    given = {name: _list_edit(random, value) for name, value in given.items()}
    edited, only = Plan({}, given), random.choice([None, *plan.steps])
    for name, step in plan.steps.items():
        is_read = any(name in other.after for other in plan.steps.values())
        untouched = only not in (None, name)
        new = step if untouched else _edited(random, edited, step, policies, is_read)
        edited = Plan({**edited.steps, name: new}, given)
    return edited


def _list_edit(random: Random, value: Any) -> Any:
    """A list with an item more, an item less, another item or another order."""
    if not isinstance(value, list) or random.random() < 0.6:
        return value
    items = list(value)
    kind = random.choice(("more", "less", "order", "value"))
    if kind == "more":
        items.insert(random.randint(0, len(items)), random.choice([*"abcd", *items]))
    elif items and kind == "less":
        items.pop(random.randrange(len(items)))
    elif kind == "order":
        random.shuffle(items)
    elif items:
        at = random.randrange(len(items))
        one = items[at]
        items[at] = {**one, "v": 1 - one.get("v", 0)} if isinstance(one, dict) else "b"
    return items


def _edited(random: Random, plan: Plan, step: Step, policies: bool, is_read: bool) -> Step:
    drawn = a_step(random, plan, step.name, step.needs)
    if random.random() < 0.3:
        step = step._replace(version=drawn.version, env=drawn.env)
    if random.random() < 0.3 and step.fan is not None and drawn.fan is not None:
        step = step._replace(fan=drawn.fan)
    elif step.fan is not None and isinstance(step.fan.items, list):
        step = step._replace(fan=step.fan._replace(items=_list_edit(random, step.fan.items)))
    if random.random() < 0.3:
        step = step._replace(parallelism=drawn.parallelism, changed=drawn.changed)
    if policies and random.random() < 0.3:
        step = step._replace(when=drawn.when)
    if policies and random.random() < 0.3:
        step = step._replace(tolerated=drawn.tolerated, limit=drawn.limit, skips=drawn.skips)
    may_turn = not is_read and (policies or step.when is None)
    if (drawn.fan is None) != (step.fan is None) and may_turn and random.random() < 0.2:
        when = drawn.when if policies else None
        step = step._replace(fan=drawn.fan, env=drawn.env, when=when)
    if step.fan is None:
        step = step._replace(env={} if any(map(_by_item, step.fixed)) else step.env)
        step = step._replace(when=None if step.when and _by_item(step.when) else step.when)
    return step


# ---------------------------------------- what it comes to


class Fate(NamedTuple):
    """What an attempt does: its exit code and what it hands on."""

    code: int
    outputs: Mapping[str, Any] | None

    @property
    def data(self) -> bytes:
        return json.dumps(self.outputs).encode() if self.outputs is not None else b""


def fate(seed: int, name: str, nth: int, texts: Texts) -> Fate:
    """By name, number of the try and texts alone."""
    random = Random(f"{seed}/{name}/{nth}/{texts}")
    outputs = {"n": random.randint(0, 2), "names": some_items(random)}
    code = random.choice((0, 0, 0, 0, 1, SKIPS))
    return Fate(code, outputs if random.random() < 0.9 else None)


class Reference:
    """The outcomes of a plan; after an edit of a workflow at rest, from those of the plan before.

    A piece is what one item becomes: the full names in it, each with an outcome.
    """

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

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Of all steps and children."""
        found: dict[str, Outcome] = {}
        for name in self.plan.steps:
            found[name] = self.outcome(name)
            found |= found[name].children or {}
        return found

    @property
    def tries(self) -> dict[str, tuple[Texts, ...]]:
        """Of all that ran, or ran again because of the edit."""
        return {name: one.tries for name, one in self.outcomes.items() if one.again and one.tries}

    @property
    def phase(self) -> str:
        """Of the workflow."""
        ends = [(step, self.outcome(name).phase) for name, step in self.plan.steps.items()]
        if any(phase == "Failed" and not step.tolerated for step, phase in ends):
            return "Failed"
        cancelled = any(one.phase == "Cancelled" for one in self.outcomes.values())
        return "Cancelled" if cancelled else "Succeeded"

    # ------------------------------------ an edit

    def _after_edit(self, name: str) -> Outcome:
        before, step = self._before, self.plan.steps[name]
        then = before.plan.steps.get(name) if before else None
        if before is None or then is None or (step.fan is None) != (then.fan is None):
            return self._anew(name)
        was = before.outcome(name)
        anew = any(self.outcome(one).again for one in step.after)
        holds = all(self._holds(need, on) for need, on in step.needs)
        reset = any(self.outcome(one).reset for one in step.after)
        same = self._meaning(name) == before._meaning(name)
        if was.children is not None and holds and not anew:
            asked = reset and not same and step.when is not None and not step.asks_each
            if not asked or (step.when and step.when.give(Seen(self.plan.params, self.outcome))):
                found = self._expanded(name, was.children)
                return found._replace(reset=found.again or reset or not same)
        asked = self._asks_once(step) != before._asks_once(then)
        found = self._kept(step, was, same and holds and not anew, asked)
        if found is not None:
            return found._replace(reset=reset)
        now = self._anew(name)
        again = was.children is not None or self._is_other(was, now) or not same
        return now._replace(again=again, reset=again or reset)

    def _kept(self, step: Step, was: Outcome, same: bool, asked: bool) -> Outcome | None:
        """What was, if it stands. What never ran is judged again if `when` asks something else."""
        stands = (
            was.phase == "Succeeded"
            or (was.phase == "Skipped" and was.own and was.tries)
            or (was.phase == "Failed" and step.tolerated)
        )
        never_ran = was.phase == "Failed" and not was.tries
        return was._replace(again=False) if stands and same and not (never_ran and asked) else None

    def _is_other(self, was: Outcome, now: Outcome) -> bool:
        """What was skipped, and is again, is what it was."""
        return not (was.phase == now.phase == "Skipped" and not was.tries and not now.tries)

    def _asks(self, step: Step) -> tuple[str, dict[str, Any]]:
        return (step.when.text, self._read([step.when])) if step.when else ("", {})

    def _asks_once(self, step: Step) -> object:
        return ("", {}) if step.asks_each else self._asks(step)

    def _asks_each(self, step: Step, seen: Seen) -> str:
        if step.when is None or not step.asks_each:
            return ""
        index = seen.index if "index" in step.when.reads else ""
        return f"{self._asks(step)} {seen.item} {index}"

    def _expanded(self, name: str, were: Mapping[str, Outcome]) -> Outcome:
        """Nothing that it ran after runs again: each child is judged by itself."""
        step, before = self.plan.steps[name], self._before
        assert before is not None
        then = before.plan.steps[name]
        try:
            items, items_then = self._items(name), before._items(name)
        except Nothing:
            return self._anew(name)
        children: dict[str, Outcome] = {}
        for child, seen in items.items():
            if child not in were:
                children |= self._piece(name, child, seen)
                continue
            was, seen_then = were[child], items_then[child]
            same = self._child_meaning(name, seen) == before._child_meaning(name, seen_then)
            asked = self._asks_each(step, seen) != before._asks_each(then, seen_then)
            found = self._kept(step, was, same, asked)
            if found is None:
                now = self._piece(name, child, seen)[child]
                found = now._replace(again=self._is_other(was, now) or not same)
            children[child] = found
        return self._joined(name, were, children)

    def _joined(
        self, name: str, were: Mapping[str, Outcome], children: Mapping[str, Outcome]
    ) -> Outcome:
        """It is another one if its children are others, or one of them is."""
        again = [*were] != [*children] or any(one.again for one in children.values())
        return self._together(name, children)._replace(again=again)

    # ------------------------------------ what a step does

    def _meaning(self, name: str) -> str:
        """Of a step, written out in full: what its dependents see."""
        step = self.plan.steps[name]
        if step.fan is None:
            return self._common(name)
        return f"{self._common(name)} {self.list_of(name)}"

    def list_of(self, name: str) -> str:
        """What decides which children it has, but for the outputs of others."""
        step = self.plan.steps[name]
        return f"{step.fan.written()} {self._read(step.listed)}" if step.fan else ""

    def _child_meaning(self, name: str, seen: Seen) -> str:
        reads = frozenset[str]().union(*(one.reads for one in self.plan.steps[name].fixed))
        item = json.dumps(seen.item, sort_keys=True) if "item" in reads else ""
        return f"{self._common(name)} {item} {seen.index if 'index' in reads else ''}"

    def _common(self, name: str) -> str:
        step = self.plan.steps[name]
        written = step.written()
        after = sorted((on, self._meaning(need)) for need, on in step.needs)
        does = f"{written['command']} {written['env']} {step.hands_on}"
        return f"{does} {self._read(step.fixed)} {after}"

    def _read(self, expressions: Sequence[Expression]) -> dict[str, Any]:
        read = sorted(frozenset[str]().union(*(one.reads for one in expressions)))
        return {one: self.plan.params[one[7:]] for one in read if one.startswith("params.")}

    # ------------------------------------ a run

    def _anew(self, name: str) -> Outcome:
        step = self.plan.steps[name]
        if name in self.cancelled:
            return Outcome("Cancelled")
        if not all(self._holds(need, on) for need, on in step.needs):
            return Outcome("Skipped")
        seen = Seen(self.plan.params, self.outcome)
        if step.fan is None:
            return self._run(step, name, seen)
        try:
            if step.when is not None and not step.asks_each and not step.when.give(seen):
                return Outcome("Skipped", own=True)
            items = self._items(name)
        except Nothing:
            return Outcome("Failed")
        children: dict[str, Outcome] = {}
        for child, seen in items.items():
            children |= self._piece(name, child, seen)
        return self._together(name, children)

    def _items(self, name: str) -> dict[str, Seen]:
        """The children of a step, and what each of them sees. Raises Nothing."""
        fan = self.plan.steps[name].fan
        assert fan is not None
        seen = Seen(self.plan.params, self.outcome)
        if isinstance(fan.items, Matrix):
            lists = {of: _given(items, seen) for of, items in fan.items.lists.items()}
            rows = [dict(zip(lists, row, strict=True)) for row in product(*lists.values())]
            out = fan.items.exclude
            values = [
                row
                for row in rows
                if not any(all(_same(row[of], value) for of, value in one.items()) for one in out)
            ]
        else:
            values = _given(fan.items, seen)
        found: dict[str, Seen] = {}
        for index, item in enumerate(values):
            at = seen._replace(item=item, index=index)
            key, nth = _key(fan, at), 1
            while (child := f"{name}[{key}{f'#{nth}' if nth > 1 else ''}]") in found:
                nth += 1
            found[child] = at
        return found

    def _piece(self, name: str, child: str, seen: Seen) -> dict[str, Outcome]:
        step = self.plan.steps[name]
        when = step.when if step.asks_each else None
        return {child: self._run(step._replace(when=when), child, seen)}

    def _run(self, step: Step, name: str, seen: Seen) -> Outcome:
        if name in self.cancelled:
            return Outcome("Cancelled")
        tries: list[Texts] = []
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

    def _together(self, name: str, children: Mapping[str, Outcome]) -> Outcome:
        """What a step comes to by its children."""
        ends = {one.phase for one in children.values()}
        phase = next((one for one in ("Failed", "Cancelled") if one in ends), "Succeeded")
        given = OUTPUTS if self.plan.steps[name].hands_on else {}
        outputs = {of: [one.outputs.get(of) for one in children.values()] for of in given}
        lost = [child for child, one in children.items() if one.phase == "Failed"]
        keys = [child[len(name) + 1 : -1] for child in lost]
        return Outcome(phase, outputs, children=children, failed=keys)

    def _holds(self, need: str, on: str) -> bool:
        end = self.outcome(need)
        if end.phase == "Failed" and self.plan.steps[need].tolerated:
            return True
        return {
            "Succeeded": end.phase == "Succeeded" or end.own,
            "Failed": end.phase == "Failed",
            "Finished": end.phase != "Cancelled",
        }[on]


def _given(items: Sequence[Any] | Expression, seen: Seen) -> list[Any]:
    return items.give(seen) if isinstance(items, Expression) else list(items)


def _key(fan: Fan, seen: Seen) -> str:
    """What is no name is hashed: the text of `key`, else the JSON of the item."""
    if fan.key:
        text = hashed = _filled(fan.key, seen)
    else:
        item, hashed = seen.item, json.dumps(seen.item, sort_keys=True, separators=(",", ":"))
        parts = item.values() if isinstance(fan.items, Matrix) else [item]
        text = "-".join(one if isinstance(one, str) else _json(one) for one in parts)
    named = re.fullmatch(r"[A-Za-z0-9._-]{1,40}", text)
    return text if named else sha256(hashed.encode()).hexdigest()[:12]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _filled(pieces: Pieces, seen: Seen) -> str:
    text = ""
    for one in pieces:
        value = one if isinstance(one, str) else one.give(seen)
        if value is None:
            raise Nothing
        text += value if isinstance(value, str) else _json(value)
    return text


def _texts(step: Step, seen: Seen) -> Texts:
    env = {name: _filled(pieces, seen) for name, pieces in step.env.items()}
    return (step.name, str(step.version)), tuple(sorted(env.items()))
