"""A node's logic, of whatever kind, as a pump sees it."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from zfed.nodes.coordinator_words import CoordinatorEffect, CoordinatorInput
from zfed.nodes.member_words import MemberEffect, MemberInput

Input: TypeAlias = CoordinatorInput | MemberInput
Effect: TypeAlias = CoordinatorEffect | MemberEffect


class Logic(Protocol):
    """What a pump or a simulation drives."""

    @property
    def next_wake(self) -> float | None:
        """When `TimePassed` has something to do, if nothing else comes before."""

    def start(self, now: float) -> list[Any]:
        """The first effects."""

    def handle(self, event: Any, now: float) -> list[Any]:
        """Take an input; return what is to be done, in this order."""
