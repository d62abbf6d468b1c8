"""Names of nodes, checked before they become names of files."""

from __future__ import annotations

import re
from typing import Final

from zfed.errors import UsageError
from zfed.wire.messages import NODE_NAME_PATTERN

COORDINATOR: Final = "coordinator"
"""The name under which a keys folder has the coordinator's own key."""


def checked_name(name: str) -> str:
    """The same name, which is a node's and thereby no path.

    Raises:
        UsageError: If it is none.
    """
    if re.match(NODE_NAME_PATTERN, name):
        return name
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    raise UsageError(
        f"node name {shown!r}: expected 1 to 64 letters, digits, '.', '_' and '-', first a letter or digit"
    )
