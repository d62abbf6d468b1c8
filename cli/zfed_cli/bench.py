"""`zfed bench`: how fast and how small zfed is on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zfed.errors import UsageError
from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed.benchmark import Comparison
    from zfed_cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "bench",
        help="measure rounds on this machine, next to raw sockets and numpy",
        example="zfed bench --size 200MB --workers 3",
    )
    parser.add_argument("--size", metavar="SIZE", default="5MB", help="of the model, as 200MB (default 5MB)")
    for flag, default, help in (
        ("--workers", 3, "worker processes"),
        ("--rounds", 10, "rounds counted in a block; the first and the last of each are not"),
        ("--blocks", 3, "blocks of rounds that each side runs, in turn"),
    ):
        parser.add_argument(flag, metavar="N", default=str(default), help=f"{help} (default {default})")
    parser.add_argument(
        "--run-directory",
        metavar="DIR",
        type=Path,
        help="where runs are written, and removed; default: in memory. On a disk, raw sockets write and sync "
        "their model each round, too",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, in seconds and bytes")


def run(args: argparse.Namespace) -> int:
    """Measure, and print what was found."""
    numbers = {name: _number(name, getattr(args, name)) for name in ("workers", "rounds", "blocks")}

    from zfed.benchmark import compare, lines, make_plan, record
    from zfed.processes import ended_by_sigterm

    plan = make_plan(args.size, folder=args.run_directory, **numbers)
    with ended_by_sigterm():
        comparison = compare(plan, [sys.executable, "-m", "zfed_cli.main"], _say)
    if args.json:
        print(json.dumps(record(comparison)))
    elif sys.stdout.isatty():
        print_tables(comparison)
    else:
        print("\n".join(lines(comparison)))
    return 0


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{name} is {text!r}, expected a whole number") from None


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def print_tables(comparison: Comparison) -> None:
    """Show a comparison on a terminal."""
    from rich.console import Console

    from zfed.benchmark import averaging_rows, heading, round_rows
    from zfed.telemetry.columns import Column, draw

    console = Console()
    rows = round_rows(comparison)
    console.print(heading(comparison), highlight=False)
    rounds = draw(
        Column(title="", cells=[row.quantity for row in rows], need=0),
        [
            Column(title="zfed", cells=[row.encrypted for row in rows], need=0),
            Column(title="--insecure", cells=[row.plain for row in rows], need=1),
            Column(title="ratio", cells=[row.encryption for row in rows], need=1),
            Column(title="raw sockets", cells=[row.raw for row in rows], need=2),
            Column(title="ratio", cells=[row.engine for row in rows], need=2),
        ],
        console.width,
    )
    names, rates, ratios = zip(*averaging_rows(comparison), strict=True)
    averaging = draw(
        Column(title="averaging alone", cells=names, need=0),
        [Column(title="updates", cells=rates, need=1), Column(title="time", cells=ratios, need=0)],
        console.width,
    )
    console.print(rounds, averaging, sep="\n\n")
