import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.wire.credit import SMALL_CHUNK_BYTES
from zfed.wire.messages import MAX_CHUNK_BYTES
from zfed.wire.pacing import BURST_S, Pacer

KIB = 1 << 10


@dataclass(eq=False)
class Pile:
    """A flow: pieces that wait to be sent."""

    sent: list
    pieces: list = field(default_factory=list)

    def send_next(self, now):
        if not self.pieces:
            return 0
        self.sent.append((now, self, self.pieces[0]))
        return self.pieces.pop(0)

    @property
    def given(self):
        return sum(size for _, pile, size in self.sent if pile is self)


def wake(pacer, until):
    """Wake the pacer whenever it wants to be; returns the last time."""
    now = 0.0
    while (due := pacer.next_wake) <= until and math.isfinite(due):
        now = max(now, due)
        pacer.run(now)
    return now


def test_without_a_limit_all_is_sent_at_once():
    sent = []
    pacer, pile = Pacer(), Pile(sent, [MAX_CHUNK_BYTES] * 100)
    pacer.join(pile, 0.0)
    assert len(sent) == 100
    assert (pacer.next_wake, pacer.largest) == (math.inf, MAX_CHUNK_BYTES)


def test_pieces_are_as_far_apart_as_their_bytes_take():
    sent = []
    pacer, pile = Pacer(1000.0), Pile(sent, [125] * 30)
    pacer.join(pile, 5.0)
    wake(pacer, 100.0)
    assert [now for now, _, _ in sent] == pytest.approx([5.0 + 0.125 * n for n in range(30)])
    assert pacer.next_wake == math.inf


def test_a_pace_that_was_woken_late_catches_up_a_moments_bytes():
    sent = []
    pacer, pile = Pacer(1000.0), Pile(sent, [50] * 100)
    pacer.join(pile, 0.0)
    pacer.run(0.2)
    assert pile.given == 50 + 200
    pacer.run(10.0)
    assert 0 <= pile.given - 250 - 1000 * BURST_S <= 50


def test_a_pace_that_was_not_used_saves_nothing():
    sent = []
    pacer, pile = Pacer(1000.0), Pile(sent, [50])
    pacer.join(pile, 0.0)
    wake(pacer, 1.0)
    pile.pieces += [50] * 10
    pacer.join(pile, 60.0)
    assert [now for now, _, _ in sent] == [0.0, 60.0]


@pytest.mark.parametrize(
    ("rate", "largest"), [(1.0, 4 * KIB), (200e3, 12 * KIB), (1e6, 60 * KIB), (1e9, MAX_CHUNK_BYTES)]
)
def test_a_piece_is_about_as_large_as_a_moments_bytes(rate, largest):
    assert Pacer(rate).largest == largest


rates = st.floats(1.0, 1e9)
piles = st.lists(st.lists(st.integers(1, MAX_CHUNK_BYTES), min_size=1, max_size=20), min_size=1, max_size=6)


@given(rates, piles, st.lists(st.floats(0.0, 2.0), max_size=60))
def test_no_span_of_time_sees_more_than_its_share_a_burst_and_a_piece(rate, sizes, pauses):
    """However late or early the pacer is woken."""
    sent, now = [], 0.0
    pacer, flows = Pacer(rate), [Pile(sent, list(pieces)) for pieces in sizes]
    for index, pause in enumerate([*pauses, *[3.0] * 20]):
        now += pause * SMALL_CHUNK_BYTES / rate
        pacer.join(flows[index % len(flows)], now)
    for first, (start, _, _) in enumerate(sent):
        moved = 0
        for end, _, size in sent[first:]:
            moved += size
            most = max(size for _, _, size in sent)
            assert moved <= (rate * (end - start + BURST_S) + most) * (1 + 1e-9)


@given(rates, piles)
def test_no_time_is_lost_while_something_waits(rate, sizes):
    sent = []
    pacer = Pacer(rate)
    for pieces in sizes:
        pacer.join(Pile(sent, list(pieces)), 0.0)
    last = wake(pacer, math.inf)
    total = sum(map(sum, sizes))
    assert sum(size for _, _, size in sent) == total
    assert last <= total / rate * (1 + 1e-6)


@given(rates, st.lists(st.integers(1, MAX_CHUNK_BYTES), min_size=2, max_size=6))
def test_flows_that_wait_get_the_same_bytes_within_a_piece_of_each(rate, sizes):
    """Whatever the size of their pieces: a peer that pulls large chunks gets no more for it."""
    sent = []
    pacer = Pacer(rate)
    flows = [Pile(sent, [size] * 200) for size in sizes]
    for flow in flows:
        pacer.join(flow, 0.0)
    before = [flow.given for flow in flows]  # the first was alone for a moment
    for _ in range(100):
        pacer.run(pacer.next_wake)
        if not all(flow.pieces for flow in flows):
            break
        given = [flow.given - first for flow, first in zip(flows, before, strict=True)]
        assert max(given) - min(given) <= 2 * max(sizes)


def test_a_flow_that_asks_for_one_piece_after_the_other_gets_no_more_for_it():
    """As a peer with a credit of one chunk: it has nothing waiting while its chunk is under way."""
    sent = []
    pacer, patient, eager = Pacer(100e3), Pile(sent, [4 * KIB] * 1000), Pile(sent)
    pacer.join(patient, 0.0)
    for _ in range(300):
        eager.pieces.append(64 * KIB)
        pacer.join(eager, pacer.next_wake)
        pacer.run(pacer.next_wake)
    assert eager.given <= patient.given + 2 * 64 * KIB


def test_a_flow_that_was_silent_gets_its_share_from_now_on_and_no_more():
    sent = []
    pacer, busy, late = Pacer(100e3), Pile(sent, [4 * KIB] * 1000), Pile(sent, [4 * KIB] * 1000)
    pacer.join(busy, 0.0)
    now = wake(pacer, 10.0)
    before = len(sent)
    pacer.join(late, now)
    wake(pacer, 11.0)
    of_late = sum(1 for _, flow, _ in sent[before:] if flow is late)
    assert abs(2 * of_late - len(sent[before:])) <= 2


def test_a_flow_that_left_is_not_asked_again():
    sent = []
    pacer, gone, other = Pacer(1000.0), Pile(sent, [100] * 10), Pile(sent, [100] * 2)
    pacer.join(gone, 0.0)
    pacer.join(other, 0.0)
    asked = gone.given
    pacer.leave(gone)
    wake(pacer, 100.0)
    assert (gone.given, other.given) == (asked, 200)
