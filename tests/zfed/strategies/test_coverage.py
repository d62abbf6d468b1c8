from hypothesis import given
from hypothesis import strategies as st

from zfed.strategies.coverage import Coverage


def fault(nbytes, *slices):
    coverage = Coverage(nbytes)
    for offset, count in slices:
        coverage.add(offset, count)
    return coverage.fault()


@given(st.lists(st.integers(1, 10)), st.randoms())
def test_a_cut_vector_is_covered_in_any_order(lengths, random):
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    slices = list(zip(starts, lengths, strict=True))
    random.shuffle(slices)
    assert fault(sum(lengths), *slices) is None


@given(st.lists(st.integers(1, 10), min_size=1), st.data())
def test_losing_or_repeating_a_slice_is_a_fault(lengths, data):
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    slices = list(zip(starts, lengths, strict=True))
    one = data.draw(st.sampled_from(slices))
    assert fault(sum(lengths), *slices, one) is not None
    slices.remove(one)
    assert fault(sum(lengths), *slices) is not None


def test_faults_are_told_in_words():
    assert fault(8) == "bytes 0 to 8 are missing"
    assert fault(8, (4, 4)) == "bytes 0 to 4 of 8 are missing"
    assert fault(8, (0, 6), (4, 4)) == "bytes from 4 on came twice"
    assert fault(8, (0, 9)) == "9 bytes came, the layout has 8"


def test_a_vector_of_no_bytes_needs_no_slice():
    assert fault(0) is None
    assert fault(0, (0, 0)) is None
