"""Schedules: a run and what goes wrong in it, all drawn from one number."""

from __future__ import annotations

import math
import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from zfed.config import CoordinatorConfig, EvaluateConfig, RunConfig
from zfed.simulation.coordinator import COORDINATOR
from zfed.simulation.rules import with_evaluation, with_rules, with_selection
from zfed.transport.memory import LinkFaults

EVALUATOR: Final = "examiner"

FaultKind: TypeAlias = Literal[
    "kill",
    "power cut",
    "freeze",
    "isolation",
    "weather",
    "full disk",
    "wall clock",
    "revocation",
    "not ready",
]
"""What can go wrong; docs/reliability.md says what each is."""

KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)
_ANYWHERE: Final = KINDS[:-2]  # a key can be revoked only where there are keys; both are drawn apart

SCARCE: Final = "432"
"""Bytes of memory that do for any of these runs, but for one update at a time; others wait on disk."""

DAY_S: Final = 86_400.0

TOO_LONG: Final = 20.0
"""In an update it is within the range of values of round 1, and more than the norm may be."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong, and ends.

    Attributes:
        kind: What.
        at: Virtual time in seconds at which it begins.
        lasting_s: After so long it is over; a node that died is started again.
        nodes: Whom it befalls.
        effects: A death comes before the so-manieth effect of its node from then on,
        disk_calls: or at the so-manieth point of its disk calls; if both are 0, at once.
        weather: What becomes of all links.
        room: Bytes that a full disk still takes.
        moved_s: By how much the clocks on all walls are moved.
    """

    kind: FaultKind
    at: float
    lasting_s: float
    nodes: tuple[str, ...] = ()
    effects: int = 0
    disk_calls: int = 0
    weather: LinkFaults | None = None
    room: int = 0
    moved_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """A worker that sends updates which must not count.

    Attributes:
        worker: Its name.
        rounds: Those of which its update is no good.
        value: What stands in it: no number, or one that is too large, or that makes it too long.
    """

    worker: str
    rounds: frozenset[int]
    value: float


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One run, and what goes wrong in it.

    Attributes:
        seed: Everything was drawn from it, and so is what happens.
        config: The run's configuration.
        examples: Of each worker, by name.
        evaluated: There is an evaluator.
        stateful: The task keeps something from round to round.
        work_s: Shortest and longest time that a task takes.
        job_s: Longest time that the coordinator takes for a job beside its pump.
        calm: The links while nothing is wrong with them.
        keyed: The coordinator asks for keys.
        faults: In the order of their beginnings.
        peace_at: Virtual time at which all of them are over.
        spoilt: Whose updates are no good, if somebody's are.
    """

    seed: int
    config: CoordinatorConfig
    examples: dict[str, int]
    evaluated: bool
    stateful: bool
    work_s: tuple[float, float]
    job_s: float
    calm: LinkFaults
    keyed: bool
    faults: tuple[Fault, ...]
    peace_at: float
    spoilt: Spoilt | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of all but the coordinator."""
        return (*self.examples, EVALUATOR) if self.evaluated else tuple(self.examples)

    @property
    def end_by(self) -> float:
        """Virtual time at which the run must have ended: it has had peace for as long as it needs.

        What was lost is noticed within a round's time, and every round then takes as long as its slowest
        worker, and some messages.
        """
        run, evaluate = self.config.run, self.config.evaluate
        every_round_s = self.work_s[1] + 20 * self.job_s + 5.0
        recovery_s = 2 * run.round_timeout_s + run.rejoin_grace_s + run.restart_grace_s + 60.0
        return self.peace_at + recovery_s + run.rounds * every_round_s + evaluate.timeout_s

    def without(self, needless: Collection[int]) -> Schedule:
        """The same, but that some of its faults, numbered from 0, do not happen."""
        left = [fault for number, fault in enumerate(self.faults) if number not in needless]
        return replace(self, faults=tuple(left))


