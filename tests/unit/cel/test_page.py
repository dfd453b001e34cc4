"""What docs/expressions.md shows is so."""

import json
import re
from pathlib import Path

import pytest
import yaml

from controller.cel.functions import FUNCTIONS
from controller.cel.program import ExpressionFault
from controller.cel.program import compile as compiled
from controller.cel.tree import MACROS
from controller.cel.types import DOUBLE, DYN, INT, STRING, list_of, map_of, record

PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text(encoding="utf-8")
DATA = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])
NAMES = {
    "params": record({"date": STRING, "regions": list_of(DYN), "limit": INT}),
    "steps": record(
        {
            "extract": record(
                {
                    "phase": STRING,
                    "outputs": record(
                        {"rows": INT, "share": DOUBLE, "files": list_of(DYN), "meta": map_of(DYN)}
                    ),
                }
            ),
            "sign_off": record({"phase": STRING}),
        }
    ),
}
EXAMPLES = re.findall(r"^\|.*\| `(.+)` \| `(.+)` \|$", PAGE, re.MULTILINE)
FAULTS = re.findall(r"^\| `(.+)` \| (.*[^`]) \|$", PAGE.split("## Errors")[1], re.MULTILINE)


def looked_up(path: tuple[str, ...]) -> object:
    value = DATA
    for part in path:
        value = value[part]
    return value


@pytest.mark.parametrize(("text", "gives"), EXAMPLES)
def test_an_example_gives_what_the_page_shows(text: str, gives: str) -> None:
    program = compiled(text.replace(r"\|", "|"), NAMES)
    assert program.evaluate(looked_up) == json.loads(gives)


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_fault_is_said_as_the_page_shows(text: str, said: str) -> None:
    with pytest.raises(ExpressionFault) as raised:
        compiled(text, NAMES)
    assert f"{raised.value.problem}: {raised.value.hint}" == said


def test_each_function_and_macro_has_an_example() -> None:
    texts = " ".join(text for text, _ in EXAMPLES)
    assert {*FUNCTIONS, *MACROS, "has"} <= set(re.findall(r"(\w+)\(", texts))


def test_the_limits_are_on_the_page() -> None:
    from controller.cel import limits

    section = PAGE.split("## Limits")[1].split("## Errors")[0]
    for number in (
        limits.EXPRESSION_MAX,
        limits.NESTING_MAX,
        limits.STEPS_MAX,
        limits.STRING_MAX,
        limits.ELEMENTS_MAX,
        limits.DEPTH_MAX,
        limits.PATTERN_MAX,
        limits.PATTERN_MEMORY_MAX // 1024,
    ):
        assert f"{number:,}" in section
