import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.wire.credit import (
    LONGEST_SLACK_S,
    MAX_CREDIT,
    QUEUE_S,
    SMALL_CHUNK_BYTES,
    WHOLE_BYTES,
    WHOLE_S,
    Credit,
)
from zfed.wire.messages import MAX_CHUNK_BYTES

MOST = MAX_CREDIT * MAX_CHUNK_BYTES


def answered(credit, empty_s, rate, chunks=1):
    """Chunks over a link that is kept as full as credit says."""
    for _ in range(chunks):
        under_way = int(credit.limit)
        credit.answered(max(empty_s, under_way / rate), under_way)
    return credit


def test_the_first_pull_asks_for_one_small_chunk():
    assert (Credit().chunks, Credit().chunk_bytes) == (1, SMALL_CHUNK_BYTES)


def test_what_is_under_way_doubles_while_there_is_no_queue():
    credit, seen = Credit(), []
    for _ in range(13):
        seen.append((credit.chunks, credit.chunk_bytes >> 10))
        answered(credit, empty_s=0.1, rate=1e12)
    assert seen[:6] == [(1, 4), (2, 4), (4, 4), (4, 8), (4, 16), (4, 32)]
    assert seen[-3:] == [(4, 1024), (8, 1024), (8, 1024)]


@pytest.mark.parametrize("empty_s", [0.001, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("rate", [125e3, 1.25e6, 12.5e6])
def test_a_link_is_full_and_its_queue_is_as_long_as_allowed(rate, empty_s):
    credit = answered(Credit(), empty_s, rate, chunks=100)
    longest = rate * (empty_s + QUEUE_S) + SMALL_CHUNK_BYTES
    assert min(rate * empty_s, MOST) <= credit.limit <= min(longest, MOST)


@pytest.mark.parametrize("slower", [2, 10, 100])
def test_a_link_that_became_slower_has_a_short_queue_again_after_some_dozen_chunks(slower):
    credit = answered(Credit(), 0.02, 12.5e6, chunks=100)
    answered(credit, 0.02, 12.5e6 / slower, chunks=50)
    assert credit.limit <= 12.5e6 / slower * (0.02 + QUEUE_S)


def test_a_route_that_became_longer_is_learned_anew():
    """Every chunk seems to queue, until but one small chunk is under way and takes as long all the same."""
    credit = answered(Credit(), 0.01, 12.5e6, chunks=100)
    answered(credit, 0.3, 12.5e6, chunks=300)
    assert credit.empty_s == pytest.approx(0.3)
    assert credit.limit >= 0.3 * 12.5e6


def test_a_busy_machine_that_looks_away_now_and_then_loses_no_credit():
    """A chunk may lie in a socket for long before a process gets the processor."""
    credit = answered(Credit(), 0.001, 500e6, chunks=100)
    before = credit.limit
    for took_s in [0.2, 0.3, 0.2, 0.4, 0.02] * 10:
        credit.answered(took_s, int(credit.limit))
    assert credit.limit == before == MOST


def test_credit_begins_anew_after_a_loss():
    credit = answered(Credit(), 0.001, 1e9, chunks=100)
    credit.lost()
    assert credit.limit == SMALL_CHUNK_BYTES


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, MOST)), max_size=40))
def test_whatever_chunks_take_one_small_one_may_be_pulled_and_never_more_than_the_most(samples):
    credit = Credit()
    for took_s, under_way in samples:
        credit.answered(took_s, under_way)
        assert SMALL_CHUNK_BYTES <= credit.limit <= MOST
        assert 1 <= credit.chunks <= MAX_CREDIT
        assert SMALL_CHUNK_BYTES <= credit.chunk_bytes <= MAX_CHUNK_BYTES
        assert credit.chunk_bytes * (credit.chunks - 1) < credit.limit


# ---- small blobs --------------------------------------------------------------------------------------


def test_a_small_blob_is_pulled_at_once_over_a_link_that_has_carried_as_much_in_a_moment():
    credit = answered(Credit(), 0.001, 12.5e6, chunks=10)
    assert credit.whole(held=0) == WHOLE_BYTES
    assert credit.whole(held=1) == 0


