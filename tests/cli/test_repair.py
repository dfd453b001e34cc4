"""`treadle repair`: it tells first, and cuts when it is told to."""

import json

from cli.place import HELD, Place


def damaged(place: Place) -> bytes:
    place.spec("w", a="true", b="true")
    place.says("up", "--once")
    (log,) = (place.state / "log").glob("*.jsonl")
    data = bytearray(log.read_bytes())
    data[len(b"\n".join(data.split(b"\n", 3)[:3])) + 30] ^= 1
    log.write_bytes(data)
    return bytes(data)


def test_it_tells_first_and_cuts_when_told(place: Place) -> None:
    before = damaged(place)
    assert "treadle repair" in place.complains("get", code=4)
    said = place.says("repair", code=4)
    assert "damaged at byte" in said
    assert "w/a: attempt 1 Succeeded" in said
    assert "nothing was changed; `treadle repair --yes` cuts it" in said
    (log,) = (place.state / "log").glob("*.jsonl")
    assert log.read_bytes() == before
    assert "cut after record" in place.says("repair", "--yes")
    assert [file.read_bytes() for file in (place.state / "log").glob("cut-*/*")] == [before]
    assert "the log is whole" in place.says("repair")
    place.says("up", "--once")
    assert place.phase("w") == "Succeeded"


def test_it_is_refused_while_a_controller_runs(place: Place) -> None:
    place.spec("w", a=HELD)
    with place.up():
        assert "stop it first" in place.complains("repair", code=3)


def test_an_empty_state_folder_is_whole(place: Place) -> None:
    place.state.mkdir(mode=0o700)
    assert "the log is whole: 0 records" in place.says("repair")


# ---------------------------------------- what is gone without a trace


def test_a_log_that_lost_its_end_is_refused_by_all_and_gone_on_with_by_repair(place: Place) -> None:
    """A segment that was deleted leaves a whole log: only its length tells."""
    place.spec("w", a="true", b="true")
    place.says("up", "--once")
    (segment,) = (place.state / "log").glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    turn = json.loads(lines[-1])["turn"]
    segment.write_bytes(b"".join(line for line in lines if json.loads(line)["turn"] < turn))
    for words in (("get",), ("up", "--once"), ("replay", "--verify"), ("retry", "w")):
        said = place.complains(*words, code=4)
        assert f"ends with record {turn - 1}, but had {len(lines)}" in said, words
    done = place.treadle("repair", code=4)
    assert b"records after it were deleted or cut" in done.stdout
    place.says("repair", "--yes")
    assert "the log is whole" in place.says("repair")
    place.says("up", "--once")
    assert place.phase("w") == "Succeeded"


def test_a_log_that_is_gone_altogether_is_not_begun_anew(place: Place) -> None:
    place.spec("w", a="echo again >> ledger")
    with place.up() as controller:
        place.until(lambda: place.phase("w") == "Succeeded")
        controller.kill()
        controller.wait()
    (segment,) = (place.state / "log").glob("*.jsonl")
    for loss in (lambda: segment.write_bytes(b""), segment.unlink):
        loss()
        assert "ends with record 0, but had " in place.complains("up", "--once", code=4)
        assert "ends with record 0, but had " in place.complains("get", code=4)
    assert (place.specs / "ledger").read_text() == "again\n"
