"""Facts as JSON, one per line: for programs. `zfed.facts.from_builtins` reads them back."""

from __future__ import annotations

import threading

import orjson

from zfed.facts import Fact, to_builtins
from zfed.telemetry.output import LastingStream


class JsonObserver:
    """Writes each fact as one line of JSON and flushes; may be called from any thread."""

    def __init__(self, stream: LastingStream) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, fact: Fact) -> None:
        """Write the fact."""
        line = orjson.dumps(to_builtins(fact)).decode("utf-8")
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()
