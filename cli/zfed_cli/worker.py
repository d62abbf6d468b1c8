"""`zfed worker`: trains on data that never leave this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import zfed
from zfed_cli.member import add_member_flags, run_member
from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "worker",
        help="train on data that never leave this machine",
        example="zfed worker --name alice --task mnist --labels 0-3",
    )
    add_member_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Run a worker to the end of its run."""
    return run_member(args, lambda: zfed.Worker)
