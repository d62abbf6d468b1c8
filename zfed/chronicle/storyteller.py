"""Turns the lines of a journal into sentences, what belongs together into one.

Pure, and patient with journals of other versions: what a line does not say is left out, and an event that
nobody knows is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from zfed.chronicle.alike import Record, likeness, together
from zfed.chronicle.attempt import Attempt
from zfed.chronicle.times import moment, shown
from zfed.telemetry.wording import duration, names, plural, printable

_WITHIN_A_ROUND: Final = ("accepted", "refused", "answered")
"""Events that have no sentence of their own, so they part nothing that is told together."""

_ENDS_AN_ATTEMPT: Final = ("started", "ended")


@dataclass(frozen=True)
class Sentence:
    """A sentence, and when the last of what it tells happened, as the journal has it ("" if it does not)."""

    at: str
    text: str

    @property
    def time(self) -> str:
        """The same in local time."""
        return shown(moment(self.at))


class Storyteller:
    """Takes a run's records one by one, oldest first."""

    def __init__(self) -> None:
        self._starts = 0
        self._versions: list[int] = []
        self._attempt: Attempt | None = None
        self._alike: list[Record] = []
        self._last_at = ""

    def take(self, record: Record) -> Iterator[Sentence]:
        """Yield the sentences that can be told now that this has happened."""
        if "event" not in record:
            return
        common = likeness(record)
        if self._alike and common != likeness(self._alike[0]) and record["event"] not in _WITHIN_A_ROUND:
            yield from self._tell_alike()
        if common is not None:
            self._alike.append(record)
        if record["event"] in _ENDS_AN_ATTEMPT:
            yield from self._tell_attempt()
        for text in self._texts(record):
            yield _sentence(record.get("at", ""), text)
        self._last_at = record.get("at", self._last_at)

    def end(self) -> Iterator[Sentence]:
        """Yield what is left to tell when there are no more records."""
        yield from self._tell_alike()
        yield from self._tell_attempt()

    def _tell_alike(self) -> Iterator[Sentence]:
        alike, self._alike = self._alike, []
        if alike:
            for text in together(alike):
                yield _sentence(alike[-1].get("at", ""), text)

    def _texts(self, record: Record) -> Iterator[str]:
        match record["event"]:
            case "created":
                yield "the run was created"
            case "started":
                yield from self._started(record)
            case "opened":
                yield from self._opened(record)
            case "accepted" if self._attempt is not None:
                self._attempt.accepted(record.get("node", "?"))
            case "enrolled":
                who, key = record.get("node", "?"), record.get("fingerprint", "?")
                yield f"{who} enrolled itself with its invitation, key {key}"
            case "refused":
                yield from self._refused(record)
            case "benched":
                count = plural(record.get("strikes", 0), "refused update")
                yield f"{record.get('node', '?')} was benched after {count}"
            case "committed":
                yield self._committed(record)
            case "ended":
                self._attempt = None
                reason = f": {record['reason']}" if record.get("reason") else ""
                yield f"the run ended, {record.get('status', 'nobody knows how')}{reason}"

    def _started(self, record: Record) -> Iterator[str]:
        self._starts += 1
        rounds = record.get("rounds")
        if self._starts == 1:
            yield "the coordinator started" + (f", for {plural(rounds, 'round')}" if rounds else "")
            return
        version = record.get("version", -1)
        until = f", to round {rounds}" if rounds else ""
        base = f"goes on from version {version}" if version >= 0 else "begins with the first model"
        yield f"the coordinator started again (start {self._starts}){self._pause(record)} and {base}{until}"
        void = [each for each in self._versions if each > version]
        if void:
            self._versions = [each for each in self._versions if each <= version]
            yield f"{names([f'version {each}' for each in void])}: committed before, and damaged since"

    def _pause(self, record: Record) -> str:
        """How long nothing was written; nothing if the journal does not tell, or a clock was set back."""
        before, now = moment(self._last_at), moment(record.get("at", ""))
        if before is None or now is None or now < before:
            return ""
        return f", {duration((now - before).total_seconds(), digits=0)} after the last line before,"

    def _opened(self, record: Record) -> Iterator[str]:
        attempt = self._attempt
        if attempt is None or attempt.round != record.get("round"):
            self._attempt = Attempt(record)
            return
        if attempt.number != record.get("attempt"):
            yield f"{attempt.unfinished()}; tried again"
        attempt.asked_again(record)

    def _refused(self, record: Record) -> Iterator[str]:
        node, code = record.get("node", "?"), record.get("code", "?")
        if self._attempt is not None:
            self._attempt.refused(node, code)
        else:
            yield f"an update from {node} was refused ({code})"

    def _committed(self, record: Record) -> str:
        version = record.get("version", 0)
        self._versions.append(version)
        if "workers" not in record:
            source = f" from {record['source']}" if record.get("source") else ""
            return f"first model{source}: version {version}"
        attempt, self._attempt = self._attempt, None
        return (attempt or Attempt({})).committed(record)

    def _tell_attempt(self) -> Iterator[Sentence]:
        """The round that is under way; it may go on after another start."""
        if self._attempt is not None:
            yield _sentence(self._last_at, self._attempt.unfinished())


def _sentence(at: str, text: str) -> Sentence:
    """Names and reasons come from other machines: none of them may move a cursor."""
    return Sentence(at, printable(text))
