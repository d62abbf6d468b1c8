import threading

import pytest

from zfed.nodes.ahead import ahead


def test_pieces_come_in_order():
    assert list(ahead(lambda give: [give(number) for number in range(1000)], "test")) == list(range(1000))


def test_nothing_comes_of_no_pieces():
    assert list(ahead(lambda give: None, "test")) == []


def test_a_piece_is_used_while_the_next_one_is_made():
    used = threading.Event()

    def work(give):
        give(1)
        assert used.wait(30)
        give(2)

    pieces = ahead(work, "test")
    assert next(pieces) == 1
    used.set()
    assert list(pieces) == [2]


def test_what_the_work_raises_is_raised_after_its_pieces():
    def work(give):
        give(1)
        raise KeyError("later")

    pieces = ahead(work, "test")
    assert next(pieces) == 1
    with pytest.raises(KeyError, match="later"):
        next(pieces)


def test_a_user_who_gives_up_waits_for_the_work_to_end():
    ended = []

    def work(give):
        give(1)
        ended.append(True)

    pieces = ahead(work, "test")
    next(pieces)
    pieces.close()
    assert ended == [True]
