"""What holds of the rules whatever is sent: laws of symmetry, and how far hostile workers can move a result.

Rows are of small whole numbers where a law must hold to the bit: float64 then sums and squares them exactly.
"""

from functools import partial

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.strategies.robust.rule_conformance import combined
from zfed.strategies.robust import (
    Bulyan,
    CentredClipping,
    FLTrust,
    GeometricMedian,
    Krum,
    Median,
    MultiKrum,
    TrimmedMean,
)

SYMMETRIC = {
    "median": Median,
    "trimmed-mean": partial(TrimmedMean, trim=1),
    "krum": Krum,
    "multi-krum": partial(MultiKrum, keep=3),
    "bulyan": Bulyan,
    "geometric-median": partial(GeometricMedian, tolerance=1e-12),
}
"""They know no place but that of the rows."""
ALL = {**SYMMETRIC, "centred-clipping": CentredClipping}

whole_numbers = hnp.arrays(
    np.float64, st.tuples(st.integers(7, 12), st.integers(1, 5)), elements=st.integers(-100, 100)
)
law = settings(deadline=None, max_examples=25)


@pytest.mark.parametrize("name", ALL)
@given(rows=whole_numbers, seed=st.integers(0, 1000))
@law
def test_the_order_of_arrival_leaves_no_trace(name, rows, seed):
    names = [f"w{number:02}" for number in range(len(rows))]
    order = np.random.default_rng(seed).permutation(len(rows))
    there, shuffled = ALL[name](), ALL[name]()
    result = combined(shuffled, rows[order], [names[index] for index in order])
    assert result.tobytes() == combined(there, rows, names).tobytes()


@pytest.mark.parametrize("name", SYMMETRIC)
@given(rows=whole_numbers, shift=st.integers(-1000, 1000))
@law
def test_where_all_move_the_result_moves_along(name, rows, shift):
    moved = combined(SYMMETRIC[name](), rows + shift)
    np.testing.assert_allclose(moved, combined(SYMMETRIC[name](), rows) + shift, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
@given(rows=whole_numbers, power=st.integers(-20, 20))
@law
def test_the_unit_of_measurement_does_not_matter(name, rows, power):
    scaled = combined(ALL[name](), rows * 2.0**power)
    np.testing.assert_allclose(
        scaled, combined(ALL[name](), rows) * 2.0**power, rtol=1e-4, atol=1e-3 * 2.0**power
    )


@pytest.mark.parametrize("name", ALL)
@given(rows=whole_numbers)
@law
def test_the_result_is_in_the_range_of_what_was_sent(name, rows):
    found = combined(ALL[name](), np.concatenate([rows, 0 * rows[:1]]))  # 0: where clipping begins
    assert np.all(np.minimum(rows.min(axis=0), 0) - 1e-9 <= found)
    assert np.all(found <= np.maximum(rows.max(axis=0), 0) + 1e-9)


@st.composite
def attacked(draw, needed):
    """(rows, of which the first f are hostile, f): f from 1 to 3, needed(f) rows or some more."""
    hostile = draw(st.integers(1, 3))
    count = draw(st.integers(needed(hostile), needed(hostile) + 3))
    size = draw(st.integers(1, 5))
    honest = draw(hnp.arrays(np.float64, (count - hostile, size), elements=st.integers(-100, 100)))
    far = draw(st.sampled_from([1.0, 1e3, 1e6, 1e12, 1e30]))
    bad = draw(hnp.arrays(np.float64, (hostile, size), elements=st.integers(-100, 100)))
    if draw(st.booleans()):
        bad[:] = bad[0]  # they agree on one place
    return np.concatenate([far * bad, honest]), hostile


@given(attacked(lambda f: 2 * f + 1))
@law
def test_each_number_of_a_median_or_trimmed_mean_stays_among_the_honest_ones(case):
    rows, hostile = case
    low, high = rows[hostile:].min(axis=0), rows[hostile:].max(axis=0)
    for rule in (Median(), TrimmedMean(trim=hostile)):
        found = combined(rule, rows)
        assert np.all(low - 1e-9 <= found)
        assert np.all(found <= high + 1e-9)


def krum_bound(count, hostile, diameter):
    """How far what Krum takes may be from an honest row.

    An honest row has n - f - 2 honest others within the diameter, so the smallest score is at most n - f - 2
    times its square; of the n - f - 2 neighbours of the row with that score n - 2 f - 2 or more are honest.
    """
    return diameter * np.sqrt((count - hostile - 2) / (count - 2 * hostile - 2))


@given(attacked(lambda f: 2 * f + 3))
@law
def test_krum_stays_near_an_honest_update(case):
    rows, hostile = case
    honest = rows[hostile:]
    diameter = max(np.linalg.norm(honest - row, axis=1).max() for row in honest)
    bound = krum_bound(len(rows), hostile, diameter) * (1 + 1e-9) + 1e-9
    assert np.linalg.norm(honest - combined(Krum(byzantine=hostile), rows), axis=1).min() <= bound
    # Each of the n - f - 2 that Multi-Krum averages keeps to the bound, as there are n - f honest scores
    found = combined(MultiKrum(byzantine=hostile), rows)
    assert np.linalg.norm(honest - found, axis=1).min() <= bound + diameter * (1 + 1e-9)


@given(attacked(lambda f: 4 * f + 3))
@law
def test_bulyan_keeps_each_number_within_one_range_of_the_honest_ones(case):
    """Among the chosen the honest ones are a majority, so their median is in range, and those near it are
    no farther from it than the honest ones are: the range once more."""
    rows, hostile = case
    low, high = rows[hostile:].min(axis=0), rows[hostile:].max(axis=0)
    found = combined(Bulyan(byzantine=hostile), rows)
    assert np.all(low - (high - low) - 1e-9 <= found)
    assert np.all(found <= high + (high - low) + 1e-9)


@given(attacked(lambda f: 2 * f + 1))
@law
def test_the_geometric_median_stays_in_the_ball_that_theory_gives(case):
    """Within 2 (n - f) / (n - 2 f) radii of any centre of the honest ones: Minsker, "Geometric median and
    robust estimation in Banach spaces" (2015), lemma 2.1; RFA, section 4.
    """
    rows, hostile = case
    honest, count = rows[hostile:], len(rows)
    centre = honest.mean(axis=0)
    radius = np.linalg.norm(honest - centre, axis=1).max()
    found = combined(GeometricMedian(), rows)
    bound = 2 * (count - hostile) / (count - 2 * hostile) * radius
    assert np.linalg.norm(found - centre) <= bound * (1 + 1e-3) + 1e-6


@given(attacked(lambda f: 2 * f + 1), st.sampled_from([0.5, 5.0, 50.0]))
@law
def test_a_clipped_update_moves_the_result_by_its_part_of_the_radius(case, radius):
    rows, hostile = case
    meek = rows.copy()
    meek[:hostile] = 0  # where the first round begins: they ask for nothing
    found, without = (combined(CentredClipping(radius=radius, iterations=1), each) for each in (rows, meek))
    assert np.linalg.norm(found - without) <= hostile * radius / len(rows) * (1 + 1e-9)


@given(attacked(lambda f: f + 1), hnp.arrays(np.float64, 5, elements=st.integers(-100, 100)))
@law
def test_what_fltrust_makes_is_no_longer_than_the_root_and_never_against_it(case, root):
    rows, _ = case
    root = root[: rows.shape[1]]
    found = combined(FLTrust(), rows, root=root)
    assert np.linalg.norm(found) <= np.linalg.norm(root) * (1 + 1e-9)
    assert found @ root >= -1e-9
