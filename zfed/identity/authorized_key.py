"""One line of the authorized-nodes file: a node's name, a key of it, and what this key may do.

alice zfed-key-... max-examples=5000 tag=gpu tag=site=a until=2026-12-01T00:00:00Z
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from zfed.errors import UsageError
from zfed.identity.keys import PublicKey
from zfed.identity.line_options import parse_options, permission_words
from zfed.identity.names import checked_name
from zfed.identity.utc import parse_utc, utc_text
from zfed.tags import checked_tags

_OPTIONS: Final = ("max-examples", "tag", "until", "revoked")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, kw_only=True)
class AuthorizedKey:
    """A key that is, or was, a node's.

    Attributes:
        name: The node's.
        key: The key.
        max_examples: Most examples it may declare; 0: as many as it likes.
        tags: What its coordinator's owner calls it, in order, each once.
        until: Second from which the key is not valid any more; None: it has no end.
        revoked: When it was revoked; None: it was not.
    """

    name: str
    key: PublicKey
    max_examples: int = 0
    tags: tuple[str, ...] = ()
    until: int | None = None
    revoked: int | None = None

    def valid(self, now: float) -> bool:
        """True if the node may use it now, in seconds since 1970."""
        return self.revoked is None and (self.until is None or now < self.until)

    def line(self) -> str:
        """The line of the file."""
        words = [self.name, self.key.text, *permission_words(self.max_examples, self.tags)]
        if self.until is not None:
            words.append(f"until={utc_text(self.until)}")
        if self.revoked is not None:
            words.append(f"revoked={utc_text(self.revoked)}")
        return " ".join(words)

    @classmethod
    def parse(cls, line: str) -> AuthorizedKey:
        """Read what `line` gave, or what a person wrote.

        Raises:
            UsageError: If it is no such line.
        """
        name, *rest = line.split()
        name = checked_name(name)
        if not rest:
            raise UsageError(f"no key after the name {name}; expected NAME zfed-key-... [OPTION=VALUE ...]")
        values, tags = parse_options(rest[1:], _OPTIONS)
        return cls(
            name=name,
            key=PublicKey.parse(rest[0]),
            max_examples=checked_max_examples(values["max-examples"]) if "max-examples" in values else 0,
            tags=checked_tags(tags),
            until=parse_utc(values["until"]) if "until" in values else None,
            revoked=parse_utc(values["revoked"]) if "revoked" in values else None,
        )


def checked_max_examples(text: str) -> int:
    """The number of examples that a text stands for.

    Raises:
        UsageError: If it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"max-examples is {text[:40]!r}, expected a whole number, at least 1")
    return int(text)
