"""Seven workers, the sixth of them hostile: what each rule makes of their updates."""

import numpy as np
import pytest

from tests.zfed.strategies.robust.rule_conformance import combined
from zfed.strategies.robust import (
    Bulyan,
    CentredClipping,
    GeometricMedian,
    Krum,
    Median,
    MultiKrum,
    TrimmedMean,
)

ROWS = np.array(
    [
        (1, 2, 3),
        (1.1, 1.9, 3.2),
        (0.9, 2.1, 2.8),
        (1.2, 2.2, 3.1),
        (0.8, 1.8, 2.9),
        (10, -10, 50),
        (1.05, 2.05, 3.05),
    ]
)
HONEST = np.delete(ROWS, 5, axis=0)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        (Median(), (1.05, 2, 3.05)),
        (TrimmedMean(trim=1), (1.05, 1.97, 3.05)),
        (Krum(byzantine=1), (1.05, 2.05, 3.05)),
        (MultiKrum(byzantine=1, keep=5), (1.05, 2.05, 3.03)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_result_is_that_of_the_table(rule, wanted):
    np.testing.assert_allclose(combined(rule, ROWS), wanted, atol=1e-12)


@pytest.mark.parametrize(
    "rule",
    [Bulyan(), GeometricMedian(), CentredClipping(iterations=30)],
    ids=lambda rule: type(rule).__name__,
)
def test_the_result_is_among_what_honest_workers_sent(rule):
    found = combined(rule, ROWS)
    assert np.all(HONEST.min(axis=0) <= found)
    assert np.all(found <= HONEST.max(axis=0))
