"""The documentation agrees with the code: its closed lists, its specs, and its links."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from textwrap import indent

import pytest

from controller.cli.commands import COMMANDS
from controller.cli.parser import NameMissing, find_command, parser_of, split
from controller.model.phases import AttemptPhase, Phase, Reason
from controller.spec.reading.link import Found, link
from controller.spec.reading.load import Document, load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "examples/*/*.md") for path in ROOT.glob(pattern)
)
YAML = re.compile(r"```yaml\n(.*?\n)```", re.DOTALL)
WHOLE = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: shown}\nspec:\n"
FIELDS = tuple(
    f"{name}:" for name in ("params", "steps", "env", "envFrom", "inheritEnv", "hooks", "triggers")
)


def specs(text: str) -> Iterator[str]:
    """The specs that a page shows, and parts of a `spec` as a spec."""
    for block in YAML.findall(text):
        if block.startswith("apiVersion:"):
            yield block
        elif block.startswith(FIELDS) and "steps:" not in block:
            yield WHOLE + indent(block + "steps: [{name: a, run: echo}]\n", "  ")
        elif block.startswith(FIELDS) and "steps:\n  - " in block:  # others are values, as read
            yield WHOLE + indent(block, "  ")


SPECS = [
    pytest.param(spec, path, id=f"{path.name}-{number}")
    for path in PAGES
    for number, spec in enumerate(specs(path.read_text(encoding="utf-8")))
]


def test_every_reason_is_explained_and_no_other() -> None:
    table = PAGE.split("| reason | |\n")[1]
    explained = {
        word
        for row in table.splitlines()[1:]
        for word in re.findall(r"`([A-Z]\w+)`", row.split("|")[1])
    }
    assert explained == {str(reason) for reason in Reason}


def test_every_phase_is_named() -> None:
    section = PAGE.split("### Phases and reasons")[1].split("| reason | |")[0]
    assert {*re.findall(r"`([A-Z][a-z]+)`", section)} == {*map(str, Phase), *map(str, AttemptPhase)}


@cache
def templates(page: Path) -> dict[str, Found]:
    """The templates that a page shows, by their names."""
    return {
        one.name: Found("shown.yaml", one.template.spec)
        for spec in specs(page.read_text(encoding="utf-8"))
        for one in load(spec.encode(), "shown.yaml").templates
    }


@pytest.mark.parametrize(("spec", "page"), SPECS)
def test_every_spec_that_a_page_shows_is_valid(spec: str, page: Path) -> None:
    loaded = load(spec.encode(), "shown.yaml")
    assert [*loaded.faults, *loaded.warnings] == []
    for document in loaded.documents:
        assert isinstance(link(document, "shown.yaml", templates(page)), Document)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), target
        assert not heading or heading in anchors(there), target


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


# ---------------------------------------- commands

NAMES = [name for command in COMMANDS for name in (command.name, *command.aliases)]
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
TYPED = re.compile(rf"\btreadle ((?:{'|'.join(NAMES)})\b(?:(?! \d[<>])[^|&;<>#`\n·)])*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_page_shows_is_understood(page: Path) -> None:
    code = "\n".join(CODE.findall(page.read_text(encoding="utf-8")))
    for typed in TYPED.findall(code):
        if "…" in typed or "[" in typed:
            continue  # a form, not a command
        name, words = split(shlex.split(re.sub(r"\b[NM]$", "1", typed)))
        with suppress(NameMissing):  # `treadle retry` is the command as such
            parser_of(find_command(name)).parse_args(words)
