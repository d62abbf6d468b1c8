"""Chooses which columns of a table a terminal has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table

GAP = 2
MIN_NAME_WIDTH = 9  # "federated", "evaluator"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Args:
        title: What stands above it.
        cells: One for each row.
        need: The columns with the highest number go first, together, when room is short.
        width: Of cells that are not text; 0 measures them.
        left: Align to the left; numbers stand to the right.
    """

    title: str
    cells: Sequence[RenderableType]
    need: int
    width: int = 0
    left: bool = False

    @property
    def natural_width(self) -> int:
        """Columns of the terminal that title and cells take."""
        texts = [self.title, *(str(cell) for cell in self.cells)]
        return self.width or max(cell_len(text) for text in texts)


def fit(names: Column, columns: Sequence[Column], width: int) -> list[Column]:
    """The columns, in their order, that stand beside at least `MIN_NAME_WIDTH` of the names."""
    kept = list(columns)
    name_width = min(names.natural_width, MIN_NAME_WIDTH)
    while kept and name_width + sum(GAP + column.natural_width for column in kept) > width:
        least_needed = max(column.need for column in kept)
        kept = [column for column in kept if column.need < least_needed]
    return kept


def draw(names: Column, columns: Sequence[Column], width: int) -> Table:
    """The table of all columns that fit into a width; names that are too long are cut, nothing wraps."""
    kept = fit(names, columns, width)
    room = width - sum(GAP + column.natural_width for column in kept)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(
        names.title, width=max(1, min(names.natural_width, room)), no_wrap=True, overflow="ellipsis"
    )
    for column in kept:
        table.add_column(
            column.title,
            width=column.natural_width,
            justify="left" if column.left else "right",
            no_wrap=True,
            overflow="ellipsis",
        )
    for cells in zip(names.cells, *(column.cells for column in kept), strict=True):
        table.add_row(*cells)
    return table
