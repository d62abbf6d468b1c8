"""How numbers, times and names are written for people; the same words in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zfed.metrics import Metric

MAX_NAMES = 8
MAX_METRICS_SHOWN = 6


def count(value: float) -> str:
    """A whole number with thousands separators: "24,754"."""
    return f"{round(value):,}"


def plural(value: float, noun: str) -> str:
    """A number and what it counts: "1 round", "40 rounds"."""
    return f"{count(value)} {noun}" if round(value) == 1 else f"{count(value)} {noun}s"


def megabytes(size: float) -> str:
    """A number of bytes in millions: "1.7 MB"."""
    return f"{size / 1e6:,.1f} MB"


def duration(seconds: float, *, digits: int = 1) -> str:
    """A time as "1.2 s", "3 min 20 s" or "2 h 05 min"; `digits` are those of a second."""
    if round(seconds, digits) < 60:
        return f"{seconds:.{digits}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def percent(share: float, *, digits: int = 1) -> str:
    """A share of 1 as "41.2 %"."""
    return f"{100 * share:.{digits}f} %"


def number(value: float) -> str:
    """Any metric: whole numbers with separators, others with about four digits that matter."""
    size = abs(value)
    if float(value).is_integer() or size >= 1000:
        return count(value)
    if size < 0.001:
        return f"{value:.2e}"
    return f"{value:.4f}" if size < 10 else f"{value:.2f}"


def metric_words(metrics: Mapping[str, Metric]) -> list[str]:
    """The first few numbers of some metrics, as "loss 0.3120"; histograms are left out."""
    words = [f"{name} {number(value)}" for name, value in metrics.items() if not isinstance(value, Mapping)]
    return words[:MAX_METRICS_SHOWN]


def names(nodes: Sequence[str]) -> str:
    """Some names in one line: "alice, bob" or, of many, the first eight and how many more."""
    if len(nodes) <= MAX_NAMES:
        return ", ".join(nodes) or "nobody"
    return f"{', '.join(nodes[:MAX_NAMES])} and {count(len(nodes) - MAX_NAMES)} more"


def printable(text: str) -> str:
    r"""The text on one line with everything that could steer a terminal written out, as `\x1b` or `\n`.

    Names, reasons and tracebacks come from other machines: none of them may move our cursor.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
