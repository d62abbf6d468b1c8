"""`zfed strategies`: how updates can become a model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    new_command(
        subparsers,
        "strategies",
        help="list the strategies and their options",
        example="zfed strategies",
    )


def run(args: argparse.Namespace) -> int:
    """Print each strategy with its options."""
    from zfed.nodes.strategy_choice import strategy_lines

    for line in strategy_lines():
        print(line)
    print("your own: --strategy module:Name or path/to/file.py:Name; see docs/strategies.md")
    return 0
