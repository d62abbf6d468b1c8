"""The place where the operating system's errors become zfed's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zfed.errors import CheckpointError


@contextmanager
def translated(failure: str, *, remedy: str = "") -> Iterator[None]:
    """Turn an OSError into a CheckpointError "<failure>: <reason>; <remedy>"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(f"{failure}: {reason}" + (f"; {remedy}" if remedy else "")) from error
