"""What `zfed worker` and `zfed evaluator` share: they differ in the node they run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from zfed.config import NodeConfig, node_toml, resolve_node
from zfed.config.tables import NODE, TASK
from zfed_cli.first_use import ask_for_coordinator
from zfed_cli.options import add_config_flags, read_inputs
from zfed_cli.running import Node, run_node

if TYPE_CHECKING:
    from zfed.facts import Observer


class MemberClass(Protocol):
    """The class `zfed.Worker` or `zfed.Evaluator`."""

    def __call__(self, config: NodeConfig, *, settings: Mapping[str, object], observer: Observer) -> Node:
        """A node, not yet running."""


def add_member_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that both take."""
    add_config_flags(parser, (NODE,), (TASK,), file="worker.toml")
    parser.add_argument(
        "--invite",
        metavar="TOKEN",
        help="enrol this machine with what `zfed invite` printed, then take part; -: from stdin",
    )


def run_member(args: argparse.Namespace, load: Callable[[], MemberClass]) -> int:
    """Run a node of the class that `load` returns to the end of its run; nothing heavy is loaded before."""
    resolved = resolve_node(read_inputs(args, (NODE,), (TASK,)))
    if args.print_config:
        print(node_toml(resolved.config, resolved.settings, resolved.origins), end="")
        return 0

    if args.invite is None:  # an invitation says whom to trust
        ask_for_coordinator(resolved.config)

    from zfed.telemetry import open_observer

    with open_observer(resolved.config.format) as observer:
        config = resolved.config
        if args.invite is not None:
            config = _enrolled(config, args.invite, observer)
        return run_node(load()(config, settings=resolved.settings, observer=observer))


def _enrolled(config: NodeConfig, token: str, observer: Observer) -> NodeConfig:
    from zfed.nodes.invited_device import enrol_device

    return enrol_device(config, sys.stdin.readline().strip() if token == "-" else token, observer=observer)
