import math

from zfed.nodes.search import Search

ADDRESSES = ("tcp://a:1", "tcp://b:2")


def test_search_is_told_every_five_seconds_with_all_addresses():
    search = Search(ADDRESSES, 12.0, now=100.0)
    told = [search.notice("tcp://b:2", 100.0 + seconds) for seconds in (4, 5, 9, 10)]
    assert [fact is not None for fact in told] == [False, True, False, True]
    assert (told[1].address, told[1].others) == ("tcp://b:2", ["tcp://a:1"])
    assert (told[1].elapsed_s, told[1].remaining_s) == (5.0, 7.0)


def test_search_that_is_over_names_all_addresses_and_the_remedy():
    search = Search(ADDRESSES, 12.0, now=100.0)
    assert search.failure(111.9) == ""
    reason = "no coordinator answered at tcp://a:1 or tcp://b:2 for 12 s; see --connect-timeout"
    assert search.failure(112.0) == reason


def test_each_search_has_all_the_time():
    search = Search(ADDRESSES, 12.0, now=0.0)
    assert not search.begin(11.0)
    search.found()
    assert (search.next_wake, search.failure(1000.0)) == (math.inf, "")
    assert search.notice("tcp://a:1", 1000.0) is None
    assert search.begin(1000.0)
    assert search.failure(1011.0) == ""


def test_search_for_the_next_run_has_no_end_and_the_one_after_it_has():
    search = Search(ADDRESSES, 12.0, now=0.0)
    search.wait_for_next_run()
    assert search.failure(1e9) == ""
    assert search.notice("tcp://a:1", 5.0).remaining_s is None
    search.found()
    search.begin(0.0)
    assert search.failure(12.0)
