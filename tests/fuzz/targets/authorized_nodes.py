"""The authorized-nodes file, which people edit and a coordinator rereads while it runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from tests.fuzz.known_keys import ALICE, BOB
from tests.fuzz.target import Target
from zfed.errors import ConfigError, UsageError
from zfed.identity import AuthorizedTable

NOW: Final = 1_800_000_000


def read(data: bytes) -> None:
    """Read the file, ask what a coordinator asks, and change it as commands do."""
    table = AuthorizedTable.parse(data.decode("utf-8", "replace"), "authorized-nodes")
    _check(table)
    with suppress(UsageError):
        _check(table.enrolled("bob", BOB.public, now=NOW, overlap_s=600))
    for name in {key.name for key in table.keys}:
        with suppress(UsageError):
            revoked = table.revoked(name, now=NOW)
            _check(revoked)
            assert not any(key.valid(NOW) for key in revoked.of(name))


def _check(table: AuthorizedTable) -> None:
    assert AuthorizedTable.parse(table.render(), "again") == table, "what is written is read as it was meant"
    assert table.next_end(NOW) > NOW
    for entry in table.entries(NOW):
        [key] = [key for key in table.keys if key.key.key_id == entry.key]
        assert bool(entry.objection) is not key.valid(NOW)


def seeds() -> list[bytes]:
    """A file with a comment and one with a key that is followed by another."""
    alice = f"# who may come in\n\nalice {ALICE.public.text} max-examples=50 tag=gpu tag=a\n"
    ended = f"bob {BOB.public.text} until=2026-12-01T00:00:00Z revoked=2026-12-02T10:00:00Z\n"
    return [f"{alice}bob {BOB.public.text}\n".encode(), f"{alice}{ended}".encode()]


TARGET = Target("authorized_nodes", read, (ConfigError,), seeds)
