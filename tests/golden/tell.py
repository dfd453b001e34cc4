"""Writes a golden log: `PYTHONPATH=tests python -m golden.tell FOLDER`.

Made once for each schema of the log, when it is new, and never again: what users have on their
disks does not change either. The story has every type of event.
"""

import sys
from itertools import groupby
from pathlib import Path
from typing import get_args

import msgspec
from msgspec.structs import replace
from story import Story, a_step, document

from controller.errors import Fault
from controller.intake.requests import answer
from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter
from controller.model import events as e
from controller.model.apply.fold import replay
from controller.model.image import freeze
from controller.model.observations import Request
from controller.model.state import State
from controller.planner.actions import Accept, Fire
from controller.spec.models import DefaultsSpec
from controller.spec.reading.load import Document
from controller.spec.triggers.trigger import Firing
from controller.view.lists.listing import listed, shape_of
from controller.view.shape import ControllerShape
from controller.view.status import list_shape

CHAIN = [
    a_step("extract", retry={"limit": 1, "exitCodes": [75, "100-110"]}, timeoutSeconds=60),
    a_step("load", "extract", env={"LANG": "C", "PORT": 8080}, continueOnFailure=True),
    a_step("alarm", {"step": "load", "condition": "Failed"}, workingDir="sub"),
    a_step("report", {"step": "load", "condition": "Finished"}, command=["python3", "r.py"]),
]
EDITED = [*CHAIN[:3], {**CHAIN[3], "command": ["python3", "report.py"]}]
POINTS = 12  # of the past, whose state is kept beside the log


def ask(story: Story, name: str, kind: str, workflow: str, **fields: object) -> None:
    request = Request(name=name, kind=kind, workflow=workflow, by="somebody", **fields)  # type: ignore[arg-type]
    asked, *consequences = answer(story.state, request) or []
    story.promise(asked)
    cause = story.state.seq
    for action in consequences:
        story.promise(action, cause)
    story.settle()


def tell() -> Story:
    story = Story()
    story.see(e.FolderAdopted(folder="/specs", device=7, inode=8))
    story.accept(CHAIN, "etl", activeDeadlineSeconds=3600, parallelism=2, priority=1)
    etl = {"workflow": "etl"}
    story.start("extract", **etl).wait(3).exit("extract", 75, **etl).wait(2)
    story.start("extract", **etl).see(e.MachineSlept(seconds=300.0)).see(
        e.ClockStepped(seconds=-3600.0)
    )
    story.wait(1).exit("extract", **etl).exit("load", 1, **etl)
    story.start("alarm", **etl).exit("report", **etl).exit("alarm", **etl)
    story.accept(EDITED, "etl").accept(CHAIN, "etl")  # back before it ran: restored
    story.end("report", how="withdrawn", **etl)
    story.see(e.SourceChanged(uid=story.life("etl").uid, path="sub/etl.yaml", labels={"a": "b"}))
    fault = Fault(file="specs/etl.yaml", line=3, column=5, problem="no kind", hint="say Workflow")
    story.see(e.FileRejected(path="sub/etl.yaml", digest="d", faults=[fault], names=["etl"]))
    story.see(e.FileCleared(path="sub/etl.yaml"))
    story.see(e.FileRejected(path="new.yaml", digest="d", faults=[fault], names=["new"]))
    story.accept([a_step("slow", timeoutSeconds=5), a_step("next", "slow"), a_step("lone")], "job")
    job = {"workflow": "job"}
    story.start("slow", "lone", **job).wait(6).end("slow", **job)
    story.mark(path="job.cancel", steps=["lone"], reason="not today", by="me", **job)
    lone = {"uid": story.life("job").uid, "step": "lone", "attempt": 1}
    story.see(e.AttemptEndFailed(**lone, pids=[7, 9])).end("lone", **job)
    story.see(e.MarkerRejected(path="x.cancel", digest="d", problem="no such step", **job))
    story.unmark(path="job.cancel", **job)
    ask(story, "1-1-a", "retry", "job", steps=["slow"], downstream=True)
    ask(story, "1-2-b", "retry", "none")
    story.exit("slow", **job).start("next", **job)
    story.accept([a_step("slow", timeoutSeconds=5)], "job").end("next", **job)
    story.accept([a_step("wait")], "held", suspend=True).wait(9)
    story.accept([a_step("wait")], "held")
    story.start("wait", workflow="held")
    story.controller_starts(boot_id="another")
    story.end("wait", workflow="held", how="lost", problem="the machine was rebooted")
    story.wait(2).start("wait", workflow="held").delete("held").end("wait", workflow="held")
    story.accept([a_step("a"), a_step("b"), a_step("c", "b")], "fast", failFast=True)
    story.start("a", workflow="fast").exit("b", 2, workflow="fast").end("a", workflow="fast")
    story.wait(1)
    story.accept([a_step("a"), a_step("b", "a")], "hand").exit("a", 1, workflow="hand")
    ask(story, "2-1-a", "suspend", "hand", reason="maintenance")
    ask(story, "2-2-b", "mark", "hand", steps=["a"], reason="done by hand")
    ask(story, "2-3-c", "resume", "hand")
    story.accept([a_step("a", retry={"limit": 1})], "old", ttlSecondsAfterFinished=60)
    story.exit("a", 1, workflow="old").wait(2).exit("a", workflow="old").wait(70)
    later = document([a_step("a", run="other")], "later", editPolicy="AfterRun")
    story.accept([a_step("a")], "later").start("a", workflow="later")
    uid = story.life("later").uid
    story.see(e.EditDeferred(uid=uid, generation=2, document=later, path="later.yaml"))
    story.see(e.EditTakenBack(uid=uid, generation=3))
    story.see(e.EditDeferred(uid=uid, generation=4, document=later, path="later.yaml"))
    story.exit("a", workflow="later").exit("a", workflow="later")
    story.accept(
        [a_step("a", onRemoved="Finish", onChanged="KeepResult"), a_step("b", "a")], "keeps"
    )
    story.exit("a", workflow="keeps").exit("b", workflow="keeps")
    story.accept([a_step("a", run="other", onChanged="KeepResult"), a_step("b", "a")], "keeps")
    story.accept([a_step("a")], "gone", ttlSecondsAfterFinished=60).exit("a", workflow="gone")
    story.delete("gone").wait(70)
    story.accept([a_step("a")], "gone").exit("a", workflow="gone")  # its second run, another life
    tell_of_data(story)
    once = Document(workflow=document([a_step("a")], "once"), line=1)
    ask(story, "3-1-a", "run", "once", document=once, path="/once.yaml")
    return story.start("a", workflow="once")


