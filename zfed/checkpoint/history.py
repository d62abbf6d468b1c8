"""What a run's journal says of its past, after everything that was taken back.

A coordinator that finds its newest version damaged goes on from an older one, and says so in its `started`
line. What had come of the newer versions is void from then on: their `committed` lines, the rounds that were
open after the older version, the evaluations of the void rounds, the run's end. Who came and went still
counts, and whose updates were refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from zfed.errors import CheckpointError

Line: TypeAlias = Mapping[str, Any]
"""One record of a journal, as it was appended."""

_OF_ROUNDS: Final = frozenset({"opened", "enlisted", "accepted", "committed", "ended"})
_SETTLING: Final = frozenset({"evaluated", "skipped"})
_OF_EVALUATIONS: Final = _SETTLING | {"answered"}


class Evaluation(msgspec.Struct, frozen=True):
    """An evaluation that a commit promises.

    Attributes:
        subject: "federated" or a worker's name, or "workers" for the federated model as the workers find it.
        assignment: (incarnation, counter) of the order.
        model: The content digest of the worker's own model in `updates/`; empty for the federated one.
    """

    subject: str
    assignment: tuple[int, int]
    model: str = ""


class OwedEvaluation(NamedTuple):
    """An evaluation that was promised with a version, and not made yet; one for all workers together."""

    round: int
    version: int
    evaluation: Evaluation


class _Created(msgspec.Struct, tag_field="event", tag="created"):
    key: str
    config: str


class _Started(msgspec.Struct, tag_field="event", tag="started"):
    incarnation: int
    version: int


class _Committed(msgspec.Struct, tag_field="event", tag="committed"):
    version: int
    model: str
    state: str
    round: int = 0
    evaluations: tuple[Evaluation, ...] = ()
    metrics: dict[str, Any] = {}


class _Evaluated(msgspec.Struct, tag_field="event", tag="evaluated"):
    round: int
    subject: str
    metrics: dict[str, Any] = {}


class _Answered(msgspec.Struct, tag_field="event", tag="answered"):
    round: int


class _Skipped(msgspec.Struct, tag_field="event", tag="skipped"):
    round: int
    subject: str


class _Ended(msgspec.Struct, tag_field="event", tag="ended"):
    status: str
    version: int


_SHAPES: Final = {
    "created": _Created,
    "started": _Started,
    "committed": _Committed,
    "evaluated": _Evaluated,
    "answered": _Answered,
    "skipped": _Skipped,
    "ended": _Ended,
}
"""What the checkpoint layer itself relies on, of the lines that it reads."""


class History:
    """The lines that still count, and what follows from them.

    Args:
        records: All lines of a journal, oldest first.
        where: The journal, for messages.

    Attributes:
        lines: Those that count, oldest first.
        key: Tells this run from others of its name.
        config: The digest of run.toml.
        incarnation: The number of the last start, 0 if there was none.
        committed: By version, oldest first, the lines of versions that count.

    Raises:
        CheckpointError: If these are not the lines of a run.
    """

    def __init__(self, records: Sequence[Line], *, where: object) -> None:
        for record in records:
            _check(record, where)
        if not records or records[0]["event"] != "created":
            found = f"begins with {records[0]['event']!r}" if records else "is empty"
            raise CheckpointError(
                f"{where} {found}, expected 'created': it is not the journal of a run that can be resumed;"
                " begin a new one with --run DIR"
            )
        self.lines = tuple(_counting(records))
        self.key: str = records[0]["key"]
        self.config: str = records[0]["config"]
        starts = [record["incarnation"] for record in records if record["event"] == "started"]
        self.incarnation = max(starts, default=0)
        committed = (line for line in self.lines if line["event"] == "committed")
        self.committed = {line["version"]: line for line in sorted(committed, key=itemgetter("version"))}

    @property
    def ended(self) -> Line | None:
        """The line of the run's end, if nothing was started after it."""
        last = next((line for line in reversed(self.lines) if line["event"] in ("ended", "started")), None)
        return last if last is not None and last["event"] == "ended" else None

    @property
    def owed(self) -> tuple[OwedEvaluation, ...]:
        """The evaluations that are still to be made, oldest first."""
        owed: dict[tuple[int, str], OwedEvaluation] = {}
        for line in self.lines:
            if line["event"] == "committed":
                promised = msgspec.convert(line, _Committed)
                for evaluation in promised.evaluations:
                    key = (promised.round, evaluation.subject)
                    owed[key] = OwedEvaluation(promised.round, promised.version, evaluation)
            elif line["event"] in _SETTLING:
                owed.pop((line["round"], line["subject"]), None)
        return tuple(owed.values())


def _check(record: Line, where: object) -> None:
    try:
        event = msgspec.convert(record.get("event"), str)
        if event in _SHAPES:
            msgspec.convert(record, _SHAPES[event])
    except msgspec.ValidationError as error:
        raise CheckpointError(
            f"a line of {where}, event {record.get('event')!r}, is not as this version of zfed writes it:"
            f" {error}; go on with the version that wrote it, or begin a new run with --run DIR"
        ) from error


def _counting(records: Iterable[Line]) -> list[Line]:
    lines: list[Line] = []
    for record in records:
        if record["event"] == "started":
            lines = without_newer(lines, record["version"])
        lines.append(record)
    return lines


def without_newer(lines: Iterable[Line], version: int) -> list[Line]:
    """The lines that still count if a coordinator goes on from `version`, -1 for none."""
    lines = list(lines)
    committed = [(index, line) for index, line in enumerate(lines) if line["event"] == "committed"]
    void = [line for _, line in committed if line["version"] > version]
    if not void:
        return lines  # a round that is open is opened again
    rounds = {line.get("round", 0) for line in void}
    kept = max((index for index, line in committed if line["version"] <= version), default=-1)

    def counts(index: int, line: Line) -> bool:
        if line["event"] in _OF_EVALUATIONS:
            return line["round"] not in rounds
        return index <= kept or line["event"] not in _OF_ROUNDS

    return [line for index, line in enumerate(lines) if counts(index, line)]
