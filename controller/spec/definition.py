"""What a step does, with every default filled in: the spec as the rest of treadle reads it.

`models` keep what was written. This resolves it once per generation, so that no other code must
know where a default comes from. Cost: some microseconds a step, once a generation.
"""

import posixpath
import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, structs

from controller.spec.effective import effective, over
from controller.spec.expression import alone, codes, reads_item, steps_read
from controller.spec.identity import Identity
from controller.spec.linked import Body, called
from controller.spec.models import (
    Backoff,
    Call,
    Defaults,
    Dependency,
    EnvFile,
    EnvValue,
    Hook,
    Items,
    Matrix,
    Reference,
    Retry,
    Spec,
    Step,
    given,
)
from controller.spec.path_fault import SCRIPTS
from controller.spec.placement import (
    MACHINE,
    NOTHING,
    EngineName,
    InContainer,
    Needs,
    Placement,
    engine_of,
    needs,
    placement,
    slots_of,
)
from controller.spec.uses import Holding, holdings
from controller.spec.values import ParamType

DEFAULT_SHELL = ("/bin/sh", "-euc")
SHELLS = {  # a single word that means more than itself
    "sh": DEFAULT_SHELL,
    "bash": ("bash", "-euo", "pipefail", "-c"),
    "python3": ("python3", "-c"),
}
DEFAULT_GRACE_SECONDS = 3.0
DEFAULT_HOOK_SECONDS = 300.0  # after which a hook times out
DEFAULT_CAUSES = ("Interrupted", "NonZeroExit", "Timeout")


class BackoffPolicy(Struct, frozen=True, omit_defaults=True):
    """Delays in seconds; `jitter` is the ± share of a delay that chance may add or subtract."""

    initial_seconds: float = 0.5
    factor: float = 2.0
    max_seconds: float = 60.0
    jitter: float = 0.1


class RetryPolicy(Struct, frozen=True, omit_defaults=True):
    """After which ends of an attempt it is tried again, how often, and for how long.

    Causes and codes are sorted: equal policies must look the same in an image of the state.
    """

    limit: int = 0
    backoff: BackoffPolicy = BackoffPolicy()
    on: tuple[str, ...] = DEFAULT_CAUSES
    exit_codes: tuple[int, ...] | None = None  # None: any
    except_exit_codes: tuple[int, ...] = ()
    max_elapsed_seconds: float | None = None
    # By default, an `Interrupted` attempt is tried again whatever `limit` is.


class Requires(Struct, frozen=True):
    """One edge of the DAG: which step, and how it must have ended."""

    step: str
    condition: Literal["Succeeded", "Failed", "Finished"] = "Succeeded"


class EnvLayer(Struct, frozen=True, omit_defaults=True):
    """Variables of one source: a file (where `file` is set), or those of an `env`."""

    file: str = ""
    optional: bool = False
    env: dict[str, str | Reference] = {}


class ForEach(Struct, frozen=True, omit_defaults=True):
    """What a step runs for: the items of a list, or the rows of a matrix where it has names.

    A list is literal, or the text of the expression that gives it. `key` is as written.
    """

    items: list[Any] | str
    matrix: dict[str, list[Any] | str] = {}
    exclude: list[dict[str, Any]] = []
    include: list[dict[str, Any]] = []
    key: str = ""
    parallelism: int | None = None  # None: no limit


class TemplateCall(Struct, frozen=True, omit_defaults=True):
    """The template whose steps take the place of a step, with what it is given, as written.

    `outputs`: the texts of what these steps hand on together, in the words of the template.
    """

    name: str
    params: dict[str, Any] = {}
    outputs: dict[str, str] = {}


class Approve(Struct, frozen=True, omit_defaults=True):
    """What a step asks a person, as written, and how long it waits for the answer."""

    message: str
    timeout_seconds: float | None = None


