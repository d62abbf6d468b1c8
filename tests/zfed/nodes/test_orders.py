import numpy as np
import pytest

from tests.zfed.simulation.simulated import configured
from zfed.compression import Encodings
from zfed.engine import AskEvaluate, AskTrain
from zfed.nodes.coordinator_words import EncodeModel, ModelEncoded, Served
from zfed.nodes.model_shelf import ModelShelf
from zfed.nodes.orders import Orders
from zfed.params import ParameterBuffer
from zfed.wire.digests import blob_of
from zfed.wire.messages import Evaluate, Train

MODEL = ParameterBuffer.from_arrays({"w": np.arange(8, dtype=np.float32)})
INT8 = Encodings(MODEL.layout).at("int8")
BF16 = Encodings(MODEL.layout).at("bf16")


def served(name, data=b"x" * 12):
    return Served(blob_of(name, data), memoryview(data), memoryview(data))


@pytest.fixture
def shelf():
    shelf = ModelShelf()
    shelf.describe(MODEL.layout)
    shelf.serve_version(3, served("model:3"))
    shelf.serve_own_model(3, "bob", served("update:3:bob"))
    return shelf


@pytest.fixture
def orders(shelf):
    return Orders(configured(seed=4), shelf)


def train(node="alice", number=1, version=3):
    return AskTrain(node=node, assignment=(1, number), round=4, version=version, evaluated=False)


def evaluate(subject="federated", number=9):
    return AskEvaluate(node="eve", assignment=(1, number), round=3, version=3, subject=subject)


def encoded(job):
    return ModelEncoded(job.version, job.encoding.level, served(f"model:{job.version}:{job.encoding.level}"))


def test_order_of_an_exact_link_names_the_model_as_it_is(orders):
    order = orders.write(train(), None)
    assert isinstance(order, Train)
    assert (order.model.encoding, order.model.data.id) == ("none", "model:3")


def test_order_names_the_metrics_that_the_strategy_needs(shelf):
    order = Orders(configured(), shelf, ("loss_before",)).write(train(), None)
    assert order.wants == ["loss_before"]


def test_order_waits_until_its_model_is_encoded_and_then_names_that(orders):
    job = orders.write(train(), INT8)
    assert isinstance(job, EncodeModel)
    assert (job.version, job.encoding) == (3, INT8)
    [ask] = orders.ready(encoded(job))
    order = orders.write(ask, INT8)
    assert (order.model.encoding, order.model.data.id) == ("int8", "model:3:int8")
    assert order.model.layout.digest == MODEL.layout.digest


def test_version_is_encoded_once_for_all_links_of_a_level(orders):
    jobs = [orders.write(train(f"w{number}", number), INT8) for number in range(3)]
    assert [type(job) for job in jobs] == [EncodeModel, type(None), type(None)]
    assert isinstance(orders.write(train("other", 7), BF16), EncodeModel)
    assert [ask.assignment for ask in orders.ready(encoded(jobs[0]))] == [(1, 0), (1, 1), (1, 2)]
    assert isinstance(orders.write(train("late", 8), INT8), Train)


def test_version_has_the_same_key_however_often_it_is_encoded_and_no_other_has_it(orders, shelf):
    job = orders.write(train(), INT8)
    assert orders.broadcast(3, BF16).key == job.key
    shelf.serve_version(4, served("model:4"))
    assert orders.write(train(version=4), INT8).key != job.key


def test_order_that_was_cancelled_meanwhile_is_not_sent(orders):
    job = orders.write(train(number=1), INT8)
    orders.write(train("bob", 2), INT8)
    orders.cancel((1, 1))
    assert [ask.assignment for ask in orders.ready(encoded(job))] == [(1, 2)]


def test_version_that_is_not_served_any_more_is_not_served_encoded(orders, shelf):
    job = orders.write(train(), INT8)
    shelf.keep_versions({4})
    assert orders.ready(encoded(job)) == []
    assert not shelf.has(3, "int8")


def test_encoded_versions_go_with_the_exact_one(orders, shelf):
    orders.ready(encoded(orders.write(train(), INT8)))
    assert shelf.has(3, "int8")
    shelf.keep_versions({3})
    assert shelf.has(3, "int8")
    shelf.keep_versions({4})
    assert not shelf.has(3, "int8")


def test_evaluators_own_level_holds_for_the_federated_model_and_workers_own_stay_exact(orders):
    job = orders.write(evaluate(), BF16)
    [ask] = orders.ready(encoded(job))
    assert orders.write(ask, BF16).model.encoding == "bf16"
    own = orders.write(evaluate("bob"), BF16)
    assert isinstance(own, Evaluate)
    assert (own.model.encoding, own.model.data.id) == ("none", "update:3:bob")
