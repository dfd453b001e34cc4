"""`treadle logs` of real runs: which of them, what was kept; awkward output."""

import json
import os
import shutil
import subprocess

import pytest
from cli.place import DEADLINE_SECONDS, HELD, TREADLE, Place, document

KEPT = "── a: kept from run 1 (attempt 1): treadle logs job a --run 1 ──"


@pytest.fixture
def two_runs(place: Place) -> Place:
    """In run 1 all went well; for run 2 `b` was edited and fails, so `c` is skipped."""
    place.spec("job", a="echo a1", b="echo b1", c="echo c1")
    place.treadle("up", "--once")
    place.spec("job", a="echo a1", b="echo b2; exit 1", c="echo c1")
    place.treadle("up", "--once", code=1)
    return place


def said(place: Place, *words: str) -> tuple[list[str], list[str]]:
    """The lines on stdout, and those on stderr."""
    done = place.treadle("logs", *words)
    return done.stdout.decode().splitlines(), done.stderr.decode().splitlines()


def test_logs_choose_a_run(two_runs: Place) -> None:
    place = two_runs
    run_1 = ["[a] a1", "[b] b1", "[c] c1"]
    assert said(place, "job") == (["[b] b2"], [KEPT])
    assert said(place, "job", "--run", "2") == (["[b] b2"], [KEPT])
    assert said(place, "job", "--run", "last") == (["[b] b2"], [KEPT])
    assert said(place, "job", "--run", "1") == (run_1, [])
    assert said(place, "job/a") == ([], [KEPT])
    assert said(place, "job", "a", "--run", "1") == (["a1"], [])
    assert said(place, "job", "--failed") == (["[b] b2"], [])
    assert said(place, "job", "--failed", "--run", "1") == ([], ["no step failed in run 1"])
    assert said(place, "job", "--since", "1d", "?") == (["[b] b2"], [])
    assert said(place, "job", "b", "c")[0] == ["[b] b2"]
    assert said(place, "job", "-f") == (["[b] b2"], [KEPT])
    out, err = said(place, "job", "--run", "all")
    assert [line for line in out if "──" not in line] == ["a1", "b1", "c1", "b2"]
    assert [line.split(", ")[:3] for line in out if "──" in line] == [
        ["── run 1", "a", "attempt 1"],
        ["── run 1", "b", "attempt 1"],
        ["── run 1", "c", "attempt 1"],
        ["── run 2", "b", "attempt 2"],
    ]
    assert err == []


def test_runs_of_an_earlier_life(two_runs: Place) -> None:
    place = two_runs
    (place.specs / "job.yaml").unlink()
    place.treadle("up", "--once")
    assert said(place, "job") == (["[b] b2"], [KEPT]), "an ended life shows its last run"
    place.spec("job", a="echo a3")
    place.treadle("up", "--once")
    assert said(place, "job") == (["a3"], [])
    assert said(place, "job", "--run", "1") == (["[a] a1", "[b] b1", "[c] c1"], [])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--run", "3"], 5, "treadle: job has no run 3; its runs are 1 to 2"),
        (["--since", "noon"], 2, "treadle: --since noon: not a time; write 5m (ago), 12:59"),
        (["-f", "--run", "1"], 2, "treadle: -f follows the present run: leave out --run"),
        (["--attempt", "1", "--failed"], 2, "treadle: --attempt shows one attempt: leave out"),
    ],
)
def test_what_can_not_be_shown(two_runs: Place, words: list[str], code: int, message: str) -> None:
    assert two_runs.complains("logs", "job", *words, code=code).startswith(message)


def test_a_run_is_a_number_last_or_all(place: Place) -> None:
    for word in ("0", "-1", "first", "1.5"):
        err = place.treadle("logs", "job", f"--run={word}", code=2).stderr.decode()
        assert f"{word!r} is not a run; try 3, last or all" in err


def test_what_printed_nothing_says_so(place: Place) -> None:
    job = json.loads(document("job", quiet="true", missing="true"))
    job["spec"]["steps"][1] = {"name": "missing", "command": ["bin/no-such-program"]}
    (place.specs / "job.yaml").write_text(json.dumps(job))
    place.treadle("up", "--once", code=1)
    out, (line,) = said(place, "job")
    assert out == []
    assert line.startswith("missing printed nothing; attempt 1 could not start: ")
    assert said(place, "job", "quiet") == (
        [],
        ["quiet printed nothing; attempt 1: exit code 0"],
    )
    place.spec("next", a="true", b="true")
    assert place.complains("logs", "next", code=5).startswith(
        'treadle: no workflow is named "next"'
    )


def test_follow_begins_with_what_runs_now(place: Place) -> None:
    job = json.loads(document("job", a="echo a", b=f"echo b; touch began; {HELD}", c="echo c"))
    (place.specs / "job.yaml").write_text(json.dumps(job))
    with place.up():
        place.until((place.specs / "began").exists)
        following = place.begin("logs", "job", "-f")
        assert following.stdout is not None
        assert following.stdout.readline() == b"[b] b\n"
        (place.specs / "go").touch()
        rest, err = following.communicate(timeout=DEADLINE_SECONDS)
    assert (rest, following.returncode) == (b"[c] c\n", 0)
    assert err.decode() == "── 1 step has finished in this run: treadle logs job ──\n"