def tell_of_data(story: Story) -> None:
    """Params that are given, outputs, conditions, what expressions give, and an edit refused."""
    count = a_step(
        "count",
        env={"DAY": "${{ params.day }}", "KEY": {"fromEnv": "KEY"}},
        outputs={"rows": "integer", "names": "array"},
        timeoutSeconds="${{ params.seconds }}",
    )
    many = a_step(
        "many",
        "count",
        when="${{ steps.count.outputs.rows > params.least }}",
        command=["load", "${{ steps.count.outputs.names }}"],
        skipExitCodes=[99],
    )
    few = a_step("few", "count", when="${{ steps.count.outputs.rows <= params.least }}")
    last = a_step(
        "last",
        "many",
        "few",
        env={"OF": "${{ steps.count.outputs.names[7] }}"},
        onChanged="KeepResult",
    )
    params = {"day": {"type": "string"}, "least": 3, "seconds": 60.5}
    spec = {"params": params, "inheritEnv": ["PATH"], "envFrom": [{"file": "a.env"}]}
    wanted = document([count, many, few, last], "data", **spec)
    given = {"day": "2026-11-29"}
    asked = Document(workflow=wanted, line=1)
    ask(story, "2-9-z", "run", "data", document=asked, path="/data.yaml", params=given)
    data = {"workflow": "data"}
    story.exit("count", outputs=b"rows=x\n", **data)  # fails, for good
    ask(story, "2-9-zz", "mark", "data", steps=["count"], outputs={"rows": 5, "names": ["a", "b"]})
    story.exit("many", 99, **data)
    uid = story.life("data").uid
    less = document([count, many, few, last], "data", **{**spec, "params": {**params, "least": 9}})
    story.promise(Accept(document=less, path="/data.yaml", uid=uid))
    story.settle()
    story.see(e.EditRejected(uid=uid, path="/data.yaml", problem="param day: expected an integer"))
    story.see(e.EditRejected(uid=uid, path="/data.yaml", problem=""))
    if story.step("few", "data").live is not None:
        story.exit("few", **data)
    tell_of_children(story)


