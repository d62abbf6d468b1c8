"""Lines of a journal that say the same of one node after another, folded into a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from zfed.facts import Evaluated, EvaluationSkipped
from zfed.telemetry.sentences import FEDERATED, WORKERS, describe
from zfed.telemetry.wording import MAX_NAMES, count, names, number, percent, plural

Record: TypeAlias = Mapping[str, Any]

_NO_METRICS: Final = (
    *("event", "round", "subject", "examples", "validation"),
    *("workers", "missing", "spread"),
)


def likeness(record: Record) -> tuple[object, ...] | None:
    """What records must have in common to be told together; None if this one stands for itself."""
    event, kind = record["event"], record.get("kind")
    if event == "joined":
        return event, kind, record.get("rejoined")
    if event == "left":
        return event, kind, record.get("left"), record.get("reason")
    if event == "evaluated":
        together = record.get("subject") not in (FEDERATED, WORKERS)  # workers' own models
        return event, record.get("round"), together or record.get("subject")
    if event == "skipped":
        return event, record.get("round"), record.get("reason")
    return None


def together(records: Sequence[Record]) -> list[str]:
    """The sentences about records of one likeness, at least one."""
    match records[0]["event"]:
        case "joined":
            return [_joined(records)]
        case "left":
            return [_left(records)]
        case "evaluated":
            return _evaluated(records)
    return _skipped(records)


def _joined(records: Sequence[Record]) -> str:
    back = records[0].get("rejoined", False)
    examples = plural(sum(record.get("examples", 0) for record in records), "example")
    if len(records) == 1:
        return f"{_who(records[0])} {'is back' if back else 'joined'} ({examples})"
    return f"{_many(records)} {'are back' if back else 'joined'} ({examples}): {_names(records)}"


def _left(records: Sequence[Record]) -> str:
    left = records[0].get("left", False)
    reason = f": {records[0]['reason']}" if records[0].get("reason") else ""
    if len(records) == 1:
        return f"{_who(records[0])} {'left' if left else 'was lost'}{reason}"
    return f"{_many(records)} {'left' if left else 'were lost'} ({_names(records)}){reason}"


def _evaluated(records: Sequence[Record]) -> list[str]:
    if len(records) <= MAX_NAMES:
        return [line for record in records for line in describe(_evaluation(record))]
    sentence = f"round {records[0].get('round', '?')}: {count(len(records))} workers' own models evaluated"
    for metric, write in (("accuracy", percent), ("loss", number)):
        values = [record["metrics"][metric] for record in records if metric in record.get("metrics", {})]
        if values:
            return [f"{sentence}: {metric} {write(min(values))} to {write(max(values))}"]
    return [sentence]


def _skipped(records: Sequence[Record]) -> list[str]:
    round, reason = records[0].get("round", 0), records[0].get("reason", "")
    if len(records) > MAX_NAMES:
        return [f"round {round}: {plural(len(records), 'model')} not evaluated: {reason}"]
    facts = [
        EvaluationSkipped(round=round, subject=record.get("subject", "?"), reason=reason)
        for record in records
    ]
    return [line for fact in facts for line in describe(fact)]


def _evaluation(record: Record) -> Evaluated:
    """The fact that the line was written for."""
    metrics = record.get("metrics", {})
    return Evaluated(
        round=record.get("round", 0),
        subject=record.get("subject", "?"),
        evaluator=record.get("node", ""),
        examples=metrics.get("examples", 0),
        validation=metrics.get("validation", False),
        metrics={name: value for name, value in metrics.items() if name not in _NO_METRICS},
    )


def _who(record: Record) -> str:
    kind, node = record.get("kind", "node"), record.get("node", "?")
    return str(node) if kind == node else f"{kind} {node}"


def _many(records: Sequence[Record]) -> str:
    return plural(len(records), records[0].get("kind", "node"))


def _names(records: Sequence[Record]) -> str:
    return names([record.get("node", "?") for record in records])
