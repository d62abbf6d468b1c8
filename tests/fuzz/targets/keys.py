"""Public and secret keys as words, copied by hand or sent by a device that enrols itself."""

from __future__ import annotations

from tests.fuzz.known_keys import ALICE, BOB
from tests.fuzz.target import Target
from zfed.errors import UsageError
from zfed.identity import NodeKey, PublicKey


def read(data: bytes) -> None:
    """Read a word as a public key, else as a secret one."""
    text = data.decode("utf-8", "replace")
    try:
        key = PublicKey.parse(text)
    except UsageError as error:
        objection = str(error)
    else:
        assert key.text == text, "a key has one spelling"
        assert len(key.key_id) == 43
        return
    assert "zfed-secret-" not in objection, "a secret that was given by mistake is not repeated"
    assert NodeKey.parse(text).to_text().strip() == text.strip()


def seeds() -> list[bytes]:
    """Two of each."""
    return [text.encode() for key in (ALICE, BOB) for text in (key.public.text, key.to_text())]


TARGET = Target("keys", read, (UsageError,), seeds)
