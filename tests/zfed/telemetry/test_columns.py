from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from zfed.telemetry.columns import MIN_NAME_WIDTH, Column, draw, fit

WORDS = st.text(st.characters(categories=["L", "N", "P"]), max_size=30)


def titles(columns: list[Column]) -> list[str]:
    return [column.title for column in columns]


def test_the_least_needed_columns_go_first_and_together() -> None:
    names = Column(title="node", cells=["alice"], need=0)
    columns = [
        Column(title="0-3", cells=["100.0"], need=3),
        Column(title="4-6", cells=["100.0"], need=3),
        Column(title="loss", cells=["0.1301"], need=1),
    ]
    assert titles(fit(names, columns, 30)) == ["0-3", "4-6", "loss"]
    assert titles(fit(names, columns, 24)) == ["loss"]
    assert titles(fit(names, columns, 10)) == []


@given(
    st.integers(1, 120),
    st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=6),
    st.lists(WORDS, min_size=3, max_size=3),
)
def test_no_table_is_wider_than_asked_nor_wraps(
    width: int, cells: list[tuple[str, str, str]], headings: list[str]
) -> None:
    columns = [
        Column(title=title, cells=texts, need=need)
        for need, (title, *texts) in enumerate(zip(headings, *cells, strict=True))
    ]
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(draw(columns[0], columns[1:], width))
    lines = console.export_text().splitlines()
    assert len(lines) == 1 + len(cells)
    assert max(map(cell_len, lines)) <= width


def test_long_names_are_cut_only_as_far_as_needed() -> None:
    names = Column(title="node", cells=["hospital-of-the-holy-ghost"], need=0)
    console = Console(width=30, file=io.StringIO(), record=True)
    console.print(draw(names, [Column(title="stage", cells=["train"], need=0)], 30))
    assert console.export_text().splitlines()[1].rstrip() == "hospital-of-the-holy-g…  train"
    assert len("federated") == MIN_NAME_WIDTH
