"""What a step does, with every default filled in: the spec as the rest of treadle reads it.

`models` keep what was written. This resolves it once per generation, so that no other code must
know where a default comes from. Cost: some microseconds a step, once a generation.
"""

import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType

from controller.spec.models import Backoff, Defaults, Dependency, EnvValue, Retry, Spec, Step

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_SHELL = ("/bin/sh", "-euc")
SHELLS = {  # a single word that means more than itself
    "sh": DEFAULT_SHELL,
    "bash": ("bash", "-euo", "pipefail", "-c"),
    "python3": ("python3", "-c"),
}
DEFAULT_GRACE_SECONDS = 3.0
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


class Definition(Struct, frozen=True, omit_defaults=True):
    """One step, resolved. `working_dir` is relative to the folder of the spec's file."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    working_dir: str = "."
    requires: tuple[Requires, ...] = ()
    timeout_seconds: float | None = None
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    retry: RetryPolicy = RetryPolicy()
    success_exit_codes: tuple[int, ...] = (0,)
    continue_on_failure: bool = False
    leave_processes: bool = False
    on_changed: Literal["Restart", "FinishFirst", "KeepResult"] = "Restart"
    on_removed: Literal["End", "Finish"] = "End"


class Identity:
    """A spec as a key, by identity: hashing 10,000 steps would cost more than what is looked up."""

    __slots__ = ("spec",)

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def __hash__(self) -> int:
        return id(self.spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.spec is other.spec


def definitions(spec: Spec) -> Mapping[str, Definition]:
    """Every step of `spec` by name, in the order of the file."""
    return _definitions(Identity(spec))


@lru_cache(maxsize=2)
def _definitions(of: Identity) -> Mapping[str, Definition]:
    # An edit asks for those of one spec three times: to hash it, to judge it, and to take it.
    return {step.name: _define(of.spec, step) for step in of.spec.steps}


def requires(step: Step) -> tuple[Requires, ...]:
    """The dependencies of `step`, short and long forms alike, in the order written."""
    if isinstance(step.depends_on, UnsetType):
        return ()
    return tuple([_require(entry) for entry in step.depends_on])


def env_text(value: EnvValue) -> str:
    """An `env` value as the process sees it: YAML's `true` and `1.0` stay `true` and `1.0`."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def exit_code_list(codes: list[int | str]) -> tuple[int, ...]:
    """`[75, "100-110"]` as single codes, sorted, each once. The text must be valid."""
    listed: set[int] = set()
    for code in codes:
        first, _, last = str(code).partition("-")
        listed.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(listed))


def _define(spec: Spec, step: Step) -> Definition:
    defaults = given(spec.defaults, Defaults())
    return Definition(
        name=step.name,
        argv=_argv(spec, step),
        env={
            name: env_text(value)
            for name, value in {**given(spec.env, {}), **given(step.env, {})}.items()
        },
        working_dir=given(step.working_dir, given(spec.working_dir, ".")),
        requires=requires(step),
        timeout_seconds=given(step.timeout_seconds, given(defaults.timeout_seconds, None)),
        grace_seconds=given(
            step.termination_grace_period_seconds,
            given(defaults.termination_grace_period_seconds, DEFAULT_GRACE_SECONDS),
        ),
        retry=_retry(step.retry, defaults.retry),
        success_exit_codes=exit_code_list(given(step.success_exit_codes, [0])),
        continue_on_failure=given(step.continue_on_failure, False),
        leave_processes=given(step.leave_processes, False),
        on_changed=given(step.on_changed, "Restart"),
        on_removed=given(step.on_removed, "End"),
    )


def _argv(spec: Spec, step: Step) -> tuple[str, ...]:
    if not isinstance(step.command, UnsetType):
        return tuple(step.command)
    shell = given(step.shell, given(spec.shell, "sh"))
    return (*shell_words(shell), str(step.run))


def shell_words(shell: str | Sequence[str]) -> tuple[str, ...]:
    """The argv to which a script is appended. Raises ValueError for quotes that don't match."""
    if not isinstance(shell, str):
        return tuple(shell)
    return SHELLS.get(shell) or tuple(shlex.split(shell))


def _retry(own: Retry | UnsetType, default: Retry | UnsetType) -> RetryPolicy:
    if isinstance(own, UnsetType) and isinstance(default, UnsetType):
        return _NO_RETRY
    first, second = given(own, Retry()), given(default, Retry())
    backoff, fallback = given(first.backoff, Backoff()), given(second.backoff, Backoff())
    plain = BackoffPolicy()
    initial = given(backoff.initial_seconds, given(fallback.initial_seconds, plain.initial_seconds))
    most = max(plain.max_seconds, initial)
    causes = given(first.on, given(second.on, None))
    # Only one of the two lists is allowed, so a step's own list replaces the default's.
    lists = first if _lists_codes(first) else second
    codes = given(lists.exit_codes, None)
    return RetryPolicy(
        limit=given(first.limit, given(second.limit, 0)),
        backoff=BackoffPolicy(
            initial_seconds=initial,
            factor=given(backoff.factor, given(fallback.factor, plain.factor)),
            max_seconds=given(backoff.max_seconds, given(fallback.max_seconds, most)),
            jitter=given(backoff.jitter, given(fallback.jitter, plain.jitter)),
        ),
        on=DEFAULT_CAUSES if causes is None else tuple(sorted(set(causes))),
        exit_codes=None if codes is None else exit_code_list(codes),
        except_exit_codes=exit_code_list(given(lists.except_exit_codes, [])),
        max_elapsed_seconds=given(
            first.max_elapsed_seconds, given(second.max_elapsed_seconds, None)
        ),
    )


def _lists_codes(retry: Retry) -> bool:
    return retry.exit_codes is not UNSET or retry.except_exit_codes is not UNSET


def _require(entry: str | Dependency) -> Requires:
    if isinstance(entry, str):
        return Requires(entry)
    return Requires(entry.step, given(entry.condition, "Succeeded"))


def given(value: T | UnsetType, otherwise: U) -> T | U:
    """`value` if the spec has it, else `otherwise`."""
    return otherwise if isinstance(value, UnsetType) else value


_NO_RETRY = RetryPolicy()
