"""By which rules the metrics of a run's nodes become one."""

from __future__ import annotations

from dataclasses import dataclass, field

from zfed.metrics import Rules


@dataclass
class Merging:
    """The rules of the first node admitted; all others must have the same.

    Attributes:
        rules: What is not to be averaged.
        given_by: Who said so; empty while nobody is admitted.
    """

    rules: Rules = field(default_factory=dict)
    given_by: str = ""

    def objection(self, node: str, rules: Rules) -> str:
        """Why a node with these rules cannot take part, in words; empty if it can."""
        if not self.given_by:
            return ""
        for name in sorted({**self.rules, **rules}):
            mine, theirs = (each.get(name, "mean") for each in (rules, self.rules))
            if mine != theirs:
                return (
                    f"{node} merges the metric {name!r} by {mine}, the run by {theirs} (first told by "
                    f"{self.given_by}): give all nodes the same task"
                )
        return ""

    def take(self, node: str, rules: Rules) -> None:
        """A node that was not objected to is admitted."""
        if not self.given_by:
            self.rules, self.given_by = dict(rules), node
