"""Every mutation with a controller, without one, and with one that is killed before it acts.

A controller that is stopped in its tracks still holds the lock: what a command drops then is there
and not acted on; and after SIGKILL the next controller has to find it.
"""

import getpass
import json
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

import pytest
from cli.place import HELD, Place, document


class Change(NamedTuple):
    """A mutation: what is there before, the command, and what comes of it."""

    before: Callable[[Place], None]
    command: tuple[str, ...]
    after: Callable[[Place], bool]


def running(place: Place) -> None:
    place.spec("job", hold=HELD, then="true")


def failing(place: Place) -> None:
    place.spec("job", bad="test -e mended", then="true")


def asking(place: Place) -> None:
    path = place.spec("job", ask="true", then="true")
    written = json.loads(path.read_text())
    step = written["spec"]["steps"][0]
    del step["run"]
    step["approve"] = {"message": "Fine?"}
    path.write_text(json.dumps(written))


def nothing(place: Place) -> None:
    (place.root / "job.yaml").write_text(document("job", only="true"))


def is_(phase: str) -> Callable[[Place], bool]:
    return lambda place: place.phase("job") == phase


def has_ended(place: Place) -> bool:
    return not place.folded().workflows and place.phase("job") == "Cancelled"


APPLY = Change(nothing, ("apply", "-f", "job.yaml"), is_("Succeeded"))
DELETE = Change(running, ("delete", "job"), has_ended)
CANCEL = Change(running, ("cancel", "job", "--reason", "enough"), is_("Cancelled"))
RETRY = Change(failing, ("retry", "job"), is_("Succeeded"))
RESTART = Change(failing, ("restart", "job", "--reason", "once more"), is_("Succeeded"))
BY_HAND = ("mark", "job", "bad", "--succeeded", "--reason", "by hand")
MARK = Change(failing, BY_HAND, is_("Succeeded"))


YES = ("approve", "job", "ask", "--reason", "looks good")
APPROVE = Change(asking, YES, is_("Succeeded"))
REJECT = Change(asking, ("approve", "job/ask", "--reject"), is_("Failed"))


def is_to_stop(place: Place) -> bool:
    return "enough" in place.folded().workflows["job"].suspension


SUSPEND = Change(running, ("suspend", "job", "--reason", "enough"), is_to_stop)

changes = pytest.mark.parametrize(
    "change",
    [
        pytest.param(APPLY, id="apply"),
        pytest.param(DELETE, id="delete"),
        pytest.param(CANCEL, id="cancel"),
        pytest.param(RETRY, id="retry"),
        pytest.param(RESTART, id="restart"),
        pytest.param(SUSPEND, id="suspend"),
        pytest.param(MARK, id="mark"),
        pytest.param(APPROVE, id="approve"),
        pytest.param(REJECT, id="reject"),
    ],
)


def settle(place: Place, change: Change) -> None:
    """Until what is there before has come as far as it comes by itself."""
    if change.before in (running, asking):
        place.until(lambda: place.phase("job") == "Running")
    elif change.before is failing:
        place.until(lambda: place.phase("job") == "Failed")
        (place.specs / "mended").touch()


@changes
def test_with_a_controller(place: Place, change: Change) -> None:
    change.before(place)
    with place.up():
        settle(place, change)
        done = place.treadle(*change.command)
        assert b"no controller" not in done.stdout + done.stderr
        place.until(lambda: change.after(place))


@changes
def test_without_a_controller(place: Place, change: Change) -> None:
    change.before(place)
    with place.up():
        settle(place, change)
    done = place.treadle(*change.command)
    assert b"no controller is running" in done.stdout + done.stderr
    assert not change.after(place)
    with place.up():
        place.until(lambda: change.after(place))


@changes
def test_killed_between_request_and_effect(place: Place, change: Change) -> None:
    change.before(place)
    with place.up() as controller:
        settle(place, change)
        controller.send_signal(signal.SIGSTOP)
        place.treadle(*change.command)
        assert not change.after(place)
        controller.kill()
    with place.up():
        place.until(lambda: change.after(place))


def test_a_command_that_is_killed_while_it_waits_has_asked(place: Place) -> None:
    failing(place)
    with place.up() as controller:
        settle(place, RETRY)
        controller.send_signal(signal.SIGSTOP)
        asking = place.begin("retry", "job")
        place.until(lambda: bool(list((place.state / "requests").glob("[!.]*.json"))))
        asking.kill()
        asking.communicate()
        controller.send_signal(signal.SIGCONT)
        place.until(lambda: place.phase("job") == "Succeeded")


