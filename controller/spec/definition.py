"""What a step does, with every default filled in: the spec as the rest of treadle reads it.

`models` keep what was written. This resolves it once per generation, so that no other code must
know where a default comes from. Cost: some microseconds a step, once a generation.
"""

import shlex
from typing import Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType

from controller.spec.models import Backoff, Dependency, EnvValue, Retry, Spec, Step

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_SHELL = ("/bin/sh", "-euc")
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
    continue_on_failure: bool = False
    leave_processes: bool = False
    on_changed: Literal["Restart", "FinishFirst", "KeepResult"] = "Restart"
    on_removed: Literal["End", "Finish"] = "End"


def definitions(spec: Spec) -> dict[str, Definition]:
    """Every step of `spec` by name, in the order of the file."""
    return {step.name: _define(spec, step) for step in spec.steps}


def requires(step: Step) -> tuple[Requires, ...]:
    """The dependencies of `step`, short and long forms alike, in the order written."""
    return tuple(_require(entry) for entry in _or(step.depends_on, []))


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
    defaults = spec.defaults
    given = UNSET if defaults is UNSET else defaults
    default_timeout = UNSET if isinstance(given, UnsetType) else given.timeout_seconds
    default_grace = (
        UNSET if isinstance(given, UnsetType) else given.termination_grace_period_seconds
    )
    default_retry = UNSET if isinstance(given, UnsetType) else given.retry
    return Definition(
        name=step.name,
        argv=_argv(spec, step),
        env={
            name: env_text(value)
            for name, value in {**_or(spec.env, {}), **_or(step.env, {})}.items()
        },
        working_dir=_or(step.working_dir, _or(spec.working_dir, ".")),
        requires=requires(step),
        timeout_seconds=_or(step.timeout_seconds, _or(default_timeout, None)),
        grace_seconds=_or(
            step.termination_grace_period_seconds, _or(default_grace, DEFAULT_GRACE_SECONDS)
        ),
        retry=_retry(step.retry, default_retry),
        continue_on_failure=_or(step.continue_on_failure, False),
        leave_processes=_or(step.leave_processes, False),
        on_changed=_or(step.on_changed, "Restart"),
        on_removed=_or(step.on_removed, "End"),
    )


def _argv(spec: Spec, step: Step) -> tuple[str, ...]:
    if not isinstance(step.command, UnsetType):
        return tuple(step.command)
    shell = _or(step.shell, _or(spec.shell, DEFAULT_SHELL))
    words = shlex.split(shell) if isinstance(shell, str) else list(shell)
    return (*words, str(step.run))


def _retry(own: Retry | UnsetType, default: Retry | UnsetType) -> RetryPolicy:
    if isinstance(own, UnsetType) and isinstance(default, UnsetType):
        return _NO_RETRY
    first, second = _or(own, Retry()), _or(default, Retry())
    backoff, fallback = _or(first.backoff, Backoff()), _or(second.backoff, Backoff())
    plain = BackoffPolicy()
    causes = _or(first.on, _or(second.on, None))
    # Only one of the two lists is allowed, so a step's own list replaces the default's.
    lists = first if _lists_codes(first) else second
    codes = _or(lists.exit_codes, None)
    return RetryPolicy(
        limit=_or(first.limit, _or(second.limit, 0)),
        backoff=BackoffPolicy(
            initial_seconds=_or(
                backoff.initial_seconds, _or(fallback.initial_seconds, plain.initial_seconds)
            ),
            factor=_or(backoff.factor, _or(fallback.factor, plain.factor)),
            max_seconds=_or(backoff.max_seconds, _or(fallback.max_seconds, plain.max_seconds)),
            jitter=_or(backoff.jitter, _or(fallback.jitter, plain.jitter)),
        ),
        on=DEFAULT_CAUSES if causes is None else tuple(sorted(set(causes))),
        exit_codes=None if codes is None else exit_code_list(codes),
        except_exit_codes=exit_code_list(_or(lists.except_exit_codes, [])),
        max_elapsed_seconds=_or(first.max_elapsed_seconds, _or(second.max_elapsed_seconds, None)),
    )


def _lists_codes(retry: Retry) -> bool:
    return retry.exit_codes is not UNSET or retry.except_exit_codes is not UNSET


def _require(entry: str | Dependency) -> Requires:
    if isinstance(entry, str):
        return Requires(entry)
    return Requires(entry.step, _or(entry.condition, "Succeeded"))


def _or(value: T | UnsetType, otherwise: U) -> T | U:
    return otherwise if isinstance(value, UnsetType) else value


_NO_RETRY = RetryPolicy()
