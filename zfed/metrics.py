"""Metrics: finite named numbers or histograms, and how those of many nodes become one.

A histogram maps a bin's label to a count, for instance `{"0": 980, "1": 1135}`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from zfed.errors import TaskError

Histogram: TypeAlias = dict[str, float]
Metric: TypeAlias = float | Histogram
Metrics: TypeAlias = dict[str, Metric]

MAX_METRICS = 256
MAX_BINS = 4096


def checked_metrics(metrics: Mapping[str, object]) -> Metrics:
    """Return a copy of what a task reported, as plain finite numbers.

    Raises:
        TaskError: If a name is not text, a value is not a finite number or a histogram of such, or there
            are more than `MAX_METRICS` metrics or `MAX_BINS` bins.
    """
    if len(metrics) > MAX_METRICS:
        raise TaskError(f"{len(metrics)} metrics reported, limit is {MAX_METRICS}")
    return {_checked_name(name): _checked_metric(name, value) for name, value in metrics.items()}


def weighted_mean(parts: Iterable[tuple[float, Mapping[str, Metric]]]) -> Metrics:
    """Merge metrics of several nodes: numbers by weighted mean, histograms by sum.

    A metric that only some nodes report is averaged over those. Weights are at least 0. Left out is a metric
    whose weights are all 0, and one that finite numbers of some nodes make infinite.
    """
    numbers: dict[str, list[tuple[float, float]]] = {}
    histograms: dict[str, Histogram] = {}
    for weight, metrics in parts:
        for name, value in metrics.items():
            if isinstance(value, Mapping):
                merged = histograms.setdefault(name, {})
                for label, count in value.items():
                    merged[label] = merged.get(label, 0) + count
            else:
                numbers.setdefault(name, []).append((weight, value))
    means: Metrics = {}
    for name, weighted in numbers.items():
        # fsum: the merged value does not depend on the order in which nodes answered
        total = math.fsum(weight for weight, _ in weighted)
        if total > 0 and (mean := _finite_sum(weight * value for weight, value in weighted)) is not None:
            values = [value for _, value in weighted]
            means[name] = min(max(mean / total, min(values)), max(values))  # exactly theirs if all agree
    sums = {name: bins for name, bins in histograms.items() if all(map(math.isfinite, bins.values()))}
    return {**means, **sums}


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
