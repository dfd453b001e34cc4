"""`treadle up` where there is no terminal: what it tells while it works."""

import threading

from cli.place import HELD, Place


def test_what_is_refused_and_what_is_held_is_said(place: Place) -> None:
    place.spec("etl", load=HELD)
    controller = place.begin("up")
    place.until(lambda: place.phase("etl") == "Running")
    said: list[str] = []
    assert controller.stderr is not None
    lines = iter(controller.stderr.readline, b"")
    reader = threading.Thread(target=lambda: said.extend(line.decode() for line in lines))
    reader.start()
    (place.specs / "bad.yaml").write_text("apiVersion: treadle.dev/v1\nkind: [\n")
    place.until(lambda: any("treadle: specs/bad.yaml:" in line for line in said))
    (place.specs / "etl.cancel").write_text("steps: [lod]")
    place.until(lambda: any('etl has no step "lod"' in line for line in said))
    place.specs.rename(place.root / "away")
    place.until(lambda: any(line.startswith("treadle: FolderHeld: ") for line in said))
    (place.root / "away").rename(place.specs)
    place.until(lambda: "treadle: FolderHeld: no longer\n" in said)
    controller.terminate()
    assert controller.wait(30) == 0
    reader.join(30)
