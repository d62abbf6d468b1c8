"""`zfed invite`: one word that lets one device enrol itself, once.

The token goes to stdout and all else to stderr. A running coordinator watches the file, so it follows by
itself.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from zfed.config import DEFAULT_ADDRESS
from zfed.config.durations import parse_duration
from zfed.errors import UsageError
from zfed_cli.columns import print_columns
from zfed_cli.keys_option import add_keys_flag, keys_folder
from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed.identity import KeysFolder
    from zfed_cli.options import Subparsers

_EXAMPLE = """\
zfed invite alice --address tcp://192.0.2.7:8777   prints the line for alice's device
  zfed invite alice --expires 1h --max-examples 5000 --tag gpu
  zfed invite --list                                 who is invited, and who came
  zfed invite --revoke alice                         make alice's invitation useless"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers, "invite", help="let a device enrol itself once, with one word", example=_EXAMPLE
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="the node's name")
    parser.add_argument(
        "--address",
        metavar="ADDRESS[,ADDRESS]",
        default=DEFAULT_ADDRESS,
        help=f"where the device finds the coordinator (default {DEFAULT_ADDRESS})",
    )
    parser.add_argument(
        "--expires", metavar="TIME", default="1d", help="how long it can be used, as 1h or 7d (default 1d)"
    )
    parser.add_argument(
        "--max-examples", metavar="N", help="most examples that the node may declare (default: any)"
    )
    parser.add_argument(
        "--tag",
        metavar="TAG",
        action="append",
        dest="tags",
        default=[],
        help="what you call it; may be repeated",
    )
    parser.add_argument("--list", action="store_true", help="list all invitations")
    parser.add_argument("--revoke", metavar="NAME", help="let nobody use this node's invitation any more")
    add_keys_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Invite, list or revoke."""
    wanted = [args.list, args.revoke is not None, args.name is not None]
    if wanted.count(True) != 1:
        raise UsageError("expected one of: zfed invite NAME, zfed invite --list, zfed invite --revoke NAME")
    folder = keys_folder(args)
    if args.list:
        return _list(folder)
    if args.revoke is not None:
        return _revoke(folder, args.revoke)
    return _invite(folder, args)


def _invite(folder: KeysFolder, args: argparse.Namespace) -> int:
    from zfed.identity import checked_max_examples, invite, utc_text
    from zfed.tags import parse_tags

    lasts_s = parse_duration(args.expires, "--expires")
    if not lasts_s:
        raise UsageError(f"--expires is {args.expires!r}: nobody could use this invitation; see --expires 1d")
    until = int(time.time()) + lasts_s
    invitation = invite(
        folder,
        args.name,
        address=args.address,
        until=until,
        max_examples=0 if args.max_examples is None else checked_max_examples(args.max_examples),
        tags=parse_tags(",".join(args.tags)),
    )
    for note in _notes(folder, args):
        print(note, file=sys.stderr)
    print(f"on one device, until {utc_text(until)}:", file=sys.stderr, flush=True)
    print(f"zfed worker --invite {invitation.text}" if sys.stdout.isatty() else invitation.text, flush=True)
    return 0


def _notes(folder: KeysFolder, args: argparse.Namespace) -> list[str]:
    """What the owner may not have thought of."""
    notes = []
    if args.address == DEFAULT_ADDRESS:
        notes.append(f"only this machine finds a coordinator at {DEFAULT_ADDRESS}; for others see --address")
    keys = [each for each in folder.authorized_nodes.read().of(args.name) if each.valid(time.time())]
    for each in keys[-1:]:
        notes.append(
            f"{args.name} is enrolled, as {each.key.fingerprint}: only that device can use this invitation; "
            f"for another one `zfed enroll --revoke {args.name}` first"
        )
    return notes


def _revoke(folder: KeysFolder, name: str) -> int:
    folder.invitations.edit(lambda table: table.revoke(name, now=int(time.time())))
    print(f"the invitation of {name} is revoked: nobody can use it any more")
    return 0


def _list(folder: KeysFolder) -> int:
    invitations = folder.invitations
    invited = invitations.read().invited
    if not invited:
        print(f"nobody is invited in {invitations.path}", file=sys.stderr)
        return 0
    now = time.time()
    print_columns(
        {
            "node": [each.name for each in invited],
            "state": [each.state(now) for each in invited],
            "max examples": [f"{each.max_examples:,}" if each.max_examples else "any" for each in invited],
            "tags": [",".join(each.tags) for each in invited],
        }
    )
    return 0
