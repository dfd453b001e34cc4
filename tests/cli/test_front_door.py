"""The front door: help, words that are no command, folders before it, and how fast it opens."""

import json
import os
import subprocess

import pytest
from cli.place import HELD, TREADLE, Place, document
from users import NOBODY, as_root


@pytest.fixture
def ended(place: Place) -> Place:
    """A place where one workflow has run, with a state folder that only --state finds."""
    place.state = place.root / "state"
    place.spec("etl", only="true")
    place.treadle("up", "--once", "--state", "state")
    return place


def test_help_shows_the_folders_and_who_runs(place: Place) -> None:
    shown = place.says("--help")
    assert f"Folder: {place.specs}\n" in shown
    assert f"state: {place.state} (not there yet)" in shown
    assert "controller: none is running" in shown
    place.spec("w", a=HELD)
    with place.up() as controller:
        assert f"controller: running (pid {controller.pid})" in place.says("help")
    assert place.says("-h", "--state", "elsewhere") == place.says("--state=elsewhere", "--help")


def test_help_is_shown_also_where_nothing_can_be_said(place: Place) -> None:
    (place.root / "treadle.toml").write_text("no TOML")
    assert place.says("--help").endswith(
        "edit run again?\n\ntreadle help COMMAND shows its options and examples.\n"
    )


def test_the_ways_to_the_help_of_a_command_agree(place: Place) -> None:
    shown = place.says("help", "logs")
    assert shown.startswith("usage: treadle logs NAME ")
    assert "Examples\n  treadle logs etl " in shown
    assert place.says("logs", "--help") == shown
    assert place.says("-h", "logs") == shown
    assert place.says("help", "describe") == place.says("status", "-h")
    assert place.says("help", "help") == place.says("help") == place.says("--help")


def test_a_mistake_is_one_line(place: Place) -> None:
    assert place.complains("log", "etl", code=2) == (
        'treadle: no command "log"; did you mean "logs"? (treadle --help)'
    )
    assert place.complains("help", "lgs", code=2) == (
        'treadle: no command "lgs"; did you mean "logs"? (treadle --help)'
    )
    assert "\\x1b[31m" in place.complains("\x1b[31m", code=2)
    assert "\\x1b" in place.complains("get", "--\x1b", code=2)


def test_a_name_that_is_missing_is_one_of_these(place: Place) -> None:
    missing = place.complains("logs", code=2)
    assert missing == "treadle: logs: NAME is missing (treadle logs --help)"
    for name in ("daily-sales", "hello"):
        place.spec(name, a="true")
    (place.specs / "bad.yaml").write_text("apiVersion: treadle.dev/v1\n")
    place.treadle("up", "--once", code=2)
    for words in (("logs",), ("logs", "--tail", "3"), ("wait",), ("--state", ".treadle", "mark")):
        said = place.complains(*words, code=2)
        assert "which one? bad, daily-sales, hello" in said
    for n in range(9):
        place.spec(f"more-{n}", a="true")
    place.treadle("up", "--once", code=2)
    assert "which one? bad, daily-sales, hello, more-0, more-1 and 7 more" in place.complains(
        "cancel", code=2
    )


def test_the_folders_may_stand_before_the_command(place: Place) -> None:
    place.specs.rename(place.root / "flows")
    place.specs = place.root / "flows"
    place.spec("w", a="true")
    place.says("--specs", "flows", "--state=here", "up", "--once")
    assert place.says("--state", "here", "get", "-o", "name") == "w\n"
    assert place.says("--specs", "flows", "validate", "flows") == (
        "flows/w.yaml: ok (1 workflow, 1 step)\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["help", "up"], ["nosuch"]])
def test_help_does_not_need_a_current_folder(place: Place, words: list[str]) -> None:
    gone = place.root / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {TREADLE} {' '.join(words)}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, timeout=30, check=False)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (2 if words == ["nosuch"] else 0)


@pytest.mark.parametrize("words", ["--help", "help up", "version"])
def test_a_full_disk_is_named_in_one_line(place: Place, words: str) -> None:
    with open("/dev/full", "w") as full:
        begun = place.begin(*words.split(), stdout=full)
        assert begun.communicate(timeout=30)[1] == b"treadle: No space left on device\n"
    assert begun.returncode == 4


