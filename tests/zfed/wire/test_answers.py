from dataclasses import dataclass, field

from zfed.wire.answers import MOST_WAITING, Answers
from zfed.wire.messages import Pull
from zfed.wire.pacing import Pacer


def pull(offset, nbytes=100, blob="b"):
    return Pull(blob=blob, offset=offset, bytes=nbytes)


@dataclass
class Peer:
    """One peer's end: what it was answered."""

    pacer: Pacer
    held: int = 10**9
    answered: list = field(default_factory=list)

    def __post_init__(self):
        self.answers = Answers(self.pacer, self.answer)

    def answer(self, asked):
        self.answered.append(asked)
        return asked.bytes if asked.offset < self.held else 0


def test_without_a_limit_a_pull_is_answered_at_once():
    peer = Peer(Pacer())
    peer.answers.ask(pull(0), 0.0)
    assert peer.answered == [pull(0)]
    assert peer.answers.send_next(0.0) == 0


def test_pulls_are_answered_in_their_order_at_the_pace():
    peer = Peer(Pacer(1000.0))
    for number in range(5):
        peer.answers.ask(pull(number * 100), 0.0)
    assert [each.offset for each in peer.answered] == [0]
    peer.pacer.run(peer.pacer.next_wake)
    assert [each.offset for each in peer.answered] == [0, 100]


def test_a_pull_that_comes_again_keeps_its_place_and_is_answered_once():
    peer = Peer(Pacer(1000.0))
    for number in range(4):
        peer.answers.ask(pull(number * 100), 0.0)
    peer.answers.ask(pull(200, 50), 1.0)
    for now in range(2, 9):
        peer.pacer.run(float(now))
    assert peer.answered == [pull(0), pull(100), pull(200, 50), pull(300)]


def test_a_pull_of_what_is_not_held_takes_no_time_from_others():
    peer = Peer(Pacer(1000.0), held=100)
    peer.answers.ask(pull(50), 0.0)
    for number in range(1, 6):
        peer.answers.ask(pull(number * 100), 0.0)
    peer.answers.ask(pull(0), 0.0)
    peer.pacer.run(peer.pacer.next_wake)
    assert [each.offset for each in peer.answered] == [50, 100, 200, 300, 400, 500, 0]


def test_two_peers_are_answered_in_turn():
    pacer = Pacer(1000.0)
    one, two = Peer(pacer), Peer(pacer)
    for number in range(10):
        one.answers.ask(pull(number * 100), 0.0)
    for number in range(10):
        two.answers.ask(pull(number * 100), 0.0)
    for now in range(1, 9):
        pacer.run(now / 10)
    assert abs(len(one.answered) - len(two.answered)) <= 2


def test_a_peer_that_pulls_without_end_is_not_remembered_without_end():
    peer = Peer(Pacer(1000.0))
    for number in range(10 * MOST_WAITING):
        peer.answers.ask(pull(number * 100), 0.0)
    for now in range(1, 1000):
        peer.pacer.run(float(now))
    assert MOST_WAITING <= len(peer.answered) <= MOST_WAITING + 2


def test_nothing_is_sent_to_a_peer_that_is_gone():
    peer = Peer(Pacer(1000.0))
    for number in range(4):
        peer.answers.ask(pull(number * 100), 0.0)
    peer.answers.close()
    peer.pacer.run(100.0)
    assert len(peer.answered) == 1
