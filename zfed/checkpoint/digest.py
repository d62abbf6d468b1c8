"""What a model is, by its numbers."""

from __future__ import annotations

import hashlib

from zfed.params import ParameterBuffer


def content_digest(buffer: ParameterBuffer) -> str:
    """`sha256:<hex>` of the moving and then the frozen bytes: the data section of its model file."""
    content = hashlib.sha256(buffer.moving.data.data)
    content.update(buffer.frozen.data.data)
    return f"sha256:{content.hexdigest()}"
