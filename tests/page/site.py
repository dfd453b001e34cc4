"""A folder of workflows, a controller and `treadle serve`, and what a test needs of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.place import DEADLINE_SECONDS, Place

from controller.server.access import Access, Role

DEMO = Path(__file__).with_name("demo")


class Site(Place):
    """`url` is known while it is running."""

    url = ""

    @contextmanager
    def running(self, *options: str, listen: str = "127.0.0.1:0") -> Iterator[None]:
        """A controller and a server."""
        try:
            up = self.up("--max-parallel", "8", "--end-steps")
            with up, self.serving(*options, listen=listen):
                yield
        finally:
            self.clear()

    @contextmanager
    def serving(self, *options: str, listen: str = "127.0.0.1:0") -> Iterator[None]:
        server = self.begin("serve", "--listen", listen, *options, stderr=None)
        try:
            assert server.stdout is not None
            link = server.stdout.readline().decode().split()[-1]
            self.url = link.partition("/#")[0]
            yield
        finally:
            server.terminate()
            server.communicate(timeout=DEADLINE_SECONDS)

    def link(self, *options: str) -> str:
        return self.says("serve", "--link", *options).strip()

    def session(self, role: Role) -> dict[str, str]:
        """As the page keeps it."""
        access = Access(str(self.state))
        session = access.trade(access.make_code(role))
        assert session is not None
        return {"token": session.token, "role": session.role}

    def write(self, name: str, *steps: dict[str, object], **spec: object) -> Path:
        """A workflow of these steps; it begins at once."""
        metadata = {"name": name, "labels": spec.pop("labels", {})}
        document = {
            "apiVersion": "treadle.dev/v1",
            "kind": "Workflow",
            "metadata": metadata,
            "spec": {**spec, "steps": steps},
        }
        path = self.specs / f"{name}.yaml"
        path.write_text(json.dumps(document))
        return path

    def reaches(self, name: str, phase: str) -> None:
        self.until(lambda: self.phase(name) == phase)
