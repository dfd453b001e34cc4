"""What has gone to the archive: it is found, shown and read as what is there."""

from pathlib import Path

import pytest
from server.asgi import Answer, ask
from story import Story

from controller.errors import NotFound
from controller.log import segments
from controller.server.beside import questions as module
from controller.server.beside.questions import Questions

from .conftest import LINES, House, Houses, Write


async def log_of(house: House, name: str, query: str, method: str = "GET") -> Answer:
    path = f"/api/v1/workflows/{name}/log"
    return await ask(house.app, method, path, token=house.view, query=query)


def test_what_an_archived_run_has_printed_is_shown(archived: Houses) -> None:
    async def test(house: House) -> None:
        assert "w1" not in {life.name for life in house.context.mirror.state.lives.values()}
        found = await log_of(house, "w1", "step=a")
        assert (found.code, found.body) == (200, LINES[: 64 << 10])
        assert found.headers["treadle-log-size"] == str(len(LINES))
        assert found.headers["treadle-log-ended"] == "true"
        assert (await log_of(house, "w1", "step=a&attempt=1&offset=5&limit=3")).body == LINES[5:8]
        last = await log_of(house, "w1", "step=b&tail=2")
        assert last.body == LINES[int(last.headers["treadle-log-offset"]) :]
        assert last.body.count(b"\n") == 2
        whole = await log_of(house, "w1", "step=a&follow=true&offset=7")
        assert whole.body == LINES[7:]
        search = await ask(
            house.app,
            "GET",
            "/api/v1/workflows/w1/search",
            token=house.view,
            query="step=a&text=line%2019999",
        )
        assert [match["line"] for match in search.json["matches"]] == ["line 19999"]
        for query, why in (
            ("step=a&attempt=2", 'w1/a has no attempt "2"; it has only 1'),
            ("step=c", 'w1 has no step "c"'),
        ):
            answer = await log_of(house, "w1", query)
            assert (answer.code, answer.json["message"]) == (404, why)

    archived.within(test)


def test_an_output_is_unpacked_once_for_all_its_parts(
    archived: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Questions(archived.folders())
    assert beside.output("w1", "a", None, {}).data
    for path in Path(archived.state_dir, "archive").rglob("*.tar.zst"):
        path.write_bytes(b"")
    assert beside.output("w1", "a", None, {"offset": 9}).data.startswith(LINES[9:99])


def test_a_name_that_nobody_knows_is_looked_up_and_nothing_is_folded_again(
    archived: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Questions(archived.folders())
    beside.begin()
    monkeypatch.setattr(module, "Replica", None)
    with pytest.raises(NotFound, match='no workflow is named "w99"; did you mean'):
        beside.workflow("w99")
    first = beside.workflow("w1")
    for path in segments.retired(archived.state_dir).values():
        Path(path).write_bytes(b"")
    again = beside.workflow("w1")
    assert again.metadata == first.metadata, "it is remembered"
    assert beside.insight("w1").archived
    assert beside._fresh().lives.keys().isdisjoint({first.metadata.uid})


def test_a_log_that_was_put_back_from_a_copy_is_read_at_once(
    houses: Houses, write: Write, story: Story
) -> None:
    path = Path(segments.path(write(story), 1))
    beside = Questions(houses.folders())
    beside.begin()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert beside.workflow("etl").metadata.name == "etl"
    assert beside._fresh().seq == len(lines) - 1
