"""Has a step changed in what it does? The hash of all that decides this, and the hash's inputs.

The closed list of inputs (rule 1), each only where the user wrote it:

- `run`, or `command`; `before`, `after`;
- `shell`, the step's or else the spec's, for scripts; a string counts as the argv that it means;
- `workingDir`, the step's or else the spec's;
- `env.NAME` for each variable, the spec's overlaid by the step's, as the text a process sees; a
  reference by what it refers to; `envFrom` of both; `inheritEnv`, as a set of names;
- `executor`, if an engine runs the step: its name, and `image`, `mounts`, `network` of a container;
- `outputs`, the declared ones;
- `params.NAME` for each param that one of these reads, by its value; of all else that expressions
  read, only their text counts;
- the fingerprint of each dependency with its condition. `Succeeded` counts the same written or not,
  and so do the short and the long form. Order does not count, nor does the dependency's name;
- of a step with `forEach`: that, as written, and `key`, with the params that they read. So a change
  of the list reaches its dependents. Of each of its children instead: the values of `item` and
  `index`, if what it runs reads them. So the children that stay in a changed list stay as they are;
- of a step with `template`: the fingerprints that the steps of the template have there, and what it
  hands on, as written. They have the params that they read: by value, or, where the caller gives
  them by an expression over more than params and item, by its text. Those of them that depend on no
  other have the dependencies of the caller.

A default that is written down counts as written; policy never counts. A fingerprint begins with the
number of its rule. A released rule never changes, so an upgrade re-runs nothing.
Cost: a topological sort and one SHA-256 a step, some 15 µs each; a child some 5 µs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, UnsetType, structs

from controller.spec import params as params_of
from controller.spec.definition import (
    Requires,
    definitions,
    env_text,
    exit_code_list,
    expansion_expressions,
    expressions,
    for_each,
    requires,
    scripts,
    shell_words,
)
from controller.spec.expression import (
    OF_CALLER,
    OPEN,
    Failed,
    codes,
    evaluate,
    gives,
    is_settled,
    items_read,
    params_read,
)
from controller.spec.identity import Identity
from controller.spec.items import Item, canonical
from controller.spec.linked import Body, Called, Linked, below, called
from controller.spec.models import (
    Concurrency,
    Container,
    Defaults,
    Dependency,
    EnvValue,
    Executor,
    Hook,
    Hooks,
    Items,
    Matrix,
    OverlapPolicy,
    Param,
    ParamValue,
    Placement,
    Reference,
    Retry,
    Slurm,
    Spec,
    Step,
    TemplateSpec,
    Trigger,
    Use,
    Uses,
    given,
)
from controller.spec.placement import executor_of
from controller.spec.placement import needs as needs_of
from controller.spec.template import body
from controller.spec.triggers.trigger import name_of
from controller.spec.uses import holdings
from controller.spec.values import fits, normal

VERSION = 1

_SHORT = 64  # characters of an input that are shown in full
_HASH_LENGTH = 32
_INDEXES_MAX = 64
_ORDERS_MAX = 8
_WRITTEN_MAX = 1024
_EMPTY = msgspec.Raw(b"[]")


Text = TypeVar("Text", bound=str)
Params = Mapping[str, Any]  # their values: given, or defaults
NOTHING: Mapping[str, str] = MappingProxyType({})


class Inside(NamedTuple):
    """A template where a step calls it: its spec, its params, and what its first steps run after.

    `params` are as fingerprints have them; those of the caller begin with OF_CALLER. `before`: by
    name of the step, its condition and its fingerprint.
    """

    spec: Body
    params: Params
    before: Mapping[str, str]


def inside(
    spec: Spec,
    name: str,
    fingerprints: Mapping[str, str],
    params: Params,
    item: Item | None = None,
) -> Inside:
    """The template of step `name`; with `forEach`, where it is called for `item`.

    `fingerprints` has what the step needs.
    """
    step = _steps(Identity(spec))[name]
    before = dict(_needs(requires(step), fingerprints))
    return Inside(_body_of(spec, step), _given(spec, step, params, item), before)


def fingerprints(
    spec: Spec,
    params: Params = params_of.NOTHING,
    *,
    version: int = VERSION,
    kept: Mapping[str, str] = NOTHING,
    before: Mapping[str, str] = NOTHING,
) -> dict[str, str]:
    """The fingerprint of every step of a valid spec, dependencies before dependents.

    Dependents of a step in `kept` use that fingerprint: its result was made under it. `before`: as
    Inside has it.
    """
    steps, defined = _steps(Identity(spec)), definitions(spec)
    found: dict[str, str] = {}
    seen: dict[str, str] = {}  # what dependents see
    for name in in_order(spec):
        step = steps[name]
        texts = _texts(version, spec, step, params) | _list(spec, step, params)
        needs = _needs(defined[name].requires, seen, before)
        found[name] = _printed(version, _encoded(texts, needs))
        seen[name] = kept.get(name, found[name])
    return found


def children(
    spec: Spec,
    name: str,
    fingerprints: Mapping[str, str],
    params: Params,
    items: Sequence[Item],
    before: Mapping[str, str] = NOTHING,
) -> list[str]:
    """The fingerprints of the children of step `name`, in the order of `items`.

    `fingerprints` has that of the step, whose rule they follow, and what its dependents see of each
    dependency.
    """
    version, step = version_of(fingerprints[name]), _steps(Identity(spec))[name]
    needs = [*_needs(requires(step), fingerprints, before)]
    if not isinstance(step.template, UnsetType):
        texts = (_texts(version, spec, step, params, item) for item in items)
        return [_printed(version, _encoded(of_item, needs)) for of_item in texts]
    common = _encoded(_texts(version, spec, step, params), needs)
    read = _read_by_item(spec, step)
    if not read:
        return [_printed(version, common)] * len(items)
    begin = common[:-1] + b","
    return [
        _printed(version, begin + msgspec.json.encode(sorted(_of_item(item, read).items())) + b"]")
        for item in items
    ]


def inputs(
    spec: Spec,
    name: str,
    fingerprints: Mapping[str, str],
    params: Params = params_of.NOTHING,
    item: Item | None = None,
    before: Mapping[str, str] = NOTHING,
) -> dict[str, str]:
    """What the fingerprint of step `name`, or of its child for `item`, was made of.

    Short values are in full, long ones a hash. It follows the rule under which the step's
    fingerprint in `fingerprints` was made.
    """
    step = _steps(Identity(spec))[name]
    if item is not None and isinstance(step.template, UnsetType):
        return next(inputs_of_children(spec, name, fingerprints, params, [item], before))
    texts = _list(spec, step, params) if item is None else {}
    common = _in_common(spec, name, fingerprints, params, item, before)
    return common | _all_shortened(texts)


def inputs_of_children(
    spec: Spec,
    name: str,
    fingerprints: Mapping[str, str],
    params: Params,
    items: Iterable[Item],
    before: Mapping[str, str] = NOTHING,
) -> Iterator[dict[str, str]]:
    """As `inputs`, for many children of step `name` without template. Cost: some 2 µs each."""
    common = _in_common(spec, name, fingerprints, params, None, before)
    read = _read_by_item(spec, _steps(Identity(spec))[name])
    for item in items:
        yield common | _all_shortened(_of_item(item, read))


def _in_common(
    spec: Spec,
    name: str,
    fingerprints: Mapping[str, str],
    params: Params,
    item: Item | None,
    before: Mapping[str, str],
) -> dict[str, str]:
    """What the inputs of a step and of its children have in common."""
    step = _steps(Identity(spec))[name]
    version = version_of(fingerprints[name])
    texts = dict(_texts(version, spec, step, params, item))
    needs = _needs(requires(step), fingerprints, before)
    texts |= {f"dependsOn.{need}": text for need, text in needs}
    return _all_shortened(texts)


def _all_shortened(texts: dict[str, str]) -> dict[str, str]:
    return {key: _shortened(text) for key, text in texts.items()}


def input_in_words(key: str) -> str:
    """The key of an input in a sentence: `params.region of the workflow` for `params.@region`."""
    if key == "template":
        return "what its template does"
    if key == "approve":
        return "whether it asks a person"
    kind, _, name = key.partition(".")
    if name.startswith(OF_CALLER):
        return f"{kind}.{name.removeprefix(OF_CALLER)} of the workflow"
    return key


def version_of(fingerprint: str) -> int:
    """The number of the rule that made it."""
    return int(fingerprint.partition(":")[0])


def same(one: Spec, other: Spec) -> bool:
    """Whether two specs mean the same: an edit between them makes no generation.

    The order of steps, of dependencies and of other sets does not count. Nor do two ways to write
    the same: short or long dependency, `Succeeded` written or not, a shell as string or as words, 1
    or "1" in `env`, an empty `env` or `dependsOn` or none. But a written default does count, and so
    does the order in which a matrix names its lists, which decides that of its rows.
    """
    # What is in force has the Defaults above it, which are no part of what its file means.
    one, other = (below(spec, ()) if isinstance(spec, Linked) else spec for spec in (one, other))
    # As JSON, because Python finds 1 and true equal.
    written = msgspec.json.encode(one) == msgspec.json.encode(other)
    return written or canonical(_normal_spec(one)) == canonical(_normal_spec(other))


def same_steps(one: Spec, other: Spec) -> bool:
    """Whether two specs mean the same but for what is about the beginning of instances.

    An instance has no triggers: an edit of them, or of `suspend`, which stops them, is none of it.
    """
    return same(_without_triggers(one), _without_triggers(other))


def _without_triggers(spec: Spec) -> Spec:
    return structs.replace(
        spec, triggers=UNSET, concurrency=UNSET, keep_instances=UNSET, suspend=UNSET
    )


# -------------------------------------------------------------------------------------- fingerprint


def _rule_1(spec: Spec, step: Step) -> dict[str, str]:
    if not isinstance(step.approve, UnsetType):
        return {"approve": "yes"}  # that it asks; what it asks, and how long, is policy
    texts = scripts(step)
    shell = given(_words(step.shell), _words(spec.shell))
    if texts and not isinstance(shell, UnsetType):
        texts["shell"] = _json(shell)
    if not isinstance(step.command, UnsetType):
        texts["command"] = _json(step.command)
    working_dir = given(step.working_dir, spec.working_dir)
    if not isinstance(working_dir, UnsetType):
        texts["workingDir"] = working_dir
    for name, value in {**given(spec.env, {}), **given(step.env, {})}.items():
        texts |= _variable(f"env.{name}", value)
    for key, files in (("spec.envFrom", spec.env_from), ("envFrom", step.env_from)):
        if given(files, []):
            texts[key] = _json(files)
    inherited = _normal_names(spec.inherit_env)
    if not isinstance(inherited, UnsetType):
        texts["inheritEnv"] = _json(inherited)
    executor = executor_of(spec, step)
    if executor is not None:
        texts |= _of_engine(executor)
    if given(step.outputs, {}):
        texts["outputs"] = _json(step.outputs)
    return texts


def _of_engine(executor: Executor) -> dict[str, str]:
    """What decides what the step does there; all else is policy."""
    container = executor.container
    if not isinstance(container, Container):
        return {"executor": "slurm"}
    texts = {"executor": "container", "executor.image": given(container.image, "")}
    if given(container.mounts, []):
        texts["executor.mounts"] = _json(container.mounts)
    if not isinstance(container.network, UnsetType):
        texts["executor.network"] = container.network
    return texts


def _texts(
    version: int, spec: Spec, step: Step, params: Params, item: Item | None = None
) -> dict[str, str]:
    """What the step does by this rule, its items aside."""
    if isinstance(step.template, UnsetType):
        if isinstance(spec, Body):
            plain, read = _written_in_template(Identity(spec), step.name, version)
        else:
            plain, read = _written(spec, step, version)
        return plain | {f"params.{name}": _json(params.get(name)) for name in read}
    within, there = _body_of(spec, step), _given(spec, step, params, item)
    prints = fingerprints(within, there, version=version)
    texts = {"template": _json(sorted(prints.values()))}
    texts |= {f"template.outputs.{name}": text for name, text in within.outputs.items()}
    read_by = [code.text for text in within.outputs.values() for code in codes(text)]
    for key, text in _params(within, read_by, there).items():
        texts[f"template.{key}"] = text
    return texts


@lru_cache(maxsize=_WRITTEN_MAX)
def _written_in_template(of: Identity, name: str, version: int) -> tuple[dict[str, str], list[str]]:
    # The steps of a template are hashed for each item. Those of a spec are too many to be kept.
    return _written(of.spec, _steps(of)[name], version)


def _written(spec: Spec, step: Step, version: int) -> tuple[dict[str, str], list[str]]:
    """What a step does by this rule, as it is written; and the params that it reads."""
    read_by = expressions(spec, step)
    read = params_read(spec, read_by) if read_by else []
    return _RULES[version](spec, step), read


def in_order(spec: Spec) -> list[str]:
    """The names of the steps, dependencies before dependents."""
    return _in_order(Identity(spec))


@lru_cache(maxsize=_ORDERS_MAX)
def _in_order(of: Identity) -> list[str]:
    steps = definitions(of.spec).items()
    graph = {name: [need.step for need in step.requires] for name, step in steps}
    return list(TopologicalSorter(graph).static_order())


def _body_of(spec: Spec, step: Step) -> Body:
    assert not isinstance(step.template, UnsetType)
    return body(spec, step.template.name)


def _given(spec: Spec, step: Step, params: Params, item: Item | None) -> dict[str, Any]:
    """The params of the template that the step calls, as fingerprints have them."""
    assert not isinstance(step.template, UnsetType)
    template, written = called(spec)[step.template.name].spec, given(step.template.params, {})
    found: dict[str, Any] = {f"{OF_CALLER}{name}": value for name, value in params.items()}
    for name, param in given(template.params, {}).items():
        value = written.get(name, params_of.default(param))
        if isinstance(value, str) and OPEN in value and name in written:
            value = _given_by(spec, value, params, item)
        kind = params_of.type_of_param(param)
        found[name] = normal(value, kind) if fits(value, kind) else value
    return found


def _given_by(spec: Spec, text: str, params: Params, item: Item | None) -> Any:
    """The value of a text, or, if it depends on what runs, the text with all that it reads now."""
    expressions = [code.text for code in codes(text)]
    read = items_read(spec, expressions)
    of_item = {} if item is None else {"item": item.value, "index": item.index}
    if read <= of_item.keys() and all(is_settled(spec, expression) for expression in expressions):

        def lookup(path: tuple[str, ...]) -> object:
            return params[path[1]] if path[0] == "params" else of_item[path[0]]

        try:
            return gives(text, lambda code: evaluate(spec, code, lookup))
        except Failed:
            pass  # so will the step, which says why
    by_value = {name: params.get(name) for name in params_read(spec, expressions)}
    return {"text": text, "params": by_value, **{name: of_item.get(name) for name in sorted(read)}}


def _list(spec: Spec, step: Step, params: Params) -> dict[str, str]:
    """What a step with `forEach` has besides what its children have in common."""
    if isinstance(step.for_each, UnsetType):
        return {}
    texts = {"forEach": _written_items(step.for_each)}
    if not isinstance(step.key, UnsetType):
        texts["key"] = step.key
    return texts | _params(spec, expansion_expressions(for_each(step)), params)


def _params(spec: Spec, read_by: Sequence[str], params: Params) -> dict[str, str]:
    """Those that these expressions read, by value."""
    names = params_read(spec, read_by) if read_by else []
    return {f"params.{name}": _json(params.get(name)) for name in names}


def _written_items(written: Items | Matrix) -> str:
    """A list with its items in one form; a matrix with its lists in the order written."""
    if isinstance(written, str):
        return written
    if isinstance(written, list):
        return canonical(written).decode()
    parts = {
        "matrix": {name: _in_one_form(items) for name, items in written.matrix.items()},
        "exclude": _in_one_form(given(written.exclude, [])),
        "include": _in_one_form(given(written.include, [])),
    }
    # The order of its lists decides that of its rows.
    return msgspec.json.encode({k: part for k, part in parts.items() if part != _EMPTY}).decode()


def _in_one_form(value: object) -> msgspec.Raw:
    return msgspec.Raw(canonical(value))


def _read_by_item(spec: Spec, step: Step) -> set[str]:
    return items_read(spec, expressions(spec, step))


def _of_item(item: Item, read: set[str]) -> dict[str, str]:
    texts = {"index": str(item.index)} if "index" in read else {}
    if "item" in read:
        texts["item"] = canonical(item.value).decode()
    return texts


def _variable(key: str, value: EnvValue) -> dict[str, str]:
    """One variable; a reference by a key of its own, so that no text of a variable equals it."""
    text = env_text(value)
    if isinstance(text, str):
        return {key: text}
    return {f"{key}.{kind}": str(name) for kind, name in msgspec.to_builtins(text).items()}


# What a process is given, by rule; what `forEach` and items add to it is the same in all of them.
_RULES: dict[int, Callable[[Spec, Step], dict[str, str]]] = {1: _rule_1}


def _encoded(texts: dict[str, str], needs: Iterable[tuple[str, str]]) -> bytes:
    return msgspec.json.encode([sorted(texts.items()), sorted([text for _, text in needs])])


def _printed(version: int, data: bytes) -> str:
    from hashlib import sha256  # loads OpenSSL, which readers don't need

    return f"{version}:{sha256(data).hexdigest()[:_HASH_LENGTH]}"


def _needs(
    needs: tuple[Requires, ...],
    fingerprints: Mapping[str, str],
    before: Mapping[str, str] = NOTHING,
) -> Iterator[tuple[str, str]]:
    if not needs:
        yield from before.items()
    for need in needs:
        yield need.step, f"{need.condition} {fingerprints[need.step]}"


def _shortened(text: str) -> str:
    if len(text) <= _SHORT:
        return text
    from hashlib import sha256

    return f"sha256:{sha256(text.encode()).hexdigest()[:16]}"


@lru_cache(maxsize=_INDEXES_MAX)
def _steps(of: Identity) -> dict[str, Step]:
    # `inputs` is called for each attempt: a search through 10,000 steps would be its whole cost.
    return {step.name: step for step in of.spec.steps}


# ------------------------------------------------------------------------------------------ meaning


def _normal_spec(spec: Spec) -> Spec:
    defaults = spec.defaults
    if isinstance(defaults, Defaults):
        defaults = structs.replace(
            defaults, retry=_normal_retry(defaults.retry), uses=_normal_uses(defaults.uses)
        )
    if isinstance(spec, Linked):
        spec = structs.replace(spec, templates=_normal_templates(spec.templates))
    return structs.replace(
        spec,
        params=_normal_params(spec.params),
        env=_normal_env(spec.env),
        env_from=given(spec.env_from, []),
        inherit_env=_normal_names(spec.inherit_env),
        shell=_words(spec.shell),
        executor=_normal_executor(spec.executor),
        defaults=defaults,
        hooks=_normal_hooks(spec.hooks),
        steps=_normal_steps(spec.steps),
        triggers=_normal_triggers(spec.triggers),
        concurrency=_normal_concurrency(spec.concurrency),
    )


def _normal_triggers(triggers: list[Trigger] | UnsetType) -> list[Trigger] | UnsetType:
    """By name. An empty list counts: it makes a definition."""
    if isinstance(triggers, UnsetType):
        return triggers
    return sorted(map(_normal_trigger, triggers), key=name_of)


def _normal_trigger(trigger: Trigger) -> Trigger:
    after = trigger.after
    if not isinstance(after, UnsetType):
        after = structs.replace(after, phase=_normal_set(after.phase))
    schedule = _normal_set(trigger.schedule)
    if not isinstance(schedule, UnsetType):
        schedule = [" ".join(cron.split()) for cron in schedule]
    return structs.replace(
        trigger,
        schedule=schedule,
        at=_normal_set(trigger.at),
        after=after,
        exclude=_normal_set(given(trigger.exclude, [])),
        params=given(trigger.params, {}),
    )


def _normal_set(texts: Text | list[Text] | UnsetType) -> list[Text] | UnsetType:
    """One text is written alone or in a list, and the order does not count."""
    if isinstance(texts, UnsetType):
        return texts
    return sorted(set(texts if isinstance(texts, list) else [texts]))


def _normal_concurrency(written: Concurrency | OverlapPolicy | UnsetType) -> Concurrency:
    if isinstance(written, UnsetType):
        return Concurrency()
    return written if isinstance(written, Concurrency) else Concurrency(policy=written)


def _normal_hooks(hooks: Hooks | UnsetType) -> Hooks:
    """In the order written, in which they run. An empty list counts, unlike none."""
    if isinstance(hooks, UnsetType):
        return Hooks()
    fields = structs.asdict(hooks).items()
    lists = {
        name: [_normal_hook(hook) for hook in listed]
        for name, listed in fields
        if not isinstance(listed, UnsetType)
    }
    return Hooks(**lists)


def _normal_hook(hook: Hook) -> Hook:
    return structs.replace(
        hook,
        env=_normal_env(hook.env),
        env_from=given(hook.env_from, []),
        shell=_words(hook.shell),
        executor=_normal_executor(hook.executor),
        retry=_normal_retry(hook.retry),
    )


def _normal_templates(templates: Mapping[str, Called]) -> dict[str, Called]:
    """Without the places of their files, which may move."""
    return {
        name: Called(
            TemplateSpec(
                steps=_normal_steps(template.spec.steps),
                params=_normal_params(template.spec.params),
                outputs=given(template.spec.outputs, {}),
            )
        )
        for name, template in templates.items()
    }


def _normal_params(
    declared: dict[str, Param | ParamValue] | UnsetType,
) -> dict[str, Param | ParamValue]:
    return {name: _normal_param(param) for name, param in given(declared, {}).items()}


def _normal_steps(steps: list[Step]) -> list[Step]:
    return sorted(map(_normal_step, steps), key=lambda step: step.name)


def _normal_step(step: Step) -> Step:
    after = [Dependency(step=need.step, condition=need.condition) for need in requires(step)]
    return structs.replace(
        step,
        env=_normal_env(step.env),
        shell=_words(step.shell),
        executor=_normal_executor(step.executor),
        resources=needs_of(step.resources),
        depends_on=sorted(after, key=lambda need: (need.step, str(need.condition))),
        retry=_normal_retry(step.retry),
        uses=_normal_uses(step.uses),
        success_exit_codes=_normal_codes(step.success_exit_codes),
        skip_exit_codes=_normal_codes(step.skip_exit_codes),
        env_from=given(step.env_from, []),
        outputs=given(step.outputs, {}),
        for_each=_normal_items(step.for_each),
    )


def _normal_executor(executor: Placement) -> Placement:
    """An empty list is as good as none."""
    if not isinstance(executor, Executor):
        return executor
    container, slurm = executor.container, executor.slurm
    if isinstance(container, Container):
        container = structs.replace(container, mounts=container.mounts or UNSET)
    if isinstance(slurm, Slurm):
        slurm = structs.replace(slurm, args=slurm.args or UNSET)
    return Executor(container=container, slurm=slurm)


def _normal_items(written: Items | Matrix | UnsetType) -> str | UnsetType:
    return written if isinstance(written, UnsetType) else _written_items(written)


def _normal_param(param: Param | ParamValue) -> Param:
    kind, value, only = (
        params_of.type_of_param(param),
        params_of.default(param),
        params_of.allowed(param),
    )
    return Param(
        type=kind,
        default=value if isinstance(value, UnsetType) else normal(value, kind),
        enum=UNSET if only is None else [normal(choice, kind) for choice in only],
        description=param.description if isinstance(param, Param) else UNSET,
    )


def _normal_names(names: bool | list[str] | UnsetType) -> bool | list[str] | UnsetType:
    return sorted(set(names)) if isinstance(names, list) else names


def _normal_env(env: dict[str, EnvValue] | UnsetType) -> dict[str, str | Reference]:
    if isinstance(env, UnsetType):
        return {}
    return {name: env_text(value) for name, value in env.items()}


def _normal_retry(retry: Retry | UnsetType) -> Retry | UnsetType:
    if isinstance(retry, UnsetType):
        return retry
    return structs.replace(
        retry,
        on=retry.on if isinstance(retry.on, UnsetType) else sorted(set(retry.on)),
        exit_codes=_normal_codes(retry.exit_codes),
        except_exit_codes=_normal_codes(retry.except_exit_codes),
    )


def _normal_uses(uses: Uses) -> Uses:
    """A pool is used in the short form or in the long one, and the order does not count."""
    if isinstance(uses, UnsetType):
        return uses
    return [
        Use(lock=holding.lock) if holding.lock else Use(pool=holding.pool, slots=holding.slots)
        for holding in holdings(uses, UNSET)
    ]


def _normal_codes(codes: list[int | str] | UnsetType) -> list[int] | UnsetType:
    return codes if isinstance(codes, UnsetType) else [*exit_code_list(codes)]


def _words(shell: str | list[str] | UnsetType) -> list[str] | UnsetType:
    return list(shell_words(shell)) if isinstance(shell, str) else shell


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()  # keys have no order
