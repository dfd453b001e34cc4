"""Random expressions, mostly well typed, the data that they read, and texts that are damaged.

Everything is drawn from one `Random`: a seed makes the same again, and Hypothesis, which has a
`Random` of its own, makes smaller ones of what fails.
"""

import re
from collections.abc import Callable
from random import Random

from controller.cel.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    STRING,
    Kind,
    Type,
    list_of,
    map_of,
)

NAMES: dict[str, Type] = {
    "d": DYN,
    "e": DYN,
    "s": STRING,
    "t": STRING,
    "i": INT,
    "j": INT,
    "f": DOUBLE,
    "b": BOOL,
    "l": list_of(DYN),
    "li": list_of(INT),
    "ls": list_of(STRING),
    "m": map_of(DYN),
}
KINDS: tuple[Kind, ...] = ("string", "int", "double", "bool", "null", "list", "map")
_INTEGERS = (0, 1, 2, 3, 5, 7, 10, 100, 2**31, 2**53 + 1, 2**62, 2**63 - 1)
_SMALL, _SHARES = (-3, 0, 1, 2, 5, 2**31), (-1e300, 0.0, 0.5, 1.0, 2.0, 1e15)
_DOUBLES = (0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 3.0, 100.0, 99999.5, 1e6, 123456.789, 1e-5, 1e15, 1e19)
_DOUBLES += (1e308, 9.2e18, 2.0**53, 2.0**63, 5e-324)
_STRINGS = ("", "a", "b", "ab", "abc", "a,b,,c", "B", "ä", "😀", "äb😀", " a ", "\ta\n", "aaa")
_STRINGS += ("1", "-2", "+3", " 4", "1.5", "1e3", ".5", "true", "F", "0", "a.c", "[a-b]+", "^a|c$")
_STRINGS += (
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "é",
    "ﬀ",
    "\uffff",
)
_STRINGS += ('"', "'", "\\", "(", "x" * 70, "a" * 150)
_INDICES = ("0", "'a'", "i", "s", "d")
_KEYS = ("a", "b", "ä", "c d")


