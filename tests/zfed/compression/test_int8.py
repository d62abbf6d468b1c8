import numpy as np
import pytest

from zfed.compression.int8 import Int8


def encoded(size):
    codec = Int8()
    data = np.zeros(codec.nbytes(size), np.uint8)
    codec.encode(np.linspace(-1, 1, size, dtype=np.float32), data, key=1, stream=0)
    return codec, data


def test_a_value_takes_a_byte_and_a_sixty_fourth():
    assert Int8().nbytes(2**18) == 2**18 + 4 * 2**10
    assert Int8().nbytes(1) == 5


def test_what_is_encoded_has_no_fault():
    for size in (1, 256, 300):
        codec, data = encoded(size)
        assert codec.fault(data, size) is None


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf, -1e-3, 3e38])
def test_a_scale_that_gives_no_finite_numbers_is_told(scale):
    codec, data = encoded(300)
    data[:8].view(np.float32)[1] = scale
    fault = codec.fault(data, 300)
    assert fault is not None
    assert fault.code == "not-finite"
    assert fault.text.startswith(f"scale 1 of a part is {np.float32(scale):g}, expected")


def test_a_code_beyond_the_block_s_largest_is_told():
    codec, data = encoded(300)
    data[8:].view(np.int8)[7] = -128
    assert codec.fault(data, 300) == ("layout", "code 7 of a part is -128, expected -127 to 127")
