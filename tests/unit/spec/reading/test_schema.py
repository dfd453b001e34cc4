"""The generated schemas: valid, current, and of one mind with the loader."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from full_spec import FULL

from controller.spec.reading.load import load
from controller.spec.reading.schema import files
from controller.spec.reading.text import read
from controller.spec.reading.wording import WORDS

SCHEMAS = Path(__file__).parents[4] / "schemas"
WORKFLOW: dict[str, Any] = json.loads(files()["workflow.schema.json"])


@pytest.mark.parametrize("name", files())
def test_it_is_a_schema(name: str) -> None:
    document = json.loads(files()[name])
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"].endswith(name)
    assert document["title"]


@pytest.mark.parametrize("name", files())
def test_the_folder_is_current(name: str) -> None:
    assert (SCHEMAS / name).read_text() == files()[name], "run make schemas"


@pytest.mark.parametrize("name", files())
def test_every_keyword_has_words_of_ours(name: str) -> None:
    says_nothing = {
        "title",
        "description",
        "default",
        "properties",
        "items",
        "$ref",
        "propertyNames",
    }
    definitions = json.loads(files()[name])["$defs"].values()
    assert set(keywords(definitions)) - says_nothing <= WORDS.keys()


def keywords(schemas: Iterable[dict[str, Any]]) -> Iterator[str]:
    for schema in schemas:
        yield from schema
        inner = [
            schema[key]
            for key in ("items", "propertyNames", "additionalProperties")
            if isinstance(schema.get(key), dict)
        ]
        yield from keywords(
            [*inner, *schema.get("properties", {}).values(), *schema.get("anyOf", [])]
        )


def test_it_takes_what_the_loader_takes() -> None:
    (node,) = read(FULL, "a.yaml", 10_000).documents
    jsonschema.Draft202012Validator(WORKFLOW).validate(node.value)


def test_it_knows_that_a_step_has_one_action() -> None:
    validator = jsonschema.Draft202012Validator({**WORKFLOW, "$ref": "#/$defs/Step"})
    assert validator.is_valid({"name": "a", "run": "x"})
    assert not validator.is_valid({"name": "a"})
    assert not validator.is_valid({"name": "a", "run": "x", "command": ["x"]})


def test_it_knows_that_a_trigger_waits_for_one_thing() -> None:
    validator = jsonschema.Draft202012Validator({**WORKFLOW, "$ref": "#/$defs/Trigger"})
    assert validator.is_valid({"name": "a", "everySeconds": 5})
    assert not validator.is_valid({"name": "a"})
    assert not validator.is_valid({"everySeconds": 5, "schedule": "@daily"})


def test_every_field_that_can_be_written_is_described() -> None:
    bare = {
        f"{part}.{name}"
        for part, schema in WORKFLOW["$defs"].items()
        for name, field in schema["properties"].items()
        if "description" not in field and "$ref" not in field
    }
    # Names, or fields that may only state their one value, say it all.
    assert bare == {
        "Workflow.apiVersion",
        "Workflow.kind",
        "Metadata.labels",
        "Metadata.annotations",
        "Spec.steps",
    }


def test_the_older_form_has_one_too() -> None:
    older = json.loads(files()["older-workflow.schema.json"])
    text = '{"workflow_id": "A", "steps": [{"id": "a", "command": "x"}]}'
    jsonschema.Draft202012Validator(older).validate(json.loads(text))
    assert load(text.encode(), "a.json").documents
