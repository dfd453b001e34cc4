"""What the controller says of its surroundings, for as long as it lasts."""

from specs_folder import SpecsFolder


def test_polling_is_said(etl: SpecsFolder) -> None:
    etl.sight.watching, etl.sight.problem = "polling", "the system has no more watches"
    etl.look(1)
    since = etl.verdict.conditions[0].last_transition_time
    etl.look(5)
    assert etl.condition() == {"FolderPolled": "the system has no more watches"}
    assert etl.verdict.conditions[0].last_transition_time == since
