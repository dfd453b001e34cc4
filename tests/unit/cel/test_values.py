"""What expressions give: a line each."""

import pytest

from controller.cel.program import EvaluationFailed
from controller.cel.program import compile as compiled
from controller.cel.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    Type,
    list_of,
    map_of,
    record,
)

NAMES = {
    "any": DYN,
    "text": STRING,
    "count": INT,
    "share": DOUBLE,
    "yes": BOOL,
    "nothing": NULL,
    "list": list_of(DYN),
    "map": map_of(DYN),
}
DATA = {
    "any": 1,
    "text": "abc",
    "count": 7,
    "share": 1.5,
    "yes": True,
    "nothing": None,
    "list": [1, 2, 3],
    "map": {"a": 1, "b": 2},
}


def value_of(text: str) -> object:
    return compiled(text, NAMES).evaluate(lambda path: DATA[path[0]])


VALUES = [
    # literals
    ("1", 1),
    ("0xfF", 255),
    ("-9223372036854775808", -(2**63)),
    ("-0x8000000000000000", -(2**63)),
    ("00012", 12),
    ("1.5e+3", 1500.0),
    (".5", 0.5),
    ("2e1", 20.0),
    ("null", None),
    ("[1, 2,]", [1, 2]),
    ('{"a": 1, "b": "x",}', {"a": 1, "b": "x"}),
    ("[]", []),
    ("{}", {}),
    ("1 // a comment", 1),
    ("\n\t 1\r\n", 1),
    # strings
    (r'"a\n\t\\\"\'\`\?\a\b\f\r\v"', "a\n\t\\\"'`?\a\b\f\r\v"),
    (r"'\x41\X42\101\377\u00e4\U0001F600'", "ABAÿä😀"),
    (r'"\u0000x"', "\0x"),
    (r'r"\d+"', r"\d+"),
    (r"R'\'", "\\"),
    ('"""a "quoted"\nline"""', 'a "quoted"\nline'),
    ("'''a 'quoted'\n\\x41'''", "a 'quoted'\nA"),
    ('r"""\\d"""', "\\d"),
    ('""', ""),
    ('""""""', ""),
    # arithmetic
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("10 - 3 - 2", 5),
    ("7 / -2", -3),
    ("-7 / 2", -3),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("-count", -7),
    ("--count", 7),
    ("- -1", 1),
    ("2 - -1", 3),
    ("1.5 * 2.0", 3.0),
    ("-share", -1.5),
    ('text + "d"', "abcd"),
    ("list + [4]", [1, 2, 3, 4]),
    ("any + 1", 2),
    # comparison
    ("1 == 1.0", True),
    ("any == 1.0", True),
    ("1 != 2", True),
    ("1 < 1.5", True),
    ("9223372036854775807 == 9223372036854775807.0", False),
    ("9223372036854775807 < 9223372036854775808.0", True),
    ("any == 'a'", False),
    ("any == true", False),
    ("any == null", False),
    ("null == null", True),
    ("list == [1, 2.0, 3]", True),
    ("list == [1, 2]", False),
    ("list == [true, 2, 3]", False),
    ('map == {"b": 2, "a": 1}', True),
    ('map == {"b": 2, "c": 1}', False),
    ('map == {"b": 2, "a": 3}', False),
    ("[[1]] == [[1]]", True),
    ("0.0 / 0.0 == 0.0 / 0.0", False),
    ("[0.0 / 0.0] == [0.0 / 0.0]", False),
    ("0.0 / 0.0 < 1.0", False),
    ("1.0 / 0.0 > 9e300", True),
    ("-1.0 / 0.0 < -9e300", True),
    ("1.0 / -0.0 < 0.0", True),
    ('"a" < "b"', True),
    ('"Z" < "a"', True),
    ('"\\uffff" < "\\U00010000"', True),
    ("false < true", True),
    ("2 >= 2 && 2 <= 2", True),
    ("1 == 1 == true", True),
    # in
    ("2 in list", True),
    ("2.0 in list", True),
    ("true in list", False),
    ("'a' in ['b', 'a']", True),
    ("'a' in map", True),
    ("'z' in map", False),
    ("any in map", False),
    ("[1] in [[1]]", True),
    (f"'{'x' * 200}' in ['{'x' * 200}']", True),
    # logic
    ("!yes", False),
    ("!!yes", True),
    ("yes && !yes || yes", True),
    ("yes ? 1 : 2", 1),
    ("!yes ? 1 : !yes ? 2 : 3", 3),
    ("1 / 0 > 0 && false", False),
    ("false && 1 / 0 > 0", False),
    ("1 / 0 > 0 || true", True),
    ("any && false", False),
    ("any || true", True),
    ("yes ? 1 : 1 / 0", 1),
    # members and indices
    ("map.a", 1),
    ('map["b"]', 2),
    ("list[0]", 1),
    ("list[[1.0, 'a'][0]]", 2),
    ('{"a": {"b": [10, 20]}}.a.b[1]', 20),
    ("[1, 2][any]", 2),
    ('{"if": 1}.if', 1),
    ("has(map.a)", True),
    ("has(map.z)", False),
    ('has({"a": null}.a)', True),
    # macros
    ("list.map(x, x * 2)", [2, 4, 6]),
    ("list.map(x, x > 1, x * 2)", [4, 6]),
    ("list.filter(x, x > 1)", [2, 3]),
    ("list.all(x, x > 0)", True),
    ("list.all(x, x > 1)", False),
    ("list.exists(x, x == 2)", True),
    ("list.exists(x, x == 9)", False),
    ("list.exists_one(x, x > 2)", True),
    ("list.exists_one(x, x > 1)", False),
    ("[].all(x, false)", True),
    ("[].exists(x, true)", False),
    ("map.map(key, key)", ["a", "b"]),
    ("map.exists(key, map[key] == 2)", True),
    ("[1, 0, 2].exists(x, 4 / x == 2)", True),
    ("[0, 1].all(x, 4 / x == 8)", False),
    ("list.map(x, list.map(y, x * y))", [[1, 2, 3], [2, 4, 6], [3, 6, 9]]),
    ("list.map(x, [x].map(x, x + 1)[0] + x)", [3, 5, 7]),
    ("list.map(text, text)", [1, 2, 3]),
    # functions
    ("size('äö')", 2),
    ("'😀'.size()", 1),
    ("size(list) + map.size()", 5),
    ("string(1)", "1"),
    ("string(true)", "true"),
    ("string('a')", "a"),
    ("string(1.0)", "1"),
    ("string(0.1 + 0.2)", "0.30000000000000004"),
    ("string(123456.5)", "123456.5"),
    ("string(100000.0)", "100000"),
    ("string(1000000.0)", "1e+06"),
    ("string(123456789.125)", "1.23456789125e+08"),
    ("string(0.0001)", "0.0001"),
    ("string(0.00001)", "1e-05"),
    ("string(-0.0)", "-0"),
    ("string(1.0 / 0.0)", "inf"),
    ("string(0.0 / 0.0)", "nan"),
    ("string(0.0 / 0.0 / 0.0)", "nan"),
    ("int('-12')", -12),
    ("int('+12')", 12),
    ("int(' 12\\n')", 12),
    ("int('-9223372036854775808')", -(2**63)),
    ("int(1.9)", 1),
    ("int(-1.9)", -1),
    ("int(3)", 3),
    ("double('1.5')", 1.5),
    ("double('-1e3')", -1000.0),
    ("double(2)", 2.0),
    ("double(2.5)", 2.5),
    ("bool('true')", True),
    ("bool('f')", False),
    ("bool(yes)", True),
    ("'a,b,c'.split(',')", ["a", "b", "c"]),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("'a,b,c'.split(',', 1)", ["a,b,c"]),
    ("'a,b,c'.split(',', 0)", []),
    ("'a,b,c'.split(',', -1)", ["a", "b", "c"]),
    ("'abc'.split('')", ["a", "b", "c"]),
    ("'abc'.split('', 2)", ["a", "bc"]),
    ("''.split('')", [""]),
    ("''.split(',')", [""]),
    ("['a', 'b'].join('-')", "a-b"),
    ("['a', 'b'].join()", "ab"),
    ("[].join('-')", ""),
    ("'abab'.replace('b', 'XY')", "aXYaXY"),
    ("'abab'.replace('b', 'X', 1)", "aXab"),
    ("'abab'.replace('b', 'X', 0)", "abab"),
    ("'abab'.replace('b', 'X', -1)", "aXaX"),
    ("'abc'.replace('', '-')", "-a-b-c-"),
    ("'abc'.replace('', '-', 2)", "-a-bc"),
    ("'ÄÖa'.lowerAscii() + 'äB'.lowerAscii()", "ÄÖaäb"),
    ("'äöa'.upperAscii()", "äöA"),
    (r"' \t\u2003a b\u00a0\n'.trim()", "a b"),
    (r"'\u200ba\x1c'.trim()", "\u200ba\x1c"),
    ("text.contains('b') && text.startsWith('a') && text.endsWith('c')", True),
    ("text.contains('') && !text.contains('z')", True),
    ("text.matches('b')", True),
    ("matches(text, '^b')", False),
    (r"'2026-11-23'.matches(r'^\d{4}-\d\d-\d\d$')", True),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[text for text, _ in VALUES])
