"""What text means as values, and where each stands."""

import pytest
import yaml

from controller.spec.reading.excerpt import lines_of
from controller.spec.reading.syntax import explain
from controller.spec.reading.text import DEPTH_MAX, Text, TextPlace, lossy_numbers, read, scalar


def values(text: str, file: str = "a.yaml") -> list[object]:
    found = read(text, file, 10_000)
    assert not found.faults
    return [node.value for node in found.documents]


def faults(text: str, file: str = "a.yaml", max_cost: int = 10_000) -> list[str]:
    return [str(fault) for fault in read(text, file, max_cost).faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("n", "n"),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775809", -(2.0**63)),
        ("0755", "0755"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-23", "2026-11-23"),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("00.5", "00.5"),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("-", "-"),
        ("1" * 30, float("1" * 30)),
        ("9" * 5000, "9" * 5000),
        ("abc", "abc"),
    ],
)
def test_what_a_plain_scalar_means(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("on: 1", {"on": 1}, id="on is a key like any other"),
        pytest.param("1: a\ntrue: b", {"1": "a", "true": "b"}, id="keys are text"),
        pytest.param("a: \"1\"\nb: 'true'", {"a": "1", "b": "true"}, id="quotes make text"),
        pytest.param("a: ! 3\nb: !!str 3", {"a": "3", "b": "3"}, id="tags make text"),
        pytest.param("a: !!int 3\nb: !!float 3", {"a": 3, "b": 3}, id="core tags"),
        pytest.param("a: !!map {}\nb: !!seq []", {"a": {}, "b": []}, id="core tags of collections"),
        pytest.param(
            "env: {PY: 3.10, T: true, N: }\nx: 3.10",
            {"env": {"PY": "3.10", "T": "true", "N": None}, "x": 3.1},
            id="values of env stay as written",
        ),
        pytest.param("a: &x [1]\nb: *x", {"a": [1], "b": [1]}, id="alias"),
        pytest.param("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}, id="anchor set anew"),
        pytest.param(
            "a: &a {k: 1, j: 2}\nb: {<<: *a, k: 3}",
            {"a": {"k": 1, "j": 2}, "b": {"k": 3, "j": 2}},
            id="own keys win over merged ones",
        ),
        pytest.param(
            "a: &a {k: 1}\nb: &b {k: 2, j: 3}\nc:\n  <<: [*a, *b]",
            {"a": {"k": 1}, "b": {"k": 2, "j": 3}, "c": {"k": 1, "j": 3}},
            id="of several merged the first wins",
        ),
        pytest.param('"<<": 3', {"<<": 3}, id="in quotes it merges nothing"),
    ],
)
def test_what_text_means(text: str, value: object) -> None:
    assert values(text) == [value]


def test_a_file_holds_documents() -> None:
    assert values("a\n---\n- 1\n...\n---\n") == ["a", [1], None]
    assert values("") == []


def test_json_escapes_beyond_the_basic_plane() -> None:
    text = r'{"a": "\ud83d\ude00 \\ud83d\n", "b": "\u00e4"}'
    assert values(text, "a.json") == [{"a": "\U0001f600 \\ud83d\n", "b": "ä"}]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\na: 2", '2:1: the key "a" appears here a second time; the first is at line 1'),
        ("a:\n\tb: 1", "2:1: a tab indents this line; indent with spaces"),
        ("a: b: c", "1:5: a key isn't possible here; check the indentation; text that holds"),
        ("a: @b", "1:4: text can't begin with @; put it in quotes"),
        ('a: "b', "1:6: the quote is not closed; add the closing quote; it was opened at line 1"),
        ("a: {b: ${{ x }}}", "1:8: this expression needs quotes around it; write '${{ x }}'"),
        ("a: [b, ${{ x }}]", "1:8: this expression needs quotes around it; write '${{ x }}'"),
        ('a: ${{ x == "b: c" }}', "1:4: this expression needs quotes around it; write '${{ x == "),
        ("a: ${{ x ? 'b' : 1 }}", '1:4: this expression needs quotes around it; write "${{ x ? '),
        (
            "a: {b: ${{ x + 'y' + \"z\" }}}",
            "1:8: this expression needs quotes around it; put it in",
        ),
        ('a: "${{ x == "b" }}"', "1:5: the quotes around this expression end inside it; write '$"),
        ('a: {b: "${{ x }}", c: [}', "1:24: not YAML: did not find expected node content"),
        ("a: !${{ x }}", "1:6: text can't begin with !; put it in quotes"),
        ("a: [1, 2", '2:1: the list is not closed; add "]", or a "," between; it was opened at'),
        ("- a\nb: 1", "2:1: the line doesn't fit the list around it"),
        ("a:\n  - b\n c: 1", "3:2: the line doesn't fit those around it"),
        ("x: 1\ny\nz: 3", '3:1: expected "key: value"'),
        ("a: - b", "1:4: a list can't begin here"),
        ("%YAML 3.0\n---\na", "1:1: not YAML: found incompatible YAML document"),
        ("a: *b", "1:4: no anchor &b in front of this"),
        ("*b", "1:1: no anchor &b in front of this"),
        ("a: &a [*a]", "1:8: *a is inside &a itself"),
        ("? [a]\n: b", "1:3: a list or mapping can't be a key"),
        ("a: &a 1\n*a : 2", "2:1: an alias can't be a key"),
        ("a: !foo 1", "1:4: the tag !foo is not known here; remove it"),
        ("a: !foo {}", "1:4: the tag !foo is not known here; remove it"),
        ("a: !!python/object:x {}", "1:4: the tag !!python/object:x is not known here"),
        ("a: !!int x", '1:4: "x" is not a valid !!int'),
        ("<<: 3", "1:5: `<<` takes a mapping, or a list of mappings"),
        ("<<: [1]", "1:6: `<<` takes a mapping, or a list of mappings"),
        ("[" * (DEPTH_MAX + 1), f"1:{DEPTH_MAX + 1}: nested more than {DEPTH_MAX} deep"),
    ],
)
def test_faults_of_text(text: str, fault: str) -> None:
    assert faults(text)[0].startswith(f"a.yaml:{fault}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1,\n "b" 2}', "a.json:2:6: not JSON: expecting ':' delimiter"),
        ('{"a": %s, @}' % ("1" * 5000), "a.json:1:5009: text can't begin with @"),
        ('{"a": @}', "a.json:1:7: not JSON: expecting value"),
        # JSON allows this, YAML does not.
        ('{"a": "\\ud83d"}', "a.json:1:10: not YAML: found invalid Unicode character escape code"),
    ],
)
def test_faults_of_json(text: str, fault: str) -> None:
    assert faults(text, "a.json")[0].startswith(fault)


