"""`zfed evaluator`: holds test data and says how good the models are."""

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
        "evaluator",
        help="hold test data and say how good the models are",
        example="zfed evaluator --name eve --task mnist",
    )
    add_member_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Run an evaluator to the end of its run."""
    return run_member(args, lambda: zfed.Evaluator)