# ---------------------------------------- what each says and leaves


@pytest.mark.parametrize("change", [APPLY, DELETE, CANCEL, RETRY, RESTART, SUSPEND, MARK, APPROVE])
def test_a_dry_run_changes_nothing(place: Place, change: Change) -> None:
    change.before(place)
    with place.up():
        settle(place, change)
    before = sorted(os.listdir(place.specs))
    assert "would" in place.says(*change.command, "--dry-run")
    assert sorted(os.listdir(place.specs)) == before
    assert os.listdir(place.state / "requests") == []


def test_cancel_writes_a_marker_with_what_was_asked(place: Place) -> None:
    place.spec("job", hold=HELD, then="true")
    with place.up():
        settle(place, CANCEL)
        said = place.says("cancel", "job", "then", "--reason", "not today", "--drain")
        assert said == "job (then): draining (specs/job.cancel)\n"
        marker = (place.specs / "job.cancel").read_text()
        assert marker == "reason: not today\nsteps:\n- then\nmode: Drain\n"
        place.until(lambda: place.folded().workflows["job"].steps["then"].phase == "Cancelled")
        assert place.shape("job")["status"]["steps"][0]["phase"] == "Running"


def test_cancel_of_what_has_ended_leaves_no_marker(place: Place) -> None:
    place.spec("job", only="true")
    place.treadle("up", "--once")
    said = place.says("cancel", "job")
    assert said == "job: has already finished as Succeeded; nothing to cancel\n"
    assert not (place.specs / "job.cancel").exists()


def test_retry_removes_the_marker_and_says_so(place: Place) -> None:
    running(place)
    with place.up():
        settle(place, CANCEL)
        place.treadle(*CANCEL.command)
        place.until(lambda: place.phase("job") == "Cancelled")
        (place.specs / "go").touch()
        said = place.says("retry", "job")
        assert said.splitlines()[0] == "job: removed specs/job.cancel"
        assert "job: retrying hold and then (applied)" in said
        place.until(lambda: place.phase("job") == "Succeeded")
        shown = place.shape("job")["status"]["steps"][0]
        assert [one["number"] for one in shown["attempts"]] == [1, 2]


def test_retry_of_one_step_and_what_depends_on_it(place: Place) -> None:
    place.spec("job", a="true", b="true", c="true")
    place.treadle("up", "--once")
    said = place.says("retry", "job", "b", "--downstream")
    assert said.startswith("job: retrying b and c (requested; no controller is running")
    place.treadle("up", "--once")
    tried = {one["name"]: len(one["attempts"]) for one in place.shape("job")["status"]["steps"]}
    assert tried == {"a": 1, "b": 2, "c": 2}


def test_retry_of_what_succeeded_says_that_there_is_nothing_to_do(place: Place) -> None:
    place.spec("job", a="true")
    place.treadle("up", "--once")
    assert "job: nothing to retry" in place.says("retry", "job")
    assert os.listdir(place.state / "requests") == []


def test_suspend_lets_what_runs_finish_and_resume_goes_on(place: Place) -> None:
    running(place)
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        place.says("suspend", "job", "--reason", "look first")
        (place.specs / "go").touch()
        place.until(lambda: place.phase("job") == "Suspended")
        assert "look first" in place.says("get", "job")
        place.says("resume", "job")
        place.until(lambda: place.phase("job") == "Succeeded")
    assert "job: it is not suspended" in place.complains("resume", "job", code=2)


def test_a_suspension_outlives_the_controller_and_an_edit(place: Place) -> None:
    failing(place)
    with place.up():
        settle(place, RETRY)
        place.says("suspend", "job")
    place.spec("job", bad="true", then="true")
    assert "1 suspended" in place.says("up", "--once")
    place.says("resume", "job")
    place.says("up", "--once")
    assert place.phase("job") == "Succeeded"


def test_restart_ends_what_runs_and_runs_all_anew(place: Place) -> None:
    place.spec("job", first="true", hold=HELD)
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        life = place.folded().workflows["job"]
        place.until(lambda: str(place.folded().workflows["job"].steps["hold"].phase) == "Running")
        place.says("restart", "job")
        place.until(lambda: place.folded().workflows["job"].steps["hold"].numbered == 2)
        (place.specs / "go").touch()
        place.until(lambda: place.phase("job") == "Succeeded")
    after = place.folded().workflows["job"]
    assert (after.uid, after.generation) == (life.uid, life.generation)
    assert [step.numbered for step in after.steps.values()] == [2, 2]


