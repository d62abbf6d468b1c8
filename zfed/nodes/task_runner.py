"""Runs a user's task in a thread of its own, so that the node answers while it computes.

The thread owns the task, what the task keeps from round to round, and the tensors that never leave this node.
Both of these belong to an assignment until the coordinator says whether it counts.
"""

from __future__ import annotations

import hashlib
import math
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from zfed.errors import TaskError, ZfedError
from zfed.metrics import Metrics, checked_metrics
from zfed.nodes.words import ResultVector, Work, WorkDone, WorkProgress, WorkRaised, WorkStopped
from zfed.params import ParameterBuffer, ParameterLayout
from zfed.strategies import encode_delta
from zfed.task import (
    Array,
    Context,
    DataSummary,
    EvaluateResult,
    NamedArrays,
    Setup,
    StoppedError,
    Task,
    TrainResult,
)
from zfed.wire.messages import AssignmentId

REPORT_EVERY_S = 0.2

Post: TypeAlias = Callable[[WorkDone | WorkRaised | WorkStopped | WorkProgress], None]


@dataclass(frozen=True)
class Prepared:
    """What a task has told before the node connects."""

    summary: DataSummary
    layout: ParameterLayout


@dataclass(frozen=True)
class _Kept:
    """What stays on this node after an assignment: the task's state, and the tensors of kind `local`."""

    state: Mapping[str, Array]
    local: ParameterBuffer


