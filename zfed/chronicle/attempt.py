"""What a journal says about a round that is under way, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zfed.telemetry.wording import duration, megabytes, metric_words, names


class Attempt:
    """One round from its first `opened` line on, over all attempts and restarts.

    Args:
        opened: That line.
    """

    def __init__(self, opened: Mapping[str, Any]) -> None:
        self.round: int = opened.get("round", 0)
        self.number: int = opened.get("attempt", 1)
        self._asked = dict.fromkeys(opened.get("cohort", ()))
        self._answered: dict[str, None] = {}
        self._refused: dict[str, None] = {}

    def asked_again(self, opened: Mapping[str, Any]) -> None:
        """Take another `opened` line of the same round."""
        self.number = opened.get("attempt", self.number)
        self._asked.update(dict.fromkeys(opened.get("cohort", ())))

    def accepted(self, node: str) -> None:
        """Note that an update counts."""
        self._answered[node] = None

    def refused(self, node: str, code: str) -> None:
        """Note that an update does not count."""
        self._refused[f"{node} ({code})"] = None

    def unfinished(self) -> str:
        """Who was asked and who answered, of an attempt that committed nothing."""
        attempt = f", attempt {self.number}" if self.number > 1 else ""
        asked, answered = names(list(self._asked)), names(list(self._answered))
        words = [f"round {self.round}{attempt}: asked {asked}", f"answered: {answered}"]
        return "; ".join([*words, *_refused_words(self._refused)])

    def committed(self, record: Mapping[str, Any]) -> str:
        """The round's sentence, from its `committed` line."""
        workers, version = record.get("workers", []), record.get("version", "?")
        words = [f"round {record.get('round', self.round)}: version {version} of {names(workers)}"]
        numbers = record.get("metrics", {})
        if "seconds" in numbers:
            train = metric_words(numbers.get("train", {}))
            traffic = [megabytes(numbers[key]) + word for key, word in _TRAFFIC if key in numbers]
            words.append(", ".join([duration(numbers["seconds"]), *traffic, *train]))
        missing = [name for name in self._asked if name not in workers]
        if missing:
            words.append(f"without {names(missing)}")
        return "; ".join([*words, *_refused_words(self._refused)])


_TRAFFIC = (("bytes_down", " down"), ("bytes_up", " up"))


def _refused_words(refused: Iterable[str]) -> list[str]:
    listed = list(refused)
    return [f"refused: {names(listed)}"] if listed else []
