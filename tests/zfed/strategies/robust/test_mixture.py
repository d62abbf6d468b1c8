import numpy as np
import pytest

from zfed.params import ParameterBuffer
from zfed.strategies.robust.mixture import Mixture, lower_median
from zfed.strategies.robust.rows import BLOCK, blocks

SIZE = 2 * BLOCK + 7
SEGMENTS = ParameterBuffer.from_arrays(
    {"w": np.zeros(SIZE, np.float32), "v": np.zeros(3), "n": np.zeros(2, np.int64)}
).layout.segments


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    dtypes = {"F64": np.float64, "F32": np.float32, "I64": np.int64}
    return [
        {each: (9 * rng.standard_normal(each.size)).astype(dtypes[each.dtype]) for each in SEGMENTS}
        for _ in range(4)
    ]


def floats(row):
    return np.concatenate([values for values in row.values() if values.dtype != np.int64], dtype=np.float64)


def test_a_mixture_and_the_distances_to_it_are_numpys(rows):
    weights = np.array([0.5, 0.0, 0.25, 0.25])
    mixture = Mixture(rows, weights)
    whole = weights @ np.array([floats(row) for row in rows])
    seen = [
        mixture(segment, block) for segment in SEGMENTS if segment.dtype != "I64" for block in blocks(segment)
    ]
    np.testing.assert_allclose(np.concatenate(seen), whole, rtol=1e-14, atol=1e-14)
    wanted = [np.linalg.norm(floats(row) - whole) for row in rows]
    np.testing.assert_allclose(mixture.distances(), wanted, rtol=1e-12)


def test_the_lower_median_is_one_of_the_values():
    assert lower_median(np.array([4.0, 1.0, 3.0, 2.0])) == 2.0
    assert lower_median(np.array([4.0, np.inf, 1.0])) == 4.0
