import dataclasses
from pathlib import Path

import pytest

from zfed.torch import ClassifierSettings

GUIDE = (Path(__file__).parents[3] / "docs/tasks.md").read_text()


@pytest.mark.parametrize("field", dataclasses.fields(ClassifierSettings), ids=lambda field: field.name)
def test_the_guide_names_every_key_with_its_default(field: "dataclasses.Field[object]") -> None:
    default = f'"{field.default}"' if isinstance(field.default, str) else str(field.default)
    row = next(
        line
        for line in GUIDE.splitlines()
        if line.startswith("|") and f"`{field.name}`" in line.split("|")[1]
    )
    assert field.default is None or f"`{default}`" in row or f" {default} " in row
