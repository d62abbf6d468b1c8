"""Tells orders that come late, after what they ask for is over: not every network delivers a message once.

Within one session the numbers of a coordinator's rounds only grow, and what it has settled it does not ask
for again. The next session may be with a coordinator that went back: nothing of this holds then.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from zfed.nodes.job import Order
from zfed.wire.messages import AssignmentId, Train

MOST_REMEMBERED: Final = 256


class LateOrders:
    """What one session has asked for, as far as it matters."""

    def __init__(self) -> None:
        self._newest: AssignmentId = (0, 0)
        self._over: deque[AssignmentId] = deque(maxlen=MOST_REMEMBERED)

    def heard(self, order: Order) -> bool:
        """An order has come; True if it comes too late."""
        if order.assignment in self._over:
            return True
        if isinstance(order, Train):
            if order.assignment < self._newest:
                return True
            self._newest = order.assignment
        return False

    def settle(self, assignment: AssignmentId) -> None:
        """The coordinator has said what became of an assignment."""
        self._over.append(assignment)
