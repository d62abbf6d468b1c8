import heapq
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.errors import RemoteProtocolError
from zfed.wire.credit import QUEUE_S, SMALL_CHUNK_BYTES
from zfed.wire.digests import blob_of
from zfed.wire.messages import MAX_CHUNK_BYTES, Blob, Chunk, Pull
from zfed.wire.pacing import Pacer
from zfed.wire.transfer import (
    MAX_PATIENCE_S,
    REVOKE_S,
    Intake,
    Puller,
    Shelf,
    Window,
)

KIB, MIB = 1 << 10, 1 << 20
ZEROS = memoryview(bytes(MAX_CHUNK_BYTES))


def some_bytes(nbytes, seed=0):
    return bytes((seed + i * 7 + (i >> 8)) & 255 for i in range(256)) * (nbytes // 256 + 1)


@dataclass(eq=False)
class Incoming:
    """An intake that counts how often each byte was written."""

    data: bytes
    name: str = "b"
    copy: bytearray = field(init=False)
    written: list = field(default_factory=list)
    intake: Intake = field(init=False)

    def __post_init__(self):
        self.copy = bytearray(len(self.data))
        self.intake = Intake(blob_of(self.name, self.data), self.write)

    def write(self, offset, data):
        self.copy[offset : offset + len(data)] = data
        self.written.append((offset, offset + len(data)))

    def assert_arrived_once(self):
        assert self.intake.complete
        self.intake.verify()
        assert self.copy == self.data
        starts = sorted(self.written)
        assert [start for start, _ in starts] == [0, *(stop for _, stop in starts[:-1])]


@dataclass
class Bench:
    """A puller, what it asked for and has not got, and a shelf that answers."""

    window: Window = field(default_factory=Window)
    asked: list = field(default_factory=list)
    shelf: Shelf = field(default_factory=Shelf)
    puller: Puller = field(init=False)

    def __post_init__(self):
        self.puller = Puller(self.ask, self.window)

    def ask(self, pull):
        assert self.puller.under_way <= self.puller.credit.chunks
        held = self.puller.held
        assert held <= self.window.limit // 8 or self.puller.under_way == 1
        self.asked.append(pull)

    def fetch(self, data, name="b", at=0.0):
        incoming = Incoming(data, name)
        self.shelf.put(name, data)
        self.puller.start(incoming.intake, at)
        return incoming

    def answer(self, pull, at=0.0):
        data = self.shelf.take(pull)
        return self.puller.receive(Chunk(blob=pull.blob, offset=pull.offset), data, at)

    def answer_all(self, at=0.0):
        while self.asked:
            self.answer(self.asked.pop(0), at)

    def grow(self):
        """Answer at once until the largest chunks are pulled; how many were answered."""
        answered = 0
        while self.asked[0].bytes < MAX_CHUNK_BYTES:
            self.answer(self.asked.pop(0))
            answered += 1
        return answered


# ---- what is offered --------------------------------------------------------------------------------


def test_a_blob_names_its_length_and_digest():
    blob = blob_of("empty", b"")
    assert (blob.id, blob.bytes) == ("empty", 0)
    assert blob.digest == "xxh3-128:99aa06d3014798d86001c324468d497f"


def test_a_shelf_gives_a_view_of_what_was_put_there():
    shelf, data = Shelf(), b"0123456789"
    shelf.put("b", data)
    taken = shelf.take(Pull(blob="b", offset=2, bytes=3))
    assert taken == b"234"
    assert taken.obj is data
    assert taken.readonly


def test_all_of_a_blob_is_the_same_object_for_everybody():
    shelf = Shelf()
    shelf.put("b", b"0123456789")
    whole = Pull(blob="b", offset=0, bytes=10)
    assert shelf.take(whole) is shelf.take(whole)


def test_what_was_dropped_or_never_offered_is_not_given():
    shelf = Shelf()
    shelf.put("b", b"x")
    shelf.drop("b")
    shelf.drop("never there")
    assert shelf.take(Pull(blob="b", offset=0, bytes=1)) is None


@pytest.mark.parametrize(("offset", "wanted"), [(0, 11), (10, 1), (9, 2), (2**62 - 1, 1)])
def test_a_pull_beyond_the_end_is_the_other_nodes_fault(offset, wanted):
    shelf = Shelf()
    shelf.put("b", b"0123456789")
    with pytest.raises(RemoteProtocolError, match="which has 10"):
        shelf.take(Pull(blob="b", offset=offset, bytes=wanted))


# ---- one transfer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("nbytes", [1, SMALL_CHUNK_BYTES, SMALL_CHUNK_BYTES + 1, 5 * MIB + 3])
def test_a_blob_arrives_whole_and_every_byte_once(nbytes):
    bench = Bench()
    incoming = bench.fetch(some_bytes(nbytes)[:nbytes])
    bench.answer_all()
    incoming.assert_arrived_once()
    assert (bench.puller.under_way, bench.puller.held, bench.window.used) == (0, 0, 0)


def test_the_first_pull_asks_for_one_small_chunk():
    bench = Bench()
    bench.fetch(bytes(MIB))
    assert bench.asked == [Pull(blob="b", offset=0, bytes=SMALL_CHUNK_BYTES)]


def test_the_last_pull_asks_for_what_is_left():
    bench = Bench()
    bench.fetch(bytes(SMALL_CHUNK_BYTES + 5))
    bench.answer(bench.asked.pop())
    assert bench.asked == [Pull(blob="b", offset=SMALL_CHUNK_BYTES, bytes=5)]


def test_chunks_may_come_in_any_order():
    bench = Bench()
    incoming = bench.fetch(some_bytes(20 * MIB))
    while bench.asked:
        bench.answer(bench.asked.pop())
    incoming.assert_arrived_once()


def test_a_chunk_that_was_not_pulled_changes_nothing():
    bench = Bench()
    incoming = bench.fetch(bytes(MIB))
    assert bench.puller.receive(Chunk(blob="b", offset=7), b"x", 0.0) is None
    assert bench.puller.receive(Chunk(blob="other", offset=0), b"x", 0.0) is None
    assert incoming.written == []


def test_a_chunk_that_comes_twice_is_written_once():
    bench = Bench()
    incoming = bench.fetch(bytes(MIB))
    pull = bench.asked.pop(0)
    assert bench.answer(pull) is incoming.intake
    assert bench.answer(pull) is None
    assert len(incoming.written) == 1


@pytest.mark.parametrize("size", [1, SMALL_CHUNK_BYTES - 1, SMALL_CHUNK_BYTES + 1])
def test_a_chunk_of_another_size_than_pulled_is_the_other_nodes_fault(size):
    bench = Bench()
    incoming = bench.fetch(bytes(MIB))
    with pytest.raises(RemoteProtocolError, match=f"CHUNK of {size} bytes"):
        bench.puller.receive(Chunk(blob="b", offset=0), bytes(size), 0.0)
    assert incoming.written == []


def test_bytes_that_are_not_those_offered_do_not_verify():
    incoming = Incoming(b"good")
    incoming.intake.take(0, b"evil")
    with pytest.raises(RemoteProtocolError, match="arrived with digest"):
        incoming.intake.verify()


# ---- stop, start, resume ----------------------------------------------------------------------------


def test_another_puller_goes_on_where_one_stopped():
    data = some_bytes(20 * MIB)
    first = Bench()
    incoming = first.fetch(data)
    answered = first.grow()
    first.puller.close()
    assert (first.puller.held, first.window.used) == (0, 0)
    got = incoming.intake.received
    assert 0 < got < len(data)
    second = Bench()
    second.shelf.put("b", data)
    second.puller.start(incoming.intake, 0.0)
    second.answer_all()
    incoming.assert_arrived_once()
    assert sum(stop - start for start, stop in incoming.written[answered:]) == len(data) - got


def test_a_resumed_transfer_is_as_careful_as_a_new_one():
    """What was pulled in large chunks over a fast link may come back over a slow one."""
    first = Bench()
    incoming = first.fetch(bytes(20 * MIB))
    first.grow()
    assert max(pull.bytes for pull in first.asked) == MAX_CHUNK_BYTES
    first.puller.close()
    second = Bench()
    second.puller.start(incoming.intake, 0.0)
    assert [pull.bytes for pull in second.asked] == [SMALL_CHUNK_BYTES]


def test_chunks_of_a_stopped_blob_are_dropped():
    bench = Bench()
    incoming = bench.fetch(bytes(MIB))
    bench.puller.stop("b")
    assert bench.answer(bench.asked.pop()) is None
    assert incoming.written == []


def test_starting_an_intake_again_asks_for_nothing_twice():
    bench = Bench()
    incoming = bench.fetch(some_bytes(MIB))
    bench.puller.start(incoming.intake, 0.0)
    assert len(bench.asked) == 1
    bench.answer_all()
    incoming.assert_arrived_once()


def test_another_blob_of_the_same_name_takes_the_place_of_the_first():
    bench = Bench()
    old = bench.fetch(bytes(MIB))
    new = bench.fetch(some_bytes(2 * MIB))
    bench.answer_all()
    new.assert_arrived_once()
    assert old.written == []
    assert (bench.puller.held, bench.window.used) == (0, 0)


def test_blobs_come_in_the_order_in_which_they_were_started():
    bench = Bench()
    first, second = bench.fetch(bytes(MIB), "first"), bench.fetch(bytes(MIB), "second")
    while not first.intake.complete:
        assert second.intake.received == 0
        bench.answer(bench.asked.pop(0))
    bench.answer_all()
    second.assert_arrived_once()


# ---- credit and window ------------------------------------------------------------------------------


def test_a_puller_keeps_as_much_under_way_as_credit_says():
    bench = Bench()
    bench.puller.credit.allow(6 * 64 * KIB)
    bench.fetch(bytes(40 * MIB))
    assert [pull.bytes for pull in bench.asked] == [64 * KIB] * 6
    bench.puller.credit.allow(8 * MIB)
    bench.puller.advance(0.0)
    assert [pull.bytes for pull in bench.asked[6:]] == [MAX_CHUNK_BYTES] * 2


def test_no_pull_asks_for_more_than_its_pace_brings_in_a_moment():
    bench = Bench()
    bench.puller.pacer = Pacer(0.8e6)
    incoming = bench.fetch(some_bytes(5 * MIB))
    largest, now = 0, 0.0
    while not incoming.intake.complete:
        now += 0.1
        bench.puller.pacer.run(now)
        while bench.asked:
            largest = max(largest, bench.asked[0].bytes)
            bench.answer(bench.asked.pop(0), now)
    incoming.assert_arrived_once()
    assert SMALL_CHUNK_BYTES < largest <= bench.puller.pacer.largest == 48 * KIB


def test_a_small_blob_comes_in_one_chunk_once_the_link_is_known():
    bench = Bench()
    bench.fetch(some_bytes(200_000), "first")
    bench.answer_all()
    small = bytes(100_000)
    second = bench.fetch(small, "second")
    assert [pull.bytes for pull in bench.asked] == [len(small)]
    bench.answer_all(at=0.3)  # a busy peer
    assert second.intake.complete
    bench.fetch(small, "third", at=1.0)
    assert [pull.bytes for pull in bench.asked] == [len(small)]


def test_a_late_answer_says_nothing_about_the_link():
    """It may answer the pull that was taken back or the one after it."""
    bench = Bench()
    bench.fetch(bytes(MIB))
    bench.puller.tick(REVOKE_S + 0.1)
    bench.answer(bench.asked.pop(0), REVOKE_S + 0.2)
    assert bench.puller.credit.empty_s == math.inf


def test_no_peer_holds_more_than_an_eighth_of_the_window():
    bench = Bench(Window(limit=16 * MIB))
    bench.fetch(bytes(40 * MIB))
    bench.grow()
    for _ in range(20):
        bench.answer(bench.asked.pop(0))
    assert bench.puller.held == 2 * MIB


def test_stalled_peers_do_not_stop_the_rest():
    window = Window(limit=MIB)
    for _ in range(256):
        Bench(window).fetch(bytes(SMALL_CHUNK_BYTES))
    assert window.used >= window.limit
    lively = Bench(window)
    incoming = lively.fetch(some_bytes(MIB))
    lively.answer_all()
    incoming.assert_arrived_once()


def test_a_pull_that_is_not_answered_in_time_is_taken_back_and_sent_again():
    bench = Bench()
    incoming = bench.fetch(some_bytes(MIB))
    [pull] = bench.asked
    bench.puller.tick(REVOKE_S)
    assert bench.asked == [pull]
    bench.puller.tick(REVOKE_S + 0.1)
    assert bench.asked == [pull, pull]
    assert bench.puller.held == pull.bytes
    bench.answer_all(REVOKE_S + 0.2)
    incoming.assert_arrived_once()


def test_patience_doubles_with_every_pull_that_was_taken_back():
    bench = Bench()
    bench.fetch(bytes(1))
    sent, now = [], 0.0
    while len(sent) < 7:
        now += 0.25
        bench.puller.tick(now)
        if len(bench.asked) > len(sent) + 1:
            sent.append(now)
    gaps = [later - sooner for sooner, later in zip([0.0, *sent], sent, strict=False)]
    assert gaps == pytest.approx([5.25, 10.25, 20.25, 40.25, 60.25, 60.25, 60.25])
    assert MAX_PATIENCE_S == 60.0


def test_a_late_large_chunk_is_dropped_once_its_range_was_pulled_again_in_small_ones():
    bench = Bench()
    incoming = bench.fetch(some_bytes(20 * MIB))
    bench.grow()
    late = list(bench.asked)
    bench.asked.clear()
    bench.puller.tick(REVOKE_S + 0.1)
    assert [pull.bytes for pull in bench.asked] == [SMALL_CHUNK_BYTES]
    for pull in late:
        assert bench.answer(pull, REVOKE_S + 0.2) is None
    bench.answer_all(REVOKE_S + 0.3)
    incoming.assert_arrived_once()


faults = st.lists(
    st.tuples(
        st.sampled_from(["deliver", "deliver", "repeat", "lose", "wait", "reconnect"]), st.integers(0, 7)
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(faults, st.integers(1, 4 * MIB), st.integers(1, 64 * KIB))
def test_blobs_arrive_whole_under_any_loss_duplication_and_order(script, large, small):
    bench, now = Bench(Window(limit=16 * MIB)), 0.0
    every = [
        bench.fetch(some_bytes(large)[:large], "large"),
        bench.fetch(some_bytes(small, 3)[:small], "small"),
    ]
    for what, index in [*script, *[("wait", 0), ("deliver", 0)] * 1500]:
        which = index % len(bench.asked) if bench.asked else None
        match what:
            case "deliver" if which is not None:
                bench.answer(bench.asked.pop(which), now)
            case "repeat" if which is not None:
                bench.answer(bench.asked[which], now)
            case "lose" if which is not None:
                bench.asked.pop(which)
            case "wait":
                now += index + (61.0 if not bench.asked else 0.1)
                bench.puller.tick(now)
            case "reconnect":
                bench.puller.close()
                bench.asked.clear()
                bench.puller = Puller(bench.ask, bench.window)
                for incoming in every:
                    if not incoming.intake.complete:
                        bench.puller.start(incoming.intake, now)
        assert bench.window.used == bench.puller.held
    for incoming in every:
        incoming.assert_arrived_once()


# ---- real links are slow ----------------------------------------------------------------------------


@dataclass
class Crossing:
    """What a transfer over a link of some rate and round-trip time took."""

    seconds: float
    sent: int
    longest_queue_s: float


def crossing(nbytes, *, bytes_per_s, round_trip_s):
    """Pull a blob over a first-in-first-out link that loses nothing."""
    flights, now, free_at, sent, longest = [], 0.0, 0.0, 0, 0.0
    intake = Intake(Blob(id="b", bytes=nbytes, digest="xxh3-128:" + "0" * 32), lambda offset, data: None)

    def answer(pull):
        nonlocal free_at, sent, longest
        starts = max(free_at, now + round_trip_s / 2)
        free_at = starts + pull.bytes / bytes_per_s
        longest = max(longest, free_at - now - round_trip_s / 2)
        sent += pull.bytes
        heapq.heappush(flights, (free_at + round_trip_s / 2, pull.offset, pull.bytes))

    puller = Puller(answer)
    puller.start(intake, now)
    next_tick = 1.0
    while not intake.complete:
        if flights and flights[0][0] <= next_tick:
            now, offset, size = heapq.heappop(flights)
            puller.receive(Chunk(blob="b", offset=offset), ZEROS[:size], now)
        else:
            now, next_tick = next_tick, next_tick + 1.0
            puller.tick(now)
        assert now < 1e6
    return Crossing(now, sent, longest)


SIZE = 12 * MIB
rates = st.floats(64 * KIB, 200 * MIB)
round_trips = st.floats(0.0, 0.3)


@settings(max_examples=40, deadline=None)
@given(rates, round_trips)
def test_a_ping_waits_behind_as_much_as_fits_into_the_queue_time(bytes_per_s, round_trip_s):
    """And behind the chunk on the wire; on a long link, behind what credit grows by in a round trip."""
    took = crossing(SIZE, bytes_per_s=bytes_per_s, round_trip_s=round_trip_s)
    small_s = SMALL_CHUNK_BYTES / bytes_per_s
    assert took.longest_queue_s < 1.25 * (QUEUE_S + small_s) + small_s + 2 * round_trip_s


@settings(max_examples=40, deadline=None)
@given(rates, round_trips)
def test_half_of_any_link_is_used(bytes_per_s, round_trip_s):
    took = crossing(SIZE, bytes_per_s=bytes_per_s, round_trip_s=round_trip_s)
    usable = min(bytes_per_s, 8 * MIB / max(round_trip_s, 1e-9))
    assert took.seconds < 2 * SIZE / usable + 25 * round_trip_s + 0.1
    assert took.sent == SIZE


def test_a_long_and_wide_link_is_full_once_credit_has_grown():
    """100 Mbit/s and 100 ms: 1.25 MB fit between the two ends."""
    rate = 12.5e6
    sooner, later = (crossing(size * MIB, bytes_per_s=rate, round_trip_s=0.1) for size in (20, 80))
    assert 60 * MIB / (later.seconds - sooner.seconds) > 0.95 * rate


@pytest.mark.parametrize("bytes_per_s", [2 * KIB, 5 * KIB, 10 * KIB, 20 * KIB])
def test_the_slowest_link_is_not_choked_by_pulls_that_were_sent_again(bytes_per_s):
    took = crossing(MIB, bytes_per_s=bytes_per_s, round_trip_s=0.5)
    assert took.sent < 2.5 * MIB
    assert took.seconds < 2 * MIB / bytes_per_s + 60
