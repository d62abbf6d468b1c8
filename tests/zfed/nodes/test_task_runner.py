import gc
import queue
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from zfed.errors import DataError, TaskError
from zfed.nodes.member_words import Work, WorkDone, WorkProgress, WorkRaised, WorkStopped, WorkUnsaved
from zfed.nodes.owner_limits import OwnerLimits
from zfed.nodes.state_folder import StateFolder
from zfed.nodes.task_host import MAX_METRICS_BYTES, TaskHost
from zfed.nodes.task_runner import TaskRunner
from zfed.params import ParameterBuffer, TensorKind
from zfed.partition import Partition
from zfed.simulation.fake_disk import FakeDisk
from zfed.task import DataSummary, EvaluateResult, Setup, StoppedError, Task, TrainResult

SETUP = Setup(node="alice", kind="worker", partition=Partition())


class Counting(Task):
    """Adds 1 to the model; counts its rounds in `state` and in a tensor that stays local."""

    def prepare(self, setup):
        return DataSummary(examples=10)

    def initial_parameters(self, context):
        arrays = {"w": np.zeros(3, np.float32), "mine": np.zeros(1, np.float32)}
        return ParameterBuffer.from_arrays(arrays, kinds={"mine": TensorKind.LOCAL})

    def train(self, parameters, context):
        context.state["rounds"] = context.state.get("rounds", np.zeros(1)) + 1
        trained = {"w": parameters["w"] + 1, "mine": parameters["mine"] + 1}
        metrics = {"state": context.state["rounds"][0], "mine": trained["mine"][0]}
        return TrainResult(parameters=trained, examples=10, steps=2, metrics=metrics)

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=4, metrics={"sum": parameters["w"].sum()})


def returning(**results):
    """A task whose methods return these."""

    class Returning(Counting):
        pass

    for name, result in results.items():
        setattr(Returning, name, lambda self, *args, result=result: result)
    return Returning()


class Desk:
    """A prepared host and what came of its work."""

    def __init__(self, task=None, **given):
        self.host = TaskHost(task or Counting(), SETUP, **given)
        self.layout = self.host.prepare().layout

    def do(self, number, kind="train", *, stop=False, w=0.0, version=0):
        received = ParameterBuffer.zeros(self.layout)
        received["w"][:] = w
        work = Work(kind=kind, assignment=(1, number), version=version, parameters=received.read_only())
        events = []
        self.host.do(work, events.append, lambda: stop)
        return [event for event in events if not isinstance(event, WorkProgress)][-1]


# ---- what is kept from work to work -----------------------------------------------------------------


def seen(done):
    return done.metrics["state"], done.metrics["mine"]


def test_state_and_local_tensors_count_only_once_they_are_committed():
    desk = Desk()
    assert seen(desk.do(1)) == (1, 1)
    assert seen(desk.do(2)) == (1, 1)  # nothing was committed between
    desk.host.keep((1, 2))
    assert seen(desk.do(3)) == (2, 2)


def test_state_of_refused_work_is_rolled_back():
    desk = Desk()
    desk.do(1)
    desk.host.drop((1, 1))
    desk.host.keep((1, 1))  # too late: it is gone
    assert seen(desk.do(2)) == (1, 1)


def test_state_follows_work_to_its_new_number():
    desk = Desk()
    desk.do(1)
    desk.host.rename((1, 1), (1, 5))
    desk.host.keep((1, 5))
    assert seen(desk.do(6)) == (2, 2)


def test_state_of_work_that_was_stopped_or_failed_is_never_kept():
    desk = Desk()
    assert isinstance(desk.do(1, stop=True), WorkStopped)
    desk.host.keep((1, 1))
    assert seen(desk.do(2)) == (1, 1)


class Long(Counting):
    """Takes 50 steps, ten of which are a pass over its data, unless its owner has had enough before."""

    def train(self, parameters, context):
        steps = next(step for step in range(1, 51) if step == 50 or context.should_finish(step / 10))
        return TrainResult(parameters=dict(parameters), examples=10, steps=steps)


