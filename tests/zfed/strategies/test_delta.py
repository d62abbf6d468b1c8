import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from conformance import make_model
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.errors import LayoutError
from zfed.params import ParameterBuffer, TensorKind, widened
from zfed.strategies import apply_delta, encode_delta

PRECISION = {"F64": 2.0**-52, "F32": 2.0**-23, "F16": 2.0**-10, "BF16": 2.0**-7}


@given(st.integers(0, 2**32), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_applying_a_delta_gives_the_new_model_up_to_rounding(seed, other):
    base, new = make_model(seed), make_model(other)
    result = apply_delta(base, encode_delta(base, new))
    for tensor in base.layout.moving.tensors:
        if tensor.kind is TensorKind.COUNTER:
            np.testing.assert_array_equal(result[tensor.name], new[tensor.name])
            continue
        was, wanted, is_now = (widened(b[tensor.name], tensor.dtype) for b in (base, new, result))
        size = np.abs(was) + np.abs(wanted)
        assert np.all(np.abs(is_now - wanted) <= PRECISION[tensor.dtype] * size), tensor.name


@given(hnp.arrays(np.float32, 5, elements=st.floats(1, 2, width=32)))
@settings(deadline=None)
def test_a_model_near_its_base_comes_back_exactly(values):
    """Sterbenz: the difference of floats within a factor 2 of one another is exact."""
    base = ParameterBuffer.from_arrays({"w": np.ones(5, np.float32)})
    new = {"w": values}
    np.testing.assert_array_equal(apply_delta(base, encode_delta(base, new))["w"], values)


def test_delta_is_computed_wide_and_rounded_once():
    base = ParameterBuffer.from_arrays({"h": np.array([2048.0], np.float16)})
    delta = encode_delta(base, {"h": np.array([0.1], np.float16)})
    assert delta["h"][0] == np.float16(float(np.float16(0.1)) - 2048.0)


def test_tensors_that_do_not_move_are_left_out_and_kept():
    base, new = make_model(1), make_model(2)
    delta = encode_delta(base, new)
    assert delta.layout == base.layout.moving
    result = apply_delta(base, delta)
    for name in ("frozen", "own"):
        assert result[name].tobytes() == base[name].tobytes()


def test_neither_model_is_changed():
    base, new = make_model(1), make_model(2)
    before = base.data.tobytes(), new.data.tobytes()
    delta = encode_delta(base.read_only(), new.read_only())
    apply_delta(base.read_only(), delta.read_only())
    assert (base.data.tobytes(), new.data.tobytes()) == before


def test_overflow_becomes_infinite_for_the_inspector_to_find():
    base = ParameterBuffer.from_arrays({"h": np.array([-60_000], np.float16)})
    assert encode_delta(base, {"h": np.array([60_000], np.float16)})["h"][0] == np.inf


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({}, "'w' is missing"),
        ({"w": np.zeros(3, np.float32)}, r"'w': shape \(3,\), expected \(2,\)"),
        ({"w": np.zeros(2)}, "'w': dtype float64, expected float32"),
        ({"w": np.zeros(2, np.float32), "v": np.zeros(1)}, "'v' is not in the layout"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_tensor(new, message):
    base = ParameterBuffer.from_arrays({"w": np.zeros(2, np.float32)})
    with pytest.raises(LayoutError, match=message):
        encode_delta(base, new)


def test_a_delta_of_another_model_is_refused_by_tensor():
    base = ParameterBuffer.from_arrays({"w": np.zeros(2, np.float32)})
    other = ParameterBuffer.from_arrays({"w": np.zeros(3, np.float32)})
    with pytest.raises(LayoutError, match=r"tensor 'w': shape \(2,\) here, \(3,\) there"):
        apply_delta(base, other)
