"""Values that a person gives: all of them fit, or all that is wrong is said at once."""

from pathlib import Path
from typing import Any

import pytest

from controller.client.files.given import given_outputs, given_params
from controller.errors import Fault, InvalidSpec, UsageError
from controller.spec.reading.load import Document, load

ETL = """
  params:
    date: today
    rows: 5
    share: 0.5
    dry: false
    regions: [eu]
    limits: {type: object, default: {}}
    version: {type: string, default: "1"}
    level: {type: string, default: low, enum: [low, high]}
"""


def document(params: str = ETL, name: str = "etl") -> tuple[str, Document]:
    text = (
        f"apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {{name: {name}}}\n"
        f"spec:{params or ' '}\n  steps: [{{name: a, run: x}}]\n"
    )
    loaded = load(text.encode(), f"{name}.yaml")
    assert not loaded.faults
    return f"{name}.yaml", loaded.documents[0]


def values(
    *words: str, files: list[Path] | None = None, of: list[tuple[str, Document]] | None = None
) -> list[dict[str, Any]]:
    warnings: list[Fault] = []
    found = given_params(words, list(map(str, files or [])), of or [document()], warnings)
    assert not warnings
    return found


def faults(
    *words: str, files: list[Path] | None = None, of: list[tuple[str, Document]] | None = None
) -> list[str]:
    with pytest.raises(InvalidSpec) as raised:
        values(*words, files=files, of=of)
    return [str(fault) for fault in raised.value.faults]


def test_a_word_is_read_by_the_type_of_its_param() -> None:
    words = ("date=a=b", "rows=7", "share=1", "dry=true", 'regions=["eu", 1]', 'limits={"a": 1}')
    assert repr(values(*words)) == repr(
        [
            {
                "date": "a=b",
                "rows": 7,
                "share": 1.0,
                "dry": True,
                "regions": ["eu", 1],
                "limits": {"a": 1},
            }
        ]
    )


def test_nothing_given_is_nothing_recorded() -> None:
    assert values() == [{}]


def test_the_last_word_wins_and_a_word_wins_over_a_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.json"
    first.write_text("date: one\nrows: 1\nshare: 1\n")
    second.write_text('{"date": "two", "rows": 2, "version": "3.10"}')
    assert repr(values("rows=3", "rows=4", files=[first, second])) == repr(
        [{"date": "two", "rows": 4, "share": 1.0, "version": "3.10"}]
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_a_file_may_have_no_params(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    assert values(files=[path]) == [{}]


def test_each_workflow_gets_the_params_that_it_has() -> None:
    other = document("\n  params: {rows: one, wide: false}", "other")
    assert values("rows=2", "wide=true", "date=x", of=[other, document()]) == [
        {"rows": "2", "wide": True},
        {"rows": 2, "date": "x"},
    ]


def test_every_fault_of_the_words() -> None:
    required = document("\n  params: {date: {type: string}, rows: 5, level: {enum: [low, high]}}")
    assert faults("rows=abc", "dat=1", "rows", "=5", "level=mid", of=[required]) == [
        "-p rows: this gives no value; write -p rows=VALUE",
        "-p =5: this gives no value; write -p NAME=VALUE",
        '-p rows: expected an integer, found "abc"',
        '-p level: "mid" is not one of "low", "high"',
        '-p dat: etl has no param "dat"; did you mean "date"?',
    ]


def test_what_needs_a_value() -> None:
    required = document("\n  params: {date: {type: string}, rows: {type: integer}, level: low}")
    assert faults("rows=x", of=[required]) == [
        '-p rows: expected an integer, found "x"',
        'etl.yaml: spec.params.date: etl needs a value of the param "date"; add -p date=VALUE',
    ]


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ("", "declare it in spec.params"),
        ("\n  params: {a: 1}", "there is a"),
        ("\n  params: {b: 1, a: 1}", "there are a, b"),
        ("\n  params: {zzy: 1, a: 1}", 'did you mean "zzy"?'),
    ],
)
def test_a_param_that_is_not_there(params: str, hint: str) -> None:
    assert faults("zzz=1", of=[document(params)]) == [f'-p zzz: etl has no param "zzz"; {hint}']