def draw_schedule(seed: int) -> Schedule:
    """The schedule of a seed."""
    draw = random.Random(f"schedule:{seed}")
    workers = draw.choice((1, 2, 2, 3, 3, 4, 5))
    examples = {f"w{number}": draw.randint(1, 4) for number in range(1, workers + 1)}
    evaluated = draw.random() < 0.5
    nodes = (*examples, EVALUATOR) if evaluated else tuple(examples)
    slow = draw.choice((0.02, 0.2, 0.5, 3.0))
    run = _drawn_run(draw, workers, slow)
    run_s = 1.0 + run.rounds * slow
    faults = [_drawn_fault(draw, nodes, run_s) for _ in range(draw.randint(1, 10))]
    keys = random.Random(f"keys:{seed}")  # of its own: what was drawn before keys were there stays as it was
    keyed = keys.random() < 0.5
    if keyed:
        faults += [_drawn_for_one("revocation", keys, nodes, run_s) for _ in range(keys.choice((0, 0, 1, 2)))]
    readiness = random.Random(f"readiness:{seed}")
    faults += [
        _drawn_for_one("not ready", readiness, nodes, run_s) for _ in range(readiness.choice((0, 0, 1, 3)))
    ]
    config = CoordinatorConfig(run=run, evaluate=_drawn_evaluation(draw) if evaluated else _NO_EVALUATION)
    config = with_rules(config, random.Random(f"rules:{seed}"))
    config = with_selection(config, random.Random(f"selection:{seed}"))
    schedule = Schedule(
        seed=seed,
        config=with_evaluation(config, random.Random(f"evaluation:{seed}")),
        examples=examples,
        evaluated=evaluated,
        stateful=draw.random() < 0.5,
        work_s=(0.01, slow),
        job_s=draw.choice((0.0, 0.0, 0.001, 0.05)),
        calm=LinkFaults(delay_s=draw.choice(((0.0, 0.0), (0.001, 0.001), (0.0, 0.05)))),
        keyed=keyed,
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
        peace_at=max(fault.at + fault.lasting_s for fault in faults),
    )
    schedule = _with_bad_updates(schedule, random.Random(f"spoilt:{seed}"))
    return _with_median(schedule, random.Random(f"median:{seed}"))


_NO_EVALUATION: Final = EvaluateConfig(first=False, every=0, last=False)


def _drawn_run(draw: random.Random, workers: int, slow: float) -> RunConfig:
    return RunConfig(
        rounds=draw.randint(4, 40) if slow < 1.0 else draw.randint(2, 10),
        wait_for=str(draw.randint(1, workers)),
        wait_timeout_s=100_000.0,
        min_workers=draw.randint(1, workers),
        round_timeout_s=draw.choice((10.0, 30.0, 60.0)) + slow,
        round_retries=100_000,
        rejoin_grace_s=draw.choice((0.0, 3.0, 10.0)),
        restart_grace_s=draw.choice((0.0, 10.0, 60.0)),
        memory_budget=draw.choice(("", SCARCE)),
        seed=draw.getrandbits(31),
        weighting=draw.choice(("examples", "equal")),
        strategy=draw.choice(("fedavg", "fedavgm")),
        accumulator=draw.choice(("exact", "exact", "exact", "float32")),
        compress=draw.choice(("none", "none", "none", "none", "int8", "topk:0.5")),
        compress_model=draw.choice(("none", "none", "none", "none", "int8")),
        upload_slots=draw.choice((1, 2, 8)),
        keep_models=draw.choice((0, 1, 3)),
        max_norm=TOO_LONG / 2,
    )


def _drawn_evaluation(draw: random.Random) -> EvaluateConfig:
    return EvaluateConfig(
        first=draw.random() < 0.5,
        every=draw.choice((0, 1, 3)),
        last=draw.random() < 0.5,
        workers=draw.random() < 0.4,
        timeout_s=120.0,
    )


