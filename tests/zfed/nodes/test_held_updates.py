from zfed.nodes.held_updates import HeldUpdates
from zfed.nodes.member_words import ResultVector, WorkDone
from zfed.wire.messages import Blob, Initialize, Pull, Train, Vector
from zfed.wire.transfer import Shelf

BLOB = Blob(id="x", bytes=1, digest="xxh3-128:" + "0" * 32)


def train(number, *, round=1, version=0, data=BLOB):
    model = Vector(name="model", layout=BLOB, data=data)
    return Train(
        assignment=(1, number),
        round=round,
        version=version,
        model=model,
        seed=0,
        timeout_s=1.0,
    )


def done(number):
    vector = ResultVector("delta", memoryview(b"layout"), "l", memoryview(b"data"), "d")
    return WorkDone(assignment=(1, number), vectors=(vector,), examples=3, steps=2, seconds=0.1, metrics={})


def held():
    shelf = Shelf()
    return shelf, HeldUpdates(shelf)


def pulled(shelf, blob):
    data = shelf.take(Pull(blob=blob.id, offset=0, bytes=blob.bytes))
    return None if data is None else bytes(data)


def test_held_update_can_be_pulled_until_it_is_settled():
    shelf, updates = held()
    update = updates.hold(train(1), done(1))
    [vector] = update.vectors
    assert (pulled(shelf, vector.layout), pulled(shelf, vector.data)) == (b"layout", b"data")
    assert list(updates) == [update]
    assert updates.settle((1, 1))
    assert not updates.settle((1, 1))
    assert pulled(shelf, vector.data) is None
    assert list(updates) == []


def test_update_of_the_same_round_and_version_is_found_under_any_number():
    _, updates = held()
    update = updates.hold(train(1, round=4, version=3), done(1))
    assert updates.find(train(9, round=4, version=3)) == update
    assert updates.find(train(9, round=5, version=3)) is None
    assert updates.find(train(9, round=4, version=4)) is None


def test_update_from_another_model_of_the_same_version_is_not_found():
    _, updates = held()
    updates.hold(train(1, round=4, version=3), done(1))
    other = Blob(id="x", bytes=1, digest="xxh3-128:" + "1" * 32)
    assert updates.find(train(9, round=4, version=3, data=other)) is None


def test_renamed_update_keeps_its_bytes_and_its_round():
    shelf, updates = held()
    first = updates.hold(train(1, round=4), done(1))
    second = updates.rename((1, 1), (1, 9))
    assert (second.assignment, second.vectors) == ((1, 9), first.vectors)
    assert (updates.round_of((1, 9)), updates.round_of((1, 1))) == (4, 0)
    assert not updates.settle((1, 1))
    assert pulled(shelf, first.vectors[0].data) == b"data"
    assert updates.settle((1, 9))
    assert pulled(shelf, first.vectors[0].data) is None


def test_order_settles_the_update_that_counted_and_those_of_older_versions():
    shelf, updates = held()
    older = updates.hold(train(1, round=3, version=2), done(1))
    updates.hold(train(2, round=4, version=3), done(2))
    same = updates.hold(train(3, round=4, version=3), done(3))
    assert set(updates.settle_before(3, (1, 2))) == {(1, 1), (1, 2)}
    assert list(updates) == [same]
    assert pulled(shelf, older.vectors[0].data) is None
    assert updates.settle_before(3, (1, 2)) == []


def test_first_model_is_never_taken_for_a_rounds_update():
    _, updates = held()
    updates.hold(Initialize(assignment=(1, 1), seed=0), done(1))
    assert updates.find(train(2, round=1, version=0)) is None