class Definition(Struct, frozen=True, omit_defaults=True):
    """One step, resolved. `working_dir` is relative to `home`, and that to the folder of the spec's
    file, as all other paths are.

    `before` and `after`, where there are any, are argvs like `argv`.

    The texts of `argv`, `env`, `env_from` and `working_dir` are as written: what expressions in
    them give, each attempt has in its record. `env_from` are the layers under `env`, later ones
    win. `when`, and a `timeout_seconds` that is text, are one expression each. `expressions` are
    the texts of those that an attempt is made of. With `for_each` this is what each item runs. With
    `template` nothing runs but the steps of that, with `approve` nothing at all.
    """

    name: str
    argv: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    template: TemplateCall | None = None
    approve: Approve | None = None
    env: dict[str, str | Reference] = {}
    env_from: tuple[EnvLayer, ...] = ()
    inherit_env: bool | tuple[str, ...] = True
    working_dir: str = "."
    home: str = "."
    placement: Placement | None = None  # None: processes of this machine
    needs: Needs = NOTHING
    requires: tuple[Requires, ...] = ()
    when: str = ""
    for_each: ForEach | None = None
    expressions: tuple[str, ...] = ()
    outputs: dict[str, ParamType] = {}
    timeout_seconds: float | str | None = None
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    retry: RetryPolicy = RetryPolicy()
    uses: tuple[Holding, ...] = ()
    success_exit_codes: tuple[int, ...] = (0,)
    skip_exit_codes: tuple[int, ...] = ()
    continue_on_failure: bool = False
    leave_processes: bool = False
    on_changed: Literal["Restart", "FinishFirst", "KeepResult"] = "Restart"
    on_removed: Literal["End", "Finish"] = "End"

    @property
    def in_parts(self) -> bool:
        """Whether an attempt is more than its command."""
        return bool(self.before or self.after)

    @property
    def engine(self) -> EngineName:
        """What runs its attempts."""
        return engine_of(self.placement)

    @property
    def slots(self) -> str:
        """Which limit counts its attempts: that of this machine (MACHINE), or of an engine."""
        return MACHINE if self.placement is None else slots_of(engine_of(self.placement))

    @property
    def is_parent(self) -> bool:
        """It runs nothing itself: its children do."""
        return self.for_each is not None or self.template is not None

    @property
    def has_attempts(self) -> bool:
        """It runs a process; what has children, or asks a person, never does."""
        return not self.is_parent and self.approve is None

    @property
    def kind(self) -> Literal["", "list", "template"]:
        """What children it has."""
        if self.for_each is not None:
            return "list"
        return "" if self.template is None else "template"

    @property
    def hands_on(self) -> Sequence[str]:
        """The names of its outputs."""
        return [*(self.outputs if self.template is None else self.template.outputs)]


def definitions(spec: Spec) -> Mapping[str, Definition]:
    """Every step of `spec` by name, in the order of the file."""
    return _definitions(Identity(spec))


@lru_cache(maxsize=8)
def _definitions(of: Identity) -> Mapping[str, Definition]:
    # An edit asks for those of one spec three times: to hash it, to judge it, and to take it. Each
    # template that it calls is another one.
    spec = effective(of.spec)
    return {step.name: _define(spec, step) for step in spec.steps}


def expressions(spec: Spec, step: Step) -> tuple[str, ...]:
    """The expressions that an attempt of the step is made of. Cost: that of one step."""
    if not isinstance(step.approve, UnsetType):
        return ()
    argv, working_dir = _argv(spec, step), _working_dir(spec, step)
    env_from, env = _environment(spec, step, _home(spec))
    return _expressions(argv, working_dir, env_from, env, _image(placement(spec, step)))


def all_expressions(step: Definition) -> list[str]:
    """Every expression of the step, also those that are policy."""
    policy = [text for text in (step.when, step.timeout_seconds) if isinstance(text, str) and text]
    lists = expansion_expressions(step.for_each)
    locks = [code.text for holding in step.uses for code in codes(holding.lock)]
    asked = [] if step.approve is None else [code.text for code in codes(step.approve.message)]
    return [*step.expressions, *policy, *lists, *locks, *call_expressions(step.template), *asked]


