"""The commands that change what a workflow does, and no spec: `cancel`, `retry` … `approve`."""

import argparse

from controller.client.acting.acts import Actor
from controller.errors import ExitCode, UsageError
from controller.printing import note, say
from controller.view.find import name_and_steps


def cancel(args: argparse.Namespace) -> int:
    """treadle cancel NAME [STEP…]"""
    word, words = name_and_steps(args.name, args.steps)
    if args.abandon:
        if args.drain or args.no_hooks:
            raise UsageError(
                "--abandon gives up what can't be stopped: leave out --drain, --no-hooks"
            )
        if not args.reason:
            raise UsageError("--abandon needs a --reason: it is recorded with your name")
        _actor(args).abandon(word, words, reason=args.reason)
    else:
        hooks = not args.no_hooks
        _actor(args).cancel(word, words, reason=args.reason, drain=args.drain, hooks=hooks)
    return ExitCode.FINE


def retry(args: argparse.Namespace) -> int:
    """treadle retry NAME [STEP…]"""
    word, words = name_and_steps(args.name, args.steps)
    _actor(args).retry(
        word, words, reason=args.reason, downstream=args.downstream, keep_spec=args.keep_spec
    )
    return ExitCode.FINE


def restart(args: argparse.Namespace) -> int:
    """treadle restart NAME"""
    _actor(args).restart(args.name, reason=args.reason, keep_spec=args.keep_spec)
    return ExitCode.FINE


def suspend(args: argparse.Namespace) -> int:
    """treadle suspend NAME"""
    _actor(args).suspend(args.name, reason=args.reason)
    return ExitCode.FINE


def resume(args: argparse.Namespace) -> int:
    """treadle resume NAME"""
    _actor(args).resume(args.name, reason=args.reason)
    return ExitCode.FINE


def mark(args: argparse.Namespace) -> int:
    """treadle mark NAME STEP --succeeded --reason …"""
    word, words = name_and_steps(args.name, args.steps)
    _actor(args).mark(word, words, reason=args.reason, values=args.values)
    return ExitCode.FINE


def approve(args: argparse.Namespace) -> int:
    """treadle approve NAME STEP [--reject]"""
    word, words = name_and_steps(args.name, args.steps)
    _actor(args).approve(word, words, reason=args.reason, approved=not args.reject)
    return ExitCode.FINE


def _actor(args: argparse.Namespace) -> Actor:
    return Actor(args.specs, args.state, say, note, dry_run=args.dry_run)
