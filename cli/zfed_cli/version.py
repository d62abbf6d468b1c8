"""`zfed version`: what is installed here."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import zfed
from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers

_PARTS = ("pyzmq", "cryptography", "numpy", "numba", "torch", "torchvision")


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    new_command(subparsers, "version", help="say what is installed here", example="zfed version")


def run(args: argparse.Namespace) -> int:
    """Print the versions that a bug report needs."""
    print(f"{'zfed':<12} {zfed.__version__}")
    for part in _PARTS:
        try:
            found = version(part)
        except PackageNotFoundError:
            found = "not installed"
        print(f"{part:<12} {found}")
    print(f"{'python':<12} {platform.python_version()} on {platform.machine()}, {platform.platform()}")
    return 0