def call_expressions(call: TemplateCall | None) -> list[str]:
    """The expressions that give the params of a template."""
    if call is None:
        return []
    texts = [text for text in call.params.values() if isinstance(text, str)]
    return [code.text for text in texts for code in codes(text)]


def expansion_expressions(fan: ForEach | None) -> list[str]:
    """The expressions that give the items of a step, and those of `key`."""
    if fan is None:
        return []
    lists = [fan.items, *fan.matrix.values()]
    return [
        *(expression for expression in lists if isinstance(expression, str)),
        *(code.text for code in codes(fan.key)),
    ]


def asks_each(spec: Spec, step: Definition) -> bool:
    """Whether its `when` reads the item of its `forEach`, and so is asked for each of them."""
    return step.for_each is not None and bool(step.when) and reads_item(spec, step.when)


def asking_each(spec: Spec) -> list[str]:
    """The names of all steps whose `when` is asked for each item, sorted."""
    return sorted(name for name, step in definitions(spec).items() if asks_each(spec, step))


def own_when(spec: Spec, step: Definition) -> str:
    """The `when` that decides about the step itself, not about each of its children."""
    return "" if asks_each(spec, step) else step.when


def reads(spec: Spec) -> Mapping[str, list[str]]:
    """The steps that others read although they do not directly depend on them.

    Steps that read none are left out.
    """
    return _reads(Identity(spec))


@lru_cache(maxsize=8)
def _reads(of: Identity) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, step in definitions(of.spec).items():
        if expressions := all_expressions(step):
            direct = {need.step for need in step.requires}
            read = steps_read(of.spec, expressions)
            found[name] = [source for source in read if source not in direct]
    return {name: read for name, read in found.items() if read}


def requires(step: Step) -> tuple[Requires, ...]:
    """The dependencies of `step`, short and long forms alike, in the order written."""
    if isinstance(step.depends_on, UnsetType):
        return ()
    return tuple([_require(entry) for entry in step.depends_on])


def env_text(value: EnvValue) -> str | Reference:
    """An `env` value as the process sees it: YAML's `true` and `1.0` stay `true` and `1.0`."""
    if isinstance(value, Reference):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def exit_code_list(codes: list[int | str]) -> tuple[int, ...]:
    """`[75, "100-110"]` as single codes, sorted, each once. The text must be valid."""
    listed: set[int] = set()
    for code in codes:
        first, _, last = str(code).partition("-")
        listed.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(listed))


def _define(spec: Spec, step: Step) -> Definition:
    if not isinstance(step.template, UnsetType):
        return Definition(
            name=step.name,
            argv=(),
            template=_call(spec, step.template),
            requires=requires(step),
            when=alone(given(step.when, "")),
            for_each=for_each(step),
            continue_on_failure=given(step.continue_on_failure, False),
        )
    if not isinstance(step.approve, UnsetType):
        asked = step.approve
        return Definition(
            name=step.name,
            argv=(),
            approve=Approve(asked.message, given(asked.timeout_seconds, None)),
            requires=requires(step),
            when=alone(given(step.when, "")),
            continue_on_failure=given(step.continue_on_failure, False),
        )
    defaults = given(spec.defaults, Defaults())
    argv, working_dir = _argv(spec, step), _working_dir(spec, step)
    env_from, env = _environment(spec, step, _home(spec))
    where = placement(spec, step, _home(spec))
    return Definition(
        name=step.name,
        argv=argv,
        before=_script(spec, step, step.before),
        after=_script(spec, step, step.after),
        env=env,
        env_from=env_from,
        inherit_env=_inherited(spec.inherit_env),
        working_dir=working_dir,
        home="." if isinstance(step.working_dir, UnsetType) else _home(spec),
        placement=where,
        needs=needs(step.resources),
        requires=requires(step),
        when=alone(given(step.when, "")),
        for_each=for_each(step),
        expressions=_expressions(argv, working_dir, env_from, env, _image(where)),
        outputs=given(step.outputs, {}),
        timeout_seconds=_timeout(step.timeout_seconds, defaults.timeout_seconds),
        grace_seconds=given(
            step.termination_grace_period_seconds,
            given(defaults.termination_grace_period_seconds, DEFAULT_GRACE_SECONDS),
        ),
        retry=_retry(step.retry, defaults.retry),
        uses=holdings(step.uses, defaults.uses),
        success_exit_codes=exit_code_list(given(step.success_exit_codes, [0])),
        skip_exit_codes=exit_code_list(given(step.skip_exit_codes, [])),
        continue_on_failure=given(step.continue_on_failure, False),
        leave_processes=given(step.leave_processes, False),
        on_changed=given(step.on_changed, "Restart"),
        on_removed=given(step.on_removed, "End"),
    )


