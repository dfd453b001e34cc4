"""What steps that have children come to, worked out by recursion: no state, no log.

It follows from docs/fan-out.md alone, and from what docs/spec.md says of templates. A plan is a
workflow, or a template; each expression in it is a text for the product and a Python function for
the reference, made together, so nothing is parsed here. What an attempt does follows from its name,
the texts that it got, and from which try it is.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import product
from random import Random
from typing import Any, NamedTuple

from story import template

STEPS_MAX = 5
STEPS_OF_TEMPLATE_MAX = 3
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
    order of the items, or of the template; None if it has none, or never got any. `failed`: the
    keys of those that failed. `collects`: its outputs are lists, with one value of each child.
    """

    phase: str
    outputs: Mapping[str, Any] = {}
    tries: tuple[Texts, ...] = ()
    own: bool = False
    again: bool = True
    reset: bool = True
    children: Mapping[str, "Outcome"] | None = None
    failed: Sequence[str] = ()
    collects: bool = False

    @property
    def gives(self) -> bool:
        return self.phase == "Succeeded" or self.collects

    def below(self) -> "Iterator[tuple[str, Outcome]]":
        """All children, with theirs."""
        for name, child in (self.children or {}).items():
            yield name, child
            yield from child.below()


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


class Call(NamedTuple):
    """A template of the plan, and what some of its params are given."""

    template: str
    params: "Mapping[str, Any | Expression]"

    @property
    def expressions(self) -> list[Expression]:
        return [one for one in self.params.values() if isinstance(one, Expression)]

    def written(self) -> dict[str, Any]:
        given = {
            name: _text((one,)) if isinstance(one, Expression) else one
            for name, one in self.params.items()
        }
        return {"name": self.template, "params": given}


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
    call: Call | None = None

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
        every += self.call.expressions if self.call else []
        read = {name for one in every for name in one.reads if _is_step(name)}
        return read | {name for name, _ in self.needs}

    def written(self) -> dict[str, Any]:
        step: dict[str, Any] = {
            "name": self.name,
            "dependsOn": [{"step": name, "condition": on} for name, on in self.needs],
            "continueOnFailure": self.tolerated,
            **({"template": self.call.written()} if self.call else self._work()),
        }
        if self.when is not None:
            step["when"] = _text((self.when,))
        if self.fan is not None:
            step |= self.fan.written()
            step |= {"parallelism": self.parallelism} if self.parallelism else {}
        return step

    def _work(self) -> dict[str, Any]:
        work: dict[str, Any] = {
            "command": [self.name, str(self.version)],
            "env": {name: _text(pieces) for name, pieces in self.env.items()},
            "retry": {"limit": self.limit, "backoff": {"initialSeconds": 1, "jitter": 0}},
            "onChanged": self.changed,
            "onRemoved": self.removed,
        }
        if self.hands_on:
            work["outputs"] = OUTPUTS
        if self.skips:
            work["skipExitCodes"] = [SKIPS]
        return work


def _is_step(name: str) -> bool:
    return name not in ("item", "index") and not name.startswith("params.")


def _by_item(one: Expression) -> bool:
    return not one.reads.isdisjoint({"item", "index"})


def _text(pieces: Pieces) -> str:
    return "".join(one if isinstance(one, str) else f"${{{{ {one.text} }}}}" for one in pieces)


class Plan(NamedTuple):
    """A workflow, or a template: that has no templates itself, but hands on outputs."""

    steps: Mapping[str, Step]  # dependencies first
    params: Mapping[str, Any]
    templates: "Mapping[str, Plan]" = {}
    outputs: Mapping[str, Expression] = {}
    env: Mapping[str, Pieces] = {}  # of all its steps, those of templates as well

    def of_spec(self) -> dict[str, Any]:
        """What its spec has besides the steps."""
        given = {"params": dict(self.params), "templates": self.linked()}
        return {**given, "env": self.written_env()}

    def written_env(self) -> dict[str, str]:
        return {name: _text(pieces) for name, pieces in self.env.items()}

    def written(self) -> list[dict[str, Any]]:
        return [step.written() for step in self.steps.values()]

    def linked(self) -> dict[str, Any]:
        """The templates that it calls, as the log has them."""
        names = {step.call.template for step in self.steps.values() if step.call}
        return {name: self.templates[name].as_template() for name in sorted(names)}

    def as_template(self) -> dict[str, Any]:
        outputs = {name: _text((one,)) for name, one in self.outputs.items()}
        return template(*self.written(), params=dict(self.params), outputs=outputs)

    def with_steps(self, change: "Callable[[Step], Step]") -> "Plan":
        """It does so to each step, also to those of templates."""
        steps = {name: change(step) for name, step in self.steps.items()}
        templates = {name: one.with_steps(change) for name, one in self.templates.items()}
        return self._replace(steps=steps, templates=templates)

    def with_keepers(self, random: Random) -> "Plan":
        """Some of the steps keep their results."""

        def keeping(step: Step) -> Step:
            keeps = step.call is None and random.random() < 0.3
            return step._replace(changed="KeepResult") if keeps else step

        return self.with_steps(keeping)

    def before(self, name: str) -> set[str]:
        """All steps that this one depends on, directly or through others."""
        needs = {need for need, _ in self.steps[name].needs}
        return needs.union(*(self.before(need) for need in needs))