class Writer:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.variables: list[str] = []  # of the macros around

    # ------------------------------------------------------------------------------------- data

    def data(self, text: str) -> dict[str, object]:
        """A value for each name that the text may read."""
        words = set(re.findall(r"\w+", text))
        return {name: self.of_type(type_) for name, type_ in NAMES.items() if name in words}

    def of_type(self, type_: Type, depth: int = 2) -> object:
        kind = type_.kind
        if kind == "dyn":
            kind = self.random.choice(KINDS if depth else KINDS[:5])
            if kind in ("int", "double"):
                # Larger numbers of both types are not compared exactly there.
                return self.random.choice(_SMALL if kind == "int" else _SHARES)
        if kind == "list":
            several = range(self.random.randrange(4))
            return [self.of_type(type_.item or DYN, depth - 1) for _ in several]
        if kind == "map":
            # At most one: the order of more is not defined.
            few = self.random.sample(_KEYS, self.random.randrange(2))
            return {key: self.of_type(DYN, depth - 1) for key in few}
        return self.scalar(kind)

    def scalar(self, kind: Kind) -> object:
        pick, sign = self.random.choice, self.random.choice((1, 1, -1))
        if kind == "int":
            return sign * pick(_INTEGERS)
        if kind == "double":
            return sign * pick(_DOUBLES)
        return {"string": pick(_STRINGS), "bool": pick((True, False)), "null": None}[kind]

    # ------------------------------------------------------------------------------ expressions

    def expression(self, depth: int = 4) -> str:
        return self.of_kind(self.random.choice(KINDS), depth)

    def of_kind(self, kind: Kind, depth: int) -> str:
        """An expression of this kind; now and then of unknown type, or of another kind."""
        luck = self.random.randrange(40)
        if luck == 0:
            kind = self.random.choice(KINDS)
        elif luck < 6:
            return self.unknown(depth)
        if depth <= 0:
            return self.leaf(kind)
        ways = _WAYS[kind]
        return self.random.choice(ways)(self, depth - 1)

    def leaf(self, kind: Kind) -> str:
        known = [name for name, type_ in NAMES.items() if type_.kind == kind]
        if known and self.random.randrange(2):
            return self.random.choice(known)
        return self.literal(kind)

    def literal(self, kind: Kind) -> str:
        if kind == "list":
            item = self.random.choice(KINDS)
            return f"[{', '.join(self.literal(item) for _ in range(self.random.randrange(3)))}]"
        if kind == "map":
            few = self.random.sample(_KEYS, self.random.randrange(2))
            return "{" + ", ".join(f"{self.quoted(key)}: {self.leaf('int')}" for key in few) + "}"
        value = self.scalar(kind)
        if isinstance(value, str):
            return self.quoted(value)
        if isinstance(value, bool) or value is None:
            return {True: "true", False: "false", None: "null"}[value]
        if isinstance(value, int) and self.random.randrange(8) == 0:
            return hex(value)
        return repr(value)

    def quoted(self, value: str) -> str:
        quote = self.random.choice(("'", '"', "'''", '"""', "r"))
        if quote == "r":
            plain = not {"'", "\n"} & set(value) and value[-1:] != "\\"
            return f"r'{value}'" if plain else self.quoted(value)
        escape = {
            "\\": r"\\",
            quote[0]: rf"\{quote[0]}",
            "\n": r"\n",
            "\t": r"\x09",
            "ä": r"\u00e4",
        }
        escape["😀"] = self.random.choice(("😀", r"\U0001f600"))
        return quote + "".join(escape.get(character, character) for character in value) + quote

    def key(self, depth: int) -> str:
        """A string, whatever comes: other keys are refused here, and not there."""
        return self.random.choice((self.quoted("a"), f"string({self.of_kind('int', depth)})"))

    def unknown(self, depth: int) -> str:
        """An expression whose type is not known before."""
        names = ["d", "e", "l[0]", "m.a", 'm["b"]', *self.variables, *self.variables]
        if depth > 0 and self.random.randrange(3) == 0:
            return self.random.choice(
                (
                    f"[d, {self.expression(depth - 1)}][{self.of_kind('int', 0)}]",
                    f"{self.unknown(depth - 1)}.a",
                    f"{self.unknown(depth - 1)}[{self.random.choice(_INDICES)}]",
                    f"(b ? d : {self.expression(depth - 1)})",
                    f"({self.unknown(depth - 1)} + {self.unknown(depth - 1)})",
                    f"-{self.unknown(depth - 1)}",
                )
            )
        return self.random.choice(names)

    def macro(self, name: str, kind: Kind, depth: int, second: Kind | None = None) -> str:
        """`target.name(variable, body)`, with a body of this kind."""
        target = self.of_kind(self.random.choice(("list", "list", "map")), depth)
        self.variables.append(self.random.choice("xyzs"))
        bodies = [self.of_kind(each, depth) for each in (kind, second) if each]
        variable = self.variables.pop()
        return f"({target}).{name}({variable}, {', '.join(bodies)})"


Way = Callable[[Writer, int], str]


def _written(form: str, *kinds: Kind) -> Way:
    """The form, with an expression of each kind in its places."""
    return lambda writer, depth: form.format(*(writer.of_kind(kind, depth) for kind in kinds))


def _same(form: str) -> Way:
    """The form, with two expressions of one kind."""

    def way(writer: Writer, depth: int) -> str:
        kind = writer.random.choice(KINDS)
        return form.format(writer.of_kind(kind, depth), writer.of_kind(kind, depth))

    return way


def _of_any(form: str) -> Way:
    return lambda writer, depth: form.format(writer.expression(depth))


def _both(form: str, *kinds: Kind) -> list[Way]:
    return [_written(form, kind, kind) for kind in kinds]


def _chosen(kind: Kind) -> Way:
    return _written("({0} ? {1} : {2})", "bool", kind, kind)


def _leaf(kind: Kind) -> Way:
    return lambda writer, depth: writer.leaf(kind)


def _macro(name: str, kind: Kind, second: Kind | None = None) -> Way:
    return lambda writer, depth: writer.macro(name, kind, depth - 1, second)


