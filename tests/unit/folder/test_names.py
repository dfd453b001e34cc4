"""Which names in the folder count, whatever editors and tools leave beside them."""

import pytest

from controller.folder.names import hidden, kind_of


@pytest.mark.parametrize("name", ["etl.yaml", "etl.yml", "etl.json", "a.b.yaml", "tmp.yaml"])
def test_specs(name: str) -> None:
    assert kind_of(name) == "spec"


@pytest.mark.parametrize("name", ["etl.cancel", "a.b.cancel"])
def test_markers(name: str) -> None:
    assert kind_of(name) == "marker"


@pytest.mark.parametrize(
    "name",
    [
        ".etl.yaml",
        ".cancel",
        ".#etl.yaml",
        "#etl.yaml#",
        ".etl.yaml.swp",
        "etl.yaml.swp",
        "etl.yaml~",
        "4913",
        "etl.yaml.tmp",
        "etl.yaml.orig",
        "etl.yaml.bak",
        ".etl.yaml.Xy12ab",
        "etl.yaml___jb_tmp___",
        ".etl.cancel.k2j",
        "etl.cancel~",
        "README.md",
        "yaml",
    ],
)
def test_everything_else(name: str) -> None:
    assert kind_of(name) is None


@pytest.mark.parametrize(
    ("path", "is_hidden"),
    [
        ("a.yaml", False),
        ("a/b.yaml", False),
        (".git/config.yaml", True),
        ("a/.b/c.yaml", True),
        ("..data", True),
    ],
)
def test_what_lies_below_a_name_with_a_dot_is_hidden(path: str, is_hidden: bool) -> None:
    assert hidden(path) is is_hidden