# ---------------------------------------- drawing plans


def a_plan(random: Random, templates: bool = False) -> Plan:
    drawn = {name: a_template(random) for name in ("t", "u")} if templates else {}
    plan = Plan({}, params(random), drawn, env=some_env(random))
    for index in range(random.randint(1, STEPS_MAX)):
        plan = with_step(plan, a_step(random, plan, f"s{index}"))
    return plan


def some_env(random: Random) -> dict[str, Pieces]:
    return random.choice(({}, {}, {"G": ("g ", param("p"))}, {"G": ("h",)}))


def a_template(random: Random) -> Plan:
    plan = Plan({}, params(random))
    for index in range(random.randint(1, STEPS_OF_TEMPLATE_MAX)):
        plan = with_step(plan, a_step(random, plan, f"i{index}", lists=0.25))
    return plan._replace(outputs=some_outputs(random, plan))


def with_step(plan: Plan, step: Step) -> Plan:
    return plan._replace(steps={**plan.steps, step.name: step})


def some_outputs(random: Random, template: Plan) -> dict[str, Expression]:
    """They have the types of OUTPUTS, where the steps that they read have no lists."""
    say = Speaker(random, [*template.steps.values()])
    return {"n": random.choice(say.numbers()), "names": random.choice(say.lists())}


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
    read: dict[str, Pieces] = {"W": (ITEM, " ", INDEX)}

    def with_item(step: Step) -> Step:
        if step.when is None or not step.asks_each:
            return step
        if step.call is not None:
            return step._replace(when=None)  # it has no `env`
        return step._replace(env={**step.env, **read})

    return plan.with_steps(with_item)


