"""Metrics: finite named numbers or histograms, and how those of many nodes become one.

A histogram maps a bin's label to a count, for instance `{"0": 980, "1": 1135}`; those of many nodes are
added. Numbers are averaged, unless the task says by which other rule they merge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from zfed.errors import TaskError

Histogram: TypeAlias = dict[str, float]
Metric: TypeAlias = float | Histogram
Metrics: TypeAlias = dict[str, Metric]

MergeRule: TypeAlias = Literal["mean", "sum", "max", "min"]
"""How numbers of one name become one; "mean" is weighted by examples."""

Rules: TypeAlias = Mapping[str, MergeRule]
"""The rule of each metric that has one; all others are averaged."""

_BETTER_IF_HIGHER: Final = frozenset({"accuracy", "auc", "correct", "f1", "precision", "r2", "recall"})
_BETTER_IF_LOWER: Final = frozenset({"error", "loss", "mae", "mse", "perplexity", "rmse"})

MAX_METRICS = 256
MAX_BINS = 4096

NO_RULES: Final[Rules] = {}
"""All numbers are averaged."""

CLASSIFIER_RULES: Final[Rules] = {"correct": "sum"}
"""Of what a classifier reports; its histogram is added anyway."""


def checked_metrics(metrics: Mapping[str, object]) -> Metrics:
    """Return a copy of what a task reported, as plain finite numbers.

    Raises:
        TaskError: If a name is not text, a value is not a finite number or a histogram of such, or there
            are more than `MAX_METRICS` metrics or `MAX_BINS` bins.
    """
    if len(metrics) > MAX_METRICS:
        raise TaskError(f"{len(metrics)} metrics reported, limit is {MAX_METRICS}")
    return {_checked_name(name): _checked_metric(name, value) for name, value in metrics.items()}


def checked_rules(rules: object) -> dict[str, MergeRule]:
    """Return a copy of the rules that a task declares, without those that say what goes without saying.

    Raises:
        TaskError: If they are no mapping of names to rules, or more than `MAX_METRICS`.
    """
    if not isinstance(rules, Mapping):
        raise TaskError(
            f"the task's merge is {rules!r}: expected a rule for each name, as {{'correct': 'sum'}}"
        )
    if len(rules) > MAX_METRICS:
        raise TaskError(f"the task's merge has {len(rules)} rules, limit is {MAX_METRICS}")
    allowed = get_args(MergeRule)
    for name, rule in rules.items():
        _checked_name(name)
        if rule not in allowed:
            raise TaskError(f"the task's merge of {name!r} is {rule!r}, allowed are {', '.join(allowed)}")
    return {name: rule for name, rule in rules.items() if rule != "mean"}


def higher_is_better(name: str) -> bool | None:
    """Which way a metric of this name is better; None if the name does not say."""
    if name in _BETTER_IF_HIGHER:
        return True
    return False if name in _BETTER_IF_LOWER else None


def merge_metrics(parts: Iterable[tuple[float, Mapping[str, Metric]]], rules: Rules = NO_RULES) -> Metrics:
    """Merge the metrics of several nodes, each with its weight, which is at least 0.

    A metric that only some nodes report is merged over those. Sums are exact until they are rounded once, so
    the result does not depend on the order of the parts. Left out is a mean whose weights are all 0, and
    whatever finite numbers of some nodes make infinite.
    """
    numbers: dict[str, list[tuple[float, float]]] = {}
    histograms: dict[str, dict[str, list[float]]] = {}
    for weight, metrics in parts:
        for name, value in metrics.items():
            if isinstance(value, Mapping):
                bins = histograms.setdefault(name, {})
                for label, count in value.items():
                    bins.setdefault(label, []).append(count)
            else:
                numbers.setdefault(name, []).append((weight, value))
    merged: Metrics = {}
    for name, weighted in numbers.items():
        if (number := _MERGE[rules.get(name, "mean")](weighted)) is not None:
            merged[name] = number
    for name, bins in histograms.items():
        sums = {label: total for label, counts in bins.items() if (total := _finite_sum(counts)) is not None}
        if len(sums) == len(bins):
            merged[name] = sums
    return merged


def _mean(weighted: list[tuple[float, float]]) -> float | None:
    total = math.fsum(weight for weight, _ in weighted)
    if not total:
        return None
    product = _finite_sum(weight * value for weight, value in weighted)
    if product is None:
        return None
    values = [value for _, value in weighted]
    return min(max(product / total, min(values)), max(values))  # exactly theirs if all agree


_MERGE: Final[Mapping[MergeRule, Callable[[list[tuple[float, float]]], float | None]]] = {
    "mean": _mean,
    "sum": lambda weighted: _finite_sum(value for _, value in weighted),
    "max": lambda weighted: max(value for _, value in weighted),
    "min": lambda weighted: min(value for _, value in weighted),
}


def _finite_sum(terms: Iterable[float]) -> float | None:
    try:
        total = math.fsum(terms)
    except (OverflowError, ValueError):  # on its way, or of infinities of both signs
        return None
    return total if math.isfinite(total) else None


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name or len(name) > 128:
        raise TaskError(f"metric name {name!r}: expected text of 1 to 128 characters")
    return name


def _checked_metric(name: str, value: object) -> Metric:
    if not isinstance(value, Mapping):
        return _checked_number(name, value)
    if len(value) > MAX_BINS:
        raise TaskError(f"histogram {name!r} has {len(value)} bins, limit is {MAX_BINS}")
    return {_checked_name(str(label)): _checked_number(name, count) for label, count in value.items()}


def _checked_number(name: str, value: object) -> float:
    try:
        number = value if isinstance(value, int) else float(value)  # type: ignore[arg-type]  # numpy scalars too
    except (TypeError, ValueError):
        raise TaskError(f"metric {name!r} is {value!r}: expected a finite number or a histogram") from None
    if not math.isfinite(number):
        raise TaskError(f"metric {name!r} is {number}: expected a finite number")
    return number
