"""Runs a user's task: one piece of work in, its result out.

What the task keeps from round to round, and the tensors that never leave this node, belong to an assignment
until the coordinator says whether it counts.
"""

from __future__ import annotations

import itertools
import math
import operator
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
import orjson

from zfed.compression import matched
from zfed.errors import CheckpointError, ConfigError, LayoutError, TaskError, ZfedError
from zfed.metrics import MAX_METRICS, Metrics, Rules, checked_metrics, checked_rules
from zfed.nodes.member_words import (
    ResultVector,
    Work,
    WorkDone,
    WorkNote,
    WorkProgress,
    WorkRaised,
    WorkStopped,
    WorkUnsaved,
)
from zfed.nodes.owner_limits import Allowance, OwnerLimits
from zfed.nodes.state_folder import StateFolder
from zfed.nodes.task_state import TaskState
from zfed.nodes.task_states import TaskStates
from zfed.nodes.upload import offered, offered_delta
from zfed.nodes.words import EncodedVector
from zfed.params import BufferPool, ParameterBuffer, ParameterLayout
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
from zfed.wire.messages import AssignmentId, Patterns

REPORT_EVERY_S = 0.2
MAX_METRICS_BYTES = 128 << 10
"""Metrics travel in a message's header, which has its own limit."""
MAX_VECTORS = 15
MAX_STEPS = 1 << 60

WorkEvent: TypeAlias = WorkDone | WorkRaised | WorkStopped | WorkProgress | WorkUnsaved | WorkNote
Post: TypeAlias = Callable[[WorkEvent], None]


@dataclass(frozen=True)
class Prepared:
    """What a task has told before the node connects."""

    summary: DataSummary
    layout: ParameterLayout
    exact: tuple[str, ...] = ()
    merge: Rules = field(default_factory=dict)


@dataclass(frozen=True)
class _Finished:
    """A piece of work, what came of it, and what the task left, if it was training."""

    work: Work
    event: WorkEvent
    state: TaskState | None


