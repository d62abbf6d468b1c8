"""Table `[limits]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.limits import AT_LEAST_ONE, CHUNK, FRAME, FRAMES, HEADER, POSITIVE, STAGING, UNASKED
from zfed.config.setting import setting


@dataclass(frozen=True, kw_only=True)
class LimitsConfig:
    """Table `[limits]`: what nodes and strangers may ask of the coordinator; more is dropped and counted."""

    connections: int = setting(
        16_384, "connections at the same time; more are let in as others go", metavar="N", limits=AT_LEAST_ONE
    )
    handshake_s: float = setting(
        5.0, "seconds in which a connection must have shaken hands", metavar="SECONDS", limits=POSITIVE
    )
    silence_s: float = setting(
        30.0,
        "seconds without a message after which a connection is ended; at least 3 heartbeat timeouts",
        metavar="SECONDS",
        limits=POSITIVE,
    )
    sessions: int = setting(
        120, "sessions that one node may begin in a minute", metavar="N", limits=AT_LEAST_ONE
    )
    messages: int = setting(
        5000, "messages that one node may send in a second", metavar="N", limits=AT_LEAST_ONE
    )
    unasked: str = setting(
        "8MiB",
        "bytes that one node may send in a second beyond what it was asked for",
        metavar="SIZE",
        limits=UNASKED,
        size=True,
    )
    frame: str = setting("2112KiB", "largest frame", metavar="SIZE", limits=FRAME, size=True)
    frames: int = setting(2, "frames of one message", metavar="N", limits=FRAMES)
    header: str = setting("256KiB", "largest header of a message", metavar="SIZE", limits=HEADER, size=True)
    chunk: str = setting("1MiB", "largest payload of a message", metavar="SIZE", limits=CHUNK, size=True)
    staging: str = setting(
        "256MiB",
        "memory for descriptions of models, of all nodes that are not admitted yet",
        metavar="SIZE",
        limits=STAGING,
        size=True,
    )
