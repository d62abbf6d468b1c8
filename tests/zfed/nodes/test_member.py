import re
import socket
import threading
import time

import numpy as np
import pytest

from tests.zfed.simulation.simulated import Steps
from zfed.config import NodeConfig
from zfed.errors import DataError, TaskError, UsageError
from zfed.facts import NodeStarted, ReadinessChanged
from zfed.nodes.evaluator import Evaluator
from zfed.nodes.worker import Worker
from zfed.task import DataSummary


class Labelled(Steps):
    def prepare(self, setup):
        super().prepare(setup)
        return DataSummary(examples=5, label_counts={"0": 2, "1": 3}, classes=2)


class HeldOut(Evaluator):
    """An evaluator whose task keeps some of its five examples apart."""

    def __init__(self, config, *, task, observer):
        super().__init__(config, task=Split(), observer=observer)


class Split(Steps):
    def prepare(self, setup):
        training, held_out = setup.hold_out(np.arange(5))
        return DataSummary(examples=len(training), held_out=len(held_out))


def started(kind=Worker, **config):
    """What a node tells at its start; its coordinator is never there."""
    facts = []
    node = kind(
        NodeConfig(
            **{
                "name": "alice",
                "insecure": True,
                "connect": "tcp://127.0.0.1:1",
                "connect_timeout_s": 0.05,
                **config,
            }
        ),
        task=Labelled(),
        observer=facts.append,
    )
    ended = node.run()
    assert ended.status == "failed"
    return next(fact for fact in facts if isinstance(fact, NodeStarted))


@pytest.fixture(scope="module")
def plain_start():
    return started()


def test_worker_says_exactly_what_of_its_data_leaves_the_machine(plain_start):
    assert plain_start.leaving == [
        "number of examples: 5",
        "partition: all",
        "number of classes: 2",
        "each round: the change of the model, examples used, steps, time, training metrics",
    ]


def test_worker_that_shares_its_label_counts_says_so():
    assert "examples per label, because of --share-label-counts" in started(share_label_counts=True).leaving


def test_evaluator_says_that_evaluations_leave_the_machine():
    assert started(Evaluator).leaving[-1] == "each evaluation: examples used, time, and evaluation metrics"


def test_evaluator_that_has_root_examples_says_what_of_them_leaves_the_machine():
    assert started(HeldOut, root_examples=2).leaving == [
        "number of examples: 2",
        "number of examples held out for evaluation: 3",
        "if the strategy asks, each round: the change of the model on its root examples",
        "each evaluation: examples used, time, and evaluation metrics",
    ]


def test_own_label_counts_are_shown_at_the_node_itself(plain_start):
    assert plain_start.label_counts == {"0": 2, "1": 3}


@pytest.mark.parametrize("name", ["a b", "-a", "ä", "a\n", "x" * 65, "../etc"])
def test_name_that_cannot_be_is_refused_with_the_rule(name):
    with pytest.raises(UsageError, match="choose one with --name"):
        Worker(NodeConfig(name=name, insecure=True), task=Steps())


def test_name_of_the_host_is_the_default():
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", socket.gethostname()):
        Worker(NodeConfig(insecure=True), task=Steps())


def test_node_without_data_says_so_before_it_connects():
    class Empty(Steps):
        examples = 0

    worker = Worker(NodeConfig(name="alice", insecure=True, labels="7"), task=Empty())
    with pytest.raises(DataError, match=r"alice has no examples.*labels 7"):
        worker.run()


def test_task_that_cannot_be_prepared_ends_the_node():
    class Unprepared(Steps):
        def prepare(self, setup):
            raise OSError("no disk")

    with pytest.raises(TaskError, match="OSError: no disk"):
        Worker(NodeConfig(name="alice", insecure=True), task=Unprepared()).run()


def test_stop_before_the_start_ends_the_node_as_stopped():
    worker = Worker(NodeConfig(name="alice", insecure=True), task=Steps())
    worker.stop("changed my mind")
    ended = worker.run()
    assert (ended.status, ended.reason) == ("stopped", "changed my mind")


def test_address_that_is_none_is_refused_before_any_data_are_loaded():
    with pytest.raises(UsageError, match="expected tcp://HOST:PORT"):
        Worker(NodeConfig(name="alice", insecure=True, connect="tcp://127.0.0.1:1,nonsense"), task=Steps())


def test_a_node_with_tags_and_hours_says_that_both_leave_the_machine():
    leaving = started(tag="gpu,site=a", available="sat").leaving
    assert "its tags: gpu, site=a" in leaving
    assert "whether this node can work now, and if not, why" in leaving


def test_a_task_that_says_when_it_is_ready_is_asked():
    class Choosy(Labelled):
        def ready(self):
            return "no network"

    facts = []
    config = NodeConfig(name="alice", insecure=True, connect="tcp://127.0.0.1:1", ready_every_s=0.01)
    node = Worker(config, task=Choosy(), observer=facts.append)
    thread = threading.Thread(target=node.run)
    thread.start()
    while not (said := [fact for fact in facts if isinstance(fact, ReadinessChanged)]):
        time.sleep(0.01)
    node.stop("enough")
    thread.join()
    assert said[0].unready == "no network"
