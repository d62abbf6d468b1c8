import gc

from zfed.nodes.collector import spare_what_stays


class Knot:
    def __init__(self):
        self.itself = self


def test_what_is_here_is_not_looked_at_again_and_what_comes_later_is_collected():
    try:
        spare_what_stays()
        assert gc.get_freeze_count() > 0
        assert gc.get_objects(generation=2) == []
        Knot()
        assert gc.collect() > 0
    finally:
        gc.unfreeze()