def test_an_expression_gives_this(text: str, value: object) -> None:
    assert repr(value_of(text)) == repr(value)


def test_a_string_is_handed_on_byte_by_byte() -> None:
    odd = "a\0b\ud800 ü\x1b[31m"
    lookup = {("t",): odd}.__getitem__
    for text in (
        "t",
        "t + ''",
        "[t][0]",
        "t.lowerAscii()",
        "t.replace('z', '')",
        "t.split('z')[0]",
    ):
        assert compiled(text, {"t": STRING}).evaluate(lookup) == odd


TYPES = [
    ("1", INT),
    ("1 + any", INT),
    ("any + any", DYN),
    ("any + [1]", list_of(DYN)),
    ("1.0 / share", DOUBLE),
    ("text", STRING),
    ("1 < 2", BOOL),
    ("null", NULL),
    ("[1, 2]", list_of(INT)),
    ("[1, 'a']", list_of(DYN)),
    ("[[1], []]", list_of(list_of(DYN))),
    ('{"a": 1.0}', map_of(DOUBLE)),
    ("list.map(x, text)", list_of(STRING)),
    ("[1].filter(x, x > 1)", list_of(INT)),
    ("map.filter(k, true)", list_of(STRING)),
    ("text.split(',')[0]", STRING),
    ("map.a.b", DYN),
    ("yes ? any : 1", DYN),
    ("yes ? [1] : [2]", list_of(INT)),
    ("size(any)", INT),
]


