"""Updates between the nodes that offer them and the round engine: from an offer until it is in the sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zfed.engine import Event, Fold, Folded, OfferStale, UpdateStaged, UpdateUnfit, WorkFailed
from zfed.errors import LocalProtocolError
from zfed.facts import Fact, NoRoomToSpill
from zfed.nodes.coordinator_words import (
    CoordinatorEffect,
    FoldUpdate,
    InspectUpdate,
    InstallFirstModel,
    SpillResult,
    UpdateFolded,
    UpdateInspected,
)
from zfed.nodes.orders import Orders
from zfed.nodes.reception import Peer, Reception
from zfed.nodes.staging import Staging
from zfed.nodes.update_intake import (
    SPILL_RETRY_S,
    Arrived,
    IntakeEvent,
    NoRoom,
    Unfit,
    Unstored,
    UpdateIntake,
    Wanted,
)
from zfed.nodes.upload_plan import UploadPlan
from zfed.params import ParameterLayout
from zfed.rounds import Rounds
from zfed.strategies import Bounds
from zfed.wire.messages import Accepted, AnyMessage, AssignmentId, Committed, Refused, Update
from zfed.wire.transfer import Intake

FIRST_MODEL = Bounds(value_range=1e30, range_remedy="give another first model with --initial")
"""Arithmetic in float32 overflows soon beyond; `--value-range` allows no more, either."""


@dataclass
class Uploads:
    """Pulls what is wanted through upload slots and tells the engine what came of it.

    Args:
        rounds: Knows which updates are wanted.
        reception: Knows who is here, and the run's layout.
        orders: Knows how models were sent.
        send: Sends a message to a peer.
        effect: Takes jobs.
        tell: Takes facts.
        tell_engine: Takes events.
    """

    rounds: Rounds
    reception: Reception
    orders: Orders
    send: Callable[[Peer, AnyMessage], None]
    effect: Callable[[CoordinatorEffect], None]
    tell: Callable[[Fact], None]
    tell_engine: Callable[[Event, float], None]
    _arrived: dict[AssignmentId, Staging] = field(default_factory=dict)
    _kept: dict[AssignmentId, Staging] = field(default_factory=dict)
    _installing: Staging | None = None
    _bounds: Bounds = field(default_factory=Bounds)
    _hold: bool = False

    def __post_init__(self) -> None:
        self._intake = UpdateIntake(self.effect)

    @property
    def backlog(self) -> tuple[int, int]:
        """How many updates have a slot, and how many wait for one."""
        return self._intake.backlog

    def plan(self, plan: UploadPlan) -> None:
        """How many updates may be on their way at the same time."""
        self._intake.slots, self._intake.disk_slots = plan.in_memory, plan.on_disk
        self._intake.disk_spare = plan.disk_spare

    def open_round(self, bounds: Bounds, updates: int) -> None:
        """A round is open; the numbers of its updates must keep within these bounds.

        Args:
            bounds: Those.
            updates: The most that may come, 0 if there is no such bound.
        """
        self._bounds = bounds
        self._hold = 0 < updates <= self._intake.slots  # nobody waits for another's slot

    def has(self, assignment: AssignmentId) -> bool:
        """True if this update is here, on its way or waits for a slot."""
        return self._intake.has(assignment)

    def tick(self, now: float) -> None:
        """Time has passed: drop what waited too long for its node."""
        self._intake.expire(now)
        self._fill(now)

    # ---- what nodes say -------------------------------------------------------------------------

    def offered(self, peer: Peer, update: Update, now: float) -> None:
        """A node offers an update: take it, or say what has become of it."""
        node, assignment = peer.session.node, update.assignment
        match self.rounds.standing(node, assignment, update.version):
            case "committed":
                version = self.rounds.committed_version(node)
                self.send(peer, Committed(assignment=assignment, version=version))
            case "accepted":
                self.send(peer, Accepted(assignment=assignment))
            case "stale":
                reason = self.rounds.stale_reason(assignment)
                refused = Refused(about="update", code="stale", reason=reason, assignment=assignment)
                self.send(peer, refused)
                self.tell_engine(OfferStale(node=node, assignment=assignment), now)
            case "wanted":
                self._take(
                    self._intake.offer(node, update, self._wanted(peer, assignment), peer.puller, now), now
                )

    def received(self, peer: Peer, intake: Intake, now: float) -> None:
        """All bytes of one blob of a node have come."""
        self._take(self._intake.received(peer.session.node, intake), now)

    def unavailable(self, peer: Peer, message: Refused, now: float) -> None:
        """A node has not got a blob that it offered any more."""
        node = peer.session.node
        assignment = self._intake.unavailable(node, message.blob)
        if assignment is not None:
            error = f"it cannot send its update any more: {message.reason}"
            self.tell_engine(WorkFailed(node=node, assignment=assignment, error=error, traceback=""), now)
            self._fill(now)

    def gone(self, node: str, until: float | None) -> None:
        """A node went away: half an update of it waits for it `until` then; None: it does not come back."""
        self._intake.gone(node, until)

    # ---- what became of jobs --------------------------------------------------------------------

    def inspected(self, event: UpdateInspected, now: float) -> None:
        """The numbers of an encoded update were looked at."""
        self._take(self._intake.inspected(event), now)

    def spilled(self, event: SpillResult, now: float) -> None:
        """Something was written to an update's file, or could not be."""
        self._take(self._intake.spilled(event, now), now)

    def folded(self, event: UpdateFolded, now: float) -> None:
        """An update is in the sum."""
        assignment = event.fold.assignment
        self._intake.folded(assignment)
        self.tell_engine(Folded(assignment=assignment, own_model=event.digest), now)
        self._fill(now)

    def installed(self) -> Staging | None:
        """A first model has become version 0 or was no good: its slot is free. Returns it, if one came."""
        staging, self._installing = self._installing, None
        if staging is not None:
            self._intake.folded(staging.assignment)
        return staging

    # ---- what the engine wants ------------------------------------------------------------------

    def fold(self, action: Fold) -> None:
        """Add an update that has arrived to the sum."""
        staging = self._kept.pop(action.assignment, None) or self._arrived.pop(action.assignment)
        self._intake.folding(staging)
        delta, base = staging.vectors["delta"], staging.trained_from
        broadcast = None
        if action.keep and base is not None:
            broadcast = self.orders.broadcast(staging.update.version, base)
        hold = self._hold and delta.encoding is None  # decoded, it would take more memory than its slot has
        self.effect(FoldUpdate(action, delta.chunks, delta.encoding, broadcast, hold))

    def keep(self, assignment: AssignmentId) -> None:
        """An update that has arrived is for a later round: it stays, and its slot with it."""
        staging = self._kept[assignment] = self._arrived.pop(assignment)
        self._intake.folding(staging)

    def drop(self, assignment: AssignmentId, now: float) -> None:
        """Nobody wants this update any more."""
        if self._kept.pop(assignment, None) is not None:
            self._intake.folded(assignment)
        self._intake.drop(assignment)
        self._fill(now)

    # ---- on the way -----------------------------------------------------------------------------

    def _fill(self, now: float) -> None:
        self._take(self._intake.fill(now), now)

    def _take(self, events: list[IntakeEvent], now: float) -> None:
        for event in events:
            match event:
                case Arrived(staging):
                    self._arrived_whole(staging, now)
                case InspectUpdate():
                    self.effect(event)
                case NoRoom(reason):
                    self.tell(NoRoomToSpill(reason=reason, retry_s=SPILL_RETRY_S))
                case Unstored(node, update):
                    if node in self.reception.peers:
                        self.offered(self.reception.peers[node], update, now)
                case Unfit(node, assignment, flaw):
                    self.tell_engine(UpdateUnfit(node=node, assignment=assignment, flaw=flaw), now)
        if events:
            self._fill(now)

    def _wanted(self, peer: Peer, assignment: AssignmentId) -> Wanted:
        layout = self._layout
        if self.rounds.phase == "initializing":
            parts = {"model": layout.moving, "frozen": layout.frozen}
            return Wanted(layouts=parts, version=0, bounds=FIRST_MODEL, max_examples=0)
        return Wanted(
            layouts={"delta": layout.moving},
            version=self.rounds.base_version(peer.session.node, assignment),
            bounds=self._bounds,
            max_examples=peer.session.hello.examples,
            encoding=peer.encodings.updates,
            trained_from=peer.encodings.model,
            train=self.orders.config.train,
        )

    @property
    def _layout(self) -> ParameterLayout:
        if self.reception.layout.layout is None:
            raise LocalProtocolError("the run has no layout yet")
        return self.reception.layout.layout

    def _arrived_whole(self, staging: Staging, now: float) -> None:
        update = staging.update
        if self.rounds.phase == "initializing":
            self._install(staging)
            return
        self._arrived[update.assignment] = staging
        staged = UpdateStaged(
            node=staging.node,
            assignment=update.assignment,
            examples=update.examples,
            steps=update.steps,
            seconds=update.seconds,
            limited=update.limited,
            bytes=staging.nbytes,
            largest=staging.largest,
            norm=staging.norm,
            metrics=update.metrics,
        )
        self.tell_engine(staged, now)
        if self._arrived.pop(update.assignment, None) is not None:  # nobody wanted it any more
            staging.discard()

    def _install(self, staging: Staging) -> None:
        """Make version 0 of a model that has arrived; of the first one, should a second be on its way."""
        if self._installing is not None:
            staging.discard()
            return
        self._installing = staging
        self._intake.folding(staging)
        chunks = {name: staged.chunks for name, staged in staging.vectors.items()}
        model, frozen = chunks.get("model", []), chunks.get("frozen", [])
        self.effect(InstallFirstModel(self._layout, staging.node, model, frozen))
