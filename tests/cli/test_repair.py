"""`treadle repair`: it tells first, and cuts when it is told to."""

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
    assert "cut behind record" in place.says("repair", "--yes")
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
