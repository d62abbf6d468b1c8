from hypothesis import given
from hypothesis import strategies as st

from zfed.nodes.descriptions import Descriptions


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 50)), max_size=60), st.integers(60, 200))
def test_what_is_kept_is_never_above_the_limit_once_who_must_go_has_gone(chunks, limit):
    descriptions, kept = Descriptions(limit), dict.fromkeys("abcde", 0)
    for node, nbytes in chunks:
        kept[node] += nbytes
        gone = descriptions.add(node, nbytes)
        assert (gone is not None) == (sum(kept.values()) > limit)
        if gone is not None:
            assert kept[gone] == max(kept.values())
            assert descriptions.drop(gone) == kept[gone]
            kept[gone] = 0
        assert sum(kept.values()) <= limit


def test_one_that_stalls_with_much_does_not_keep_others_out():
    descriptions = Descriptions(100)
    assert descriptions.add("stalls", 80) is None
    assert [descriptions.add(node, 15) for node in ("alice", "bob")] == [None, "stalls"]