def test_work_says_which_limit_of_the_owner_cut_it_short():
    seconds = iter(range(100))
    for limits, steps, limited in (
        (OwnerLimits(), 50, ""),
        (OwnerLimits(max_epochs=2.5), 25, "max-epochs"),
        (OwnerLimits(max_seconds=7), 7, "max-seconds"),
    ):
        desk = Desk(Long(), limits=limits, clock=lambda: next(seconds))
        done = desk.do(1)
        assert (done.steps, done.limited) == (steps, limited)


def test_local_tensors_are_never_sent():
    done = Desk().do(1)
    [delta] = done.vectors
    assert delta.data.nbytes == 3 * 4
    np.testing.assert_array_equal(np.frombuffer(delta.data, np.float32), [1, 1, 1])


def test_nothing_holds_the_model_once_the_work_is_done():
    """Held in a cycle it would stay until the garbage is collected, and each round would need new memory."""
    desk = Desk()
    model = ParameterBuffer.zeros(desk.layout).read_only()
    held = weakref.ref(model)
    work = Work(kind="train", assignment=(1, 1), parameters=model)
    gc.disable()
    try:
        desk.host.do(work, lambda event: None, lambda: False)
        del model, work
        assert held() is None
    finally:
        gc.enable()


def test_evaluation_sees_the_model_and_changes_no_state():
    desk = Desk()
    desk.do(1)
    desk.host.keep((1, 1))
    assert desk.do(2, "evaluate", w=2.0).metrics == {"sum": 6.0}
    assert seen(desk.do(3)) == (2, 2)


def test_first_model_is_a_copy_that_the_task_cannot_change_any_more():
    held = Counting().initial_parameters(None)
    done = Desk(returning(initial_parameters=held)).do(1, "initialize")
    held["w"][:] = 9
    [model] = done.vectors
    assert model.name == "model"
    assert not np.frombuffer(model.data, np.float32).any()


def test_order_decides_what_became_of_earlier_work():
    desk = Desk()
    desk.do(1)
    desk.host.settle((1, 1), 1)
    assert seen(desk.do(2, version=1)) == (2, 2)
    desk.host.settle((1, 1), 1)  # 2 started from the same version: it may still count
    desk.host.keep((1, 2))
    assert seen(desk.do(3, version=2)) == (3, 3)
    desk.host.settle((1, 2), 3)  # 3 started from an older version, and is not what counted
    desk.host.keep((1, 3))
    assert seen(desk.do(4, version=3)) == (3, 3)


def test_another_run_begins_afresh():
    desk = Desk()
    desk.do(1)
    desk.host.keep((1, 1))
    assert seen(desk.do(2)) == (2, 2)
    desk.host.enter("")
    assert seen(desk.do(1)) == (1, 1)


def test_state_that_cannot_be_kept_is_the_tasks_failure_and_the_next_work_does_not_see_it(tmp_path):
    class Odd(Counting):
        def train(self, parameters, context):
            result = super().train(parameters, context)
            context.state["words"] = np.array(["not", "numbers"])
            return result

    host = TaskHost(Odd(), SETUP, folder=StateFolder(tmp_path / "alice"))
    layout = host.prepare().layout
    host.enter("a" * 32)
    events = []
    work = Work(kind="train", assignment=(1, 1), parameters=ParameterBuffer.zeros(layout))
    host.do(work, events.append, lambda: False)
    assert "state 'words' cannot be kept on disk" in events[-1].error
    host.keep((1, 1))
    host.do(work, events.append, lambda: False)
    assert events[-1].error == events[0].error
    host.close()


