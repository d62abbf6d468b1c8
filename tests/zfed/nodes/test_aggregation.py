import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.checkpoint.limits import largest_file
from tests.zfed.simulation.simulated import run_directory
from tests.zfed.strategies.contributions import contribution
from zfed.checkpoint import RunDirectory, read_model
from zfed.engine import EvaluationDone, Fold, OpenRound
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.coordinator_words import (
    BeginRound,
    CommitVersion,
    DropUpdates,
    EvaluationRecorded,
    EvaluationUnwritten,
    FirstModelFailed,
    FirstModelReady,
    FoldUpdate,
    InstallFirstModel,
    LineUnwritten,
    ReadFirstModel,
    RecordEvaluation,
    UpdateFolded,
    VersionReady,
    VersionUnwritten,
    WriteJournal,
)
from zfed.params import ParameterBuffer, ParameterLayout, TensorKind
from zfed.strategies import NO_NORM_LIMIT
from zfed.strategies.grid import choose_grid
from zfed.strategies.mean import FedAvg

MODEL = ParameterBuffer.from_arrays(
    {"w": np.array([1.0, 2.0, 3.0], np.float32), "fixed": np.array([7.0])},
    kinds={"fixed": TensorKind.FROZEN},
)


def delta(*values):
    return ParameterBuffer.filled(MODEL.layout.moving, {"w": np.array(values, np.float32)})


def whole(part):
    return [(0, part.data.data)]


class Round:
    """An aggregation with its first model, in a directory in memory."""

    def __init__(self, directory, strategy=None):
        self.aggregation = Aggregation(directory, strategy or FedAvg())
        install = InstallFirstModel(MODEL.layout, "alice", whole(MODEL.moving), whole(MODEL.frozen))
        self.ready = self.aggregation.perform(install)

    def open(self, weights, version=0):
        opened = OpenRound(
            round=version + 1,
            attempt=1,
            version=version,
            parts=(),
            goal=0,
            updates=0,
            grid=choose_grid(weights, 64.0),
            value_range=64.0,
            max_norm=NO_NORM_LIMIT,
        )
        self.aggregation.perform(BeginRound(opened))

    def fold(self, node, update, weight, *, keep=False):
        fold = Fold(node=node, assignment=(1, 1), round=1, update=contribution(weight, node), keep=keep)
        return self.aggregation.perform(FoldUpdate(fold, whole(update)))

    def commit(self, version=1):
        facts = {"round": version, "value_range": 64.0, "workers": [], "assignments": [], "evaluations": []}
        return self.aggregation.perform(CommitVersion(version, facts))


@pytest.fixture
def opened():
    with run_directory() as directory:
        yield Round(directory)


def test_first_model_is_version_0_on_disk_in_memory_and_as_offered(opened):
    ready = opened.ready
    assert isinstance(ready, FirstModelReady)
    assert ready.source == "alice"
    assert bytes(ready.model.memory) == bytes(ready.model.mapped) == MODEL.moving.data.tobytes()
    assert ready.model.blob.bytes == MODEL.layout.moving.nbytes
    assert bytes(ready.frozen.memory) == MODEL.frozen.data.tobytes()
    on_disk = read_model(opened.aggregation.directory.model_path(0))
    assert on_disk["fixed"] == 7.0


def test_commit_adds_the_weighted_mean_and_publishes_what_is_on_disk(opened):
    opened.open([1.0, 3.0])
    assert isinstance(opened.fold("alice", delta(4, 0, -4), 1.0), UpdateFolded)
    opened.fold("bob", delta(0, 4, 4), 3.0)
    ready = opened.commit()
    assert isinstance(ready, VersionReady)
    assert opened.aggregation.strategy.largest_delta == 3.0
    np.testing.assert_array_equal(opened.aggregation.model["w"], np.float32([2, 5, 5]))
    np.testing.assert_array_equal(read_model(opened.aggregation.directory.model_path(1))["w"], [2, 5, 5])
    assert bytes(ready.model.memory) == bytes(ready.model.mapped)


def test_published_version_does_not_change_when_the_next_one_is_made(opened):
    served = bytes(opened.ready.model.memory)
    opened.open([1.0])
    opened.fold("alice", delta(1, 1, 1), 1.0)
    opened.commit()
    assert bytes(opened.ready.model.memory) == served


def test_round_opened_again_forgets_what_was_folded(opened):
    opened.open([1.0])
    opened.fold("alice", delta(9, 9, 9), 1.0)
    opened.open([1.0])
    opened.fold("alice", delta(1, 0, 0), 1.0)
    opened.commit()
    np.testing.assert_array_equal(opened.aggregation.model["w"], np.float32([2, 2, 3]))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(-60, 60, width=32), st.floats(0.5, 1000)), min_size=2, max_size=4))
def test_order_of_folding_changes_no_bit_and_the_mean_is_right(updates):
    weights = [weight for _, weight in updates]
    models = set()
    for order in list(permutations(updates))[:6]:
        with run_directory() as directory:
            opened = Round(directory)
            opened.open(weights)
            for value, weight in order:
                opened.fold("x", delta(value, 0, 0), weight)
            opened.commit()
            models.add(opened.aggregation.model.data.tobytes())
    assert len(models) == 1
    mean = math.fsum(value * weight for value, weight in updates) / math.fsum(weights)
    assert opened.aggregation.model["w"][0] == pytest.approx(1 + mean, rel=1e-6, abs=1e-5)


