"""Laws of quantising: bounds, no bias, and sums that are those of the decoded numbers, to the bit."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zfed_kernels
from zfed_kernels import (
    accumulate,
    accumulate_exact,
    float32_to_bfloat16,
    int8_scales,
    int8_to_float32,
    quantise_int8,
    reference,
)

finite = {"allow_nan": False, "allow_infinity": False, "width": 32}
vectors = hnp.arrays(np.float32, st.integers(0, 600), elements=st.floats(**finite))
TINY = 2.0**-140  # below float32's normal numbers a scale has no precision


def quantised(values, key=0, stream=0):
    codes = np.empty(values.size, np.int8)
    scales = np.empty(int8_scales(values.size), np.float32)
    quantise_int8(codes, scales, values, key=key, stream=stream)
    return codes, scales


def decoded(codes, scales):
    out = np.empty(codes.size, np.float32)
    int8_to_float32(out, codes, scales)
    return out


@given(vectors, st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_int8_is_off_by_at_most_one_scale(values, key):
    """QSGD, arXiv 1610.02132, section 3.1: a value goes to one of the two levels next to it."""
    codes, scales = quantised(values, key)
    assert codes.size == 0 or int(np.abs(codes.astype(int)).max()) <= 127
    error = np.abs(decoded(codes, scales).astype(np.float64) - values)
    step = np.repeat(scales.astype(np.float64), 256)[: values.size]
    np.testing.assert_array_less(error, step * (1 + 2**-16) + TINY)


@given(vectors)
@settings(deadline=None)
def test_scales_are_as_small_as_they_can_be(values):
    _, scales = quantised(values)
    for block, scale in enumerate(scales):
        largest = float(np.abs(values[block * 256 : block * 256 + 256]).max())
        assert 0 <= float(scale) <= largest / 127 * (1 + 2**-21) + TINY
        assert np.isfinite(np.float32(127) * scale)


def test_stochastic_rounding_is_unbiased():
    """The mean of n roundings of x is x, within 5 standard errors; one rounding's variance is at most 1/4."""
    values = np.zeros(256, np.float32)
    values[:] = np.linspace(-1, 1, 256)
    rounds = 1000
    total = np.zeros(256)
    for key in range(rounds):
        total += decoded(*quantised(values, key))
    step = 1 / 127
    np.testing.assert_allclose(total / rounds, values, atol=5 * step / 2 / np.sqrt(rounds))


def test_rounding_to_the_nearest_level_would_be_biased():
    """Else the test above would prove nothing: 0.3 of a step rounds to 0 every time."""
    values = np.full(256, 0.3 / 127, np.float32)
    values[0] = 1
    codes, _ = quantised(values, 1)
    assert set(codes[1:].tolist()) == {0, 1}


def test_values_that_are_levels_are_kept():
    values = np.arange(-127, 128, dtype=np.float32) * np.float32(0.25)
    codes, scales = quantised(values)
    np.testing.assert_array_equal(codes, np.arange(-127, 128))
    np.testing.assert_allclose(decoded(codes, scales), values, rtol=2**-20)


def test_equal_seeds_round_alike_and_others_do_not():
    values = np.random.default_rng(0).standard_normal(40_000, np.float32)
    first, again = quantised(values, 3, 4), quantised(values, 3, 4)
    np.testing.assert_array_equal(first[0], again[0])
    assert np.any(quantised(values, 4, 4)[0] != first[0])
    assert np.any(quantised(values, 3, 5)[0] != first[0])


def test_zeros_and_extremes_have_finite_scales():
    codes, scales = quantised(np.zeros(300, np.float32))
    assert not codes.any()
    assert not scales.any()
    most = np.finfo(np.float32).max
    values = np.array([most, -most, 1], np.float32)
    assert np.isfinite(decoded(*quantised(values))).all()


