"""One thread that does a coordinator's jobs in order, beside the pump."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

Step: TypeAlias = Callable[[], None]


class Background:
    """Runs steps one after another in a thread of its own.

    Steps are handed over by `start`, many at a time: waking a thread takes longer than a small sum.

    A step that raises ends the thread; `failure` then holds the exception and `on_failure` is called, because
    whatever waits for that step would wait for ever.
    """

    def __init__(self, name: str, on_failure: Callable[[], None]) -> None:
        self._added: deque[Step] = deque()
        self._handed: queue.SimpleQueue[deque[Step] | None] = queue.SimpleQueue()
        self._on_failure = on_failure
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, step: Step) -> None:
        """Do this after all that was added before, once `start` is called. Both belong to one thread."""
        self._added.append(step)

    def start(self) -> None:
        """Hand over what was added."""
        if self._added:
            self._handed.put(self._added)
            self._added = deque()

    def close(self) -> None:
        """Finish what was added and end the thread."""
        self.start()
        self._handed.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (steps := self._handed.get()) is not None:
            try:
                while steps:
                    steps.popleft()()  # and let go: what it refers to, an update perhaps, shall not wait
            except BaseException as error:
                self.failure = error
                self._on_failure()
                return
