from zfed.nodes.member_words import ResultVector, WorkDone
from zfed.nodes.offers import Offers
from zfed.wire.digests import blob_of
from zfed.wire.messages import Blob, Chunk, Evaluate, Evaluated, Pull, Refused, Train, Update, Vector

BLOB = Blob(id="x", bytes=1, digest="xxh3-128:" + "0" * 32)
MODEL = Vector(name="model", layout=BLOB, data=BLOB)


def train(number, *, version=0):
    return Train(
        assignment=(1, number), round=version + 1, version=version, model=MODEL, seed=0, timeout_s=1.0
    )


def evaluate(number):
    return Evaluate(assignment=(1, number), round=1, version=1, subject="federated", model=MODEL)


def done(number):
    vector = ResultVector("delta", memoryview(b"layout"), BLOB.digest, memoryview(b"data"), BLOB.digest)
    return WorkDone(assignment=(1, number), vectors=(vector,), examples=3, steps=2, seconds=0.1, metrics={})


class Desk:
    """Offers, and what they said."""

    def __init__(self):
        self.said = []
        self.offers = Offers(lambda message, payload: self.said.append((message, payload)))

    def of(self, kind):
        return [message for message, _ in self.said if type(message) is kind]


def offered():
    desk = Desk()
    desk.offers.offer(train(1), done(1))
    return desk


def test_update_is_offered_again_on_every_session_until_it_is_settled():
    desk = offered()
    desk.offers.accepted((1, 1))
    desk.offers.offer_all()
    assert [update.assignment for update in desk.of(Update)] == [(1, 1)] * 2
    assert desk.offers.settle((1, 1))
    desk.offers.offer_all()
    assert len(desk.of(Update)) == 2


def test_result_is_told_again_until_it_is_accepted():
    desk = Desk()
    desk.offers.report(evaluate(1), done(1))
    desk.offers.offer_all()
    assert desk.offers.report_again((1, 1))
    assert len(desk.of(Evaluated)) == 3
    assert desk.offers.accepted((1, 1))
    assert not desk.offers.accepted((1, 1))
    assert not desk.offers.report_again((1, 1))


def test_update_is_an_upload_until_it_is_accepted_or_the_session_is_over():
    desk = offered()
    assert [(phase.assignment, phase.bytes) for phase in desk.offers.uploads] == [((1, 1), 4)]
    desk.offers.disconnected()
    assert desk.offers.uploads == []
    desk.offers.offer_all()
    desk.offers.accepted((1, 1))
    assert desk.offers.uploads == []


def test_order_for_what_is_here_is_answered_under_its_own_number():
    desk = offered()
    assert desk.offers.offer_again(train(9)) == (1, 1)
    assert desk.offers.offer_again(train(9)) == (1, 9)
    assert desk.offers.offer_again(train(10, version=1)) is None
    assert [phase.assignment for phase in desk.offers.uploads] == [(1, 9)]


def test_what_a_new_version_decides_is_dropped():
    desk = offered()
    desk.offers.offer(train(2, version=1), done(2))
    desk.offers.settle_before(1, (1, 0))
    assert [phase.assignment for phase in desk.offers.uploads] == [(1, 2)]
    assert len(desk.offers) == 1


def test_another_run_leaves_nothing():
    desk = offered()
    desk.offers.report(evaluate(2), done(2))
    assert desk.offers.forget() == [(1, 1)]
    desk.said.clear()
    desk.offers.offer_all()
    assert (desk.said, len(desk.offers)) == ([], 0)


def test_pull_is_answered_with_the_bytes_or_a_refusal():
    desk = Desk()
    layout = blob_of("layout", b"description")
    desk.offers.put(layout, b"description")
    assert desk.offers.answer(Pull(blob="layout", offset=4, bytes=3)) == 3
    message, payload = desk.said[-1]
    assert (message, bytes(payload)) == (Chunk(blob="layout", offset=4), b"rip")
    assert desk.offers.answer(Pull(blob="gone", offset=0, bytes=1)) == 0
    assert desk.offers.answer(Pull(blob="layout", offset=10, bytes=9)) == 0
    assert [refused.code for refused in desk.of(Refused)] == ["gone", "gone"]
    assert desk.offers.sent_bytes == 3
