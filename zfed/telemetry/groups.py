"""Classes shown together: `[evaluate] groups`, as `["0-3", "4-6", "7-9"]`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zfed.errors import ConfigError

MAX_GROUP_LABELS = 4096
_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class LabelGroup:
    """Some labels and the name they go by."""

    name: str
    labels: frozenset[str]


def parse_groups(groups: Sequence[str]) -> tuple[LabelGroup, ...]:
    """Read groups: each is labels and ranges of numbers between commas, as "0-3" or "cat,dog".

    Raises:
        ConfigError: If a group is empty, or a range runs backwards or over more than `MAX_GROUP_LABELS`.
    """
    return tuple(LabelGroup(text, frozenset(_parse_group(text))) for text in groups)


def group_shares(predicted: Mapping[str, float], groups: Sequence[LabelGroup]) -> list[float]:
    """The share of all predictions that fell into each group, 0 to 1; all 0 if there were none."""
    total = sum(predicted.values())
    return [
        sum(predicted.get(label, 0) for label in group.labels) / total if total else 0.0 for group in groups
    ]


def _parse_group(text: str) -> list[str]:
    labels: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        bounds = _RANGE.fullmatch(part)
        if not part:
            raise ConfigError(f'group {text!r}: expected labels and ranges such as "0-3" or "cat,dog"')
        if bounds is None:
            labels.append(part)
            continue
        first, last = int(bounds[1]), int(bounds[2])
        if not first <= last < first + MAX_GROUP_LABELS:
            raise ConfigError(
                f"group {text!r}: range {part} must go upwards and hold at most {MAX_GROUP_LABELS} labels"
            )
        labels.extend(str(label) for label in range(first, last + 1))
    return labels