class TaskHost:
    """Owns a task and what it keeps. One thread at a time; only `should_stop` looks at other threads.

    Args:
        task: The user's task.
        setup: What it is told about this node.
        clock: Seconds, for what a result says it took.
        folder: Where what the task keeps outlives this process; None if it need not.
        limits: What the owner lets the training of a round take.
    """

    def __init__(
        self,
        task: Task,
        setup: Setup,
        *,
        clock: Callable[[], float] = time.monotonic,
        folder: StateFolder | None = None,
        limits: OwnerLimits | None = None,
    ) -> None:
        self._task = task
        self._limits = limits or OwnerLimits()
        self._setup = setup
        self._clock = clock
        self._folder = folder
        self._examples = 0
        self._evaluated = 0
        self._prepared: TaskStates | None = None
        self._unsaved: _Finished | None = None
        self._deltas = BufferPool()

    def prepare(self) -> Prepared:
        """Let the task load its data and say what its model looks like.

        Raises:
            ZfedError: Whatever the task raised; of anything else than zfed's own errors a TaskError.
        """
        try:
            return self._prepare()
        except ZfedError:
            raise
        except BaseException as error:  # also a task that calls sys.exit: it must not end its thread unseen
            raise TaskError(f"the task could not be prepared: {_named(error)}") from error

    def do(self, work: Work, post: Post, should_stop: Callable[[], bool]) -> None:
        """Do one assignment: progress and notes, and at the end exactly one other event, go to `post`."""
        try:
            before = self._states.current()
        except CheckpointError as error:
            post(_raised(work, str(error), ""))
            return
        self._tell_notes(post)  # now, for the task may take long
        event, state = self._outcome(_Doing(work, self._clock, post, should_stop, self._limits), before)
        self._finish(_Finished(work, event, state), post)

    def save_again(self, assignment: AssignmentId, post: Post) -> None:
        """Answer an assignment that could not be saved, unless it was dropped meanwhile."""
        finished, self._unsaved = self._unsaved, None
        if finished is not None and finished.work.assignment == assignment:
            self._finish(finished, post)

    def enter(self, run: str) -> None:
        """Work is of another run from now on, of this key; what the task kept of that run is there again."""
        self._states.enter(run)

    def keep(self, assignment: AssignmentId) -> None:
        """The assignment counts: what it left is what the next one begins with."""
        self._states.keep(assignment)

    def drop(self, assignment: AssignmentId) -> None:
        """The assignment does not count: forget what it left."""
        if self._unsaved is not None and self._unsaved.work.assignment == assignment:
            self._unsaved = None
        self._states.drop(assignment)

    def settle(self, counted: AssignmentId, version: int) -> None:
        """What the next piece of work begins with is decided: work from `version`, after `counted`."""
        self._states.settle(counted, version)

    def rename(self, old: AssignmentId, new: AssignmentId) -> None:
        """The same work has another number now."""
        self._states.rename(old, new)

    def unready(self) -> str:
        """Why the task says that this node cannot work now; empty if it can."""
        try:
            answer = self._task.ready()
        except BaseException as error:  # as in prepare
            return f"its task could not say whether it is ready: {_named(error)}"
        if answer is True:
            return ""
        return _sendable(answer) if isinstance(answer, str) and answer else "its task says so"

    def close(self) -> None:
        """Let go of what the task keeps on disk."""
        if self._prepared is not None:
            self._prepared.close()

    @property
    def _states(self) -> TaskStates:
        if self._prepared is None:
            raise TaskError("the task was given work before it was prepared")
        return self._prepared

    def _finish(self, finished: _Finished, post: Post) -> None:
        """Tell what came of an assignment, once what it left is durable."""
        work, event = finished.work, finished.event
        if finished.state is not None:
            try:
                self._states.add(work.assignment, work.version, finished.state)
            except CheckpointError as error:
                self._unsaved = finished
                event = WorkUnsaved(work.assignment, _sendable(str(error)))
            except LayoutError as error:
                event = _raised(work, _sendable(str(error)), "")
        self._tell_notes(post)
        post(event)

    def _tell_notes(self, post: Post) -> None:
        notes, self._states.notes = self._states.notes, []
        for note in notes:
            post(WorkNote(_sendable(note)))

    def _prepare(self) -> Prepared:
        summary = self._task.prepare(self._setup)
        if not isinstance(summary, DataSummary):
            raise TaskError(f"prepare returned {type(summary).__name__}, expected a DataSummary")
        if self._setup.holdout and not summary.held_out:
            raise TaskError(
                f"--holdout is {self._setup.holdout:g}, but this task holds no examples out: leave it away, "
                "or let the task's prepare heed setup.holdout and say DataSummary.held_out"
            )
        if self._setup.root_examples and not summary.held_out:
            raise TaskError(
                f"--root-examples is {self._setup.root_examples}, but this task keeps none apart: leave it "
                "away, or let the task's prepare heed setup.hold_out and say DataSummary.held_out"
            )
        parameters = _buffer(self._task.initial_parameters(Context(device=self._setup.device)))
        self._examples = summary.examples
        self._evaluated = summary.held_out or MAX_STEPS
        self._prepared = TaskStates(TaskState({}, parameters.local.copy()), self._folder)
        merge = checked_rules(self._task.merge)
        return Prepared(summary, parameters.layout, self._exact(parameters.layout), merge)

    def _exact(self, layout: ParameterLayout) -> tuple[str, ...]:
        """What the task says must stay exact.

        Raises:
            TaskError: If it cannot be sent as such, or fits no tensor.
        """
        try:
            exact = msgspec.convert(self._task.exact, Patterns)
            matched(layout.moving, exact)
        except (msgspec.ValidationError, LayoutError) as error:
            raise TaskError(
                f"the task's exact, a list of tensors' names or shell patterns: {error}"
            ) from None
        return tuple(exact)

    def _outcome(self, doing: _Doing, before: TaskState) -> tuple[WorkEvent, TaskState | None]:
        """What came of a piece of work, and what the task leaves, if it was training."""
        try:
            return self._result(doing, before)
        except StoppedError:
            if doing.should_stop():
                return WorkStopped(doing.work.assignment), None
            return _raised(doing.work, "the task stopped although nobody asked it to", ""), None
        except BaseException as error:  # as above
            refuses = isinstance(error, ConfigError) and doing.work.kind == "train"
            code = "configuration" if refuses else ""
            return _raised(doing.work, _named(error), _sendable(traceback.format_exc()), code), None

    def _result(self, doing: _Doing, before: TaskState) -> tuple[WorkEvent, TaskState | None]:
        work = doing.work
        if work.kind == "initialize":
            # a copy: a task may return a buffer that it goes on using
            model = _buffer(self._task.initial_parameters(self._context(doing, {}))).copy()
            vectors = [("model", model.moving), ("frozen", model.frozen)]
            return doing.done(vectors=[offered(name, part) for name, part in vectors if len(part)]), None
        if work.parameters is None:
            raise TaskError("the task was given work without a model")
        base = _completed(_received(work.parameters, work.encoded), before.local)
        if work.kind == "evaluate":
            return self._evaluate(doing, base, before), None
        return self._train(doing, base, before)

    def _train(self, doing: _Doing, base: ParameterBuffer, before: TaskState) -> tuple[WorkDone, TaskState]:
        if self._setup.kind == "evaluator" and not self._setup.root_examples:
            raise TaskError(
                "this run's strategy needs updates of the evaluator, and this one keeps no examples to train "
                "on: start it with --root-examples 100"
            )
        state = _copies(before)
        result = self._task.train(base, self._context(doing, state))
        if not isinstance(result, TrainResult):
            raise TaskError(f"train returned {type(result).__name__}, expected a TrainResult")
        delta = encode_delta(base, result.parameters, self._deltas.take(base.layout.moving))
        offer, lost = offered_delta(delta, doing.work, before.lost)
        local = ParameterBuffer.zeros(base.layout.local)
        for name, array in local.items():
            array[...] = result.parameters[name]
        done = doing.done(
            vectors=[offer, *_more_vectors(result.vectors)],
            examples=_count("examples", result.examples, 1, self._examples),
            steps=_count("steps", result.steps, 0, MAX_STEPS),
            metrics=_sendable_metrics(result.metrics),
        )
        return done, TaskState(state, local, lost)

    def _evaluate(self, doing: _Doing, base: ParameterBuffer, before: TaskState) -> WorkDone:
        result = self._task.evaluate(base, self._context(doing, _copies(before)))
        if not isinstance(result, EvaluateResult):
            raise TaskError(f"evaluate returned {type(result).__name__}, expected an EvaluateResult")
        return doing.done(
            examples=_count("examples", result.examples, 1, self._evaluated),
            metrics=_sendable_metrics(result.metrics),
        )

    def _context(self, doing: _Doing, state: dict[str, Array]) -> Context:
        work = doing.work
        return Context(
            round=work.round,
            version=work.version,
            settings=work.settings,
            seed=work.seed,
            device=self._setup.device,
            state=state,
            vectors=work.vectors,
            wants=work.wants,
            report=_Reporter(doing),
            should_stop=doing.should_stop,
            should_finish=doing.allowance.should_finish,
        )


