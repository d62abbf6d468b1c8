"""Whether this node can work now: what its hours, its owner's command and its task say, looked at in turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, TypeAlias

from zfed.config import NodeConfig
from zfed.nodes.hours import Hours
from zfed.nodes.ready_command import ReadyCommand

AskTask: TypeAlias = Callable[[Callable[[str], None]], None]
"""Asks a task, which answers later, from its own thread: empty if ready, else why not."""

_Source: TypeAlias = Literal["hours", "command", "task"]

LONGEST: Final = 200
"""Characters of a reason that are told."""

NOT_LOOKED: Final = "it is being looked whether it can work"


class Readiness:
    """Looks every so many seconds, in a thread of its own, and tells when the answer is another one.

    The reason that counts is the first there is: of the hours, then the command, then the task.

    Args:
        config: Table `[node]`.
        task_says: The task has something to say of it, too.
        wall: The local time.

    Raises:
        UsageError: If a setting is wrong, or there is no such command.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        task_says: bool = False,
        wall: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._hours = Hours.parse(config.available)
        self._command = (
            ReadyCommand(config.ready_command, config.ready_every_s) if config.ready_command else None
        )
        self._every_s = config.ready_every_s
        self._wall = wall
        sources: dict[_Source, object] = {"hours": self._hours, "command": self._command, "task": task_says}
        self._said = {source: NOT_LOOKED for source, there in sources.items() if there}
        self._told = self.unready
        self._ask_task: AskTask = lambda answer: None
        self._tell: Callable[[str], None] = lambda unready: None
        self._asked = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zfed-readiness", daemon=True)

    def __bool__(self) -> bool:
        """False if this node is always ready."""
        return bool(self._said)

    @property
    def unready(self) -> str:
        """Why this node cannot work now; empty if it can."""
        return next((reason for reason in self._said.values() if reason), "")

    def start(self, tell: Callable[[str], None], ask_task: AskTask) -> None:
        """Begin to look; `tell` gets every other answer than the one before, from another thread."""
        self._tell, self._ask_task = tell, ask_task
        if self:
            self._thread.start()

    def close(self) -> None:
        """Look no more; a command that runs is ended."""
        with self._lock:
            self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._hours:
                self._say("hours", self._hours.closed(self._wall()))
            if self._command:
                self._say("command", self._command.unready(self._closing))
            if "task" in self._said and not self._asked:  # it may be in the middle of its work
                self._asked = True
                self._ask_task(self._task_says)
            self._closing.wait(self._every_s)

    def _task_says(self, unready: str) -> None:
        self._asked = False
        self._say("task", unready)

    def _say(self, source: _Source, reason: str) -> None:
        with self._lock:
            self._said[source] = reason[:LONGEST]
            unready, before, self._told = self.unready, self._told, self.unready
            if unready != before and not self._closing.is_set():
                self._tell(unready)
