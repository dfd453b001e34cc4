"""A server from its start to its end, and what it does about all that becomes of its folder."""

import os
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from cli.place import DEADLINE_SECONDS, Place
from server.served import Stream, begin, serving
from server.stories import a_story, output_of
from story import Story, a_step

from controller.log import segments
from controller.log.writer import LogWriter

LOG = "workflows/etl/log?step=extract&attempt=1"


def append(place: Place, story: Story, begins_at: int) -> None:
    """Write the records of a story from there on, as its controller would have."""
    log = LogWriter(str(place.state))
    for record in story.records[begins_at:]:
        log.append([record])
    log.close()


@pytest.fixture
def told(own: Place) -> Story:
    story = a_story()
    own.log(story.records)
    output_of(own.state, story).write_bytes(b"one\ntwo\nthree\n")
    return story


def more_of(story: Story, count: int) -> None:
    """So many workflows more, each a few records."""
    for _ in range(count):
        story.accept([a_step("a")], name=f"w{len(story.state.workflows)}")


def test_a_signal_ends_it_with_all_its_streams(own: Place, told: Story) -> None:
    served = begin(own).log_in()
    with ExitStack() as stack:
        streams = [Stream(served) for _ in range(50)]
        for stream in streams:
            stack.callback(stream.close)
            assert stream.next()[0] == "hello"
        follows = stack.enter_context(served.begun("GET", f"{LOG}&follow=true"))
        idle = stack.enter_context(served.connected())
        stack.enter_context(served.begun("GET", "workflows/etl/insight")).read()
        began = time.monotonic()
        code, err = served.stop()
        assert time.monotonic() - began < DEADLINE_SECONDS / 3  # 3 s, where nothing else runs
        assert (code, err) == (0, "")
        assert follows.read() == b"one\ntwo\nthree\n"
        assert idle.recv(10) == b""
        for stream in streams:
            with pytest.raises(EOFError):
                while True:
                    stream.next()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_it_works_for_somebody(own: Place, told: Story, sign: signal.Signals) -> None:
    served = begin(own).log_in()
    with ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(served.connected())
            client.sendall(served.head("/api/v1/workflows/etl/insight"))
        served.process.send_signal(sign)
        assert served.process.wait(10) == 0
    _, err = served.process.communicate()
    assert b"Traceback" not in err


def test_its_processes_and_their_files_end_with_it_also_when_it_is_killed(
    own: Place, told: Story
) -> None:
    served = begin(own).log_in()
    assert served.get("workflows/etl/insight").code == 200
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
    workers = children.read_text().split()
    words = [Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in workers]
    scratch = [Path(word) for each in words for word in each if "/treadle-serve-" in word]
    assert len(scratch) == len(workers) == 2
    assert all(folder.is_dir() for folder in scratch)
    served.process.kill()
    served.process.communicate()
    own.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert not any(folder.exists() for folder in scratch)


def test_after_a_kill_sessions_are_good_and_a_stream_goes_on(own: Place, told: Story) -> None:
    first = begin(own).log_in()
    stream = Stream(first)
    stream.until("hello")
    count = len(told.records)
    more_of(told, 3)
    append(own, told, count)
    seen: list[int] = []
    while len(seen) < 4:
        seen.append(stream.until("record")[0]["seq"])
    last = stream.last
    assert last.rpartition(".")[2] == str(seen[-1])
    first.process.kill()
    first.process.communicate()
    stream.close()
    count = len(told.records)
    more_of(told, 2)
    with serving(own, "--listen", f"127.0.0.1:{first.port}") as second:
        second.token = first.token
        assert second.get("controller").json["role"] == "operate"
        stream = Stream(second, f"since={last}")
        behind = [record.seq for record in told.records if record.seq > seen[-1]]
        append(own, told, count)
        seen = [stream.until("record")[0]["seq"] for _ in behind]
        assert seen == behind, "also what happened while there was no server"
        last = stream.last
        stream.close()
        count = len(told.records)
        more_of(told, 2)
        append(own, told, count)
        own.until(lambda: second.get("overview").json["total"] == 8)
        stream = Stream(second, f"since={last}")
        seen = [stream.until("record")[0]["seq"] for _ in told.records[count:]]
        assert seen == [record.seq for record in told.records[count:]], "no loss, and no doubles"
        stream.close()


def test_a_second_server_gets_no_port_and_says_so(own: Place, told: Story) -> None:
    with serving(own) as served:
        said = own.complains("serve", "--listen", served.host, code=2)
        assert f"--listen {served.host}: Address already in use" in said
        with serving(own) as other:
            assert other.get("overview", token=served.token).code == 200
            assert own.says("serve", "--link").startswith(other.url), "the one started last"


def test_it_needs_a_state_folder(own: Place) -> None:
    assert "treadle up" in own.complains("serve", "--listen", "127.0.0.1:0", code=5)
    assert "treadle serve" in own.complains("serve", "--link", code=5)


def test_a_folder_that_vanishes_and_returns(own: Place, told: Story, tmp_path: Path) -> None:
    with serving(own) as served:
        assert served.get(LOG).code == 200
        aside = tmp_path / "aside"
        os.rename(own.state, aside)
        own.until(lambda: served.ask("GET", "/healthz").code == 200)
        for answer in (served.get("overview"), served.trade(served.code)):
            assert answer.code == 503, "whoever may use it is written there, too"
            assert "the state folder is not there now" in answer.json["message"]
        os.rename(aside, own.state)
        own.until(lambda: served.get("overview").code == 200)
        count = len(told.records)
        more_of(told, 1)
        append(own, told, count)
        own.until(lambda: served.get("overview").json["total"] == 2)
        assert served.get("workflows/etl/insight").code == 200


