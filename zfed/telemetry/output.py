"""A text stream that may go away without taking the run with it."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TextIO

_log = logging.getLogger(__name__)


class LastingStream:
    """Writes to a stream until that fails, and from then on to nothing.

    A closed pipe (`zfed coordinator | head`) or a closed terminal must not end training. Letters that the
    stream's encoding lacks are written as escapes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._broken = False

    @property
    def encoding(self) -> str:
        """Of the stream; rich asks, to choose letters that exist."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """True if a person is likely to be watching."""
        try:
            return self._stream.isatty()
        except ValueError:  # a closed file
            return False

    def fileno(self) -> int:
        """Of the stream."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write text, or forget it if the stream is broken."""
        if not self._broken:
            try:
                self._stream.write(self._encodable(text))
            except (OSError, ValueError) as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or do nothing if it is broken."""
        if not self._broken:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    def _encodable(self, text: str) -> str:
        if text.isascii():
            return text
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def _give_up(self, error: Exception) -> None:
        self._broken = True
        if not isinstance(error, BrokenPipeError):
            _log.warning("output stopped: %s; the run goes on", error)
        # What is still buffered would fail again when Python flushes the stream at exit, and turn success
        # into exit code 120: let it flow to nowhere (the remedy of Python's own signal documentation).
        with contextlib.suppress(OSError, ValueError):
            lost = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, lost)
            os.close(nowhere)
