"""What is read of the places that an environment names, and what is said when it can't be."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.executor import secrets
from controller.executor.secrets import (
    ENV_BYTES_MAX,
    FILE_BYTES_MAX,
    CannotPrepare,
)
from controller.executor.shim.spawn import NotNow
from controller.loop.ports import AsFile, EnvFile, EnvRefs, FromEnv, FromFile
from controller.spec.values import WORD_BYTES_MAX

SECRET = "hunter2"  # in no message


def resolve(layers: Iterable[EnvFile | EnvRefs]) -> dict[str, str]:
    return secrets.resolve(layers, lambda name, text: f"/{name}/{text}")


def refused(*layers: EnvFile | EnvRefs) -> tuple[str, str]:
    with pytest.raises(CannotPrepare) as caught:
        resolve(layers)
    assert SECRET not in str(caught.value)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        pytest.param(b"abc\n\n", "abc\n", id="one newline alone is dropped"),
        pytest.param(b"abc\r", "abc\r", id="a carriage return alone is no newline"),
        pytest.param(b"a\nb\n", "a\nb", id="lines"),
        (b"", ""),
        (b"\n", ""),
        pytest.param(b" 'a' \n", " 'a' ", id="blanks and quotes stay"),
        pytest.param(b"\xff\xe9", "\udcff\udce9", id="no UTF-8"),
        ("é€\n".encode(), "é€"),
        pytest.param(b"x" * WORD_BYTES_MAX + b"\r\n", "x" * WORD_BYTES_MAX, id="100 KiB"),
        pytest.param(b"\xff" * WORD_BYTES_MAX, "\udcff" * WORD_BYTES_MAX, id="100 KiB, no UTF-8"),
    ],
)
def test_the_content_of_a_file(tmp_path: Path, content: bytes, value: str) -> None:
    (tmp_path / "file").write_bytes(content)
    assert resolve([EnvRefs({"A": FromFile(str(tmp_path / "file"))})]) == {"A": value}


@pytest.mark.parametrize("value", [b"abc", b"", b"a\n", b"\xff\xe9", "é".encode()])
def test_a_variable_of_the_controller_is_taken_as_it_is(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environb, b"SOURCE", value)
    found = resolve([EnvRefs({"A": FromEnv("SOURCE")})])
    assert found["A"].encode(errors="surrogateescape") == value


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("A=b", {"A": "b"}),
        ("A=", {"A": ""}),
        ("A=b=c", {"A": "b=c"}),
        ("export A=b", {"A": "b"}),
        ("  export\t A=b", {"A": "b"}),
        ("export=b", {"export": "b"}),
        ("  A=b", {"A": "b"}),
        ("A= b ", {"A": " b "}),
        ("A.b-C_1=x", {"A.b-C_1": "x"}),
        ("A=b\r", {"A": "b"}),
        ("A=b\r\r", {"A": "b\r"}),
        ('A="b c"', {"A": "b c"}),
        ("A='b c'", {"A": "b c"}),
        ("A='b c'\r", {"A": "b c"}),
        ("A=\"b'", {"A": "\"b'"}),
        ('A="b', {"A": '"b'}),
        ('A="', {"A": '"'}),
        ('A=""', {"A": ""}),
        ('A=""b""', {"A": '"b"'}),
        ('A="b" ', {"A": '"b" '}),
        ("A=a # b", {"A": "a # b"}),
        ("A=$HOME ${B} $(date) `date` \\n", {"A": "$HOME ${B} $(date) `date` \\n"}),
        ("A=\udcff", {"A": "\udcff"}),
        ("\ufeffA=b", {"A": "b"}),
        ("", {}),
        ("  \t", {}),
        ("\r", {}),
        ("# A=b", {}),
        ("  #", {}),
        ("A=1\nB=2\n\n# c\nA=3\n", {"A": "3", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=" + "x" * WORD_BYTES_MAX, {"A": "x" * WORD_BYTES_MAX}),
        ("#" + "x" * (FILE_BYTES_MAX - 1), {}),
    ],
)
def test_the_lines_of_a_file(tmp_path: Path, line: str, found: dict[str, str]) -> None:
    (tmp_path / "file").write_bytes(line.encode(errors="surrogateescape"))
    assert resolve([EnvFile(str(tmp_path / "file"))]) == found


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"A=b\n{SECRET}\n", "file:2: not KEY=VALUE"),
        (f"={SECRET}", "file:1: not KEY=VALUE"),
        (f"A ={SECRET}", "file:1: not KEY=VALUE"),
        (f"1A={SECRET}", "file:1: not KEY=VALUE"),
        (f"é={SECRET}", "file:1: not KEY=VALUE"),
        (f"export export A={SECRET}", "file:1: not KEY=VALUE"),
        (f"A: {SECRET}", "file:1: not KEY=VALUE"),
        (f"\n\nA={SECRET}\0", "file:3: a NUL byte"),
        (f"{SECRET}\0=1", "file:1: not KEY=VALUE"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "file").write_text(content)
    reason, said = refused(EnvFile(str(tmp_path / "file"), optional=True))
    assert reason == "SecretMissing" and problem in said


def test_later_layers_win() -> None:
    layers = [EnvRefs({"A": "1", "B": "1"}), EnvRefs({"B": "2", "C": "2"}), EnvRefs({"C": "3"})]
    assert resolve(layers) == {"A": "1", "B": "2", "C": "3"}
    texts = [EnvRefs({"A": AsFile("1"), "B": AsFile("1")}), EnvRefs({"B": "2"})]
    assert resolve(texts) == {"A": "/A/1", "B": "2"}
    assert resolve([]) == {}


def test_an_optional_file_may_be_missing_and_no_other(tmp_path: Path) -> None:
    path = str(tmp_path / "no.env")
    assert resolve([EnvFile(path, optional=True), EnvRefs({"A": "1"})]) == {"A": "1"}
    assert refused(EnvFile(path)) == (
        "SecretMissing",
        f"envFrom: no file {path}; if it may be missing, write optional: true",
    )


def test_what_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    assert refused(EnvRefs({"A": FromEnv("NOT_SET")})) == (
        "SecretMissing",
        "A: NOT_SET is not set in the environment of the controller; set it, then start the "
        "controller again",
    )
    assert refused(EnvRefs({"A": FromFile(f"{tmp_path}/no")})) == (
        "SecretMissing",
        f"A: no file {tmp_path}/no",
    )
    for strange in ("", "A=B", "A\0B", "\ud800"):
        assert refused(EnvRefs({"A": FromEnv(strange)}))[0] == "SecretMissing"
    for strange in ("/a\0b", "/\ud800"):
        assert "is not a path" in refused(EnvRefs({"A": FromFile(strange)}))[1]
        refused(EnvFile(strange, optional=True))[1].encode()  # or the log could not take it


def test_a_nul_byte_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(f"{SECRET}\0")
    reason, problem = refused(EnvRefs({"A": FromFile(str(tmp_path / "file"))}))
    assert reason == "SecretMissing" and "has a NUL byte" in problem


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("made", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_and_not_waited_for(
    tmp_path: Path, made: object, optional: bool
) -> None:
    path = str(tmp_path / "file")
    made(path)  # type: ignore[operator]
    began = time.monotonic()
    assert refused(EnvRefs({"A": FromFile(path)}))[0] == "SecretMissing"
    assert refused(EnvFile(path, optional))[0] == "SecretMissing"
    assert time.monotonic() - began < 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(SECRET)
    (tmp_path / "file").chmod(0)
    _, problem = refused(EnvRefs({"A": FromFile(str(tmp_path / "file"))}))
    assert "Permission denied" in problem


@pytest.mark.parametrize("over", [1, 2, 3, 1000, 10_000_000])
def test_one_byte_too_many(tmp_path: Path, over: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "file")
    Path(path).write_bytes(b"x" * (WORD_BYTES_MAX + over))
    plain = "é" * (WORD_BYTES_MAX // 2) + "x" * over
    monkeypatch.setenv("SOURCE", plain[:-over] + "x" * min(over, 1000))
    for ref in (FromFile(path), FromEnv("SOURCE"), plain):
        reason, problem = refused(EnvRefs({"A": ref}))
        assert reason == "ValueTooLarge"
        assert problem == "A: over 100 KiB, too large for a variable; pass the path of a file"


def test_a_file_of_variables_has_limits_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("\nA=" + "x" * (WORD_BYTES_MAX + 1))
    reason, problem = refused(EnvFile(str(path)))
    assert reason == "ValueTooLarge" and f"{path}:2: over 100 KiB" in problem
    path.write_text("#" * (FILE_BYTES_MAX + 1))
    assert refused(EnvFile(str(path))) == ("ValueTooLarge", f"envFrom: {path} is over 1 MiB")


def test_all_of_it_has_a_limit() -> None:
    value = "x" * WORD_BYTES_MAX
    most = ENV_BYTES_MAX // WORD_BYTES_MAX
    assert len(resolve([EnvRefs({f"A{n}": value for n in range(most)})])) == most
    reason, problem = refused(EnvRefs({f"A{n}": value for n in range(most + 1)}))
    assert reason == "ValueTooLarge" and "its variables are over 6 MiB" in problem


def test_out_of_descriptors_it_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()

    def none_left(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(NotNow):
        resolve([EnvFile(str(tmp_path / "file"))])


@given(content=st.binary(max_size=200))
def test_no_file_breaks_it_and_no_message_shows_it(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content + b"\n" + SECRET.encode())  # the last line is always bad
    reason, problem = refused(EnvFile(str(path)))
    assert reason == "SecretMissing"
    problem.encode()


@given(
    values=st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,9}", fullmatch=True),
        st.binary(max_size=50).filter(lambda value: not set(value) & set(b"\0\n\r\"'")),
    )
)
def test_what_is_written_is_read(
    values: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "written"
    lines = [name.encode() + b"=" + value + b"\n" for name, value in values.items()]
    path.write_bytes(b"".join(lines))
    found = resolve([EnvFile(str(path))])
    assert {name: value.encode(errors="surrogateescape") for name, value in found.items()} == values
