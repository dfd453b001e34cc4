"""A backoff under real controllers: cancelled at once, and not waited for twice."""

import json
import time

from cli.place import Place

FAILS_ONCE = "test -e tried || { touch tried; exit 1; }"


def spec(place: Place, seconds: float, **retry: float) -> None:
    backoff = {"initialSeconds": seconds, "maxSeconds": 600, "jitter": 0}
    file = place.spec("w", a=FAILS_ONCE)
    written = json.loads(file.read_text())
    written["spec"]["steps"][0]["retry"] = {"limit": 1, "backoff": backoff, **retry}
    file.write_text(json.dumps(written))


def waits(place: Place) -> bool:
    life = place.folded().workflows.get("w")
    return life is not None and life.steps["a"].reason == "BackOff"


def test_a_cancel_does_not_wait_for_its_end(place: Place) -> None:
    spec(place, 500)
    with place.up():
        place.until(lambda: waits(place))
        begun = time.monotonic()
        place.treadle("cancel", "w")
        place.until(lambda: place.phase("w") == "Cancelled")
        assert time.monotonic() - begun < 20


def test_the_next_controller_waits_only_the_rest(place: Place) -> None:
    spec(place, 3)
    first = place.begin("up")
    place.until(lambda: waits(place))
    first.kill()
    first.communicate(timeout=30)
    due = place.folded().workflows["w"].steps["a"].retry_at
    assert due is not None
    place.until(lambda: time.time() * 1e6 > due - 1e6)  # for most of it nobody is there
    place.says("up", "--once")
    second = place.folded().workflows["w"].steps["a"].attempts[1]
    assert second.started is not None
    assert 0 <= second.started - due < 1_500_000


def test_one_that_takes_too_long_is_not_begun_and_says_so(place: Place) -> None:
    spec(place, 500, maxElapsedSeconds=60)
    place.treadle("up", "--once", code=1)
    (step,) = place.shape("w")["status"]["steps"]
    assert step["phase"] == "Failed"
    assert "later than maxElapsedSeconds (60) allows" in step["message"]