@pytest.mark.skipif(shutil.which("script") is None, reason="no script(1) to make a terminal")
@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_names_in_a_column_and_in_colours(
    place: Place, env: dict[str, str], coloured: bool
) -> None:
    place.spec("job", a="printf '\\033[31mred\\n'", longer="echo plain")
    place.treadle("up", "--once")
    first, second = on_a_terminal(place, "logs job", env).decode().splitlines()
    if coloured:
        assert first == "\x1b[36m[a]\x1b[0m      \x1b[31mred\x1b[0m", "red ends with its line"
        assert second == "\x1b[33m[longer]\x1b[0m plain"
    else:
        assert (first, second) == (r"[a]      \x1b[31mred", "[longer] plain")


@pytest.mark.skipif(shutil.which("script") is None, reason="no script(1) to make a terminal")
def test_a_terminal_is_not_steered_but_on_request(place: Place) -> None:
    written = b"a\tb\x1b]0;title\x07\xff\n10%\r20%\nlast"
    (place.specs / "bytes").write_bytes(written)
    place.spec("job", a="cat bytes")
    place.treadle("up", "--once")
    assert place.treadle("logs", "job").stdout == written, "a pipe gets the bytes"
    shown = on_a_terminal(place, "logs job").replace(b"\r\n", b"\n")
    assert shown == b"a       b\\x1b]0;title\\x07\\xff\n20%\nlast\n"
    assert on_a_terminal(place, "logs --raw job").replace(b"\r\n", b"\n") == written


def on_a_terminal(place: Place, words: str, env: dict[str, str] | None = None) -> bytes:
    clean = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
    return subprocess.run(
        ["script", "-qec", f"{TREADLE} {words}", "/dev/null"], cwd=place.root,
        env=clean | (env or {}), capture_output=True, stdin=subprocess.DEVNULL,
        timeout=DEADLINE_SECONDS, check=True,
    ).stdout  # fmt: skip


# ---------------------------------------- awkward output


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param(b"10%\r50%\r100%\n", b"[a] 100%\n", id="a progress bar"),
        pytest.param(b"10%\r50%\r", b"[a] 50%\n", id="that has not ended its line"),
        pytest.param(b"one\r\ntwo\r\n", b"[a] one\n[a] two\n", id="line ends of Windows"),
        pytest.param(b"\xff\xfe\x00\n", b"[a] \xff\xfe\x00\n", id="no text at all"),
        pytest.param(b"\x1b[31mred\n", b"[a] \x1b[31mred\n", id="colours of the step"),
        pytest.param(b"\n\n", b"[a] \n[a] \n", id="empty lines"),
        pytest.param(b"x" * 10_000_000, b"[a] " + b"x" * 10_000_000 + b"\n", id="10 MB in a line"),
        pytest.param(
            b"%9d\r" * 100_000 + b"done\n", b"[a] done\n", id="a progress bar of a megabyte"
        ),
    ],
)
def test_a_line_stays_behind_the_name_of_its_step(
    place: Place, written: bytes, shown: bytes
) -> None:
    (place.specs / "bytes").write_bytes(written)
    place.spec("job", a="cat bytes", b="echo b")
    place.treadle("up", "--once")
    assert place.treadle("logs", "job").stdout == shown + b"[b] b\n"
    assert place.treadle("logs", "job", "a").stdout == written


def test_a_pipe_in_place_of_the_output_holds_up_nobody(place: Place) -> None:
    place.spec("job", a="true")
    place.treadle("up", "--once")
    path = place.state / place.folded().workflows["job"].steps["a"].attempts[0].log
    path.unlink()
    os.mkfifo(path)
    assert "can't be read: it is not a regular file" in place.complains("logs", "job", code=4)


def test_a_reader_that_goes_away_ends_it(place: Place) -> None:
    place.spec("job", a="yes | head -n 200000", b="echo b")
    place.treadle("up", "--once")
    done = subprocess.run(
        f"{TREADLE} logs job | head -n 1", shell=True, cwd=place.root, capture_output=True,
        timeout=DEADLINE_SECONDS, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"[a] y\n", b"")


def test_what_a_running_attempt_has_written_stands_under_its_heading(place: Place) -> None:
    job = json.loads(document("job", a=f"echo a; touch began; {HELD}", b="echo b"))
    del job["spec"]["steps"][1]["dependsOn"]
    (place.specs / "job.yaml").write_text(json.dumps(job))
    with place.up():
        place.until((place.specs / "began").exists)
        place.until(lambda: place.folded().workflows["job"].steps["b"].phase == "Succeeded")
        out, _ = said(place, "job", "--run", "all")
        following = place.begin("logs", "job", "b", "-f")
        rest, err = following.communicate(timeout=DEADLINE_SECONDS)
        place.clear()
    heads = [line.split(", ")[1] for line in out if line.startswith("──")]
    for head, line in zip(heads, out[1::2], strict=True):
        assert head == line
    assert sorted(heads) == ["a", "b"]
    assert (rest, err) == (b"b\n", b""), "a step that has finished is shown, and not followed"


def test_follow_says_what_is_waited_for(place: Place) -> None:
    place.spec("job", a=HELD, b="echo b")
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        following = place.begin("logs", "job", "-f", "b")
        assert following.stderr is not None
        assert following.stderr.readline().decode() == "── b: waiting for a ──\n"
        (place.specs / "go").touch()
        rest, err = following.communicate(timeout=DEADLINE_SECONDS)
    assert (rest, err) == (b"b\n", b"")