def test_status_without_a_name_shows_what_is_unfinished_or_failed(place: Place) -> None:
    assert b"no state here" in place.treadle("status").stderr
    place.spec("good", a="true")
    place.says("up", "--once")
    assert place.says("status") == "good has succeeded\n"
    place.spec("well", a="true")
    place.says("up", "--once")
    assert place.says("status") == "all 2 workflows have succeeded\n"
    place.spec("broken", a="exit 3")
    place.spec("stopped", a="true")
    (place.specs / "stopped.cancel").touch()
    (place.specs / "bad.yaml").write_text("apiVersion: treadle.dev/v1\n")
    place.treadle("up", "--once", code=1)
    pages = place.says("status")
    assert pages.count("\n\n") >= 1
    assert "bad" in pages and "broken" in pages
    assert "good" not in pages and "stopped" not in pages
    listed = json.loads(place.says("status", "-o", "json"))
    assert [each["metadata"]["name"] for each in listed["items"]] == ["bad", "broken"]
    (place.specs / "broken.yaml").unlink()
    (place.specs / "bad.yaml").unlink()
    place.says("delete", "--all")
    place.treadle("up", "--once", code=1)
    shown = place.says("status")
    assert shown == "nothing is unfinished or failed: 2 succeeded, 1 cancelled\n"


@pytest.mark.parametrize("kind", ["workflow", "workflows", "wf"])
def test_get_takes_the_kind_as_kubectl_does_unless_a_workflow_has_that_name(
    place: Place, kind: str
) -> None:
    for name in ("a", "b"):
        place.spec(name, only="true")
    place.says("up", "--once")
    assert place.says("get", kind, "-o", "name") == "a\nb\n"
    assert place.says("get", kind, "b", "-o", "name") == "b\n"
    assert json.loads(place.says("get", kind, "b", "-o", "json"))["kind"] == "Workflow"
    place.spec(kind, only="true")
    place.says("up", "--once")
    assert place.says("get", kind, "-o", "name") == f"{kind}\n"


def test_a_command_below_the_project_means_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.spec("w", a="true")
    place.says("up", "--once")
    root = place.root
    place.root = place.specs
    assert place.says("get", "-o", "name") == "w\n"
    assert "w.yaml: ok" in place.says("validate")
    place.says("cancel", "w")
    below = root / "x/y"
    below.mkdir(parents=True)
    place.root = below
    assert place.says("get", "-o", "name") == "w\n"
    (root / "specs/w.yaml").write_text("apiVersion: treadle.dev/v1\n")
    faults = place.treadle("validate", code=2).stderr.decode()
    assert f"{root}/specs/w.yaml" in faults
    assert f"state: {root}/.treadle" in place.says("--help")
    assert not (below / ".treadle").exists()


def test_the_file_of_a_project_names_folders_and_limits(place: Place) -> None:
    place.specs.rename(place.root / "flows")
    (place.root / "treadle.toml").write_text('specs = "flows"\nstate = "var"\nmax-parallel = 1\n')
    below = place.root / "below"
    below.mkdir()
    root, place.root, place.specs = place.root, below, place.root / "flows"
    place.spec("w", a="true", b="true")
    place.spec("v", a="true")
    place.says("up", "--once")
    assert (root / "var/log").is_dir()
    assert place.says("get", "-o", "name") == "v\nw\n"
    (root / "treadle.toml").write_text("state = 3")
    wrong = place.complains("get", code=2)
    assert wrong.startswith(f"treadle: {root}/treadle.toml: state: must be the path of a folder")
    assert place.says("get", "--state", str(root / "var"), "-o", "name") == "v\nw\n"


def test_specs_that_are_elsewhere_are_those_of_the_state(place: Place) -> None:
    place.specs.rename(place.root / "flows")
    place.specs = place.root / "flows"
    place.spec("w", a="true")
    place.says("up", "--once", "--specs", "flows")
    assert "flows/w.yaml" in place.says("delete", "w", "--dry-run")


def test_a_project_without_specs_above_ones_own_specs(place: Place) -> None:
    place.state.mkdir()
    place.specs.rmdir()
    own = place.root / "own"
    (own / "specs").mkdir(parents=True)
    place.root = own
    said = place.complains("up", "--once", code=2)
    assert "touch treadle.toml" in said
    (own / "treadle.toml").touch()
    place.treadle("up", "--once")
    assert (own / ".treadle").is_dir()