def test_a_log_that_is_damaged_is_a_condition_until_it_is_mended(own: Place, told: Story) -> None:
    path = Path(segments.path(str(own.state), 1))
    with serving(own) as served:
        stream = Stream(served)
        stream.until("hello")
        whole = path.read_bytes()
        path.write_bytes(whole[:100] + b"XX" + whole[102:-5])

        def conditions() -> list[str]:
            found = served.get("controller").json["conditions"]
            return [condition["type"] for condition in found]

        own.until(lambda: conditions() == ["LogUnreadable"])
        shown = served.get("overview").json
        assert (shown["items"][0]["name"], shown["items"][0]["phase"]) == ("etl", "Running")
        answer = served.get("workflows/etl/insight")
        assert (answer.code, "damaged" in answer.json["message"]) == (503, True)
        path.write_bytes(whole)
        own.until(lambda: conditions() == [])
        assert served.get("workflows/etl/insight").code == 200
        assert stream.until("controller")["conditions"][0]["type"] == "LogUnreadable"
        assert stream.until("controller")["conditions"] == []
        stream.close()


def test_a_log_that_was_cut_is_shown_and_its_streams_begin_anew(own: Place, told: Story) -> None:
    with serving(own) as served:
        stream = Stream(served)
        stream.until("hello")
        count = len(told.records)
        more_of(told, 2)
        append(own, told, count)
        own.until(lambda: served.get("overview").json["total"] == 3)
        path = Path(segments.path(str(own.state), 1))
        kept = path.read_bytes().splitlines(keepends=True)[:count]
        os.truncate(path, sum(map(len, kept)))
        log = LogWriter(str(own.state))
        another = told.records[count]
        log.append([msgspec.structs.replace(another, epoch=another.epoch + 1)])
        log.close()
        reset = stream.until("reset")
        own.until(lambda: served.get("overview").json["total"] == 2)
        assert served.get("overview").json["id"] == f"2.{another.seq}"
        assert reset["id"].startswith(("1.", "2."))
        stream.close()


def test_a_disk_that_is_full_or_closed_refuses_only_what_writes(own: Place, told: Story) -> None:
    with serving(own) as served:
        code = own.says("serve", "--link").strip().rpartition("#")[2]
        sessions = own.state / "web/sessions"
        shutil.move(sessions, own.state / "web/aside")
        sessions.write_text("no folder")
        answer = served.trade(code)
        assert (answer.code, "not used up" in answer.json["message"]) == (503, True)
        sessions.unlink()
        shutil.move(own.state / "web/aside", sessions)
        assert served.get("overview").code == 200
        assert served.trade(code).code == 200


def test_a_log_of_a_gigabyte_costs_no_more_than_a_small_one(own: Place, told: Story) -> None:
    size = 1 << 30
    path = output_of(own.state, told)
    path.write_bytes(b"first\n")
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size - 20)
        file.write(b"\nbefore\nneedle\nlast\n")
    with serving(own) as served:
        served.get("workflows/etl/insight")
        before = served.rss()
        for query, expected in (
            ("&tail=2", b"needle\nlast\n"),
            (f"&offset={size - 5}", b"last\n"),
            ("&offset=0&limit=6", b"first\n"),
            (f"&offset={10**18}", b""),
            ("&tail=0", b""),
        ):
            began = served.cpu()
            answer = served.get(LOG + query)
            assert served.cpu() - began < 1, "it was not read from its beginning"
            assert (answer.code, answer.body) == (200, expected)
            assert answer.headers["treadle-log-size"] == str(size)
            assert answer.headers["treadle-log-ended"] == "false"
        assert len(served.get(f"{LOG}&limit={size}").body) == 1 << 20
        assert len(served.get(f"{LOG}&tail={size}").body) <= 1 << 20
        offset, found = 0, []
        while offset is not None:
            began = time.monotonic()
            answer = served.get(f"{LOG.replace('log?', 'search?')}&text=needle&offset={offset}")
            assert time.monotonic() - began < DEADLINE_SECONDS / 3
            found += answer.json["matches"]
            offset = answer.json["next"]
        assert [match["line"] for match in found] == ["needle"]
        assert served.rss() - before < 30 << 20


def test_an_output_is_followed_until_its_attempt_ends(own: Place, told: Story) -> None:
    path = output_of(own.state, told)
    with serving(own) as served, served.begun("GET", f"{LOG}&follow=true&offset=4") as answer:
        assert answer.read(4) == b"two\n"
        with path.open("ab") as file:
            file.write(b"four\n")
        assert answer.read(11) == b"three\nfour\n"
        count = len(told.records)
        told.exit("extract", workflow="etl")
        append(own, told, count)
        assert answer.read() == b""


def test_many_rows_come_page_by_page(own: Place) -> None:
    story = Story(checked=False)
    for number in range(300):
        story.accept([a_step("a")], name=f"w{number:04}")
    own.log(story.records)
    with serving(own) as served:
        names: list[str] = []
        query = "limit=37"
        while True:
            page = served.get(f"overview?{query}").json
            assert (page["total"], page["counts"]) == (300, {"Pending": 300})
            names += [row["name"] for row in page["items"]]
            if page["continue"] is None:
                break
            query = f"limit=37&continue={page['continue']}"
        assert names == sorted(story.state.workflows)
        assert [row["name"] for row in served.get("overview?q=W0299").json["items"]] == ["w0299"]


def test_names_and_labels_with_markup_are_only_texts(own: Place) -> None:
    story = a_story()
    evil = "</script><script>alert(1)</script>\u2028&amp;"
    story.accept([a_step("a", run=evil)], name="evil")
    own.log(story.records)
    with serving(own) as served:
        answer = served.get("workflows/evil")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.json["spec"]["steps"][0]["run"] == evil