def test_full_disk_holds_the_result_back_until_it_has_room():
    disk = FakeDisk()
    host = TaskHost(Counting(), SETUP, folder=StateFolder(Path("/state"), disk=disk))
    layout = host.prepare().layout
    host.enter("a" * 32)
    disk.capacity = 0
    events = []
    work = Work(kind="train", assignment=(1, 1), parameters=ParameterBuffer.zeros(layout))
    host.do(work, events.append, lambda: False)
    host.save_again((1, 1), events.append)
    assert [type(event) for event in events] == [WorkUnsaved, WorkUnsaved]
    assert "No space left" in events[0].reason
    disk.capacity = 1 << 20
    host.save_again((1, 1), events.append)
    assert isinstance(events[2], WorkDone)
    host.save_again((1, 1), events.append)
    assert len(events) == 3


def test_result_that_was_dropped_is_not_saved_again():
    disk = FakeDisk()
    host = TaskHost(Counting(), SETUP, folder=StateFolder(Path("/state"), disk=disk))
    layout = host.prepare().layout
    host.enter("a" * 32)
    disk.capacity = 0
    events = []
    host.do(
        Work(kind="train", assignment=(1, 1), parameters=ParameterBuffer.zeros(layout)),
        events.append,
        lambda: False,
    )
    host.drop((1, 1))
    host.save_again((1, 1), events.append)
    assert len(events) == 1


def test_folder_that_another_process_holds_fails_the_work_with_the_remedy(tmp_path):
    def begun():
        host = TaskHost(Counting(), SETUP, folder=StateFolder(tmp_path / "alice"))
        layout = host.prepare().layout
        host.enter("a" * 32)
        events = []
        work = Work(kind="train", assignment=(1, 1), parameters=ParameterBuffer.zeros(layout))
        host.do(work, events.append, lambda: False)
        return host, events[-1]

    first, done = begun()
    second, raised = begun()
    assert isinstance(done, WorkDone)
    assert "choose another --name or --state" in raised.error
    first.close()
    third, done = begun()
    assert isinstance(done, WorkDone)
    for host in (second, third):
        host.close()


# ---- tasks that break their contract -------------------------------------------------------------------

GOOD = Counting().initial_parameters(None)
MANY = {f"m{number}": {str(label): label for label in range(4000)} for number in range(20)}


@pytest.mark.parametrize(
    ("results", "kind", "message"),
    [
        ({"train": None}, "train", "train returned NoneType, expected a TrainResult"),
        ({"evaluate": 3}, "evaluate", "evaluate returned int, expected an EvaluateResult"),
        ({"train": TrainResult(parameters={}, examples=1)}, "train", "'w'"),
        ({"train": TrainResult(parameters={**GOOD, "x": 1.0}, examples=1)}, "train", "'x'"),
        ({"train": TrainResult(parameters=GOOD, examples=0)}, "train", "is 0, allowed are 1 to 10"),
        (
            {"train": TrainResult(parameters=GOOD, examples=11)},
            "train",
            "is 11, allowed are 1 to 10",
        ),
        ({"train": TrainResult(parameters=GOOD, examples=2.5)}, "train", "expected a whole number"),
        ({"train": TrainResult(parameters=GOOD, examples=1, steps=-1)}, "train", "steps is -1"),
        ({"train": TrainResult(parameters=GOOD, examples=1, metrics={"x": np.nan})}, "train", "finite"),
        ({"train": TrainResult(parameters=GOOD, examples=1, metrics=MANY)}, "train", str(MAX_METRICS_BYTES)),
        ({"train": TrainResult(parameters=GOOD, examples=1, vectors={"delta": GOOD})}, "train", "'delta'"),
        ({"initial_parameters": {}}, "initialize", ""),
    ],
)
def test_result_that_cannot_be_sent_is_the_tasks_failure(results, kind, message):
    if kind == "initialize":
        desk = Desk()
        desk.host._task = returning(initial_parameters={"w": object()})
    else:
        desk = Desk(returning(**results))
    event = desk.do(1, kind)
    assert isinstance(event, WorkRaised)
    assert message in event.error


def test_exception_is_told_with_its_traceback():
    class Raising(Counting):
        def train(self, parameters, context):
            raise ValueError("no \udcff paper")

    event = Desk(Raising()).do(1)
    assert event.error == "ValueError: no \\udcff paper"
    assert "in train" in event.traceback