def tell_of_children(story: Story) -> None:
    """A matrix, a list from outputs, a child that fails, edits of the list and of the order."""
    of = {"workflow": "many"}
    matrix = {"matrix": {"os": ["a", "b"], "py": [1, 2]}, "exclude": [{"os": "b", "py": 2}]}
    build = a_step("build", forEach=matrix, parallelism=2, env={"OS": "${{ item.os }}"})
    find = a_step("find", outputs={"names": "array"})
    load = a_step(
        "load",
        {"step": "build", "condition": "Finished"},
        "find",
        forEach="${{ steps.find.outputs.names }}",
        key="${{ item.k }}",
        env={"K": "${{ item.k }}", "N": "${{ index }}"},
        when="${{ item.k != 'no' }}",
        outputs={"rows": "integer"},
    )
    last = a_step(
        "last",
        {"step": "load", "condition": "Finished"},
        env={"OF": "${{ size(steps.load.outputs.rows) }}"},
    )
    story.accept([build, find, load, last], "many")
    story.start("build[a-1]", **of).exit("build[a-2]", 1, **of)
    names = b'{"names": [{"k": "x"}, {"k": "no"}, {"k": "x"}, {"k": "a b"}]}'
    story.exit("find", outputs=names, **of).exit("build[a-1]", **of).exit("build[b-1]", **of)
    story.exit("load[x]", outputs=b"rows=1", **of).exit("load[x#2]", 1, **of)
    story.exit(next(iter(story.live("many"))), outputs=b"rows=2", **of).exit("last", **of)
    fewer = {**matrix, "matrix": {"os": ["b", "a"], "py": [1]}, "include": [{"os": "c"}]}
    story.accept([{**build, "forEach": fewer}, find, load, last], "many")
    story.start("build[c]", **of)
    story.accept([{**build, "forEach": ["a-1"], "onRemoved": "Finish"}, find, load], "many")
    tell_of_approvals(story)


def tell_of_approvals(story: Story) -> None:
    """Yes, no, nobody in time; questions that are taken back, and one that stays."""
    of = {"workflow": "asks"}
    policies = {"message": "Numbers of ${{ workflow.name }} fine?", "timeoutSeconds": 60}
    steps = [
        a_step("a"),
        a_step("yes", "a", approve=policies, when="${{ params.ask }}"),
        a_step("no", "a", approve={"message": "?"}, continueOnFailure=True),
        a_step("late", "a", approve=policies, continueOnFailure=True),
        a_step("b", "yes", "no", "late"),
    ]
    spec = {"params": {"ask": True}}
    story.accept(steps, "asks", **spec).exit("a", **of).wait(30)
    ask(story, "4-1-a", "suspend", "asks")
    story.wait(100)
    ask(story, "4-2-b", "resume", "asks")
    story.retry("a", **of).exit("a", **of).wait(30)  # all are asked anew
    numbers = {name: step.questions for name, step in story.life("asks").steps.items()}
    ask(story, "4-3-c", "approve", "asks", steps=["yes"], question=1)  # no longer asked
    for name, step, fields in (
        ("4-4-d", "yes", {"reason": "looks good"}),
        ("4-5-e", "no", {"approved": False, "reason": "too few"}),
    ):
        ask(story, name, "approve", "asks", steps=[step], question=numbers[step], **fields)
    story.wait(31).exit("b", **of)
    story.accept([*steps[:4], a_step("c", "no", approve={"message": "more?"})], "asks", **spec)
    tell_of_pools(story)
    tell_of_defaults(story)
    tell_of_hooks(story)


def tell_of_pools(story: Story) -> None:
    """One that is edited, and one that goes; who holds and who waits, for long too."""
    story.see(e.PoolAccepted(name="gpu", slots=2, path="pools.yaml"))
    story.see(e.PoolAccepted(name="api", slots=9, path="pools.yaml"))
    of = {"workflow": "shares"}
    big, lock = {"pool": "gpu", "slots": 2}, {"lock": "of-${{ params.who }}"}
    steps = [
        a_step("a", uses=["gpu", lock]),
        a_step("b", uses=["gpu"], retry={"limit": 1}),
        a_step("c", uses=[big]),
        a_step("d", uses=["gpu"]),
        a_step("e", uses=["api", lock]),
        a_step("f", uses=["none"]),
    ]
    story.accept(steps, "shares", params={"who": "ada"}).wait(9)
    story.exit("b", 1, **of).wait(9).wait(301).exit("a", **of)
    story.see(e.PoolAccepted(name="gpu", slots=1, path="gpu.yaml")).settle()
    story.see(e.PoolRemoved(name="api")).settle()
    edited = [*steps[:2], a_step("c", uses=["gpu"]), *steps[3:]]
    story.accept(edited, "shares", params={"who": "bob"})
    story.exit(min(story.live("shares")), **of)


