"""Makes sure that the data sets which a demo's nodes will ask for are there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zfed.config import NodeEntry
from zfed.data import DATASETS, get_dataset
from zfed_cli.data import shown_progress


def fetch_needed(entries: Iterable[NodeEntry], root: Path | None) -> None:
    """Fetch what is missing; instant if nothing is.

    Args:
        entries: Nodes; one with a setting `root` of its own is served there.
        root: Where the others look; None is $ZFED_DATA, or ./data.

    Raises:
        DataError: If a data set cannot be had; names each source with its reason.
    """
    for name, own_root in sorted(_needed(entries)):
        with shown_progress() as progress:
            get_dataset(name, Path(own_root) if own_root else root, progress=progress)


def _needed(entries: Iterable[NodeEntry]) -> set[tuple[str, str]]:
    """Names of data sets that zfed can fetch, each with the folder its node names for it, if any."""
    needed = set()
    for entry in entries:
        name = str(entry.settings.get("dataset", entry.config.task))
        if name in DATASETS:
            needed.add((name, str(entry.settings.get("root", ""))))
    return needed
