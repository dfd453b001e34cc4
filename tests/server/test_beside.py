"""`up --serve`: a page beside the controller, which never disturbs it and ends with it."""

import os
import signal
import socket
from contextlib import closing
from pathlib import Path

from cli.place import HELD, Place
from server.served import Served, runs

from controller.log.status_file import read_status
from controller.server.access import Access


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def conditions(place: Place) -> dict[str, str]:
    found = read_status(str(place.state)).conditions
    return {each.type: each.message for each in found if each.status == "True"}


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def server_pid(place: Place) -> int:
    serving = Access(str(place.state)).serving()
    return 0 if serving is None else serving.pid


def begun(place: Place, port: int, before: int = 0) -> int:
    """The pid of the server, as soon as it answers. `before`: another one was there."""
    place.until(lambda: server_pid(place) not in (0, before) and answers(port))
    return server_pid(place)


def client_of(place: Place, port: int) -> Served:
    served = Served(place, None, f"http://127.0.0.1:{port}/#none")  # type: ignore[arg-type]
    served.token = (place.state / "web/view").read_text().strip()
    return served


def test_it_ends_with_its_controller_and_steps_go_on(own: Place) -> None:
    own.spec("w", a=HELD)
    port = free_port()
    with own.up("--serve", f"127.0.0.1:{port}") as controller:
        first = begun(own, port)
        own.until(lambda: own.phase("w") == "Running")
        served = client_of(own, port)
        own.until(lambda: served.get("overview").json["items"][0]["phase"] == "Running")
        own.until(lambda: served.get("controller").json["phase"] == "Running")
        assert served.get("controller").json["command"] == "treadle up --serve"
        nice = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[16])
        assert nice == 5, "the controller comes first"
        controller.kill()
        controller.wait()
        own.until(lambda: not runs(first))
        assert not answers(port)
    assert own.phase("w") == "Running"
    with own.up("--serve", f"127.0.0.1:{port}") as controller:
        second = begun(own, port, first)
        assert client_of(own, port).get("overview").code == 200, "tokens stay good"
        controller.send_signal(signal.SIGTERM)
        controller.wait(20)
        assert not runs(second), "it was ended before the controller"
    assert own.phase("w") == "Running"
    (own.specs / "go").touch()
    own.treadle("up", "--once")
    assert own.shape("w")["status"]["steps"][0]["attempts"][-1]["number"] == 1


def test_one_that_is_killed_is_started_again(own: Place) -> None:
    own.spec("w", a=HELD)
    port = free_port()
    with own.up("--serve", f"127.0.0.1:{port}") as controller:
        first = begun(own, port)
        served = client_of(own, port)
        own.until(lambda: served.get("overview").code == 200)
        os.kill(first, signal.SIGKILL)
        own.until(lambda: "PageUnavailable" in conditions(own))
        assert "signal 9" in conditions(own)["PageUnavailable"]
        begun(own, port, first)
        own.until(lambda: "PageUnavailable" not in conditions(own))
        assert controller.poll() is None
        (own.specs / "go").touch()
        own.until(lambda: own.phase("w") == "Succeeded")


def test_a_taken_port_is_a_condition_until_it_is_free(own: Place) -> None:
    own.spec("w", a="true")
    taken = socket.create_server(("127.0.0.1", 0))
    port = int(taken.getsockname()[1])
    with own.up("--serve", f"127.0.0.1:{port}"):
        own.until(lambda: "in use" in conditions(own).get("PageUnavailable", ""))
        said = conditions(own)["PageUnavailable"]
        assert "name another with --serve" in said and "--listen" not in said, said
        own.until(lambda: own.phase("w") == "Succeeded")
        assert "PageUnavailable" in own.treadle("get").stdout.decode() + own.says(
            "get", "-o", "json"
        )
        taken.close()
        own.until(lambda: "PageUnavailable" not in conditions(own))
        assert client_of(own, port).get("overview").code == 200