def tell_of_defaults(story: Story) -> None:
    """Those of two folders, and what they change for a step that runs and one that fails."""
    policy = {"defaults": {"timeoutSeconds": 60, "retry": {"limit": 1, "backoff": {"factor": 3}}}}
    house, team = (
        msgspec.convert(one, DefaultsSpec)
        for one in (policy | {"ttlSecondsAfterFinished": 50}, {"defaults": {"timeoutSeconds": 20}})
    )
    story.see(e.DefaultsAccepted(folder="", path="all.yaml", spec=house, by="me"))
    story.accept([a_step("a"), a_step("b", timeoutSeconds=9)], "hold").start("a", workflow="hold")
    life = story.life("hold")
    story.see(e.SourceChanged(uid=life.uid, path="team/hold.yaml"))
    story.see(e.DefaultsAccepted(folder="team", path="team/x.yaml", spec=team)).wait(21)
    story.end("a", workflow="hold").wait(1).exit("b", 1, workflow="hold").wait(1)
    story.see(e.DefaultsRemoved(folder="")).exit("a", workflow="hold")
    story.exit("b", 1, workflow="hold").wait(60)


def tell_of_hooks(story: Story) -> None:
    """Of a run that fails, of one that is cancelled, and hooks that a marker stops."""
    of = {"workflow": "hooked"}
    page = {
        "name": "page",
        "run": "page $ROWS",
        "env": {"ROWS": "${{ steps.a.outputs.rows }}"},
        "when": "${{ run.lastPhase != 'Failed' }}",
        "retry": {"limit": 1},
    }
    tidy = [
        {"name": "tidy", "command": ["rm", "x"], "timeoutSeconds": 9},
        {"name": "two", "run": "2"},
    ]
    spec = {
        "onStart": [{"name": "hello", "run": "hello"}],
        "onFailure": [page],
        "onCancel": [page],
        "onExit": tidy,
    }
    steps = [a_step("a", outputs={"rows": "integer"}), a_step("b", "a")]
    story.accept(steps, "hooked", hooks=spec).start("a", **of).exit("onStart/hello", 2, **of)
    story.exit("a", outputs=b"rows=5", **of).exit("b", 1, **of)
    story.exit("onFailure/page", 1, **of).wait(9)
    waits = document(steps, "hooked", hooks={"onExit": tidy[:1]})
    uid = story.life("hooked").uid
    story.see(e.EditDeferred(uid=uid, generation=2, document=waits, path="hooked.yaml"))
    story.exit("onFailure/page", **of).start("onExit/tidy", **of).wait(10).end("onExit/tidy", **of)
    story.exit("onExit/two", **of).start("b", **of)
    story.mark(path="hooked.cancel", **of).end("b", **of).start("onExit/tidy", **of)
    story.mark(path="hooked.cancel", hooks=False, **of).end("onExit/tidy", **of)
    story.unmark(path="hooked.cancel", **of).accept(steps, "hooked", hooks=spec)
    story.start("b", **of).start("onStart/hello", **of)
    tell_of_triggers(story)


def tell_of_triggers(story: Story) -> None:
    """Due times that start, queue, are skipped, missed and excluded; files, runs, people; edits."""
    night = {
        "name": "night",
        "schedule": "0 * * * *",
        "exclude": ["2023-11-20"],
        "jitterSeconds": 60,
        "params": {"date": "${{ trigger.date }}"},
    }
    drop = {"name": "drop", "files": {"path": "in/*.csv"}, "params": {"date": ""}}
    steps = [a_step("a", env={"DATE": "${{ params.date }}"}), a_step("b", "a")]
    spec = {"params": {"date": {"type": "string"}}, "concurrency": {"policy": "Queue", "limit": 1}}
    story.accept([a_step("x")], "feed", triggers=[{"after": {"workflow": "nightly"}}])
    story.accept(steps, "nightly", triggers=[night, drop], **spec, keepInstances=1)
    uid = story.life("nightly").uid
    story.wait(3700).wait(3600)
    first, second = (life.name for life in story.state.workflows.values() if life.birth)
    story.exit("a", workflow=first).exit("b", workflow=first).start("a", workflow=second)
    file = e.FileTaken("/specs/in/a.csv", 5, 7)
    facts = Firing(name="drop", kind="files", key="k1", files=[file.path])
    story.promise(Fire(uid=uid, trigger="drop", key="k1", file=file, facts=facts))
    story.see(e.InputsSeen(uid=uid, trigger="drop", gone=[file.path], device=7)).settle()
    edited = [a_step("a", run="other"), steps[1]]
    story.accept(edited, "nightly", triggers=[night, drop], **spec, keepInstances=1)
    story.end("a", workflow=second).exit("a", workflow=second).exit("b", 1, workflow=second)
    ask(story, "5-1-a", "start", "nightly", key="by-hand", params={"date": "2023-11-01"})
    ask(story, "5-2-b", "start", "nightly", key="by-hand", params={"date": "2023-11-01"})
    ask(story, "5-3-c", "suspend", "nightly")
    story.wait(7200)
    ask(story, "5-4-d", "resume", "nightly")
    story.now += 5 * 86_400 * 1_000_000
    story.controller_starts()
    story.settle()
    due = story.state.lives[uid].starter.triggers["night"].mark  # type: ignore[union-attr]
    ask(story, "5-5-e", "backfill", "nightly", trigger="night", dues=[due - 7200, due - 3600])
    story.see(e.ClockStepped(seconds=-7200.0)).settle()
    story.see(e.InputsSeen(uid=uid, trigger="drop", back=[file.path], device=7)).settle()
    story.wait(60)
    tell_of_engines(story)


