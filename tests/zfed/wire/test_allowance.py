from hypothesis import given
from hypothesis import strategies as st

from zfed.wire.allowance import Allowance

RATES = st.floats(0.1, 100.0)
BURSTS = st.floats(1.0, 100.0)
ASKS = st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.1, 20.0)), max_size=50)
"""(seconds since the ask before, units)"""


@given(RATES, BURSTS, ASKS)
def test_in_any_time_a_sender_gets_at_most_its_rate_and_one_burst(rate, burst, asks):
    allowance, now, got = Allowance(rate, burst), 0.0, []
    for wait, units in asks:
        now += wait
        if allowance.take("a", units, now):
            got.append((now, units))
    for place, (begin, _) in enumerate(got):
        for last, (end, _) in enumerate(got[place:], place):
            total = sum(units for _, units in got[place : last + 1])
            assert total <= rate * (end - begin) + burst + 1e-6


@given(RATES, st.integers(1, 50), ASKS)
def test_who_wants_no_more_than_the_rate_is_never_refused(rate, units, asks):
    allowance, now = Allowance(rate, units), 0.0
    for wait, _ in asks:
        now += units / rate * (1 + 1e-9) + wait
        assert allowance.take("a", units, now)


@given(RATES, BURSTS, ASKS, st.sets(st.integers(0, 49)))
def test_forgetting_the_quiet_changes_no_answer(rate, burst, asks, sweeps):
    kept, swept, now = Allowance(rate, burst), Allowance(rate, burst), 0.0
    for place, (wait, units) in enumerate(asks):
        now += wait
        if place in sweeps:
            swept.sweep(now)
        left = kept.take("a", units, now)
        assert swept.take("a", units, now) == left


def test_a_refused_ask_takes_nothing():
    allowance = Allowance(1.0, 10.0)
    assert not allowance.take("a", 11, 0.0)
    assert allowance.take("a", 10, 0.0)


def test_senders_do_not_share():
    allowance = Allowance(1.0, 1.0)
    assert allowance.take("a", 1, 0.0)
    assert allowance.take("b", 1, 0.0)
    assert not allowance.take("a", 1, 0.5)


def test_what_is_given_back_can_be_taken_again_and_is_no_more_than_a_burst():
    allowance = Allowance(1.0, 10.0)
    assert allowance.take("a", 8, 0.0)
    allowance.give_back("a", 100)
    allowance.give_back("nobody", 100)
    assert allowance.take("a", 10, 0.0)
    assert not allowance.take("a", 0.5, 0.0)


def test_a_million_senders_of_one_message_each_are_forgotten():
    allowance, now = Allowance(10.0, 20.0), 0.0
    for sender in range(100_000):
        now += 1e-4
        allowance.take(sender, 1, now)
        if sender % 1000 == 0:
            allowance.sweep(now)
    assert len(allowance) <= 2000 + 1  # a tenth of a second until full again, and up to one until the sweep