@pytest.mark.parametrize("words", [("up",), ("diff",), ("validate",)])
def test_a_folder_of_specs_that_is_missing_is_named_in_full(
    place: Place, words: tuple[str, ...]
) -> None:
    place.specs.rmdir()
    assert str(place.specs) in place.complains(*words, code=2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("words", [("get",), ("up", "--once"), ("run", "job.yaml")])
def test_nothing_of_another_user_is_used(place: Place, words: tuple[str, ...]) -> None:
    """As in /tmp, where anybody may put a project above the folder of somebody else."""
    own = place.root / "own"
    own.mkdir()
    (own / "job.yaml").write_text(document("job", only="true"))
    place.state.mkdir()
    os.chown(place.state, 4242, -1)
    shared, place.root = place.root, own
    said = place.complains(*words, code=2)
    assert said.startswith(f"treadle: {shared}/.treadle: belongs to user 4242, not to root")
    assert place.says("--help").startswith("treadle runs ")
    place.says("get", "--state", str(own / "mine"), "-o", "name")


@as_root
@pytest.mark.parametrize(
    "words",
    [
        ("up", "--once"),
        ("up", "--standby"),
        ("run", "specs/etl.yaml"),
        ("restart", "etl"),
        ("retry", "etl", "only"),
        ("suspend", "etl"),
        ("delete", "--all"),
        ("repair",),
    ],
)
def test_nothing_is_written_into_the_state_of_another_user(
    ended: Place, words: tuple[str, ...]
) -> None:
    before = sorted(ended.state.rglob("*"))
    os.chown(ended.state, NOBODY.pw_uid, -1)
    said = ended.complains(*words, "--state", "state", code=4)
    assert f"state: belongs to {NOBODY.pw_name}, not to root, so {NOBODY.pw_name} could" in said
    assert "--state" in said
    assert sorted(ended.state.rglob("*")) == before


@as_root
@pytest.mark.parametrize("words", [("get",), ("status", "etl"), ("logs", "etl"), ("events",)])
def test_the_state_of_another_user_is_read_with_a_word(
    ended: Place, words: tuple[str, ...]
) -> None:
    os.chown(ended.state / "log", NOBODY.pw_uid, -1)
    done = ended.treadle(*words, "--state", "state")
    assert done.stderr.decode().startswith(
        f"treadle: state/log: belongs to {NOBODY.pw_name}, not to root, so {NOBODY.pw_name} "
        "could run commands as you; what it shows may have been written by somebody else\n"
    )


@pytest.mark.parametrize("umask", [0, 0o002, 0o077])
def test_all_in_the_state_folder_is_for_its_owner_alone_whatever_the_umask(
    place: Place, umask: int
) -> None:
    place.spec("etl", only="umask; mkdir made")
    before = os.umask(umask)
    try:
        place.treadle("up", "--once")
        place.says("cancel", "etl", code=0)
    finally:
        os.umask(before)
    found = [place.state, *place.state.rglob("*")]
    assert len(found) > 8
    for path in found:
        assert path.lstat().st_mode & 0o077 == 0, path
    assert (place.specs / "made").stat().st_mode & 0o777 == 0o777 & ~umask, "but steps have it"


def test_the_name_of_a_folder_can_not_control_the_terminal(place: Place) -> None:
    place.root = place.root / "\x1b]0;title\x07"
    place.root.mkdir()
    for words in (("get",), ("status", "x"), ("up",), ("--help",)):
        done = place.begin(*words)
        out, err = done.communicate(timeout=30)
        assert b"\\x1b]0;title\\x07" in out + err
        assert b"\x1b" not in out + err and b"\x07" not in out + err


@pytest.mark.parametrize(
    "words", ["get", "get --at 5m", "status", "runs", "events", "replay", "get -o wide"]
)
def test_where_there_is_nothing_the_folder_is_named(place: Place, words: str) -> None:
    done = place.treadle(*words.split())
    said = f"no state here ({place.state}), nor in a folder above; `treadle up` starts a controller"
    assert (done.stdout, done.stderr.decode()) == (b"", f"{said}\n")
    named = place.treadle(*words.split(), "--state", "x").stderr.decode()
    assert named == f"no state in {place.root}/x; `treadle up` starts a controller\n"


@pytest.mark.parametrize("words", ["get -o json", "events -o json", "runs -o json", "get -o name"])
def test_programs_are_told_nothing_where_there_is_nothing(place: Place, words: str) -> None:
    assert place.treadle(*words.split()).stderr == b""
