"""What a worker is called, to select it by: tags as `gpu` and `site=a`, and the expression over them.

A tag is a name, or a name with a value; a worker has each name once. An expression is a list of terms, of
which all must hold:

    gpu          has the tag, with whatever value
    site=a       has it with this value
    site=a|b     has it with one of these values
    !gpu         and so for the others: the opposite
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zfed.errors import ConfigError

_WORD: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

TAG_PATTERN: Final = rf"^{_WORD}(={_WORD})?\Z"
"""A tag; `\\Z` because a `$` would let a final newline pass."""

MOST_TAGS: Final = 32
"""Of one worker."""

_TERM = re.compile(rf"(?P<negated>!?)(?P<name>{_WORD})(=(?P<values>{_WORD}(\|{_WORD})*))?")
_TAG_WORDS: Final = "1 to 64 letters, digits, '.', '_' and '-', and perhaps = and a value of the same kind"


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The same tags in their order, each once.

    Raises:
        ConfigError: If one is none, a name has two values, or there are too many.
    """
    unique = tuple(dict.fromkeys(tags))
    by_name: dict[str, str] = {}
    for tag in unique:
        if not re.match(TAG_PATTERN, tag):
            raise ConfigError(f"tag {tag[:140]!r}: expected {_TAG_WORDS}, as gpu or site=a")
        other = by_name.setdefault(_name(tag), tag)
        if other != tag:
            raise ConfigError(f"tags {other!r} and {tag!r}: a node has one value of a name; give one of them")
    if len(unique) > MOST_TAGS:
        raise ConfigError(f"{len(unique)} tags, a node may have {MOST_TAGS}")
    return unique


def parse_tags(text: str) -> tuple[str, ...]:
    """Read "gpu,site=a"; empty text has no tags.

    Raises:
        ConfigError: As `checked_tags`.
    """
    return checked_tags(part.strip() for part in text.split(",") if part.strip())


def settled_tags(claimed: Iterable[str], given: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a worker is called, and which of its claims do not count.

    A tag that its coordinator's owner has given it wins over a claim of the same name; other claims count,
    as far as there is room for them.

    Args:
        claimed: What the worker says; of a name that is there twice, the first counts.
        given: What it was enrolled with; each name once.
    """
    by_name = {_name(tag): tag for tag in given}
    ignored = []
    for tag in claimed:
        name = _name(tag)
        if name not in by_name and len(by_name) < MOST_TAGS:
            by_name[name] = tag
        elif by_name.get(name) != tag:
            ignored.append(tag)
    return tuple(by_name.values()), tuple(ignored)


@dataclass(frozen=True)
class TagExpression:
    """Which workers are meant, by their tags; the one without terms means all."""

    text: str = ""
    _terms: tuple[_Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> TagExpression:
        """Read "gpu,site=a|b,!slow"; empty text means everybody.

        Raises:
            ConfigError: If it is no such expression; says where.
        """
        if not text.strip():
            return cls()
        terms, place = [], 0
        for part in text.split(","):
            term = part.strip()
            match = _TERM.fullmatch(term)
            if match is None:
                at = place + len(part) - len(part.lstrip()) + 1
                raise ConfigError(f"--select {text!r}, at character {at}: {_objection(term)}")
            values = frozenset((match["values"] or "").split("|")) - {""}
            terms.append(_Term(match["name"], values, negated=bool(match["negated"])))
            place += len(part) + 1
        return cls(text.strip(), tuple(terms))

    def __bool__(self) -> bool:
        return bool(self._terms)

    def matches(self, tags: Iterable[str]) -> bool:
        """True if a worker with these tags is meant."""
        values = {name: value for name, _, value in (tag.partition("=") for tag in tags)}
        return all(term.holds(values) for term in self._terms)


@dataclass(frozen=True)
class _Term:
    name: str
    values: frozenset[str]
    negated: bool

    def holds(self, tags: dict[str, str]) -> bool:
        has = self.name in tags and (not self.values or tags[self.name] in self.values)
        return has != self.negated


def _name(tag: str) -> str:
    return tag.partition("=")[0]


def _objection(term: str) -> str:
    if not term:
        return "nothing between two commas; expected a term as gpu, site=a, site=a|b or !gpu"
    if "|" in term and "=" not in term:
        return f"{term!r}: | stands between values of one name, as site=a|b"
    return f"{term!r} is no term; expected one as gpu, site=a, site=a|b or !gpu, with a comma between two"
