"""The invitations file, and the token that a device is given."""

from __future__ import annotations

from typing import Final

from tests.fuzz.known_keys import ALICE, BOB
from tests.fuzz.target import Target
from zfed.errors import ConfigError, UsageError
from zfed.identity import Invitation, InvitationTable

NOW: Final = 1_800_000_000


def read(data: bytes) -> None:
    """Read a token, else a file."""
    text = data.decode("utf-8", "replace")
    if text.startswith("zfed-invite-"):
        invitation = Invitation.parse(text)
        assert invitation.text == text, "a token has one spelling"
        assert len(invitation.public) == 32
        return
    table = InvitationTable.parse(text, "invitations")
    assert InvitationTable.parse(table.render(), "again") == table, "what is written is read as it was meant"
    assert len(table.entries(NOW)) <= len(table.invited)
    for invited in table.invited:
        assert invited.state(NOW)


def seeds() -> list[bytes]:
    """A token and a file."""
    token = Invitation(
        node="dora",
        address="tcp://10.0.0.5:8777,tcp://[::1]:8777",
        coordinator=ALICE.public.curve,
        secret=BOB.curve_secret,
        expires=NOW,
    )
    until = "until=2026-12-01T00:00:00Z max-examples=5000 tag=gpu"
    used = f"claimed={BOB.public.text} used=2026-11-24T10:00:00Z"
    file = f"# invited\ndora {ALICE.public.key_id} {until}\nbob {BOB.public.key_id} {until} {used}\n"
    return [token.text.encode(), file.encode()]


TARGET = Target("invitations", read, (ConfigError, UsageError), seeds)
