from zfed.nodes.late_orders import LateOrders
from zfed.wire.messages import Blob, Evaluate, Train, Vector

BLOB = Blob(id="x", bytes=1, digest="xxh3-128:" + "0" * 32)
MODEL = Vector(name="model", layout=BLOB, data=BLOB)


def train(number):
    return Train(assignment=(1, number), round=1, version=0, model=MODEL, seed=0, timeout_s=1.0)


def evaluate(number):
    return Evaluate(assignment=(1, number), round=1, version=1, subject="federated", model=MODEL)


def test_training_of_an_older_number_is_late_and_of_the_same_number_is_not():
    late = LateOrders()
    assert [late.heard(train(number)) for number in (3, 5, 5, 3)] == [False, False, False, True]


def test_evaluations_may_be_asked_for_in_any_order_until_they_are_settled():
    late = LateOrders()
    assert not any(late.heard(evaluate(number)) for number in (5, 3, 5))
    late.settle((1, 5))
    assert late.heard(evaluate(5))
    assert not late.heard(evaluate(3))


def test_what_is_settled_before_it_is_asked_for_heard():
    late = LateOrders()
    late.settle((1, 5))
    assert late.heard(train(5))
