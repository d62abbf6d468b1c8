"""The options at the end of a line of a keys folder's files: NAME=VALUE, words apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zfed.config import nearest_name
from zfed.errors import UsageError

REPEATED = "tag"
"""The one option that may be there more than once."""


def permission_words(max_examples: int, tags: Iterable[str]) -> list[str]:
    """The options of a line that say what its node may do."""
    words = [f"max-examples={max_examples}"] if max_examples else []
    return [*words, *(f"tag={tag}" for tag in tags)]


def parse_options(words: Iterable[str], known: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The values of options by their names, and all tags in order.

    Raises:
        UsageError: If a word is no option, or one that may be there once is there twice.
    """
    values: dict[str, str] = {}
    tags: list[str] = []
    for word in words:
        name, value = _option(word, known)
        if name == REPEATED:
            tags.append(value)
        elif name in values:
            raise UsageError(f"{name}= is there twice")
        else:
            values[name] = value
    return values, tags


def _option(word: str, known: Sequence[str]) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or name not in known:
        if word.startswith("#"):
            raise UsageError("a comment has a line of its own")
        near = nearest_name(name, known)
        hint = f'did you mean "{near}="?' if near else f"known are {', '.join(f'{each}=' for each in known)}"
        raise UsageError(f"{word[:80]!r} is no option; {hint}")
    return name, value
