"""A worker or an evaluator without its socket, task and clock.

It keeps one session with the coordinator, does the orders it gets one after another (pull the model, let the
task work, offer the result), and keeps each update until the coordinator says what became of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zfed.compression import Encoding, Encodings
from zfed.errors import ConfigError, LayoutError, RemoteProtocolError
from zfed.facts import Connected, Connecting, Disconnected, Evaluated, Fact, Progress, TaskFailed
from zfed.facts import UpdateRefused as UpdateRefusedFact
from zfed.nodes.download import Download
from zfed.nodes.held_updates import HeldUpdates
from zfed.nodes.words import (
    Connect,
    Disconnect,
    DropState,
    Finish,
    FramesArrived,
    KeepState,
    MemberEffect,
    MemberInput,
    Phase,
    RenameState,
    RouteGone,
    SendFrames,
    SettleState,
    StartWork,
    StopRequested,
    StopWork,
    TellFact,
    TimePassed,
    Work,
    WorkDone,
    WorkProgress,
    WorkRaised,
    WorkStopped,
)
from zfed.params import BufferPool, ParameterLayout
from zfed.task import Array
from zfed.wire.answers import Answers
from zfed.wire.codec import Buffer
from zfed.wire.link import Down, Heard, Link, LinkEvent, Malformed, Turned, Welcomed
from zfed.wire.messages import (
    Accepted,
    AnyMessage,
    AssignmentId,
    Bye,
    Cancel,
    Chunk,
    Committed,
    Ended,
    Evaluate,
    Failed,
    Hello,
    Initialize,
    Ping,
    Pong,
    Pull,
    Refused,
    Train,
    Update,
    Welcome,
)
from zfed.wire.messages import Evaluated as EvaluatedMessage
from zfed.wire.pacing import Limits
from zfed.wire.transfer import Puller, Shelf

CONNECTING_NOTICE_S = 5.0
SHORT_TRACEBACK = 2000
PULLER_TICK_S = 1.0
NEXT_RUN_S = 2.0

Order: TypeAlias = Initialize | Train | Evaluate


@dataclass
class _Job:
    """The order at hand: pulling its vectors, at work in the task, or waiting for the task to stop."""

    order: Order
    download: Download
    upload: Encoding | None = None
    stage: Literal["download", "work", "stopping"] = "download"
    progress: WorkProgress | None = None

    @property
    def phase(self) -> Phase:
        """What is being done for the order."""
        order = self.order
        subject = order.subject if isinstance(order, Evaluate) else ""
        if self.stage == "download":
            nbytes = self.download.nbytes
            return Phase("download", order.assignment, _round(order), subject, nbytes)
        return Phase(_word(order), order.assignment, _round(order), subject)


@dataclass
class MemberLogic:
    """One worker's or evaluator's side of a run. Pure: `handle(input, now) -> effects`.

    Args:
        hello: What this node says of itself; its layout blob describes `layout.shared`.
        layout: The layout of the task's model, local tensors included.
        addresses: Where the coordinator may listen, at least one.
        connect_timeout_s: How long to go on trying when there is no session.
        stay: Wait for the next run when this one has ended.
        limit_up: MB a second of updates that may leave this node; 0: no limit.
        limit_down: MB a second of models that may come to it.
        jitter: Factor of 0.5 to 1.5 for back-off times.
    """

    hello: Hello
    layout: ParameterLayout
    addresses: Sequence[str]
    connect_timeout_s: float = math.inf
    stay: bool = False
    limit_up: float = 0.0
    limit_down: float = 0.0
    jitter: Callable[[], float] = lambda: 1.0

    def __post_init__(self) -> None:
        self._effects: list[MemberEffect] = []
        self._link = Link(self._send_frames, self.jitter, self.addresses)
        self._limits = Limits(self.limit_up, self.limit_down)
        self._answers = Answers(self._limits.up, self._pulled)
        self._puller = Puller(self._link.send, pacer=self._limits.down)
        self._shelf = Shelf()
        self._shelf.put(self.hello.layout.id, self.layout.shared.to_bytes())
        self._orders: deque[Order] = deque()
        self._job: _Job | None = None
        self._parked: _Job | None = None
        self._held = HeldUpdates(self._shelf)
        self._uploading: set[AssignmentId] = set()
        self._cached: dict[str, Array] = {}
        self._encodings = Encodings(self.layout)
        self._level = "none"
        self._pool = BufferPool()
        self._run = ("", "")  # name and key
        self._between_runs = False
        self._offline_since = 0.0
        self._retry_at: float | None = None
        self._next_notice = math.inf
        self._next_puller_tick = 0.0
        self._finished = False

    # ---- driving --------------------------------------------------------------------------------

    @property
    def next_wake(self) -> float | None:
        """When `TimePassed` has something to do."""
        if self._finished:
            return None
        wakes = [wake for wake in (self._link.next_wake, self._retry_at) if wake is not None]
        if self._link.state != "open":
            wakes += [self._next_notice, self._offline_since + self._patience_s]
        elif self._job and self._job.stage == "download":
            wakes.append(self._next_puller_tick)
        wakes.append(self._limits.next_wake)
        return min(wakes, default=None)

    @property
    def phases(self) -> list[Phase]:
        """What this node is in the middle of: at most one order, and updates that are not accepted yet."""
        phases = [
            Phase(
                "upload",
                assignment,
                self._held.round_of(assignment),
                bytes=self._held.nbytes_of(assignment),
            )
            for assignment in self._uploading
        ]
        if self._job is not None:
            phases.append(self._job.phase)
        return phases

    def start(self, now: float) -> list[MemberEffect]:
        """Connect for the first time."""
        self._offline_since = now
        self._next_notice = now + CONNECTING_NOTICE_S
        self._connect(now)
        return self._drained()

    def handle(self, event: MemberInput, now: float) -> list[MemberEffect]:
        """Take an input; return what is to be done, in this order."""
        if self._finished:
            return []
        match event:
            case FramesArrived():
                self._link_events(self._link.receive(event.frames, now), now)
            case RouteGone() if self._link.state != "down":
                self._link_events([self._link.lose("the connection broke", now)], now)
            case TimePassed():
                self._time_passed(now)
            case StopRequested():
                self._leave("stopped", event.reason)
            case WorkDone():
                self._work_done(event, now)
            case WorkRaised():
                self._work_raised(event, now)
            case WorkStopped():
                self._work_over(event.assignment, now)
            case WorkProgress():
                if self._job and self._job.order.assignment == event.assignment:
                    self._job.progress = event
        return self._drained()

    def _drained(self) -> list[MemberEffect]:
        effects, self._effects = self._effects, []
        return effects

    def _send_frames(self, frames: list[Buffer]) -> None:
        self._effects.append(SendFrames(b"", frames))

    def _tell(self, fact: Fact) -> None:
        self._effects.append(TellFact(fact))

    # ---- the session ----------------------------------------------------------------------------

    def _connect(self, now: float) -> None:
        self._retry_at = None
        self._effects.append(Connect(self._link.address))
        self._link.greet(self.hello, now)

    def _time_passed(self, now: float) -> None:
        self._link_events(self._link.tick(now), now)
        if self._link.state == "open":
            self._puller.tick(now)
            self._limits.run(now)
            self._next_puller_tick = now + PULLER_TICK_S
            return
        offline = now - self._offline_since
        if offline >= self._patience_s:
            where = " or ".join(self.addresses)
            reason = f"no coordinator answered at {where} for {offline:.0f} s; see --connect-timeout"
            self._leave("failed", reason)
            return
        if self._retry_at is not None and now >= self._retry_at:
            self._connect(now)
        if now >= self._next_notice:
            self._next_notice = now + CONNECTING_NOTICE_S
            remaining = self._patience_s - offline
            connecting = Connecting(
                address=self._link.address,
                others=[other for other in self.addresses if other != self._link.address],
                elapsed_s=offline,
                remaining_s=remaining if math.isfinite(remaining) else None,
            )
            self._tell(connecting)

    def _link_events(self, events: list[LinkEvent], now: float) -> None:
        for event in events:
            match event:
                case Welcomed(welcome):
                    self._welcomed(welcome, now)
                case Turned(code, reason):
                    self._turned_away(code, reason, now)
                case Heard(message, payload):
                    self._heard(message, payload, now)
                case Down(reason, retry_at):
                    self._down(reason, retry_at, now)
                case Malformed(reason):
                    self._tell(Disconnected(reason=f"a message of the coordinator was dropped: {reason}"))

    @property
    def _patience_s(self) -> float:
        """How long to go on trying: for ever, if this node stays and its run has ended."""
        return math.inf if self._between_runs else self.connect_timeout_s

    def _welcomed(self, welcome: Welcome, now: float) -> None:
        self._offline_since = math.inf
        self._between_runs = False
        run = (welcome.run, welcome.run_key)
        if run != self._run:  # its assignments have the same numbers, but are others
            self._forget_run(now)
            self._run = run
            self._encodings = Encodings(self.layout, welcome.exact)
        self._level = welcome.compress
        connected = Connected(
            run=welcome.run,
            address=self._link.address,
            announcements=welcome.announcements,
            compress=welcome.compress,
            compress_model=welcome.compress_model,
        )
        self._tell(connected)
        for update in self._held:
            self._send_update(update)  # what is not settled: the coordinator may not know of it

    def _turned_away(self, code: str, reason: str, now: float) -> None:
        if code == "ended" and self.stay:
            self._between_runs = True
            self._down(reason, self._link.lose(reason, now).retry_at, now)
        else:
            self._finish("failed", f"refused by the coordinator: {reason}")

    def _down(self, reason: str, retry_at: float, now: float) -> None:
        self._effects.append(Disconnect())
        self._puller.close()
        self._answers.close()
        self._puller = Puller(self._link.send, pacer=self._limits.down)
        if self._offline_since == math.inf:
            self._offline_since = now
            self._next_notice = now + CONNECTING_NOTICE_S
            self._tell(Disconnected(reason=reason))
        self._retry_at = retry_at
        self._uploading.clear()
        self._orders.clear()  # the coordinator asks again for what it still wants
        if self._job is not None and self._job.stage == "download":
            self._parked, self._job = self._job, None

    def _leave(self, status: Literal["stopped", "failed"], reason: str) -> None:
        self._link.send(Bye(reason=reason[:500]))
        self._finish(status, reason)

    def _finish(self, status: Literal["completed", "stopped", "failed"], reason: str) -> None:
        self._finished = True
        if self._job and self._job.stage == "work":
            self._effects.append(StopWork(self._job.order.assignment))
        self._effects.append(Finish(status, reason))

    # ---- what the coordinator says --------------------------------------------------------------

    def _heard(self, message: AnyMessage, payload: Buffer | None, now: float) -> None:
        match message:
            case Ping():
                self._link.send(self._pong(message.number))
            case Initialize() | Train() | Evaluate():
                self._ordered(message, now)
            case Chunk() if payload is not None:
                self._chunk(message, payload, now)
            case Pull():
                self._answers.ask(message, now)
            case Committed():
                self._settle(message.assignment, KeepState(message.assignment))
            case Cancel():
                self._cancelled(message, now)
            case Refused(about="update") if message.assignment is not None:
                self._update_refused(message, message.assignment)
            case Refused(about="blob"):
                self._blob_refused(message, now)
            case Ended():
                self._run_ended(message, now)
            case Accepted():
                self._uploading.discard(message.assignment)  # the update stays until COMMITTED

    def _pong(self, number: int) -> Pong:
        job = self._job
        if job is None:
            return Pong(number=number)
        if job.stage == "download":
            return Pong(
                number=number,
                work="download",
                assignment=job.order.assignment,
                done=job.download.nreceived,
                total=job.download.nbytes,
            )
        progress = job.progress
        return Pong(
            number=number,
            work=_word(job.order),
            assignment=job.order.assignment,
            done=progress.done if progress else 0,
            total=progress.total if progress else 0,
            metrics=progress.metrics if progress else {},
        )

    def _ordered(self, order: Order, now: float) -> None:
        known = [queued.assignment for queued in self._orders]
        if self._job is not None and self._job.stage != "stopping":
            known.append(self._job.order.assignment)
        if order.assignment in known:
            return
        if isinstance(order, Train):
            self._settle_before(order)
            if self._offer_held(order):
                return
        self._orders.append(order)
        self._advance(now)

    def _advance(self, now: float) -> None:
        """Begin the next order if nothing is at hand."""
        if self._job is not None or not self._orders:
            return
        order = self._orders.popleft()
        parked, self._parked = self._parked, None
        job = parked if parked is not None and parked.order == order else self._new_job(order, now)
        if job is None:
            return
        self._job = job
        self._next_puller_tick = now + PULLER_TICK_S
        if isinstance(order, Train):
            self._puller.credit.expect(order.cohort)
        for intake in job.download.intakes:
            if not intake.complete:
                self._puller.start(intake, now)
        self._start_if_collected(job)

    def _new_job(self, order: Order, now: float) -> _Job | None:
        if not isinstance(order, Initialize):
            named = {order.model.data.digest, order.frozen.data.digest if order.frozen else ""}
            self._cached = {digest: part for digest, part in self._cached.items() if digest in named}
        try:
            download = Download(order, self.layout, self._cached, self._encodings, self._pool)
            return _Job(order, download, self._encodings.at(self._level))
        except (RemoteProtocolError, ConfigError, LayoutError) as error:
            self._fail(order, str(error), now)
            return None

    def _chunk(self, chunk: Chunk, payload: Buffer, now: float) -> None:
        job = self._job
        try:
            intake = self._puller.receive(chunk, payload, now)
            if intake is None or job is None or intake not in job.download.intakes or not intake.complete:
                return
            following = job.download.arrived(intake)
        except RemoteProtocolError as error:
            if job is not None:
                self._fail(job.order, str(error), now)
            return
        if following is not None:
            self._puller.start(following, now)
        self._start_if_collected(job)

    def _start_if_collected(self, job: _Job) -> None:
        if not job.download.complete:
            return
        job.stage = "work"
        if not isinstance(job.order, Initialize):
            self._cached = job.download.named  # named again, they need not be pulled again
        self._effects.append(StartWork(_work(job.order, job.download, job.upload)))

    def _cancelled(self, cancel: Cancel, now: float) -> None:
        self._settle(cancel.assignment, DropState(cancel.assignment))
        self._orders = deque(order for order in self._orders if order.assignment != cancel.assignment)
        job = self._job
        if job is None or job.order.assignment != cancel.assignment:
            return
        if job.stage == "download":
            for intake in job.download.intakes:
                self._puller.stop(intake.blob.id)
            self._work_over(cancel.assignment, now)
        elif job.stage == "work":
            job.stage = "stopping"
            self._effects.append(StopWork(cancel.assignment))

    def _blob_refused(self, message: Refused, now: float) -> None:
        job = self._job
        if job is not None and any(intake.blob.id == message.blob for intake in job.download.intakes):
            for intake in job.download.intakes:
                self._puller.stop(intake.blob.id)
            self._fail(job.order, f"the model could not be fetched: {message.reason}", now)

    def _run_ended(self, ended: Ended, now: float) -> None:
        self._link.send(Bye(reason="the run has ended"))
        if not self.stay:
            reason = ended.reason
            if ended.status == "failed":
                reason = f"the coordinator's run failed: {ended.reason}"
            self._finish_run(ended, reason)
            return
        self._forget_run(now)
        self._between_runs = True
        self._link.lose("the run has ended", now)
        self._down(f"the run has ended ({ended.status}); waiting for the next one", now + NEXT_RUN_S, now)

    def _forget_run(self, now: float) -> None:
        """Nothing that the run before asked for is wanted any more."""
        self._orders.clear()
        self._parked = None
        for update in self._held:
            self._settle(update.assignment, DropState(update.assignment))
        if self._job:
            self._cancelled(Cancel(assignment=self._job.order.assignment, reason="its run is over"), now)

    def _finish_run(self, ended: Ended, reason: str) -> None:
        self._finished = True
        if self._job and self._job.stage == "work":
            self._effects.append(StopWork(self._job.order.assignment))
        finish = Finish(
            # A node that did its part has nothing to be blamed for, whatever became of the run.
            "completed",
            reason,
            rounds_done=ended.rounds_done,
            rounds=ended.rounds,
            version=ended.version,
        )
        self._effects.append(finish)

    # ---- the task's answers ---------------------------------------------------------------------

    def _work_done(self, event: WorkDone, now: float) -> None:
        job = self._job
        if job is not None and job.order.assignment == event.assignment and job.stage == "work":
            if isinstance(job.order, Evaluate):
                self._report_evaluation(job.order, event)
            else:
                self._offer(job.order, event)
        else:
            self._effects.append(DropState(event.assignment))
        self._work_over(event.assignment, now)

    def _report_evaluation(self, order: Evaluate, event: WorkDone) -> None:
        message = EvaluatedMessage(
            assignment=event.assignment,
            examples=event.examples,
            seconds=event.seconds,
            metrics=event.metrics,
        )
        self._link.send(message)
        fact = Evaluated(
            round=order.round,
            subject=order.subject,
            evaluator=self.hello.node,
            examples=event.examples,
            metrics=event.metrics,
        )
        self._tell(fact)

    def _offer(self, order: Initialize | Train, event: WorkDone) -> None:
        self._send_update(self._held.hold(order, event))
        self._tell(self._trained(order, event))

    def _trained(self, order: Initialize | Train, event: WorkDone) -> Fact:
        return Progress(
            node=self.hello.node,
            round=_round(order),
            stage=_word(order),
            done=event.examples,
            total=event.examples,
            metrics={**event.metrics, "seconds": event.seconds},
        )

    def _offer_held(self, order: Train) -> bool:
        """Answer an order with an update that is here already; False if there is none."""
        update = self._held.find(order)
        if update is None:
            return False
        if update.assignment != order.assignment:
            self._effects.append(RenameState(update.assignment, order.assignment))
            self._uploading.discard(update.assignment)
            update = self._held.rename(update.assignment, order.assignment)
        self._send_update(update)
        return True

    def _send_update(self, update: Update) -> None:
        self._link.send(update)
        self._uploading.add(update.assignment)

    def _settle(self, assignment: AssignmentId, effect: KeepState | DropState) -> None:
        self._uploading.discard(assignment)
        if self._held.settle(assignment):
            self._effects.append(effect)

    def _settle_before(self, order: Train) -> None:
        """COMMITTED and REFUSED may have been lost, and with this node's memory what they were about."""
        self._uploading.difference_update(self._held.settle_before(order))
        self._effects.append(SettleState(order.counted, order.version))

    def _update_refused(self, message: Refused, assignment: AssignmentId) -> None:
        round_number = self._held.round_of(assignment)
        self._settle(assignment, DropState(assignment))
        fact = UpdateRefusedFact(
            node=self.hello.node,
            round=round_number,
            code=message.code,
            reason=message.reason,
        )
        self._tell(fact)

    def _work_raised(self, event: WorkRaised, now: float) -> None:
        job = self._job
        if job is not None and job.order.assignment == event.assignment and job.stage == "work":
            failed = TaskFailed(
                node=self.hello.node,
                round=_round(job.order),
                work=_word(job.order),
                error=event.error,
                traceback=event.traceback,
            )
            self._tell(failed)
            self._link.send(
                Failed(
                    assignment=event.assignment,
                    error=event.error[:2000],
                    traceback=event.traceback[-SHORT_TRACEBACK:],
                )
            )
        self._work_over(event.assignment, now)

    def _fail(self, order: Order, error: str, now: float) -> None:
        self._link.send(Failed(assignment=order.assignment, error=error[:2000]))
        self._work_over(order.assignment, now)

    def _work_over(self, assignment: AssignmentId, now: float) -> None:
        if self._job is not None and self._job.order.assignment == assignment:
            self._job = None
        self._advance(now)

    def _pulled(self, pull: Pull) -> int:
        """Answer a PULL; returns the bytes that are sent."""
        try:
            data = self._shelf.take(pull)
        except RemoteProtocolError as error:
            data, reason = None, str(error)
        else:
            reason = f"{pull.blob} is not held here any more"
        if data is None:
            self._link.send(Refused(about="blob", code="gone", reason=reason, blob=pull.blob))
            return 0
        self._link.send(Chunk(blob=pull.blob, offset=pull.offset), data)
        return len(data)


def _word(order: Order) -> Literal["train", "evaluate", "initialize"]:
    if isinstance(order, Train):
        return "train"
    return "evaluate" if isinstance(order, Evaluate) else "initialize"


def _round(order: Order) -> int:
    return 0 if isinstance(order, Initialize) else order.round


def _work(order: Order, download: Download, upload: Encoding | None) -> Work:
    if isinstance(order, Initialize):
        return Work(kind="initialize", assignment=order.assignment, seed=order.seed)
    parameters = download.parameters
    if parameters is not None and download.encoded is None:
        parameters = parameters.read_only()
    if isinstance(order, Evaluate):
        return Work(
            kind="evaluate",
            assignment=order.assignment,
            round=order.round,
            version=order.version,
            parameters=parameters,
            encoded=download.encoded,
        )
    return Work(
        kind="train",
        assignment=order.assignment,
        round=order.round,
        version=order.version,
        seed=order.seed,
        parameters=parameters,
        vectors=download.vectors,
        settings=order.settings,
        encoded=download.encoded,
        upload=upload,
    )
