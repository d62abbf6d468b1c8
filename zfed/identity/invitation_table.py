"""What the invitations file says, and how an invitation is used. Pure.

An invitation is used in three steps, each of them durable before the next:

1. it is *claimed* by the device's public key: from here on no other key can use it;
2. that key is enrolled (in another file, see `zfed.nodes.enrolment`);
3. the invitation is *used*: from here on it enrols nobody, not even that key, should it have been revoked.

Whoever dies in between leaves an invitation that the same key, and only that, can go on with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from zfed.errors import ConfigError, RefusedError, UsageError
from zfed.identity.invited_node import InvitedNode
from zfed.identity.keys import PublicKey
from zfed.identity.names import checked_name
from zfed.identity.utc import utc_text
from zfed.wire.roster import Invited, KeyId

REMEMBERED_S: Final = 7 * 86_400
"""For so long after it has expired, who comes with an invitation is told that it has."""

CODE: Final = "invitation"
"""Code of the wire protocol for an ENROLL that is refused."""


@dataclass(frozen=True)
class InvitationTable:
    """All lines, in order: an invitation, or the text of a line that is none."""

    lines: tuple[InvitedNode | str, ...] = ()

    @property
    def invited(self) -> list[InvitedNode]:
        """The lines that are invitations, the newest last."""
        return [line for line in self.lines if isinstance(line, InvitedNode)]

    def entries(self, now: float) -> list[Invited]:
        """What a coordinator has to know, as of seconds since 1970.

        Nothing of what became of an invitation: whoever comes with its key is told that when it asks, for a
        while after it has expired, too. Then the door knows it no more.
        """
        return [each.entry() for each in self.invited if now < each.until + REMEMBERED_S]

    def render(self) -> str:
        """The file's text."""
        return "".join(f"{line.line() if isinstance(line, InvitedNode) else line}\n" for line in self.lines)

    @classmethod
    def parse(cls, text: str, where: str) -> InvitationTable:
        """Read the file's text.

        Raises:
            ConfigError: If a line is none; `where` and the line open the message.
        """
        lines: list[InvitedNode | str] = []
        known = set[KeyId]()
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                lines.append(line)
                continue
            try:
                invited = InvitedNode.parse(line)
                if invited.key in known:
                    raise UsageError(
                        f"this invitation of {invited.name} is there twice: delete one of the lines"
                    )
            except UsageError as error:
                raise ConfigError(f"{where}, line {number}: {error}") from None
            known.add(invited.key)
            lines.append(invited)
        return cls(tuple(lines))

    def invite(self, invited: InvitedNode) -> InvitationTable:
        """The table with one more invitation."""
        return InvitationTable((*self.lines, invited))

    def revoke(self, name: str, *, now: int) -> InvitationTable:
        """The table in which nobody can use an invitation of a node any more.

        Raises:
            UsageError: If it has none that somebody could use.
        """
        still_open = [
            each for each in self.invited if each.name == checked_name(name) and _is_open(each, now)
        ]
        if not still_open:
            others = sorted({each.name for each in self.invited if _is_open(each, now)})
            raise UsageError(
                f"{name} has no open invitation; who has: {', '.join(others) or 'nobody'}. Who has used one "
                "is shut out by `zfed enroll --revoke NAME`"
            )
        return self._with(*(replace(each, revoked=now) for each in still_open))

    def claim(self, key: KeyId, name: str, device: PublicKey, *, now: float) -> InvitationTable:
        """The table in which an invitation belongs to a device's key; the same one if it does already.

        Args:
            key: The invitation's one-time key.
            name: The name that the device asks for.
            device: Its own public key.
            now: Seconds since 1970.

        Raises:
            RefusedError: If this device cannot use it.
        """
        invited = self.find(key)
        objection = self._objection(invited, name, device, now)
        if invited is None or objection:
            raise RefusedError(objection, code=CODE)
        return self._with(replace(invited, claimed=device))

    def settle(self, key: KeyId, *, now: int) -> InvitationTable:
        """The table in which a claimed invitation is used."""
        return self._with(*(replace(each, used=now) for each in self.invited if each.key == key))

    def find(self, key: KeyId) -> InvitedNode | None:
        """The invitation with this one-time key."""
        return next((each for each in self.invited if each.key == key), None)

    def _objection(self, invited: InvitedNode | None, name: str, device: PublicKey, now: float) -> str:
        if invited is None:
            return "this invitation is not known here any more"
        whose = f"the invitation for {invited.name}"
        if invited.name != name:
            return f"{whose} is not for {name}"
        if invited.claimed is not None and invited.claimed != device:
            return (
                f"{whose} was used by another device, {invited.claimed.fingerprint}, and this one is "
                f"{device.fingerprint}: an invitation is for one device"
            )
        if invited.revoked is not None:
            return f"{whose} was revoked on {utc_text(invited.revoked)}"
        if now >= invited.until and invited.used is None:
            return f"{whose} expired on {utc_text(invited.until)}: ask for another"
        if self.find(device.key_id) is not None:
            return f"{whose}: its one-time key cannot be the key of a node; make one with `zfed keys new`"
        return ""

    def _with(self, *changed: InvitedNode) -> InvitationTable:
        new = {each.key: each for each in changed}
        return InvitationTable(
            tuple(new.get(line.key, line) if isinstance(line, InvitedNode) else line for line in self.lines)
        )


def _is_open(invited: InvitedNode, now: float) -> bool:
    return invited.claimed is None and invited.revoked is None and now < invited.until
