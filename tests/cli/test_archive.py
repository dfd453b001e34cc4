"""What went to the archive can still be read, and nothing runs because of it."""

import json

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


def run(place: Place, name: str, *words: str) -> None:
    (place.root / f"{name}.yaml").write_text(document(name, a=f"echo {name} said this"))
    assert place.fork("run", f"{name}.yaml", *words, program=EAGER).wait(30) == 0


def churn(place: Place, count: int = 12) -> None:
    for number in range(count):
        run(place, f"w{number}", "--keep-finished", "1")


def test_an_archived_life_is_shown_by_name_and_by_uid(place: Place) -> None:
    churn(place)
    place.until((place.state / "archive").exists)
    assert "w0" not in place.says("get", "-o", "name")
    listed = place.says("get", "w0", "w11")
    assert "(archived)" in listed and "w11" in listed
    shape = json.loads(place.says("get", "w0", "-o", "json"))
    archived = [one for one in shape["status"]["conditions"] if one["type"] == "Archived"]
    assert shape["status"]["phase"] == "Succeeded" and archived[0]["status"] == "True"
    uid = shape["metadata"]["uid"]
    assert json.loads(place.says("get", uid[:8], "-o", "json")) == shape
    assert json.loads(place.says("get", "w0", "--uid", uid, "-o", "json")) == shape
    assert place.says("logs", "w0", "--uid", uid) == "w0 said this\n"
    assert uid in place.says("status", "w0", "--uid", uid, "-o", "wide")
    assert "w0" in place.says("status", uid)
    assert place.says("logs", "w0") == "w0 said this\n"
    assert "Succeeded" in place.says("events", "w0")
    assert place.says("wait", "w0", "--for", "phase=Succeeded") == "w0: phase=Succeeded\n"
    assert "consistent" in place.says("replay", "--verify")


def test_what_hooks_of_an_archived_life_printed_is_still_there(place: Place) -> None:
    written = json.loads(document("w", a="true"))
    written["spec"]["hooks"] = {"onExit": [{"name": "tidy", "run": "echo tidied"}]}
    (place.root / "w.yaml").write_text(json.dumps(written))
    words = ("run", "w.yaml", "--keep-finished", "1")
    assert place.fork(*words, program=EAGER).wait(30) == 0
    log = place.folded().workflows["w"].hooks["onExit/tidy"].attempts[0].log
    churn(place)
    place.until(lambda: not (place.state / log).exists())
    assert place.says("logs", "w", "onExit/tidy") == "tidied\n"
    assert "onExit/tidy" in place.says("status", "w")


def test_many_lives_of_one_name_stay_apart(place: Place) -> None:
    for _ in range(4):
        run(place, "w", "--keep-finished", "0")
    run(place, "other", "--keep-finished", "0")
    lines = [json.loads(line) for line in place.says("events", "w", "-o", "json").splitlines()]
    uids = list(dict.fromkeys(line["uid"] for line in lines if line["uid"]))
    assert len(uids) == 4
    for uid in uids:
        assert json.loads(place.says("get", uid, "-o", "json"))["metadata"]["uid"] == uid


def test_a_document_in_the_folder_runs_no_more_because_of_it(place: Place) -> None:
    spec = json.loads(document("w", a="echo x >> ledger; [ $TREADLE_ATTEMPT = 2 ]"))
    spec["spec"]["ttlSecondsAfterFinished"] = 0
    spec["spec"]["steps"][0]["retry"] = {"limit": 1, "backoff": {"initialSeconds": 0}}
    (place.specs / "w.yaml").write_text(json.dumps(spec))
    for _ in range(2):
        assert place.fork("up", "--once", program=EAGER).wait(30) == 0
    assert (place.specs / "ledger").read_text() == "x\nx\n"
    (step,) = place.shape("w")["status"]["steps"]
    assert [one["number"] for one in step["attempts"]] == [2]
    assert place.says("logs", "w", "a", "--attempt", "1") == ""


def test_history_that_was_dropped_says_where_it_begins(place: Place) -> None:
    for number in range(16):
        run(place, f"w{number}", "--keep-finished", "1", "--keep-archive", "0")
    place.until(lambda: "history begins" in place.treadle("events").stderr.decode())
    assert b"no workflow is named" in place.treadle("get", "w0", code=5).stderr
    done = place.treadle("get", "--at", "1", code=5)
    assert b"--at 1: history begins after record" in done.stderr
    assert "consistent" in place.says("replay", "--verify")
