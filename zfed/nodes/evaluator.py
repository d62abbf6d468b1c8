"""The evaluator: holds test data and says how good a model is."""

from __future__ import annotations

from zfed.nodes.member import Member


class Evaluator(Member):
    """Holds test data; evaluates each model it is sent."""

    kind = "evaluator"
