"""An update that is received into a file, as the pump sees it: it never waits for the disk.

What has come and is not written yet counts as under way: it still takes memory. So a disk that is slower
than the network slows the pulling, and memory stays within the window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from zfed.checkpoint import SpilledPart, SpillFile
from zfed.nodes.coordinator_words import OpenSpill, ReleaseSpill, SpillJob, WriteSpill
from zfed.nodes.words import Chunks
from zfed.wire.codec import Buffer
from zfed.wire.transfer import Puller


@dataclass(eq=False)
class Spill:
    """The file of one update, from its order to its release.

    Args:
        number: Names it in jobs and their results; never used twice.
        nbytes: Of all vectors together.
        spare: Bytes of the disk to leave free.
        order: Takes jobs; they are done one after another beside the pump.
    """

    number: int
    nbytes: int
    spare: int
    order: Callable[[SpillJob], None]
    puller: Puller | None = None
    _file: SpillFile | None = None
    _unwritten: deque[tuple[Puller, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.order(OpenSpill(self.number, self.nbytes, self.spare))

    @property
    def is_open(self) -> bool:
        """True once it has all the room it needs: nothing is pulled before."""
        return self._file is not None

    @property
    def is_written(self) -> bool:
        """True if nothing that has come is still to be written."""
        return self.is_open and not self._unwritten

    def opened(self, file: SpillFile) -> None:
        """There is room."""
        self._file = file

    def write(self, offset: int, data: Buffer) -> None:
        """Have bytes written that the puller has just received."""
        if self._file is None or self.puller is None:
            raise ValueError("nothing was pulled: the file is not open")
        self.puller.retain(len(data))
        self._unwritten.append((self.puller, len(data)))
        self.order(WriteSpill(self.number, self._file, offset, data))

    def written(self, now: float) -> None:
        """The oldest bytes that were to be written are: as many may be pulled instead."""
        puller, nbytes = self._unwritten.popleft()
        puller.release(nbytes)
        puller.advance(now)

    def part(self, start: int, nbytes: int) -> SpilledPart:
        """A stretch of it to read from, once everything is written."""
        if self._file is None:
            raise ValueError("nothing was written: the file is not open")
        return SpilledPart(self._file, start, nbytes)

    def release(self) -> None:
        """Let go of the file; it is gone when whoever reads it has let go, too."""
        for puller, nbytes in self._unwritten:
            puller.release(nbytes)
        self._unwritten.clear()
        if self._file is not None:
            self.order(ReleaseSpill(self._file))
            self._file = None


@dataclass(eq=False)
class InMemory:
    """One vector's slices as they came, not copied."""

    slices: list[tuple[int, Buffer]] = field(default_factory=list)

    def put(self, offset: int, data: Buffer) -> None:
        """Keep a slice."""
        self.slices.append((offset, data))

    @property
    def chunks(self) -> Chunks:
        """All slices."""
        return self.slices

    @property
    def at_hand(self) -> Chunks:
        """The slices that can be looked at again at once."""
        return self.slices

    def clear(self) -> None:
        """Keep none any more; whoever is going through the list still may."""
        self.slices = []


@dataclass(eq=False)
class OnDisk:
    """One vector's stretch of its update's file."""

    spill: Spill
    start: int
    nbytes: int

    def put(self, offset: int, data: Buffer) -> None:
        """Have a slice written."""
        self.spill.write(self.start + offset, data)

    @property
    def chunks(self) -> Chunks:
        """All slices, read back as they are gone through."""
        return self.spill.part(self.start, self.nbytes)

    @property
    def at_hand(self) -> Chunks:
        """None: the pump does not wait for the disk."""
        return []

    def clear(self) -> None:
        """Nothing: the whole file is released at once."""
