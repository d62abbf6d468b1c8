"""Every error that zfed raises on purpose.

A message says what was seen, what was allowed and, where it is not plain, what to do. Facts are kept as
attributes. The class says whose fault it is: what a *remote* node did is never this node's bug.
"""

from __future__ import annotations

from dataclasses import dataclass


class ZfedError(Exception):
    """Base of all errors that zfed raises on purpose."""

    exit_code = 1
    """What a command returns when this error ends it."""


class UsageError(ZfedError):
    """The user asked for something that cannot be: a flag, a configuration key, a combination."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration value is unknown, ill-typed or out of range."""


class LayoutError(ZfedError):
    """Tensors do not fit a parameter layout; `tensor` is the first that does not (may be empty)."""

    def __init__(self, message: str, *, tensor: str = "") -> None:
        super().__init__(message)
        self.tensor = tensor


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """What is wrong with an update.

    Attributes:
        code: The refusal code of the wire protocol.
        reason: What was seen, what was allowed, what to do; for people.
        tensor: The tensor it was seen in; empty if it is not about one.
        seen: What was seen, as text: neither NaN nor infinity is JSON.
        limit: What was allowed, as text.
    """

    code: str
    reason: str
    tensor: str = ""
    seen: str = ""
    limit: str = ""


class UpdateError(ZfedError):
    """An update is not acceptable; `flaw` says why, other arguments than the message as its attributes."""

    def __init__(
        self, message: str, *, code: str, tensor: str = "", seen: object = "", limit: object = ""
    ) -> None:
        super().__init__(message)
        self.flaw = Flaw(code=code, reason=message, tensor=tensor, seen=str(seen), limit=str(limit))


class TaskError(ZfedError):
    """A user's task could not be loaded, or broke its contract."""


class DataError(ZfedError):
    """A data set is missing, damaged or empty."""


class CheckpointError(ZfedError):
    """A run directory or a model file cannot be written, or does not hold what it should."""


class StateInUseError(CheckpointError):
    """What a task keeps of a run is held by another process: two nodes of one name on one machine."""


class LocalProtocolError(ZfedError):
    """This node broke a rule of the wire protocol: a bug here."""


class RemoteProtocolError(ZfedError):
    """The other node sent something the wire protocol does not allow."""


class ConnectError(ZfedError):
    """No coordinator answered in time, or an address cannot be used."""


class RefusedError(ZfedError):
    """The coordinator refused this node; `code` is the refusal code of the wire protocol."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class RunFailedError(ZfedError):
    """A run ended before its last round."""
