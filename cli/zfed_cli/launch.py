"""`zfed launch`: the nodes of a zfed.toml, each in a tmux pane of its own."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zfed.config import Inputs, coordinator_toml, node_entries, node_entries_toml
from zfed.errors import ConfigError
from zfed_cli.options import new_command, read_document
from zfed_cli.plan import plan_processes
from zfed_cli.resuming import resolve_run

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "launch",
        help="open the nodes of a zfed.toml in tmux, each in a pane of its own",
        example="zfed launch examples/five-terminals/zfed.toml",
    )
    parser.add_argument("file", metavar="FILE", help="a zfed.toml with [[node]] tables")
    parser.add_argument(
        "--session", metavar="NAME", default="", help="name of the tmux session (default: zfed)"
    )
    parser.add_argument("--print", action="store_true", help="only show the commands")
    parser.add_argument(
        "--print-config", action="store_true", help="show each value and where it comes from, and stop"
    )


def run(args: argparse.Namespace) -> int:
    """Open the panes, and attach to them if this is a terminal."""
    document = read_document(args.file)
    resolved = resolve_run(Inputs(environment=os.environ, document=document))
    entries = node_entries(document)
    if args.print_config:
        print(coordinator_toml(resolved.config, resolved.origins))
        print(node_entries_toml(entries), end="")
        return 0
    if not entries:
        raise ConfigError(
            f"{document.name}: no [[node]] tables, so there is nothing to open but a coordinator"
        )
    processes = plan_processes(resolved.config, entries, ["--config", args.file])
    if args.print:
        for process in processes:
            print(shlex.join(["zfed", *process.arguments]))
        return 0

    from zfed_cli import tmux

    session = args.session or tmux.session_name(Path(resolved.config.run.run).name)
    own = [sys.executable, "-m", "zfed_cli.main"]
    panes = [tmux.Pane(process.name, shlex.join([*own, *process.arguments])) for process in processes]
    tmux.open_session(session, panes)
    return tmux.attach(session)
