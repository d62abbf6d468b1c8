from zfed.nodes.patience import NOTICE_S, Awaited, Patience


def looked(awaited, *times):
    """What is told at these times of a wait."""
    patience = Patience()
    return [patience.look(awaited, time) for time in times]


def test_wait_is_told_after_half_a_minute_and_whenever_it_has_lasted_twice_as_long():
    told = looked(Awaited("rain", until=100.0), 0, 29, 30, 59, 60, 119, 120)
    assert [waiting is not None for waiting in told] == [False, False, True, False, True, False, True]
    assert (told[2].missing, told[2].remaining_s) == ("rain: nothing for 30 s", 70.0)


def test_longest_wait_is_still_told_every_ten_minutes():
    times = range(0, 36_000, 10)
    told = [time for time, waiting in zip(times, looked(Awaited("rain"), *times), strict=True) if waiting]
    assert told[-1] - told[-2] == 600


def test_wait_without_an_end_says_so():
    assert looked(Awaited("rain"), 0, 30)[-1].remaining_s is None


def test_wait_that_somebody_should_know_of_sooner_is_told_sooner():
    assert looked(Awaited("rain", notice_s=5.0), 0, 5)[-1] is not None


def test_what_moves_begins_the_wait_anew():
    patience = Patience()
    patience.look(Awaited("rain", seen=1), 0)
    assert patience.look(Awaited("rain", seen=2), 29) is None
    assert patience.look(Awaited("rain", seen=2), 30) is None
    assert patience.next_wake == 29 + NOTICE_S


def test_nothing_awaited_is_nothing_to_tell():
    patience = Patience()
    patience.look(Awaited("rain"), 0)
    assert patience.look(None, 31) is None
    assert patience.next_wake == float("inf")
