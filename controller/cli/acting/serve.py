"""`treadle serve`: the page, the API and the metrics; `--link` prints another link to it."""

import argparse
import os
import sys

from controller.errors import ExitCode, NotFound, UsageError
from controller.host.page import LINK, require_libraries
from controller.printing import say


def serve(args: argparse.Namespace) -> int:
    """treadle serve: until a signal comes."""
    require_libraries()
    if args.link:
        return _link(args)
    if args.view:
        raise UsageError("--view is about a link: use it with --link")

    from controller.server.beside.worker import Folders
    from controller.server.serving import Options
    from controller.server.serving import serve as serve_until_stopped

    if args.drafts is not None and not os.path.isdir(args.drafts):
        raise UsageError(f"--drafts {args.drafts}: no such folder")
    if not os.path.isdir(args.state):
        raise NotFound(f"no state folder {os.path.abspath(args.state)}: run `treadle up` first")
    folders = Folders(
        state=os.path.abspath(args.state),
        specs=os.path.abspath(args.specs),
        drafts=None if args.drafts is None else os.path.abspath(args.drafts),
        max_spec_bytes=args.max_spec_size,
    )
    options = Options(args.listen, args.behind_proxy, args.insecure_http, args.lifeline)
    serve_until_stopped(options, folders, _show_link)
    return ExitCode.FINE


def _show_link(url: str) -> None:
    say(f"{LINK}{url}")
    sys.stdout.flush()


def _link(args: argparse.Namespace) -> int:
    """Another link to the server that was started last here."""

    from controller.server.access import Access
    from controller.server.serving import link

    access = Access(os.path.abspath(args.state))
    serving = access.serving()
    if serving is None or not serving.is_there:
        raise NotFound("no server runs on this state folder; start one: treadle serve")
    access.prepare()
    say(link(serving.url, access, "view" if args.view else "operate"))
    return ExitCode.FINE