def test_workers_own_model_is_kept_in_a_file_until_it_is_dropped(opened):
    opened.open([1.0])
    folded = opened.fold("alice", delta(1, 1, 1), 1.0, keep=True)
    assert bytes(folded.own.memory) == np.float32([2, 3, 4]).tobytes()
    path = opened.aggregation.directory.update_path(1, "alice")
    assert path.exists()
    opened.aggregation.perform(DropUpdates(2))
    assert path.exists()
    opened.aggregation.perform(DropUpdates(1))
    assert not path.exists()


def test_first_model_may_come_from_a_file(opened, tmp_path):
    path = opened.aggregation.finish()
    with run_directory() as directory:
        aggregation = Aggregation(directory, FedAvg(), initial=path)
        ready = aggregation.perform(ReadFirstModel(MODEL.layout))
        assert ready.source == str(path)
        assert bytes(ready.model.memory) == MODEL.moving.data.tobytes()


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"])
def test_file_that_is_no_model_is_said_with_its_name(tmp_path, content):
    path = tmp_path / "first.safetensors"
    path.write_bytes(content)
    with run_directory() as directory:
        aggregation = Aggregation(directory, FedAvg(), initial=path)
        failed = aggregation.perform(ReadFirstModel(MODEL.layout))
    assert isinstance(failed, FirstModelFailed)
    assert failed.node == ""
    assert failed.reason.startswith(f"--initial {path}: ")


def test_file_of_another_model_is_said_by_its_first_tensor(opened):
    other = ParameterBuffer.from_arrays({"w": np.zeros(4, np.float32), "fixed": np.zeros(1)}).layout
    path = opened.aggregation.finish()
    with run_directory() as directory:
        failed = Aggregation(directory, FedAvg(), initial=path).perform(ReadFirstModel(other))
    assert "'w'" in failed.reason


def test_version_that_the_disk_has_no_room_for_is_made_once_and_written_later(opened):
    opened.open([1.0])
    opened.fold("alice", delta(1, 1, 1), 1.0)
    for _ in range(2):
        with largest_file(16):
            failed = opened.commit()
        assert isinstance(failed, VersionUnwritten)
        np.testing.assert_array_equal(opened.aggregation.model["w"], MODEL["w"])
        assert not opened.aggregation.directory.model_path(1).exists()
    assert isinstance(opened.commit(), VersionReady)
    np.testing.assert_array_equal(opened.aggregation.model["w"], MODEL["w"] + 1)
    opened.open([1.0])
    opened.fold("alice", delta(1, 1, 1), 1.0)
    opened.commit(2)
    np.testing.assert_array_equal(opened.aggregation.model["w"], MODEL["w"] + 2)


def test_update_counts_though_the_disk_has_no_room_for_the_workers_own_model(opened):
    opened.open([1.0])
    with largest_file(16):
        folded = opened.fold("alice", delta(1, 1, 1), 1.0, keep=True)
    assert (folded.own, folded.digest) == (None, "")
    assert "bytes are needed" in folded.problem
    opened.commit()
    np.testing.assert_array_equal(opened.aggregation.model["w"], MODEL["w"] + 1)


def test_line_that_the_disk_has_no_room_for_is_said_and_the_next_one_is_written(opened):
    line = WriteJournal({"event": "joined", "node": "alice"})
    with largest_file(16):
        assert isinstance(opened.aggregation.perform(line), LineUnwritten)
    assert opened.aggregation.perform(line) is None


def test_evaluation_is_recorded_or_said_not_to_be(opened):
    done = EvaluationDone(node="eva", assignment=(1, 2), examples=3, metrics={})
    job = RecordEvaluation(done, {"event": "evaluated", "round": 1})
    with largest_file(16):
        assert isinstance(opened.aggregation.perform(job), EvaluationUnwritten)
    assert opened.aggregation.perform(job) == EvaluationRecorded(done)


def test_journal_line_is_written_in_its_turn(opened):
    opened.aggregation.perform(WriteJournal({"event": "joined", "node": "alice"}))
    journal = (opened.aggregation.directory.path / "journal.jsonl").read_text()
    assert "joined" in journal.splitlines()[-1]


class Counting(FedAvg):
    """Sends the number of versions it made beside the model."""

    def start(self, model):
        super().start(model)
        self._state = {**self._state, "made": np.zeros(1)}

    def finish_into(self, new, model, done):
        made = self._state["made"] + 1
        super().finish_into(new, model, done)
        self._state = {**self._state, "made": made}

    @property
    def vectors(self):
        return {"control": ParameterBuffer.from_arrays({"made": self._state["made"]})}


def test_vectors_of_the_strategy_are_served_beside_each_version_and_the_same_on_resume():
    with run_directory() as directory:
        opened = Round(directory, Counting())
        assert bytes(opened.ready.model.vectors["control"].memory) == np.float64([0]).tobytes()
        opened.open([1.0])
        opened.fold("alice", delta(1, 1, 1), 1.0)
        committed = opened.commit().model.vectors["control"]
        assert bytes(committed.memory) == np.float64([1]).tobytes()
        assert committed.data.id == "vector:1:control"
        assert ParameterLayout.from_bytes(committed.description).tensor("made").shape == (1,)
        directory.close()
        with RunDirectory.resume(directory.path) as again:
            resumed = Aggregation(again, Counting()).restore().model.vectors["control"]
    assert (resumed.layout, resumed.data) == (committed.layout, committed.data)
    assert bytes(resumed.memory) == bytes(committed.memory)


def test_run_without_a_model_has_none_to_write():
    with run_directory() as directory:
        assert Aggregation(directory, FedAvg()).finish() is None
