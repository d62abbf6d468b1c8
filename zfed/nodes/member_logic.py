"""A worker or an evaluator without its socket, task and clock.

It keeps one session with the coordinator, does the orders it gets one after another (pull the model, let the
task work, offer the result), and keeps each update until the coordinator says what became of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from zfed.compression import Encodings
from zfed.errors import ConfigError, LayoutError, RemoteProtocolError
from zfed.facts import (
    Connected,
    Disconnected,
    Evaluated,
    Fact,
    Progress,
    ReadinessChanged,
    StateNoted,
    TaskFailed,
    WorkGivenUp,
    WorkLimited,
)
from zfed.facts import UpdateRefused as UpdateRefusedFact
from zfed.nodes.download import Download
from zfed.nodes.job import Job, Order, named_digests, names_the_same, round_of, same_work, word
from zfed.nodes.late_orders import LateOrders
from zfed.nodes.member_words import (
    Connect,
    Disconnect,
    DropState,
    EnterRun,
    KeepState,
    MemberEffect,
    MemberInput,
    Phase,
    ReadinessSaid,
    RenameState,
    SaveAgain,
    SettleState,
    StartWork,
    StopWork,
    WorkDone,
    WorkNote,
    WorkProgress,
    WorkRaised,
    WorkStopped,
    WorkUnsaved,
)
from zfed.nodes.offers import Offers
from zfed.nodes.patience import NOTICE_S, Awaited, Patience
from zfed.nodes.rejection import Rejection
from zfed.nodes.search import Search
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, StopRequested, TellFact, TimePassed
from zfed.params import BufferPool, ParameterLayout
from zfed.rounds import WORKERS
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
    Welcome,
)
from zfed.wire.pacing import Limits
from zfed.wire.transfer import Puller

SHORT_TRACEBACK = 2000
PULLER_TICK_S = 1.0
LOOK_EVERY_S = 1.0
SAVE_AGAIN_S = 2.0
NEXT_RUN_S = 2.0


@dataclass
class MemberLogic:
    """One worker's or evaluator's side of a run. Pure: `handle(input, now) -> effects`.

    Args:
        hello: What this node says of itself; its layout blob describes `layout.shared`. What it says of its
            readiness is so until a `ReadinessSaid` says otherwise.
        layout: The layout of the task's model, local tensors included.
        addresses: Where the coordinator may listen, at least one.
        connect_timeout_s: How long to go on trying when there is no session.
        stop_timeout_s: How long the task may go on when it was asked to stop.
        stay: Wait for the next run when this one has ended.
        limit_up: MB a second of updates that may leave this node; 0: no limit.
        limit_down: MB a second of models that may come to it.
        jitter: Factor of 0.5 to 1.5 for back-off times.
        rejection: What to make of refused connections.
    """

    hello: Hello
    layout: ParameterLayout
    addresses: Sequence[str]
    connect_timeout_s: float = math.inf
    stop_timeout_s: float = 60.0
    stay: bool = False
    limit_up: float = 0.0
    limit_down: float = 0.0
    jitter: Callable[[], float] = lambda: 1.0
    rejection: Rejection | None = None

    def __post_init__(self) -> None:
        self._effects: list[MemberEffect] = []
        self._link = Link(self._send_frames, self.jitter, self.addresses)
        self._limits = Limits(self.limit_up, self.limit_down)
        self._offers = Offers(self._link.send)
        self._offers.put(self.hello.layout, self.layout.shared.to_bytes())
        self._answers = Answers(self._limits.up, self._offers.answer)
        self._puller = Puller(self._link.send, pacer=self._limits.down)
        self._orders: deque[Order] = deque()
        self._job: Job | None = None
        self._parked: Job | None = None
        self._cached: dict[str, Array] = {}
        self._encodings = Encodings(self.layout)
        self._level = "none"
        self._pool = BufferPool()
        self._run = ("", "")  # name and key
        self._search = Search(self.addresses, self.connect_timeout_s, 0.0)
        self._rejection = self.rejection or Rejection(self.hello.node)
        self._retry_at: float | None = None
        self._next_puller_tick = 0.0
        self._late = LateOrders()
        self._patience = Patience()
        self._next_look = -math.inf
        self._finished = False

    # ---- driving --------------------------------------------------------------------------------

    @property
    def next_wake(self) -> float | None:
        """When `TimePassed` has something to do."""
        if self._finished:
            return None
        wakes = [wake for wake in (self._link.next_wake, self._retry_at) if wake is not None]
        wakes += [self._search.next_wake, self._limits.next_wake, self._patience.next_wake]
        if self._job:
            wakes += [self._job.until, self._job.save_at]
            if self._job.stage == "download":
                wakes.append(self._next_puller_tick)
        return min(wakes, default=None)

    @property
    def phases(self) -> list[Phase]:
        """What this node is in the middle of: at most one order, and updates that are not accepted yet."""
        return [*self._offers.uploads, *([self._job.phase] if self._job else [])]

    @property
    def backlog(self) -> tuple[int, int]:
        """How many orders wait, and how many updates are not settled."""
        return len(self._orders), len(self._offers)

    def start(self, now: float) -> list[MemberEffect]:
        """Connect for the first time."""
        self._search = Search(self.addresses, self.connect_timeout_s, now)
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
                self._route_gone(event, now)
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
                if job := self._at_work(event.assignment):
                    job.progress = event
            case WorkUnsaved():
                self._work_unsaved(event, now)
            case WorkNote():
                self._tell(StateNoted(node=self.hello.node, note=event.text))
            case ReadinessSaid():
                self.hello = msgspec.structs.replace(self.hello, unready=event.unready)
                self._tell(
                    ReadinessChanged(node=self.hello.node, kind=self.hello.node_kind, unready=event.unready)
                )
        if not self._finished and now >= min(self._next_look, self._patience.next_wake):
            self._next_look = now + LOOK_EVERY_S  # not at every chunk
            if waiting := self._patience.look(self._awaited(), now):
                self._tell(waiting)
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

    def _route_gone(self, gone: RouteGone, now: float) -> None:
        reason, address = "", self._link.address
        if gone.refusal == "not-enrolled":
            reason = self._rejection.not_enrolled(address)
        elif gone.refusal == "handshake":
            reason = self._rejection.handshake_failed(address, now)
        if reason:
            self._finish("failed", reason)
        else:
            self._link_events([self._link.lose("the connection broke", now)], now)

    def _time_passed(self, now: float) -> None:
        self._check_job(now)
        if self._finished:
            return
        self._link_events(self._link.tick(now), now)
        if self._link.state == "open":
            self._puller.tick(now)
            self._limits.run(now)
            self._next_puller_tick = now + PULLER_TICK_S
            return
        if failure := self._search.failure(now):
            self._leave("failed", failure)
            return
        if self._retry_at is not None and now >= self._retry_at:
            self._connect(now)
        if notice := self._search.notice(self._link.address, now):
            self._tell(notice)

    def _check_job(self, now: float) -> None:
        """Give up what has taken too long; the coordinator, who says so too, may be gone."""
        job = self._job
        if job is not None and job.number is not None and now >= job.save_at:
            job.save_at = math.inf
            self._effects.append(SaveAgain(job.number))
        if job is None or now < job.until:
            return
        if job.stage == "stopping":
            waited = f"it was asked to stop {self.stop_timeout_s:g} s ago and goes on; see --stop-timeout"
            self._leave("failed", f"the task is stuck in {job.name}: {waited}")
            return
        self._tell(WorkGivenUp(node=self.hello.node, work=job.name, waited_s=job.time_s))
        self._give_up(job, now)

    def _awaited(self) -> Awaited | None:
        """What this node waits for, unless it looks for its coordinator."""
        job, where = self._job, self._link.address
        if job is not None and job.stage == "work" and job.unsaved:
            return Awaited(f"room for what the task keeps: {job.unsaved}", 0, job.until)
        if job is not None and job.stage == "stopping":
            notice_s = min(NOTICE_S, self.stop_timeout_s / 2)
            return Awaited(f"the task, which was asked to stop {job.name}", 0, job.until, notice_s)
        if self._link.state != "open":
            return None
        if job is not None and job.stage == "download":
            seen = job.download.nreceived
            part = f"{seen / 1e6:,.1f} of {job.download.nbytes / 1e6:,.1f} MB are here"
            return Awaited(f"the model for {job.name} from {where} ({part})", seen, job.until)
        if job is None and (uploads := self._offers.uploads):
            rounds = ", ".join(str(round) for round in sorted({upload.round for upload in uploads}))
            return Awaited(f"{where} to take the update of round {rounds}", self._offers.sent_bytes)
        return None  # the task works, or the coordinator waits for somebody else, and says so

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

    def _welcomed(self, welcome: Welcome, now: float) -> None:
        self._search.found()
        self._rejection.let_in()
        run = (welcome.run, welcome.run_key)
        if run != self._run:  # its assignments have the same numbers, but are others
            self._forget_run(now)
            self._effects.append(EnterRun(welcome.run_key))
            self._run = run
            self._encodings = Encodings(self.layout, welcome.exact)
        self._level = welcome.compress
        self._late = LateOrders()
        connected = Connected(
            run=welcome.run,
            address=self._link.address,
            announcements=welcome.announcements,
            compress=welcome.compress,
            compress_model=welcome.compress_model,
        )
        self._tell(connected)
        if self._job is not None:
            self._job.arm(now)  # a coordinator that came back waits as long again
        self._offers.offer_all()

    def _turned_away(self, code: str, reason: str, now: float) -> None:
        if code == "ended" and self.stay:
            self._search.wait_for_next_run()
            self._down(reason, self._link.lose(reason, now).retry_at, now)
        else:
            self._finish("failed", f"refused by the coordinator: {reason}")

    def _down(self, reason: str, retry_at: float, now: float) -> None:
        self._effects.append(Disconnect())
        self._puller.close()
        self._answers.close()
        self._puller = Puller(self._link.send, pacer=self._limits.down)
        if self._search.begin(now):
            self._tell(Disconnected(reason=reason))
        self._retry_at = retry_at
        self._offers.disconnected()
        self._orders.clear()  # the coordinator asks again for what it still wants
        if self._job is not None and self._job.stage == "download":
            self._parked, self._job = self._job, None

    def _leave(self, status: Literal["stopped", "failed"], reason: str) -> None:
        self._link.send(Bye(reason=reason[:500]))
        self._finish(status, reason)

    def _finish(self, status: Literal["completed", "stopped", "failed"], reason: str) -> None:
        self._finished = True
        self._stop_work()
        self._effects.append(Finish(status, reason))

    def _stop_work(self) -> None:
        job = self._job
        if job is not None and job.stage == "work" and job.number is not None:
            self._effects.append(StopWork(job.number))

    # ---- what the coordinator says --------------------------------------------------------------

    def _heard(self, message: AnyMessage, payload: Buffer | None, now: float) -> None:
        match message:
            case Ping():
                pong = self._job.pong(message.number) if self._job else Pong(number=message.number)
                self._link.send(msgspec.structs.replace(pong, unready=self.hello.unready))
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
                if self._offers.accepted(message.assignment):
                    self._late.settle(message.assignment)

    def _ordered(self, order: Order, now: float) -> None:
        at_hand = self._job is not None and self._job.stage != "stopping"
        known = [self._job.order, *self._orders] if self._job and at_hand else self._orders
        if self._late.heard(order) or any(order.assignment == other.assignment for other in known):
            return
        if isinstance(order, Train):
            for assignment in self._offers.first_models:  # there is a model, whosesoever it was
                self._settle(assignment, DropState(assignment))
            if self._renumbered(order, now):
                return
            if order.counted is not None:  # what COMMITTED and REFUSED may have said in vain
                self._offers.settle_before(order.version, order.counted)
                self._effects.append(SettleState(order.counted, order.version))
        if not self._answered(order):
            self._orders.append(order)
            self._advance(now)

    def _answered(self, order: Order) -> bool:
        """Answer an order with what is here already; False if the work is still to be done."""
        if isinstance(order, Evaluate):
            return self._offers.report_again(order.assignment)
        before = self._offers.offer_again(order)
        if before is not None and before != order.assignment:
            self._effects.append(RenameState(before, order.assignment))
        return before is not None

    def _renumbered(self, order: Train, now: float) -> bool:
        """Give training that is at hand or queued the number of this order; False if it is another training.

        A coordinator that was restarted may have lost the number under which it had asked for it.
        """
        job = self._job
        if job is not None and job.works_on(order):
            job.order = order
            job.arm(now)
            return True
        for place, queued in enumerate(self._orders):
            if same_work(queued, order):
                self._orders[place] = order
                return True
        return False

    def _advance(self, now: float) -> None:
        """Begin the next order if nothing is at hand."""
        if self._job is not None or not self._orders:
            return
        order = self._orders.popleft()
        parked, self._parked = self._parked, None
        if parked is not None and names_the_same(parked.order, order):
            parked.order = order
            job: Job | None = parked
        else:
            job = self._new_job(order, now)
        if job is None:
            return
        self._job = job
        job.arm(now)
        self._next_puller_tick = now + PULLER_TICK_S
        if isinstance(order, Train):
            self._puller.credit.expect(order.cohort)
        for intake in job.download.intakes:
            if not intake.complete:
                self._puller.start(intake, now)
        self._start_if_collected(job)

    def _new_job(self, order: Order, now: float) -> Job | None:
        if not isinstance(order, Initialize):
            named = named_digests(order)
            self._cached = {digest: part for digest, part in self._cached.items() if digest in named}
        try:
            download = Download(order, self.layout, self._cached, self._encodings, self._pool)
            return Job(order, download, self._encodings.at(self._level))
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

    def _start_if_collected(self, job: Job) -> None:
        if not job.download.complete:
            return
        if not isinstance(job.order, Initialize):
            self._cached = job.download.named  # named again, they need not be pulled again
        self._effects.append(StartWork(job.begin()))

    def _cancelled(self, cancel: Cancel, now: float) -> None:
        self._settle(cancel.assignment, DropState(cancel.assignment))
        self._orders = deque(order for order in self._orders if order.assignment != cancel.assignment)
        if self._job is not None and self._job.order.assignment == cancel.assignment:
            self._give_up(self._job, now)

    def _give_up(self, job: Job, now: float) -> None:
        """Nothing will come of an order: the next one is begun once the task has stopped."""
        if job.stage == "download":
            for intake in job.download.intakes:
                self._puller.stop(intake.blob.id)
            self._job_over(now)
        elif job.save_at < math.inf and job.number is not None:  # the task is done with it
            self._effects.append(DropState(job.number))
            self._job_over(now)
        elif job.stage == "work":
            self._stop_work()
            job.stage = "stopping"
            job.until = now + self.stop_timeout_s

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
        self._link.lose("the run has ended", now)
        self._down(f"the run has ended ({ended.status}); waiting for the next one", now + NEXT_RUN_S, now)
        self._search.wait_for_next_run()

    def _forget_run(self, now: float) -> None:
        """Nothing that the run before asked for is wanted any more."""
        self._orders.clear()
        self._parked = None
        self._effects += [DropState(assignment) for assignment in self._offers.forget()]
        if self._job:
            self._cancelled(Cancel(assignment=self._job.order.assignment, reason="its run is over"), now)

    def _finish_run(self, ended: Ended, reason: str) -> None:
        self._finished = True
        self._stop_work()
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
        job = self._at_work(event.assignment)
        if job is None:
            self._effects.append(DropState(event.assignment))
        elif isinstance(job.order, Evaluate):
            self._report_evaluation(job.order, event)
        else:
            self._offer(job.order, event)
        self._work_over(event.assignment, now)

    def _work_unsaved(self, event: WorkUnsaved, now: float) -> None:
        """Its update is offered once what the task keeps is durable: a full disk costs time, not the work."""
        job = self._at_work(event.assignment)
        if job is None:
            self._effects.append(DropState(event.assignment))
            self._work_over(event.assignment, now)
            return
        if not job.unsaved:
            self._tell(StateNoted(node=self.hello.node, note=f"{event.reason}; trying again"))
        job.unsaved = event.reason
        job.save_at = now + SAVE_AGAIN_S

    def _at_work(self, number: AssignmentId) -> Job | None:
        """The job that the task works on under this number, and whose result is wanted."""
        job = self._job
        return job if job is not None and job.stage == "work" and job.number == number else None

    def _report_evaluation(self, order: Evaluate, event: WorkDone) -> None:
        self._offers.report(order, event)
        fact = Evaluated(
            round=order.round,
            # A worker's word is one of many: not what people call the common model's quality
            subject=WORKERS if self.hello.node_kind == "worker" else order.subject,
            evaluator=self.hello.node,
            examples=event.examples,
            metrics=event.metrics,
        )
        self._tell(fact)

    def _offer(self, order: Initialize | Train, event: WorkDone) -> None:
        if order.assignment != event.assignment:
            self._effects.append(RenameState(event.assignment, order.assignment))
        self._offers.offer(order, event)
        if event.limited:
            self._tell(self._limited(order, event))
        self._tell(self._trained(order, event))

    def _limited(self, order: Initialize | Train, event: WorkDone) -> Fact:
        return WorkLimited(
            node=self.hello.node,
            round=round_of(order),
            limited=event.limited,
            steps=event.steps,
            seconds=event.seconds,
        )

    def _trained(self, order: Initialize | Train, event: WorkDone) -> Fact:
        return Progress(
            node=self.hello.node,
            round=round_of(order),
            stage=word(order),
            done=event.examples,
            total=event.examples,
            metrics={**event.metrics, "seconds": event.seconds},
        )

    def _settle(self, assignment: AssignmentId, effect: KeepState | DropState) -> None:
        self._late.settle(assignment)
        if self._offers.settle(assignment):
            self._effects.append(effect)

    def _update_refused(self, message: Refused, assignment: AssignmentId) -> None:
        round_number = self._offers.round_of(assignment)
        self._settle(assignment, DropState(assignment))
        fact = UpdateRefusedFact(
            node=self.hello.node,
            round=round_number,
            code=message.code,
            reason=message.reason,
        )
        self._tell(fact)

    def _work_raised(self, event: WorkRaised, now: float) -> None:
        job = self._at_work(event.assignment)
        if job is not None:
            failed = TaskFailed(
                node=self.hello.node,
                round=round_of(job.order),
                work=word(job.order),
                error=event.error,
                traceback=event.traceback,
            )
            self._tell(failed)
            self._link.send(
                Failed(
                    assignment=job.order.assignment,
                    error=event.error[:2000],
                    traceback=event.traceback[-SHORT_TRACEBACK:],
                    code=event.code,
                )
            )
        self._work_over(event.assignment, now)

    def _fail(self, order: Order, error: str, now: float) -> None:
        self._link.send(Failed(assignment=order.assignment, error=error[:2000]))
        self._job_over(now)

    def _work_over(self, number: AssignmentId, now: float) -> None:
        if self._job is not None and self._job.number == number:
            self._job_over(now)

    def _job_over(self, now: float) -> None:
        self._job = None
        self._advance(now)