def define_hook(spec: Spec, name: str, hook: Hook, home: str) -> Definition:
    """A hook of this spec, by its full name.

    `home`: the folder in which it starts and from which its paths are seen, from that of the spec's
    file; empty where it is the spec itself that has the hook.
    """
    argv, (env_from, env) = _argv(spec, hook), _environment(spec, hook, home or ".")
    working_dir = given(hook.working_dir, ".") if home else _working_dir(spec, hook)
    where = placement(effective(spec), hook, home or ".")
    return Definition(
        name=name,
        argv=argv,
        env=env,
        env_from=env_from,
        inherit_env=_inherited(spec.inherit_env),
        working_dir=working_dir,
        home=home or ".",
        placement=where,
        when=alone(given(hook.when, "")),
        expressions=_expressions(argv, working_dir, env_from, env, _image(where)),
        timeout_seconds=_timeout(hook.timeout_seconds, DEFAULT_HOOK_SECONDS),
        grace_seconds=given(hook.termination_grace_period_seconds, DEFAULT_GRACE_SECONDS),
        retry=_retry(hook.retry, UNSET),
    )


def _call(spec: Spec, call: Call) -> TemplateCall:
    found = called(spec).get(call.name)
    outputs = {} if found is None else given(found.spec.outputs, {})
    return TemplateCall(name=call.name, params=given(call.params, {}), outputs=outputs)


def _home(spec: Spec) -> str:
    """Where the paths that its steps write are seen from: the folder of a template's file."""
    return spec.home if isinstance(spec, Body) else "."


def for_each(step: Step) -> ForEach | None:
    """What the step runs for; None without `forEach`."""
    written = step.for_each
    if isinstance(written, UnsetType):
        return None
    key, parallelism = given(step.key, ""), given(step.parallelism, None)
    if not isinstance(written, Matrix):
        return ForEach(items=_items(written), key=key, parallelism=parallelism)
    return ForEach(
        items=[],
        matrix={name: _items(values) for name, values in written.matrix.items()},
        exclude=given(written.exclude, []),
        include=given(written.include, []),
        key=key,
        parallelism=parallelism,
    )


def _items(written: Items) -> Items:
    return alone(written) if isinstance(written, str) else written


def _environment(
    spec: Spec, step: Step | Hook, home: str
) -> tuple[tuple[EnvLayer, ...], dict[str, str | Reference]]:
    """The layers of files, and of variables that a file can replace; and the variables above."""
    files, own_files = given(spec.env_from, []), given(step.env_from, [])
    common, own = _variables(spec.env), _variables(step.env, home)
    layers = [_file_layer(file) for file in files]
    if not own_files:
        return tuple(layers), {**common, **own}
    if common:
        layers.append(EnvLayer(env=common))
    return (*layers, *(_file_layer(file, home) for file in own_files)), own


def _inherited(names: bool | list[str] | UnsetType) -> bool | tuple[str, ...]:
    return tuple(names) if isinstance(names, list) else given(names, True)


def _timeout(own: float | str | UnsetType, default: float | str | UnsetType) -> float | str | None:
    written = default if isinstance(own, UnsetType) else own
    if isinstance(written, str):
        return alone(written)
    return None if isinstance(written, UnsetType) else written


def _file_layer(written: EnvFile, home: str = ".") -> EnvLayer:
    return EnvLayer(file=_seen(written.file, home), optional=given(written.optional, False))


