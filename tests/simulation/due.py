"""What becomes of each due time, said again in the simplest way: second by second, one by one.

The rules are those of docs and contract, without a look at the planner: due times are multiples of
so many seconds, all that are not decided yet are listed, and decided in order. A `History` is a
story of one definition; `expected` says what the log has to tell of it.
"""

from random import Random
from typing import Any, NamedTuple

from controller.spec.triggers.due import offset
from controller.spec.triggers.trigger import MISSED_MAX

HOURS = 8
YEARS_10 = 10 * 365 * 86_400
LATE = 60  # seconds; who looks later than this has missed it
ZERO = 1_700_000_000  # on the wall clock, when a history begins
CRON = {300: "*/5 * * * *", 900: "*/15 * * * *", 3600: "0 * * * *"}

Deed = tuple[int, str, Any]  # when (seconds since the beginning), what, with which value
Decision = tuple[int, str, str]  # due time, outcome, reason


class Trigger(NamedTuple):
    """One trigger of the definition `w`."""

    name: str = "t"
    every: int = 300
    cron: bool = False
    jitter: int = 0
    deadline: int | None = None
    catches_all: bool = False

    def written(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name, "jitterSeconds": self.jitter}
        found |= {"schedule": CRON[self.every]} if self.cron else {"everySeconds": self.every}
        if self.deadline is not None:
            found["startingDeadlineSeconds"] = self.deadline
        return {**found, "catchUp": "All" if self.catches_all else "Latest"}

    @property
    def shift(self) -> int:
        return offset("w", self.name, self.jitter)


class Spec(NamedTuple):
    triggers: tuple[Trigger, ...] = (Trigger(),)
    policy: str = "Forbid"
    limit: int = 1
    max_queued: int = 100
    suspend: bool = False

    def written(self) -> dict[str, Any]:
        concurrency = {"policy": self.policy, "limit": self.limit, "maxQueued": self.max_queued}
        triggers = [one.written() for one in self.triggers]
        return {"triggers": triggers, "concurrency": concurrency, "suspend": self.suspend}


