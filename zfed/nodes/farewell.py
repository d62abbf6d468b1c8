"""The end of a run at its coordinator: everybody is told, and has a moment to say goodbye."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from zfed.engine import EndRun
from zfed.nodes.words import Finish
from zfed.wire.messages import Ended

GOODBYE_S: Final = 3.0


@dataclass
class Farewell:
    """How the run ended, once it has, and who has not been told.

    Args:
        rounds: Rounds that were asked for.

    Attributes:
        awaited: Nodes that may not know of the end: of a run that was over when its coordinator was started
            again, those who were here before. They go on trying to reach it until they are told.
        finish_at: When the node ends, at the latest.
        finish: The effect that ends it, once it is due; given out by `over`.
    """

    rounds: int
    awaited: set[str] = field(default_factory=set)
    finish_at: float = math.inf
    _ended: EndRun | None = None
    _given: bool = False

    @property
    def begun(self) -> bool:
        """True once the run has ended."""
        return self._ended is not None

    def begin(self, ended: EndRun, now: float, patience_s: float) -> None:
        """The run has ended; wait `patience_s` for those who are awaited, else a moment."""
        self._ended = ended
        self.finish_at = now + (patience_s if self.awaited else GOODBYE_S)

    @property
    def message(self) -> Ended:
        """What nodes are told."""
        ended = self._known
        return Ended(
            status=ended.status,
            reason=ended.reason[:16_000],
            rounds_done=ended.rounds_done,
            rounds=max(self.rounds, ended.rounds_done),  # it may be started again for fewer
            version=ended.version,
        )

    def over(self, here: Collection[str], now: float) -> Finish | None:
        """The node's end, once: when nobody who is to be told is `here` or awaited, or its time has come."""
        if not self.begun or self._given or ((here or self.awaited) and now < self.finish_at):
            return None
        self._given = True
        ended = self._known
        return Finish(
            status=ended.status,
            reason=ended.reason,
            rounds_done=ended.rounds_done,
            rounds=max(self.rounds, ended.rounds_done),
            version=ended.version,
            evaluated=ended.evaluated,
            best=ended.best,
        )

    @property
    def _known(self) -> EndRun:
        if self._ended is None:
            raise ValueError("the run has not ended")
        return self._ended
