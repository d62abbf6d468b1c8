"""`zfed enroll`: let a node in, say who may come in, and shut one out.

A running coordinator watches the file, so it follows by itself.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from zfed.config.durations import parse_duration
from zfed.errors import UsageError
from zfed_cli.columns import print_columns
from zfed_cli.keys_option import add_keys_flag, keys_folder
from zfed_cli.options import new_command

if TYPE_CHECKING:
    from zfed.identity import AuthorizedKey, AuthorizedTable, KeysFolder
    from zfed_cli.options import Subparsers

_EXAMPLE = """\
zfed enroll alice zfed-key-...                    let alice in
  zfed enroll alice - --max-examples 5000 --tag gpu < alice.pub
  zfed enroll --list                                who may come in
  zfed enroll --revoke alice                        shut alice out, at once"""

_LONGEST_KEY = 4096
"""Characters that are read from stdin; a key has 180."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers, "enroll", help="let a node in, list who may come in, shut one out", example=_EXAMPLE
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="the node's name")
    parser.add_argument(
        "public_key",
        metavar="PUBLICKEY",
        nargs="?",
        help="what `zfed keys show` printed there; -: from stdin",
    )
    parser.add_argument(
        "--max-examples", metavar="N", help="most examples that it may declare (default: any)"
    )
    parser.add_argument(
        "--tag",
        metavar="TAG",
        action="append",
        dest="tags",
        help="what you call it, as gpu or site=a; may be repeated",
    )
    parser.add_argument(
        "--overlap",
        metavar="TIME",
        default="7d",
        help="how long its key before stays valid, as 12h or 7d (default 7d)",
    )
    parser.add_argument("--list", action="store_true", help="list all keys")
    parser.add_argument("--revoke", metavar="NAME", help="let no key of this node in any more")
    add_keys_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Enrol, list or revoke."""
    wanted = [args.list, args.revoke is not None, args.name is not None]
    if wanted.count(True) != 1:
        raise UsageError(
            "expected one of: zfed enroll NAME PUBLICKEY, zfed enroll --list, zfed enroll --revoke NAME"
        )
    folder = keys_folder(args)
    if args.list:
        return _list(folder)
    if args.revoke is not None:
        return _revoke(folder, args.revoke)
    if args.public_key is None:
        raise UsageError(
            f"no key for {args.name}: zfed enroll {args.name} PUBLICKEY, which `zfed keys show` prints"
        )
    return _enroll(folder, args)


def _enroll(folder: KeysFolder, args: argparse.Namespace) -> int:
    from zfed.identity import PublicKey, checked_max_examples, utc_text
    from zfed.tags import parse_tags

    text = sys.stdin.read(_LONGEST_KEY).strip() if args.public_key == "-" else args.public_key
    key, now = PublicKey.parse(text), int(time.time())
    overlap_s = parse_duration(args.overlap, "--overlap")
    max_examples = None if args.max_examples is None else checked_max_examples(args.max_examples)
    tags = None if args.tags is None else parse_tags(",".join(args.tags))

    def enrolled(table: AuthorizedTable) -> AuthorizedTable:
        return table.enrolled(
            args.name, key, now=now, overlap_s=overlap_s, max_examples=max_examples, tags=tags
        )

    table = folder.authorized_nodes.edit(enrolled)
    print(f"{args.name} is enrolled: {key.fingerprint}")
    for older in table.of(args.name):
        if older.key != key and older.valid(now) and older.until is not None:
            print(f"its key before is valid until {utc_text(older.until)}")
    return 0


def _revoke(folder: KeysFolder, name: str) -> int:
    folder.authorized_nodes.edit(lambda table: table.revoked(name, now=int(time.time())))
    print(f"{name} is revoked: it is not let in any more")
    return 0


def _list(folder: KeysFolder) -> int:
    nodes = folder.authorized_nodes
    keys = nodes.read().keys
    if not keys:
        print(f"nobody is enrolled in {nodes.path}", file=sys.stderr)
        return 0
    now = time.time()
    print_columns(
        {
            "node": [each.name for each in keys],
            "fingerprint": [each.key.fingerprint for each in keys],
            "state": [_state(each, now) for each in keys],
            "max examples": [f"{each.max_examples:,}" if each.max_examples else "any" for each in keys],
            "tags": [",".join(each.tags) for each in keys],
        }
    )
    return 0


def _state(entry: AuthorizedKey, now: float) -> str:
    from zfed.identity import utc_text

    if entry.revoked is not None:
        return f"revoked {utc_text(entry.revoked)}"
    if entry.until is None:
        return "valid"
    return f"{'valid until' if entry.valid(now) else 'ended'} {utc_text(entry.until)}"
