"""Specs that take seconds to read, while a controller has other things to do."""

import json
import os

import pytest
from cli.place import HELD, TREADLE, Place, document

from controller.log.reader import read
from controller.spec.reading.load import SPEC_BYTES_MAX

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {{name: {}}}\nspec:\n  steps:\n"


def many(step: str, size: int, name: str) -> str:
    """A spec of so many bytes, made of this step."""
    lines, length = [HEAD.format(name)], len(HEAD)
    while length < size:
        lines.append(step.format(len(lines)))
        length += len(lines[-1])
    return "".join(lines)


def faulty(size: int, name: str) -> str:
    return many("    - {{name: S_{}, rum: x}}\n", size, name)


def kinds(place: Place) -> list[str]:
    return [type(record.event).__name__ for record in read(str(place.state))]


def bring(place: Place, **texts: str) -> None:
    """Move files into the folder, each as a whole."""
    for name, text in texts.items():
        draft = place.specs / f".{name}"
        draft.write_text(text)
        os.replace(draft, place.specs / f"{name}.yaml")


def test_a_timeout_is_carried_out_while_large_files_are_read(place: Place) -> None:
    spec = json.loads(document("w", a="sleep 60"))
    spec["spec"]["steps"][0]["timeoutSeconds"] = 0.5
    with place.up():
        (place.specs / "w.json").write_text(json.dumps(spec))
        place.until(lambda: place.phase("w") == "Running")
        bring(place, **{f"bad{n}": faulty(1 << 20, f"bad{n}") for n in range(3)})
        place.until(lambda: kinds(place).count("FileRejected") == 3)
    said = [kind for kind in kinds(place) if kind in ("AttemptEnding", "FileRejected")]
    assert "AttemptEnding" in said
    assert said[-1] == "FileRejected", "the timeout waited until all was read"


def test_a_marker_and_an_edit_of_another_file_do_not_wait_for_a_large_file(place: Place) -> None:
    with place.up():
        place.spec("w", a=HELD)
        place.until(lambda: place.phase("w") == "Running")
        bring(place, bad=faulty(SPEC_BYTES_MAX - 100, "bad"))
        (place.specs / "w.cancel").touch()
        bring(place, other=document("other", a="true"))
        place.until(lambda: place.phase("w") == "Cancelled" and place.phase("other") != "")
        assert "FileRejected" not in kinds(place)


def test_up_once_waits_until_a_large_file_is_read(place: Place) -> None:
    text = many("    - {{name: S_{}, command: ['true']}}\n", 300_000, "big")
    bring(place, big=text.replace("spec:\n", "spec:\n  suspend: true\n"))
    place.treadle("up", "--once")
    assert place.phase("big") == "Suspended"
    bring(place, bad=faulty(300_000, "bad"))
    place.treadle("up", "--once", code=2)
    assert place.phase("big") == "Suspended"


def test_a_new_controller_starts_nothing_before_the_large_files_are_read(place: Place) -> None:
    """The step that the log knows is out of date."""
    place.spec("w", first="true", old=HELD)
    with place.up() as controller:
        place.until(lambda: place.folded().workflows["w"].steps["old"].phase == "Running")
        controller.kill()
        controller.wait()
    (place.specs / "go").touch()  # so the step ends while nobody is there
    spec = json.loads(document("w", first="true", new="true"))
    (place.specs / "w.yaml").write_text(json.dumps(spec, indent=2) + "\n#" + "#" * 300_000)
    (place.specs / "large.yaml").write_text(faulty(1 << 20, "large"))
    place.treadle("up", "--once", code=2)
    steps = place.folded().workflows["w"].steps
    assert [(name, str(step.phase)) for name, step in steps.items()] == [
        ("first", "Succeeded"),
        ("new", "Succeeded"),
    ]


@pytest.mark.parametrize("step", ["{{name: S_{}, rum: x}}", "{{name: S_{}, run: x}}"])
def test_the_largest_spec_is_checked_within_a_gibibyte(place: Place, step: str) -> None:
    text = many(f"    - {step}\n", SPEC_BYTES_MAX - 100, "big")
    (place.root / "big.yaml").write_text(text)
    script = f"ulimit -v {1 << 20}; exec {TREADLE} validate big.yaml"
    checked = place.begin(script, program=("/bin/sh", "-c"))
    out, err = checked.communicate(timeout=240)
    assert checked.returncode in (0, 2), (out, err)
    assert b"Memory" not in err
