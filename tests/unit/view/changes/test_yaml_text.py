"""What is printed as YAML reads back as what it was, and a script looks as its author wrote it."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.view.changes.yaml_text import as_yaml


def test_a_script_is_a_block_of_its_lines() -> None:
    text = as_yaml({"name": "load", "run": "echo 1\nif true; then\n  echo 2\nfi\n"})
    assert text == "name: load\nrun: |\n  echo 1\n  if true; then\n    echo 2\n  fi\n"


@given(st.text(alphabet="ab \n\t:#-|>'\"\\\r\u00e9\u0085\u2028\U0001f600\x1b", max_size=30))
def test_every_text_reads_back_as_what_it_was(text: str) -> None:
    assert yaml.safe_load(as_yaml({"steps": [{"run": text}]})) == {"steps": [{"run": text}]}


@pytest.mark.parametrize("text", ["3.10", "yes", "", "~", "0x10"])
def test_a_text_stays_a_text(text: str) -> None:
    assert yaml.safe_load(as_yaml(text)) == text