def tell_of_engines(story: Story) -> None:
    """Jobs that are held, that wait, that run and that can't be ended; containers; a limit."""
    of = {"workflow": "far"}
    story.limits = replace(story.limits, engines={"slurm": 4})
    job = {"slurm": {"partition": "gpu", "args": ["--qos=low"]}}
    box = {"container": {"image": "py:${{ params.v }}", "mounts": [{"from": "data", "to": "/d"}]}}
    policy = msgspec.convert({"engines": {"slurm": {"sharedDir": "/s"}}}, DefaultsSpec)
    story.see(e.DefaultsAccepted(folder="", path="d.yaml", spec=policy, by="me"))
    steps = [
        a_step("held", resources={"cpu": 2, "memory": "1Gi", "gpu": 1}),
        a_step("waits", timeoutSeconds=60),
        a_step("runs", retry={"limit": 1}),
        a_step("later"),
        a_step("box", executor=box),
        a_step("here", executor="local"),
        a_step("last", "runs", executor={"slurm": {"partition": "cpu"}}),
    ]
    hooks = {"onExit": [{"name": "tidy", "run": "x", "executor": job}]}
    story.accept(steps, "far", executor=job, params={"v": "3"}, hooks=hooks)
    story.submit("held", "waits", **of).wait_there("waits", "Resources", **of)
    story.wait_there("waits", "Priority", **of).start("waits", "box", **of)
    lost = {"how": "lost", "problem": "node n7 failed", "engine_reason": "NODE_FAIL"}
    story.start("runs", **of).wait(9).end("runs", **of, **lost)
    story.wait(9).exit("runs", 1, **of).wait(9)
    story.accept([*steps[:3], {**steps[3], "executor": "local"}, *steps[4:]], "far",
                 executor=job, params={"v": "4"}, hooks=hooks)  # fmt: skip
    story.wait(60).survive("waits", "slurmctld does not answer", **of)
    story.end("box", **of)
    notes = ("EndUnproven: node n7",)
    story.end("waits", signal=9, engine_reason="TIMEOUT", timed_out=True, notes=notes, **of)


def shown(state: State) -> object:
    """As `get -o json` shows it; of the controller only what the log knows."""
    shapes = [shape_of(state, one) for one in listed(state, lambda labels: True)]
    controller = ControllerShape(phase="Unknown", pid=None, epoch=state.epoch, conditions=[])
    return msgspec.to_builtins(list_shape(shapes, controller))


def main(folder: Path) -> None:
    story = tell()
    told = {type(record.event) for record in story.records}
    missing = {kind.__name__ for kind in get_args(e.AnyEvent) if kind not in told}
    assert not missing, f"these did not happen: {missing}"
    prepare_state(str(folder))
    log = LogWriter(str(folder))
    for _, turn in groupby(story.records, key=lambda record: record.turn):
        log.append(list(turn))
    log.close()
    (folder / ".gitignore").unlink()  # this one is to be committed
    for empty in ("requests", "runs"):
        (folder / empty).rmdir()
    (folder / "image.json").write_bytes(freeze(replay(story.records)))
    last = story.records[-1].seq
    with (folder / "shown.jsonl").open("wb") as file:
        for seq in [*range(last // POINTS, last, last // POINTS), last]:
            state = replay(story.records[:seq])
            file.write(msgspec.json.encode({"seq": seq, "shown": shown(state)}) + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
