"""How a node offers what its task made: as it is, or encoded, with what earlier updates lost."""

from __future__ import annotations

from zfed.nodes.member_words import ResultVector, Work
from zfed.nodes.task_state import Lost
from zfed.params import ParameterBuffer
from zfed.wire.digests import digest_of


def offered(name: str, buffer: ParameterBuffer) -> ResultVector:
    """A vector as it is."""
    return _result(name, buffer, buffer.data.data, "none")


def offered_delta(
    delta: ParameterBuffer, work: Work, before: Lost | None
) -> tuple[ResultVector, Lost | None]:
    """The update that a piece of work made, at the level its link has; and what that lost, if it is encoded.

    The same work gives the same bytes: its seed, which knows nothing of attempts, seeds the rounding.

    Args:
        delta: What the task changed.
        work: What it did.
        before: What the last update that counted lost.

    Raises:
        UpdateError: If it is to be encoded, and a number is not finite.
    """
    if work.upload is None:
        return offered("delta", delta), None
    fits = before is not None and (before.level, before.residual.size) == (
        work.upload.level,
        work.upload.residual_size,
    )
    encoded = work.upload.encode(delta, before.residual if before and fits else None, key=work.seed)
    vector = _result("delta", delta, encoded.data.data, work.upload.level)
    return vector, Lost(work.upload.level, encoded.residual)


def _result(name: str, buffer: ParameterBuffer, data: memoryview, encoding: str) -> ResultVector:
    return ResultVector(
        name=name,
        layout=memoryview(buffer.layout.to_bytes()),
        layout_digest=buffer.layout.digest,
        data=data,
        data_digest=digest_of(data),
        encoding=encoding,
    )
