"""The page that says what is defended names a test for each defence; it must be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
DEFENCES = PAGE.partition("## Threats and defences")[2].partition("\n## ")[0]


def test_every_defence_names_a_test_and_every_test_is_there():
    rows = [line for line in DEFENCES.splitlines() if line.startswith("| ") and "| threat |" not in line]
    rows = [row for row in rows if not row.startswith("| threat")]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row.split(" | ")[-1])
        assert named, f"no test: {row}"
        for path in named:
            assert (ROOT / path).exists(), f"{path} is not there: {row}"
