"""`zfed data`: get data sets onto this machine, and say which are there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zfed.data import Progress

_EXAMPLES = """\
examples:
  zfed data get mnist                       fetch MNIST into ./data
  zfed data get mnist --from /media/stick   take it from a folder, touch no network
  zfed data list                            what is known, and what is here

A data set that is here and intact is not fetched again. The files are checked against
known checksums each time they are used.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `zfed data` to the command line."""
    parser = subparsers.add_parser(
        "data",
        help="get data sets, and list them",
        description="Get data sets onto this machine, and list them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    get = actions.add_parser(
        "get",
        help="fetch a data set and verify it",
        description="Fetch a data set and verify it; instant if it is already here.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    get.add_argument("name", metavar="NAME", help="mnist, fashion-mnist or kmnist")
    get.add_argument(
        "--from",
        dest="folder",
        metavar="DIR",
        type=Path,
        help="take the files, plain or as .gz, from here and from nowhere else",
    )
    _add_root(get)
    _add_root(actions.add_parser("list", help="list the data sets", description="List the data sets."))


def run(args: argparse.Namespace) -> int:
    """Run `zfed data`.

    Raises:
        ZfedError: If the data set is unknown or cannot be had.
    """
    return _list(args.root) if args.action == "list" else _get(args.name, args.root, args.folder)


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", metavar="DIR", type=Path, help="folder for data sets (default: $ZFED_DATA, or ./data)"
    )


def _get(name: str, root: Path | None, folder: Path | None) -> int:
    from zfed.data import find_dataset, get_dataset

    dataset = find_dataset(name)
    with shown_progress() as progress:
        target = get_dataset(name, root, folder=folder, progress=progress)
    print(f"{name}: ready in {target}")
    print(f"credit: {dataset.credit}")
    return 0


def _list(root: Path | None) -> int:
    from zfed.data import DATASETS, default_root, missing_files

    root = default_root() if root is None else root
    print(f"data sets in {root}:")
    for name, dataset in DATASETS.items():
        missing = set(missing_files(dataset, dataset.folder(root)))
        ready = [split for split, files in dataset.files.items() if not missing & set(files)]
        print(f"  {name:<14} {' and '.join(ready) or 'not here'}")
    return 0


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Show progress on stderr: a bar on a terminal, else one line for each thing that is begun."""
    if not sys.stderr.isatty():
        yield _plain_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(done_bytes: int, total_bytes: int | None, what: str) -> None:
            bars.update(task, description=what, completed=done_bytes, total=total_bytes)

        yield show


def _plain_progress() -> Progress:
    begun: set[str] = set()

    def show(done_bytes: int, total_bytes: int | None, what: str) -> None:
        if what not in begun:
            begun.add(what)
            size = "" if total_bytes is None else f" ({total_bytes / 1e6:.1f} MB)"
            print(f"getting {what}{size}", file=sys.stderr, flush=True)

    return show