class TaskRunner:
    """Does one `Work` at a time; results go to `post`, from the task's thread.

    Args:
        task: The user's task.
        setup: What it is told about this node.
    """

    def __init__(self, task: Task, setup: Setup) -> None:
        self._task = task
        self._setup = setup
        self._post: Post = lambda event: None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stopped: set[AssignmentId] = set()
        self._stopping = threading.Event()
        self._kept: _Kept | None = None
        self._pending: dict[AssignmentId, _Kept] = {}
        self._thread = threading.Thread(target=self._run, name="zfed-task", daemon=True)
        self._thread.start()

    # ---- called from the node's thread -----------------------------------------------------------

    def prepare(self, should_stop: Callable[[], bool]) -> Prepared | None:
        """Let the task load its data and say what its model looks like; None if `should_stop` came first.

        Raises:
            ZfedError: Whatever the task raised; of anything else than zfed's own errors a TaskError.
        """
        answers: queue.SimpleQueue[Prepared | BaseException] = queue.SimpleQueue()

        def call() -> None:
            try:
                answers.put(self._prepare())
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
            if isinstance(answer, ZfedError):
                raise answer
            raise TaskError(f"the task could not be prepared: {_named(answer)}") from answer
        return None

    def start(self, work: Work, post: Post) -> None:
        """Begin an assignment after all that was begun before."""
        self._post = post
        self._calls.put(lambda: self._do(work))

    def stop(self, assignment: AssignmentId) -> None:
        """Ask the task to stop an assignment soon."""
        self._stopped.add(assignment)

    def keep(self, assignment: AssignmentId) -> None:
        """The assignment counts: what it left is what the next one begins with."""
        self._calls.put(lambda: self._keep(assignment))

    def drop(self, assignment: AssignmentId) -> None:
        """The assignment does not count: forget what it left."""
        self._calls.put(lambda: self._drop(assignment))

    def rename(self, old: AssignmentId, new: AssignmentId) -> None:
        """The same work has another number now."""
        self._calls.put(lambda: self._rename(old, new))

    def close(self, timeout_s: float) -> bool:
        """Stop whatever is done; False if the task has not come back in time."""
        self._stopping.set()
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # ---- the task's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def _prepare(self) -> Prepared:
        summary = self._task.prepare(self._setup)
        if not isinstance(summary, DataSummary):
            raise TaskError(f"prepare returned {type(summary).__name__}, expected a DataSummary")
        parameters = _buffer(self._task.initial_parameters(Context(device=self._setup.device)))
        self._kept = _Kept({}, parameters.local.copy())
        return Prepared(summary, parameters.layout)

    def _keep(self, assignment: AssignmentId) -> None:
        kept = self._pending.pop(assignment, None)
        if kept is not None:
            self._kept = kept

    def _drop(self, assignment: AssignmentId) -> None:
        self._pending.pop(assignment, None)

    def _rename(self, old: AssignmentId, new: AssignmentId) -> None:
        kept = self._pending.pop(old, None)
        if kept is not None:
            self._pending[new] = kept

    def _do(self, work: Work) -> None:
        started = time.monotonic()
        try:
            self._post(self._result(work, started))
        except StoppedError:
            if self._should_stop(work.assignment):
                self._post(WorkStopped(work.assignment))
            else:
                self._raised(work, "the task stopped although nobody asked it to", "")
        except Exception as error:
            self._raised(work, _named(error), traceback.format_exc())
        finally:
            self._stopped.discard(work.assignment)

    def _raised(self, work: Work, error: str, trace: str) -> None:
        self._post(WorkRaised(assignment=work.assignment, error=error, traceback=trace))

    def _result(self, work: Work, started: float) -> WorkDone:
        if work.kind == "initialize":
            model = _buffer(self._task.initial_parameters(self._context(work, {})))
            vectors = [("model", model.moving), ("frozen", model.frozen)]
            return self._done(work, started, [(name, part) for name, part in vectors if len(part)])
        kept = self._kept
        if kept is None or work.parameters is None:
            raise TaskError("the task was given work before it was prepared")
        if work.kind == "evaluate":
            return self._evaluate(work, kept, started)
        return self._train(work, kept, started)

    def _train(self, work: Work, kept: _Kept, started: float) -> WorkDone:
        base = self._complete(work, kept)
        state = {name: array.copy() for name, array in kept.state.items()}
        result = self._task.train(base, self._context(work, state))
        if not isinstance(result, TrainResult):
            raise TaskError(f"train returned {type(result).__name__}, expected a TrainResult")
        delta = encode_delta(base, result.parameters)
        local = ParameterBuffer.zeros(base.layout.local)
        for name, array in local.items():
            array[...] = result.parameters[name]
        self._pending[work.assignment] = _Kept(state, local)
        more = [(name, _buffer(arrays)) for name, arrays in result.vectors.items()]
        return self._done(work, started, [("delta", delta), *more], result)

    def _evaluate(self, work: Work, kept: _Kept, started: float) -> WorkDone:
        state = {name: array.copy() for name, array in kept.state.items()}
        result = self._task.evaluate(self._complete(work, kept), self._context(work, state))
        if not isinstance(result, EvaluateResult):
            raise TaskError(f"evaluate returned {type(result).__name__}, expected an EvaluateResult")
        return self._done(work, started, [], result)

    def _complete(self, work: Work, kept: _Kept) -> ParameterBuffer:
        """The model as received, with this node's own local tensors in their place."""
        if work.parameters is None:
            raise TaskError("this work came without a model")
        if not len(kept.local):
            return work.parameters
        complete = work.parameters.copy()
        complete.local.data[:] = kept.local.data
        return complete.read_only()

    def _done(
        self,
        work: Work,
        started: float,
        vectors: list[tuple[str, ParameterBuffer]],
        result: TrainResult | EvaluateResult | None = None,
    ) -> WorkDone:
        if self._should_stop(work.assignment):
            raise StoppedError
        return WorkDone(
            assignment=work.assignment,
            vectors=tuple(_offered(name, buffer) for name, buffer in vectors),
            examples=int(result.examples) if result else 0,
            steps=int(result.steps) if isinstance(result, TrainResult) else 0,
            seconds=time.monotonic() - started,
            metrics=checked_metrics(result.metrics) if result else {},
        )

    def _context(self, work: Work, state: dict[str, Array]) -> Context:
        return Context(
            round=work.round,
            version=work.version,
            settings=work.settings,
            seed=work.seed,
            device=self._setup.device,
            state=state,
            vectors=work.vectors,
            report=_Reporter(work.assignment, self._post),
            should_stop=lambda: self._should_stop(work.assignment),
        )

    def _should_stop(self, assignment: AssignmentId) -> bool:
        return self._stopping.is_set() or assignment in self._stopped


class _Reporter:
    """Passes a task's progress on, but not more often than anybody can read it."""

    def __init__(self, assignment: AssignmentId, post: Post) -> None:
        self._assignment = assignment
        self._post = post
        self._next = 0.0

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + REPORT_EVERY_S
        numbers: Metrics = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
        self._post(
            WorkProgress(assignment=self._assignment, done=int(done), total=int(total), metrics=numbers)
        )


def _buffer(arrays: NamedArrays) -> ParameterBuffer:
    return arrays if isinstance(arrays, ParameterBuffer) else ParameterBuffer.from_arrays(arrays)


def _offered(name: str, buffer: ParameterBuffer) -> ResultVector:
    layout, data = buffer.layout.to_bytes(), buffer.data.data
    return ResultVector(
        name=name,
        layout=memoryview(layout),
        layout_digest=buffer.layout.digest,
        data=data,
        data_digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
