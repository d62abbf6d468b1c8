"""`zfed demo`: a whole run on this machine, each node a process of its own."""

from __future__ import annotations

import argparse
import os
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from zfed.config import (
    CoordinatorConfig,
    Inputs,
    NodeEntry,
    coordinator_toml,
    node_entries,
    node_entries_toml,
    parse_document,
    suggestion,
)
from zfed.config.tables import RUN
from zfed.errors import ConfigError, UsageError
from zfed.recipes import DEFAULT_RECIPE, recipe_file, recipe_names, recipe_text
from zfed_cli.options import add_setting_flag, new_command, read_document
from zfed_cli.plan import plan_processes
from zfed_cli.resuming import resolve_run

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers

_OVERRIDES = ("run", "insecure", "rounds", "seed", "compress", "compress_model", "trace")
"""Settings of [run] that are flags here too."""

_PASSED_ON = ("insecure", "rounds", "seed", "compress", "compress_model")
"""Those among them that only the coordinator is told."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "demo",
        help="start a whole run on this machine, each node a process of its own",
        example="zfed demo --recipe published --seed 3",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--recipe", metavar="NAME", help=f"one of {', '.join(recipe_names())} (default {DEFAULT_RECIPE})"
    )
    source.add_argument("--config", metavar="FILE", help="run a zfed.toml with [[node]] tables instead")
    parser.add_argument("--print-recipe", action="store_true", help="show the recipe's file, and stop")
    parser.add_argument(
        "--print-config", action="store_true", help="show each value and where it comes from, and stop"
    )
    parser.add_argument(
        "--data", metavar="DIR", help="folder of the data sets (default: $ZFED_DATA, or ./data)"
    )
    for setting in RUN.settings:
        if setting.key in _OVERRIDES:
            add_setting_flag(parser, setting)


def run(args: argparse.Namespace) -> int:
    """Run a recipe, or a file like one, from the data to the curves."""
    recipe = args.recipe or DEFAULT_RECIPE
    if recipe not in recipe_names():
        raise UsageError(f'unknown recipe "{recipe}"; {suggestion(recipe, recipe_names())}')
    if args.print_recipe:
        print(recipe_text(recipe), end="")
        return 0
    document = (
        read_document(args.config) if args.config else parse_document(recipe_text(recipe), f"{recipe}.toml")
    )
    flags = {name: vars(args)[name] for name in _OVERRIDES if name in args}
    resolved = resolve_run(Inputs(flags=flags, environment=os.environ, document=document))
    entries = node_entries(document)
    if args.print_config:
        print(coordinator_toml(resolved.config, resolved.origins))
        print(node_entries_toml(entries), end="")
        return 0
    if not entries:
        raise ConfigError(f"{document.name}: no [[node]] tables, so there is nobody to train")

    from zfed.identity import KeysFolder
    from zfed.telemetry import renew_trace
    from zfed_cli.demo_data import fetch_needed
    from zfed_cli.demo_run import run_processes
    from zfed_cli.free_port import free_address
    from zfed_cli.local_keys import PREFIX, with_new_keys

    if resolved.config.run.trace:
        renew_trace(Path(resolved.config.run.trace))
    root = Path(args.data) if args.data else None
    fetch_needed(entries, root)
    config = _placed(resolved.config, Path(document.name).stem, free_address(resolved.config.run.bind))
    with (
        nullcontext(args.config) if args.config else recipe_file(recipe) as file,
        TemporaryDirectory(prefix=PREFIX) as keys,
    ):
        words = [*("--config", str(file)), *("--run", config.run.run), *("--bind", config.run.bind)]
        for setting in RUN.settings:
            if setting.key in _PASSED_ON:
                words += setting.arguments(getattr(config.run, setting.field))
        if config.run.trace:
            words += ["--trace", config.run.trace]
            entries = _traced(entries, config.run.trace)
        if not config.run.insecure:
            entries = with_new_keys(entries, KeysFolder(Path(keys)))
            words += ["--keys", keys]
        return run_processes(config, plan_processes(config, entries, words), data=root)


def _traced(entries: list[NodeEntry], file: str) -> list[NodeEntry]:
    """The same nodes, all adding to one trace; one that has a file of its own keeps it."""
    return [
        replace(entry, config=replace(entry.config, trace=entry.config.trace or file)) for entry in entries
    ]


def _placed(config: CoordinatorConfig, name: str, bind: str) -> CoordinatorConfig:
    """The same run with a directory and an address that are free."""
    directory = config.run.run or f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if bind != config.run.bind:
        print(f"{config.run.bind} is taken; this demo uses {bind}", flush=True)
    return replace(config, run=replace(config.run, run=directory, bind=bind))