def a_step(
    random: Random, plan: Plan, name: str, needs: Needs | None = None, lists: float = 0.6
) -> Step:
    """A step that can come after those of the plan."""
    if needs is None:
        some = random.sample(list(plan.steps), min(len(plan.steps), random.choice((0, 1, 1, 2))))
        needs = tuple((need, random.choice(CONDITIONS)) for need in some)
    before = {need for need, _ in needs}.union(*(plan.before(need) for need, _ in needs))
    say = Speaker(random, [plan.steps[one] for one in plan.steps if one in before])
    fan = say.fan() if random.random() < lists else None
    say = say._replace(in_fan=fan is not None)
    step = Step(
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
    calls = bool(plan.templates) and random.random() < 0.5
    return calling(step, say.call(plan.templates)) if calls else step


def calling(step: Step, call: Call) -> Step:
    """All that it does is to call this template."""
    plain = {"changed": "Restart", "removed": "End", "limit": 0, "skips": False, "version": 0}
    return step._replace(call=call, env={}, hands_on=True, **plain)


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

    def call(self, templates: Mapping[str, Plan]) -> Call:
        """Some of the params; `w`, which a `when` reads, has the same value for each item."""
        given: dict[str, Any | Expression] = {}
        for name in templates[one := self.random.choice(sorted(templates))].params:
            if self.random.random() < 0.6:
                given[name] = self.given(name)
        return Call(one, given)

    def given(self, name: str) -> "Any | Expression":
        """What a param of a template is given: seldom something of another type."""
        if name in ("l", "m"):
            literal: Any = some_items(self.random)
            known = [*self.lists(), *(self._collected() + self._failed())]
        else:
            literal, known = self.random.randint(0, 1), self.numbers("w" if name == "w" else "p")
        if name != "w" and self.in_fan:
            known += [ITEM, INDEX, INDEX, V, K] if name == "p" else [ITEM]
            known += [*map(at_index, self._collected())] if name == "p" else []
        return self.random.choice([literal, *known])

    def numbers(self, of: str = "p") -> list[Expression]:
        return [param(of), *[output(one, "n") for one in self._givers(fan=False)]]

    def lists(self) -> list[Expression]:
        return [param("l"), *self._names(), *self._failed()]

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
    templates = {
        name: _template_edit(random, one, policies) for name, one in plan.templates.items()
    }
    env = some_env(random) if random.random() < 0.1 else plan.env
    return _plan_edit(random, plan._replace(templates=templates, env=env), policies)


def _template_edit(random: Random, template: Plan, policies: bool) -> Plan:
    """Often none; else also of its steps, and what it hands on."""
    if random.random() < 0.5:
        return template
    edited = _plan_edit(random, template, policies)
    if random.random() < 0.2:
        return with_step(edited, a_step(random, edited, f"i{len(edited.steps)}", lists=0.25))
    last = [*edited.steps][-1]
    if random.random() < 0.2 and len(edited.steps) > 1:
        read = {name for one in edited.outputs.values() for name in one.reads}
        if last not in read:
            steps = {name: one for name, one in edited.steps.items() if name != last}
            return edited._replace(steps=steps)
    if random.random() < 0.2:
        return edited._replace(outputs=some_outputs(random, edited))
    return edited


def _plan_edit(random: Random, plan: Plan, policies: bool) -> Plan:
    drawn = params(random)
    moving = [name for name in plan.params if name != "w" or policies]
    moved = set(random.sample(moving, random.choice((0, 1, 1, 2))))
    given = {name: drawn[name] if name in moved else value for name, value in plan.params.items()}
    given = {name: _list_edit(random, value) for name, value in given.items()}
    edited, only = plan._replace(steps={}, params=given), random.choice([None, *plan.steps])
    for name, step in plan.steps.items():
        is_read = any(name in other.after for other in plan.steps.values())
        is_read |= any(name in one.reads for one in plan.outputs.values())
        untouched = only not in (None, name)
        new = step if untouched else _edited(random, edited, step, policies, is_read)
        edited = with_step(edited, new)
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
    if (drawn.call is None) != (step.call is None):
        may_turn = not is_read and (policies or step.when is drawn.when is None)
        if may_turn and random.random() < 0.1:
            return drawn
    elif step.call is not None and drawn.call is not None and random.random() < 0.4:
        step = step._replace(call=_call_edit(step.call, drawn.call, policies))
    if step.call is None and random.random() < 0.3:
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
        env = drawn.env if step.call is None else {}
        step = step._replace(fan=drawn.fan, env=env, when=when)
    return step if step.fan is not None else _without_items(step)


def _call_edit(call: Call, drawn: Call, policies: bool) -> Call:
    """`w` is read by `when`s."""
    if policies:
        return drawn
    given = {name: one for name, one in drawn.params.items() if name != "w"}
    return call._replace(params={**call.params, **given})


def _without_items(step: Step) -> Step:
    """It reads none."""
    step = step._replace(env={} if any(map(_by_item, step.fixed)) else step.env)
    step = step._replace(when=None if step.when and _by_item(step.when) else step.when)
    if step.call is None:
        return step
    params = step.call.params.items()
    given = {
        name: one for name, one in params if not (isinstance(one, Expression) and _by_item(one))
    }
    return step._replace(call=step.call._replace(params=given))


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


class Place(NamedTuple):
    """Where a template is called. `at`: the begin of the full names of its steps.

    `params`: what fingerprints have for them. `first`: what its steps run after that need no other.
    `reset`: of the step that calls it, as of an outcome. `of_list`: it is called for an item.
    `caller`: the plan that has this step.
    """

    at: str
    params: Mapping[str, Any]
    caller: Plan
    first: Sequence[str] = ()
    reset: bool = False
    of_list: bool = False


class Reference:
    """The outcomes of a plan; after an edit of a workflow at rest, from those of the plan before.

    The steps of a template have a reference of their own, wherever it is called. Names of steps are
    those in the plan; those of children are full names.
    """

    def __init__(
        self,
        plan: Plan,
        seed: int,
        cancelled: frozenset[str] = frozenset(),
        before: "Reference | None" = None,
        place: Place | None = None,
    ) -> None:
        self.plan, self.seed, self.cancelled, self._before = plan, seed, cancelled, before
        self._place = place or Place("", plan.params, plan)
        self._known: dict[str, Outcome] = {}
        self._within: dict[str, Reference] = {}  # the templates, by the full name of the piece
        self._meant: dict[str, str] = {}

    def outcome(self, name: str) -> Outcome:
        if name not in self._known:
            self._known[name] = self._after_edit(name)
        return self._known[name]

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Of all steps and children, by full name."""
        found: dict[str, Outcome] = {}
        for name in self.plan.steps:
            found[self._full(name)] = self.outcome(name)
            found |= self.outcome(name).below()
        return found

    @property
    def lists(self) -> dict[str, str]:
        """What decides which children each of them has, by full name."""
        assert self.outcomes  # now it is known what is within
        found = {self._full(name): self.list_of(name) for name in self.plan.steps}
        for within in self._within.values():
            found |= within.lists
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

    @property
    def _seen(self) -> Seen:
        return Seen(self.plan.params, self.outcome)

    def _full(self, name: str) -> str:
        return self._place.at + name

    # ------------------------------------ an edit

    def _after_edit(self, name: str) -> Outcome:
        before, step = self._before, self.plan.steps[name]
        then = before.plan.steps.get(name) if before else None
        if before is None or then is None or _kind(step) != _kind(then):
            return self._anew(name)
        was = before.outcome(name)
        anew = any(self.outcome(one).again for one in step.after)
        holds = all(self._holds(need, on) for need, on in step.needs)
        reset = any(self.outcome(one).reset for one in step.after)
        reset |= self._place.reset
        same = self._meaning(name) == before._meaning(name)
        if was.children is not None and holds and not anew:
            asked = reset and not same and step.when is not None and not step.asks_each
            if not asked or (step.when and step.when.give(self._seen)):
                found = self._expanded(name, was.children, reset)
                anew = any(one.again for one in (found.children or {}).values())
                if self._place.of_list and anew and not step.asks_each:
                    found = self._begun(step, self._seen, found)
                return found._replace(reset=found.again or reset or not same)
        asked = self._asks_once(step) != before._asks_once(then)
        asked |= step.fan is None and self._fits(step, self._full(name), self._seen)
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
        return (step.when.text, _read([step.when], self.plan.params)) if step.when else ("", {})

    def _asks_once(self, step: Step) -> object:
        return ("", {}) if step.asks_each else self._asks(step)

    def _asks_each(self, step: Step, seen: Seen) -> str:
        if step.when is None or not step.asks_each:
            return ""
        index = seen.index if "index" in step.when.reads else ""
        return f"{self._asks(step)} {seen.item} {index}"

    def _expanded(self, name: str, were: Mapping[str, Outcome], reset: bool) -> Outcome:
        """Nothing that it ran after runs again: each child is judged by itself."""
        step, before = self.plan.steps[name], self._before
        assert before is not None
        if step.fan is None:
            seen = self._seen
            return self._piece_edited(step, self._full(name), seen, reset)
        then = before.plan.steps[name]
        try:
            items, items_then = self._items(name), before._items(name)
        except Nothing:
            return self._anew(name)
        children: dict[str, Outcome] = {}
        for child, seen in items.items():
            if child not in were:
                children[child] = self._piece(step, child, seen)
                continue
            was, seen_then = were[child], items_then[child]
            same = self._child_meaning(name, seen) == before._child_meaning(name, seen_then)
            if was.children is not None and step.call is not None:
                found = self._piece_edited(step, child, seen, reset)
                begins = step.asks_each and (found.again or not same)
                children[child] = self._begun(step, seen, found) if begins else found
                continue
            asked = self._asks_each(step, seen) != before._asks_each(then, seen_then)
            asked |= self._fits(step, child, seen)
            found = self._kept(step, was, same, asked)
            if found is None:
                now = self._piece(step, child, seen)
                found = now._replace(again=self._is_other(was, now) or not same)
            children[child] = found
        return self._joined(before.outcome(name), self._together(step, children))

    def _piece_edited(self, step: Step, child: str, seen: Seen, reset: bool) -> Outcome:
        """It was expanded: its steps are judged like those of a workflow."""
        assert self._before is not None
        before = self._before._within[child]
        try:
            within = self._template(step, child, seen, before, reset)
        except Nothing:
            return Outcome("Failed")
        was = before.together()
        found = self._joined(was, within.together())
        tried_anew = was.phase == "Failed" and not step.tolerated
        return found._replace(again=found.again or tried_anew)

    def _begun(self, step: Step, seen: Seen, found: Outcome) -> Outcome:
        """A piece of which something runs again begins again, so each `when` is asked."""
        try:
            yes = step.when is None or step.when.give(seen)
        except Nothing:
            return Outcome("Failed")
        return found if yes else Outcome("Skipped", own=True)

    def _fits(self, step: Step, piece: str, seen: Seen) -> bool:
        """Whether it calls a template that takes what it is given."""
        return step.call is not None and self._piece(step, piece, seen).children is not None

    def _joined(self, was: Outcome, now: Outcome) -> Outcome:
        """It is another one if its children are others, or one of them is."""
        were, children = was.children or {}, now.children or {}
        again = [*were] != [*children] or any(one.again for one in children.values())
        return now._replace(again=again or was.phase != now.phase)

    # ------------------------------------ what a step does

    def _meaning(self, name: str) -> str:
        """Of a step, written out in full: what its dependents see."""
        if name not in self._meant:
            step = self.plan.steps[name]
            text = self._common(name, self._seen)
            self._meant[name] = f"{text} {self.list_of(name)}" if step.fan else text
        return self._meant[name]

    def list_of(self, name: str) -> str:
        """What decides which items it has, but for the outputs of others."""
        step = self.plan.steps[name]
        return f"{step.fan.written()} {_read(step.listed, self._place.params)}" if step.fan else ""

    def _child_meaning(self, name: str, seen: Seen) -> str:
        reads = frozenset[str]().union(*(one.reads for one in self.plan.steps[name].fixed))
        item = json.dumps(seen.item, sort_keys=True) if "item" in reads else ""
        return f"{self._common(name, seen)} {item} {seen.index if 'index' in reads else ''}"

    def _common(self, name: str, seen: Seen) -> str:
        """`seen`: with the item, if it is for one."""
        step = self.plan.steps[name]
        after = sorted(self._after(step))
        if step.call is not None:
            called = self.plan.templates[step.call.template]
            place = self._place_of(step, "", seen, reset=False)
            within = Reference(called, self.seed, place=place)
            steps = sorted(within._meaning(one) for one in called.steps)
            outputs = {of: one.text for of, one in called.outputs.items()}
            read = _read([*called.outputs.values()], place.params)
            return sha256(f"{steps} {outputs} {read} {after}".encode()).hexdigest()
        written = step.written()
        does = f"{written['command']} {written['env']} {step.hands_on} {self._common_env()}"
        return f"{does} {_read(step.fixed, self._place.params)} {after}"

    def _common_env(self) -> str:
        caller = self._place.caller
        pieces = [piece for text in caller.env.values() for piece in text]
        read = _read([one for one in pieces if isinstance(one, Expression)], caller.params)
        return f"{caller.written_env()} {read}"

    def _after(self, step: Step) -> list[str]:
        """Its dependencies; of a step of a template that has none, those of who calls it."""
        return [f"{on} {self._meaning(need)}" for need, on in step.needs] or [*self._place.first]

    def _place_of(self, step: Step, child: str, seen: Seen, reset: bool) -> Place:
        """Of the template that a step calls."""
        assert step.call is not None
        called = self.plan.templates[step.call.template]
        given = {
            name: _meant(one, seen) if isinstance(one, Expression) else one
            for name, one in {**called.params, **step.call.params}.items()
        }
        return Place(f"{child}/", given, self.plan, self._after(step), reset, step.fan is not None)

    # ------------------------------------ a run

    def _anew(self, name: str) -> Outcome:
        step, full = self.plan.steps[name], self._full(name)
        if full in self.cancelled:
            return Outcome("Cancelled")
        if not all(self._holds(need, on) for need, on in step.needs):
            return Outcome("Skipped")
        seen = self._seen
        if step.fan is None:
            return self._piece(step, full, seen)
        try:
            if step.when is not None and not step.asks_each and not step.when.give(seen):
                return Outcome("Skipped", own=True)
            items = self._items(name)
        except Nothing:
            return Outcome("Failed")
        return self._together(
            step, {child: self._piece(step, child, seen) for child, seen in items.items()}
        )

    def _items(self, name: str) -> dict[str, Seen]:
        """The children of a step, and what each of them sees. Raises Nothing."""
        fan = self.plan.steps[name].fan
        assert fan is not None
        seen = self._seen
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
            key, nth, full = _key(fan, at), 1, self._full(name)
            while (child := f"{full}[{key}{f'#{nth}' if nth > 1 else ''}]") in found:
                nth += 1
            found[child] = at
        return found

    def _piece(self, step: Step, name: str, seen: Seen) -> Outcome:
        """A step that is not for each item of a list; or one of those that are for an item."""
        asks = step.fan is None or step.asks_each
        if name in self.cancelled:
            return Outcome("Cancelled")
        try:
            if asks and step.when is not None and not step.when.give(seen):
                return Outcome("Skipped", own=True)
            if step.call is not None:
                return self._template(step, name, seen).together()
        except Nothing:
            return Outcome("Failed")
        return self._run(step, name, seen)

    def _template(
        self,
        step: Step,
        piece: str,
        seen: Seen,
        before: "Reference | None" = None,
        reset: bool = True,
    ) -> "Reference":
        """The steps of the template that it calls. Raises Nothing."""
        assert step.call is not None
        called = self.plan.templates[step.call.template]
        given = {
            name: one.give(seen) if isinstance(one, Expression) else one
            for name, one in step.call.params.items()
        }
        for name, value in given.items():
            if type(value) is not type(called.params[name]):
                raise Nothing
        place = self._place_of(step, piece, seen, reset)
        plan = called._replace(params={**called.params, **given})
        self._within[piece] = Reference(plan, self.seed, self.cancelled, before, place)
        return self._within[piece]

    def _run(self, step: Step, name: str, seen: Seen) -> Outcome:
        tries: list[Texts] = []
        try:
            for nth in range(1, step.limit + 2):
                tries.append(_texts(step, seen, self._place.caller))
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

    def _together(self, step: Step, children: Mapping[str, Outcome]) -> Outcome:
        """What the items of a step come to."""
        phase = _worst([one.phase for one in children.values()])
        given = OUTPUTS if step.hands_on else {}
        outputs = {of: [one.outputs.get(of) for one in children.values()] for of in given}
        lost = [child for child, one in children.items() if one.phase == "Failed"]
        begin = len(self._full(step.name)) + 1
        keys = [child[begin:-1] for child in lost]
        return Outcome(phase, outputs, children=children, failed=keys, collects=True)

    def together(self) -> Outcome:
        """What the steps of a template come to."""
        children = {self._full(name): self.outcome(name) for name in self.plan.steps}
        tolerated = [self._full(name) for name, step in self.plan.steps.items() if step.tolerated]
        lost = [name for name, one in children.items() if one.phase == "Failed"]
        ends = [
            "Succeeded" if one.phase == "Failed" and name in tolerated else one.phase
            for name, one in children.items()
        ]
        phase = _worst(ends)
        keys = [name.removeprefix(self._place.at) for name in lost]
        found = Outcome(phase, children=children, failed=keys)
        if phase != "Succeeded":
            return found
        seen = self._seen
        try:
            outputs = {of: one.give(seen) for of, one in self.plan.outputs.items()}
        except Nothing:
            return found._replace(phase="Failed")
        return found._replace(phase="Succeeded", outputs=outputs)

    def _holds(self, need: str, on: str) -> bool:
        end = self.outcome(need)
        if end.phase == "Failed" and self.plan.steps[need].tolerated:
            return True
        return {
            "Succeeded": end.phase == "Succeeded" or end.own,
            "Failed": end.phase == "Failed",
            "Finished": end.phase != "Cancelled",
        }[on]


def _kind(step: Step) -> tuple[bool, bool]:
    """Its children, if it is a list, are judged by themselves."""
    return step.fan is not None, step.fan is None and step.call is not None


def _worst(phases: Sequence[str]) -> str:
    return next((one for one in ("Failed", "Cancelled") if one in phases), "Succeeded")


def _read(expressions: Sequence[Expression], params: Mapping[str, Any]) -> dict[str, Any]:
    read = sorted(frozenset[str]().union(*(one.reads for one in expressions)))
    return {one: params[one[7:]] for one in read if one.startswith("params.")}


def _meant(one: Expression, seen: Seen) -> Any:
    """What fingerprints have for a param of a template: its value, if that hangs on no step."""
    by_item = {"item": seen.item, "index": seen.index}
    for_an_item = seen.index >= 0 or not _by_item(one)
    if for_an_item and not any(map(_is_step, one.reads)):
        try:
            return one.give(seen)
        except Nothing:
            pass
    read = {name: by_item[name] for name in sorted(one.reads & by_item.keys())}
    return {"text": one.text, "params": _read([one], seen.params), **read}


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


def _texts(step: Step, seen: Seen, caller: Plan) -> Texts:
    common = Seen(caller.params, seen.steps)
    env = {name: _filled(pieces, common) for name, pieces in caller.env.items()}
    env |= {name: _filled(pieces, seen) for name, pieces in step.env.items()}
    return (step.name, str(step.version)), tuple(sorted(env.items()))
