"""One thread that does a coordinator's jobs in order, beside the pump."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

Step: TypeAlias = Callable[[], None]


class Background:
    """Runs steps one after another in a thread of its own.

    A step that raises ends the thread; `failure` then holds the exception and `on_failure` is called, because
    whatever waits for that step would wait for ever.
    """

    def __init__(self, name: str, on_failure: Callable[[], None]) -> None:
        self._steps: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._on_failure = on_failure
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, step: Step) -> None:
        """Do this after all that was added before."""
        self._steps.put(step)

    def close(self) -> None:
        """Finish what was added and end the thread."""
        self._steps.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (step := self._steps.get()) is not None:
            try:
                step()
                del step  # what it refers to, an update perhaps, shall not wait for the next step
            except BaseException as error:
                self.failure = error
                self._on_failure()
                return
