"""The coordinator as a program: its socket, its files, its threads around `CoordinatorLogic`."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from zfed.checkpoint import RunDirectory
from zfed.compression import warm_up as warm_up_levels
from zfed.config import CoordinatorConfig, LimitsConfig, check_resumed, coordinator_toml, parse_document
from zfed.config.sizes import parse_size
from zfed.errors import CheckpointError, ConfigError
from zfed.facts import CoordinatorStarted, DoorCounts, Fact, Observer, RoundCommitted, RunEnded, RunResumed
from zfed.identity import KeysFolder
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.allocator import keep_freed_chunks
from zfed.nodes.background import Background
from zfed.nodes.collector import spare_what_stays
from zfed.nodes.coordinator_logic import CoordinatorLogic
from zfed.nodes.coordinator_start import started_logic
from zfed.nodes.coordinator_words import DropRoute, EnrolNode, Job, JobFailed, LineUnwritten, SpillJob
from zfed.nodes.door_book import DoorBook
from zfed.nodes.free_memory import free_memory
from zfed.nodes.health import HealthBook, SignOfLife
from zfed.nodes.link_compression import RunCompression
from zfed.nodes.pump import Pump
from zfed.nodes.roster_watch import RosterWatch
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.strategy_choice import configured_strategy
from zfed.nodes.tracing import CoordinatorTrace
from zfed.nodes.upload_plan import PlanUploads, planner_of
from zfed.nodes.words import Finish, StopRequested, TellFact
from zfed.rounds import WaitFor
from zfed.rounds.feasibility import check_plan
from zfed.rounds.watch import check_evaluation
from zfed.strategies import warm_up
from zfed.telemetry import draw_curves, metrics_record, open_trace
from zfed.transport import FRAMING_BYTES, SocketListener, raise_descriptor_limit

log = logging.getLogger(__name__)

WEIGHTINGS = ("examples", "equal")


class Coordinator:
    """Runs one federated job from its first model to its last.

    Args:
        config: What to run.
        observer: Is told what happens, from the thread that calls `run`.

    Raises:
        UsageError: If the configuration cannot work.
    """

    def __init__(self, config: CoordinatorConfig, *, observer: Observer | None = None) -> None:
        _check(config)
        self._chosen = configured_strategy(config)
        check_plan(config, self._chosen.strategy.needs)
        # Refuses what cannot be before anything is opened
        self._levels = RunCompression(config.run, self._chosen.strategy.needs).levels
        self._config = config
        self._observer = observer or (lambda fact: None)
        self._pump: Pump | None = None
        self._trace: CoordinatorTrace | None = None
        self._stop_reason: str | None = None
        self._books: tuple[DoorBook | HealthBook, ...] = ()

    def stop(self, reason: str) -> None:
        """Ask the run to stop; from any thread or signal handler."""
        self._stop_reason = reason
        if self._pump is not None:
            self._pump.post(StopRequested(reason))

    def run(self) -> RunEnded:
        """Run until the last round is committed and evaluated, or the run failed or was stopped.

        Raises:
            ZfedError: If it could not even start: the address, the run directory, the trace's file.
        """
        config = self._config
        keep_freed_chunks()
        threading.Thread(target=self._warm_up, name="zfed-warm-up", daemon=True).start()
        raise_descriptor_limit(WaitFor.parse(config.run.wait_for).nodes)
        plan_uploads = planner_of(config, self._chosen.strategy, free_memory())
        path = Path(config.run.run or _new_run_path())
        with ExitStack() as opened:
            # Who holds the run says more than who holds its address. Of a new run nothing shall be left
            # behind if its address cannot be had.
            held = opened.enter_context(_resume(path, config)) if RunDirectory.holds_run(path) else None
            watch = None if config.run.insecure else RosterWatch(KeysFolder.at(config.run.keys))
            security = watch.security if watch is not None else None
            listener = opened.enter_context(
                closing(SocketListener(config.run.bind, security, _limits(config)))
            )
            directory = held or opened.enter_context(_begin(path, config))
            trace = opened.enter_context(open_trace(config.run.trace, "coordinator") or nullcontext())
            self._trace = CoordinatorTrace(trace) if trace is not None else None
            return self._run(listener, watch, directory, plan_uploads)

    def _run(
        self,
        listener: SocketListener,
        watch: RosterWatch | None,
        directory: RunDirectory,
        plan_uploads: PlanUploads,
    ) -> RunEnded:
        config = self._config
        protected = watch is not None
        initial = Path(config.run.initial) if config.run.initial else None
        aggregation = Aggregation(directory, self._chosen.strategy, initial=initial)
        roster = watch.roster if watch is not None else None
        logic = started_logic(config, aggregation, plan_uploads, roster)
        perform_job = aggregation.perform if self._trace is None else self._trace.timed(aggregation.perform)
        door = DoorBook(lambda: listener.counts, logic.dropped)
        health = HealthBook(
            directory.run_id,
            encrypted=protected,
            closed_doors=lambda: listener.troubles,
            door=door.counts,
        )
        self._books = (door, health)
        sign_of_life = SignOfLife(directory.path, health.record)
        broken = JobFailed("an internal error")
        background = Background("zfed-numbers", lambda: pump.post(broken))
        spilling = Background("zfed-spill", lambda: pump.post(broken))
        spills = SpillJobs(directory.path)

        def do(job: Job) -> None:
            result = perform_job(job)
            if result is not None:
                pump.post(result)

        def tell(effect: TellFact) -> None:
            self._tell(effect.fact)
            counts = door.counts() if isinstance(effect.fact, RoundCommitted) else None
            record = metrics_record(effect.fact, counts)
            if record is not None:
                background.add(lambda: record_metrics(record))

        def record_metrics(record: dict[str, Any]) -> None:
            try:
                directory.record_metrics(record)
            except CheckpointError as error:  # the journal has the same, and will be asked at the next start
                pump.post(LineUnwritten(str(error)))

        def queue(job: Job) -> None:
            if self._trace is not None:
                self._trace.queued(job)
            background.add(lambda: do(job))

        def do_spill(job: SpillJob) -> None:
            result = spills.perform(job)
            if result is not None:
                pump.post(result)

        perform: dict[type, Callable[[Any], None]] = {
            DropRoute: lambda effect: listener.drop(effect.route),
            **{kind: queue for kind in get_args(Job)},
            **{kind: lambda job: spilling.add(lambda: do_spill(job)) for kind in get_args(SpillJob)},
        }

        if watch is not None:
            enrolment = watch.enrolment(lambda line: directory.journal.append(line, sync=True))
            perform[EnrolNode] = lambda job: background.add(lambda: pump.post(enrolment.perform(job)))

        def turn_done() -> None:
            background.start()
            spilling.start()
            sign_of_life.look()

        look = watch.look if watch is not None else lambda: None
        pump = self._pump = Pump(logic, listener, {**perform, TellFact: tell}, turn_done, look)
        started = CoordinatorStarted(
            run=directory.run_id,
            directory=str(directory.path),
            address=listener.address,
            rounds=config.run.rounds,
            protected=protected,
            strategy=self._chosen.words(),
            compress=self._levels.updates,
            compress_model=self._levels.model,
        )
        self._tell(started)
        if directory.history:
            self._tell(_resumed(directory, logic))
            directory.forget_history()
        if self._stop_reason is not None:
            pump.post(StopRequested(self._stop_reason))
        try:
            finish = pump.run()
        finally:
            background.close()
            spilling.close()
            sign_of_life.close()
            pump.close()
        for thread in (background, spilling):
            if thread.failure is not None:
                raise thread.failure
        ended = self._ended(finish, aggregation, protected, door.counts())
        self._tell(ended)
        return ended

    def _warm_up(self) -> None:
        warm_up()
        warm_up_levels(self._levels)
        spare_what_stays()

    def _tell(self, fact: Fact) -> None:
        if self._trace is not None:
            self._trace.observe(fact)
        for book in self._books:
            book.observe(fact)
        self._observer(fact)

    def _ended(self, finish: Finish, aggregation: Aggregation, protected: bool, door: DoorCounts) -> RunEnded:
        directory = aggregation.directory
        model = aggregation.finish()
        plot = directory.path / "curves.png"
        drawn = self._config.report.plot and draw_curves(directory.metrics_path, plot)
        return RunEnded(
            status=finish.status,
            reason=finish.reason,
            rounds_done=finish.rounds_done,
            rounds=finish.rounds,
            version=finish.version,
            evaluated=finish.evaluated,
            model=str(model or ""),
            metrics=str(directory.metrics_path),
            plot=str(plot) if drawn else "",
            protected=protected,
            door=door,
            best=finish.best,
            best_model=str(aggregation.publish_best(finish.best.version)) if finish.best else "",
        )


def _begin(path: Path, config: CoordinatorConfig) -> RunDirectory:
    return RunDirectory.create(path.parent, path.name, coordinator_toml(config))


def _resume(path: Path, config: CoordinatorConfig) -> RunDirectory:
    """Resume the run that a folder holds, if the configuration is that run's."""
    with ExitStack() as opened:
        directory = opened.enter_context(RunDirectory.resume(path))
        begun = directory.config_path
        check_resumed(config, parse_document(begun.read_text(encoding="utf-8"), str(begun)))
        opened.pop_all()
    return directory


