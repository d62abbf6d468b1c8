"""What all robust rules have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from zfed.errors import ConfigError
from zfed.params import ParameterLayout
from zfed.strategies.base import AddTo
from zfed.strategies.combined import Combined
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.mean import FedAvg
from zfed.strategies.pieces import Buffer
from zfed.strategies.robust.kept_updates import KeptUpdates
from zfed.strategies.robust.rows import CombineBlock, Row


class RobustRule(FedAvg):
    """`FedAvg` with something else in the place of the mean.

    Every update of a round is kept until the end, and each counts the same: what a worker says of its
    examples is no reason to trust it more. All floats are looked at together, running statistics too, since
    a hostile worker would hide in what is left out; a server learning rate does not touch those. A counter
    becomes its lower median, where the maximum would be whatever a hostile worker says.

    Args:
        server_learning_rate: As in `FedAvg`.
        needs: Whose `updates` is the fewest that the rule is defined for.
    """

    def __init__(self, *, server_learning_rate: float, needs: Needs) -> None:
        super().__init__(server_learning_rate=server_learning_rate)
        self.needs = needs

    @abstractmethod
    def _combine(self, rows: Sequence[Row]) -> CombineBlock:
        """Decide what the updates come to; what is returned gives it block by block."""

    def accumulate(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Keep one update."""
        self._kept.add(update, chunks)

    def hold(self, update: Contribution, chunks: Iterable[tuple[int, Buffer]]) -> None:
        """Keep one update; its slices may change at once, as they are copied."""
        self._kept.add(update, chunks)

    def accumulate_encoded(self, update: Contribution, add: AddTo) -> None:
        """Keep one update in decoded form."""
        self._kept.add_encoded(update, add)

    def _gather(self, layout: ParameterLayout) -> Combined:
        self._kept = KeptUpdates(layout, self._combine, self.needs.updates)
        return self._kept

    def _gathered_memory(self, layout: ParameterLayout, updates: int) -> int:
        return KeptUpdates.memory(layout, updates)


def keeping_all(name: str, updates: int = 1, *, root: bool = False, by_number: bool = False) -> Needs:
    """What a rule of this name needs that is defined for so many updates or more.

    One that goes number by number finds zeros in nearly all sparse updates, and would change nothing at all.
    """
    return Needs(strategy=name, updates=updates, every_update=True, root=root, dense=by_number)


def checked_count(name: str, value: int, least: int = 0) -> int:
    """The value of an option that is a whole number.

    Raises:
        ConfigError: If it is less than that.
    """
    if value < least:
        raise ConfigError(f"{name} is {value}, expected a whole number from {least} on")
    return value
