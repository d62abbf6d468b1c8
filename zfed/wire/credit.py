"""How much one peer may be asked for at a time: as much as keeps its link busy, and little more.

What is under way beyond what an empty link carries lies in a queue, and a PING or PONG waits behind it. So
credit aims at a *time in the queue*, whatever the link: how long a chunk took tells how long the bytes before
it waited. On 1 Mbit/s that comes to three chunks of 4 KiB, on a long and wide link to all that fits between
its two ends. Why these numbers: docs/adr/0014-credit-aims-at-a-short-queue.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from zfed.wire.messages import MAX_CHUNK_BYTES

MAX_CREDIT: Final = 8
MAX_LIMIT: Final = MAX_CREDIT * MAX_CHUNK_BYTES
SMALL_CHUNK_BYTES: Final = 4 << 10
WHOLE_BYTES: Final = 128 << 10
WHOLE_S: Final = 0.2
ANSWER_S: Final = 0.002
LONGEST_SLACK_S: Final = 2.0
QUEUE_S: Final = 0.06
FORGETTING: Final = 7 / 8
SHORTEST_S: Final = 1e-6


@dataclass
class Credit:
    """The credit of one peer, learned from the time its chunks took.

    A small chunk with nothing before it takes as long as an empty link makes it take, `empty_s`; what another
    takes longer it spent in the queue. While there is hardly a queue, what is under way doubles with each
    round trip; else it is what the link carries in `empty_s` and the time that is allowed in the queue.

    Attributes:
        limit: Bytes that may be under way, from one small chunk to `MAX_CREDIT` of the largest; see `allow`.
        chunk_bytes: Bytes of one PULL: a power of two.
        chunks: PULLs that may be under way.
        empty_s: Seconds from a PULL to its CHUNK where nothing is in the way.
        rate: Bytes a second that the link carries.
        best_rate: The most that it ever carried; halved by what took long nevertheless.
        slack_s: Seconds that a chunk may take; more than `WHOLE_S` in a crowd, see `expect`.
    """

    limit: float = SMALL_CHUNK_BYTES
    chunk_bytes: int = SMALL_CHUNK_BYTES
    chunks: int = 1
    empty_s: float = math.inf
    rate: float = 0.0
    best_rate: float = 0.0
    slack_s: float = WHOLE_S

    def expect(self, cohort: int) -> None:
        """As many workers have the same coordinator to wait for.

        One that needs `ANSWER_S` for each of them answers a PING late whatever is in the link, and later
        still if all of them ask for little. So a chunk may take as long: docs/adr/0019-a-crowd-pulls-much.md.
        """
        self.slack_s = min(max(WHOLE_S, cohort * ANSWER_S), LONGEST_SLACK_S)

    def allow(self, limit: float) -> None:
        """Let as many bytes be under way.

        A PULL asks for a quarter of it at most: a link with but one chunk in it is idle until the next is
        asked for, and large ones come in bursts that look like a queue. Not for less, because each costs a
        header and two wake-ups.
        """
        self.limit = limit
        quarter = 1 << max(int(limit).bit_length() - 3, 0)
        self.chunk_bytes = min(max(quarter, SMALL_CHUNK_BYTES), MAX_CHUNK_BYTES)
        self.chunks = min(math.ceil(limit / self.chunk_bytes), MAX_CREDIT)

    def chunk_of(self, nbytes: int) -> int:
        """Bytes of one PULL for a blob of this size: up to `WHOLE_BYTES` it comes in eight chunks at most.

        These are 16 KiB at most, an eighth of a second on 1 Mbit/s, and then only one of them is under way.
        In a crowd a chunk is as large as what the link once carried in the time that answers take longer.
        """
        eighth = 1 << ((nbytes - 1) // 8).bit_length() if nbytes <= WHOLE_BYTES else 0
        slack = 1 << int(self.best_rate * (self.slack_s - WHOLE_S)).bit_length() >> 1
        return max(self.chunk_bytes, eighth, min(slack, MAX_CHUNK_BYTES))

    def chunks_of(self, chunk_bytes: int) -> int:
        """PULLs of what `chunk_of` said that may be under way."""
        if chunk_bytes == self.chunk_bytes:
            return self.chunks
        return min(max(int(self.limit) // chunk_bytes, 1), MAX_CREDIT)  # rounded down: these are large

    def whole(self, held: int) -> int:
        """Bytes that one PULL may ask for if they are all of a blob, while `held` bytes are under way.

        A peer that serves a thousand others takes long to answer, as a narrow link does, and smaller chunks
        would keep it busier still. What the link has ever carried tells the one from the other.
        """
        return 0 if held else min(int(self.best_rate * self.slack_s), WHOLE_BYTES)

    def answered_whole(self, took_s: float, size: int) -> None:
        """All of a blob has come in one chunk, with nothing before it: there was no queue to learn of."""
        self._carried(size / max(took_s, SHORTEST_S), took_s)

    def answered(self, took_s: float, under_way: int) -> None:
        """A chunk has come.

        Args:
            took_s: Seconds since it was pulled.
            under_way: Bytes that were under way then, its own included.
        """
        alone = under_way <= SMALL_CHUNK_BYTES
        self.empty_s = took_s if alone else min(self.empty_s, took_s)
        queued_s = took_s - self.empty_s
        # Never more than the link's rate, and less where it was not full or a busy machine looked away: so
        # the largest counts. It is forgotten within some dozen chunks, for a link that became slower; but not
        # while less is pulled than may be, at the end of a blob or for a limit.
        full = under_way + self.chunk_bytes > self.limit
        known = self.rate * FORGETTING if full or queued_s > QUEUE_S else self.rate
        self.rate = max(under_way / max(took_s, SHORTEST_S), known)
        self._carried(self.rate, took_s)
        limit = max(self.limit, 2 * under_way) if queued_s <= QUEUE_S else self.limit
        if queued_s > QUEUE_S / 4:
            limit = min(limit, self.rate * (self.empty_s + QUEUE_S))
        limit = min(max(limit, SMALL_CHUNK_BYTES), MAX_LIMIT)
        if limit != self.limit:
            self.allow(limit)

    def _carried(self, rate: float, took_s: float) -> None:
        if took_s > 2 * self.slack_s:
            self.best_rate /= 2
        self.best_rate = max(self.best_rate, rate)

    def lost(self) -> None:
        """A pull was not answered at all: begin anew, with little."""
        self.best_rate = 0.0
        self.allow(SMALL_CHUNK_BYTES)