class _Doing:
    """One assignment at hand."""

    def __init__(
        self,
        work: Work,
        clock: Callable[[], float],
        post: Post,
        should_stop: Callable[[], bool],
        limits: OwnerLimits,
    ) -> None:
        started = clock()
        self.work = work
        self.clock = clock
        self.post = post
        self.should_stop = should_stop
        # No method of this object: in a cycle the model of `work` would stay until the garbage is collected
        self.elapsed_s: Callable[[], float] = lambda: clock() - started
        self.allowance = Allowance(limits, self.elapsed_s)

    def done(
        self,
        *,
        vectors: Sequence[ResultVector] = (),
        examples: int = 0,
        steps: int = 0,
        metrics: Metrics | None = None,
    ) -> WorkDone:
        """The result, unless nobody wants it any more."""
        if self.should_stop():
            raise StoppedError
        return WorkDone(
            assignment=self.work.assignment,
            vectors=tuple(vectors),
            examples=examples,
            steps=steps,
            seconds=self.elapsed_s(),
            metrics=metrics or {},
            limited=self.allowance.limited,
        )


class _Reporter:
    """Passes a task's progress on, but not more often than anybody can read it."""

    def __init__(self, doing: _Doing) -> None:
        self._doing = doing
        self._next = -math.inf

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        now = self._doing.clock()
        if now < self._next:
            return
        self._next = now + REPORT_EVERY_S
        finite = ((name, float(value)) for name, value in metrics.items() if math.isfinite(value))
        progress = WorkProgress(
            assignment=self._doing.work.assignment,
            done=max(int(done), 0),
            total=max(int(total), 0),
            metrics=dict(itertools.islice(finite, MAX_METRICS)),
        )
        self._doing.post(progress)


