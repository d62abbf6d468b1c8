"""`zfed health`: whether the coordinator of a run is alive and well; for people and for what restarts it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "health",
        help="say how a run's coordinator is; exit code 0 if it is alive and well, else 1",
        example="zfed health --run runs/digits",
    )
    parser.add_argument("--run", metavar="RUN", required=True, help="the run's id, or its folder")
    parser.add_argument("--root", metavar="DIR", default="runs", help="folder of all runs (default runs)")
    parser.add_argument("--json", action="store_true", help="print all that the coordinator says")


def run(args: argparse.Namespace) -> int:
    """Read what the coordinator left; print it and what is wrong."""
    import msgspec

    from zfed.checkpoint import read_health
    from zfed.chronicle import ailments, condition, find_run

    folder = find_run(args.run, Path(args.root))
    health = read_health(folder)
    if health is None:
        print(f"{folder}: no coordinator is at work here", file=sys.stderr)
        return 1
    wrong = ailments(health, time.time())
    if args.json:
        print(msgspec.json.encode({**msgspec.to_builtins(health), "ailments": wrong}).decode())
    else:
        for line in (condition(health), *wrong):
            print(line)
    return 1 if wrong else 0
