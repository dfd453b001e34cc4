"""Hooks: what runs because a run starts or ends, by the kind of that moment.

A hook is defined like a step, but `defaults` do not hold for it, and it depends on nothing. Its
full name is that of its kind and its own: `onFailure/page-me`. No step has such a name.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, UnsetType

from controller.spec.definition import Definition, define_hook
from controller.spec.linked import above
from controller.spec.models import Hook, Hooks, Spec

HookKind = Literal["onStart", "onSuccess", "onFailure", "onCancel", "onExit"]
HOOK_KINDS: tuple[HookKind, ...] = ("onStart", "onSuccess", "onFailure", "onCancel", "onExit")


class DueHook(Struct, frozen=True, omit_defaults=True):
    """A hook that is to run.

    `home`: the folder of the Defaults that have it, seen from that of the workflow's file; empty
    for a hook of the workflow itself.
    """

    kind: HookKind
    hook: Hook
    home: str = ""

    @property
    def name(self) -> str:
        """Its full name: `onFailure/page-me`."""
        return f"{self.kind}/{self.hook.name}"


HooksInForce = Mapping[HookKind, list[DueHook]]


def by_kind(hooks: Hooks | UnsetType, home: str = "") -> dict[HookKind, list[DueHook]]:
    """What was written, by kind; a kind that is not written is not there, an empty list is."""
    if isinstance(hooks, UnsetType):
        return {}
    written = zip(
        HOOK_KINDS,
        (hooks.on_start, hooks.on_success, hooks.on_failure, hooks.on_cancel, hooks.on_exit),
        strict=True,
    )
    return {
        kind: [DueHook(kind, hook, home) for hook in listed]
        for kind, listed in written
        if not isinstance(listed, UnsetType)
    }


def names_of_hooks(hooks: Hooks | UnsetType) -> set[tuple[str, str]]:
    """Each with its kind."""
    return {(kind, due.hook.name) for kind, some in by_kind(hooks).items() for due in some}


def hooks_in_force(spec: Spec) -> HooksInForce:
    """The hooks of each kind: those of the spec, else of the nearest Defaults that have some."""
    found = by_kind(spec.hooks)
    for defaults in above(spec):
        found = by_kind(defaults.spec.hooks, defaults.home) | found
    return found


def kind_of(name: str) -> str:
    """The kind of a hook, from its full name."""
    return name.partition("/")[0]


def is_hook(name: str) -> bool:
    """Whether this is the full name of a hook, or a kind of them; not the name of a step."""
    return kind_of(name) in HOOK_KINDS


def hook_definition(spec: Spec, due: DueHook) -> Definition:
    """What the hook does, in a workflow with this spec: its `env`, `shell` and so on hold."""
    return define_hook(spec, due.name, due.hook, due.home)
