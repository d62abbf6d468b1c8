"""`zfed launch`: the nodes of a zfed.toml, each in a tmux pane of its own."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zfed.config import (
    CoordinatorConfig,
    Inputs,
    NodeEntry,
    coordinator_toml,
    node_entries,
    node_entries_toml,
)
from zfed.errors import ConfigError
from zfed_cli import tmux
from zfed_cli.options import new_command, read_document
from zfed_cli.plan import Process, plan_processes
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
    settings, words = resolved.config.run, ["--config", args.file]
    processes = plan_processes(resolved.config, entries, words)
    if args.print:
        for process in processes:
            print(shlex.join(["zfed", *process.arguments]))
        return 0
    session = args.session or tmux.session_name(Path(settings.run).name)
    if settings.insecure or settings.keys:  # as the file says: who names keys has them
        tmux.open_session(session, [_pane(process) for process in processes])
    else:
        _open_with_new_keys(session, resolved.config, entries, words)
    return tmux.attach(session)


def _open_with_new_keys(
    session: str, config: CoordinatorConfig, entries: list[NodeEntry], words: list[str]
) -> None:
    """Open the session with keys that are gone once the run is completed.

    A run that was stopped keeps them: its coordinator may be started again in its pane while nodes wait.
    """
    from zfed.identity import KeysFolder
    from zfed_cli.local_keys import PREFIX, with_new_keys

    path = tempfile.mkdtemp(prefix=PREFIX)
    try:
        entries = with_new_keys(entries, KeysFolder(Path(path)))
        processes = plan_processes(config, entries, [*words, "--keys", path])
        coordinator, *nodes = map(_pane, processes)
        removing = tmux.Pane(coordinator.title, f"{coordinator.command} && rm -r {shlex.quote(path)}")
        tmux.open_session(session, [removing, *nodes])
    except BaseException:
        shutil.rmtree(path)
        raise


def _pane(process: Process) -> tmux.Pane:
    own = [sys.executable, "-m", "zfed_cli.main"]
    return tmux.Pane(process.name, shlex.join([*own, *process.arguments]))
