"""Flags made from the configuration records, and what a person said with them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zfed.config import Document, Inputs, parse_document
from zfed.config.tables import FreeTable, Setting, Table
from zfed.errors import ConfigError

if TYPE_CHECKING:
    Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def new_command(subparsers: Subparsers, name: str, *, help: str, example: str) -> argparse.ArgumentParser:
    """A command's parser; `example` closes its `--help`."""
    return subparsers.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_config_flags(
    parser: argparse.ArgumentParser, tables: Iterable[Table], free: Iterable[FreeTable], *, file: str
) -> None:
    """Add `--config`, `--print-config`, the tables' flags, and those that assign keys of the free ones."""
    parser.add_argument("--config", metavar="FILE", help=f"read settings from a {file}")
    parser.add_argument(
        "--print-config", action="store_true", help="show each value and where it comes from, and stop"
    )
    for table in tables:
        group = parser.add_argument_group(f"settings of [{table.name}]")
        for setting in table.settings:
            add_setting_flag(group, setting)
    add_assignment_flags(parser, free)


def add_assignment_flags(parser: argparse.ArgumentParser, free: Iterable[FreeTable]) -> None:
    """Add the flags that assign keys of free tables."""
    for each in free:
        parser.add_argument(
            each.flag,
            metavar="KEY=VALUE",
            action="append",
            default=[],
            dest=each.destination,
            help=each.help,
        )


def read_inputs(args: argparse.Namespace, tables: Iterable[Table], free: Iterable[FreeTable]) -> Inputs:
    """All that a person said: flags, environment and file.

    Raises:
        ConfigError: If the file cannot be read.
    """
    given = vars(args)
    destinations = [setting.destination for table in tables for setting in table.settings]
    return Inputs(
        flags={name: given[name] for name in destinations if name in given},
        assignments={each.name: given[each.destination] for each in free},
        environment=os.environ,
        document=read_document(args.config) if args.config else Document(),
    )


def read_document(path: str) -> Document:
    """Read and parse a configuration file.

    Raises:
        ConfigError: If it cannot be read or is not TOML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not valid TOML: not UTF-8 text") from None
    return parse_document(text, path)


def add_setting_flag(group: argparse._ActionsContainer, setting: Setting) -> None:
    """Add the flag of one setting.

    Values stay text: `zfed.config` reads and checks them, as it does those of the environment.
    """
    # argparse formats help with %, and a default that is suppressed leaves the attribute away
    help = setting.help.replace("%", "%%")
    if setting.default not in ("", []):
        help += f" (default {_shown(setting.default)})"
    if setting.type is not bool:
        group.add_argument(
            setting.flag, metavar=setting.metavar or "VALUE", default=argparse.SUPPRESS, help=help
        )
        return
    opposite = f"--no-{setting.flag.removeprefix('--')}"
    for flag, text, shown in ((setting.flag, "true", help), (opposite, "false", argparse.SUPPRESS)):
        group.add_argument(
            flag,
            action="store_const",
            const=text,
            dest=setting.destination,
            default=argparse.SUPPRESS,
            help=shown,
        )


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)
