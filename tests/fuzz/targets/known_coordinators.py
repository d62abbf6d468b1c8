"""The known-coordinators file of a node."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tests.fuzz.known_keys import ALICE, BOB
from tests.fuzz.target import Target
from zfed.errors import UsageError
from zfed.identity import KnownCoordinators

HERE = "tcp://127.0.0.1:8777"


def read(data: bytes) -> None:
    """Look a coordinator up in such a file, and if the file is good, pin one that it does not know."""
    path = Path(_folder().name, "known-coordinators")
    path.write_bytes(data)
    known = KnownCoordinators(path)
    if known.find(HERE) is None:
        known.pin(HERE, ALICE.public)
        assert known.find(HERE) == ALICE.public


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Gone with the process."""
    return tempfile.TemporaryDirectory()


def seeds() -> list[bytes]:
    """A file with two."""
    return [f"# mine\n{HERE} {ALICE.public.text}\ntcp://[::1]:80 {BOB.public.text}\n".encode()]


TARGET = Target("known_coordinators", read, (UsageError,), seeds)
