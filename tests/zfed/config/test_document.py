from __future__ import annotations

from pathlib import Path

from zfed.config.document import configuration_page

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_what_the_records_say():
    assert PAGE.read_text(encoding="utf-8") == configuration_page(), "stale: run make docs"


def test_no_cell_of_the_page_breaks_its_table():
    rows = [line for line in configuration_page().splitlines() if line.startswith("| ")]
    assert all(row.replace(r"\|", "").count("|") == 7 for row in rows)
