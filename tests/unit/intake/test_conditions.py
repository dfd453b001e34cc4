"""What the controller says of its surroundings, for as long as it lasts."""

import pytest
from specs_folder import SECOND, SpecsFolder

from controller.intake import conditions
from controller.intake.absence import AbsenceSettings
from controller.intake.conditions import NAMED_MAX, Said, as_conditions
from controller.model.observations import FolderSight, Trouble
from controller.model.state import Condition

NOW = 1_000 * SECOND


def names(count: int) -> list[str]:
    return [f"w{n}" for n in range(count)]


@pytest.mark.parametrize(
    ("said", "kind", "reason", "message"),
    [
        pytest.param(
            conditions.of_hold("specs is not a folder"),
            "FolderHeld",
            "FolderNotBelieved",
            "specs is not a folder: the last specs stay in force, and nothing in it is started; "
            "bring it back, or confirm with `treadle delete --all` that they are deleted",
            id="a held folder, and the two ways out",
        ),
        pytest.param(
            conditions.of_mass_deletion(names(11), 12, AbsenceSettings(mass_settle_seconds=2.5)),
            "MassDeletion",
            "ManyVanished",
            "11 of 12 specs are gone (w0, w1, w2, w3, w4 and 6 more): their workflows are "
            "cancelled when the folder has not changed for 2.5 s; "
            "put them back, or confirm with `treadle delete --all`",
            id="a mass deletion, how long it waits, and the two ways out",
        ),
        pytest.param(
            conditions.of_polling(FolderSight(path="/s", watching="polling", problem="too few")),
            "FolderPolled",
            "NotWatched",
            "too few",
            id="a folder that is polled, and why",
        ),
        pytest.param(
            conditions.of_sharing(FolderSight(path="/s", shown="specs", shared=True)),
            "FolderShared",
            "AnotherController",
            "another controller, with another state folder, runs the specs in specs too: "
            "each of the two runs every step; stop one of them",
            id="a folder that another controller has too",
        ),
        pytest.param(
            conditions.of_space("less than 12 MiB are free"),
            "DiskPressure",
            "DiskNearlyFull",
            "less than 12 MiB are free: nothing new is started until there is more; "
            "running steps continue",
            id="a disk that is nearly full, and what that keeps from starting",
        ),
        pytest.param(
            conditions.of_executor([Trouble("NoProcesses", "fork: try again")]),
            "ExecutorTrouble",
            "NoProcesses",
            "fork: try again",
            id="what the executor complains of, in its words",
        ),
        pytest.param(
            conditions.of_executor(
                [
                    Trouble("SlurmSilent", "slurmctld hangs", "EngineUnreachable"),
                    Trouble("NoProgram", "podman is missing", "EngineUnreachable"),
                ]
            ),
            "EngineUnreachable",
            "NoProgram",
            "slurmctld hangs; podman is missing",
            id="of two engines in one condition",
        ),
    ],
)
def test_what_is_said(said: Said, kind: str, reason: str, message: str) -> None:
    assert said == {kind: (reason, message)}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(conditions.of_polling(FolderSight(path="/s")), id="a watched folder"),
        pytest.param(conditions.of_sharing(FolderSight(path="/s")), id="a folder of its own"),
        pytest.param(conditions.of_space(""), id="room enough"),
        pytest.param(conditions.of_executor([]), id="an executor without trouble"),
    ],
)
def test_of_what_is_well_nothing_is_said(said: Said) -> None:
    assert said == {}
    assert as_conditions(said, [], NOW) == []


def test_polling_is_said(etl: SpecsFolder) -> None:
    etl.sight.watching, etl.sight.problem = "polling", "the system has no more watches"
    etl.look(1)
    since = etl.verdict.conditions[0].last_transition_time
    etl.look(5)
    assert etl.condition() == {"FolderPolled": "the system has no more watches"}
    assert etl.verdict.conditions[0].last_transition_time == since


# ---------------------------------------- since when


def since(said: list[Condition]) -> dict[str, int]:
    return {condition.type: condition.last_transition_time for condition in said}


def test_each_keeps_the_time_since_which_it_holds() -> None:
    first = as_conditions(conditions.of_space("little"), [], NOW)
    assert since(first) == {"DiskPressure": NOW}
    both = conditions.of_hold("specs is not a folder") | conditions.of_space("less")
    second = as_conditions(both, first, NOW + 5)
    assert since(second) == {"DiskPressure": NOW, "FolderHeld": NOW + 5}
    assert [condition.status for condition in second] == ["True", "True"]


def test_one_that_ceased_and_holds_again_holds_since_then() -> None:
    first = as_conditions(conditions.of_space("little"), [], NOW)
    gone = as_conditions({}, first, NOW + 1)
    assert gone == []
    assert since(as_conditions(conditions.of_space("little"), gone, NOW + 2)) == {
        "DiskPressure": NOW + 2
    }


@pytest.mark.parametrize(
    ("count", "text"),
    [
        pytest.param(0, "", id="none"),
        pytest.param(1, "w0", id="one"),
        pytest.param(NAMED_MAX, "w0, w1, w2, w3, w4", id="as many as are named"),
        pytest.param(NAMED_MAX + 1, "w0, w1, w2, w3, w4 and 1 more", id="one more"),
        pytest.param(1_000, "w0, w1, w2, w3, w4 and 995 more", id="a thousand are still a line"),
    ],
)
def test_a_message_names_the_first_few(count: int, text: str) -> None:
    assert conditions.listed(names(count)) == text
