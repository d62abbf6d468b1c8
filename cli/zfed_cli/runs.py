"""`zfed runs`: which runs there are, what happened in one, and whether its files are whole."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zfed.config import suggestion
from zfed.config.setting import FORMATS
from zfed.errors import UsageError
from zfed_cli.columns import print_columns
from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed.chronicle import Overview
    from zfed_cli.options import Subparsers

_EXAMPLE = """\
zfed runs                        the runs in ./runs, the newest at the end
  zfed runs show RUN               what happened in one, and how to go on
  zfed runs verify RUN             whether all that it keeps is as it was written"""

_NEEDS = {"federated model": 1, "last written": 2, "version": 3, "note": 4}
"""Where a terminal is narrow, the columns with the highest number go first."""

_STYLES = {
    "running": "cyan",
    "completed": "green",
    "interrupted": "yellow",
    "stopped": "yellow",
    "failed": "red",
    "damaged": "bold red",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers, "runs", help="list runs, tell what happened in one, verify its files", example=_EXAMPLE
    )
    _add_root(parser, default="runs")
    parser.add_argument(
        "--format", metavar="FORMAT", default="auto", help=f"{', '.join(FORMATS)} of the list (default auto)"
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for action, help in (
        ("show", "tell what happened in a run, and how to go on with it"),
        ("verify", "check all that a run keeps; exit code 1 if something is damaged"),
    ):
        sub = actions.add_parser(action, help=help, description=f"{help[0].upper()}{help[1:]}.")
        sub.add_argument("run", metavar="RUN", help="its id, which is a folder's name, or a path")
        _add_root(sub, default=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """List, show or verify."""
    from zfed.chronicle import find_run, list_runs

    root = Path(args.root)
    if args.action == "show":
        return _show(find_run(args.run, root))
    if args.action == "verify":
        return _verify(find_run(args.run, root))
    if args.format not in FORMATS:
        raise UsageError(f'--format is "{args.format}"; {suggestion(args.format, FORMATS)}')
    return _list(list_runs(root), root, args.format)


def _add_root(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--root", metavar="DIR", default=default, help="folder of all runs (default runs)")


def _list(runs: Sequence[Overview], root: Path, format: str) -> int:
    from zfed.chronicle import listing

    if format == "json":
        for each in runs:
            print(json.dumps(listing.record(each)))
        return 0
    if not runs:
        print(f"no runs in {root}", file=sys.stderr)
        return 0
    columns = listing.columns(runs)
    if format == "table" or (format == "auto" and sys.stdout.isatty()):
        _print_table(columns)
    else:
        print_columns(columns)
    return 0


def _print_table(columns: Mapping[str, Sequence[str]]) -> None:
    from rich.console import Console
    from rich.text import Text

    from zfed.telemetry.columns import Column, draw

    console = Console()
    names, *others = (
        Column(
            title=title,
            cells=[Text(cell, _STYLES.get(cell, "")) for cell in cells],
            need=_NEEDS.get(title, 0),
            left=title != "version",
        )
        for title, cells in columns.items()
    )
    console.print(draw(names, others, console.width))


def _show(path: Path) -> int:
    from zfed.chronicle import tell_story

    story = tell_story(path)
    print(story.heading)
    width = max((len(sentence.time) for sentence in story.sentences), default=0)
    for sentence in story.sentences:
        print(f"{sentence.time:<{width}}  {sentence.text}" if width else sentence.text)
    for line in (*story.participation, *story.remarks, *story.advice):
        print(line)
    return 0


def _verify(path: Path) -> int:
    from zfed.checkpoint import verify
    from zfed.chronicle import remedies

    findings = verify(path)
    for found in findings:
        print(f"{'ok' if found.ok else 'DAMAGED':<7}  {found.path}: {found.sentence}")
    damaged = sum(not found.ok for found in findings)
    print(f"{path}: {damaged} of {len(findings)} damaged" if damaged else f"{path}: all as it was written")
    for line in remedies(path, findings):
        print(line)
    return 1 if damaged else 0