def test_an_error_without_a_place_still_names_its_file() -> None:
    assert str(explain(yaml.YAMLError("a\n  b"), "", "a.yaml")) == "a.yaml: not YAML: a b"


def test_nesting_up_to_the_limit_is_fine() -> None:
    assert not faults("[" * DEPTH_MAX + "]" * DEPTH_MAX)


def test_a_file_has_a_limit_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.spec.reading.text.VALUES_MAX", 5)
    assert not faults("a: [1, 2]\nb: 3")  # the mapping itself is the fifth
    assert faults("a: [1, 2]\nb: [3, 4]") == ["a.yaml:2:4: more than 5 values; split the file"]


def test_aliases_unfold_to_a_limit() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)
    )
    assert faults(bomb) == [
        "a.yaml:11:12: written out, its aliases make the file larger than 10,000 bytes; "
        "repeat less, or split the file"
    ]


def test_a_limit_of_aliases_counts_text() -> None:
    text = f"a: &a {'x' * 99}\nb: [*a, *a]"
    assert not faults(text, max_cost=200)
    assert faults(text, max_cost=199)


def test_what_stands_in_front_of_a_fault_is_kept() -> None:
    found = read("a: 1\n---\nmetadata:\n  name: x\n  labels: {a: [1, b\n", "a.yaml", 1000)
    assert [node.value for node in found.documents] == [{"a": 1}]
    assert found.torn is not None
    assert found.torn.value == {"metadata": {"name": "x", "labels": {"a": [1, "b"]}}}


class TestPlace:
    text = "a: &a\n  - b\n  - {c: d}\ne: *a\nf: {<<: {g: 1}}\n"

    @pytest.mark.parametrize(
        ("path", "key", "place"),
        [
            ((), False, (1, 1)),
            (("a",), True, (1, 1)),
            (("a", 0), False, (2, 5)),
            (("a", 1, "c"), False, (3, 9)),
            (("a", 1, "c"), True, (3, 6)),
            (("a", 7), False, (1, 4)),
            (("a", "x", "y"), False, (1, 4)),
            (("a", 0, "x"), True, (2, 5)),
            (("e",), False, (4, 4)),
            (("e", 1, "c"), False, (3, 9)),
            (("f", "g"), True, (5, 10)),
            (("z",), True, (1, 1)),
        ],
    )
    def test_where_a_path_leads(
        self, path: tuple[str | int, ...], key: bool, place: tuple[int, int]
    ) -> None:
        found: Text = read(self.text, "a.yaml", 1000)
        root: TextPlace = found.documents[0].place
        assert root.within(path, key) == place


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("3.10", "3.1"),
        ("1e3", "1000.0"),
        ("+5", "5"),
        ("5.", "5.0"),
        ("-0", "0"),
        ("9223372036854775808", "9.223372036854776e18"),
        ("0.12345678901234567890", "0.12345678901234568"),
    ],
)
def test_a_number_that_loses_a_part_of_its_text(text: str, kept: str) -> None:
    for file, path in (
        (f"{text} # why", ()),
        (f"a: {text}", ("a",)),
        (f"a: [x, {{b: 1, c: {text}}}, 2]", ("a", 1, "c")),
        (f"a: &x\n  - {text}\nb: 1", ("a", 0)),
    ):
        content = read(file, "a.yaml", 10_000)
        (node,) = content.documents
        found = lossy_numbers(node.value, node.place, lines_of(content.text))
        problem, hint = f"{text} is read as the number {kept}", f'write "{text}" to keep it as text'
        assert list(found) == [(path, problem, hint)]


@pytest.mark.parametrize(
    "text",
    [
        "3.1",
        "-5",
        "0",
        "5.0",
        '"3.10"',
        "3.10.0",
        "03.10",
        "1e999",
        "true",
        "[a, null]",
        "!!str 1e3",
    ],
)
def test_a_number_that_keeps_its_text(text: str) -> None:
    content = read(f"a: {text}\nb: {text}", "a.yaml", 10_000)
    (node,) = content.documents
    assert not list(lossy_numbers(node.value, node.place, lines_of(content.text)))


def test_a_number_that_an_alias_repeats_is_found_where_it_is_written() -> None:
    (node,) = read("a: &x [3.10]\nb: *x\nc: &y 1e3\nd: *y", "a.yaml", 10_000).documents
    lines = ["a: &x [3.10]", "b: *x", "c: &y 1e3", "d: *y"]
    found = [path for path, _, _ in lossy_numbers(node.value, node.place, lines)]
    assert found == [("a", 0), ("b", 0)]
