"""The flag `--keys` of commands that have no configuration record, and the folder that it names."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zfed.identity import KeysFolder


def add_keys_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag."""
    parser.add_argument(
        "--keys",
        metavar="DIR",
        default="",
        help="folder of the keys (default: $ZFED_KEYS, else zfed in $XDG_CONFIG_HOME or ~/.config)",
    )


def keys_folder(args: argparse.Namespace) -> KeysFolder:
    """The folder that the flag, the environment or this user's home says.

    Raises:
        UsageError: If there is none.
    """
    from zfed.identity import KeysFolder

    return KeysFolder.at(args.keys or os.environ.get("ZFED_KEYS", ""))
