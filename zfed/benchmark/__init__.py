"""How fast and how small zfed is on this machine, next to raw sockets and numpy."""

from zfed.benchmark.comparison import Comparison, Measured, compare
from zfed.benchmark.plan import Plan, make_plan
from zfed.benchmark.presentation import Row, averaging_rows, heading, lines, record, round_rows

__all__ = [
    "Comparison",
    "Measured",
    "Plan",
    "Row",
    "averaging_rows",
    "compare",
    "heading",
    "lines",
    "make_plan",
    "record",
    "round_rows",
]
