"""What the authorized-nodes file says, and how an enrolment or a revocation changes it. Pure.

Rules:

1. A line that is not touched stays as a person wrote it, comments too.
2. A key belongs to one name, and all keys of a name that are not revoked have one signing key: one node.
3. A key that was revoked, or whose signing key was, never comes back by `enroll`.
4. At most two keys of a name are valid: the newest, and until its overlap ends the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from zfed.errors import ConfigError, UsageError
from zfed.identity.authorized_key import AuthorizedKey
from zfed.identity.keys import PublicKey
from zfed.identity.names import checked_name
from zfed.identity.utc import LAST, utc_text
from zfed.wire.roster import Enrolled, KeyId, Roster


@dataclass(frozen=True)
class AuthorizedTable:
    """All lines, in order: a key, or the text of a line that is none."""

    lines: tuple[AuthorizedKey | str, ...] = ()

    @property
    def keys(self) -> list[AuthorizedKey]:
        """The lines that are keys; of one name, the newest is the last."""
        return [line for line in self.lines if isinstance(line, AuthorizedKey)]

    def of(self, name: str) -> list[AuthorizedKey]:
        """The keys of one node."""
        return [each for each in self.keys if each.name == name]

    def render(self) -> str:
        """The file's text."""
        return "".join(f"{line.line() if isinstance(line, AuthorizedKey) else line}\n" for line in self.lines)

    @classmethod
    def parse(cls, text: str, where: str) -> AuthorizedTable:
        """Read the file's text.

        Raises:
            ConfigError: If a line is none, or they contradict each other; says where.
        """
        lines: list[AuthorizedKey | str] = []
        claims, known = _Claims(), set[KeyId]()
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                lines.append(line)
                continue
            try:
                entry = AuthorizedKey.parse(line)
                claims.add(entry)
                if entry.key.key_id in known:
                    raise UsageError(f"this key of {entry.name} is there twice: delete one of the lines")
            except UsageError as error:
                raise ConfigError(f"{where}, line {number}: {error}") from None
            known.add(entry.key.key_id)
            lines.append(entry)
        if lines and lines[-1] == "":
            lines.pop()  # what follows the last newline is no line
        return cls(tuple(lines))

    def enrolled(
        self,
        name: str,
        key: PublicKey,
        *,
        now: int,
        overlap_s: int,
        max_examples: int | None = None,
        tags: tuple[str, ...] | None = None,
    ) -> AuthorizedTable:
        """The table with a node's key: its first, one that follows another, or one that is there already.

        Args:
            name: The node's.
            key: Its key.
            now: Seconds since 1970.
            overlap_s: Seconds for which the key before stays valid.
            max_examples: As in `AuthorizedKey`; None: as it was.
            tags: As in `AuthorizedKey`; None: as they were.

        Raises:
            UsageError: If this key may not be this node's; nothing is changed.
        """
        _check_never_revoked(key, self.keys)
        before = [each for each in self.of(name) if each.revoked is None]
        newest = before[-1] if before else AuthorizedKey(name=checked_name(name), key=key)
        entry = AuthorizedKey(
            name=name,
            key=key,
            max_examples=newest.max_examples if max_examples is None else max_examples,
            tags=newest.tags if tags is None else tags,
        )
        _Claims(self.keys).add(entry)
        ends = _ends([each for each in before if each.valid(now) and each.key != key], now, overlap_s)
        lines = [
            replace(line, until=ends[line.key])
            if isinstance(line, AuthorizedKey) and line.key in ends
            else line
            for line in self.lines
        ]
        if newest.key == key and newest in lines:
            lines[lines.index(newest)] = entry  # below the comment that a person wrote above it
        else:
            lines = [line for line in lines if not (isinstance(line, AuthorizedKey) and line.key == key)]
            lines.append(entry)
        return AuthorizedTable(tuple(lines))

    def revoked(self, name: str, *, now: int) -> AuthorizedTable:
        """The table in which no key of a node is valid any more.

        Raises:
            UsageError: If it has none.
        """
        if not any(each.revoked is None for each in self.of(checked_name(name))):
            known = sorted({each.name for each in self.keys if each.revoked is None})
            raise UsageError(f"no key of {name} is enrolled; enrolled are: {', '.join(known) or 'none'}")
        return AuthorizedTable(
            tuple(
                replace(line, revoked=now)
                if isinstance(line, AuthorizedKey) and line.name == name and line.revoked is None
                else line
                for line in self.lines
            )
        )

    def entries(self, now: float) -> list[Enrolled]:
        """What a coordinator has to know, as of now."""
        return [
            Enrolled(
                node=each.name,
                key=each.key.key_id,
                max_examples=each.max_examples,
                tags=each.tags,
                objection=self._objection(each, now),
            )
            for each in self.keys
        ]

    def roster(self, now: float) -> Roster:
        """The same, to find keys in."""
        return Roster(self.entries(now))

    def next_end(self, now: float) -> float:
        """When the next key ends, or infinity."""
        ends = (each.until for each in self.keys if each.until is not None and each.valid(now))
        return min(ends, default=float("inf"))

    def _objection(self, entry: AuthorizedKey, now: float) -> str:
        if entry.valid(now):
            return ""
        whose = f"the key {entry.key.fingerprint} of {entry.name}"
        if entry.revoked is not None:
            return f"{whose} was revoked on {_day(entry.revoked)}"
        until = _day(entry.until or 0)
        if self.of(entry.name)[-1] is not entry:
            return (
                f"{whose} was replaced by a newer one with the same fingerprint; its overlap ended on "
                f"{until}: start {entry.name} with its newer key"
            )
        return f"{whose} was valid until {until}"


