"""The coordinator without its sockets, files and clock: sessions, transfers and the round engine joined.

Frames come in, the session rules say who speaks, offers are pulled through upload slots, and the round
engine is told what happened; its actions become messages, and jobs on numbers and files that are done beside
the pump in the order in which they were given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from zfed.config import CoordinatorConfig
from zfed.engine import (
    Accept,
    Action,
    AskEvaluate,
    AskModel,
    AskTrain,
    Cancel,
    CannotRun,
    Commit,
    CommitFailed,
    EndRun,
    Enlist,
    EvaluationDone,
    Event,
    Fold,
    Keep,
    LoadModel,
    ModelLoaded,
    ModelUnusable,
    NodeGone,
    NodeReadiness,
    NodeReady,
    OpenRound,
    Refuse,
    ReleaseModels,
    StopAsked,
    Tell,
    TellCommitted,
    Tick,
    VersionCommitted,
    WorkFailed,
)
from zfed.errors import ConfigError, RemoteProtocolError
from zfed.facts import (
    EvaluationSkipped,
    Fact,
    ModelReady,
    NodeLeft,
    NodeRefused,
    NotWritten,
    ReadinessChanged,
    UpdateRefused,
    UploadsPlanned,
    WorkerBenched,
    WorkersEvaluated,
)
from zfed.nodes import journal_lines
from zfed.nodes.admission import Objection, RunLayout, examples_objection
from zfed.nodes.coordinator_words import (
    BeginRound,
    CommitVersion,
    CoordinatorEffect,
    CoordinatorInput,
    DropRoute,
    DropUpdates,
    DropVersions,
    EncodeModel,
    EnrolmentRefused,
    EnrolmentUnwritten,
    EvaluationRecorded,
    EvaluationUnwritten,
    FirstModelFailed,
    FirstModelReady,
    JobFailed,
    LineUnwritten,
    ModelEncoded,
    NodeEnrolled,
    ReadFirstModel,
    RecordEvaluation,
    Restored,
    RosterChanged,
    SpillFailed,
    SpillOpened,
    SpillWritten,
    UpdateFolded,
    UpdateInspected,
    VersionReady,
    VersionUnwritten,
    WriteJournal,
)
from zfed.nodes.enrolments import Enrolments
from zfed.nodes.farewell import Farewell
from zfed.nodes.model_shelf import ModelShelf
from zfed.nodes.orders import Orders
from zfed.nodes.reception import Peer, Reception, tags_of
from zfed.nodes.upload_plan import PlanUploads, UploadPlan
from zfed.nodes.uploads import Uploads
from zfed.nodes.words import FramesArrived, RouteGone, SendFrames, StopRequested, TellFact, TimePassed
from zfed.params import ParameterLayout
from zfed.rounds import Rounds, Schedule
from zfed.rounds.participation import ParticipationTally
from zfed.rounds.surveys import Survey
from zfed.strategies import Bounds, Needs
from zfed.wire.codec import Buffer
from zfed.wire.guard import Guard
from zfed.wire.messages import (
    Accepted,
    AnyMessage,
    Bye,
    Chunk,
    Committed,
    Evaluate,
    Evaluated,
    Failed,
    Initialize,
    Pong,
    Pull,
    Refused,
    Train,
    Update,
)
from zfed.wire.messages import Cancel as CancelMessage
from zfed.wire.roster import Roster
from zfed.wire.session import Sessions
from zfed.wire.session_words import (
    Cut,
    EnrolmentAsked,
    Heard,
    Lost,
    Malformed,
    Opened,
    Session,
    SessionEvent,
    Timing,
    Turned,
)
from zfed.wire.transfer import Intake


@dataclass
class CoordinatorLogic:
    """One run's coordinator. Pure: `handle(input, now) -> effects`.

    Args:
        config: The run's configuration.
        run: The run's id.
        plan_uploads: What the memory budget means for the model; raises ConfigError if it is too small.
        incarnation: Number of this coordinator start, from 1; numbers assignments and session epochs.
        run_key: Tells this run from another of the same name.
        restored: What the run goes on with, if it is not new.
        roster: Whose keys are known; None: traffic is neither encrypted nor authenticated.
        needs: Of the strategy.
        timing: Seconds of the session rules; by default as configured.
    """

    config: CoordinatorConfig
    run: str
    plan_uploads: PlanUploads
    incarnation: int = 1
    run_key: str = ""
    restored: Restored | None = None
    roster: Roster | None = None
    needs: Needs = field(default_factory=Needs)
    timing: Timing | None = None

    def __post_init__(self) -> None:
        run = self.config.run
        timing = self.timing or Timing(ping_s=run.heartbeat_s, lost_s=run.heartbeat_timeout_s)
        self._effects: list[CoordinatorEffect] = []
        first_epoch = (self.incarnation << 32) + 1
        guard = Guard(self.config.limits)
        self._sessions = Sessions(self._send_frames, timing, first_epoch, self.roster, guard)
        schedule = Schedule.of(self.config.schedule, self.config.select, self.config.evaluate)
        self._rounds = Rounds(
            run, self.config.evaluate, self.incarnation, self.needs, schedule, self.config.select
        )
        self._reception = Reception(
            self.config,
            self.run,
            self._sessions,
            timing=timing,
            protected=self.roster is not None,
            run_key=self.run_key,
            refusals=self._rounds.refusals,
            merging=self._rounds.appraisal.merging,
            needs=self.needs,
            tell=self._tell,
            serve=self._pulled,
        )
        self._models = ModelShelf()
        self._orders = Orders(self.config, self._models, self.needs.metrics)
        self._uploads = Uploads(
            self._rounds,
            self._reception,
            self._orders,
            send=lambda peer, message: self._sessions.send(peer.session, message),
            effect=lambda effect: self._effects.append(effect),
            tell=self._tell,
            tell_engine=self._tell_engine,
        )
        self._enrolments = Enrolments(
            self._sessions, effect=lambda effect: self._effects.append(effect), tell=self._tell
        )
        self._planned: UploadPlan | None = None
        self._planned_for: ParameterLayout | None = None
        self._planned_workers = 0
        self._bytes_down = 0
        self._bytes_up = 0
        self._lines_lost = False
        self._participation = self.restored.participation if self.restored else ParticipationTally()
        self._farewell = Farewell(run.rounds)
        self._finished = False

    # ---- driving --------------------------------------------------------------------------------

    @property
    def next_wake(self) -> float | None:
        """When `TimePassed` has something to do."""
        return None if self._finished else min(self._due, self._reception.limits.next_wake)

    @property
    def _due(self) -> float:
        """When something beside the limits has to be seen to, which means looking at everybody."""
        wake = self._rounds.next_wake
        return min(self._sessions.next_wake, self._farewell.finish_at, math.inf if wake is None else wake)

    @property
    def backlog(self) -> tuple[int, int]:
        """How many updates have a slot, and how many wait for one."""
        return self._uploads.backlog

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many messages were, by the limit that they were beyond."""
        return self._sessions.guard.counts

    def start(self, now: float) -> list[CoordinatorEffect]:
        """Begin the run, or go on with it."""
        if self.restored is None:
            self._act(self._rounds.start(now), now)
        else:
            self._go_on(self.restored, now)
        self._finish_if_over(now)
        return self._drained()

    def _go_on(self, restored: Restored, now: float) -> None:
        self._reception.seen.update(restored.seen)
        self._reception.layout = RunLayout(restored.layout, "the run directory")
        self._models.restore(restored)
        try:
            self._plan(0)
        except ConfigError as error:
            self._tell_engine(CannotRun(reason=str(error)), now)
        else:
            self._farewell.awaited = set(restored.here)
            for fact in restored.skipped:
                self._told(fact)
            self._act(self._rounds.resume(restored.point, now), now)
        if not self._farewell.begun:
            self._farewell.awaited.clear()  # they are awaited for the rounds

    def handle(self, event: CoordinatorInput, now: float) -> list[CoordinatorEffect]:
        """Take an input; return what is to be done, in this order."""
        match event:
            case FramesArrived():
                heard = self._sessions.receive(event.route, event.frames, now, event.key)
                self._session_events(heard, now)
            case RouteGone():
                self._session_events(self._sessions.unreachable(event.route, now), now)
            case RosterChanged():
                self._session_events(self._sessions.enrol(event.roster, now), now)
                self._hold_to_enrolled(now)
            case NodeEnrolled() | EnrolmentRefused() | EnrolmentUnwritten():
                self._enrolments.answer(event)
            case TimePassed():
                self._time_passed(now)
            case StopRequested():
                self._tell_engine(StopAsked(reason=event.reason), now)
            case FirstModelReady():
                self._first_model_ready(event, now)
            case FirstModelFailed():
                self._uploads.installed()
                self._tell_engine(ModelUnusable(node=event.node, reason=event.reason), now)
            case ModelEncoded():
                for ask in self._orders.ready(event):
                    self._order(ask)
            case UpdateInspected():
                self._uploads.inspected(event, now)
            case UpdateFolded():
                self._update_folded(event, now)
            case SpillOpened() | SpillWritten() | SpillFailed():
                self._uploads.spilled(event, now)
            case VersionReady():
                self._version_ready(event, now)
            case VersionUnwritten():
                self._uploads.installed()
                self._tell_engine(CommitFailed(reason=event.reason, again=True), now)
            case EvaluationRecorded():
                self._evaluation_recorded(event.done, now)
            case EvaluationUnwritten():
                self._rounds.desk.recording.discard(event.done.assignment)
                self._unwritten("an evaluation", event.reason)
            case LineUnwritten():
                if not self._lines_lost:
                    self._unwritten("lines of the journal, which are not needed to go on,", event.reason)
                self._lines_lost = True  # said once until a version is written again
            case JobFailed():
                self._tell_engine(CommitFailed(reason=event.reason), now)
        self._finish_if_over(now)
        return self._drained()

    def _drained(self) -> list[CoordinatorEffect]:
        effects, self._effects = self._effects, []
        return effects

    def _send_frames(self, route: bytes, frames: list[Buffer]) -> None:
        self._effects.append(SendFrames(route, frames))

    def _tell(self, fact: Fact) -> None:
        self._effects.append(TellFact(fact))

    def _told(self, fact: Fact) -> None:
        """Tell what the engine has to tell."""
        self._tell(fact)
        self._participation.take(fact)
        match fact:
            case WorkersEvaluated():
                self._journal(journal_lines.surveyed(fact), sync=True)
            case EvaluationSkipped():
                self._journal(journal_lines.skipped(fact))
            case UpdateRefused():
                self._journal(journal_lines.refused(fact))
            case WorkerBenched():
                self._journal(journal_lines.benched(fact))

    def _unwritten(self, what: str, reason: str) -> None:
        self._tell(NotWritten(what=what, reason=reason))

    def _send(self, node: str, message: AnyMessage, payload: Buffer | None = None) -> None:
        peer = self._reception.peers.get(node)
        if peer is not None:
            self._sessions.send(peer.session, message, payload)

    def _time_passed(self, now: float) -> None:
        self._reception.limits.run(now)
        if now < self._due:
            return
        self._session_events(self._sessions.tick(now), now)
        for peer in self._reception.peers.values():
            peer.puller.tick(now)
        self._uploads.tick(now)
        self._tell_engine(Tick(), now)

    def _tell_engine(self, event: Event, now: float) -> None:
        self._act(self._rounds.handle(event, now), now)

    # ---- who is here ----------------------------------------------------------------------------

    def _session_events(self, events: list[SessionEvent], now: float) -> None:
        for event in events:
            match event:
                case Opened(session):
                    self._opened(session, now)
                case Heard(session, message, payload):
                    self._heard(session, message, payload, now)
                case Lost(session, reason, shut_out):
                    self._gone(session, shut_out, reason, now)
                case Turned(node, code, reason):
                    self._tell(NodeRefused(node=node, code=code, reason=reason))
                case EnrolmentAsked():
                    self._enrolments.ask(event)
                case Malformed(node, reason):
                    if self._sessions.guard.worth_telling(now):
                        dropped = f"message dropped: {reason}"
                        self._tell(NodeRefused(node=node, code="malformed", reason=dropped))
                case Cut(route):
                    self._effects.append(DropRoute(route))

    def _opened(self, session: Session, now: float) -> None:
        peer = self._reception.greet(session, run_is_over=self._farewell.begun)
        if peer is None:
            return
        if self._farewell.begun:
            self._sessions.send(session, self._farewell.message)
        elif self._reception.layout.fits(session.hello.layout.digest):
            self._admit_if_room(peer, now)
        else:
            peer.puller.start(Intake(session.hello.layout, peer.write_layout), now)

    def _described(self, peer: Peer, intake: Intake, nbytes: int, now: float) -> None:
        """More of the description of a node's layout is here."""
        crowding = self._reception.described(peer, nbytes)
        if crowding is not None:
            self._sessions.guard.counts["staging"] += 1
            self._reception.turn_away(crowding[0].session, crowding[1])
        if intake.complete and self._reception.find(peer.session) is peer:
            self._layout_arrived(peer, now)

    def _layout_arrived(self, peer: Peer, now: float) -> None:
        objection = self._reception.layout.take(peer.session.hello, peer.layout)
        if objection:
            self._reception.turn_away(peer.session, objection)
        else:
            self._admit_if_room(peer, now)

    def _admit_if_room(self, peer: Peer, now: float) -> None:
        """Admit a node, if there is memory for the updates that there may be then.

        Without memory for one the run ends; a worker too many for a strategy that keeps all is turned away.
        """
        begun = self._planned_for is self._reception.layout.layout
        one_more = self.needs.every_update and peer.session.hello.node_kind == "worker"
        try:
            self._plan(self._rounds.roster.worker_count + 1 if one_more else 0)
        except ConfigError as error:
            if begun:
                self._reception.turn_away(peer.session, Objection("memory", str(error)))
            else:
                self._tell_engine(CannotRun(reason=str(error)), now)
        else:
            self._admit(peer, now)

    def _plan(self, workers: int) -> None:
        """Choose how many updates are received at the same time while there are so many workers.

        Raises:
            ConfigError: If the memory budget is too small for that; the plan before holds.
        """
        layout = self._reception.layout.layout
        begun = layout is self._planned_for
        if layout is None or (begun and workers <= self._planned_workers):
            return
        if not begun:
            self._reception.compression.lay_out(layout)
        plan = self.plan_uploads(layout, workers)
        self._planned_for, self._planned_workers = layout, workers
        if plan != self._planned:
            self._planned = plan
            self._follow(plan)

    def _follow(self, plan: UploadPlan) -> None:
        """Receive updates by a plan from now on."""
        self._uploads.plan(plan)
        budget = plan.budget
        planned = UploadsPlanned(
            budget=budget.bytes,
            origin=budget.origin,
            reserved=plan.reserved,
            in_memory=plan.in_memory,
            on_disk=plan.on_disk,
            strategy=self.needs.strategy,
            kept=plan.kept,
            kept_bytes=plan.kept_bytes,
        )
        self._tell(planned)

    def _admit(self, peer: Peer, now: float) -> None:
        joined = self._reception.admit(peer)
        if joined is None:
            return
        self._journal(journal_lines.joined(joined))
        self._told(joined)
        self._present(peer, now)

    def _present(self, peer: Peer, now: float) -> None:
        """Tell the engine who is here, and what there is to know of it."""
        hello = peer.session.hello
        if self._rounds.refusals.is_benched(hello.node):  # it stays where it is, and is asked no more
            return
        ready = NodeReady(
            node=hello.node,
            kind=hello.node_kind,
            examples=hello.examples,
            tags=peer.tags,
            unready=peer.unready,
            held_out=hello.held_out,
        )
        self._tell_engine(ready, now)

    def _gone(self, session: Session, left: bool, reason: str, now: float) -> None:
        peer = self._reception.leave(session)
        if peer is None:
            return
        self._uploads.gone(session.node, None if left else now + self.config.run.resume_window_s)
        self._farewell.awaited.discard(session.node)
        if peer.admitted or self._farewell.begun:
            self._journal(journal_lines.left(session.node, session.hello.node_kind, left=left, reason=reason))
            if not self._farewell.begun:
                self._tell(NodeLeft(node=session.node, kind=session.hello.node_kind, reason=reason))
            self._tell_engine(NodeGone(node=session.node, left=left, reason=reason), now)

    def _hold_to_enrolled(self, now: float) -> None:
        """Refuse who had declared more examples than it is enrolled for now; others may have other tags."""
        for session in self._sessions:
            peer = self._reception.find(session)
            if objection := examples_objection(session):
                self._sessions.refuse(session, objection.code, objection.reason)
                self._tell(NodeRefused(node=session.node, code=objection.code, reason=objection.reason))
                self._gone(session, True, objection.reason, now)
            elif peer is not None and peer.admitted and peer.tags != tags_of(session)[0]:
                peer.tags = tags_of(session)[0]
                self._present(peer, now)

    # ---- what nodes say -------------------------------------------------------------------------

    def _heard(self, session: Session, message: AnyMessage, payload: Buffer | None, now: float) -> None:
        peer = self._reception.find(session)
        if peer is None:
            return
        if not isinstance(message, Pong):
            peer.idle_since = None
        match message:
            case Bye():
                self._sessions.close(session)
                self._gone(session, True, message.reason or "it said goodbye", now)
            case Chunk() if payload is not None:
                self._chunk(peer, message, payload, now)
            case Refused(about="blob"):
                self._uploads.unavailable(peer, message, now)
            case Pong():
                if progress := peer.news(message, self._rounds.round):
                    self._tell(progress)
                if peer.says_anew(message) and message.unready != peer.unready:
                    self._readiness_changed(peer, message.unready, now)
                self._see_to_work(peer, message, now)
            case Pull() if peer.admitted:
                peer.answers.ask(message, now)
            case Update() if peer.admitted:
                self._uploads.offered(peer, message, now)
            case Evaluated() if peer.admitted:
                self._evaluated(peer, message, now)
            case Failed() if peer.admitted:
                failed = WorkFailed(
                    node=session.node,
                    assignment=message.assignment,
                    error=message.error,
                    traceback=message.traceback,
                    code=message.code,
                )
                self._tell_engine(failed, now)

    def _readiness_changed(self, peer: Peer, unready: str, now: float) -> None:
        peer.unready = unready
        hello = peer.session.hello
        if peer.admitted:
            self._tell(ReadinessChanged(node=hello.node, kind=hello.node_kind, unready=unready))
            self._tell_engine(NodeReadiness(node=hello.node, unready=unready), now)

    def _see_to_work(self, peer: Peer, pong: Pong, now: float) -> None:
        """Ask again for what a node should be doing, and take back what nobody wants."""
        if peer.rests(pong, now):
            for action in self._rounds.awaited(peer.session.node):
                if not (
                    self._uploads.has(action.assignment) or action.assignment in self._rounds.desk.recording
                ):
                    self._act([action], now)
        elif pong.work == "train" and pong.assignment and pong.assignment[0] == self.incarnation:
            version = self._rounds.version
            if self._rounds.standing(peer.session.node, pong.assignment, version) == "stale":
                reason = self._rounds.stale_reason(pong.assignment)
                self._sessions.send(peer.session, CancelMessage(assignment=pong.assignment, reason=reason))

    def _pulled(self, session: Session, pull: Pull) -> int:
        """Answer a PULL; returns the bytes that are sent."""
        try:
            data = self._models.take(pull)
        except RemoteProtocolError as error:
            self._tell(NodeRefused(node=session.node, code="malformed", reason=str(error)))
            return 0
        if data is None:
            refused = Refused(
                about="blob", code="gone", reason=f"{pull.blob} is not served here", blob=pull.blob
            )
            self._sessions.send(session, refused)
            return 0
        if session.hello.node_kind == "worker":
            self._bytes_down += len(data)
        self._sessions.send(session, Chunk(blob=pull.blob, offset=pull.offset), data)
        return len(data)

    def _evaluated(self, peer: Peer, message: Evaluated, now: float) -> None:
        """Accepted is what is on disk: an evaluator keeps its result until then."""
        node, assignment = peer.session.node, message.assignment
        done = EvaluationDone(
            node=node, assignment=assignment, examples=message.examples, metrics=message.metrics
        )
        survey = self._rounds.appraisal.surveys.find(node, assignment)
        if survey is not None:
            self._worker_answered(done, survey, now)
        elif not self._rounds.desk.is_asked(node, assignment):
            self._sessions.send(peer.session, Accepted(assignment=assignment))  # done, or not wanted any more
        elif assignment not in self._rounds.desk.recording:
            self._rounds.desk.recording.add(assignment)
            desk = self._rounds.desk
            line = journal_lines.evaluated(done, desk.owed[assignment], validation=desk.validation)
            self._effects.append(RecordEvaluation(done, line))

    def _worker_answered(self, done: EvaluationDone, survey: Survey, now: float) -> None:
        """One answer of many: if a power cut takes its line, the worker is asked again."""
        self._send(done.node, Accepted(assignment=done.assignment))
        self._tell_engine(done, now)
        if survey.awaited and done.node in survey.answers:  # the last one's is the line of the whole survey
            self._journal(journal_lines.answered(done, survey.round))

    def _evaluation_recorded(self, done: EvaluationDone, now: float) -> None:
        self._rounds.desk.recording.discard(done.assignment)
        self._send(done.node, Accepted(assignment=done.assignment))
        self._tell_engine(done, now)

    def _chunk(self, peer: Peer, chunk: Chunk, payload: Buffer, now: float) -> None:
        try:
            intake = peer.puller.receive(chunk, payload, now)
        except RemoteProtocolError as error:
            self._tell(NodeRefused(node=peer.session.node, code="malformed", reason=str(error)))
            return
        if intake is None:
            return
        self._sessions.asked_for(peer.session, len(payload))
        if not peer.admitted:
            self._described(peer, intake, len(payload), now)
            return
        self._bytes_up += len(payload)
        if intake.complete:
            self._uploads.received(peer, intake, now)

    # ---- what the engine wants ------------------------------------------------------------------

    def _act(self, actions: list[Action], now: float) -> None:
        for action in actions:
            match action:
                case Tell():
                    self._told(action.fact)
                case LoadModel():
                    if self._reception.layout.layout is not None:
                        self._effects.append(ReadFirstModel(self._reception.layout.layout))
                case AskModel():
                    self._send(
                        action.node, Initialize(assignment=action.assignment, seed=self.config.run.seed)
                    )
                case OpenRound():
                    self._open_round(action)
                case Enlist():
                    self._journal(journal_lines.enlisted(action.part))
                case AskTrain() | AskEvaluate():
                    self._order(action)
                case Accept():
                    self._send(action.node, Accepted(assignment=action.assignment))
                case Keep():
                    self._uploads.keep(action.assignment)
                case Fold():
                    line = {"event": "accepted", "round": action.round, "node": action.node}
                    self._journal({**line, "assignment": action.assignment})
                    self._uploads.fold(action)
                case Refuse():
                    self._refuse_update(action, now)
                case Cancel():
                    cancel = CancelMessage(assignment=action.assignment, reason=action.reason)
                    self._send(action.node, cancel)
                    self._orders.cancel(action.assignment)
                    self._uploads.drop(action.assignment, now)
                case Commit():
                    facts = journal_lines.commit_facts(action, self._bytes_down, self._bytes_up)
                    self._effects.append(CommitVersion(action.version, facts))
                case TellCommitted():
                    self._send(action.node, Committed(assignment=action.assignment, version=action.version))
                case ReleaseModels():
                    self._release(action.round)
                case EndRun():
                    self._end(action, now)

    def _open_round(self, action: OpenRound) -> None:
        bounds = Bounds(value_range=action.value_range, max_norm=action.max_norm)
        self._uploads.open_round(bounds, action.updates)
        self._journal(journal_lines.opened(action))
        self._effects.append(BeginRound(action))

    def _order(self, action: AskTrain | AskEvaluate) -> None:
        peer = self._reception.peers.get(action.node)
        if peer is None:
            return
        match self._orders.write(action, peer.encodings.model):
            case EncodeModel() as job:
                self._effects.append(job)
            case Train() | Evaluate() as order:
                if isinstance(order, Train):
                    peer.puller.credit.expect(order.cohort)
                self._send(action.node, order)

    def _refuse_update(self, action: Refuse, now: float) -> None:
        refused = Refused(
            about="update", code=action.code, reason=action.reason, assignment=action.assignment
        )
        self._send(action.node, refused)
        self._uploads.drop(action.assignment, now)

    def _end(self, action: EndRun, now: float) -> None:
        self._farewell.begin(action, now, self.config.run.restart_grace_s)
        if action.version:
            self._tell(self._participation.report())
        for session in self._sessions:
            self._sessions.send(session, self._farewell.message)
        line = {"event": "ended", "status": action.status, "reason": action.reason}
        best = {"best": action.best.version} if action.best is not None else {}
        self._journal({**line, "version": action.version, **best}, sync=True)

    def _finish_if_over(self, now: float) -> None:
        finish = self._farewell.over(self._reception.peers, now)
        if finish is not None:
            self._finished = True
            self._effects.append(finish)

    def _journal(self, line: journal_lines.Line, *, sync: bool = False) -> None:
        self._effects.append(WriteJournal(line, sync))

    # ---- what became of jobs --------------------------------------------------------------------

    def _first_model_ready(self, event: FirstModelReady, now: float) -> None:
        layout = self._reception.layout.layout
        if layout is None:
            return
        staging = self._uploads.installed()
        if staging is not None:
            self._send(staging.node, Committed(assignment=staging.assignment, version=0))
        self._bytes_up = 0
        self._models.describe(layout)
        self._models.serve_version(0, event.model)
        if event.frozen is not None:
            self._models.serve_frozen(event.frozen)
        ready = ModelReady(
            source=event.source,
            parameters=sum(tensor.size for tensor in layout.tensors),
            bytes=layout.nbytes,
            tensors=len(layout.tensors),
            layout=layout.digest,
        )
        self._tell(ready)
        self._tell_engine(ModelLoaded(source=event.source), now)

    def _update_folded(self, event: UpdateFolded, now: float) -> None:
        fold = event.fold
        if event.own is not None:
            self._models.serve_own_model(fold.round, fold.node, event.own)
        elif event.problem:
            self._unwritten(f"the model of {fold.node} of round {fold.round}", event.problem)
        self._uploads.folded(event, now)

    def _version_ready(self, event: VersionReady, now: float) -> None:
        self._models.serve_version(event.version, event.model)
        bytes_down, bytes_up = self._bytes_down, self._bytes_up
        self._bytes_down = self._bytes_up = 0
        self._lines_lost = False
        committed = VersionCommitted(
            version=event.version,
            bytes_down=bytes_down,
            bytes_up=bytes_up,
        )
        self._tell_engine(committed, now)
        self._drop_old_versions()

    def _release(self, round: int) -> None:
        """Stop serving what was served for the evaluation of a round."""
        self._drop_old_versions()
        self._models.drop_own_models(round)
        if self.config.evaluate.workers:
            self._effects.append(DropUpdates(round))

    def _drop_old_versions(self) -> None:
        """Serve only versions that somebody may still want; of others keep the newest few on disk."""
        version, wanted = self._rounds.version, self._rounds.versions
        self._models.keep_versions(wanted)
        keep = self.config.run.keep_models
        best = self._rounds.appraisal.watch.best
        if keep and version >= keep:
            wanted |= {best.version} if best is not None else set()
            self._effects.append(DropVersions(version - keep + 1, wanted))
