"""What all routes share: the state that follows the log, processes that work, who may do what."""

from typing import NamedTuple

from starlette.requests import Request

from controller.server.access import Access
from controller.server.beside.worker import Worker
from controller.server.mirror import Mirror


class Context(NamedTuple):
    """`questions` answers, `deeds` does what people ask for, so neither waits for the other.

    `drafts`: whether there is a folder of drafts; `git`: whether the specs are in a repository.
    `command`: what starts the server again.
    """

    mirror: Mirror
    questions: Worker
    deeds: Worker
    access: Access
    drafts: bool
    git: bool
    command: str = "treadle serve"


def of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context
