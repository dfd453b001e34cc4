"""A definition with two webhooks through a history of deliveries, outages, markers and holds.

Deliveries come with keys and without, and some come again. What the log has to tell of each is said
again here, in the simplest way: one deed after the other, with the ends of instances in between.
`PYTHONPATH=tests python -m simulation.deliveries FIRST LAST` tries these seeds.
"""

import sys
from collections import Counter
from random import Random
from typing import Any, NamedTuple

from simulation.world import Fate, World
from story import a_step, document

from controller.model.apply.fold import apply
from controller.model.events import FiringDecided, RequestApplied
from controller.model.image import freeze, thaw
from controller.model.invariants import check
from controller.model.observations import Request, SeenMarker
from controller.model.state import SECOND, State

HOOKS = ("push", "tag")
DEEDS = 24
KEYS = ("", "", "a", "b", "c")
OTHERS = ("suspend", "resume", "resume", "mark", "unmark", "unmark", "away", "up", "up")


class Deed(NamedTuple):
    """What happens, so many seconds after the deed before. `number`: what a delivery sends."""

    after: int
    kind: str  # deliver, suspend, resume, mark, unmark, away, up
    hook: str = ""
    key: str = ""
    number: int = 0


class Story(NamedTuple):
    policy: str
    limit: int
    deeds: list[Deed]
    max_queued: int = 100  # more than ever wait

    def seconds(self, number: int) -> int:
        """How long the instance runs that this delivery begins."""
        return 3 + number * 7 % 20


def a_story(seed: int) -> Story:
    random = Random(seed)
    deeds = list[Deed]()
    for number in range(DEEDS):
        after = random.choice([0, 0, 1, 2, 5, 11])
        kind = random.choice(OTHERS) if random.random() < 0.35 else "deliver"
        deeds.append(Deed(after, kind, random.choice(HOOKS), random.choice(KEYS), number))
    ends = [Deed(1, kind) for kind in ("up", "unmark", "resume")]
    return Story(random.choice(["Forbid", "Queue", "Allow"]), random.randint(1, 2), deeds + ends)


# ---------------------------------------- what has to become of each


