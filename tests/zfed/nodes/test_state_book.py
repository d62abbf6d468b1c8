from zfed.nodes.state_book import StateBook, StateEntry


def entry(number, *, version=None):
    return StateEntry(number=(1, number), version=number if version is None else version)


def book_of(*numbers, counted=()):
    """A book in which these are pending; `counted` counted before, in their order."""
    book = StateBook()
    for number in (*counted, *numbers):
        book = book.added(entry(number))
    for number in counted:
        book = book.kept((1, number))
    return book


def numbers(entries):
    return [entry.number[1] for entry in entries]


def test_nothing_is_current_before_something_counts():
    assert book_of(1).current is None
    assert book_of(1).kept((1, 1)).current == entry(1)


def test_state_that_does_not_count_is_forgotten():
    assert book_of(1, 2).dropped((1, 1)) == book_of(2)


def test_work_that_was_done_again_has_one_state():
    again = entry(1, version=7)
    assert book_of(1, 2).added(again).pending == (entry(2), again)


def test_the_newest_two_that_count_stay():
    assert numbers(book_of(counted=(1, 2, 3)).counted) == [2, 3]


def test_another_number_is_the_same_state_and_takes_the_place_of_that_number():
    book = book_of(1, 2).renamed((1, 1), (1, 2))
    assert book.pending == (StateEntry(number=(1, 2), version=1),)
    assert book.renamed((9, 9), (1, 3)) == book


def test_what_is_unknown_changes_nothing():
    book = book_of(2, counted=(1,))
    for changed in (book.kept((9, 9)), book.dropped((9, 9)), book.kept((1, 1))):
        assert changed == book


def test_order_makes_what_it_names_current_and_ends_what_is_older():
    book = book_of(1, 2, 3).settled((1, 2), 3)
    assert (numbers(book.counted), numbers(book.pending)) == ([2], [3])


def test_order_of_a_coordinator_that_went_back_makes_the_state_before_current():
    book = book_of(counted=(1, 2))
    assert numbers(book.settled((1, 1), 5).counted) == [1]
    assert numbers(book.settled((1, 0), 2).counted) == [1]  # 2 started from what is made anew


def test_unreadable_state_makes_the_one_before_it_current():
    book = book_of(counted=(1, 2)).without((1, 2))
    assert book.current == entry(1)