def test_mark_says_by_whom_and_why(place: Place) -> None:
    failing(place)
    with place.up():
        settle(place, MARK)
        place.says(*BY_HAND)
        place.until(lambda: place.phase("job") == "Succeeded")
    step = place.folded().workflows["job"].steps["bad"]
    assert (step.reason, step.numbered) == ("Marked", 1)
    assert step.message.endswith(": by hand")
    assert "already succeeded" in place.complains(*BY_HAND, code=2)


def test_approve_says_what_it_answers_and_by_whom(place: Place) -> None:
    asking(place)
    with place.up():
        settle(place, APPROVE)
        assert place.says(*YES) == "job/ask asks: Fine?\njob: approving ask (applied)\n"
        place.until(lambda: place.phase("job") == "Succeeded")
    step = place.folded().workflows["job"].steps["ask"]
    assert (step.phase, step.reason) == ("Succeeded", "Approved")
    assert step.message == f"approved by {getpass.getuser()}: looks good"


def test_approve_of_what_nobody_asks(place: Place) -> None:
    asking(place)
    place.treadle("up", "--once")
    for words, said in (
        (("job", "then"), '"then" is not waiting for a person: it has no `approve`'),
        (("job", "nope"), 'job has no step "nope"'),
        (("job",), "name the step that asks: treadle approve job STEP"),
    ):
        assert (
            said
            in place.treadle("approve", *words, code=5 if "nope" in words else 2).stderr.decode()
        )
    place.treadle("approve", "job", "ask")
    assert place.complains("approve", "job", "ask", "--reject", code=2) == (
        'treadle: job: "ask" is not waiting for a person: it is Succeeded (approved by '
        f"{getpass.getuser()})"
    )
    assert "can't be marked" in place.complains(
        "mark", "job", "ask", "--succeeded", "--reason", "x", code=2
    )


def test_what_people_see_of_a_step_that_asks(place: Place) -> None:
    asking(place)
    said = place.says("up", "--once")
    assert "job/ask Pending: waiting for approval: Fine? (treadle approve job ask)" in said
    assert "done: 1 waiting for approval" in said
    again = place.says("up", "--once").splitlines()[0]  # it is shown, and not asked again
    assert again.endswith("job/ask waiting for approval: Fine? (treadle approve job ask)")
    answers = "treadle approve job ask · treadle approve job ask --reject"
    assert "waiting for approval: ask" in place.says("get")
    assert "Running?" not in place.says("get")
    for words in (("status", "job"), ("explain", "job"), ("explain", "job", "ask")):
        assert answers in place.says(*words)
        assert "Fine?" in place.says(*words)
    assert "Fine?" in place.says("events", "job")
    shown = place.shape("job")["status"]
    assert (shown["phase"], shown["reason"]) == ("Running", "AwaitingApproval")
    assert shown["steps"][0]["reason"] == "AwaitingApproval"
    assert shown["steps"][0]["approval"]["number"] == 1
    assert shown["steps"][1]["approval"] is None


def test_a_question_can_not_steer_the_terminal(place: Place) -> None:
    asking(place)
    path = place.specs / "job.yaml"
    path.write_text(path.read_text().replace("Fine?", "\\u001b[31m\\nred"))
    place.treadle("up", "--once")
    of_step = [(verb, "job", "ask") for verb in ("status", "explain", "logs")]
    of_all = [("get",), ("events",), ("status", "job"), ("explain", "job")]
    for words in (*of_all, *of_step, ("approve", "job", "ask", "--dry-run")):
        assert "\x1b" not in place.says(*words), words
        assert not any(line.startswith("red") for line in place.says(*words).splitlines()), words


def test_cancel_of_what_run_began_is_a_request(place: Place) -> None:
    (place.specs / "job.yaml").unlink(missing_ok=True)
    (place.root / "job.yaml").write_text(document("job", hold=HELD))
    driver = place.begin("run", "job.yaml")
    place.until(lambda: place.phase("job") == "Running")
    said = place.says("cancel", "job", "--reason", "enough")
    assert said == "job: cancelling (applied)\n"
    driver.communicate(timeout=30)
    assert driver.returncode == 1
    shown = place.shape("job")["status"]
    assert shown["phase"] == "Cancelled"
    assert "enough" in shown["message"]


