"""A log whose beginning has gone to the archive, without the checkpoint behind which it goes on."""

import shutil
from pathlib import Path

from server.asgi import ask

from controller.server.mirror import UNREADABLE

from .conftest import House, Houses


def remove_checkpoints(state_dir: str) -> None:
    found = [*Path(state_dir).rglob("*.checkpoint"), *Path(state_dir, "snapshots").iterdir()]
    assert found
    for path in found:
        path.unlink()


def remove_archive(state_dir: str) -> None:
    remove_checkpoints(state_dir)
    shutil.rmtree(Path(state_dir, "archive"))


def test_with_all_of_its_segments_an_archive_needs_none(archived: Houses) -> None:
    remove_checkpoints(archived.state_dir)

    async def test(house: House) -> None:
        answer = await ask(house.app, "GET", "/api/v1/overview", token=house.view)
        assert answer.json["controller"]["conditions"] == []
        assert answer.json["items"]

    archived.within(test)


def test_who_starts_then_is_told_and_nothing_fails(archived: Houses) -> None:
    remove_archive(archived.state_dir)

    async def test(house: House) -> None:
        answer = await ask(house.app, "GET", "/api/v1/overview", token=house.view)
        assert answer.code == 200
        (condition,) = answer.json["controller"]["conditions"]
        assert condition["type"] == UNREADABLE
        assert (await ask(house.app, "GET", "/healthz")).code == 200
        for path, query in (
            ("workflows", "at=5"),
            ("workflows/w1", ""),
            ("explain", "workflow=w1"),
        ):
            answer = await ask(house.app, "GET", f"/api/v1/{path}", token=house.view, query=query)
            assert answer.code in (404, 503), (path, answer.body)
            assert answer.json["message"]

    archived.within(test)


def test_who_has_read_it_before_goes_on(archived: Houses) -> None:
    async def test(house: House) -> None:
        before = await ask(house.app, "GET", "/api/v1/overview", token=house.view)
        remove_archive(archived.state_dir)
        after = await ask(house.app, "GET", "/api/v1/overview", token=house.view)
        assert after.json["items"] == before.json["items"]
        answer = await ask(house.app, "GET", "/api/v1/workflows", token=house.view, query="at=5")
        assert answer.code in (404, 503)
        assert answer.json["message"]

    archived.within(test)