class History(NamedTuple):
    """`durations`: of the instances, by their due times."""

    spec: Spec
    durations: tuple[int, ...]
    deeds: tuple[Deed, ...]

    def duration(self, due: int) -> int:
        return self.durations[due // 300 % len(self.durations)]


# ---------------------------------------- the rules


class _Life:
    """The definition, from the time when its document came to that when it went."""

    def __init__(self) -> None:
        self.since: dict[Trigger, int] = {}  # by what it waits for
        self.decided: dict[str, set[int]] = {}
        self.missed: dict[str, list[list[int]]] = {}  # those of a stretch, to be undone together
        self.told: dict[str, list[Decision]] = {}
        self.running: list[int] = []  # when each ends
        self.queued: list[tuple[int, bool]] = []  # oldest first; whether it counts for maxQueued
        self.full = 0  # instances that were cancelled since the queue was full


class Reference:
    def __init__(self, history: History) -> None:
        self.history = history
        self.now = 0  # seconds that have gone by, those of a sleep too
        self.wall = ZERO
        self.present = ZERO  # since when the controller is there
        self.mode = "up"  # or "away", or "run"
        self.spec: Spec | None = history.spec  # in the folder
        self.in_force: Spec | None = None
        self.asked = self.marker = False  # suspended by request; a marker is in the folder
        self.hold = ""
        self.lives: list[_Life] = []

    @property
    def life(self) -> _Life:
        return self.lives[-1]

    def play(self) -> list[dict[str, list[Decision]]]:
        """What each life of the name decided, by trigger."""
        deeds = sorted(self.history.deeds, key=lambda deed: deed[0])
        self._look()
        for second in range(HOURS * 3600 + 1):
            while deeds and deeds[0][0] <= second:
                self._look()
                _, kind, value = deeds.pop(0)
                self._do(kind, value)
                self._look()
            self._look(at_any_time=False)
            self.now += 1
            self.wall += 1
        return [life.told for life in self.lives]

    def _do(self, kind: str, value: Any) -> None:
        match kind:
            case "mode":
                was, self.mode = self.mode, value
                if value != "away" and was != value:
                    self._notice_the_clock()
            case "kill":
                if self.mode != "away":
                    self._notice_the_clock()
            case "sleep":
                self.now += value
                self.wall += value
                self.present = self.wall
                if self.lives:
                    self.life.running = [end + value for end in self.life.running]
            case "clock":
                self.wall += value
                if self.mode != "away":
                    self._notice_the_clock()
            case "suspend":
                self.asked = value
            case "marker":
                self.marker = value
            case "spec":
                self.spec = value

    def _notice_the_clock(self) -> None:
        """A new controller, or another time: what has been missed by a clock ahead is due again."""
        self.present = self.wall
        for life in self.lives[-1:]:
            for name, stretches in life.missed.items():
                while stretches and stretches[-1][-1] >= self.wall:
                    for due in stretches.pop():
                        life.decided[name].discard(due)

    # ------------------------------------ one look of the controller

    def _look(self, at_any_time: bool = True) -> None:
        if self.mode == "away" or not (at_any_time or self._something_may_be()):
            return
        if self.lives:
            self.life.running = [end for end in self.life.running if end > self.now]
        if self.mode == "run":
            return
        self._see_the_folder()
        if self.in_force is None:
            return
        for trigger in self.in_force.triggers:
            if not self.hold:
                self._decide(trigger, self.in_force)
        self._go_on(self.in_force)
        while any(end <= self.now for end in self.life.running):  # some take no time at all
            self.life.running = [end for end in self.life.running if end > self.now]
            self._go_on(self.in_force)

    def _something_may_be(self) -> bool:
        """Only to be quick."""
        spec = self.in_force
        due = spec and any((self.wall - one.shift) % one.every == 0 for one in spec.triggers)
        return bool(due) or (bool(self.lives) and self.now in self.life.running)

    def _see_the_folder(self) -> None:
        if self.spec is None:
            if self.in_force is not None:
                self.life.running, self.life.queued = [], []
            self.in_force, self.asked, self.hold = None, False, ""
            return
        if self.in_force is None:
            self.lives.append(_Life())
        if self.spec != self.in_force:
            self._take(self.spec)
        hold = "Suspended" if self.asked or self.spec.suspend else ""
        hold = hold or ("CancelMarker" if self.marker else "")
        if self.hold and hold != self.hold:
            for trigger in self.spec.triggers:
                for due in self._open(trigger):
                    self._tell(trigger, due, "Skipped", self.hold)
        self.hold = hold
        if self.marker:
            self.life.running, self.life.queued = [], []

    def _take(self, spec: Spec) -> None:
        life = self.life
        since: dict[Trigger, int] = {}
        for trigger in spec.triggers:
            key = _what(trigger)
            since[key] = life.since.get(key, self.wall)
            if key not in life.since:
                life.decided[trigger.name], life.missed[trigger.name] = set(), []
            life.told.setdefault(trigger.name, [])
        life.since = since
        self.in_force = spec

    def _open(self, trigger: Trigger) -> list[int]:
        """The due times that have come and are not decided."""
        since, every = self.life.since[_what(trigger)], trigger.every
        dues = range((since // every + 1) * every, self.wall - trigger.shift + 1, every)
        decided = self.life.decided[trigger.name]
        return [due for due in dues if due not in decided]

    def _decide(self, trigger: Trigger, spec: Spec) -> None:
        dues = self._open(trigger)
        seen_from = max(self.present, self.wall - LATE)
        missed = [due for due in dues if due + trigger.shift < seen_from]
        late = [due for due in dues if self._is_late(trigger, due)]
        for due in late:
            self._tell(trigger, due, "Skipped", "Expired")
        self._remember(trigger, late)
        gone = {*late}
        missed = [due for due in missed if due not in gone]
        old = missed[: -MISSED_MAX if trigger.catches_all else -1]
        for due in old:
            self._tell(trigger, due, "Skipped", "CatchUp")
        self._remember(trigger, old)
        gone |= {*old}
        caught = {*missed} if trigger.catches_all else set[int]()
        for due in dues:
            if due not in gone:
                self._fire(trigger, due, spec, due in caught)

    def _is_late(self, trigger: Trigger, due: int) -> bool:
        if trigger.deadline is None:
            return False
        return self.wall - trigger.shift - due > trigger.deadline

    def _remember(self, trigger: Trigger, dues: list[int]) -> None:
        if dues:
            self.life.missed[trigger.name].append(dues)

    def _fire(self, trigger: Trigger, due: int, spec: Spec, caught: bool) -> None:
        life = self.life
        policy = "Queue" if caught else spec.policy
        if policy == "Allow" or len(life.running) + len(life.queued) < spec.limit:
            self._tell(trigger, due, "Started", "")
            self._start(due)
        elif policy == "Queue":
            self._tell(trigger, due, "Queued", "")
            life.queued.append((due, not caught))
        else:
            self._tell(trigger, due, "Skipped", "Overlap")

    def _start(self, due: int) -> None:
        self.life.running.append(self.now + self.history.duration(due))

    def _go_on(self, spec: Spec) -> None:
        """Of those that wait, as many start as may; if too many are left, the oldest goes."""
        life = self.life
        while life.queued and len(life.running) < spec.limit:
            due, _ = life.queued.pop(0)
            self._start(due)
        counted = [one for one in life.queued if one[1]]
        for oldest in counted[: max(0, len(counted) - spec.max_queued)]:
            life.queued.remove(oldest)
            life.full += 1

    def _tell(self, trigger: Trigger, due: int, outcome: str, reason: str) -> None:
        self.life.decided[trigger.name].add(due)
        self.life.told[trigger.name].append((due, outcome, reason))


def _what(trigger: Trigger) -> Trigger:
    """What decides whether it is another trigger: when it is due."""
    return Trigger(name=trigger.name, every=trigger.every, cron=trigger.cron)


# ---------------------------------------- histories


def a_trigger(random: Random, name: str) -> Trigger:
    every = random.choice([300, 900, 900, 3600])
    return Trigger(
        name=name,
        every=every,
        cron=random.random() < 0.3,
        jitter=random.choice([0, 0, 0, 90]),
        deadline=random.choice([None, None, None, 30, 1800]),
        catches_all=random.random() < 0.3,
    )


def a_spec(random: Random) -> Spec:
    names = random.choice(["t", "t", "tu"])
    return Spec(
        triggers=tuple(a_trigger(random, name) for name in names),
        policy=random.choice(["Forbid", "Forbid", "Queue", "Queue", "Allow"]),
        limit=random.choice([1, 1, 2, 3]),
        max_queued=random.choice([1, 3, 100]),
    )


def an_edit(random: Random, spec: Spec) -> Spec:
    first = spec.triggers[0]
    return random.choice(
        [
            spec._replace(triggers=(a_trigger(random, first.name), *spec.triggers[1:])),
            spec._replace(triggers=(first._replace(catches_all=not first.catches_all),)),
            spec._replace(triggers=(first._replace(jitter=random.choice([0, 200])),)),
            spec._replace(policy=random.choice(["Forbid", "Queue", "Allow"])),
            spec._replace(limit=random.randint(1, 3)),
            spec._replace(suspend=not spec.suspend),
        ]
    )


def a_history(seed: int) -> History:
    random = Random(seed)
    spec = first = a_spec(random)
    deeds: list[Deed] = []
    at, mode, marker, asked, ahead = 0, "up", False, False, 0
    while True:
        at += random.choice([7, 60, 450, 1800, 3600]) + random.randint(0, 400)
        if at >= HOURS * 3600:
            break
        kind = random.choice(
            ["mode"] * 4 + ["clock"] * 2 + ["suspend", "marker", "spec", "spec", "sleep", "kill"]
        )
        if kind == "mode":
            mode = random.choice(["away", "run"] if mode == "up" else ["up", "up", "run"])
            deeds.append((at, kind, mode))
        elif kind == "clock" and ahead:
            deeds.append((at, kind, -ahead))
            ahead = 0
        elif kind == "clock":
            coarse = all(one.every == 3600 for one in spec.triggers)
            ahead = random.choice([-7200, -600, 600, 7200, 7200, YEARS_10 if coarse else 36_000])
            deeds.append((at, kind, ahead))
            if ahead == YEARS_10:
                deeds.append((at + 300, kind, -ahead))
                ahead, at = 0, at + 300
        elif kind == "suspend" and mode == "up":
            asked = not asked
            deeds.append((at, kind, asked))
        elif kind == "marker":
            marker = not marker
            deeds.append((at, kind, marker))
        elif kind == "spec" and mode == "up":
            spec = an_edit(random, spec)
            deeds.append((at, kind, spec))
        elif kind == "sleep" and mode == "up":
            deeds.append((at, kind, random.choice([5, 900, 7200])))
        elif kind == "kill":
            deeds.append((at, kind, None))
    durations = tuple(random.choice([0, 20, 200, 1000, 5000]) for _ in range(5))
    return History(first, durations, tuple(deeds))


def expected(history: History) -> list[dict[str, list[Decision]]]:
    return Reference(history).play()
