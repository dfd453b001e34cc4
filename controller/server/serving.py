"""`treadle serve` from its beginning to its end: socket, state, routes, signals."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple

from controller.client.files.git import in_repository
from controller.errors import StorageError
from controller.server.access import Access, Role
from controller.server.app import make_app
from controller.server.beside.worker import Folders, Worker
from controller.server.context import Context
from controller.server.listening import Reached, Server, listen, parse_address, reached, server_of
from controller.server.mirror import Mirror

NICENESS = 5  # beside a controller
ACT_SECONDS = 30.0  # for what people ask for; it waits for the controller's answer, too


class Options(NamedTuple):
    """`lifeline`: a descriptor of `up --serve`; when its other end is closed, the server ends."""

    listen: str
    behind_proxy: str
    insecure_http: bool
    lifeline: int | None


def link(url: str, access: Access, role: Role) -> str:
    """What to open in a browser: good once, for ten minutes. Raises StorageError."""
    try:
        return f"{url}/#{access.make_code(role)}"
    except OSError as error:
        raise StorageError(f"the code of a link can't be written: {error.strerror}") from error


def serve(options: Options, folders: Folders, say: Callable[[str], None]) -> None:
    """Serve until a signal comes. `say` gets a link. Raises UsageError, StorageError."""
    option = "--listen" if options.lifeline is None else "--serve"
    address = parse_address(options.listen, option)
    known_as = reached(address, options.behind_proxy, insecure=options.insecure_http)
    access = Access(folders.state)
    access.prepare()
    with listen(address) as listener:
        if address.port == 0 and not address.path:
            port = listener.getsockname()[1]
            address = address._replace(port=port)
            known_as = reached(address, options.behind_proxy, insecure=options.insecure_http)
        asyncio.run(_serve(options, folders, known_as, access, listener, say))


async def _serve(
    options: Options,
    folders: Folders,
    known_as: Reached,
    access: Access,
    listener: socket.socket,
    say: Callable[[str], None],
) -> None:
    mirror = Mirror(folders.state)
    questions, deeds = Worker("questions", folders), Worker("deeds", folders, ACT_SECONDS)
    context = Context(
        mirror,
        questions,
        deeds,
        access,
        drafts=folders.drafts is not None,
        git=in_repository(folders.specs),
        command="treadle serve" if options.lifeline is None else "treadle up --serve",
    )
    server = server_of(make_app(context, known_as.hosts, known_as.origins), mirror.feed)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, server.stop)
    if options.lifeline is not None:
        os.nice(NICENESS)  # the controller comes first
        loop.add_reader(options.lifeline, _cut, options.lifeline, server)
    await asyncio.to_thread(mirror.open)
    following = asyncio.create_task(mirror.follow())
    beginning = asyncio.gather(questions.begin(), deeds.begin())
    try:
        access.note_serving(known_as.url)
        say(link(known_as.url, access, "operate"))
        if not server.should_exit:
            await server.serve(sockets=[listener])
    finally:
        following.cancel()
        beginning.cancel()
        await asyncio.gather(following, beginning, return_exceptions=True)
        await questions.stop()
        await deeds.stop()


def _cut(lifeline: int, server: Server) -> None:
    """The controller has gone. The descriptor can be read for good now."""
    asyncio.get_running_loop().remove_reader(lifeline)
    server.stop()
