"""Runs a user's task in a thread of its own, so that the node answers while it computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from zfed.nodes.member_words import Work
from zfed.nodes.owner_limits import OwnerLimits
from zfed.nodes.state_folder import StateFolder
from zfed.nodes.task_host import Post, Prepared, TaskHost
from zfed.task import Setup, Task
from zfed.wire.messages import AssignmentId


class TaskRunner:
    """Does one `Work` at a time; results go to `post`, from the task's thread.

    Args:
        task: The user's task.
        setup: What it is told about this node.
        folder: Where what the task keeps outlives this process; None if it need not.
        limits: What the owner lets the training of a round take.
    """

    def __init__(
        self,
        task: Task,
        setup: Setup,
        folder: StateFolder | None = None,
        limits: OwnerLimits | None = None,
    ) -> None:
        self._host = TaskHost(task, setup, folder=folder, limits=limits)
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._unwanted: set[AssignmentId] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zfed-task", daemon=True)
        self._thread.start()

    def prepare(self, should_stop: Callable[[], bool]) -> Prepared | None:
        """Let the task load its data and say what its model looks like; None if `should_stop` came first.

        Raises:
            ZfedError: Whatever the task raised; of anything else than zfed's own errors a TaskError.
        """
        answers: queue.SimpleQueue[Prepared | BaseException] = queue.SimpleQueue()

        def call() -> None:
            try:
                answers.put(self._host.prepare())
            except BaseException as error:
                answers.put(error)

        self._calls.put(call)
        while not should_stop():
            try:
                answer = answers.get(timeout=0.1)
            except queue.Empty:
                continue
            if isinstance(answer, Prepared):
                return answer
            raise answer
        return None

    def start(self, work: Work, post: Post) -> None:
        """Begin an assignment; the task is idle."""
        self._unwanted.clear()  # a stop that came too late is not meant for another run's equal number
        self._calls.put(lambda: self._host.do(work, post, lambda: self._should_stop(work.assignment)))

    def ask_ready(self, answer: Callable[[str], None]) -> None:
        """Let the task say, when it has nothing else to do, why this node cannot work; empty if it can."""
        self._calls.put(lambda: answer(self._host.unready()))

    def stop(self, assignment: AssignmentId) -> None:
        """Ask the task to stop an assignment soon."""
        self._unwanted.add(assignment)

    def save_again(self, assignment: AssignmentId, post: Post) -> None:
        """Try again to make durable what an assignment left."""
        self._calls.put(lambda: self._host.save_again(assignment, post))

    def enter(self, run: str) -> None:
        """Work is of another run from now on, of this key."""
        self._calls.put(lambda: self._host.enter(run))

    def keep(self, assignment: AssignmentId) -> None:
        """The assignment counts: what it left is what the next one begins with."""
        self._calls.put(lambda: self._host.keep(assignment))

    def drop(self, assignment: AssignmentId) -> None:
        """The assignment does not count: forget what it left."""
        self._calls.put(lambda: self._host.drop(assignment))

    def settle(self, counted: AssignmentId, version: int) -> None:
        """Work from `version` comes next, and `counted` is the last that counts."""
        self._calls.put(lambda: self._host.settle(counted, version))

    def rename(self, old: AssignmentId, new: AssignmentId) -> None:
        """The same work has another number now."""
        self._calls.put(lambda: self._host.rename(old, new))

    def close(self, timeout_s: float) -> bool:
        """Stop whatever is done; False if the task has not come back in time."""
        self._closing.set()
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # and with it the model that it worked on, before there is another
        self._host.close()

    def _should_stop(self, assignment: AssignmentId) -> bool:
        return self._closing.is_set() or assignment in self._unwanted
