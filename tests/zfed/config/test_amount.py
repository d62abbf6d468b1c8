import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config.amount import Amount
from zfed.errors import ConfigError


def test_a_number_is_itself_and_a_share_is_of_what_there_is():
    assert Amount.parse(" 30 ", "--cohort").of(7) == 30
    assert Amount.parse("10%", "--cohort").of(100) == 10
    assert Amount.parse("2.5 %", "--cohort").share == Fraction(1, 40)


@given(percent=st.integers(1, 100), total=st.integers(0, 10_000))
def test_a_share_is_rounded_up_exactly_and_is_never_nobody(percent, total):
    assert Amount.parse(f"{percent}%", "--cohort").of(total) == max(1, math.ceil(percent * total / 100))


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "0%", "101%", "10 percent", "nan%", "1e3", "٣"])
def test_what_is_neither_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"^--cohort is .+ as 10%"):
        Amount.parse(text, "--cohort")
