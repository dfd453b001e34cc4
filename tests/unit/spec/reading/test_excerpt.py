"""The line of a fault, and the wrong word in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.spec.reading.excerpt import EXCERPT_MAX, excerpt
from controller.spec.reading.load import FAULTS_MAX, load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        pytest.param("  dependsOn: [clean, §chek-rows]", "chek-rows", id="in a list"),
        pytest.param("  §if: success()", "if", id="a key"),
        pytest.param("  timeoutSeconds: §5m  # long", "5m", id="before a comment"),
        pytest.param("  name: §a b", "a b", id="a plain value may hold blanks"),
        pytest.param('  run: §"a, \\"b\\" c", x: y', '"a, \\"b\\" c"', id="in double quotes"),
        pytest.param("  run: §'it''s', x: y", "'it''s'", id="in single quotes"),
        pytest.param('  run: §"a', '"a', id="a quote that is not closed"),
        pytest.param("  run: §|", "|", id="a block"),
        pytest.param("  env: §{A: b}", "{", id="a mapping: its first character"),
        pytest.param('  {§"if": x}', '"if"', id="a key in quotes"),
        pytest.param("  url: §http://x/y", "http://x/y", id="a colon inside a word"),
        pytest.param("  run: §a ${{ b }}, [c]  # d", "a ${{ b }}, [c]", id="with brackets"),
        pytest.param("  {run: §a ${{ b }}}", "a $", id="in brackets"),
        pytest.param("  steps:§", "", id="behind the end"),
    ],
)
def test_the_wrong_word(line: str, word: str) -> None:
    start = line.index("§")
    found = excerpt(line.replace("§", ""), start + 1)
    assert (found.text, found.start) == (line.replace("§", ""), start)
    assert found.text[start : start + found.length] == word


@given(st.text(st.sampled_from("ab ,:#'\"[]{}\\漢\t"), max_size=500), st.integers(1, 520))
def test_a_long_line_is_cut_around_the_word(line: str, column: int) -> None:
    found = excerpt(line, column)
    at = min(column - 1, len(line))
    assert len(found.text) <= EXCERPT_MAX
    assert found.length >= 1
    cut = found.text[found.start : found.start + found.length]
    assert cut.rstrip("…") == line[at : at + len(cut.rstrip("…"))]


@pytest.mark.parametrize(
    ("data", "text", "start", "column"),
    [
        pytest.param(b"a: 1\r\n\xe6\xbc\xa2: \xff\r\n", "漢: \ufffd", 3, 4, id="not UTF-8"),
        pytest.param(
            b"\xef\xbb\xbf\xe6\xbc\xa2\xff", "漢\ufffd", 1, 2, id="with a byte order mark"
        ),
        pytest.param(b"a: \x07b\r\n", "a: \x07b", 3, 4, id="a control character"),
        pytest.param(b"a: [\r\nb: }\r\n", "b: }", 3, 4, id="lines with CRLF"),
    ],
)
def test_the_line_of_what_is_no_yaml(data: bytes, text: str, start: int, column: int) -> None:
    (fault,) = load(data, "a.yaml").faults
    assert fault.excerpt is not None
    assert (fault.excerpt.text, fault.excerpt.start, fault.column) == (text, start, column)


def test_a_pair_of_json_escapes_moves_no_mark() -> None:
    text = '{"workflow_id": "a", "x\\ud83d\\ude00": 1, "steps": [{"id": "a", "command": 3}]}'
    *_, fault = load(text.encode(), "a.json").faults
    assert fault.excerpt is not None
    assert fault.excerpt.text[fault.excerpt.start :] == "3}]}"


def test_a_pair_of_json_escapes_is_no_fault_of_json() -> None:
    (fault,) = load(b'{"a": "\\ud83d\\ude00", "b" "c"}', "a.json").faults
    assert fault.problem == "not JSON: expecting ':' delimiter"
    assert fault.excerpt is not None
    assert fault.excerpt.text[fault.excerpt.start :] == '"c"}'


def test_a_fault_names_its_step() -> None:
    text = HEAD + "  steps:\n  - {name: load, run: x, zz: 1}\n  - [a]\nzz: 1\n"
    found = load(text.encode(), "a.yaml").faults
    assert [fault.step for fault in found] == ["load", "", ""]
    older = '{"workflow_id": "a", "steps": [{"id": "b", "command": 1}]}'
    assert load(older.encode(), "a.json").faults[0].step == "b"


def test_a_warning_has_its_line_too() -> None:
    text = HEAD + "  steps: [{name: a, run: x}]\nstatus: {}\n"
    (warning,) = load(text.encode(), "a.yaml").warnings
    assert (warning.severity, warning.line) == ("warning", 6)
    assert warning.excerpt is not None
    assert warning.excerpt.text == "status: {}"


def test_a_huge_line_with_many_faults_makes_small_excerpts() -> None:
    steps = ", ".join(["{nam: a, run: b}"] * (FAULTS_MAX + 10))
    loaded = load(f"{HEAD}  steps: [{steps}]\n".encode(), "a.yaml")
    assert len(loaded.faults) == FAULTS_MAX + 1
    shown = [fault.excerpt for fault in loaded.faults if fault.excerpt is not None]
    assert max(len(each.text) for each in shown) == EXCERPT_MAX
