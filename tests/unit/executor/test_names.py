"""The names that attempts have outside, and whose an object there is."""

import re

import pytest

from controller.executor.names import ATTEMPT, FOLDER, MARK, Labels, name_of, read
from controller.loop.ports import AttemptId

MARK_OF = (1 << 59) + 0xABC
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("load", "treadle-load-800000000000abc"),
        ("Load_Data", "treadle-load-data-800000000000abc"),
        ("site/count[a b.txt]", "treadle-site-count-a-b-txt--800000000000abc"),
        ("onFailure/page-me", "treadle-onfailure-page-me-800000000000abc"),
        ("ü" * 63, f"treadle-{'-' * 30}-800000000000abc"),
    ],
)
def test_names(step: str, name: str) -> None:
    assert name_of(step, MARK_OF) == name
    assert DNS_LABEL.fullmatch(name)


def test_marks_make_names_differ() -> None:
    assert name_of("a", MARK_OF) != name_of("a", MARK_OF + 1)


def test_labels_are_read_as_they_are_written() -> None:
    labels = Labels("folder-1", AttemptId("uid-1", "site/count[a/b]", 12), MARK_OF)
    assert read(labels.as_texts()) == labels


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {FOLDER: "f", ATTEMPT: "no attempt", MARK: "1"},
        {FOLDER: "f", ATTEMPT: "uid/step/1"},
        {FOLDER: "f", ATTEMPT: "uid/step/x", MARK: "1"},
        {FOLDER: "f", ATTEMPT: "uid/step/1", MARK: "no mark"},
        {ATTEMPT: "uid/step/1", MARK: "1"},
    ],
)
def test_what_has_not_all_labels_is_none_of_ours(texts: dict[str, str]) -> None:
    assert read(texts) is None