def _resumed(directory: RunDirectory, logic: CoordinatorLogic) -> RunResumed:
    restored = logic.restored
    return RunResumed(
        run=directory.run_id,
        start=logic.incarnation,
        version=restored.point.version if restored else -1,
        round=restored.point.round if restored else 0,
        rounds=max(logic.config.run.rounds, restored.point.round if restored else 0),
        torn_bytes=directory.torn_bytes,
        damaged=list(restored.damaged) if restored else [],
        awaited=sorted(restored.here) if restored else [],
    )


def _new_run_path() -> str:
    return f"runs/{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def _limits(config: CoordinatorConfig) -> LimitsConfig:
    """The limits of connections: that of a node which is only late is not ended."""
    silence_s = max(config.limits.silence_s, 3 * config.run.heartbeat_timeout_s)
    return replace(config.limits, silence_s=silence_s)


def _check(config: CoordinatorConfig) -> None:
    run = config.run
    if run.weighting not in WEIGHTINGS:
        raise ConfigError(f"weighting is {run.weighting!r}, allowed are: {', '.join(WEIGHTINGS)}")
    if run.heartbeat_timeout_s <= run.heartbeat_s:
        raise ConfigError(
            f"--heartbeat-timeout {run.heartbeat_timeout_s:g} is not above --heartbeat {run.heartbeat_s:g}: "
            "every node would be lost before it is asked"
        )
    check_evaluation(config.evaluate)
    limits = config.limits
    for name, size in (("header", limits.header), ("chunk", limits.chunk)):
        if parse_size(limits.frame) < parse_size(size) + FRAMING_BYTES:
            raise ConfigError(
                f"--max-frame {limits.frame} has no room for --max-{name} {size} and what is around it: "
                f"it must be {FRAMING_BYTES} bytes more"
            )
