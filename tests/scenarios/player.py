"""The language of the scenario files, and what is written below each command.

A line is a command; what is indented below it is the answer, which `pytest --rewrite` writes. What
happens in one turn stands on one line, with ` + ` between; `given` in front leaves the answer out.

    edit a; b after a; c after b:Failed retry.limit=1 | editPolicy=AfterRun params.p=1
                            the folder has this document now: steps, and behind | policies;
                            what has blanks is quoted: when="${{ params.p > 0 }}"
    template t a; b after a | params.p=1
                            the template t has these steps, from the next `edit` on; one calls it
                            by template.name=t
    delete                  and now it has none
    move team               the document is in that folder of the specs folder now
    defaults [team] defaults.timeoutSeconds=5
                            the Defaults of that folder, or of the specs folder; of no field: none
    pool gpu 2              the pool has so many slots; without a number it is gone
    marker [@KEY] [a b] [drain] [nohooks]
                            a marker is there; it takes the place of the one before
    unmark [@KEY]           it is gone
    start KEY [n=1]         somebody starts an instance of the definition, with these params
    deliver HOOK [KEY] [n=1]
                            the webhook HOOK gets a delivery with this body
    retry|restart|suspend|resume|mark|cancel [@KEY] [a b] [downstream] [drain] [nohooks] [keepspec]
    abandon [@KEY] [a b]    somebody asks for it; `mark` with n=1 gives outputs
    approve a [no] [n]      somebody answers the question of a; that with the number n
    starts a b              the processes of these scheduled attempts exist
    exits a [CODE] [n=1]    the step's process exits, and has written these outputs; it starts
                            first, if need be
    ends a                  the order to end it, or to withdraw it, is carried out
    lost a                  it ended, and nobody saw how
    submitted a b           the engines of these have them, and hold them
    queued a WORDS          why its engine has not started it yet
    survives a WORDS        why it can't be ended
    away slurm              the engines that can't be reached from now on; without a name: none
    wait SECONDS            time goes by
    explain a               why it is so, down to the root
    runs                    what each run came to and why it began, the newest first
    slots N [AHEAD] [slurm=N]
                            so many steps at once, so many queued behind them, so many jobs

An instance of the definition w is @KEY, its step a is a@KEY.

`diff` is what the folder, as it is to be, was said to do, `happens` what did, in order, and
`explain` what is said of workflow and steps now, where that has changed.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from msgspec import UNSET, convert, structs
from story import Story, a_step, document, template

from controller.intake import desired
from controller.intake.requests import FIRES, answer, overtakes, withdrawals
from controller.model import events as e
from controller.model.indexes import wall
from controller.model.observations import Document, FolderSight, Request, SeenFile, SeenMarker
from controller.model.phases import AttemptPhase
from controller.model.state import SECOND
from controller.planner.permission import Limits
from controller.rehearsal.foresee import of_folder
from controller.spec.models import FolderDefaults, Pool
from controller.spec.reading.load import PolicyDocument
from controller.view import words
from controller.view.changes import difference
from controller.view.lists.runs import latest, runs_table
from controller.view.look import Look
from controller.view.story import happened, lines
from controller.view.why.explain import Around, causes

INDENT = "    "
AT_ONCE = desired.AbsenceSettings(settle_seconds=0, mass_settle_seconds=0)
PATH = "w.yaml"
FLAGS = {
    "downstream": ("downstream", True),
    "drain": ("drain", True),
    "nohooks": ("hooks", False),
    "keepspec": ("keep_spec", True),
}
SLOTS = 100
_OF_ENGINES = ("submitted", "queued", "survives", "away")
_REQUESTS = ("retry", "restart", "suspend", "resume", "mark", "cancel", "abandon", "approve")
_TURNS_MAX = 20  # without time going by


def rewrite(text: str) -> str:
    """The same conversation, with the answers that are given now."""
    stage = Stage()
    told: list[str] = []
    for line in text.splitlines():
        if line.startswith(INDENT):
            continue
        told.append(line)
        if line and not line.startswith("#"):
            told += [f"{INDENT}{answered}" for answered in stage.play(line)]
    return "\n".join(told) + "\n"


class Stage:
    """A story, the folder beside it and the requests that wait."""

    def __init__(self) -> None:
        self.story = Told(Limits(max_parallel=SLOTS))
        self.sight = FolderSight(path="/specs", device=1, inode=1)
        self.path = PATH
        self.templates: dict[str, Any] = {}
        self.memory = desired.Memory()
        self.requests: list[Request] = []
        self.asked = 0
        self.known: list[str] = []  # of what `explain` said last

    def play(self, line: str) -> list[str]:
        """What is to be written below this line."""
        quiet = line.startswith("given ")
        deeds = [deed.split(None, 1) for deed in line.removeprefix("given ").split(" + ")]
        if deeds[0][0] == "explain":
            return [*self._explain_step(deeds[0][1])]
        if deeds[0][0] == "runs":
            return [*self._runs()]
        if deeds[0][0] == "template":
            self._set_template(*deeds[0][1].split(None, 1))
            return []
        was = dict(self.sight.files), dict(self.sight.markers)
        later: list[Callable[[], object]] = []
        for verb, *rest in deeds:
            self._do(verb, rest[0] if rest else "", later)
        forecast = was != (self.sight.files, self.sight.markers)
        foretold = self._block("diff", diff(self.story, self.sight)) if forecast else []
        for deed in later:
            deed()
        self._turn()
        if forecast and self.templates:  # a file that calls one is waited for a little longer
            self.story.wait(desired.TOGETHER / SECOND)
            self._turn()
        events, self.story.told = self.story.told, []
        explained = self._news()
        if quiet:
            return []
        return [*foretold, *self._block("happens", events), *self._block("explain", explained)]

    # ------------------------------------ what happens

    def _set_template(self, name: str, text: str) -> None:
        steps, fields = _spec(text)
        self.templates = {**self.templates, name: template(*steps, **fields)}

    def _do(self, verb: str, rest: str, later: list[Callable[[], object]]) -> None:
        """Change the folder at once; what else happens is done when `diff` has been asked."""
        story, said = self.story, [word for word in rest.split() if word not in FLAGS]
        names, values = ([one for one in said if ("=" in one) is given] for given in (False, True))
        flags = dict(FLAGS[flag] for flag in FLAGS if flag in rest.split())
        whom = "w" + "".join(one for one in names if one.startswith("@"))
        names = [one for one in names if not one.startswith("@")]
        if verb in ("edit", "delete", "move", "defaults", "pool", "marker", "unmark"):
            self._write(verb, rest, whom, names, values, flags)
        elif verb == "start":
            self._request(kind="start", key=names[0], params=_fields(values))
        elif verb == "deliver":
            hook, key = (*names, "")[:2]
            self._request(kind="deliver", trigger=hook, key=key, body=_fields(values))
        elif verb == "starts":
            later.append(lambda: self._start(names))
        elif verb == "exits":
            name, *code = names
            outputs = "\n".join(values).encode()
            later.append(lambda: self._exit(name, int(code[0]) if code else 0, outputs))
        elif verb == "ends":
            later += [lambda name=name: story.end(*_step_of(name), settle=False) for name in names]
        elif verb == "lost":
            how = {"how": "lost", "problem": "unseen"}
            later.append(lambda: story.end(*_step_of(rest), settle=False, **how))
        elif verb in _OF_ENGINES:
            self._engine(verb, rest, names, later)
        elif verb == "wait":
            later.append(lambda: story.wait(float(rest)))
        elif verb == "slots":
            of = [int(number) for number in (*names, "0")]
            engines = {name: int(slots) for name, slots in _fields(values).items()}
            story.limits = Limits(max_parallel=of[0], ahead=of[1], engines=engines)
        elif verb in _REQUESTS:
            asked: dict[str, Any] = {"steps": names, "outputs": _fields(values), **flags}
            given = self._answer_of(*names) if verb == "approve" else asked
            self._request(kind=verb, workflow=whom, **given)
        else:
            raise AssertionError(f"{verb} is no command")

    def _engine(
        self, verb: str, rest: str, names: list[str], later: list[Callable[[], object]]
    ) -> None:
        """What engines say, or no longer do."""
        story, (name, _, said) = self.story, rest.partition(" ")
        if verb == "away":
            story.limits = structs.replace(story.limits, away=frozenset(names))
        elif verb == "submitted":
            later += [lambda name=name: story.submit(name) for name in names]
        else:
            tell = story.wait_there if verb == "queued" else story.survive
            later.append(lambda: tell(name, said))

    def _write(
        self,
        verb: str,
        rest: str,
        whom: str,
        names: list[str],
        values: list[str],
        flags: dict[str, bool],
    ) -> None:
        """What people do to the folder."""
        marker = f"{whom}.cancel"
        if verb == "edit":
            self._put(self.path, _file(self.path, rest, self.templates))
        elif verb == "delete":
            self._put(self.path, None)
        elif verb == "move":
            file = self.sight.files[self.path]
            self._put(self.path, None)
            self.path = f"{rest}/{PATH}" if rest else PATH
            self._put(self.path, structs.replace(file, path=self.path))
        elif verb == "defaults":
            path = "/".join([*names, "defaults.yaml"])
            self._put(path, _defaults(path, _fields(values)) if values else None)
        elif verb == "pool":
            path = f"{names[0]}.yaml"
            self._put(path, _pool(path, *names) if names[1:] else None)
        elif verb == "marker":
            self.sight.markers[marker] = SeenMarker(
                path=marker, workflow=whom, digest=rest, steps=tuple(names), **flags
            )
            self.sight.changed.add(marker)
        else:
            del self.sight.markers[marker]
            self.sight.changed.add(marker)

    def _put(self, path: str, file: SeenFile | None) -> None:
        """What the path holds now."""
        self.sight.files.pop(path, None)
        if file is not None:
            self.sight.files[path] = file
        self.sight.changed.add(path)

    def _request(self, **asked: Any) -> None:
        self.asked += 1
        told = {"name": f"{self.asked:03}", "workflow": "w", "by": "ada", **asked}
        self.requests.append(Request(**told))

    def _answer_of(self, name: str, *words: str) -> dict[str, Any]:
        """Yes or no to the question that the step asks, or to that with this number."""
        asking = self.story.step(name).asking
        number = next((int(word) for word in words if word.isdigit()), asking and asking.number)
        return {"steps": [name], "question": number or 0, "approved": "no" not in words}

    def _start(self, names: list[str]) -> None:
        for step, whom in map(_step_of, names):
            self.story.start(step, workflow=whom)

    def _exit(self, name: str, code: int, outputs: bytes) -> None:
        """Its end is seen; nothing is decided before the rest of the turn is seen, too."""
        step, whom = _step_of(name)
        if self.story.attempt(step, whom).phase is AttemptPhase.SCHEDULED:
            self.story.start(step, workflow=whom)
        self.story.end(step, whom, settle=False, exit_code=code, outputs=outputs)

    def _turn(self) -> None:
        """As the loop: look at the folder, answer who asks, decide, until nothing follows."""
        story = self.story
        for _ in range(_TURNS_MAX):
            before = story.state.seq
            self.sight.scanned = story.now
            verdict = desired.judge(story.state, self.sight, story.now, AT_ONCE, self.memory)
            for action in verdict.actions:
                story.promise(action)
            self._answer()
            story.settle()
            if story.state.seq == before:
                return
        raise AssertionError("it turns and turns")

    def _answer(self) -> None:
        waiting, self.requests = self.requests, []
        for request in waiting:
            if self.requests and not overtakes(self.story.state, request):
                self.requests.append(request)
                continue
            if request.kind in FIRES:
                self.story.settle()
            actions = answer(self.story.state, request, self.story.limits.away)
            if actions is None:
                self.requests.append(request)
                actions = [*withdrawals(self.story.state, request)]
            for action in actions:
                self.story.promise(action)

    # ------------------------------------ what is told

    def _block(self, title: str, told: list[str]) -> list[str]:
        return [title, *(f"  {line}" for line in told)] if told else []

    def _news(self) -> list[str]:
        """What `explain` says of workflow and steps, where it says something new."""
        said = [*self._explain()]
        known, self.known = self.known, said
        return [line for line in said if line not in known]

    def _explain(self) -> Iterator[str]:
        state = self.story.state
        for life in [one for one in state.workflows.values() if one.document == "w"]:
            reason, message = words.of_workflow(life)
            yield f"{life.name}  {life.phase} {reason}: {message}"
            key = life.name.removeprefix("w")
            for step in (*life.steps.values(), *life.present_hooks):
                around = Around(runs=True, limits=self.story.limits)
                first = causes(state, life, step, around)[0]
                yield f"{step.name}{key}  {first.phase} {first.reason}: {first.message}"

    def _explain_step(self, word: str) -> Iterator[str]:
        name, whom = _step_of(word)
        life = self.story.life(whom)
        for cause in causes(
            self.story.state, life, life.step(name), Around(runs=True, limits=self.story.limits)
        ):
            whom = f"{cause.step}  {cause.phase} ".lstrip()
            yield f"{'  ' * cause.depth}{whom}{cause.reason}: {cause.message}"

    def _runs(self) -> Iterator[str]:
        """The table of `treadle runs`, without the moments."""
        state = self.story.state
        table = runs_table(state, latest(state.runs, None), Look(now=self.story.now), named=False)
        for mark, number, _started, took, result, why in table.rows:
            yield "  ".join(cell.text for cell in (mark, number, took, result, why))


class Told(Story):
    """A story that puts each record into words."""

    def __init__(self, limits: Limits) -> None:
        self.told: list[str] = []
        super().__init__(limits)
        self.told.clear()  # of the controller's start

    def see(self, event: e.AnyEvent, cause: int = 0) -> Story:
        self.state.moves.clear()
        super().see(event, cause)
        told = [*happened(self.state, self.records[-1], list(self.state.moves))]
        for line in lines(self.now, told, Look(now=self.now), everything=True):
            _seq, _time, rest = line.split(None, 2)  # they would differ with each record more
            self.told.append(re.sub(r" {2,}", "  ", rest))
        return self


def _step_of(word: str) -> tuple[str, str]:
    """`a@KEY`: the step, and the instance of `w` that it is of; else `w` itself."""
    step, at, key = word.partition("@")
    return step, f"w{at}{key}"


def diff(story: Story, sight: FolderSight) -> list[str]:
    """What is said beforehand of the folder as `sight` has it."""
    asked = FolderSight(
        path=sight.path,
        device=sight.device,
        inode=sight.inode,
        scanned=story.now,
        files=dict(sight.files),
        markers=dict(sight.markers),
        changed=set(sight.changed),
    )
    foretold = of_folder(story.state, asked, wall(story.state, story.now))
    told = [next(difference.policy_lines(one, Look(now=0))) for one in foretold.policies]
    for change in foretold.changes:
        shown = difference.shape(change)
        heading = next(difference.lines(change, Look(now=0)), "nothing changes")
        told.append(heading)
        told += [
            f"{one.name}  {one.action} {one.before} -> {one.after}: {one.message}"
            for one in ([] if shown.triggers is UNSET else shown.triggers)
        ]
        told += [
            f"{step.name}  {step.action} {step.reason}: {step.message}" for step in shown.steps
        ]
    return told


# ---------------------------------------- documents


def _defaults(path: str, spec: dict[str, Any]) -> SeenFile:
    head = {"apiVersion": "treadle.dev/v1", "kind": "Defaults"}
    one = PolicyDocument(document=convert({**head, "spec": spec}, FolderDefaults), line=1)
    return SeenFile(path=path, digest=str(spec), policies=(one,), policy_names=(one.named,))


def _pool(path: str, name: str, slots: str) -> SeenFile:
    head = {"apiVersion": "treadle.dev/v1", "kind": "Pool", "metadata": {"name": name}}
    one = PolicyDocument(document=convert({**head, "spec": {"slots": int(slots)}}, Pool), line=1)
    return SeenFile(path=path, digest=slots, policies=(one,), policy_names=(one.named,))


def _file(path: str, text: str, templates: dict[str, Any]) -> SeenFile:
    steps, fields = _spec(text)
    workflow = document(steps, templates=templates, **fields)
    documents = (Document(workflow=workflow, line=1),)
    digest = f"{text} {templates}" if templates else text
    return SeenFile(path=path, digest=digest, documents=documents, names=("w",))


def _spec(text: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    steps, _, policies = text.partition(" | ")
    return [_step(step) for step in steps.split(";")], _fields(shlex.split(policies))


def _step(text: str) -> dict[str, Any]:
    """`b run=new after a,c:Failed retry.limit=1`"""
    name, *words = shlex.split(text)
    needs: list[dict[str, str]] = []
    if "after" in words:
        at = words.index("after")
        for need in words[at + 1].split(","):
            step, _, condition = need.partition(":")
            needs.append({"step": step, "condition": condition or "Succeeded"})
        del words[at : at + 2]
    return a_step(name, *needs, **_fields(words))


def _fields(settings: list[str]) -> dict[str, Any]:
    """`retry.limit=1 onChanged=KeepResult`, as a document has it."""
    found: dict[str, Any] = {}
    for setting in settings:
        path, value = setting.split("=", 1)
        *parents, last = path.split(".")
        inner = found
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value if value.startswith("${{") else yaml.safe_load(value)
    return found
