"""`zfed coordinator`: averages what the workers of one run send; resumes the run if it is there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import zfed
from zfed.config import coordinator_toml
from zfed.config.tables import COORDINATOR, COORDINATOR_FREE
from zfed_cli.options import add_config_flags, new_command, read_inputs
from zfed_cli.resuming import resolve_run
from zfed_cli.running import run_node

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "coordinator",
        help="average what the workers of one run send",
        example="zfed coordinator --rounds 40 --wait-for alice,bob,charlie --train batches=50",
    )
    add_config_flags(parser, COORDINATOR, COORDINATOR_FREE, file="zfed.toml")


def run(args: argparse.Namespace) -> int:
    """Begin a run, or go on with the one in `--run`, to its end."""
    resolved = resolve_run(read_inputs(args, COORDINATOR, COORDINATOR_FREE))
    config = resolved.config
    if args.print_config:
        print(coordinator_toml(config, resolved.origins), end="")
        return 0

    from zfed.telemetry import open_observer

    with open_observer(config.report.format, groups=config.evaluate.groups) as observer:
        return run_node(zfed.Coordinator(config, observer=observer))
