import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.compression import Encodings
from zfed.errors import TaskError
from zfed.nodes.member_words import Work, WorkDone, WorkRaised
from zfed.nodes.task_host import TaskHost
from zfed.nodes.words import EncodedVector
from zfed.params import ParameterBuffer
from zfed.partition import Partition
from zfed.task import DataSummary, EvaluateResult, Setup, Task, TrainResult

SIZE = 300
LEVELS = ("bf16", "fp16", "int8", "topk:0.1")


def delta_of(seed):
    return np.random.default_rng(seed).normal(size=SIZE).astype(np.float32)


class Drift(Task):
    """Adds to the model what the seed of its work says."""

    def prepare(self, setup):
        return DataSummary(examples=1)

    def initial_parameters(self, context):
        return {"w": np.zeros(SIZE, np.float32)}

    def train(self, parameters, context):
        return TrainResult(parameters={"w": parameters["w"] + delta_of(context.seed)}, examples=1)

    def evaluate(self, parameters, context):
        return EvaluateResult(examples=1, metrics={"sum": float(parameters["w"].sum())})


class Desk:
    """A prepared host whose link has a level, and what came of its work."""

    def __init__(self, level, task=Drift):
        self.host = TaskHost(task(), Setup(node="alice", kind="worker", partition=Partition()))
        self.layout = self.host.prepare().layout
        self.next_run(level)

    def next_run(self, level):
        self.host.enter("")
        self.upload = Encodings(self.layout).at(level)

    def do(self, number, *, seed, kind="train", encoded=None):
        model = ParameterBuffer.zeros(self.layout)
        work = Work(
            kind=kind,
            assignment=(1, number),
            seed=seed,
            parameters=model if encoded else model.read_only(),
            encoded=encoded,
            upload=self.upload,
        )
        events = []
        self.host.do(work, events.append, lambda: False)
        return events[-1]

    def sent(self, number, *, seed):
        done = self.do(number, seed=seed)
        assert isinstance(done, WorkDone), done
        return bytes(done.vectors[0].data)


def by_hand(upload, seed, residual):
    delta = ParameterBuffer.from_arrays({"w": delta_of(seed)})
    data, residual = upload.encode(delta, residual, key=seed)
    return data.tobytes(), residual


steps = st.lists(
    st.sampled_from(["keep", "drop", "rename and keep", "train again and keep", "nothing"]),
    max_size=8,
)


@pytest.mark.parametrize("level", LEVELS)
@settings(deadline=None)  # the first call compiles
@given(steps=steps)
def test_what_an_update_lost_is_part_of_the_next_one_if_and_only_if_it_was_committed(level, steps):
    desk, residual = Desk(level), None
    for number, step in enumerate(steps):
        data, lost = by_hand(desk.upload, number, residual)
        assert desk.sent(number, seed=number) == data
        assignment = (1, number)
        if step == "rename and keep":
            desk.host.rename(assignment, (2, number))
            assignment = (2, number)
        if step == "train again and keep":
            desk.host.drop(assignment)
            assert desk.sent(number, seed=number) == data
        if step == "drop":
            desk.host.drop(assignment)
        if step.endswith("keep"):
            desk.host.keep(assignment)
            residual = lost


def test_what_was_lost_in_one_run_is_no_part_of_another():
    desk = Desk("int8")
    first = desk.sent(1, seed=7)
    desk.host.keep((1, 1))
    assert desk.sent(2, seed=7) != first
    desk.next_run("int8")
    assert desk.sent(3, seed=7) == first


def test_encoded_update_names_its_level_and_keeps_the_layout_of_its_vector():
    [delta] = Desk("int8").do(1, seed=1).vectors
    assert (delta.name, delta.encoding) == ("delta", "int8")
    assert delta.layout_digest == Desk("none").layout.digest
    assert delta.data.nbytes == SIZE + 4 * 2


def test_update_of_a_link_without_compression_is_the_vector_itself():
    [delta] = Desk("none").do(1, seed=1).vectors
    assert delta.encoding == "none"
    np.testing.assert_array_equal(np.frombuffer(delta.data, np.float32), delta_of(1))


def test_first_model_is_never_encoded():
    [model] = Desk("int8").do(1, seed=1, kind="initialize").vectors
    assert (model.encoding, model.data.nbytes) == ("none", 4 * SIZE)


def test_delta_is_what_changed_of_the_decoded_model():
    desk = Desk("none")
    encoding = Encodings(desk.layout).at("bf16")
    model = ParameterBuffer.from_arrays({"w": np.full(SIZE, 1 / 3, np.float32)})
    encoded = EncodedVector(encoding, encoding.encode_once(model, key=0).data)
    done = desk.do(1, seed=5, encoded=encoded)
    decoded = encoding.decode(encoded.data)["w"]
    assert (decoded != model["w"]).all()
    expected = (decoded + delta_of(5)) - decoded
    np.testing.assert_array_equal(np.frombuffer(done.vectors[0].data, np.float32), expected)


def test_evaluation_is_of_the_decoded_model():
    desk = Desk("none")
    encoding = Encodings(desk.layout).at("int8")
    model = ParameterBuffer.from_arrays({"w": np.ones(SIZE, np.float32)})
    encoded = EncodedVector(encoding, encoding.encode_once(model, key=0).data)
    assert desk.do(1, seed=0, kind="evaluate", encoded=encoded).metrics["sum"] == pytest.approx(SIZE)


def test_model_that_cannot_be_decoded_is_a_failure_that_names_the_tensor():
    desk = Desk("none")
    encoding = Encodings(desk.layout).at("bf16")
    bad = EncodedVector(encoding, b"\xff" * encoding.nbytes)
    raised = desk.do(1, seed=0, encoded=bad)
    assert isinstance(raised, WorkRaised)
    assert "tensor 'w'" in raised.error


def test_update_that_is_not_finite_cannot_be_encoded_and_says_so():
    class Diverging(Drift):
        def train(self, parameters, context):
            return TrainResult(parameters={"w": np.full(SIZE, np.inf, np.float32)}, examples=1)

    raised = Desk("int8", Diverging).do(1, seed=0)
    assert "tensor 'w' with its residual is inf" in raised.error


@pytest.mark.parametrize(
    ("exact", "message"),
    [
        (("v",), "'v' is to be exact, but fits no tensor"),
        ("w", "expected `array`, got `str`"),
        ([1], "expected `str`, got `int`"),
        (["w"] * 257, "length <= 256"),
    ],
)
def test_exact_tensors_that_the_task_does_not_have_are_said_at_its_start(exact, message):
    task = type("Precise", (Drift,), {"exact": exact})
    with pytest.raises(TaskError, match=f"(?i)the task's exact, a list .*{message}"):
        Desk("none", task)
