"""Pools: their documents, and what steps say that they use."""

import json
from typing import Any

import jsonschema
import pytest

from controller.spec.schema import files


def a_pool(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "treadle.dev/v1",
        "kind": "Pool",
        "metadata": {"name": "gpu"},
        "spec": spec,
    }


@pytest.mark.parametrize("name", ["pool.schema.json", "spec.schema.json"])
def test_an_editor_takes_a_pool(name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(files()[name]))
    assert validator.is_valid(a_pool(slots=2))
    assert not validator.is_valid(a_pool(slots=0))
    assert not validator.is_valid(a_pool())
    assert not validator.is_valid(a_pool(slots=2, perSecond=1))
