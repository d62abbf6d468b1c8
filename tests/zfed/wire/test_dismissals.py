from zfed.wire.dismissals import LEAVE_S, MOST, Dismissals


def test_who_does_not_go_is_overdue_once():
    dismissals = Dismissals()
    dismissals.add(b"a")
    assert dismissals.overdue(10.0) == []
    assert b"a" in dismissals
    assert dismissals.overdue(10.0 + LEAVE_S) == [b"a"]
    assert b"a" not in dismissals
    assert dismissals.overdue(20.0) == []


def test_who_has_gone_is_not_overdue():
    dismissals = Dismissals()
    dismissals.add(b"a")
    dismissals.overdue(0.0)
    dismissals.forget(b"a")
    assert dismissals.overdue(100.0) == []


def test_to_be_told_twice_gives_no_more_time():
    dismissals = Dismissals()
    dismissals.add(b"a")
    dismissals.overdue(0.0)
    dismissals.add(b"a")
    assert dismissals.overdue(LEAVE_S) == [b"a"]


def test_who_has_no_time_still_has_until_the_next_look():
    dismissals = Dismissals()
    dismissals.add(b"a", leave_s=0.0)
    assert dismissals.overdue(0.0) == []
    assert dismissals.overdue(0.5) == [b"a"]


def test_of_too_many_the_first_must_go_at_once():
    dismissals = Dismissals()
    for number in range(MOST + 10):
        dismissals.add(number.to_bytes(4, "big"))
    assert dismissals.overdue(0.0) == [number.to_bytes(4, "big") for number in range(10)]
    assert len(dismissals) == MOST
