"""When an absence is believed: by a clock in hand, and by random lives of a folder."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from specs_folder import SECOND

from controller.intake.absence import MASS_MIN, Absences, AbsenceSettings, Key, Kind

SETTINGS = AbsenceSettings(settle_seconds=1.0, mass_settle_seconds=10.0)
SETTLE, STILL = SECOND, 10 * SECOND
BEGIN = 1_000 * SECOND


def gone(*names: str, at: int = BEGIN, kind: Kind = "document") -> Absences:
    absences = Absences()
    for name in names:
        absences.see(kind, name, at)
    return absences


def believed_after(absences: Absences, kind: Kind, name: str, since: int = BEGIN) -> int | None:
    """How long after `since` a scan has to begin to confirm it; None if none up to a minute can."""
    step = SECOND // 10
    found = (
        wait
        for wait in range(0, 60 * SECOND + 1, step)
        if absences.believed(kind, name, SETTINGS, since + wait)
    )
    return next(found, None)


def test_what_was_never_missed_is_not_believed_to_be_gone() -> None:
    assert believed_after(Absences(), "document", "etl") is None
    assert believed_after(gone("etl"), "edit", "etl") is None, "of another kind"
    assert believed_after(gone("etl"), "document", "load") is None, "of another name"


def a_mass() -> Absences:
    absences = gone("etl", *(f"w{n}" for n in range(MASS_MIN)))
    absences.count(in_force=MASS_MIN + 1)
    return absences


def after_a_hold(kind: Kind) -> Absences:
    absences = gone("etl", kind=kind)
    absences.cautious = True
    return absences


def later(seconds: float, absences: Absences) -> Absences:
    """Something else in the folder moves so many seconds after the first."""
    absences.moved = BEGIN + round(seconds * SECOND)
    return absences


def followed_by(*seconds: float) -> Absences:
    """Other workflows vanish so many seconds after the first."""
    absences = gone("etl")
    for n, wait in enumerate(seconds):
        absences.see("document", f"w{n}", BEGIN + round(wait * SECOND))
    return absences


@pytest.mark.parametrize(
    ("make", "kind", "seconds"),
    [
        pytest.param(lambda: gone("etl"), "document", 1, id="a workflow waits one settle time"),
        pytest.param(lambda: gone("etl", kind="edit"), "edit", 1, id="and so does an edit"),
        pytest.param(lambda: gone("etl", kind="path"), "path", 1, id="and so does a marker"),
        pytest.param(
            lambda: followed_by(0.9), "document", 1.9, id="another that vanishes meanwhile delays"
        ),
        pytest.param(
            lambda: followed_by(0.9, 1.8, 2.7), "document", 3.7, id="and each one after that"
        ),
        pytest.param(
            lambda: followed_by(*(0.9 * n for n in range(1, 20))),
            "document",
            10,
            id="but not for ever: the stillness of a mass is the most that it waits",
        ),
        pytest.param(
            lambda: later(0.5, gone("etl")), "document", 1, id="what else moves does not delay"
        ),
        pytest.param(a_mass, "document", 10, id="a mass waits until all stands still"),
        pytest.param(lambda: later(7, a_mass()), "document", 17, id="whatever moves delays a mass"),
        pytest.param(
            lambda: after_a_hold("document"), "document", 10, id="after a hold it takes stillness"
        ),
        pytest.param(
            lambda: after_a_hold("edit"), "edit", 10, id="after a hold edits take it, too"
        ),
        pytest.param(
            lambda: later(3, after_a_hold("path")), "path", 13, id="counted from the last move"
        ),
    ],
)
def test_how_long_an_absence_has_to_last(
    make: Callable[[], Absences], kind: Kind, seconds: float
) -> None:
    assert believed_after(make(), kind, "etl") == round(seconds * SECOND)


def test_an_edit_of_a_file_is_not_held_up_by_a_mass_of_workflows() -> None:
    absences = a_mass()
    absences.see("edit", "f.yaml", BEGIN)
    assert believed_after(absences, "edit", "f.yaml") == SETTLE


def test_asked_again_the_wait_goes_on() -> None:
    absences = gone("etl")
    absences.see("document", "etl", BEGIN + SETTLE // 2)
    assert believed_after(absences, "document", "etl") == SETTLE


def test_another_content_is_another_wait() -> None:
    absences = Absences()
    absences.see("edit", "f.yaml", BEGIN, "one step less")
    absences.see("edit", "f.yaml", BEGIN + SETTLE // 2, "two steps less")
    assert believed_after(absences, "edit", "f.yaml") == SETTLE + SETTLE // 2


def test_what_came_back_and_vanishes_again_waits_anew() -> None:
    absences = gone("etl")
    absences.forget("document", "etl")
    assert believed_after(absences, "document", "etl") is None
    absences.see("document", "etl", BEGIN + SETTLE)
    assert believed_after(absences, "document", "etl") == 2 * SETTLE


def test_to_forget_what_never_waited_is_no_fault() -> None:
    Absences().forget("path", "a.cancel")


def test_a_scan_that_confirms_all_leaves_nothing_to_ask_again_for() -> None:
    absences = gone("etl")
    assert absences.due(SETTINGS, BEGIN) == BEGIN + SETTLE
    assert absences.due(SETTINGS, BEGIN + SETTLE) is None


# ---------------------------------------- masses


@pytest.mark.parametrize(
    ("number", "in_force", "mass"),
    [
        pytest.param(MASS_MIN, MASS_MIN, False, id="ten are no mass, even if they are all"),
        pytest.param(MASS_MIN + 1, MASS_MIN + 1, True, id="eleven of eleven are one"),
        pytest.param(MASS_MIN + 1, 21, True, id="eleven of 21 are more than half"),
        pytest.param(MASS_MIN + 1, 22, False, id="eleven of 22 are half, and not more"),
        pytest.param(500, 1_001, False, id="many of still more are no mass"),
    ],
)
def test_more_than_ten_and_more_than_half_are_a_mass(
    number: int, in_force: int, mass: bool
) -> None:
    absences = gone(*(f"w{n}" for n in range(number)))
    absences.count(in_force)
    assert absences.mass is mass


def test_edits_and_markers_count_for_no_mass() -> None:
    absences = gone(*(f"{n}.cancel" for n in range(100)), kind="path")
    absences.count(in_force=12)
    assert not absences.mass
    assert absences.documents() == []


def test_confirmed_there_is_neither_mass_nor_wait() -> None:
    absences = a_mass()
    absences.confirmed = True
    absences.count(MASS_MIN + 1)
    assert not absences.mass
    assert believed_after(absences, "document", "etl") == 0


def test_a_confirmation_is_of_workflows_alone() -> None:
    """`delete --all` says that specs are to go; an edit may still be half written."""
    absences = gone("f.yaml", kind="edit")
    absences.confirmed = True
    assert believed_after(absences, "edit", "f.yaml") == SETTLE


# ---------------------------------------- caution


@pytest.mark.parametrize(
    ("waits", "seconds", "cautious"),
    [
        pytest.param(False, 9.9, True, id="not before the stillness is over"),
        pytest.param(False, 10, False, id="once all has stood still for so long"),
        pytest.param(True, 60, True, id="not while anything still waits"),
    ],
)
def test_caution_ends_when_everything_has_stood_still(
    waits: bool, seconds: float, cautious: bool
) -> None:
    absences = gone("etl") if waits else Absences()
    absences.cautious, absences.moved = True, BEGIN
    absences.calm(SETTINGS, BEGIN + round(seconds * SECOND))
    assert absences.cautious is cautious


# ---------------------------------------- whatever happens

KINDS: tuple[Kind, ...] = ("document", "edit", "path")
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["see", "forget"]),
        st.sampled_from(KINDS),
        st.sampled_from("abc"),
        st.sampled_from(["", "other"]),
        st.integers(0, 3 * SECOND),  # that pass until then
    ),
    max_size=12,
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Absences, dict[Key, int], int]:
    """A random past: what waits after it, since when each has been absent as it is, and the time.

    The second is kept by hand, as simply as it can be said.
    """
    absences, since, now = Absences(), dict[Key, int](), BEGIN
    contents: dict[Key, str] = {}
    for deed, kind, name, digest, passed in draw(DEEDS):
        now += passed
        if deed == "forget":
            absences.forget(kind, name)
            since.pop((kind, name), None)
            continue
        if (kind, name) not in since or contents[kind, name] != digest:
            since[kind, name] = now
        contents[kind, name] = digest
        absences.see(kind, name, now, digest)
    absences.cautious = draw(st.booleans())
    absences.moved = BEGIN + draw(st.integers(0, max(0, now - BEGIN)))
    return absences, since, now


@given(histories(), st.integers(0, 30 * SECOND))
def test_nothing_is_believed_before_its_settle_time(
    past: tuple[Absences, dict[Key, int], int], wait: int
) -> None:
    absences, since, _ = past
    for kind in KINDS:
        for name in "abc":
            if absences.believed(kind, name, SETTINGS, BEGIN + wait):
                assert BEGIN + wait >= since[kind, name] + SETTLE


@given(histories())
def test_everything_is_believed_in_the_end(past: tuple[Absences, dict[Key, int], int]) -> None:
    absences, since, now = past
    for kind, name in since:
        assert absences.believed(kind, name, SETTINGS, now + STILL)


@given(histories(), st.integers(0, 15 * SECOND), st.integers(0, 15 * SECOND))
def test_what_a_scan_confirms_a_later_one_does_not_doubt(
    past: tuple[Absences, dict[Key, int], int], first: int, further: int
) -> None:
    absences, since, _ = past
    for kind, name in since:
        if absences.believed(kind, name, SETTINGS, BEGIN + first):
            assert absences.believed(kind, name, SETTINGS, BEGIN + first + further)


@given(histories(), st.integers(0, 40 * SECOND))
def test_due_is_the_first_time_at_which_a_scan_tells_more(
    past: tuple[Absences, dict[Key, int], int], wait: int
) -> None:
    absences, since, _ = past
    scanned = BEGIN + wait

    def confirmed(at: int) -> set[Key]:
        return {key for key in since if absences.believed(*key, SETTINGS, at)}

    due = absences.due(SETTINGS, scanned)
    if due is None:
        assert confirmed(scanned) == since.keys(), "what no scan is needed for is believed"
        return
    assert due > scanned
    assert confirmed(due - 1) == confirmed(scanned), "before that a scan tells nothing new"
    assert confirmed(due) > confirmed(scanned)
