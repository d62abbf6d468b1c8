"""Tasks that race several times, and load their data once."""

from __future__ import annotations

from zfed.task import DataSummary, Setup, Task


def prepared_once(task: Task) -> Task:
    """The same task, whose `prepare` does its work the first time only.

    A worker has the same data under every schedule; to check and deal them again for each would take longer
    than to train.
    """
    prepare, summaries = task.prepare, list[DataSummary]()

    def first_time(setup: Setup) -> DataSummary:
        if not summaries:
            summaries.append(prepare(setup))
        return summaries[0]

    # On the object, for a user's class may have more to it than Task says
    setattr(task, "prepare", first_time)  # noqa: B010  # mypy knows it as a method
    return task
