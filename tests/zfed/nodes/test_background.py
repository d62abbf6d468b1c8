import threading
import weakref

from zfed.nodes.background import Background


def test_steps_are_done_in_order_and_close_waits_for_them():
    done = []
    background = Background("test", lambda: None)
    for number in range(100):
        background.add(lambda number=number: done.append(number))
        if number % 7 == 0:
            background.start()
    background.close()
    assert done == list(range(100))
    assert background.failure is None


def test_step_that_raises_is_told_and_nothing_after_it_is_done():
    done, told = [], threading.Event()
    background = Background("test", told.set)
    background.add(lambda: 1 / 0)
    background.add(lambda: done.append("after"))
    background.start()
    assert told.wait(5)
    background.close()
    assert isinstance(background.failure, ZeroDivisionError)
    assert done == []


def test_finished_step_is_not_kept_until_the_next_one():
    class Update:
        pass

    background = Background("test", lambda: None)
    update = Update()
    freed, go_on = threading.Event(), threading.Event()
    weakref.finalize(update, freed.set)
    background.add(lambda held=update: None)
    background.add(go_on.wait)
    background.start()
    del update
    assert freed.wait(5.0)
    go_on.set()
    background.close()


def test_nothing_is_done_before_it_is_handed_over():
    done = threading.Event()
    background = Background("test", lambda: None)
    background.add(done.set)
    assert not done.wait(0.02)
    background.start()
    assert done.wait(5.0)
    background.close()
