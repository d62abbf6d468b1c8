import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import CheckpointError
from zfed.strategies.known_workers import NAMES, SHARES, KnownWorkers
from zfed.wire.messages import NODE_NAME_PATTERN

SHARES_BY_NAME = st.dictionaries(st.from_regex(NODE_NAME_PATTERN, fullmatch=True), st.floats(0.5, 1e6))


@given(SHARES_BY_NAME)
def test_what_was_saved_is_restored_to_the_bit(shares):
    known = KnownWorkers(shares)
    again = KnownWorkers.restored(known.state)
    assert again == known
    assert {name: array.tobytes() for name, array in again.state.items()} == {
        name: array.tobytes() for name, array in known.state.items()
    }


@given(SHARES_BY_NAME, st.randoms())
def test_the_whole_is_the_same_in_any_order(shares, random):
    names = list(shares)
    random.shuffle(names)
    assert KnownWorkers({name: shares[name] for name in names}).whole(0) == KnownWorkers(shares).whole(0)


def test_workers_that_are_not_known_yet_count_as_the_known_ones_on_average():
    known = KnownWorkers({"alice": 1.0, "bob": 3.0})
    assert [known.whole(workers) for workers in (0, 1, 2, 3, 10)] == [4.0, 4.0, 4.0, 6.0, 20.0]
    assert KnownWorkers().whole(10) == 0.0


def test_a_worker_that_comes_again_counts_as_it_does_now():
    joined = KnownWorkers({"alice": 1.0, "bob": 3.0}).joined({"bob": 4.0, "carol": 2.0})
    assert joined.shares == {"alice": 1.0, "bob": 4.0, "carol": 2.0}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {NAMES: np.frombuffer(b"alice", np.uint8), SHARES: np.zeros(2)},
        {NAMES: np.frombuffer(b"\xff", np.uint8), SHARES: np.zeros(1)},
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(state):
    with pytest.raises(CheckpointError, match="does not say which workers took part"):
        KnownWorkers.restored(state)
