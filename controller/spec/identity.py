"""A spec as the key of a cache."""

from controller.spec.models import Spec


class Identity:
    """A spec as a key, by identity: hashing 10,000 steps would cost more than what is looked up."""

    __slots__ = ("spec",)

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def __hash__(self) -> int:
        return id(self.spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.spec is other.spec
