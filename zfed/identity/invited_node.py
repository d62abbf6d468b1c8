"""One line of the invitations file: whom a one-time key lets enrol itself, and what became of it.

alice KEY until=2026-12-01T00:00:00Z max-examples=5000 tag=gpu claimed=zfed-key-... used=2026-11-24T10:00:00Z
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from zfed.errors import UsageError
from zfed.identity.authorized_key import checked_max_examples
from zfed.identity.keys import PublicKey
from zfed.identity.line_options import parse_options, permission_words
from zfed.identity.names import checked_name
from zfed.identity.utc import parse_utc, utc_text
from zfed.tags import checked_tags
from zfed.wire.roster import Invited, KeyId

_OPTIONS: Final = ("until", "max-examples", "tag", "claimed", "used", "revoked")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, kw_only=True)
class InvitedNode:
    """An invitation as the coordinator keeps it; the secret is in the token alone.

    Attributes:
        name: The node that it is for.
        key: Its one-time key, the public half.
        until: Second from which it cannot be used any more.
        max_examples: As in `AuthorizedKey`, for the key that is enrolled.
        tags: Likewise.
        claimed: The key that uses it; None: nobody has come yet.
        used: When that key was enrolled; None: it is not, or the coordinator died before it could say so.
        revoked: When it was revoked; None: it was not.
    """

    name: str
    key: KeyId
    until: int
    max_examples: int = 0
    tags: tuple[str, ...] = ()
    claimed: PublicKey | None = None
    used: int | None = None
    revoked: int | None = None

    def state(self, now: float) -> str:
        """What it is good for, in a few words."""
        if self.claimed is not None:
            when = "not enrolled yet" if self.used is None else f"on {utc_text(self.used)}"
            return f"used by {self.claimed.fingerprint}, {when}"
        if self.revoked is not None:
            return f"revoked on {utc_text(self.revoked)}"
        return (
            f"expired on {utc_text(self.until)}"
            if now >= self.until
            else f"open until {utc_text(self.until)}"
        )

    def entry(self) -> Invited:
        """What a coordinator has to know to hear its key."""
        return Invited(node=self.name, key=self.key, max_examples=self.max_examples, tags=self.tags)

    def line(self) -> str:
        """The line of the file."""
        words = [
            self.name,
            self.key,
            f"until={utc_text(self.until)}",
            *permission_words(self.max_examples, self.tags),
        ]
        if self.claimed is not None:
            words.append(f"claimed={self.claimed.text}")
        if self.used is not None:
            words.append(f"used={utc_text(self.used)}")
        if self.revoked is not None:
            words.append(f"revoked={utc_text(self.revoked)}")
        return " ".join(words)

    @classmethod
    def parse(cls, line: str) -> InvitedNode:
        """Read what `line` gave.

        Raises:
            UsageError: If it is no such line.
        """
        name, *rest = line.split()
        name = checked_name(name)
        if not rest or not _KEY.fullmatch(rest[0]):
            raise UsageError(f"no one-time key after the name {name}; `zfed invite` writes this file")
        values, tags = parse_options(rest[1:], _OPTIONS)
        if "until" not in values:
            raise UsageError(f"the invitation of {name} has no until=")
        return cls(
            name=name,
            key=rest[0],
            until=parse_utc(values["until"]),
            max_examples=checked_max_examples(values["max-examples"]) if "max-examples" in values else 0,
            tags=checked_tags(tags),
            claimed=PublicKey.parse(values["claimed"]) if "claimed" in values else None,
            used=parse_utc(values["used"]) if "used" in values else None,
            revoked=parse_utc(values["revoked"]) if "revoked" in values else None,
        )