def test_delete_of_what_run_began_needs_its_end_and_takes_it_out_of_the_list(place: Place) -> None:
    (place.root / "once.yaml").write_text(document("once", hold=HELD))
    driver = place.begin("run", "once.yaml")
    place.until(lambda: place.phase("once") == "Running")
    said = place.complains("delete", "once", code=2)
    assert said == "treadle: once: it has not finished; cancel it first: treadle cancel once"
    (place.root / "go").touch()
    assert driver.wait(30) == 0
    assert place.says("delete", "once", "--dry-run") == "once: would be deleted\n"
    with place.up():
        assert place.says("delete", "once") == "once: deleting (applied)\n"
        assert "once" not in place.says("get", "-o", "name")
        assert "no longer in force" in place.says("status", "once")
    assert "and it was deleted" in place.complains("delete", "once", code=5)


def test_delete_right_after_apply_removes_the_file_although_a_run_has_the_name(
    place: Place,
) -> None:
    (place.root / "once.yaml").write_text(document("once", a="true"))
    place.says("run", "once.yaml")
    place.says("apply", "-f", "once.yaml")
    done = place.treadle("delete", "once")
    assert done.stdout == b"once: deleted (specs/once.yaml)\n"
    assert b"to delete that as well: treadle delete once" in done.stderr
    assert not (place.specs / "once.yaml").exists()
    assert place.says("delete", "once").startswith("once: deleting (requested; no controller")


def test_an_answer_says_what_is_next(place: Place) -> None:
    place.spec("job", bad="exit 1")
    place.says("up", "--once", code=1)
    assert b"follow it: treadle logs -f job" in place.treadle("retry", "job").stderr
    place.says("up", "--once", code=1)
    assert b"until you run: treadle resume job" in place.treadle("suspend", "job").stderr
    place.says("up", "--once", code=1)
    assert "(suspended) 1 failed (bad)" in place.says("get")
    assert "suspended: nothing starts" in place.says("status", "job")
    assert place.says("explain", "job").splitlines()[0].endswith("1 failed (bad); suspended")
    assert b"it starts after: treadle resume job" in place.treadle("restart", "job").stderr


# ---------------------------------------- files


def test_apply_replaces_the_file_that_defines_it(place: Place) -> None:
    (place.specs / "sub").mkdir()
    path = place.spec("job", "sub/whatever.yml", only="true")
    said = place.says("apply", "-f", "-", stdin=document("job", only="echo two").encode())
    assert said == "job: replaced (specs/sub/whatever.yml)\n"
    assert "echo two" in path.read_text()
    assert os.listdir(place.specs) == ["sub"]
    said = place.says("apply", "-f", "-", stdin=document("job", only="echo two").encode())
    assert said == "job: unchanged (specs/sub/whatever.yml)\n"


def test_apply_writes_a_new_file(place: Place) -> None:
    said = place.says("apply", "-f", "-", stdin=document("job", only="true").encode())
    assert said == "job: written (specs/job.yaml)\n"
    assert os.listdir(place.specs) == ["job.yaml"]


def test_apply_keeps_the_mode_and_follows_a_symlink(place: Place) -> None:
    (place.specs / ".real").mkdir()
    real = place.spec("job", ".real/job.yaml", only="true")
    real.chmod(0o640)
    (place.specs / "link.yaml").symlink_to(".real/job.yaml")
    place.treadle("apply", "-f", "-", stdin=document("job", only="echo two").encode())
    assert (place.specs / "link.yaml").is_symlink()
    assert "echo two" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_apply_mends_a_broken_file(place: Place) -> None:
    (place.specs / "job.yaml").write_text("apiVersion: treadle.dev/v1\nkind: [unclosed\n")
    said = place.says("apply", "-f", "-", stdin=document("job", only="true").encode())
    assert said == "job: replaced (specs/job.yaml)\n"


def test_apply_of_an_invalid_spec_names_every_fault_and_writes_nothing(place: Place) -> None:
    text = document("job", only="true").replace('"run"', '"runn"').replace("v1", "v9")
    (place.root / "bad.yaml").write_text(text)
    done = place.treadle("apply", "-f", "bad.yaml", code=2)
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) >= 2
    assert all(line.startswith(b"bad.yaml:") for line in done.stderr.splitlines())
    assert os.listdir(place.specs) == []


