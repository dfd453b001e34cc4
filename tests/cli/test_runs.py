"""`treadle runs`: a line a run, over edits, requests, lives and the archive."""

import json
from typing import Any

import pytest
from cli.place import Place, document

# `treadle` whose log is short and whose patience with what is over is none.
EAGER = """
import sys
from controller.cli.main import main
from controller.log import upkeep, writer
from controller.model import indexes
from controller.planner import retention
upkeep.EVERY_RECORDS = 10
writer.SEGMENT_SIZE_MAX = 4_000
indexes.SEEN_SECONDS = retention.SEEN_SECONDS = 0
sys.exit(main())
"""


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Six runs of `etl`, the last of them in another life."""
    place = Place(tmp_path_factory.mktemp("etl"))
    place.spec("other", x="true")
    for deed in (
        lambda: place.spec("etl", a="echo one", b="exit 3"),
        lambda: place.says("retry", "etl", "--reason", "the disk is back"),
        lambda: place.spec("etl", a="echo one", b="true"),
        lambda: place.says("restart", "etl"),
        lambda: place.says("restart", "etl"),
        lambda: place.says("delete", "etl"),
        lambda: place.spec("etl", a="echo six", b="true"),
    ):
        deed()
        assert place.fork("up", "--once").wait(30) in (0, 1)
    return place


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def objects(place: Place, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.says("runs", *words, "-o", "json").splitlines()]


def test_what_each_run_came_to_and_why_it_began(etl: Place) -> None:
    by = etl.shape("etl")["status"]["runs"][0]["startedBy"].removeprefix("new spec by ")
    heading, *rows, usual = etl.says("runs", "etl").splitlines()
    assert heading.split() == ["RUN", "STARTED", "TOOK", "RESULT", "WHY"]
    assert [[row[:1], *cells(row)[1:2], *cells(row)[4:]] for row in rows] == [
        ["✓", "6", "2 of 2", f"new spec by {by}"],
        ["✓", "5", "2 of 2", f"restart by {by}"],
        ["✓", "4", "2 of 2", f"restart by {by}"],
        ["✓", "3", "1 ran, 1 kept", f"edit of b by {by}"],
        ["✗", "2", "failed: b", f"retry by {by}: the disk is back"],
        ["✗", "1", "failed: b", f"new spec by {by}"],
    ]
    assert usual.startswith("usually takes 0.") and "median of 3 full runs" in usual


def test_of_all_workflows_the_newest_first(etl: Place) -> None:
    rows = [cells(row)[1:3] for row in etl.says("runs").splitlines()[1:]]
    assert rows[:-2] == [["etl", "6"], ["etl", "5"], ["etl", "4"], ["etl", "3"], ["etl", "2"]]
    assert sorted(rows[-2:]) == [["etl", "1"], ["other", "1"]]
    assert etl.says("runs", "--tail", "2").count("\n") == 3


def test_as_scripts_read_it(etl: Place) -> None:
    newest, *_ = objects(etl, "etl")
    assert {key: newest[key] for key in ("workflow", "number", "phase", "steps", "kept")} == {
        "workflow": "etl",
        "number": 6,
        "phase": "Succeeded",
        "steps": 2,
        "kept": 0,
    }
    assert newest["completionTime"].endswith("Z")
    assert [one["number"] for one in objects(etl, "etl", "-n", "2")] == [6, 5]


def test_a_name_that_nobody_had(etl: Place) -> None:
    assert 'did you mean "etl"?' in etl.complains("runs", "elt", code=5)


def test_one_that_has_not_run(place: Place) -> None:
    spec = json.loads(document("etl", a="true"))
    spec["spec"]["suspend"] = True
    (place.specs / "etl.yaml").write_text(json.dumps(spec))
    assert place.fork("up", "--once").wait(30) == 0
    done = place.treadle("runs", "etl")
    assert (done.stdout, done.stderr) == (b"", b"etl has not run yet\n")


def test_where_there_is_no_state_the_folder_is_named(place: Place) -> None:
    assert str(place.state) in place.complains("runs", code=0)


def test_all_reads_what_was_archived(place: Place) -> None:
    (place.root / "w.yaml").write_text(document("w", a="echo it ran"))
    for _ in range(24):
        words = ("run", "w.yaml", "--keep-finished", "0")
        assert place.fork(*words, program=EAGER).wait(30) == 0
    place.until((place.state / "archive").exists)
    assert [one["number"] for one in objects(place, "w")] == list(range(24, 4, -1))
    assert [one["number"] for one in objects(place, "w", "--all")] == list(range(24, 0, -1))


# ---------------------------------------- status --run


def test_a_page_of_a_past_run(etl: Place) -> None:
    page = etl.says("status", "etl", "--run", "2")
    assert page.startswith("✗ etl  Failed  run 2, ")
    assert "treadle logs etl b --run 2" in page
    assert "kept from run 1" in page
    assert "  next " not in page
    assert etl.treadle("status", "etl", "--run", "2").stderr == b""
    again = etl.says("status", "etl", "--run", "6")
    assert again == etl.says("status", "etl")


def test_the_shape_of_a_run_in_another_life(etl: Place) -> None:
    shape = json.loads(etl.says("status", "etl", "--run", "1", "-o", "json"))
    assert shape["status"]["phase"] == "Failed"
    assert shape["metadata"]["uid"] != etl.shape("etl")["metadata"]["uid"]
    assert [run["number"] for run in shape["status"]["runs"]] == [1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--run", "9"], 5, "etl has no run 9; its runs are 1 to 6"),
        (["--run", "1", "--at", "5m"], 2, "use only one"),
    ],
)
def test_a_run_that_cannot_be_shown(etl: Place, words: list[str], code: int, message: str) -> None:
    assert message in etl.complains("status", "etl", *words, code=code)


def test_a_page_of_an_archived_run(place: Place) -> None:
    for number in (1, 2, 3):
        (place.root / "w.yaml").write_text(document("w", a=f"echo said {number}; exit {number}"))
        words = ("run", "w.yaml", "--keep-finished", "0")
        assert place.fork(*words, program=EAGER).wait(30) == 1
    (place.root / "v.yaml").write_text(document("v", a="true"))
    for _ in range(9):
        assert place.fork("run", "v.yaml", "--keep-finished", "0", program=EAGER).wait(30) == 0
    place.until((place.state / "archive").exists)
    page = place.says("status", "w", "--run", "2")
    assert "said 2" in page and " 2  " in page


# ---------------------------------------- get


def test_get_says_how_long_ago_the_last_run_was(etl: Place) -> None:
    heading, *rows = etl.says("get", "--sort-by", "last-run").splitlines()
    assert heading.split()[4:6] == ["LAST", "RUN"]
    assert [cells(row)[0] for row in rows] == ["etl", "other"]
    assert all(cells(row)[4].endswith(" ago") for row in rows)
    assert "AGE" in etl.says("get", "-o", "wide").splitlines()[0].split()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["e*", "?ther"], ["etl", "other"]),
        (["--sort-by", "age"], ["etl", "other"]),
        (["--sort-by", "duration", "etl"], ["etl"]),
    ],
)
def test_get_chooses_and_orders(etl: Place, words: list[str], names: list[str]) -> None:
    assert etl.says("get", *words, "-o", "name").split() == names


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["x*"], 5, 'treadle: no workflow matches "x*"'),
        (["-l", "team=x"], 0, "no workflow matches -l team=x"),
        (["--failed", "--running"], 0, "no workflow matches --failed --running"),
    ],
)
def test_what_matches_nothing_says_so(
    etl: Place, words: list[str], code: int, message: str
) -> None:
    assert etl.complains("get", *words, code=code) == message


def test_a_pattern_gives_a_list_even_of_one(etl: Place) -> None:
    assert json.loads(etl.says("get", "et*", "-o", "json"))["kind"] == "WorkflowList"
    assert json.loads(etl.says("get", "etl", "-o", "json"))["kind"] == "Workflow"


def test_the_page_of_an_earlier_life_names_no_command_that_would_reach_the_present_one(
    place: Place,
) -> None:
    place.spec("w", a="echo before; exit 1")
    place.says("up", "--once", code=1)
    uid = place.shape("w")["metadata"]["uid"]
    (place.specs / "w.yaml").unlink()
    place.spec("other", a="true")
    place.says("up", "--once")
    place.spec("w", a="echo now")
    place.says("up", "--once")
    page = place.says("status", uid)
    assert "treadle logs w a --run 1 ──" in page
    assert "treadle retry" not in page
    assert place.says("logs", "w", "a", "--run", "1") == "before\n"