def _variables(
    env: Mapping[str, EnvValue] | UnsetType, home: str = "."
) -> dict[str, str | Reference]:
    found = {name: env_text(value) for name, value in given(env, {}).items()}
    if home == ".":
        return found
    return {name: _seen_reference(value, home) for name, value in found.items()}


def _seen_reference(value: str | Reference, home: str) -> str | Reference:
    if isinstance(value, str) or isinstance(value.from_file, UnsetType):
        return value
    return structs.replace(value, from_file=_seen(value.from_file, home))


def _seen(path: str, home: str) -> str:
    """A path that is written in `home`, from the folder of the spec's file."""
    return path if home == "." else posixpath.normpath(posixpath.join(home, path))


def _expressions(
    argv: tuple[str, ...],
    working_dir: str,
    env_from: tuple[EnvLayer, ...],
    env: dict[str, str | Reference],
    image: str,
) -> tuple[str, ...]:
    """In the order of these texts, each once."""
    texts = [*argv, working_dir, image]
    for variables in (*(layer.env for layer in env_from), env):
        for value in variables.values():
            text = value if isinstance(value, str) else value.as_file
            if isinstance(text, str):
                texts.append(text)
    return tuple(dict.fromkeys(code.text for text in texts for code in codes(text)))


def _image(where: Placement | None) -> str:
    return where.image if isinstance(where, InContainer) else ""


def _working_dir(spec: Spec, step: Step | Hook) -> str:
    return given(step.working_dir, given(spec.working_dir, "."))


def _argv(spec: Spec, step: Step | Hook) -> tuple[str, ...]:
    if not isinstance(step.command, UnsetType):
        return tuple(step.command)
    return _script(spec, step, step.run)


def _script(spec: Spec, step: Step | Hook, text: str | UnsetType) -> tuple[str, ...]:
    """The argv of a script of the step; empty without one."""
    shell = given(step.shell, given(spec.shell, "sh"))
    return () if isinstance(text, UnsetType) else (*shell_words(shell), text)


def scripts(of: Step | Hook) -> dict[str, str]:
    """What the shell runs of a step or a hook, by field."""
    texts = {field: getattr(of, field, UNSET) for field in SCRIPTS}
    return {field: text for field, text in texts.items() if isinstance(text, str)}


def shell_words(shell: str | Sequence[str]) -> tuple[str, ...]:
    """The argv to which a script is appended. Raises ValueError for quotes that don't match."""
    if not isinstance(shell, str):
        return tuple(shell)
    return SHELLS.get(shell) or tuple(shlex.split(shell))


def _retry(own: Retry | UnsetType, default: Retry | UnsetType) -> RetryPolicy:
    if isinstance(own, UnsetType) and isinstance(default, UnsetType):
        return _NO_RETRY
    retry = over(given(own, Retry()), given(default, Retry()))
    backoff, plain = given(retry.backoff, Backoff()), BackoffPolicy()
    initial = given(backoff.initial_seconds, plain.initial_seconds)
    causes, codes = given(retry.on, None), given(retry.exit_codes, None)
    return RetryPolicy(
        limit=given(retry.limit, 0),
        backoff=BackoffPolicy(
            initial_seconds=initial,
            factor=given(backoff.factor, plain.factor),
            max_seconds=given(backoff.max_seconds, max(plain.max_seconds, initial)),
            jitter=given(backoff.jitter, plain.jitter),
        ),
        on=DEFAULT_CAUSES if causes is None else tuple(sorted(set(causes))),
        exit_codes=None if codes is None else exit_code_list(codes),
        except_exit_codes=exit_code_list(given(retry.except_exit_codes, [])),
        max_elapsed_seconds=given(retry.max_elapsed_seconds, None),
    )


def _require(entry: str | Dependency) -> Requires:
    if isinstance(entry, str):
        return Requires(entry)
    return Requires(entry.step, given(entry.condition, "Succeeded"))


_NO_RETRY = RetryPolicy()