def test_a_param_that_no_workflow_has() -> None:
    both = [document(), document("", "other")]
    assert faults("dates=1", of=both) == [
        '-p dates: none of the workflows has a param "dates"; did you mean "date"?'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rows: abc", ['1:7: rows: expected an integer, found "abc"']),
        (
            "version: 3.10",
            ['1:10: version: expected text, found the number 3.1; put it in quotes: "3.10"'],
        ),
        (
            "level: mid\nrow: 5",
            [
                '1:8: level: "mid" is not one of "low", "high"',
                '2:6: row: etl has no param "row"; did you mean "rows"?',
            ],
        ),
        ("date:", ["1:6: date: expected text, found nothing"]),
        ("[a]", ["1:1: expected a mapping; write a line for each param, like date: 2026-11-23"]),
        ("rows: 1\n---\nrows: 2", ["3:1: a second document; write all params into one mapping"]),
        (
            "rows: 1\nrows: 2",
            ['2:1: the key "rows" appears here a second time; the first is at line 1'],
        ),
        (
            "date: 'x",
            [
                "1:9: the quote is not closed; add the closing quote; "
                "it was opened at line 1, column 7"
            ],
        ),
        (
            "a\0",
            [
                "1:2: the character U+0000 is not allowed in a spec; "
                'in double quotes, write "\\u0000"'
            ],
        ),
    ],
)
def test_every_fault_of_a_file(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    assert faults(files=[path]) == [f"{path}:{fault}" for fault in expected]


def test_what_a_broken_file_may_hold_is_not_missing(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("[")
    assert len(faults(files=[path], of=[document("\n  params: {date: {type: string}}")])) == 1


def test_a_fault_of_a_file_has_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("# params\nrows: abc\n")
    with pytest.raises(InvalidSpec) as raised:
        values(files=[path])
    excerpt = raised.value.faults[0].excerpt
    assert excerpt is not None
    assert (excerpt.text, excerpt.start, excerpt.length) == ("rows: abc", 6, 3)


def test_a_number_inside_a_value_that_loses_its_text_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("regions: [3.10]\nshare: 1e-1\n")
    warnings: list[Fault] = []
    found = given_params(["date=x"], [str(path)], [document()], warnings)
    assert found == [{"date": "x", "regions": [3.1], "share": 0.1}]
    assert [(str(one), one.severity) for one in warnings] == [
        (
            f'{path}:1:11: regions[0]: 3.10 is read as the number 3.1; write "3.10" to keep it '
            "as text",
            "warning",
        )
    ]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("date: " + "x" * 65_536)
    assert faults(files=[path])[0].startswith(f"{path}: larger than 65,536 bytes; write the data")


def test_params_that_are_too_large_together(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("date: " + "x" * 40_000)
    assert faults(f"version={'y' * 40_000}", files=[path]) == [
        "-p: the params of etl have more than 65,536 bytes; write the data to a file, and give "
        "the path of that file"
    ]


def test_a_file_that_can_not_be_read_is_one_of_the_faults(tmp_path: Path) -> None:
    missing = tmp_path / "p.yaml"
    assert faults("rows=x", files=[missing, tmp_path]) == [
        f"{missing}: no such file",
        f"{tmp_path}: is a folder; name the files in it",
        '-p rows: expected an integer, found "x"',
    ]


def test_other_bytes_are_no_text() -> None:
    assert faults("date=\udcff") == ['-p date: "\\udcff" is not valid Unicode']


# ---------------------------------------- outputs


def test_outputs_are_read_by_their_types() -> None:
    words = ["rows=5", "share=1", "path=a=b\nc"]
    declared: dict[str, Any] = {"rows": "integer", "share": "number", "path": "string"}
    assert repr(given_outputs(words, declared)) == repr({"rows": 5, "share": 1.0, "path": "a=b\nc"})
    assert given_outputs([], {}) == {}


def test_every_fault_of_outputs() -> None:
    declared: dict[str, Any] = {"rows": "integer", "share": "number", "path": "string"}
    with pytest.raises(UsageError) as raised:
        given_outputs(["rows=x", "shar=1", "path"], declared)
    assert str(raised.value) == (
        'mark: the output "rows": expected an integer, found "x"; "path" gives no value; write '
        'path=VALUE; the step does not declare the output "shar"; did you mean "share"?; '
        'the output "share" is missing; write --output NAME=VALUE for each'
    )