def test_apply_takes_what_get_gives(place: Place) -> None:
    place.spec("job", only="true")
    place.treadle("up", "--once")
    given = place.treadle("get", "job", "-o", "yaml").stdout
    assert place.says("apply", "-f", "-", stdin=given) == "job: replaced (specs/job.yaml)\n"
    place.treadle("up", "--once")
    shown = place.shape("job")
    assert shown["metadata"]["generation"] == 1
    assert len(shown["status"]["steps"][0]["attempts"]) == 1


def two_in_one(place: Place) -> None:
    text = f"{document('one', a='true')}\n---\n{document('two', a='true')}\n"
    (place.specs / "both.yaml").write_text(text)


def test_apply_and_delete_leave_a_shared_file_alone(place: Place) -> None:
    two_in_one(place)
    (place.root / "one.yaml").write_text(document("one", a="echo 2"))
    before = (place.specs / "both.yaml").read_text()
    said = place.complains("apply", "-f", "one.yaml", code=2)
    assert said.endswith("both.yaml also defines two, which would be removed; edit the file")
    said = place.complains("delete", "one", code=2)
    assert said == "treadle: specs/both.yaml also defines two: remove one by hand"
    assert (place.specs / "both.yaml").read_text() == before


TEMPLATE = """\
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: chain}
spec: {params: {rows: {type: integer}}, steps: [{name: a, run: "true"}]}
"""
USER = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: job}
spec:
  steps: [{name: a, template: {name: chain, params: {rows: 5}}}]
