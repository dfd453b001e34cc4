"""Where policy comes from, and what an edit of it changes, in words."""

from typing import Any

import msgspec
import pytest
from story import Story, a_step, template

from controller.model import events as e
from controller.spec.models import DefaultsSpec
from controller.view.changes.policy import changed, of_step, sources


def policy(**spec: Any) -> DefaultsSpec:
    return msgspec.convert(spec, DefaultsSpec)


def told() -> Story:
    """Defaults of two folders, and steps that say more and less themselves."""
    house = policy(
        defaults={"timeoutSeconds": 60, "retry": {"limit": 2, "exitCodes": [75]}, "uses": ["gpu"]},
        ttlSecondsAfterFinished=5,
    )
    team = policy(defaults={"timeoutSeconds": 20})
    story = Story().see(e.DefaultsAccepted(folder="", path="all.yaml", spec=house))
    story.see(e.DefaultsAccepted(folder="team", path="team/d.yaml", spec=team))
    steps = [
        a_step("plain"),
        a_step("own", timeoutSeconds=1, uses=[], retry={"exceptExitCodes": [1], "limit": 0}),
        a_step("each", forEach=["x"]),
        a_step("piece", template={"name": "t"}),
        a_step("asks", approve={"message": "?"}),
    ]
    inner = template(a_step("in", timeoutSeconds=3))
    story.accept(steps, templates={"t": inner}, defaults={"retry": {"maxElapsedSeconds": 9}})
    return story.see(e.SourceChanged(uid=story.life().uid, path="team/w.yaml"))


def test_the_file_of_each_field() -> None:
    assert dict(sources(told().life())) == {
        "spec.defaults.timeoutSeconds": "team/d.yaml",
        "spec.defaults.retry.limit": "all.yaml",
        "spec.defaults.retry.exitCodes": "all.yaml",
        "spec.defaults.uses": "all.yaml",
        "spec.ttlSecondsAfterFinished": "all.yaml",
    }


RETRY = "retry.limit 2 (all.yaml), retry.exitCodes [75] (all.yaml)"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("plain", f'timeoutSeconds 20 (team/d.yaml), {RETRY}, uses ["gpu"] (all.yaml)'),
        ("own", ""),
        ("each", ""),
        ("each[x]", f'timeoutSeconds 20 (team/d.yaml), {RETRY}, uses ["gpu"] (all.yaml)'),
        ("piece/in", f'{RETRY}, uses ["gpu"] (all.yaml)'),
        ("asks", ""),
    ],
)
def test_what_a_step_takes(step: str, said: str) -> None:
    story = told()
    found = of_step(story.life(), story.step(step))
    assert sorted(found.split(", ")) == sorted(said.split(", "))


def test_without_defaults_nothing_is_said() -> None:
    story = Story().accept([a_step("a")], defaults={"timeoutSeconds": 3})
    assert [*sources(story.life())] == []
    assert of_step(story.life(), story.step("a")) == ""


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (policy(), policy(), ""),
        (policy(defaults={}), policy(), ""),
        (None, policy(ttlSecondsAfterFinished=5), "ttlSecondsAfterFinished 5"),
        (policy(ttlSecondsAfterFinished=0.5), None, "ttlSecondsAfterFinished removed"),
        (
            policy(defaults={"retry": {"on": ["Timeout"]}}),
            policy(defaults={"retry": {"on": ["Timeout", "NonZeroExit", "Interrupted"]}}),
            'retry.on ["Timeout"] -> …',
        ),
        (
            policy(defaults={"timeoutSeconds": 1, "retry": {"limit": 1, "backoff": {"factor": 2}}}),
            policy(ttlSecondsAfterFinished=3),
            "timeoutSeconds removed, retry.limit removed, retry.backoff.factor removed, 1 more",
        ),
    ],
)
def test_what_an_edit_changes(
    was: DefaultsSpec | None, becomes: DefaultsSpec | None, said: str
) -> None:
    assert changed(was, becomes) == said