def _buffer(arrays: NamedArrays) -> ParameterBuffer:
    return arrays if isinstance(arrays, ParameterBuffer) else ParameterBuffer.from_arrays(arrays)


def _received(parameters: ParameterBuffer, encoded: EncodedVector | None) -> ParameterBuffer:
    """The model of a piece of work, decoded if that is still to be done."""
    if encoded is None:
        return parameters
    encoded.decode(parameters.moving)
    return parameters.read_only()


def _completed(received: ParameterBuffer, local: ParameterBuffer) -> ParameterBuffer:
    """The model as received, with this node's own local tensors in their place."""
    if not len(local):
        return received
    complete = received.copy()
    complete.local.data[:] = local.data
    return complete.read_only()


def _copies(before: TaskState) -> dict[str, Array]:
    return {name: array.copy() for name, array in before.arrays.items()}


def _more_vectors(vectors: Mapping[str, NamedArrays]) -> list[ResultVector]:
    if len(vectors) > MAX_VECTORS:
        raise TaskError(f"train returned {len(vectors)} vectors, limit is {MAX_VECTORS}")
    for name in vectors:
        if not isinstance(name, str) or not 1 <= len(name) <= 64 or name == "delta":
            raise TaskError(f"vector name {name!r}: expected 1 to 64 characters, and not 'delta'")
    return [offered(name, _buffer(arrays)) for name, arrays in vectors.items()]


def _count(what: str, value: object, least: int, most: int) -> int:
    try:
        count = operator.index(value)  # type: ignore[arg-type]  # what a task returned may be anything
    except TypeError:
        raise TaskError(f"{what} is {value!r}, expected a whole number") from None
    if not least <= count <= most:
        raise TaskError(f"{what} is {count}, allowed are {least} to {most}")
    return count


def _sendable_metrics(metrics: Mapping[str, object]) -> Metrics:
    checked = checked_metrics(metrics)
    size = len(orjson.dumps(checked))
    if size > MAX_METRICS_BYTES:
        raise TaskError(f"metrics take {size} bytes as JSON, limit is {MAX_METRICS_BYTES}")
    return checked


def _raised(work: Work, error: str, trace: str, code: str = "") -> WorkRaised:
    return WorkRaised(assignment=work.assignment, error=error, traceback=trace, code=code)


def _named(error: BaseException) -> str:
    return _sendable(f"{type(error).__name__}: {error}")


def _sendable(text: str) -> str:
    """Without lone surrogates, which a file name in an error's text may hold and JSON may not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