def test_task_that_exits_fails_instead_of_ending_its_thread():
    class Exiting(Counting):
        def train(self, parameters, context):
            sys.exit(3)

    assert Desk(Exiting()).do(1).error == "SystemExit: 3"


def test_task_that_stops_unasked_failed():
    class Lazy(Counting):
        def train(self, parameters, context):
            raise StoppedError

    assert "nobody asked" in Desk(Lazy()).do(1).error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [(DataError("no images"), DataError, "no images"), (OSError("disk"), TaskError, "OSError: disk")],
)
def test_preparing_passes_zfeds_own_errors_on_and_names_others(error, kind, message):
    class Unprepared(Counting):
        def prepare(self, setup):
            raise error

    with pytest.raises(kind, match=message):
        TaskHost(Unprepared(), SETUP).prepare()


def test_preparing_without_a_summary_is_an_error():
    with pytest.raises(TaskError, match="prepare returned NoneType, expected a DataSummary"):
        TaskHost(returning(prepare=None), SETUP).prepare()


def test_progress_is_made_sendable():
    class Talking(Counting):
        def train(self, parameters, context):
            context.report(-1, -1, loss=float("nan"), **{f"m{number}": 0.5 for number in range(300)})
            context.report(1, 2)
            return super().train(parameters, context)

    events = []
    desk = Desk(Talking())
    work = Work(kind="train", assignment=(1, 1), parameters=ParameterBuffer.zeros(desk.layout))
    desk.host.do(work, events.append, lambda: False)
    first, done = events  # the second report came too soon after the first to be read by anybody
    assert (first.done, first.total, len(first.metrics)) == (0, 0, 256)
    assert "loss" not in first.metrics
    assert isinstance(done, WorkDone)


# ---- the thread --------------------------------------------------------------------------------------------


class Patient(Counting):
    """Trains until it is asked to stop, unless `quick`."""

    quick = False

    def train(self, parameters, context):
        while not self.quick:
            if context.should_stop():
                raise StoppedError
            time.sleep(0.001)
        return super().train(parameters, context)


@pytest.fixture
def runner():
    made = TaskRunner(Patient(), SETUP)
    yield made
    assert made.close(5.0)


def begun(runner, number=1):
    prepared = runner.prepare(lambda: False)
    inbox = queue.SimpleQueue()
    work = Work(kind="train", assignment=(1, number), parameters=ParameterBuffer.zeros(prepared.layout))
    runner.start(work, inbox.put)
    return inbox


def test_stop_ends_the_work_at_hand(runner):
    inbox = begun(runner)
    runner.stop((1, 1))
    assert inbox.get(timeout=5) == WorkStopped((1, 1))


def test_the_owners_limits_reach_the_task():
    runner = TaskRunner(Long(), SETUP, limits=OwnerLimits(max_epochs=2.5))
    done = begun(runner).get(timeout=5)
    assert (done.steps, done.limited) == (25, "max-epochs")
    assert runner.close(5.0)


def test_closing_stops_the_work_at_hand():
    runner = TaskRunner(Patient(), SETUP)
    begun(runner)
    assert runner.close(5.0)


def test_close_says_if_the_task_does_not_come_back():
    release = threading.Event()

    class Deaf(Counting):
        def train(self, parameters, context):
            release.wait(10)
            return super().train(parameters, context)

    runner = TaskRunner(Deaf(), SETUP)
    begun(runner)
    assert not runner.close(0.05)
    release.set()
    assert runner.close(5.0)


def test_stop_that_came_too_late_does_not_stop_other_work_of_that_number(monkeypatch, runner):
    monkeypatch.setattr(Patient, "quick", True)
    assert isinstance(begun(runner).get(timeout=5), WorkDone)
    runner.stop((1, 1))
    assert isinstance(begun(runner).get(timeout=5), WorkDone)


