"""What must hold in every simulated run, whatever goes wrong; looked at after each step.

It is written from what was promised, not from the code that keeps it: models are computed again from the
journal, with numpy alone.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson

from zfed.checkpoint import map_model
from zfed.checkpoint.disk import Disk
from zfed.checkpoint.run_files import RunFiles
from zfed.errors import CheckpointError
from zfed.facts import RoundCommitted, RoundRetried, StateNoted, TaskFailed, UpdateAccepted, UpdateRefused
from zfed.nodes.coordinator_words import (
    FirstModelReady,
    FoldUpdate,
    Job,
    JobResult,
    RosterChanged,
    SpillJob,
    SpillResult,
    VersionReady,
)
from zfed.nodes.logic import Effect, Input
from zfed.nodes.member_words import DropState, RenameState, StartWork, StopWork, Work, WorkDone, WorkRaised
from zfed.nodes.orders import work_seed
from zfed.nodes.words import TellFact
from zfed.params.dtypes import Array
from zfed.rounds.evaluation import FEDERATED, MAX_OWED_ROUNDS, WORKERS
from zfed.simulation.coordinator import SimulatedCoordinator
from zfed.simulation.driven import Driven
from zfed.simulation.member import SimulatedMember
from zfed.simulation.rules import discount
from zfed.simulation.schedule import Schedule
from zfed.simulation.tally import SIZE, delta_of
from zfed.wire.messages import AssignmentId
from zfed.wire.roster import Enrolled, Roster

TOLERANCE: Final = 1e-4
"""Of a model computed again, in float64: what float32 loses in some dozen rounds. An update that is missing
or counted twice shifts at least one of its numbers by more, but in one of 10**12 cases."""

NO_FAULT_OF_TASKS: Final = (os.strerror(errno.ENOSPC), "that the round waits")
"""Why work may fail: its machine has no room for what it keeps, or stood still for as long as the round."""


class BrokenPromise(Exception):
    """An invariant does not hold."""


@dataclass
class _Version:
    """A model version as it was first seen."""

    bytes: bytes
    workers: tuple[str, ...]
    model: Array
    velocity: Array


@dataclass
class Invariants:
    """Watches one simulated run.

    Args:
        schedule: What is run.
    """

    schedule: Schedule
    versions: dict[int, _Version] = field(default_factory=dict)
    told: int = -1
    _read: int = 0
    _trained: dict[Driven, dict[int, AssignmentId]] = field(default_factory=dict)
    _dropped: dict[Driven, dict[int, AssignmentId]] = field(default_factory=dict)
    _settled: set[tuple[int, str]] = field(default_factory=set)
    _skipped_early: set[tuple[int, str]] = field(default_factory=set)
    _read_version: int = -1
    _metrics: set[tuple[str, int, str]] = field(default_factory=set)
    _done: dict[tuple[str, int], int] = field(default_factory=dict)
    _without_state: set[str] = field(default_factory=set)
    _assignments: set[tuple[int, int]] = field(default_factory=set)
    _bases: dict[tuple[int, int], int] = field(default_factory=dict)
    _roster: Roster | None = None
    _benched: set[str] = field(default_factory=set)
    _accepted: dict[int, set[str]] = field(default_factory=dict)

    # ---- what a simulation tells ----------------------------------------------------------------

    def starts(self, node: Driven) -> None:
        """A coordinator that comes back has all that anybody was told of, and the same bytes."""
        if isinstance(node, SimulatedCoordinator):
            self._accepted.clear()  # what was in memory is offered again
            self._roster = node.world.roster
            self._reread(node.directory.disk, node.directory)
        else:
            self._trained[node] = {}

    def takes(self, node: Driven, event: Input) -> None:
        """A worker that has trained began with the state after its last work that counts.

        A coordinator knows other keys from here on.
        """
        if isinstance(event, RosterChanged):
            self._roster = event.roster
        elif isinstance(event, WorkRaised):
            self._forget(node, event.assignment)
        elif isinstance(event, WorkDone) and "done" in event.metrics and self.schedule.stateful:
            for version, assignment in self._trained[node].items():
                if assignment == event.assignment:
                    self._check_state(node, version, int(str(event.metrics["done"])))

    def does(self, node: Driven, effect: Effect) -> None:
        """Nobody trains from what is not committed, or twice from one version."""
        match effect:
            case StartWork(work) if work.kind == "train":
                self._begun(work.assignment, work.version)
                self._check_base(node, work)
                self._check_new(node, work)
            case DropState(assignment) | StopWork(assignment):
                self._forget(node, assignment)
            case TellFact(UpdateRefused() as fact) if self._no_drop(node, fact):
                self._trained[node].update(self._dropped.pop(node, {}))
            case RenameState(old, new):
                renamed = {version: new for version, each in self._trained[node].items() if each == old}
                self._trained[node].update(renamed)
                if old in self._bases:  # else it was the first model
                    self._begun(new, self._bases[old])
            case FoldUpdate(fold):
                self._check_key(fold.node)
            case TellFact(UpdateAccepted() as fact):
                self._accept(fact)
            case TellFact(RoundCommitted() as fact):
                self.told = max(self.told, fact.version)
                self._check_accepted(fact)
            case TellFact(StateNoted() as fact):
                self._without_state.add(fact.node)
            case TellFact(RoundRetried() as fact):
                self._accepted.pop(fact.round, None)
                for trained in (*self._trained.values(), *self._dropped.values()):
                    trained.pop(fact.round - 1, None)
            case TellFact(TaskFailed() as fact) if not any(
                known in fact.error for known in NO_FAULT_OF_TASKS
            ):
                raise BrokenPromise(f"the task of {fact.node} failed: {fact.error}\n{fact.traceback}")

    def has_done(self, node: Driven, job: Job | SpillJob, result: JobResult | SpillResult | None) -> None:
        """A version that is committed is the mean of what the journal says."""
        if isinstance(node, SimulatedCoordinator) and isinstance(result, FirstModelReady | VersionReady):
            self._read_on(node.directory.disk, node.directory)
            version = result.version if isinstance(result, VersionReady) else 0
            if version not in self.versions:
                raise BrokenPromise(f"version {version} is ready, but not in the journal")

    def _accept(self, fact: UpdateAccepted) -> None:
        accepted = self._accepted.setdefault(fact.round, set())
        if fact.node in accepted:
            raise BrokenPromise(f"two updates of {fact.node} were accepted for round {fact.round}")
        accepted.add(fact.node)

    def _check_accepted(self, fact: RoundCommitted) -> None:
        """A version holds all that was accepted for it since its round was opened, and nothing else."""
        accepted, counted = self._accepted.pop(fact.round, set()), self.versions[fact.version].workers
        if set(counted) != accepted:
            raise BrokenPromise(
                f"version {fact.version} is of {', '.join(counted)}; "
                f"for round {fact.round} updates were accepted of {', '.join(sorted(accepted))}"
            )

    def _check_key(self, node: str) -> None:
        known = self._roster.find(node) if self._roster is not None else None
        if self._roster is not None and (not isinstance(known, Enrolled) or known.objection):
            raise BrokenPromise(f"an update of {node} is counted though its key was revoked before")

    def has_taken(self, node: Driven) -> None:
        """What waits in memory is bounded, and what is under way in the network."""
        _bounded("messages under way", node.world.network.under_way, 120 * (1 + len(self.schedule.nodes)))
        if isinstance(node, SimulatedMember):
            owed = MAX_OWED_ROUNDS * (len(self.schedule.examples) + 1)
            orders, updates = node.member.backlog
            _bounded(f"orders that wait at {node.name}", orders, owed + 2)
            _bounded(f"updates held by {node.name}", updates, 2)
        elif isinstance(node, SimulatedCoordinator):
            staged, offered = node.coordinator.backlog
            _bounded("updates in a slot", staged, self.schedule.config.run.upload_slots)
            _bounded("updates that wait for a slot", offered, len(self.schedule.examples))
            _bounded("jobs that wait", node.jobs, 400)

    def ended(self, disk: Disk, files: RunFiles) -> None:
        """A run that is over has measured all its rounds, and settled every evaluation."""
        self._reread(disk, files)
        lines = disk.read(files.metrics_path).splitlines()
        measured = [_key(orjson.loads(line)) for line in lines]
        if sorted(measured) != sorted(self._metrics):
            differing = sorted(self._metrics ^ set(measured)) or "a line is there twice"
            raise BrokenPromise(f"metrics.jsonl is not what the journal says: {differing}")
        config = self.schedule.config
        asked = [(config.evaluate.by_evaluator, FEDERATED), (config.evaluate.by_workers, WORKERS)]
        for version in range(1, max(self.versions, default=0) + 1):
            if not config.evaluate.wanted(version, config.run.rounds):
                continue
            for subject in [subject for wanted, subject in asked if wanted]:
                if (version, subject) not in self._settled:
                    raise BrokenPromise(f"the evaluation ({subject}) of round {version} was forgotten")

    # ---- versions -------------------------------------------------------------------------------

    def _reread(self, disk: Disk, files: RunFiles) -> None:
        self._read, self._read_version = 0, -1
        self._settled.clear()
        self._skipped_early.clear()
        self._metrics.clear()
        self._assignments.clear()
        self._benched.clear()
        self._read_on(disk, files)
        newest = max(self.versions, default=-1)
        if self.told > newest:
            raise BrokenPromise(f"version {self.told} was told of; after a start the newest is {newest}")

    def _read_on(self, disk: Disk, files: RunFiles) -> None:
        """Take in what the journal says now and has not said before."""
        text = disk.read(files.journal_path)[self._read :]
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            record = orjson.loads(line)
            if metrics := record.get("metrics"):
                self._metrics.add(_key(metrics))
            match record["event"]:
                case "committed":
                    self._committed(record, self._bytes_of(disk, files, record["version"]))
                case "evaluated":
                    self._evaluation(record["round"], record["subject"])
                case "benched":
                    self._benched.add(record["node"])
                case "skipped":
                    self._skipped(record["round"], record["subject"])

    def _committed(self, record: Mapping[str, Any], found: bytes | None) -> None:
        version, workers = record["version"], tuple(record.get("workers", ()))
        self._read_version = version
        assignments = [(each[0], each[1]) for each in record.get("assignments", ())]
        self._count(version, workers, assignments)
        self._check_workers(version, workers, assignments)
        known = self.versions.get(version)
        if known is not None:
            if found is not None and found != known.bytes:
                raise BrokenPromise(f"version {version} has other bytes than when it was committed")
            if known.workers != workers and version <= self.told:
                raise BrokenPromise(f"version {version} was made of {known.workers}, now of {workers}")
            return
        if version and version - 1 not in self.versions:
            raise BrokenPromise(f"version {version} was committed, but never {version - 1}")
        if found is None:
            raise BrokenPromise(f"version {version} was committed, and its model cannot be read")
        behind = {
            worker: version - 1 - self._bases[each] for worker, each in zip(workers, assignments, strict=True)
        }
        self.versions[version] = self._checked(version, behind, found)

    def _begun(self, assignment: AssignmentId, base: int) -> None:
        """An assignment is work from one version, for ever."""
        before = self._bases.setdefault(assignment, base)
        if before != base:
            raise BrokenPromise(f"assignment {assignment} is work from version {base}, and was from {before}")

    def _bytes_of(self, disk: Disk, files: RunFiles, version: int) -> bytes | None:
        """The moving bytes of a version; None if it is not kept any more."""
        path = files.model_path(version)
        if not disk.exists(path):
            return None
        try:
            return map_model(path, moving_only=True, disk=disk).data.tobytes()
        except CheckpointError as error:
            raise BrokenPromise(f"version {version} cannot be read any more: {error}") from error

    def _count(self, version: int, workers: tuple[str, ...], assignments: Sequence[AssignmentId]) -> None:
        if len(set(workers)) != len(workers):
            raise BrokenPromise(f"version {version} counts a worker twice: {', '.join(workers)}")
        for assignment in assignments:
            if assignment in self._assignments:
                raise BrokenPromise(f"assignment {assignment} counts twice, in version {version}")
            self._assignments.add(assignment)

    def _check_workers(
        self, version: int, workers: tuple[str, ...], assignments: Sequence[AssignmentId]
    ) -> None:
        spoilt = self.schedule.spoilt
        for worker, assignment in zip(workers, assignments, strict=True):
            round = self._bases[assignment] + 1  # in which it was asked for
            if spoilt is not None and worker == spoilt.worker and round in spoilt.rounds:
                raise BrokenPromise(f"version {version} holds an update of {worker} that is no good")
        if benched := self._benched.intersection(workers):
            raise BrokenPromise(f"version {version} holds an update of {', '.join(benched)}, benched before")

    def _checked(self, version: int, behind: Mapping[str, int], found: bytes) -> _Version:
        """The version, if it is what its workers' updates, each so far behind, make of the one before."""
        workers = tuple(behind)
        model = np.frombuffer(found, np.float32, SIZE).astype(np.float64)
        before = self.versions.get(version - 1)
        if before is None:
            return _Version(found, workers, model, np.zeros(SIZE))
        run, rules = self.schedule.config.run, self.schedule.config.schedule
        mean, total = np.zeros(SIZE), 0.0
        deltas = []
        for worker, versions in behind.items():
            self._check_staleness(version, worker, versions)
            weight = 1 if run.weighting == "equal" else self.schedule.examples[worker]
            base = version - 1 - versions
            seed = work_seed(run.seed, worker, base)
            delta = delta_of(seed, self._works_before(worker, base + 1)).astype(np.float64)
            mean += weight * discount(rules.staleness, versions) * delta
            total += weight
            deltas.append(delta)
        momentum = run.server_momentum if run.strategy == "fedavgm" else 0.0
        rule = "median" if run.strategy == "median" else "mean"
        combined = np.median(deltas, axis=0) if rule == "median" else mean / total
        velocity = momentum * before.velocity + combined
        expected = before.model + velocity
        if run.compress == run.compress_model == "none" and not np.allclose(
            model, expected, rtol=0, atol=TOLERANCE
        ):
            raise BrokenPromise(
                f"version {version} is not the {rule} of the updates of {', '.join(workers)}: it is off by "
                f"{np.abs(model - expected).max():.3g}"
            )
        return _Version(found, workers, model, velocity)

    def _check_staleness(self, version: int, worker: str, versions: int) -> None:
        rules = self.schedule.config.schedule
        carries = rules.kind in ("buffered", "async") or rules.late == "carry"
        most = (rules.max_staleness or math.inf) if carries else 0
        if not 0 <= versions <= most:
            raise BrokenPromise(
                f"version {version} holds an update of {worker} that is {versions} versions behind; "
                f"allowed are {most}"
            )

    def _works_before(self, worker: str, version: int) -> int:
        """How many works of a worker are part of versions before this one, as far as its task may know.

        A worker that has said that its machine did not keep what it should is believed.
        """
        if not self.schedule.stateful:
            return 0
        if worker in self._without_state and (worker, version - 1) in self._done:
            return self._done[worker, version - 1]
        return sum(worker in self.versions[each].workers for each in range(1, version))

    def _skipped(self, round: int, subject: str) -> None:
        """What cannot be evaluated is said before its version is committed, and that may never happen."""
        self._settled.add((round, subject))
        if round > self._read_version:
            self._skipped_early.add((round, subject))

    def _evaluation(self, round: int, subject: str) -> None:
        if (round, subject) in self._settled.difference(self._skipped_early):
            raise BrokenPromise(f"the model of {subject} of round {round} is journaled as evaluated twice")
        self._settled.add((round, subject))
        self._skipped_early.discard((round, subject))

    # ---- workers --------------------------------------------------------------------------------

    def _check_base(self, node: Driven, work: Work) -> None:
        version = self.versions.get(work.version)
        if version is None:
            raise BrokenPromise(f"{node.name} trains from version {work.version}, which is not committed")
        self.told = max(self.told, work.version)
        if work.parameters is not None and work.encoded is None:
            given = work.parameters.moving.data.tobytes()
            if given != version.bytes:
                raise BrokenPromise(f"{node.name} trains from bytes that are not version {work.version}")

    def _check_new(self, node: Driven, work: Work) -> None:
        """A version's round may be tried again, and an update dropped because nobody wants it any more."""
        trained = self._trained[node]
        if work.version in trained:
            raise BrokenPromise(
                f"{node.name} trains twice from version {work.version}: as {trained[work.version]} "
                f"and as {work.assignment}, and neither died nor was its work dropped"
            )
        trained[work.version] = work.assignment

    def _no_drop(self, node: Driven, refused: UpdateRefused) -> bool:
        """True if a worker is told that its update is stale, and nothing excuses that it trains again.

        Where messages are lost or overtake each other, an order may be heard later than an offer that it
        makes needless; after a power cut or with a full disk, the journal may lack the attempt that was open.
        """
        excused = any(fault.kind in ("weather", "power cut", "full disk") for fault in self.schedule.faults)
        return node.name == refused.node and refused.code == "stale" and not excused

    def _forget(self, node: Driven, assignment: AssignmentId) -> None:
        trained = self._trained[node]
        self._dropped[node] = {version: each for version, each in trained.items() if each == assignment}
        for version in self._dropped[node]:
            del trained[version]

    def _check_state(self, node: Driven, version: int, done: int) -> None:
        self._done[node.name, version] = done
        expected = self._works_before(node.name, version + 1)
        if done != expected:
            raise BrokenPromise(
                f"the state of {node.name}'s task, training from version {version}, is that after {done} "
                f"works that count; there are {expected}"
            )


def _key(record: Mapping[str, Any]) -> tuple[str, int, str]:
    return record["event"], record["round"], record.get("subject", "")


def _bounded(what: str, seen: int, most: int) -> None:
    if seen > most:
        raise BrokenPromise(f"{what}: {seen}, allowed are {most}")
