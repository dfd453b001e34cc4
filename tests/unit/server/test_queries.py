"""What the words of a request mean: the head alone, an attempt, a number."""

import asyncio
from pathlib import Path

import pytest
from server.asgi import ask
from server.stories import output_of
from story import Story

from .conftest import House, Houses, Write

LOG, EVENTS = "/api/v1/workflows/etl/log", "/api/v1/events"


@pytest.mark.parametrize(
    ("path", "query", "kind"),
    [
        (EVENTS, "", "text/event-stream; charset=utf-8"),
        (EVENTS, "since=1.1&rows=true", "text/event-stream; charset=utf-8"),
        (LOG, "step=extract&follow=true", "text/plain; charset=utf-8"),
        (LOG, "step=extract", "text/plain; charset=utf-8"),
    ],
)
def test_a_stream_has_a_head(
    houses: Houses, write: Write, story: Story, path: str, query: str, kind: str
) -> None:
    output_of(Path(write(story)), story).write_bytes(b"one\n")

    async def test(house: House) -> None:
        answer = await ask(house.app, "HEAD", path, token=house.view, query=query)
        assert (answer.code, answer.headers["content-type"]) == (200, kind)
        if "follow" in query or path == EVENTS:
            assert answer.body == b""
        assert not house.context.mirror.feed._subscribers

    houses.within(test)


def test_the_last_attempt_is_followed_without_its_number(
    houses: Houses, write: Write, story: Story
) -> None:
    path = output_of(Path(write(story)), story)
    path.write_bytes(b"one\n")
    story.exit("extract", workflow="etl")

    async def test(house: House) -> None:
        following = asyncio.create_task(
            ask(house.app, "GET", LOG, token=house.view, query="step=extract&follow=true")
        )
        mirror = asyncio.create_task(house.context.mirror.follow())
        await asyncio.sleep(0)
        with path.open("ab") as file:
            file.write(b"two\n")
        write(story)
        assert (await following).body == b"one\ntwo\n"
        mirror.cancel()

    houses.within(test)


@pytest.mark.parametrize("number", ["0", "2", "-1", "01", "one", "9" * 40])
def test_another_attempt_is_not_shown_in_place_of_one_that_there_is_not(
    houses: Houses, write: Write, story: Story, number: str
) -> None:
    output_of(Path(write(story)), story).write_bytes(b"one\n")

    async def test(house: House) -> None:
        for route in ("log", "search"):
            answer = await ask(
                house.app,
                "GET",
                f"/api/v1/workflows/etl/{route}",
                token=house.view,
                query=f"step=extract&text=one&attempt={number}",
            )
            said = f'etl/extract has no attempt "{number}"; it has only 1'
            assert (answer.code, answer.json["message"]) == (404, said)

    houses.within(test)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("workflows/etl/log", "step=extract&offset=x"),
        ("workflows/etl/log", "step=extract&tail=-1"),
        ("workflows/etl/log", f"step=extract&limit={'9' * 40}"),
        ("workflows/etl/search", "step=extract&text=x&offset=1.5"),
        ("workflows/etl", "run=last"),
        ("workflows/etl/changes", "run=last"),
        ("workflows/etl/schedule", "next=few"),
    ],
)
def test_what_is_no_number_is_refused(
    houses: Houses, write: Write, story: Story, path: str, query: str
) -> None:
    output_of(Path(write(story)), story).write_bytes(b"one\n")

    async def test(house: House) -> None:
        answer = await ask(house.app, "GET", f"/api/v1/{path}", token=house.view, query=query)
        assert (answer.code, "write a number" in answer.json["message"]) == (400, True)

    houses.within(test)
