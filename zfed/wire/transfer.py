"""Moving blobs: the receiver pulls, so it alone knows what is missing and how much may be under way.

A `Shelf` holds what this node offers. A `Puller` fetches from one peer: every PULL asks for at most one chunk
and is answered by exactly one CHUNK, so the pulls under way *are* the credit; `zfed.wire.credit` says how
many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from zfed.errors import RemoteProtocolError
from zfed.wire.codec import Buffer
from zfed.wire.credit import Credit
from zfed.wire.digests import hasher_for
from zfed.wire.messages import Blob, Chunk, Pull
from zfed.wire.pacing import Pacer

REVOKE_S = 5.0
MAX_PATIENCE_S = 60.0

Write: TypeAlias = Callable[[int, Buffer], None]
"""Takes (offset, bytes) of a blob, each byte once, in any order."""


@dataclass
class Shelf:
    """The blobs this node offers, by id. What lies on the shelf must not change: sends copy nothing."""

    _blobs: dict[str, memoryview] = field(default_factory=dict)

    def put(self, name: str, data: Buffer) -> None:
        """Offer these bytes from now on."""
        self._blobs[name] = memoryview(data).cast("B").toreadonly()

    def drop(self, name: str) -> None:
        """Stop offering; sends under way keep their bytes alive."""
        self._blobs.pop(name, None)

    def take(self, pull: Pull) -> memoryview | None:
        """The bytes that a PULL asks for, or None if the blob is not offered (any more).

        All of a blob is the same object each time, so that a transport may see that it sends it again.

        Raises:
            RemoteProtocolError: If they lie outside the blob.
        """
        data = self._blobs.get(pull.blob)
        if data is None:
            return None
        if pull.offset + pull.bytes > len(data):
            raise RemoteProtocolError(
                f"PULL of {pull.bytes} bytes at {pull.offset} of {pull.blob!r}, which has {len(data)}"
            )
        return data if pull.bytes == len(data) else data[pull.offset : pull.offset + pull.bytes]


@dataclass
class Window:
    """Bytes that all pullers of this node may have under way together."""

    limit: int = 64 << 20
    used: int = 0

    def admits(self, wanted: int, held: int) -> bool:
        """True if a peer that holds `held` bytes may pull `wanted` more.

        No peer holds more than an eighth, so eight stalled peers cannot stop the rest; and every peer may
        always have one chunk, so nobody starves.
        """
        return held == 0 or (self.used + wanted <= self.limit and held + wanted <= self.limit // 8)


@dataclass(eq=False)
class Intake:
    """One blob on its way in."""

    blob: Blob
    write: Write
    received: int = 0
    _next: int = 0
    _again: deque[tuple[int, int]] = field(default_factory=deque)
    _hashed: int = 0
    _ahead: dict[int, Buffer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._hash = hasher_for(self.blob.digest)

    @property
    def complete(self) -> bool:
        """True once every byte is here."""
        return self.received == self.blob.bytes

    def next_range(self, chunk_bytes: int, whole: int = 0) -> tuple[int, int] | None:
        """The next (offset, bytes) to pull, or None if all is here or under way.

        At most `chunk_bytes`; of a blob of which nothing was pulled yet, all if that is at most `whole`.
        """
        if not self._next and self.blob.bytes <= whole:
            chunk_bytes = self.blob.bytes
        if self._again:
            offset, size = self._again.popleft()
            if size > chunk_bytes:
                self._again.appendleft((offset + chunk_bytes, size - chunk_bytes))
            return offset, min(size, chunk_bytes)
        if self._next >= self.blob.bytes:
            return None
        offset = self._next
        size = min(chunk_bytes, self.blob.bytes - offset)
        self._next += size
        return offset, size

    def give_back(self, offset: int, size: int) -> None:
        """A pulled range did not come: it is missing again."""
        self._again.append((offset, size))

    def take(self, offset: int, data: Buffer) -> None:
        """Store a pulled range."""
        self.write(offset, data)
        self.received += len(data)
        self._ahead[offset] = data
        while (chunk := self._ahead.pop(self._hashed, None)) is not None:
            self._hash.update(chunk)  # while it is still in the cache
            self._hashed += len(chunk)

    @property
    def digest(self) -> str:
        """Of the bytes that are here, up to the first that is missing."""
        return f"{self.blob.digest.partition(':')[0]}:{self._hash.hexdigest()}"

    def verify(self) -> None:
        """Check the digest of a complete blob.

        Raises:
            RemoteProtocolError: If it is not the one offered.
        """
        if self.digest != self.blob.digest:
            raise RemoteProtocolError(
                f"blob {self.blob.id!r} arrived with digest {self.digest}, offered {self.blob.digest}"
            )


@dataclass(eq=False)
class _Pulled:
    intake: Intake
    size: int
    under_way: int
    sent_at: float


@dataclass(eq=False)
class Puller:
    """Fetches blobs from one peer, in the order in which they were started.

    A pull that is not answered within `patience_s` is taken back and sent again. Each time that happens
    patience doubles: on a very slow link the answer is only late, and every new pull makes it later.

    Args:
        send: Where PULLs go.
        window: What all pullers of this node may have under way together.
        pacer: At which pace pullers of this node may pull, all together.
    """

    send: Callable[[Pull], None]
    window: Window = field(default_factory=Window)
    pacer: Pacer = field(default_factory=Pacer)
    credit: Credit = field(default_factory=Credit)
    patience_s: float = REVOKE_S
    held: int = 0
    _asked: int = 0
    _intakes: dict[str, Intake] = field(default_factory=dict)
    _under_way: dict[tuple[str, int], _Pulled] = field(default_factory=dict)
    _taken_back: set[tuple[str, int]] = field(default_factory=set)

    @property
    def under_way(self) -> int:
        """Pulls that are not answered yet; `held` is how many bytes they asked for."""
        return len(self._under_way)

    def start(self, intake: Intake, now: float) -> None:
        """Fetch what this intake still lacks, also one that another puller began.

        Pulls go out as far as credit allows. An empty blob is complete before it starts: do not start it.
        """
        if self._intakes.get(intake.blob.id) is not intake:
            self.stop(intake.blob.id)
            self._intakes[intake.blob.id] = intake
        self.advance(now)

    def stop(self, blob_id: str) -> None:
        """Fetch no more of this blob; chunks of it that still come are dropped."""
        self._intakes.pop(blob_id, None)
        self._taken_back = {key for key in self._taken_back if key[0] != blob_id}
        for key in [key for key in self._under_way if key[0] == blob_id]:
            pulled = self._under_way[key]
            self._forget(key)
            pulled.intake.give_back(key[1], pulled.size)

    def close(self) -> None:
        """Stop everything: the peer is gone. Intakes keep what they have and can be started again."""
        for blob_id in list(self._intakes):
            self.stop(blob_id)
        self.pacer.leave(self)

    def receive(self, chunk: Chunk, data: Buffer, now: float) -> Intake | None:
        """Store a chunk; returns its intake, or None if it was not pulled (a late duplicate).

        Raises:
            RemoteProtocolError: If it does not have the size that was pulled.
        """
        key = (chunk.blob, chunk.offset)
        pulled = self._under_way.get(key)
        if pulled is None:
            return None
        if len(data) != pulled.size:
            if key in self._taken_back:  # the late answer to an earlier pull, which asked for more
                return None
            raise RemoteProtocolError(
                f"CHUNK of {len(data)} bytes of {chunk.blob!r}, {pulled.size} were pulled"
            )
        if key not in self._taken_back:  # else nobody knows which pull this answers
            self._learn(pulled, now - pulled.sent_at)
        self._forget(key)
        pulled.intake.take(chunk.offset, data)
        if pulled.intake.complete:
            self.stop(chunk.blob)
        self.advance(now)
        return pulled.intake

    def retain(self, size: int) -> None:
        """Count bytes that have come as under way until `release`: they are not stored yet."""
        self.held += size
        self.window.used += size

    def release(self, size: int) -> None:
        """Bytes that were retained are stored. Call `advance` next."""
        self.held -= size
        self.window.used -= size

    def advance(self, now: float) -> None:
        """Send as many pulls as credit, window and pace allow."""
        self.pacer.join(self, now)

    def send_next(self, now: float) -> int:
        """Send one more pull, if credit and window allow; returns how many bytes it asks for, else 0."""
        if len(self._under_way) >= self.credit.chunks:
            return 0
        largest = self.pacer.largest
        for intake in self._intakes.values():
            wished = self.credit.chunk_of(intake.blob.bytes)
            size = min(wished, largest)
            if len(self._under_way) < self.credit.chunks_of(wished) and self.window.admits(size, self.held):
                wanted = intake.next_range(size, min(self.credit.whole(self.held), largest))
                if wanted is not None:
                    self._pull(intake, *wanted, now)
                    return wanted[1]
        return 0

    def _pull(self, intake: Intake, offset: int, size: int, now: float) -> None:
        self.held += size
        self._asked += size
        self._under_way[intake.blob.id, offset] = _Pulled(intake, size, self._asked, now)
        self.window.used += size
        self.send(Pull(blob=intake.blob.id, offset=offset, bytes=size))

    def tick(self, now: float) -> None:
        """Take back pulls that were not answered in time, and pull what is missing again."""
        late = [key for key, pulled in self._under_way.items() if now - pulled.sent_at > self.patience_s]
        for key in late:
            pulled = self._under_way[key]
            self._forget(key)
            self._taken_back.add(key)
            pulled.intake.give_back(key[1], pulled.size)
        if late:
            self.credit.lost()
            self.patience_s = min(2 * self.patience_s, MAX_PATIENCE_S)
        self.advance(now)

    def _forget(self, key: tuple[str, int]) -> None:
        pulled = self._under_way.pop(key)
        self._asked -= pulled.size
        self.held -= pulled.size
        self.window.used -= pulled.size

    def _learn(self, pulled: _Pulled, took_s: float) -> None:
        if pulled.size == pulled.under_way == pulled.intake.blob.bytes > self.credit.chunk_bytes:
            self.credit.answered_whole(took_s, pulled.size)
        else:
            self.credit.answered(took_s, pulled.under_way)
        if took_s <= REVOKE_S / 2:
            self.patience_s = REVOKE_S