class _Claims:
    """Which names, keys and identities are taken."""

    def __init__(self, entries: Iterable[AuthorizedKey] = ()) -> None:
        self._name_of_key: dict[KeyId, str] = {}
        self._name_of_identity: dict[bytes, str] = {}
        self._identity_of_name: dict[str, PublicKey] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: AuthorizedKey) -> None:
        """Take what a line takes.

        Raises:
            UsageError: If another line has it.
        """
        name, key = entry.name, entry.key
        if (other := self._name_of_key.setdefault(key.key_id, name)) != name:
            raise UsageError(f"this key is that of {other}: give {name} one of its own, `zfed keys new`")
        if (other := self._name_of_identity.setdefault(key.signing, name)) != name:
            raise UsageError(
                f"this key has the identity of {other}, {key.fingerprint}: give {name} one of its own, "
                "`zfed keys new`"
            )
        if entry.revoked is None:
            known = self._identity_of_name.setdefault(name, key)
            if known.signing != key.signing:
                raise UsageError(
                    f"{name} is enrolled with another identity, {known.fingerprint}: if it is another device "
                    f"now, `zfed enroll --revoke {name}` first"
                )


def _ends(valid: list[AuthorizedKey], now: int, overlap_s: int) -> dict[PublicKey, int]:
    """When a node's valid keys, the newest last, end if another is enrolled now."""
    ends = {each.key: now for each in valid[:-1]}
    for last in valid[-1:]:
        end = min(now + overlap_s, LAST)
        ends[last.key] = end if last.until is None else min(end, last.until)
    return ends


def _check_never_revoked(key: PublicKey, others: Iterable[AuthorizedKey]) -> None:
    for other in others:
        if other.revoked is not None and key.signing == other.key.signing:
            raise UsageError(
                f"the key {key.fingerprint} of {other.name} was revoked on {_day(other.revoked)} and does "
                "not come back: delete it where it is and make another with `zfed keys new`; if it was "
                "revoked by mistake, delete its line"
            )


def _day(seconds: int) -> str:
    return utc_text(seconds).partition("T")[0]
