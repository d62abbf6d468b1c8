import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.compression.halves import BFloat16, Float16
from zfed.params import narrowed

finite = {"allow_nan": False, "allow_infinity": False, "width": 32}
vectors = hnp.arrays(np.float32, st.integers(0, 300), elements=st.floats(**finite))
CODECS = [(BFloat16(), "BF16", 3.3895314e38), (Float16(), "F16", 65504.0)]


@pytest.mark.parametrize(("codec", "dtype", "largest"), CODECS, ids=["bf16", "fp16"])
@given(values=vectors)
@settings(deadline=None)
def test_values_are_rounded_to_nearest_and_never_to_infinity(codec, dtype, largest, values):
    data, out = np.zeros(codec.nbytes(values.size), np.uint8), np.empty_like(values)
    codec.encode(values, data, key=0, stream=0)
    assert codec.fault(data, values.size) is None
    codec.decode(data, out)
    wanted = narrowed(values, dtype)
    inside = np.abs(values) <= largest
    np.testing.assert_array_equal(data.view(wanted.dtype)[inside], wanted[inside])
    np.testing.assert_allclose(np.abs(out[~inside]), largest, rtol=1e-6)
    np.testing.assert_array_equal(np.signbit(out), np.signbit(values))


@pytest.mark.parametrize(("codec", "bits"), [(BFloat16(), 0x7F80), (BFloat16(), 0xFFC0), (Float16(), 0xFC00)])
def test_the_first_value_that_is_not_finite_is_told(codec, bits):
    data = np.array([0, 1, bits, bits], np.uint16).view(np.uint8)
    fault = codec.fault(data, 4)
    assert fault is not None
    assert fault.code == "not-finite"
    assert fault.text.startswith(f"{codec.name} value 2 of a part is ")
