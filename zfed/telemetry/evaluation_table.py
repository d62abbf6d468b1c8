"""The evaluations of one round as a table: a row for each model, federated last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from zfed.facts import Evaluated, WorkersEvaluated
from zfed.metrics import Metrics
from zfed.telemetry.columns import Column, draw
from zfed.telemetry.groups import LabelGroup, group_shares
from zfed.telemetry.sentences import FEDERATED
from zfed.telemetry.wording import count, number, plural, printable

_NEED_OTHERS = 10
"""A task's further metrics are the first to go on a narrow terminal."""


def evaluation_table(
    evaluated: Sequence[Evaluated], groups: Sequence[LabelGroup], *, width: int, title: str
) -> Table:
    """Shares of the groups, mean loss and accuracy; of a task without classes, whatever numbers there are."""
    names = Column(
        title=title,
        cells=[
            Text(printable(fact.subject), "bold" if fact.subject == FEDERATED else "") for fact in evaluated
        ],
        need=0,
    )
    columns = [*_group_columns(evaluated, groups), *_known_columns(evaluated), *_other_columns(evaluated)]
    return draw(names, columns, width)


def spread_rows(fact: WorkersEvaluated) -> list[Evaluated]:
    """Rows for an `evaluation_table`: of all workers together, the best, the median and the worst of them.

    A row has the name of a worker if it is the same one for all metrics.
    """

    def row(subject: str, metrics: Metrics) -> Evaluated:
        return Evaluated(
            round=fact.round,
            subject=subject,
            evaluator="",
            examples=fact.examples,
            metrics=metrics,
            validation=fact.validation,
        )

    def named(kind: str, workers: Collection[str]) -> str:
        return f"{kind}: {next(iter(workers))}" if len(workers) == 1 else kind

    spread = fact.spread
    numbers = {name: value for name, value in fact.metrics.items() if name != "predicted"}
    rows = [row(plural(len(fact.workers), "worker"), numbers)]
    if spread:
        best, worst = (
            {getattr(each, key) for each in spread.values()} for key in ("best_worker", "worst_worker")
        )
        rows += [
            row(named("best", best), {name: each.best for name, each in spread.items()}),
            row("median", {name: each.median for name, each in spread.items()}),
            row(named("worst", worst), {name: each.worst for name, each in spread.items()}),
        ]
    return rows


def _group_columns(evaluated: Sequence[Evaluated], groups: Sequence[LabelGroup]) -> list[Column]:
    predictions = [fact.metrics.get("predicted") for fact in evaluated]
    if not any(isinstance(predicted, Mapping) for predicted in predictions):
        return []
    # Turned, so that each group has one column; a model without predictions has empty cells.
    shares = [
        [f"{100 * share:.1f}" for share in group_shares(predicted, groups)]
        if isinstance(predicted, Mapping)
        else [""] * len(groups)
        for predicted in predictions
    ]
    return [
        Column(title=f"{printable(group.name)} %", cells=cells, need=3)
        for group, cells in zip(groups, zip(*shares, strict=True), strict=True)
    ]


def _known_columns(evaluated: Sequence[Evaluated]) -> list[Column]:
    return [
        *_column(evaluated, "loss", "loss", lambda _, loss: f"{loss:.4f}", need=2),
        *_column(
            evaluated,
            "correct",
            "correct",
            lambda fact, correct: f"{count(correct)}/{count(fact.examples)}",
            need=4,
        ),
        *_column(evaluated, "accuracy", "acc. %", lambda _, share: f"{100 * share:.2f}", need=1),
    ]


def _other_columns(evaluated: Sequence[Evaluated]) -> list[Column]:
    known = {"loss", "correct", "accuracy"}
    others = dict.fromkeys(name for fact in evaluated for name in fact.metrics if name not in known)
    return [
        column
        for place, name in enumerate(others)
        for column in _column(
            evaluated, name, printable(name), lambda _, value: number(value), need=_NEED_OTHERS + place
        )
    ]


def _column(
    evaluated: Sequence[Evaluated],
    metric: str,
    title: str,
    write: Callable[[Evaluated, float], str],
    *,
    need: int,
) -> list[Column]:
    """A column of one metric, or none if no model has it as a number."""
    values = [fact.metrics.get(metric) for fact in evaluated]
    if not any(isinstance(value, (int, float)) for value in values):
        return []
    cells = [
        write(fact, value) if isinstance(value, (int, float)) else ""
        for fact, value in zip(evaluated, values, strict=True)
    ]
    return [Column(title=title, cells=cells, need=need)]
