"""Has a step changed in what it does? The hash of all that decides this, and the hash's inputs.

The closed list of inputs (rule 1), each only where the user wrote it:

- `run`, or `command`;
- `shell`, the step's or else the spec's, for `run`; a string counts as the argv that it means;
- `workingDir`, the step's or else the spec's;
- `env.NAME` for each variable, the spec's overlaid by the step's, as the text a process sees;
- the fingerprint of each dependency with its condition. `Succeeded` counts the same written or not,
  and so do the short and the long form. Order does not count, nor does the dependency's name.

A default that is written down counts as written; policy never counts. A fingerprint begins with the
number of its rule. A released rule never changes, so an upgrade re-runs nothing.
Cost: a topological sort and one SHA-256 a step, some 15 µs each.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from graphlib import TopologicalSorter
from types import MappingProxyType

import msgspec
from msgspec import UnsetType, structs

from controller.spec.definition import (
    Identity,
    Requires,
    definitions,
    env_text,
    exit_code_list,
    given,
    requires,
    shell_words,
)
from controller.spec.models import Defaults, Dependency, EnvValue, Retry, Spec, Step

VERSION = 1

_SHORT = 64  # characters of an input that are shown in full
_HASH_LENGTH = 32
_INDEXES_MAX = 64


def fingerprints(
    spec: Spec, version: int = VERSION, kept: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """The fingerprint of every step of a valid spec, dependencies before dependents.

    Dependents of a step in `kept` use that fingerprint: its result was made under it.
    """
    from hashlib import sha256  # loads OpenSSL, which readers don't need

    rule, steps, defined = _RULES[version], _steps(Identity(spec)), definitions(spec)
    graph = {name: [need.step for need in one.requires] for name, one in defined.items()}
    found: dict[str, str] = {}
    seen: dict[str, str] = {}  # what dependents see
    for name in TopologicalSorter(graph).static_order():
        step = steps[name]
        needs = sorted([text for _, text in _needs(defined[name].requires, seen)])
        written = sorted(rule(spec, step).items())
        digest = sha256(msgspec.json.encode([written, needs])).hexdigest()
        found[name] = f"{version}:{digest[:_HASH_LENGTH]}"
        seen[name] = kept.get(name, found[name])
    return found


def inputs(spec: Spec, name: str, fingerprints: dict[str, str]) -> dict[str, str]:
    """What the fingerprint of step `name` was made of: short values in full, long ones as a hash.

    It follows the rule under which the step's fingerprint in `fingerprints` was made.
    """
    step = _steps(Identity(spec))[name]
    texts = _RULES[version_of(fingerprints[name])](spec, step)
    texts |= {f"dependsOn.{need}": text for need, text in _needs(requires(step), fingerprints)}
    return {key: _shortened(text) for key, text in texts.items()}


def version_of(fingerprint: str) -> int:
    """The number of the rule that made it."""
    return int(fingerprint.partition(":")[0])


def same(one: Spec, other: Spec) -> bool:
    """Whether two specs mean the same: an edit between them makes no generation.

    The order of steps, of dependencies and of other sets does not count. Nor do two ways to write
    the same: short or long dependency, `Succeeded` written or not, a shell as string or as words, 1
    or "1" in `env`, an empty `env` or `dependsOn` or none. But a written default does count.
    """
    return one == other or _normal_spec(one) == _normal_spec(other)


# -------------------------------------------------------------------------------------- fingerprint


def _rule_1(spec: Spec, step: Step) -> dict[str, str]:
    texts: dict[str, str] = {}
    if isinstance(step.command, UnsetType):
        texts["run"] = str(step.run)
        shell = given(_words(step.shell), _words(spec.shell))
        if not isinstance(shell, UnsetType):
            texts["shell"] = _json(shell)
    else:
        texts["command"] = _json(step.command)
    working_dir = given(step.working_dir, spec.working_dir)
    if not isinstance(working_dir, UnsetType):
        texts["workingDir"] = working_dir
    for env in (spec.env, step.env):
        if not isinstance(env, UnsetType):
            texts |= {f"env.{name}": env_text(value) for name, value in env.items()}
    return texts


_RULES: dict[int, Callable[[Spec, Step], dict[str, str]]] = {1: _rule_1}


def _needs(needs: tuple[Requires, ...], fingerprints: dict[str, str]) -> Iterator[tuple[str, str]]:
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
        defaults = structs.replace(defaults, retry=_normal_retry(defaults.retry))
    return structs.replace(
        spec,
        env=_normal_env(spec.env),
        shell=_words(spec.shell),
        defaults=defaults,
        steps=sorted(map(_normal_step, spec.steps), key=lambda step: step.name),
    )


def _normal_step(step: Step) -> Step:
    needs = [Dependency(step=need.step, condition=need.condition) for need in requires(step)]
    return structs.replace(
        step,
        env=_normal_env(step.env),
        shell=_words(step.shell),
        depends_on=sorted(needs, key=lambda need: (need.step, str(need.condition))),
        retry=_normal_retry(step.retry),
        success_exit_codes=_normal_codes(step.success_exit_codes),
    )


def _normal_env(env: dict[str, EnvValue] | UnsetType) -> dict[str, str]:
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


def _normal_codes(codes: list[int | str] | UnsetType) -> list[int] | UnsetType:
    return codes if isinstance(codes, UnsetType) else [*exit_code_list(codes)]


def _words(shell: str | list[str] | UnsetType) -> list[str] | UnsetType:
    return list(shell_words(shell)) if isinstance(shell, str) else shell


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
