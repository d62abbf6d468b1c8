import itertools

import numpy as np
import pytest
from conformance import make_model
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import LayoutError
from zfed.strategies.pieces import elements, pieces

MODEL = make_model().moving


@given(st.lists(st.integers(0, MODEL.layout.nbytes // 8), max_size=8))
def test_pieces_put_together_are_the_segments(cuts):
    borders = [*sorted({0, *(8 * cut for cut in cuts)}), MODEL.layout.nbytes]
    seen = {segment: [] for segment in MODEL.layout.segments}
    for start, stop in itertools.pairwise(borders):
        for segment, first, values in pieces(MODEL.layout, start, MODEL.data[start:stop].data):
            assert first == sum(part.size for part in seen[segment])
            seen[segment].append(values)
    for segment, parts in seen.items():
        assert np.concatenate(parts).tobytes() == elements(MODEL, segment).tobytes()


def test_elements_are_not_copied():
    for segment, _, values in pieces(MODEL.layout, 0, MODEL.data.data):
        assert np.shares_memory(values, elements(MODEL, segment))


@pytest.mark.parametrize(("start", "stop"), [(4, 16), (0, 12)])
def test_slices_that_may_cut_an_element_are_refused(start, stop):
    with pytest.raises(LayoutError, match="multiples of 8"):
        list(pieces(MODEL.layout, start, MODEL.data[start:stop].data))
