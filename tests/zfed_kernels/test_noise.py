import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed_kernels import add_gaussian_noise
from zfed_kernels.noise import BLOCK, cosine_and_sine, philox, radius


def normals(size, **where):
    values = np.zeros(size)
    add_gaussian_noise(values, 1.0, **where)
    return values


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**64 - 1, 2**64 - 1), 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x85A308D3243F6A88, 0x0370734413198A2E),
            0x299F31D0A4093822,
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_answers(counter, key, expected):
    """Known-answer vectors of the authors' Random123 library for philox4x32 with 10 rounds."""
    words = np.empty(4, np.uint32)
    philox(words, *counter, key)
    assert tuple(words.tolist()) == expected


@given(st.integers(0, 2**40), st.integers(0, 3000), st.integers(0, 3000))
@settings(deadline=None, max_examples=10)
def test_a_value_depends_on_its_index_alone(offset, first, second):
    whole = normals(first + second, key=7, stream=3, offset=offset)
    parts = [
        normals(first, key=7, stream=3, offset=offset),
        normals(second, key=7, stream=3, offset=offset + first),
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("threads", [2, 8])
def test_noise_has_the_same_bytes_for_any_number_of_threads(threads):
    size = 3 * BLOCK + 17
    values = np.zeros(size, np.float32)
    expected = values.copy()
    add_gaussian_noise(expected, 0.5, key=1)
    borders = np.linspace(0, size, threads + 1).astype(int)

    def add(start: int, stop: int) -> None:
        add_gaussian_noise(values[start:stop], 0.5, key=1, offset=int(start))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(add, borders[:-1], borders[1:]))
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("other", [{"key": 6}, {"key": 5 + 2**32}, {"stream": 1}, {"stream": 2**32}])
def test_another_key_or_stream_is_other_noise(other):
    ours, theirs = normals(10_000, key=5), normals(10_000, **{"key": 5, **other})
    assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.05


def test_noise_is_standard_normal():
    """Kolmogorov-Smirnov against the error function: the 1e-6 critical value is 2.69 / sqrt(n)."""
    values = np.sort(normals(200_000, key=42))
    cumulative = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in values])
    ranks = np.arange(values.size + 1) / values.size
    distance = max(np.max(ranks[1:] - cumulative), np.max(cumulative - ranks[:-1]))
    assert distance < 2.69 / math.sqrt(values.size)
    assert np.mean(values**4) == pytest.approx(3.0, abs=0.1)


def test_cosine_and_sine_halves_are_uncorrelated():
    values = normals(BLOCK, key=9)
    pairs = np.corrcoef(values[: BLOCK // 2], values[BLOCK // 2 :])[0, 1]
    squares = np.corrcoef(values[: BLOCK // 2] ** 2, values[BLOCK // 2 :] ** 2)[0, 1]
    assert abs(pairs) < 0.04
    assert abs(squares) < 0.04


def test_polynomials_are_as_good_as_float32():
    words = np.concatenate([np.arange(2048), 2**32 - 1 - np.arange(2048), np.arange(0, 2**32, 2**19)])
    words = words.astype(np.uint32)
    radii, cosine, sine = (np.empty(words.size, np.float32) for _ in range(3))
    radius(radii, words)
    cosine_and_sine(cosine, sine, words)
    uniform = ((words.astype(np.float32) + np.float32(0.5)) / np.float32(2**32)).astype(np.float64)
    np.testing.assert_allclose(radii, np.sqrt(-2 * np.log(uniform)), rtol=1e-6)
    angle = (words >> 30) * (np.pi / 2) + ((words & 0x3FFF_FFFF) - 2.0**29) * (np.pi / 2**31)
    np.testing.assert_allclose(cosine, np.cos(angle), atol=2e-7)
    np.testing.assert_allclose(sine, np.sin(angle), atol=2e-7)


def test_std_scales_and_zero_std_changes_nothing():
    values = np.linspace(0, 1, 100, dtype=np.float32)
    before = values.copy()
    add_gaussian_noise(values, 0.0, key=1)
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(normals(100, key=1) * 2.0, _noise_of_std(2.0))


def _noise_of_std(std):
    values = np.zeros(100)
    add_gaussian_noise(values, std, key=1)
    return values