@given(vectors)
@settings(deadline=None)
def test_bfloat16_is_the_nearest_and_never_infinite(values):
    bits = np.empty(values.size, np.uint16)
    float32_to_bfloat16(bits, values)
    out = reference.widened(bits).astype(np.float64)
    assert np.isfinite(out).all()
    # 8 significant bits: half a unit in the last place is 2**-9 of the leading power of two; the largest
    # number's own rounding goes down instead of to infinity
    np.testing.assert_array_less(
        np.abs(out - values), np.abs(values.astype(np.float64)) * 2.0**-8 + 2.0**-133
    )


@pytest.mark.parametrize(
    ("value", "bits"),
    [(1.0, 0x3F80), (1 + 2**-8, 0x3F80), (1 + 3 * 2**-8, 0x3F82), (-1 - 2**-7, 0xBF81), (-0.0, 0x8000)],
)
def test_bfloat16_ties_go_to_even(value, bits):
    out = np.empty(1, np.uint16)
    float32_to_bfloat16(out, np.array([value], np.float32))
    assert out[0] == bits


def test_every_float16_is_decoded_exactly():
    bits = np.arange(2**16, dtype=np.uint16)
    total = np.zeros(bits.size)
    zfed_kernels.accumulate_float16(total, bits, 1.0)
    np.testing.assert_array_equal(total, bits.view(np.float16).astype(np.float64))


@pytest.mark.parametrize("step", [0, 1])
def test_float16_is_rounded_as_numpy_does_at_every_border(step):
    """Every finite float16 and what lies halfway to the next, each with its neighbours in float32."""
    numbers = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    middles = numbers[:-1] / 2 + numbers[1:] / 2
    near = np.concatenate([each for x in (numbers, middles) for each in (np.nextafter(x, np.float32(0)), x)])
    near = np.nextafter(near, np.float32(np.inf)) if step else near
    near = near[near <= 65504]
    for values in (near, -near):
        bits = np.empty(values.size, np.uint16)
        zfed_kernels.float32_to_float16(bits, values)
        np.testing.assert_array_equal(bits, values.astype(np.float16).view(np.uint16))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1024, 5000])
def test_sum_of_encoded_updates_is_the_sum_of_decoded_ones(size):
    rng = np.random.default_rng(size)
    values = (rng.standard_normal(size) * 10.0 ** rng.uniform(-6, 0, size)).astype(np.float32)
    codes, scales = quantised(values)
    bits = np.empty(size, np.uint16)
    float32_to_bfloat16(bits, values)
    half = values.astype(np.float16)
    grid = 2.0**-43
    for encoded, name, plain in (
        ((codes, scales), "int8", decoded(codes, scales)),
        ((bits,), "bfloat16", reference.widened(bits)),
        ((half.view(np.uint16),), "float16", half.astype(np.float32)),
    ):
        exact, wanted = np.full(size, 3 * grid), np.full(size, 3 * grid)
        getattr(zfed_kernels, f"accumulate_{name}_exact")(exact, *encoded, 17.0, grid)
        accumulate_exact(wanted, plain, 17.0, grid)
        np.testing.assert_array_equal(exact.view(np.uint64), wanted.view(np.uint64))
        rough, wanted = np.ones(size, np.float32), np.ones(size, np.float32)
        getattr(zfed_kernels, f"accumulate_{name}")(rough, *encoded, 17.0)
        accumulate(wanted, plain, 17.0)
        np.testing.assert_array_equal(rough.view(np.uint32), wanted.view(np.uint32))


@given(st.permutations(range(6)))
@settings(deadline=None)
def test_sum_of_encoded_updates_has_the_same_bytes_in_any_order(order):
    def summed(indices):
        total = np.zeros(700)
        for index in indices:
            values = np.random.default_rng(index).standard_normal(700, np.float32)
            zfed_kernels.accumulate_int8_exact(total, *quantised(values), index + 0.3, 2.0**-40)
        return total

    assert summed(order).tobytes() == summed(range(6)).tobytes()


@pytest.mark.parametrize(("codes", "scales"), [(257, 1), (256, 2), (0, 1)])
def test_scales_that_do_not_fit_their_codes_are_refused(codes, scales):
    with pytest.raises(ValueError, match="lengths that fit"):
        int8_to_float32(np.empty(codes, np.float32), np.zeros(codes, np.int8), np.zeros(scales, np.float32))
