"""Facts as plain lines: for pipes, files, journals and terminals that cannot do more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from zfed.facts import Fact
from zfed.telemetry.groups import LabelGroup
from zfed.telemetry.narrator import Narrator
from zfed.telemetry.output import LastingStream


class LinesObserver:
    """Writes the words of each fact and flushes; may be called from any thread."""

    def __init__(
        self,
        stream: LastingStream,
        *,
        groups: tuple[LabelGroup, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._narrator = Narrator(groups)
        self._clock = clock
        self._lock = threading.Lock()

    def __call__(self, fact: Fact) -> None:
        """Write what there is to say."""
        with self._lock:
            lines = self._narrator.lines(fact, self._clock())
            for line in lines:
                self._stream.write(line + "\n")
            if lines:
                self._stream.flush()