def _with_bad_updates(schedule: Schedule, draw: random.Random) -> Schedule:
    """Now and then the same with a worker whose updates are no good, where the others can end the run.

    All are there when it begins, and nobody is revoked: who has never come, or is turned away, is not waited
    for when too few are left.
    """
    run, workers = schedule.config.run, sorted(schedule.examples)
    revoked = any(fault.kind == "revocation" for fault in schedule.faults)
    needs_all = schedule.config.schedule.goal in (str(len(workers)), "100%")
    if draw.random() < 0.75 or revoked or run.min_workers >= len(workers) or needs_all:
        return schedule
    # What is compressed must be finite: its own node sees to that
    values = (math.nan, -1e38, TOO_LONG) if run.compress == "none" else (TOO_LONG,)
    rounds = draw.sample(range(1, run.rounds + 1), draw.randint(1, min(run.rounds, 8)))
    spoilt = Spoilt(worker=draw.choice(workers), rounds=frozenset(rounds), value=draw.choice(values))
    config = replace(schedule.config, run=replace(run, wait_for=str(len(workers))))
    return replace(schedule, config=config, spoilt=spoilt)


def _with_median(schedule: Schedule, draw: random.Random) -> Schedule:
    """Now and then the same with a rule that keeps every update, and memory for all of them."""
    run = schedule.config.run
    unfit = schedule.config.schedule.kind == "async" or run.compress.startswith("topk")
    if draw.random() < 0.75 or unfit:
        return schedule
    run = replace(run, strategy="median", memory_budget="")
    return replace(schedule, config=replace(schedule.config, run=run))


def _drawn_fault(draw: random.Random, nodes: tuple[str, ...], run_s: float) -> Fault:
    """Something that begins while the run would take place if nothing went wrong."""
    at = draw.uniform(0.0, run_s)
    lasting_s = draw.choice((0.0, 0.1, 1.0, 5.0, 15.0, 60.0)) * draw.uniform(0.5, 1.5)
    kind = draw.choice(("kill", "kill", "power cut", *_ANYWHERE))
    anybody = draw.choice((COORDINATOR, draw.choice(nodes)))
    fault = Fault(kind=kind, at=at, lasting_s=lasting_s, nodes=(anybody,))
    match kind:
        case "kill" | "power cut":
            match draw.choice(("now", "effects", "disk calls")):
                case "effects":
                    return replace(fault, effects=draw.randint(1, 60))
                case "disk calls":
                    return replace(fault, disk_calls=draw.randint(1, 120))
        case "isolation":
            return replace(fault, nodes=tuple(draw.sample(nodes, draw.randint(1, len(nodes)))))
        case "weather":
            return replace(fault, nodes=(), weather=_drawn_weather(draw))
        case "full disk":
            return replace(fault, room=draw.choice((0, draw.randint(0, 3000))))
        case "wall clock":
            return replace(fault, nodes=(), moved_s=draw.choice((-DAY_S, DAY_S)))
    return fault


def _drawn_for_one(kind: FaultKind, draw: random.Random, nodes: tuple[str, ...], run_s: float) -> Fault:
    lasting_s = draw.choice((0.1, 1.0, 5.0, 15.0)) * draw.uniform(0.5, 1.5)
    return Fault(kind=kind, at=draw.uniform(0.0, run_s), lasting_s=lasting_s, nodes=(draw.choice(nodes),))


def _drawn_weather(draw: random.Random) -> LinkFaults:
    return LinkFaults(
        delay_s=draw.choice(((0.001, 0.001), (0.0, 0.2), (0.01, 0.5))),
        loss=draw.choice((0.0, 0.02, 0.3)),
        duplication=draw.choice((0.0, 0.1, 0.5)),
        reordering=draw.choice((0.0, 0.1, 0.5)),
        cut=draw.choice((0.0, 0.0, 0.01, 0.1)),
    )
