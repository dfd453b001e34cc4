"""The DAGs: those that are made here, and recorded ones from a folder of JSON files."""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from random import Random


class Shape:
    """Names of steps with the names of those they depend on; every step is `/bin/true`."""

    def __init__(self, name: str, steps: dict[str, list[str]]) -> None:
        self.name = name
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def width(self) -> int:
        """Most steps at one level: more jobs than that are of no use to anybody."""
        levels: dict[str, int] = {}
        for name in self._in_order():
            levels[name] = 1 + max((levels[other] for other in self.steps[name]), default=0)
        counts = list(levels.values())
        return max(counts.count(level) for level in set(counts))

    def _in_order(self) -> Iterator[str]:
        """Dependencies first. Recorded DAGs are deep and not sorted: a stack, no recursion."""
        seen: set[str] = set()
        for root in self.steps:
            stack = [root]
            while stack:
                name = stack[-1]
                missing = [other for other in self.steps[name] if other not in seen]
                if missing and name not in seen:
                    stack += missing
                    continue
                stack.pop()
                if name not in seen:
                    seen.add(name)
                    yield name


def fan(width: int) -> Shape:
    """1 → width → 1."""
    middle = [f"m{i}" for i in range(width)]
    steps = {"first": [], **{name: ["first"] for name in middle}, "last": middle}
    return Shape(f"1 → {width:,} → 1", steps)


def chain(length: int) -> Shape:
    return Shape(f"chain of {length}", {f"c{i}": [f"c{i - 1}"] if i else [] for i in range(length)})


def chains(count: int, length: int) -> Shape:
    """Many chains beside each other."""
    steps = {
        f"c{n}-{i}": [f"c{n}-{i - 1}"] if i else [] for n in range(count) for i in range(length)
    }
    return Shape(f"{count:,} chains of {length}", steps)


def layers(depth: int, width: int, dependencies: int) -> Shape:
    """Each step needs some of the layer before, spread over it, the same ones in every run."""
    steps = {
        f"l{layer}-{i}": [f"l{layer - 1}-{(7 * i + 31 * k) % width}" for k in range(dependencies)]
        if layer
        else []
        for layer in range(depth)
        for i in range(width)
    }
    return Shape(f"{depth} layers of {width}", steps)


def scattered(count: int, window: int, dependencies: int) -> Shape:
    """Each step needs some of the `window` steps before it, the same ones in every run."""
    chance = Random(1)
    steps: dict[str, list[str]] = {}
    for i in range(count):
        known = range(max(0, i - window), i)
        steps[f"s{i}"] = [f"s{n}" for n in chance.sample(known, min(dependencies, i))]
    return Shape(f"{count:,} steps", steps)


def recorded(folder: Path) -> list[Shape]:
    """`{"name", "steps": [{"name", "deps"}]}` a file. Names become valid ones, one to one."""
    shapes = []
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        names = {step["name"]: f"s{i}" for i, step in enumerate(document["steps"])}
        steps = {
            names[step["name"]]: [names[other] for other in step["deps"]]
            for step in document["steps"]
        }
        shapes.append(Shape(document["name"], steps))
    return shapes
