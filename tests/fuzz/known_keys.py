"""Keys for seeds: the same in every run, so that a corpus stays one."""

from __future__ import annotations

import base64
from typing import Final

from zfed.identity import NodeKey


def _key(number: int) -> NodeKey:
    secret = base64.urlsafe_b64encode(bytes([number]) * 64).decode().rstrip("=")
    return NodeKey.parse(f"zfed-secret-{secret}")


ALICE: Final = _key(1)
BOB: Final = _key(2)
