"""Whether a node may take part: its model's layout and its part of the data must fit the others'."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

from zfed.errors import LayoutError
from zfed.nodes.words import Chunks
from zfed.params import MAX_DESCRIPTION_BYTES, ParameterLayout
from zfed.partition import Partition
from zfed.rounds import FEDERATED, WORKERS
from zfed.rounds.refusals import Refusals
from zfed.wire.messages import Hello, PartitionClaim
from zfed.wire.session_words import Session


@dataclass(frozen=True)
class Objection:
    """Why a node may not take part."""

    code: str
    reason: str


def partition_of(claim: PartitionClaim) -> Partition:
    """The partition that a HELLO claims.

    Raises:
        ValueError: If the claim, which is only the peer's word, makes no sense.
    """
    labels = None if claim.labels is None else tuple(claim.labels)
    return Partition(labels=labels, spec=claim.spec, seed=claim.seed)


def claim_of(partition: Partition) -> PartitionClaim:
    """The claim that tells a coordinator of this partition."""
    labels = None if partition.labels is None else list(partition.labels)
    return PartitionClaim(labels=labels, spec=partition.spec, seed=partition.seed)


_TAKEN: Final = {FEDERATED: "the federated model", WORKERS: "all workers together"}
"""Names under which evaluations are reported."""


def name_objection(hello: Hello) -> Objection | None:
    """A node may not have a name under which evaluations are reported."""
    if hello.node not in _TAKEN:
        return None
    meant = f"the name {hello.node!r} means {_TAKEN[hello.node]}"
    return Objection("name", f"{meant}; choose another with --name")


def bench_objection(hello: Hello, refusals: Refusals) -> Objection | None:
    """A worker whose updates were refused too often does not come back."""
    return Objection("benched", refusals.sentence(hello.node)) if refusals.is_benched(hello.node) else None


def examples_objection(session: Session) -> Objection | None:
    """A node may declare as many examples as it was enrolled for: a worker's are its updates' weight."""
    declared = session.hello.examples
    allowed = session.enrolled.max_examples if session.enrolled else 0
    if not allowed or declared <= allowed:
        return None
    return Objection(
        "examples",
        f"{session.node} declares {declared} examples, it is enrolled for {allowed} at most: use fewer, "
        f"or have the coordinator's owner enrol it again with --max-examples {declared}",
    )


@dataclass
class PartsHeld:
    """Which part of which data set each worker here holds: no two may hold parts that overlap.

    Parts of one cut of a data set do not overlap, so a newcomer is compared with whoever holds its very part
    and with one part of every other cut, however many workers there are.
    """

    _cuts: dict[Hashable, dict[int, tuple[str, Partition]]] = field(default_factory=dict)

    def objection(self, hello: Hello) -> Objection | None:
        """Two workers on one part of a data set, or cut with different seeds, cannot both be right."""
        if hello.node_kind != "worker":
            return None
        try:
            mine = partition_of(hello.partition)
        except ValueError as error:
            return Objection("partition", f"{hello.node} claims a partition that cannot be: {error}")
        for node, theirs in self._comparable(mine):
            conflict = mine.conflict(theirs)
            if conflict and node != hello.node:
                return Objection("partition", f"{hello.node} and {node} cannot both take part: {conflict}")
        return None

    def hold(self, hello: Hello) -> None:
        """This node takes part; there was no objection."""
        if hello.node_kind == "worker" and (place := partition_of(hello.partition).place):
            cut, part = place
            self._cuts.setdefault(cut, {})[part] = (hello.node, partition_of(hello.partition))

    def release(self, hello: Hello) -> None:
        """This node, which held its part, does not take part any more."""
        if hello.node_kind == "worker" and (place := partition_of(hello.partition).place):
            cut, part = place
            del self._cuts[cut][part]
            if not self._cuts[cut]:
                del self._cuts[cut]

    def _comparable(self, mine: Partition) -> Iterator[tuple[str, Partition]]:
        cut, part = mine.place or (None, 0)
        for other, held in self._cuts.items():
            if other != cut:
                yield next(iter(held.values()))
            elif part in held:
                yield held[part]


@dataclass
class RunLayout:
    """The layout of the run's model: that of the first node admitted; all others must have the same."""

    layout: ParameterLayout | None = None
    given_by: str = ""
    _known: set[str] = field(default_factory=set)

    def fits(self, digest: str) -> bool | None:
        """True if a layout of this digest is the run's, False if it is not, None if nobody knows yet."""
        return None if self.layout is None else digest == self.layout.digest

    def too_long(self, hello: Hello) -> Objection | None:
        """A layout's description is not received if it is absurdly long."""
        if 0 < hello.layout.bytes <= MAX_DESCRIPTION_BYTES:
            return None
        seen = f"{hello.node}: description of its layout has {hello.layout.bytes} bytes"
        return Objection("layout", f"{seen}, allowed are 1 to {MAX_DESCRIPTION_BYTES}")

    def take(self, hello: Hello, description: Chunks) -> Objection | None:
        """Take the layout that a node has sent, in slices of any order.

        The first becomes the run's, others are compared with it.
        """
        slices = [data for _, data in sorted(description, key=lambda chunk: chunk[0])]
        try:
            layout = ParameterLayout.from_bytes(b"".join(slices))
        except LayoutError as error:
            return Objection("layout", f"{hello.node}: {error}")
        if layout.digest != hello.layout.digest:
            return Objection("layout", f"{hello.node}: the layout it sent is not the one it named in HELLO")
        if layout.nbytes == 0:
            return Objection("layout", f"{hello.node}: its model has no parameters to share")
        if self.layout is None:
            self.layout, self.given_by = layout, hello.node
            return None
        difference = layout.first_difference(self.layout)
        if difference is None:
            return None
        whose = f"the model of {hello.node} is not the run's (first told by {self.given_by})"
        return Objection("layout", f"{whose}: {difference}")