def test_preparing_can_be_given_up():
    release = threading.Event()

    class Slow(Counting):
        def prepare(self, setup):
            release.wait(10)
            return super().prepare(setup)

    runner = TaskRunner(Slow(), SETUP)
    assert runner.prepare(lambda: True) is None
    release.set()
    assert runner.close(5.0)


def test_error_of_preparing_is_raised_where_it_was_asked_for():
    class Unprepared(Counting):
        def prepare(self, setup):
            raise DataError("no images")

    runner = TaskRunner(Unprepared(), SETUP)
    with pytest.raises(DataError, match="no images"):
        runner.prepare(lambda: False)
    assert runner.close(5.0)


def test_a_task_that_holds_nothing_out_refuses_to():
    setup = Setup(node="alice", kind="worker", partition=Partition(), holdout=0.1)
    with pytest.raises(TaskError, match=r"--holdout is 0.1, but this task holds no examples out"):
        TaskHost(Counting(), setup).prepare()


def test_a_tasks_rules_of_merging_are_checked_before_the_node_connects():
    task = Counting()
    task.merge = {"sum": "sum", "loss": "mean"}
    assert TaskHost(task, SETUP).prepare().merge == {"sum": "sum"}
    task.merge = {"sum": "product"}
    with pytest.raises(TaskError, match="merge of 'sum' is 'product'"):
        TaskHost(task, SETUP).prepare()


# ---- readiness --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "unready"),
    [
        (True, ""),
        (False, "its task says so"),
        ("on battery", "on battery"),
        ("", "its task says so"),
        (None, "its task says so"),
    ],
)
def test_a_task_says_whether_it_is_ready_and_may_say_why_not(answer, unready):
    assert TaskHost(returning(ready=answer), SETUP).unready() == unready


def test_a_task_that_says_nothing_is_ready():
    assert TaskHost(Counting(), SETUP).unready() == ""


def test_a_task_that_fails_to_say_is_not_ready():
    class Failing(Counting):
        def ready(self):
            raise OSError("no such sensor")

    expected = "its task could not say whether it is ready: OSError: no such sensor"
    assert TaskHost(Failing(), SETUP).unready() == expected


def test_a_task_is_asked_in_its_own_thread():
    class Asked(Counting):
        def ready(self):
            return threading.current_thread().name

    answers = queue.Queue()
    runner = TaskRunner(Asked(), SETUP)
    runner.ask_ready(answers.put)
    assert answers.get(timeout=30) == "zfed-task"
    assert runner.close(30.0)


def test_a_task_that_keeps_no_root_examples_apart_refuses_to():
    setup = Setup(node="eva", kind="evaluator", partition=Partition(), root_examples=10)
    with pytest.raises(TaskError, match=r"--root-examples is 10, but this task keeps none apart"):
        TaskHost(Counting(), setup).prepare()


def test_an_evaluator_that_keeps_no_root_examples_trains_on_none_of_its_test_data():
    host = TaskHost(Counting(), Setup(node="eva", kind="evaluator", partition=Partition()))
    told, model = [], ParameterBuffer.zeros(host.prepare().layout)
    work = Work(kind="train", assignment=(1, 1), round=1, version=0, seed=0, parameters=model)
    host.do(work, told.append, lambda: False)
    [raised] = told
    assert "start it with --root-examples 100" in raised.error


def test_a_worker_that_evaluates_more_than_it_holds_out_is_stopped_at_home():
    task = Counting()
    task.prepare = lambda setup: DataSummary(examples=10, held_out=3)
    desk = Desk(task)
    assert "examples is 4, allowed are 1 to 3" in desk.do(1, "evaluate").error


def test_a_worker_evaluates_with_the_tensors_that_stay_with_it():
    task = Counting()
    task.evaluate = lambda parameters, context: EvaluateResult(
        examples=1, metrics={"mine": parameters["mine"][0]}
    )
    desk = Desk(task)
    desk.do(1)
    assert desk.do(2, "evaluate").metrics == {"mine": 0}  # what it trained does not count yet
    desk.host.keep((1, 1))
    assert desk.do(3, "evaluate").metrics == {"mine": 1}