@pytest.mark.parametrize(("text", "type_"), TYPES, ids=[text for text, _ in TYPES])
def test_the_type_is_known_before(text: str, type_: Type) -> None:
    assert compiled(text, NAMES).type == type_


# --------------------------------------------------------------------------------------- records

WORLD = {
    "params": record({"date": STRING, "regions": list_of(DYN), "ratio": DOUBLE}),
    "steps": record(
        {"load": record({"phase": STRING, "outputs": record({"rows": INT, "meta": map_of(DYN)})})}
    ),
    "item": DYN,
}


def test_paths_are_what_is_read_each_once_in_order() -> None:
    text = "steps.load.outputs.rows > 0 && params.date != item.name && steps.load.outputs.rows < 9"
    assert compiled(text, WORLD).paths == (
        ("steps", "load", "outputs", "rows"),
        ("params", "date"),
        ("item",),
    )
    assert compiled("steps.load.outputs.meta.a.b", WORLD).paths == (
        ("steps", "load", "outputs", "meta"),
    )
    assert compiled("[1].map(item, item)", WORLD).paths == ()


def test_what_is_not_needed_is_not_asked_for() -> None:
    asked = []

    def lookup(path: tuple[str, ...]) -> object:
        asked.append(path)
        return "Failed"

    text = 'steps.load.phase == "Succeeded" && steps.load.outputs.rows > 0'
    assert compiled(text, WORLD).evaluate(lookup) is False
    assert asked == [("steps", "load", "phase")]


def test_a_path_is_asked_for_once() -> None:
    asked = []

    def lookup(path: tuple[str, ...]) -> object:
        asked.append(path)
        return [1, 2, 3]

    text = "params.regions.all(x, x in params.regions)"
    assert compiled(text, WORLD).evaluate(lookup) is True
    assert asked == [("params", "regions")]


def test_an_integer_is_a_double_where_one_is_declared() -> None:
    value = compiled("params.ratio", WORLD).evaluate(lambda path: 3)
    assert isinstance(value, float)
    assert value == 3


def test_infinity_is_no_result_but_may_be_compared() -> None:
    with pytest.raises(EvaluationFailed, match="not finite"):
        value_of("[1.0 / 0.0]")
    assert value_of("1.0 / 0.0 == double('inf')") is True
