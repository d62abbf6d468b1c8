"""`zfed COMMAND ...`: finds the command and runs it inside the error boundary.

Light on purpose: commands import what they need when they run, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

from zfed.config import suggestion
from zfed.errors import UsageError
from zfed_cli import (
    bench,
    coordinator,
    data,
    demo,
    enroll,
    evaluator,
    health,
    invite,
    keys,
    launch,
    runs,
    simulate,
    strategies,
    version,
    worker,
)
from zfed_cli.boundary import guarded, leave

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers


class Command(Protocol):
    """A module of this package."""

    def add_parser(self, subparsers: Subparsers) -> None:
        """Add the command's flags."""

    def run(self, args: argparse.Namespace) -> int:
        """Run it, and return the exit code."""


COMMANDS: dict[str, Command] = {
    "coordinator": coordinator,
    "worker": worker,
    "evaluator": evaluator,
    "demo": demo,
    "launch": launch,
    "runs": runs,
    "health": health,
    "keys": keys,
    "enroll": enroll,
    "invite": invite,
    "data": data,
    "strategies": strategies,
    "bench": bench,
    "simulate": simulate,
    "version": version,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad usage, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a letter that a terminal lacks is no error
    return guarded(lambda: _run(words), debug="--debug" in words)


def _run(words: Sequence[str]) -> int:
    parser, parser_of = _build_parsers()
    args, unknown = parser.parse_known_args(words)
    if unknown:
        raise UsageError(_explain_unknown(unknown[0], parser_of[args.command]))
    return COMMANDS[args.command].run(args)


def _build_parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser of the whole line, and that of each command."""
    parser = argparse.ArgumentParser(
        prog="zfed", description="Federated learning over ZeroMQ.", allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS.values():
        command.add_parser(subparsers)
    return parser, subparsers.choices


def _explain_unknown(word: str, parser: argparse.ArgumentParser) -> str:
    if not word.startswith("-"):
        return f'{parser.prog}: "{word}" is not expected here'
    flag = word.partition("=")[0]
    known = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
    return f"{parser.prog}: unknown flag {flag}; {suggestion(flag, known)}"


def program() -> NoReturn:
    """What the `zfed` script calls."""
    leave(main())


if __name__ == "__main__":
    program()
