"""Examples per label as a small table of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zfed.telemetry.wording import count

TABLE_WIDTH = 58
"""Fits a terminal of 60 columns, so that no format has to wrap it."""


MAX_LABELS = 32
"""With more labels than this nobody reads the counts one by one; they are summed up."""

_MARGIN = len("  examples")


def label_table(label_counts: Mapping[str, int]) -> list[str]:
    """Labels above counts with the total at the end, folded into blocks of at most `TABLE_WIDTH` columns."""
    if len(label_counts) > MAX_LABELS:
        return [f"  {label_words(label_counts)}"]
    cells = [(label, count(label_counts[label])) for label in _sorted_labels(label_counts)]
    cells.append(("total", count(sum(label_counts.values()))))
    cell_width = 2 + max(len(text) for cell in cells for text in cell)
    per_block = max(1, (TABLE_WIDTH - _MARGIN) // cell_width)
    lines = []
    for start in range(0, len(cells), per_block):
        labels, counts = zip(*cells[start : start + per_block], strict=True)
        lines.append(_row("  label", labels, cell_width))
        lines.append(_row("  examples", counts, cell_width))
    return lines


def _row(title: str, cells: Iterable[str], cell_width: int) -> str:
    return f"{title:<{_MARGIN}}" + "".join(f"{cell:>{cell_width}}" for cell in cells)


def label_words(label_counts: Mapping[str, int]) -> str:
    """The same in one line: "0: 5,923, 1: 6,742"."""
    if len(label_counts) > MAX_LABELS:
        counts = label_counts.values()
        return f"{len(label_counts):,} labels with {count(min(counts))} to {count(max(counts))} examples each"
    return ", ".join(f"{label}: {count(label_counts[label])}" for label in _sorted_labels(label_counts))


def _sorted_labels(label_counts: Mapping[str, int]) -> list[str]:
    """Numbers by value, anything else as it came."""
    if all(label.isdecimal() for label in label_counts):
        return sorted(label_counts, key=int)
    return list(label_counts)
