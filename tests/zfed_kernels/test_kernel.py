"""What a kernel refuses before any compiled code could read or write out of bounds."""

import numpy as np
import pytest

from zfed_kernels import _kernel, accumulate_exact, reference, scan


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"one length, got shapes \[\(3,\), \(4,\)\]"):
        accumulate_exact(np.zeros(3), np.zeros(4), 1.0, 1.0)


def test_arrays_of_two_dimensions_are_refused():
    with pytest.raises(ValueError, match="flat arrays"):
        scan(np.zeros((2, 2)))


def test_unknown_dtypes_are_refused():
    with pytest.raises(TypeError, match=r"accumulate_exact of \(float64, int32\) arrays"):
        accumulate_exact(np.zeros(3), np.zeros(3, np.int32), 1.0, 1.0)


def test_something_that_is_no_array_is_refused():
    with pytest.raises(TypeError, match="expected an array, got list"):
        scan([1.0])


@pytest.mark.parametrize(
    "output",
    [
        np.frombuffer(bytes(24)),
        np.zeros(6)[::2],
        np.frombuffer(bytearray(25), np.float64, offset=1),
    ],
    ids=["read-only", "strided", "unaligned"],
)
def test_outputs_that_cannot_be_written_in_place_are_refused(output):
    with pytest.raises(ValueError, match="writable, aligned and contiguous"):
        accumulate_exact(output, np.zeros(3), 1.0, 1.0)


def test_strided_input_is_read_right():
    total = np.zeros(3)
    accumulate_exact(total, np.arange(6.0)[::2], 1.0, 2.0**-10)
    np.testing.assert_array_equal(total, [0, 2, 4])


def test_arguments_may_be_named():
    total = np.zeros(1)
    accumulate_exact(total, np.ones(1), grid=2.0**-10, weight=3.0)
    assert total[0] == 3.0
    with pytest.raises(TypeError, match="missing a required argument"):
        accumulate_exact(total, np.ones(1), weight=3.0)


@pytest.fixture
def asked_for(monkeypatch):
    """The signatures that are compiled, as they are."""
    seen, compiled = [], _kernel.compiled
    monkeypatch.setattr(_kernel, "compiled", lambda loop, types: seen.append(types) or compiled(loop, types))
    return seen


def test_a_kernel_is_compiled_once_and_only_for_the_dtypes_it_meets(asked_for):
    signatures = [("in float32",), ("in float64",)]
    fresh = _kernel.Kernel(scan.__wrapped__, reference.scan, signatures, _kernel.one_length)
    _kernel.warm_up(fresh)
    fresh(np.zeros(3, np.float32))
    fresh(np.zeros(3, np.uint16))  # widened to float32
    assert asked_for == [("in float32",)]
    fresh(np.zeros(3))
    assert asked_for == signatures