_WAYS: dict[Kind, list[Way]] = {
    "int": [
        *(_written(f"({{0}} {operator} {{1}})", "int", "int") for operator in "+-*/%"),
        _written("{0} - {1} * {2}", "int", "int", "int"),
        _written("-({0})", "int"),
        _written("size({0})", "string"),
        _written("({0}).size()", "list"),
        _written("size({0})", "map"),
        # A boolean there can be made an integer when its type was not known.
        _written("int(string({0}))", "string"),
        _written("int(double({0}))", "int"),
        _leaf("int"),
        _chosen("int"),
        _written("li[{0}]", "int"),
    ],
    "double": [
        *(_written(f"({{0}} {operator} {{1}})", "double", "double") for operator in "+-*/"),
        _written("-({0})", "double"),
        _written("double({0})", "string"),
        _written("double({0})", "int"),
        _leaf("double"),
        _chosen("double"),
    ],
    "string": [
        _written("({0} + {1})", "string", "string"),
        _written("string({0})", "int"),
        # Not of any double: what is no number has a sign there.
        lambda writer, depth: f"string({writer.leaf('double')} * {writer.leaf('double')})",
        _written("string({0})", "bool"),
        _written("string({0})", "string"),
        _written("({0}).replace({1}, {2})", "string", "string", "string"),
        _written("({0}).replace({1}, {2}, {3})", "string", "string", "string", "int"),
        _written("({0}).lowerAscii()", "string"),
        _written("({0}).upperAscii()", "string"),
        _written("({0}).trim()", "string"),
        _written("({0}).split({1}).join({2})", "string", "string", "string"),
        _written("ls.join({0})", "string"),
        _written("({0}).join()", "list"),
        _written("ls[{0}]", "int"),
        _leaf("string"),
        _chosen("string"),
    ],
    "bool": [
        *(_same(f"({{0}} {operator} {{1}})") for operator in ("==", "!=", "==", "!=")),
        *(
            _written(f"({{0}} {operator} {{1}})", kind, kind)
            for operator in ("<", "<=", ">", ">=")
            for kind in ("int", "double", "string", "bool")
        ),
        *(_written(f"({{0}} {operator} {{1}})", "bool", "bool") for operator in ("&&", "||") * 4),
        _written("{0} && {1} || {2}", "bool", "bool", "bool"),
        _written("!({0})", "bool"),
        _written("({0} in {1})", "string", "list"),
        _written("({0} in {1})", "string", "map"),
        _of_any("({0} in l)"),
        _written("({0}).contains({1})", "string", "string"),
        _written("({0}).startsWith({1})", "string", "string"),
        _written("({0}).endsWith({1})", "string", "string"),
        _written("({0}).matches({1})", "string", "string"),
        _written("matches({0}, {1})", "string", "string"),
        _written("bool({0})", "string"),
        _written("has(({0}).a)", "map"),
        lambda writer, depth: f"has({writer.unknown(depth)}.a)",
        *(_macro(name, "bool") for name in ("all", "exists", "exists_one") * 2),
        _leaf("bool"),
        _chosen("bool"),
    ],
    "null": [_leaf("null"), _leaf("null"), _chosen("null")],
    "list": [
        lambda writer, depth: f"[{writer.expression(depth)}, {writer.expression(depth)}]",
        _of_any("[{0}]"),
        _written("({0} + {1})", "list", "list"),
        _written("({0}).split({1})", "string", "string"),
        _written("({0}).split({1}, {2})", "string", "string", "int"),
        *(_macro("map", kind) for kind in KINDS),
        _macro("map", "bool", "int"),
        _macro("filter", "bool"),
        _leaf("list"),
        _chosen("list"),
    ],
    "map": [
        lambda writer, depth: f"{{{writer.key(depth)}: {writer.expression(depth)}}}",
        _leaf("map"),
        _chosen("map"),
    ],
}

# ------------------------------------------------------------------------------------------ damage

_PIECES = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    ":",
    "?",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "&&",
    "||",
]
_PIECES += [
    "==",
    "<",
    "in",
    "'",
    '"',
    '"""',
    "\\",
    "r'",
    "b'",
    "\\u",
    "\\xZ",
    "0x",
    "1e",
    "1e999",
    "9" * 30,
]
_PIECES += [
    "has(",
    ".map(",
    ".all(x,",
    "size(",
    "null",
    "true",
    "d",
    "m",
    "l",
    "x",
    "//",
    "\n",
    "\0",
]
_PIECES += [
    "é",
    "\ud800",
    "\U0010ffff",
    "`",
    "$",
    "${{",
    "}}",
    "=",
    "&",
    "_",
    " ",
    "((((((((",
    "[" * 60,
]


def damaged(random: Random, text: str) -> str:
    """The text with some parts removed, repeated, or replaced by others."""
    for _ in range(random.randrange(1, 4)):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.randrange(6))
        middle = random.choice((random.choice(_PIECES), "", text[start:end] * 2, text[end:]))
        text = text[:start] + middle + text[end:]
    return text


def noise(random: Random) -> str:
    """Any pieces."""
    return "".join(random.choice(_PIECES) for _ in range(random.randrange(30)))
