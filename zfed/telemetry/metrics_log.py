"""The records of metrics.jsonl: what plots and dashboards read.

One line per committed round and one per evaluation; (event, round, subject) is the key. A task's own metrics
stand beside zfed's fields, which win if a task uses one of their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from zfed.facts import DoorCounts, Evaluated, Fact, RoundCommitted, WorkerRound, WorkersEvaluated
from zfed.metrics import Metric
from zfed.telemetry.sentences import WORKERS

_CLASSIFIER_METRICS = ("correct", "accuracy", "loss", "predicted")


def metrics_record(fact: Fact, door: DoorCounts | None = None) -> dict[str, Any] | None:
    """The record to log for a fact, JSON-ready and in the documented key order, or None if there is none.

    Args:
        fact: What happened.
        door: What was kept out until then; stands with a round, if there is anything.
    """
    if isinstance(fact, Evaluated):
        return _evaluated(fact, fact.subject)
    if isinstance(fact, WorkersEvaluated):
        extent = {"workers": len(fact.workers), "missing": fact.missing}
        spread = {"spread": msgspec.to_builtins(fact.spread)}
        return {**_evaluated(fact, WORKERS), **extent, **spread}
    if isinstance(fact, RoundCommitted):
        counts = msgspec.to_builtins(door) if door is not None else {}
        return {**_round(fact), **({"door": counts} if counts else {})}
    return None


def _evaluated(fact: Evaluated | WorkersEvaluated, subject: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "event": "evaluated",
        "round": fact.round,
        "subject": subject,
        "examples": fact.examples,
        **({"validation": True} if fact.validation else {}),
    }
    known = [name for name in _CLASSIFIER_METRICS if name in fact.metrics]
    for name in [*known, *fact.metrics]:
        record.setdefault(name, _plain(name, fact.metrics[name]))
    return record


def _round(fact: RoundCommitted) -> dict[str, Any]:
    return {
        "event": "round",
        "round": fact.round,
        "seconds": fact.seconds,
        "bytes_down": fact.bytes_down,
        "bytes_up": fact.bytes_up,
        "workers": list(fact.workers),
        "weights": list(fact.weights),
        "train": {name: _plain(name, value) for name, value in fact.train.items()},
        "refused": dict(fact.refused),
        "per_worker": {name: _worker(worker) for name, worker in fact.per_worker.items()},
    }


def _worker(worker: WorkerRound) -> dict[str, Any]:
    record: dict[str, Any] = {
        "examples": worker.examples,
        "steps": worker.steps,
        "seconds": worker.seconds,
        "norm": worker.norm,
        **({"limited": worker.limited} if worker.limited else {}),
    }
    if worker.staleness:
        record["staleness"] = worker.staleness
    for name, value in worker.metrics.items():
        record.setdefault(name, _plain(name, value))
    return record


def _plain(name: str, value: Metric) -> Metric:
    """The value with counts as integers, which they no longer are once a typed message carried them."""
    if isinstance(value, Mapping):
        return {label: _whole(bin_count) for label, bin_count in value.items()}
    return _whole(value) if name == "correct" else value


def _whole(value: float) -> float:
    return int(value) if float(value).is_integer() else value
