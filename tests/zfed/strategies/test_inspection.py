import math

import numpy as np
import pytest
from conformance import bfloat16, chunks, make_model, make_update
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.errors import UpdateError
from zfed.params import ParameterBuffer, TensorKind, widened
from zfed.strategies import UpdateInspector


def inspect(update, *, value_range=64.0, size=64, order=iter):
    inspector = UpdateInspector(update.layout, value_range)
    for offset, data in order(chunks(update, size)):
        inspector.feed(offset, data)
    return inspector.verdict()


def refusal(update, **how):
    with pytest.raises(UpdateError) as caught:
        inspect(update, **how)
    return caught.value


@pytest.fixture
def update():
    return make_update(make_model(), 1)


def test_a_good_update_is_measured(update):
    floats = np.concatenate(
        [
            widened(update[t.name], t.dtype).astype(np.float64).ravel()
            for t in update.layout.tensors
            if t.kind is not TensorKind.COUNTER
        ]
    )
    verdict = inspect(update)
    assert verdict.largest == np.abs(floats).max()
    assert verdict.norm == pytest.approx(np.linalg.norm(floats), rel=1e-12)


@given(st.integers(0, 1000), st.randoms())
@settings(deadline=None, max_examples=20)
def test_verdict_does_not_depend_on_the_order_of_slices(seed, random):
    update = make_update(make_model(), seed)
    assert inspect(update, order=lambda c: random.sample(c, len(c))) == inspect(update)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [8, 64, 1 << 20])
@pytest.mark.parametrize("name", ["f64", "f32", "f16", "running_mean", "running_half"])
def test_what_is_not_finite_is_refused_by_tensor_and_place(update, name, bad, size):
    update[name].flat[2] = bad
    error = refusal(update, size=size)
    assert (error.code, error.tensor) == ("not-finite", name)
    at = tuple(map(int, np.unravel_index(2, update[name].shape)))
    assert str(error) == f"tensor '{name}' is {bad} at {at}, expected a finite number"


def test_nan_in_bfloat16_is_refused(update):
    update["bf16"][3] = bfloat16([np.nan])[0]
    assert str(refusal(update)) == "tensor 'bf16' is nan at (3,), expected a finite number"


def test_a_value_out_of_range_is_refused_with_the_remedy(update):
    update["f32"][4, 1] = -64.5
    error = refusal(update)
    assert (error.code, error.tensor) == ("value-range", "f32")
    assert str(error) == (
        "tensor 'f32' is -64.5 at (4, 1), the largest value allowed is 64: see --value-range"
    )


def test_the_limit_itself_is_in_range(update):
    update["f32"][0, 0] = -64.0
    assert inspect(update).largest == 64.0


def test_the_first_fault_is_told_whatever_comes_first(update):
    update["f64"][0, 3] = np.inf
    update["running_mean"][1] = 1e9
    for order in (iter, reversed):
        assert refusal(update, order=order).tensor == "f64"


def test_counters_may_be_large(update):
    update["batches"][...] = 2**62
    inspect(update)


def test_a_boolean_that_is_none_is_refused(update):
    update["seen"].view(np.uint8)[5] = 7
    error = refusal(update)
    assert (error.code, str(error)) == ("layout", "tensor 'seen' is 7 at (5,), expected 0 or 1")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c[:-1], "are missing"),
        (lambda c: c[1:], "bytes 0 to 64 of"),
        (lambda c: [*c, c[0]], "came twice"),
        (lambda c: [*c, (c[-1][0] + len(c[-1][1]), bytes(8))], "the layout has"),
        (lambda c: [], "are missing"),
    ],
)
def test_slices_that_do_not_cover_the_layout_are_refused(update, spoil, message):
    error = refusal(update, order=spoil)
    assert error.code == "layout"
    assert message in str(error)


def test_slices_that_cut_elements_are_refused(update):
    inspector = UpdateInspector(update.layout, 64.0)
    data = update.data.tobytes()
    inspector.feed(0, data[:12])
    inspector.feed(12, data[12:])
    with pytest.raises(UpdateError, match="multiples of 8") as caught:
        inspector.verdict()
    assert caught.value.code == "layout"


def test_an_update_of_nothing_is_good():
    empty = ParameterBuffer.from_arrays({})
    verdict = inspect(empty)
    assert (verdict.norm, verdict.largest) == (0.0, 0.0)


def test_a_norm_beyond_float64_is_infinite():
    update = ParameterBuffer.from_arrays({"w": np.array([1e200, 1e200])})
    assert inspect(update, value_range=1e300).norm == math.inf
