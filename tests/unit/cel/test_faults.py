"""What is wrong with a text, where, and what to write instead."""

import time

import pytest

from controller.cel.program import ExpressionFault
from controller.cel.program import compile as compiled
from controller.cel.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    STRING,
    list_of,
    map_of,
    record,
    unavailable,
)

NAMES = {
    "any": DYN,
    "text": STRING,
    "count": INT,
    "share": DOUBLE,
    "yes": BOOL,
    "list": list_of(INT),
    "map": map_of(INT),
    "params": record({"date": STRING, "max_rows": INT}),
    "steps": record(
        {
            "sign_off": record({"phase": STRING}),
            "sign": record({"phase": STRING}),
            "load_all": record({"phase": STRING}),
            "extract": record({"outputs": record({"rows": INT}), "phase": STRING}),
            "report": unavailable("load does not depend on report", "add it to dependsOn"),
            "empty": record({}),
        }
    ),
}

FUNCTIONS = (
    "the functions are size, string, int, double, bool, contains, startsWith, endsWith, "
    "lowerAscii, upperAscii, trim, replace, split, join, matches, map, filter, all, exists, "
    "exists_one, has"
)

# The text, with » before the place of the fault; the problem; the hint.
FAULTS = [
    # characters and literals
    ("»", "the expression is empty", ""),
    ("»  // nothing", "the expression is empty", ""),
    ("count »= 1", "unexpected character =", "to compare, write =="),
    ("yes »& yes", "unexpected character &", "for and, write &&"),
    ("yes »| yes", "unexpected character |", "for or, write ||"),
    (
        "»${{ count }}",
        "unexpected character $",
        "inside ${{ }} names stand by themselves: params.date",
    ),
    ("text == »“a”", "unexpected character “", 'write straight quotes: "text"'),
    ("»é", "unexpected character é", ""),
    ("1 + »\x1b", "unexpected character U+001B", ""),
    (
        "»'a",
        "the string has no end",
        "a string ends with the same quote, on the same line; a ' in it is written \\'",
    ),
    (
        '»"a\nb"',
        "the string has no end",
        'a string ends with the same quote, on the same line; a " in it is written \\"',
    ),
    (r"'a»\q'", r"\q is no escape", 'write \\\\ for one \\, or a string with r before it: r"\\d+"'),
    (r"'»\ud800'", "no character has this number", ""),
    (r"'»\UFFFFFFFF'", "no character has this number", ""),
    ("»9223372036854775808", "an integer is at most 9223372036854775807", ""),
    (
        "»9223372036854775809",
        "an integer is at most 9223372036854775807",
        "with a point it is a double: 1e20",
    ),
    (
        "»0x8000000000000001",
        "an integer is at most 9223372036854775807",
        "with a point it is a double: 1e20",
    ),
    (
        "»" + "9" * 5000,
        "an integer is at most 9223372036854775807",
        "with a point it is a double: 1e20",
    ),
    ("12»abc", 'a number is followed by "a"', "write an operator between them"),
    # what is left out
    ("1»u", "unsigned integers (1u) are not supported", "remove the u"),
    ("»b'abc'", 'bytes (b"…") are not supported', "write a string, without the b"),
    ("»timestamp('2026-11-23')", "the function timestamp is not supported", ""),
    ("»type(1)", "the function type is not supported", ""),
    ("text.»format([])", "the function format is not supported", ""),
    ("»math.greatest(1, 2)", "functions of math are not supported", ""),
    (
        "any.»?a",
        'unexpected "?"',
        "optional values (.? and [?) are not supported; ask has(x.field) first",
    ),
    (
        "any[»?'a']",
        'unexpected "?"',
        "optional values (.? and [?) are not supported; ask has(x.field) first",
    ),
    (
        "Foo»{a: 1}",
        'unexpected "{"',
        'messages (Name{field: value}) are not supported; a map has quotes: {"a": 1}',
    ),
    ("»if", '"if" is a reserved word of the language', "write condition ? this : that"),
    ("»package", '"package" is a reserved word of the language', ""),
    ("».count", "a name does not begin with a point", "remove the point"),
    ("map.»`a`", "unexpected character `", 'a "-" in a name is written "_"'),
    # syntax
    ("1 +»", "the expression ends too early", ""),
    ("(1»", 'the expression ends too early: ")" is missing', ""),
    ("(1 »2)", "unexpected number", '")" is missing'),
    ("[1 »2]", "unexpected number", '"," or "]" is missing'),
    ("{'a' »1}", "unexpected number", '":" is missing'),
    ("size(list,»)", 'unexpected ")"', ""),
    ("1 »)", 'unexpected ")"', ""),
    ("»in list", 'unexpected "in"', ""),
    ("map.»in", '"in" can\'t be the name of a field', 'of a map, write ["in"]'),
    ("map.»", "the expression ends too early: a name is missing after the point", ""),
    ("yes »and yes", 'unexpected "and"', "for and, write &&"),
    ("not »yes", 'unexpected "yes"', "for not, write !"),
    # names
    ("»cuont > 1", "unknown name: cuont", 'did you mean "count"?'),
    ("params.»dat", "params has no field dat", 'did you mean "date"?'),
    ("params.»x", "params has no field x", "params has date, max_rows"),
    ("steps.empty.»x", "steps.empty has no field x", ""),
    (
        "steps.extract.outputs.»row",
        "steps.extract.outputs has no field row",
        'did you mean "rows"?',
    ),
    (
        "steps.»load-all.phase",
        "steps has no field load",
        'a "-" in a name is written "_": load_all',
    ),
    (
        "steps.»sign-off.phase",
        "steps.sign is no value by itself",
        'a "-" in a name is written "_": sign_off',
    ),
    ("params.»max-rows > 1", "params has no field max", 'a "-" in a name is written "_": max_rows'),
    ("params.»max_row-1", "params has no field max_row", 'did you mean "max_rows"?'),
    ("params.»x-1", "params has no field x", "params has date, max_rows"),
    ("steps.»load-al.phase", "steps has no field load", 'did you mean "load_all"?'),
    ("count-»off > 1", "unknown name: off", 'a "-" in a name is written "_": count_off'),
    ("»size", "unknown name: size", "write size(x)"),
    ("has(params.»dat)", "params has no field dat", 'did you mean "date"?'),
    ("steps.»report.phase", "load does not depend on report", "add it to dependsOn"),
    ("has(steps.»report.phase)", "load does not depend on report", "add it to dependsOn"),
    # records
    ("»params == 1", "params is no value by itself", "name a field: params.date, params.max_rows"),
    (
        "steps.»extract",
        "steps.extract is no value by itself",
        "name a field: steps.extract.outputs, steps.extract.phase",
    ),
    (
        "»params.map(x, x)",
        "params is no value by itself",
        "name a field: params.date, params.max_rows",
    ),
    ("[»params]", "params is no value by itself", "name a field: params.date, params.max_rows"),
    ("has(steps.»extract)", "has asks for a value, and steps.extract is none", ""),
    (
        "steps»['sign-off'].phase",
        "the fields of steps are read with a point",
        "write steps.sign_off",
    ),
    ("params»[text]", "the fields of params are read with a point", "write params.name"),
    # operators
    (
        "'a' »> 1",
        "> can't take a string and an integer",
        "write int(x) or double(x) around the string, or string(x) around the number",
    ),
    (
        "text »== 1",
        "a string is never equal to an integer",
        "write int(x) or double(x) around the string, or string(x) around the number",
    ),
    (
        "text »== true",
        "a string is never equal to a boolean",
        "write the boolean without quotes: true, false",
    ),
    (
        "count »== null",
        "an integer is never equal to null",
        "whether a value is there: has(x.field)",
    ),
    ("list »== ['a']", "a list of integers is never equal to a list of strings", ""),
    ("list »< list", "< can't take a list of integers and a list of integers", ""),
    ("1 < 2 »< 3", "< can't take a boolean and an integer", ""),
    (
        "count »+ share",
        "+ can't take an integer and a double",
        "write double(x) around the integer",
    ),
    ("text »+ 1", "+ can't take a string and an integer", "write string(x) around the other one"),
    (
        "list »+ 1",
        "+ can't take a list of integers and an integer",
        "to add one element, write list + [x]",
    ),
    (
        "text »* 2",
        "* can't take a string and an integer",
        "write int(x) or double(x) around the string",
    ),
    (
        "share »% 2.0",
        "% can't take a double and a double",
        "% takes two integers; write int(x) around a double",
    ),
    ("map »+ map", "+ can't take a map and a map", ""),
    ("»-text", "- can't take a string", ""),
    ("»!count", "! takes a boolean, not an integer", "compare it: != 0"),
    ("»text && yes", "&& takes a boolean, not a string", 'compare it: == "text", or != ""'),
    ("yes || »list", "|| takes a boolean, not a list of integers", "ask for its size: size(x) > 0"),
    ("»count ? 1 : 2", "? takes a boolean, not an integer", "compare it: != 0"),
    (
        "yes »? 1 : 'a'",
        "? gives an integer or a string; both must be of one type",
        "write string(x) around the other one",
    ),
    ("yes »? 'a' : null", "? gives a string or null; both must be of one type", ""),
    (
        "yes »? 1 : 1.5",
        "? gives an integer or a double; both must be of one type",
        "write double(x) around the integer",
    ),
    (
        "'b' »in text",
        "in takes a list or a map on its right side, not a string",
        'for a part of a string write text.contains("part")',
    ),
    ("'b' »in list", "a string is never in a list of integers", ""),
    ("1 »in map", "an integer is never in a map, whose keys are strings", ""),
    ("{»1: 2}", "a key of a map is a string, not an integer", "write it in quotes"),
    ("list»['a']", "the index of a list of integers is a number from 0, not a string", ""),
    ("map»[1]", "the index of a map is a string, not an integer", ""),
    ("text»[0]", "a string has no elements that could be read with [ ]", ""),
    ("text.»size", "a string has no field size", "a function is called with brackets: size(x)"),
    (
        "list.»first",
        "a list of integers has no field first",
        "an element of a list is read by its number: [0]",
    ),
    ("count.»x", "an integer has no field x", ""),
    # functions and macros
    ("text.»contain('a')", "unknown function: contain", 'did you mean "contains"?'),
    ("list.all(x, x.»foo())", "unknown function: foo", FUNCTIONS),
    ("»txt.foo()", "unknown name: txt", 'did you mean "text"?'),
    ("»params.foo()", "params is no value by itself", "name a field: params.date, params.max_rows"),
    ("»len(text)", "unknown function: len", "write size(x)"),
    ("»contains(text, 'a')", "contains is not called like this", 'write text.contains("part")'),
    ("count.»string()", "string is not called like this", "write string(x)"),
    ("text.»contains()", "contains takes 1 argument", 'write text.contains("part")'),
    ("text.»replace('a')", "replace takes 2 or 3 arguments", 'write text.replace("old", "new")'),
    ("»size()", "size takes 1 argument", "write size(x)"),
    ("text.»trim(1)", "trim takes no arguments", "write text.trim()"),
    ("text.»contains(1)", "contains takes a string, not an integer", "write string(x) around it"),
    (
        "count.»contains('1')",
        "contains takes a string, not an integer",
        "write string(x) around it",
    ),
    ("»size(1)", "size takes a string, a list or a map, not an integer", ""),
    ("list.»join()", "join takes a list of strings, not a list of integers", ""),
    ("text.matches(»'(')", '"(" is no regular expression: missing ): (', ""),
    ("text.matches(»'(?=a)')", '"(?=a)" is no regular expression: invalid perl operator: (?=', ""),
    ("list.»map(x)", "map takes a variable and an expression", "write list.map(x, x + 1)"),
    ("list.»all(k, v, true)", "all takes a variable and an expression", "write list.all(x, x > 1)"),
    ("list.map(»1, 1)", "map takes the name of a variable first", ""),
    ("list.filter(x, »x)", "filter takes a boolean, not an integer", "compare it: != 0"),
    ("text.»all(c, true)", "all goes through a list or a map, not a string", ""),
    ("»map(list, x)", "unknown function: map", "write list.map(x, x > 1)"),
    ("»has(map)", "has takes one field", 'write has(x.field); whether a map has a key: "key" in x'),
    (
        "»has(map['a'])",
        "has takes one field",
        'write has(x.field); whether a map has a key: "key" in x',
    ),
    ("has(text.»a)", "a string has no field a", ""),
]


@pytest.mark.parametrize(("text", "problem", "hint"), FAULTS, ids=[each[0][:40] for each in FAULTS])
def test_a_fault_says_what_where_and_what_instead(text: str, problem: str, hint: str) -> None:
    offset = text.index("»")
    with pytest.raises(ExpressionFault) as raised:
        compiled(text.replace("»", ""), NAMES)
    fault = raised.value
    assert (fault.offset, fault.problem, fault.hint) == (offset, problem, hint)


@pytest.mark.parametrize("text", ["{}", "params.{}", "{}()", "text.{}()", "text.{}", "1 {}"])
def test_a_message_is_short(text: str) -> None:
    with pytest.raises(ExpressionFault) as raised:
        compiled(text.format("x" * 9_000), NAMES)
    assert len(raised.value.problem) < 100


def test_a_fault_among_very_many_names_is_found_fast() -> None:
    many = record({f"extract_{number}_daily": INT for number in range(10_000)} | {"load": INT})
    began = time.process_time()
    for _ in range(20):
        with pytest.raises(ExpressionFault) as raised:
            compiled("steps.laod", {"steps": many})
    assert raised.value.hint == 'did you mean "load"?'
    assert time.process_time() - began < 1
