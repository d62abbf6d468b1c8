import math

import numpy as np
import pytest
from conformance import bfloat16, chunks, make_model, make_update
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zfed.errors import UpdateError
from zfed.params import ParameterBuffer, TensorKind, widened
from zfed.strategies import NO_NORM_LIMIT, Bounds, UpdateInspector, Verdict


def inspect(update, *, value_range=64.0, max_norm=NO_NORM_LIMIT, size=64, order=iter):
    inspector = UpdateInspector(update.layout, Bounds(value_range, max_norm))
    for offset, data in order(chunks(update, size)):
        inspector.feed(offset, data)
    return inspector.verdict(again=chunks(update, size))


def refusal(update, **how):
    with pytest.raises(UpdateError) as caught:
        inspect(update, **how)
    return caught.value


@pytest.fixture
def update():
    return make_update(make_model(), 1)


def floats_of(update, *kinds):
    values = [widened(update[t.name], t.dtype) for t in update.layout.tensors if t.kind in kinds]
    return np.concatenate([each.astype(np.float64).ravel() for each in values])


def test_a_good_update_is_measured(update):
    learned = floats_of(update, TensorKind.AVERAGE)
    floats = np.concatenate([learned, floats_of(update, TensorKind.RUNNING)])
    verdict = inspect(update)
    assert verdict.largest == np.abs(floats).max()
    assert verdict.norm == pytest.approx(np.linalg.norm(learned), rel=1e-12)


def test_batch_norm_statistics_have_no_part_in_the_norm(update):
    before = inspect(update).norm
    update["running_mean"][:] = 60.0
    assert inspect(update).norm == before


@pytest.mark.parametrize("size", [8, 64, 1 << 20])
@pytest.mark.parametrize("name", ["f64", "f32", "f16"])
def test_a_norm_that_is_too_large_is_refused_with_the_tensor_that_has_most_of_it(update, name, size):
    update[name].flat[:] = 60.0
    norm = np.linalg.norm(floats_of(update, TensorKind.AVERAGE))
    flaw = refusal(update, max_norm=40.0, size=size).flaw
    assert (flaw.code, flaw.tensor, flaw.seen, flaw.limit) == ("norm", name, f"{norm:g}", "40")
    share = np.linalg.norm(update[name].astype(np.float64))
    assert flaw.reason == (
        f"the norm is {norm:g}, the largest allowed is 40: see --max-norm, --max-norm-ratio; "
        f"the most of it, {share:g}, is in tensor '{name}'"
    )


def test_a_norm_that_is_too_large_is_refused_without_a_tensor_where_the_slices_are_gone(update):
    inspector = UpdateInspector(update.layout, Bounds(max_norm=0.1))
    inspector.feed(0, update.data)
    with pytest.raises(UpdateError, match=r"the largest allowed is 0\.1") as caught:
        inspector.verdict()
    assert caught.value.flaw.tensor == ""


def test_the_largest_norm_itself_is_allowed():
    update = ParameterBuffer.from_arrays({"w": np.array([3.0, 4.0], np.float32)})
    assert inspect(update, max_norm=5.0).norm == 5.0
    assert refusal(update, max_norm=np.nextafter(5.0, 0)).flaw.code == "norm"


SLICED = st.tuples(st.sampled_from([8, 16, 24, 64, 200, 1 << 20]), st.randoms())


@given(
    values=arrays(np.float32, 40, elements=st.floats(width=32)),
    first=SLICED,
    second=SLICED,
    max_norm=st.floats(0.01, 1e20),
    value_range=st.floats(0.01, 1e20),
)
def test_nothing_bad_gets_through_however_it_is_cut_and_in_whatever_order_it_comes(
    values, first, second, max_norm, value_range
):
    update = ParameterBuffer.from_arrays({"v": values[:13], "w": values[13:]})
    found = []
    for size, random in (first, second):
        shuffled = {"size": size, "order": lambda c, random=random: random.sample(c, len(c))}
        try:
            found.append(inspect(update, value_range=value_range, max_norm=max_norm, **shuffled))
        except UpdateError as error:
            tensor = error.flaw.tensor if error.flaw.code != "norm" else "one of two that may be alike"
            found.append((error.flaw.code, tensor))
    with np.errstate(over="ignore", invalid="ignore"):
        norm = np.linalg.norm(values.astype(np.float64))
    if isinstance(found[0], Verdict):
        assert np.isfinite(values).all()
        assert np.abs(values).max() <= value_range
        assert norm <= max_norm * (1 + 1e-12)
    if not math.isclose(norm, max_norm, rel_tol=1e-12):  # there its last bits decide
        assert type(found[0]) is type(found[1])
        assert isinstance(found[0], Verdict) or found[0] == found[1]


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
    assert (error.flaw.code, error.flaw.tensor) == ("not-finite", name)
    at = tuple(map(int, np.unravel_index(2, update[name].shape)))
    assert str(error) == f"tensor '{name}' is {bad} at {at}, expected a finite number"


def test_nan_in_bfloat16_is_refused(update):
    update["bf16"][3] = bfloat16([np.nan])[0]
    assert str(refusal(update)) == "tensor 'bf16' is nan at (3,), expected a finite number"


def test_a_value_out_of_range_is_refused_with_the_remedy(update):
    update["f32"][4, 1] = -64.5
    error = refusal(update)
    assert (error.flaw.code, error.flaw.tensor) == ("value-range", "f32")
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
        assert refusal(update, order=order).flaw.tensor == "f64"


def test_counters_may_be_large(update):
    update["batches"][...] = 2**62
    inspect(update)


def test_a_boolean_that_is_none_is_refused(update):
    update["seen"].view(np.uint8)[5] = 7
    error = refusal(update)
    assert (error.flaw.code, str(error)) == ("layout", "tensor 'seen' is 7 at (5,), expected 0 or 1")


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
    assert error.flaw.code == "layout"
    assert message in str(error)


def test_slices_that_cut_elements_are_refused(update):
    inspector = UpdateInspector(update.layout, Bounds(64.0))
    data = update.data.tobytes()
    inspector.feed(0, data[:12])
    inspector.feed(12, data[12:])
    with pytest.raises(UpdateError, match="multiples of 8") as caught:
        inspector.verdict()
    assert caught.value.flaw.code == "layout"


def test_an_update_of_nothing_is_good():
    empty = ParameterBuffer.from_arrays({})
    verdict = inspect(empty)
    assert (verdict.norm, verdict.largest) == (0.0, 0.0)


def test_a_norm_beyond_float64_is_refused_without_any_other_limit():
    update = ParameterBuffer.from_arrays({"w": np.array([1e200, 1e200])})
    flaw = refusal(update, value_range=1e300).flaw
    assert (flaw.code, flaw.tensor, flaw.seen) == ("norm", "w", "inf")


def test_a_value_just_beyond_a_limit_that_its_dtype_cannot_hold_is_told_by_its_place():
    update = ParameterBuffer.from_arrays({"w": np.array([0, 25_817_000, 0], np.float32)})
    error = refusal(update, value_range=25_816_999.0)  # 25817000, as a float32
    assert "'w' is 2.5817e+07 at (1,)" in str(error)
