"""`zfed keys`: make this node's keys, and show what others may know of them.

The public key goes to stdout and all else to stderr, so that `zfed keys show | ssh ... zfed enroll alice -`
does what it looks like.
"""

from __future__ import annotations

import argparse
import socket
import sys
from typing import TYPE_CHECKING

from zfed_cli.keys_option import add_keys_flag, keys_folder
from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed.identity import KeysFolder, PublicKey
    from zfed_cli.options import Subparsers

_EXAMPLE = """\
zfed keys new alice              on the machine of the worker alice
  zfed keys new coordinator        on the coordinator's
  zfed keys show alice             the public key again, and where the secret lies
  zfed keys new alice --rotate     a new key of the same identity; then enrol it, too"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "keys",
        help="make this node's keys, and show what others may know of them",
        example=_EXAMPLE,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = _add_action(actions, "new", "make the keys of a node; those that are there stay")
    new.add_argument(
        "--rotate",
        action="store_true",
        help="make another key of an identity that is there; it replaces the old",
    )
    _add_action(actions, "show", "show the public key and the fingerprint of a node")


def run(args: argparse.Namespace) -> int:
    """Make or show keys."""
    folder = keys_folder(args)
    name = args.name or socket.gethostname()
    if args.action == "show":
        _show(folder, name, folder.key(name).public)
        return 0
    key = folder.rotated_key(name) if args.rotate else folder.new_key(name)
    _show(folder, name, key.public)
    for line in _next_steps(name, rotated=args.rotate):
        print(line, file=sys.stderr)
    return 0


def _add_action(actions: Subparsers, name: str, help: str) -> argparse.ArgumentParser:
    action = actions.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}.", allow_abbrev=False
    )
    action.add_argument(
        "name", metavar="NAME", nargs="?", default="", help="the node's name (default: the host's)"
    )
    add_keys_flag(action)
    return action


def _show(folder: KeysFolder, name: str, key: PublicKey) -> None:
    print(f"node:        {name}", file=sys.stderr)
    print(f"fingerprint: {key.fingerprint}", file=sys.stderr)
    print(f"secret in:   {folder.secret_path(name)}", file=sys.stderr)
    print("public key:", file=sys.stderr, flush=True)
    print(key.text, flush=True)


def _next_steps(name: str, *, rotated: bool) -> list[str]:
    from zfed.identity import COORDINATOR

    if name == COORDINATOR:
        changed = ", which must have it before the next start" if rotated else ""
        return [
            f"give it to each node{changed}: zfed worker --coordinator-key zfed-key-...",
            "or invite each, which needs no key to be carried: zfed invite NAME",
        ]
    steps = [f"at the coordinator: zfed enroll {name} zfed-key-..."]
    if rotated:
        steps.append(f"until then do not start {name} again: it uses the new key from its next start on")
    return steps