class Expected:
    """Of each delivery the outcome with its reason, or "again" and the number of the first."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.came: dict[int, str] = {}
        self.now = 0
        self.is_up, self.suspended, self.marked = True, False, False
        self.waiting: list[Deed] = []  # for a controller
        self.running: dict[int, int] = {}  # number -> when it ends
        self.queued: list[int] = []
        self.begun: dict[tuple[str, str], int] = {}
        for deed in story.deeds:
            self._let_go_by(self.now + deed.after)
            self._do(deed)

    def _let_go_by(self, until: int) -> None:
        if self.is_up:
            while ends := [at for at in self.running.values() if at <= until]:
                self.now = min(ends)
                self._end()
        self.now = until

    def _end(self) -> None:
        """Those whose time is over end, and those whose turn has come begin."""
        self.running = {one: at for one, at in self.running.items() if at > self.now}
        while self.queued and len(self.running) < self.story.limit:
            one = self.queued.pop(0)
            self.running[one] = self.now + self.story.seconds(one)

    def _do(self, deed: Deed) -> None:
        match deed.kind:
            case "away":
                self.is_up = False
            case "up" if not self.is_up:
                self.is_up = True
                self._marker()
                self._end()
                waiting, self.waiting = self.waiting, []
                for one in waiting:
                    self._take(one)
            case "mark" | "unmark":
                self.marked = deed.kind == "mark"
                self._marker()
            case "deliver" | "suspend" | "resume" if self.is_up:
                self._take(deed)
            case "deliver" | "suspend" | "resume":
                self.waiting.append(deed)

    def _marker(self) -> None:
        if self.marked and self.is_up:
            self.running, self.queued = {}, []

    def _take(self, deed: Deed) -> None:
        if deed.kind != "deliver":
            self.suspended = deed.kind == "suspend"
            return
        first = self.begun.get((deed.hook, deed.key)) if deed.key else None
        self.came[deed.number] = f"again {first}" if first is not None else self._decide(deed)

    def _decide(self, deed: Deed) -> str:
        if self.marked:
            return "CancelMarker"
        if self.suspended:
            return "Suspended"
        room = len(self.running) + len(self.queued) < self.story.limit
        if not room and self.story.policy == "Forbid":
            return "Overlap"
        if deed.key:
            self.begun[deed.hook, deed.key] = deed.number
        if room or self.story.policy == "Allow":
            self.running[deed.number] = self.now + self.story.seconds(deed.number)
            return "Started"
        self.queued.append(deed.number)
        return "Queued"


# ---------------------------------------- what does become of it


class Post(World):
    """A world to which deliveries come; its controller may be away."""

    def __init__(self, story: Story, crash_before: int | None = None) -> None:
        def fate(instance: str, step: str, nth: int) -> Fate:
            return Fate(seconds=story.seconds(self.numbers[instance]))

        super().__init__(fate, max_parallel=1_000, crash_before=crash_before)
        self.story = story
        self.numbers: dict[str, int] = {}  # of the delivery, by what began with it
        self.sent: dict[str, int] = {}  # by the name of the request
        self.asked = 0
        self.is_up = True
        triggers = [
            {
                "name": name,
                "webhook": {"secret": {"fromFile": "secret"}},
                "params": {"number": "${{ trigger.body.number }}"},
            }
            for name in HOOKS
        ]
        concurrency = {
            "policy": story.policy,
            "limit": story.limit,
            "maxQueued": story.max_queued,
        }
        step = a_step("a", env={"N": "${{ trigger.body.of[0] }}"})
        self.files["w.yaml"] = (
            document([step], "w", triggers=triggers, concurrency=concurrency, params={"number": 0}),
        )

    def start(self, attempt: Any, workflow: str, priority: int, log: str = "") -> None:
        life = self.controller.state.lives[attempt.uid]
        self.numbers[life.name] = life.params["number"]
        assert self.told[attempt][1] == f"sent {life.params['number']}", "another body"
        super().start(attempt, life.name, priority, log)

    def play(self) -> "Post":
        self.boot_controller()
        self.come_to_rest()
        for deed in self.story.deeds:
            if self.is_up:
                self.run(deed.after)
            else:
                self.pass_time(deed.after * SECOND)
            self.do(deed)
        self.run()
        return self

    def do(self, deed: Deed) -> None:
        match deed.kind:
            case "away":
                self.is_up = False
            case "up" if not self.is_up:
                self.is_up = True
                self.boot_controller()
            case "mark":
                self.markers["w.cancel"] = SeenMarker(path="w.cancel", workflow="w", digest="d")
            case "unmark":
                self.markers.clear()
            case "deliver":
                body = {"number": deed.number, "of": [f"sent {deed.number}"]}
                name = self.ask(kind="deliver", trigger=deed.hook, key=deed.key, body=body)
                self.sent[name] = deed.number
            case "suspend" | "resume":
                self.ask(kind=deed.kind)
        if self.is_up:
            self.come_to_rest()

    def ask(self, **fields: Any) -> str:
        self.asked += 1
        name = f"{self.asked:05}"
        self.requests[name] = Request(name=name, workflow="w", **fields)
        return name

    def came(self) -> dict[int, str]:
        """What the log tells of each delivery."""
        found = dict[int, str]()
        begun = dict[str, int]()
        for event in (record.event for record in self.records()):
            match event:
                case RequestApplied(kind="deliver", name=name, instance=instance, refused=refused):
                    assert not refused
                    number = self.sent[name]
                    assert number not in found, f"{name} is applied twice"
                    found[number] = f"again {begun[instance]}" if instance else ""
                case FiringDecided(request=name):
                    number = self.sent[name]
                    assert found[number] == "", f"{name} is decided twice"
                    found[number] = str(event.reason) or event.outcome
                    assert event.facts.body["of"] == [f"sent {number}"]
                    if event.instance:
                        begun[event.instance] = number
        return found


def look_over(world: Post) -> None:
    """All requests are gone, all has ended, and the log says all of it."""
    assert not world.requests
    assert not world.started_twice()
    state = State()
    for record in world.records():
        apply(state, record)
        state.moves.clear()
    check(state)
    assert freeze(state) == freeze(world.controller.state) == freeze(thaw(freeze(state)))
    assert not any(not life.finished for life in state.lives.values() if life.birth is not None)


def trial(seed: int) -> Counter[str]:
    """As it should be, in calm and with a kill at each of its effects."""
    story = a_story(seed)
    wanted = Expected(story).came
    calm = Post(story).play()
    assert calm.came() == wanted, f"trial({seed})"
    look_over(calm)
    for effect in range(1, calm.effects + 1):
        killed = Post(story, crash_before=effect).play()
        assert killed.came() == wanted, f"trial({seed}), killed at effect {effect}"
        look_over(killed)
    return Counter(came.split()[0] for came in wanted.values())


if __name__ == "__main__":
    seen = Counter[str]()
    for seed in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
        seen += trial(seed)
    print(dict(seen))
