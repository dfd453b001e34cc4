"""A controller that is killed in a window of a real submission: the attempt runs once."""

import os
import random
import time

import pytest
from engines.slurm.lab import NOTE, Lab, Place, eventually

LONG = os.environ.get("TREADLE_ENGINES") == "long"
JOBS, KILLS = (500, 50) if LONG else (30, 6)

RELEASE = '[ "$1" = release ] && kill_it'
ENDED = '"$real" --noheader --states=completed -o %j | grep -q treadle- && kill_it'
WINDOWS = {
    "before sbatch has asked": ("sbatch", "kill_it; exit 1", ""),
    "after sbatch has submitted": ("sbatch", "", "kill_it"),
    "after the record, before the release": (
        "scontrol",
        f"{RELEASE}; [ $1 = release ] && exit 1",
        "",
    ),
    "after the release": ("scontrol", "", RELEASE),
    "after the end": ("squeue", ENDED, ""),
}


@pytest.mark.parametrize("window", WINDOWS)
def test_killed_in_a_window(place: Place, lab: Lab, window: str) -> None:
    program, before, after = WINDOWS[window]
    place.write("w", [{"name": "a", "run": f"{NOTE}; echo hello"}])
    place.wrap(program, before, after)
    assert place.up().wait(120) == -9
    place.up("--once").wait(120)
    assert place.status("w")["phase"] == "Succeeded"
    assert place.runs() == ["a 1"]
    assert "hello" in place.say("logs", "w", "a")
    eventually(lambda: not lab.numbers("PENDING"), "no job is left in the queue")
    place.up()
    eventually(lambda: not list(place.shared.glob("*/treadle-*")), "no folder is left")


def test_killed_between_its_end_and_the_removal_of_its_folder(place: Place) -> None:
    place.write("w", [{"name": "a", "run": NOTE}])
    controller = place.up()
    eventually(lambda: "-> Succeeded" in place.say("events", "w"), "it has ended")
    controller.kill()
    place.up()
    eventually(lambda: not list(place.shared.glob("*/treadle-*")), "no folder is left")
    assert place.runs() == ["a 1"]


def test_sbatch_that_timed_out_had_submitted(place: Place, lab: Lab) -> None:
    lost = 'rm "$0.once"; echo "sbatch: error: Socket timed out on send/recv" >&2; exit 1'
    place.write("w", [{"name": "a", "run": NOTE}])
    place.wrap("sbatch", "", lost)
    place.up("--once").wait(120)
    assert place.status("w")["phase"] == "Succeeded"
    assert place.runs() == ["a 1"]
    names = [name for name in lab.jobs() if name.startswith("treadle-a-")]
    assert not lab.numbers("PENDING") and names


def test_many_jobs_through_many_kills(place: Place, lab: Lab) -> None:
    seed = int(time.time())
    chance = random.Random(seed)
    steps = [{"name": f"s{number}", "run": NOTE} for number in range(JOBS)]
    place.write("w", steps)
    kills = 0
    while kills < KILLS:
        controller = place.up()
        time.sleep(chance.uniform(0.3, 3.0))  # anywhere on the way
        if controller.poll() is not None:
            break
        controller.kill()
        controller.wait()
        kills += 1
        if len(place.runs()) >= JOBS:
            break
    place.up("--once").wait(590)
    runs = place.runs()
    twice = len(runs) - len(set(runs))
    lost = JOBS - len({line.split()[0] for line in runs})
    print(f"seed {seed}: {JOBS} jobs, {kills} kills, {len(runs)} runs, {twice} twice, {lost} lost")
    assert (twice, lost) == (0, 0)
    assert len(runs) == JOBS, "an attempt counted as lost, and its step ran again"
    assert place.status("w")["phase"] == "Succeeded"
    assert not lab.numbers("PENDING")