"""


def test_apply_of_a_template_and_of_what_uses_it(place: Place) -> None:
    (place.root / "job.yaml").write_text(USER)
    said = place.treadle("apply", "-f", "job.yaml", code=2).stderr.decode()
    assert said.startswith(
        'job.yaml:5:38: spec.steps[0].template.name: no template is named "chain"'
    )
    (place.specs / "lib").mkdir()
    path = place.specs / "lib" / "all.yaml"
    path.write_text(TEMPLATE.replace("true", "false"))
    said = place.says("apply", "-f", "-", stdin=TEMPLATE.encode())
    assert said == "template chain: replaced (specs/lib/all.yaml)\n"
    assert path.read_text() == TEMPLATE
    path.unlink()
    said = place.says("apply", "-f", "-", stdin=TEMPLATE.encode())
    assert said == "template chain: written (specs/chain.yaml)\n"
    assert place.says("apply", "-f", "job.yaml") == "job: written (specs/job.yaml)\n"
    place.treadle("up", "--once")
    given = place.treadle("get", "job", "-o", "yaml").stdout
    assert place.says("apply", "-f", "-", stdin=given) == "job: replaced (specs/job.yaml)\n"
    place.treadle("up", "--once")
    assert place.shape("job")["metadata"]["generation"] == 1


def test_apply_of_several_files_writes_all_of_them_or_none(place: Place) -> None:
    (place.root / "chain.yaml").write_text(TEMPLATE)
    (place.root / "job.yaml").write_text(USER)
    (place.root / "bad.yaml").write_text("kind: Workflow\n")
    files = ("-f", "job.yaml", "-f", "chain.yaml")
    place.treadle("apply", *files, "-f", "bad.yaml", code=2)
    twice = place.treadle("apply", "-f", "job.yaml", *files, code=2).stderr.decode()
    assert "specs/job.yaml would be written twice" in twice
    assert not list(place.specs.glob("*.yaml"))
    said = "template chain: written (specs/chain.yaml)\njob: written (specs/job.yaml)\n"
    assert place.says("apply", *files) == said


def test_apply_and_delete_keep_a_template_in_the_file(place: Place) -> None:
    text = f"{document('one', a='true')}\n---\n{TEMPLATE}"
    (place.specs / "both.yaml").write_text(text)
    (place.root / "one.yaml").write_text(document("one", a="echo 2"))
    said = place.complains("apply", "-f", "one.yaml", code=2)
    assert said.endswith("both.yaml also defines the template chain, which would be removed; "
                         "edit the file")  # fmt: skip
    said = place.complains("delete", "one", code=2)
    assert said == "treadle: specs/both.yaml also defines the template chain: remove one by hand"
    (place.root / "chain.yaml").write_text(TEMPLATE)
    said = place.complains("apply", "-f", "chain.yaml", code=2)
    assert said.endswith("both.yaml also defines one, which would be removed; edit the file")
    assert (place.specs / "both.yaml").read_text() == text


def test_apply_leaves_a_file_that_is_no_spec_alone(place: Place) -> None:
    (place.specs / "job.yaml").write_text("some: other\n")
    (place.root / "job.yaml").write_text(document("job", a="true"))
    said = place.complains("apply", "-f", "job.yaml", code=2)
    assert said.startswith("treadle: specs/job.yaml exists and is not a spec")


def test_delete_of_a_name_that_two_files_define_removes_neither(place: Place) -> None:
    place.spec("job", "a.yaml", only="true")
    place.spec("job", "b.yaml", only="true")
    said = place.complains("delete", "job", code=2)
    assert "defined in specs/a.yaml and specs/b.yaml" in said
    assert sorted(os.listdir(place.specs)) == ["a.yaml", "b.yaml"]


def test_delete_all_confirms_and_removes_nothing(place: Place) -> None:
    place.spec("job", only="true")
    place.treadle("up", "--once")
    assert "missing from the folder: requested" in place.says("delete", "--all")
    assert os.listdir(place.specs) == ["job.yaml"]
    place.treadle("up", "--once")
    assert place.phase("job") == "Succeeded"
    assert os.listdir(place.state / "requests") == []


# ---------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cancel", "jbo"), 5, 'treadle: no workflow is named "jbo"; did you mean "job"?'),
        (("retry", "jbo"), 5, 'treadle: no workflow is named "jbo"; did you mean "job"?'),
        (("delete", "jbo"), 5, 'treadle: no workflow is named "jbo"; did you mean "job"?'),
        (("cancel", "job", "onyl"), 5, 'treadle: job has no step "onyl"; did you mean "only"?'),
        (("retry", "job", "onyl"), 5, 'treadle: job has no step "onyl"; did you mean "only"?'),
        (("apply", "-f", "none.yaml"), 5, "treadle: none.yaml: no such file"),
        (("delete",), 2, "treadle: delete needs a NAME or --all"),
        (("delete", "job", "--all"), 2, "treadle: delete needs a NAME or --all"),
    ],
)
def test_a_mistake_is_one_clear_line(
    place: Place, words: tuple[str, ...], code: int, said: str
) -> None:
    place.spec("job", only="true")
    place.treadle("up", "--once")
    assert place.complains(*words, code=code) == said


def test_a_missing_specs_folder_is_one_clear_line(place: Place) -> None:
    (place.root / "job.yaml").write_text(document("job", only="true"))
    place.specs.rmdir()
    said = place.complains("apply", "-f", "job.yaml", code=2)
    assert said == (
        f"treadle: {place.specs}: no such folder; make it, or name the specs folder with --specs"
    )


def test_another_specs_folder_than_that_of_the_state_is_refused(place: Place) -> None:
    place.spec("job", only="true")
    place.treadle("up", "--once")
    (place.root / "other").mkdir()
    said = place.complains("delete", "job", "--specs", "other", code=2)
    assert f"belongs to the specs folder {place.specs}" in said


def test_who_retried_and_why_is_recorded(place: Place) -> None:
    failing(place)
    with place.up():
        settle(place, RETRY)
        place.says("retry", "job", "--reason", "the disk is back")
        place.until(lambda: place.phase("job") == "Succeeded")
    said = f"retry requested by {getpass.getuser()}: the disk is back"
    assert said in place.says("events", "job") and said in place.says("explain", "job", "bad")


def test_what_is_asked_for_without_a_controller_follows_what_was_asked_before(place: Place) -> None:
    """Each is judged as it will be when those before it have been carried out."""
    failing(place)
    with place.up():
        settle(place, RETRY)
    place.says("suspend", "job", "--reason", "look first")
    place.says("resume", "job")
    assert "is not suspended" in place.complains("resume", "job", code=2)
    place.says("restart", "job")
    assert "nothing to cancel" not in place.says("cancel", "job", "--dry-run")
    assert (len(list((place.state / "requests").glob("[!.]*.json")))) == 3
    with place.up():
        place.until(lambda: place.phase("job") == "Succeeded")
    assert not place.folded().workflows["job"].suspension
    assert place.folded().workflows["job"].steps["bad"].numbered == 2


def test_what_is_gone_starts_nothing_while_that_is_not_yet_believed(place: Place) -> None:
    failing(place)
    with place.up():
        settle(place, RETRY)
    place.says("retry", "job")
    (place.specs / "job.yaml").unlink()
    place.treadle("up", "--once")
    (life,) = place.folded().lives.values()
    assert life.deleting and life.steps["bad"].numbered == 1
