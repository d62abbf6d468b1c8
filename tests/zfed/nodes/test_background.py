import threading
import weakref

from zfed.nodes.background import Background


def test_steps_are_done_in_order_and_close_waits_for_them():
    done = []
    background = Background("test", lambda: None)
    for number in range(100):
        background.add(lambda number=number: done.append(number))
    background.close()
    assert done == list(range(100))
    assert background.failure is None


def test_step_that_raises_is_told_and_nothing_after_it_is_done():
    done, told = [], threading.Event()
    background = Background("test", told.set)
    background.add(lambda: 1 / 0)
    background.add(lambda: done.append("after"))
    assert told.wait(5)
    background.close()
    assert isinstance(background.failure, ZeroDivisionError)
    assert done == []


def test_finished_step_is_not_kept_until_the_next_one():
    class Update:
        pass

    background = Background("test", lambda: None)
    update = Update()
    freed = threading.Event()
    weakref.finalize(update, freed.set)
    background.add(lambda held=update: None)
    del update
    assert freed.wait(5.0)
    background.close()
