"""Columns as plain text, for people and for pipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def print_columns(columns: Mapping[str, Sequence[str]]) -> None:
    """Print cells below their titles, all columns of one length."""
    widths = [max(map(len, (title, *cells))) for title, cells in columns.items()]
    for row in (tuple(columns), *zip(*columns.values(), strict=True)):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
