"""200 browsers read nothing while much happens: nobody else notices, and memory is bounded."""

import socket
import time
from contextlib import ExitStack

from cli.place import Place
from server.served import Stream, serving
from server.stories import a_story
from story import a_step

from controller.log.writer import LogWriter

READERS = 200
RECORDS = 2_000
TEXT = "x" * 2_000  # of each spec, so that all of them are far more than may wait for a reader


def test_who_does_not_read_costs_little_and_delays_nobody(own: Place) -> None:
    story = a_story()
    own.log(story.records)
    count = len(story.records)
    story.checked = False
    while len(story.records) < count + RECORDS:
        name = f"w{len(story.state.workflows) % 50}"
        story.accept([a_step("a", run=f"{TEXT}{len(story.records)}")], name=name)
    news = story.records[count:]
    with serving(own) as served, ExitStack() as stack:
        for _ in range(READERS):
            client = stack.enter_context(served.connected())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # little fits on the way
            client.sendall(served.head("/api/v1/events?rows=true"))
        reader = Stream(served)
        stack.callback(reader.close)
        reader.until("hello")
        before, slowest, late = served.rss(), 0.0, 0.0
        log = LogWriter(str(own.state))
        for begin in range(0, len(news), 50):
            for record in news[begin : begin + 50]:
                log.append([record])
            wrote = time.monotonic()
            while reader.until("record")[0]["seq"] != news[min(begin + 49, len(news) - 1)].seq:
                pass
            late = max(late, time.monotonic() - wrote)
            began = time.monotonic()
            assert served.get("overview?limit=5").code == 200
            slowest = max(slowest, time.monotonic() - began)
        log.close()
        assert late < 5, "others hear in time what happens"
        assert slowest < 5
        assert served.rss() - before < 300 << 20
        assert served.get("overview").json["id"] == f"{news[-1].epoch}.{news[-1].seq}"