@given(st.integers(1, WHOLE_BYTES))
def test_a_small_blob_comes_in_eight_chunks_at_most_over_any_link(nbytes):
    chunk_bytes = Credit().chunk_of(nbytes)
    assert -(-nbytes // chunk_bytes) <= 8
    assert chunk_bytes <= 16 << 10
    assert chunk_bytes % SMALL_CHUNK_BYTES == 0


def test_one_chunk_of_a_small_blob_is_under_way_on_a_megabit():
    credit, chunk_bytes = Credit(), Credit().chunk_of(100_000)
    for _ in range(100):
        under_way = chunk_bytes * credit.chunks_of(chunk_bytes)
        credit.answered(0.02 + under_way / 125e3, under_way)
    assert credit.chunks_of(chunk_bytes) == 1


def test_nothing_is_pulled_whole_over_a_link_that_nobody_knows():
    assert Credit().whole(held=0) == 0


@pytest.mark.parametrize("rate", [12.5e3, 125e3, 500e3])
def test_a_narrow_link_is_never_asked_for_more_than_it_carries_while_a_ping_may_wait(rate):
    credit = answered(Credit(), 0.02, rate, chunks=100)
    assert credit.whole(held=0) <= rate * WHOLE_S


def test_a_busy_peer_that_takes_long_is_asked_for_small_blobs_whole_all_the_same():
    credit = answered(Credit(), 0.001, 12.5e6, chunks=10)
    for took_s in [0.3] * 100:
        credit.answered_whole(took_s, 100_000)
    assert credit.whole(held=0) == WHOLE_BYTES


def test_a_link_that_became_narrow_is_found_out_by_small_blobs_too():
    credit = answered(Credit(), 0.001, 12.5e6, chunks=10)
    for _ in range(6):
        credit.answered_whole(0.8, 100_000)
    assert credit.whole(held=0) < 100_000


def test_after_a_loss_nothing_is_pulled_whole():
    credit = answered(Credit(), 0.001, 12.5e6, chunks=10)
    credit.lost()
    assert credit.whole(held=0) == 0


# ---- in a crowd ---------------------------------------------------------------------------------------


def one_by_one(credit, nbytes, took_s, chunks):
    """Chunks of a blob of this size over a link that has one of them at a time; `took_s` of each size."""
    for _ in range(chunks):
        size = credit.chunk_of(nbytes)
        credit.answered(took_s(size), size)
    return credit.chunk_of(nbytes)


@given(st.integers(0, 100), st.floats(1e3, 1e9), st.integers(1, 1 << 40))
def test_up_to_a_hundred_workers_nothing_is_pulled_otherwise_than_alone(cohort, rate, nbytes):
    credit, alone = (answered(Credit(), 0.02, rate, chunks=20) for _ in range(2))
    credit.expect(cohort)
    assert credit == alone
    assert credit.chunk_of(nbytes) == alone.chunk_of(nbytes)


@pytest.mark.parametrize("nbytes", [100_000, 5_000_000])
def test_chunks_grow_although_a_coordinator_of_a_thousand_takes_half_a_second_to_answer(nbytes):
    credit = Credit()
    credit.expect(1000)
    assert one_by_one(credit, nbytes, lambda size: 0.5, chunks=10) >= WHOLE_BYTES
    assert credit.whole(held=0) == WHOLE_BYTES


@pytest.mark.parametrize("rate", [5e3, 12.5e3, 125e3])
@pytest.mark.parametrize("nbytes", [100_000, 5_000_000])
def test_a_chunk_on_a_narrow_link_takes_no_longer_than_a_crowd_does(rate, nbytes):
    """Or than the chunk that is asked for first."""
    credit = Credit()
    credit.expect(1000)
    first = credit.chunk_of(nbytes)
    for _ in range(50):
        size = one_by_one(credit, nbytes, lambda size: 0.02 + size / rate, chunks=1)
        assert size <= max(first, rate * LONGEST_SLACK_S)
    assert credit.whole(held=0) <= rate * LONGEST_SLACK_S


def test_a_link_that_became_narrow_is_found_out_in_a_crowd_too():
    credit = answered(Credit(), 0.001, 12.5e6, chunks=10)
    credit.expect(1000)
    one_by_one(credit, 5_000_000, lambda size: 0.02 + size / 50e3, chunks=40)
    assert credit.chunk_of(5_000_000) <= 50e3 * 2 * LONGEST_SLACK_S


def test_after_the_crowd_a_link_is_what_it_was():
    credit = answered(Credit(), 0.02, 125e3, chunks=20)
    before = credit.chunk_of(5_000_000)
    credit.expect(1000)
    assert credit.chunk_of(5_000_000) > before
    credit.expect(3)
    assert credit.chunk_of(5_000_000) == before


@given(st.integers(0, 1 << 61))
def test_whatever_cohort_a_peer_tells_a_chunk_takes_two_seconds_at_most(cohort):
    credit = Credit()
    credit.expect(cohort)
    assert WHOLE_S <= credit.slack_s <= LONGEST_SLACK_S
