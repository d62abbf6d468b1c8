"""Laws of encoded updates, for every codec: sizes, bounds, error feedback, sums, and hostile bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.compression import Encoding, create_codec
from zfed.errors import LayoutError, UpdateError
from zfed.params import ParameterBuffer, ParameterLayout, TensorKind
from zfed.params.dtypes import NUMPY_DTYPES
from zfed.strategies import Bounds, UpdateInspector
from zfed.strategies.accumulator import named_accumulator
from zfed.strategies.update_sum import UpdateSum

NAMES = ["none", "bf16", "fp16", "int8", "topk:0.1"]
LAYOUT = ParameterLayout.build(
    [
        ("double", "F64", (3,), "average"),
        ("weight", "F32", (7, 100), "average"),
        ("bias", "F32", (7,), "average"),
        ("head", "F32", (5,), "average"),
        ("mean", "F32", (4,), "running"),
        ("half", "F16", (3,), "average"),
        ("brain", "BF16", (3,), "average"),
        ("count", "I64", (), "counter"),
        ("mask", "BOOL", (3,), "counter"),
        ("mine", "F32", (2,), "local"),
    ]
)
ENCODED = ["double", "weight", "bias"]


def encoding(name, layout=LAYOUT, exact=("head",)):
    return Encoding(layout, create_codec(name), exact=exact)


def update(seed, spread=1.0):
    rng = np.random.default_rng(seed)
    delta = ParameterBuffer.zeros(LAYOUT.moving)
    for name in delta:
        if name == "brain":
            delta[name][...] = (rng.standard_normal(3, np.float32).view(np.uint32) >> 16).astype(np.uint16)
        elif name == "mask":
            delta[name][...] = rng.random(3) < 0.5
        elif name == "count":
            delta[name][...] = rng.integers(0, 100)
        else:
            delta[name][...] = spread * rng.standard_normal(delta[name].shape)
    return delta


def encoded_values(buffer):
    return np.concatenate([buffer[name].astype(np.float64).ravel() for name in ENCODED])


def in_order(e, residual):
    """Encoded parts follow the vector, whose widest tensors come first: as `encoded_values` does."""
    assert [part.tensor.name for part in e.parts if part.tensor] == ENCODED
    return residual.astype(np.float64)


@pytest.mark.parametrize("name", NAMES)
def test_size_is_known_before_any_number_is(name):
    e = encoding(name)
    assert e.encode(update(1), None, key=1).data.nbytes == e.nbytes
    assert e.encode(update(2), None, key=2).data.nbytes == e.nbytes


@pytest.mark.parametrize(
    ("name", "share"), [("bf16", 0.5), ("fp16", 0.5), ("int8", 0.27), ("topk:0.01", 0.03)]
)
def test_an_update_of_the_published_network_takes_its_share_of_bytes(name, share):
    shapes = [(20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (500, 800), (500,), (10, 500), (10,)]
    layout = ParameterLayout.build([(str(i), "F32", shape, "average") for i, shape in enumerate(shapes)])
    assert layout.nbytes == 4 * 431_080
    assert encoding(name, layout, ()).nbytes <= share * layout.nbytes


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), spread=st.sampled_from([1e-6, 1.0, 1e3]))
@settings(deadline=None, max_examples=20)
def test_exact_tensors_stay_and_the_others_stay_near(name, seed, spread):
    e, delta = encoding(name), update(seed, spread)
    data, residual = e.encode(delta, None, key=seed)
    decoded = e.decode(data)
    for tensor in LAYOUT.moving.tensors:
        if name == "none" or tensor.name not in ENCODED:
            assert decoded[tensor.name].tobytes() == delta[tensor.name].tobytes()
    if name == "none":
        return
    error = np.abs(encoded_values(delta) - encoded_values(decoded))
    np.testing.assert_allclose(
        encoded_values(delta) - encoded_values(decoded), in_order(e, residual), rtol=1e-6, atol=spread * 1e-7
    )
    size = np.abs(encoded_values(delta))
    # halves: half a unit in the last place; int8: one step of 1/127; top k: a value is kept or lost
    bound = {
        "bf16": 2.0**-8 * size,
        "fp16": 2.0**-11 * size + 2.0**-25,
        "int8": size.max() / 127 + 0 * size,
        "topk:0.1": size,
    }[name]
    assert np.all(error <= bound * (1 + 1e-5) + spread * 1e-12)


@pytest.mark.parametrize("name", NAMES[1:])
@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 12))
@settings(deadline=None, max_examples=15)
def test_what_was_decoded_is_what_was_given_less_the_last_residual(name, seed, rounds):
    """arXiv 1901.09847, algorithm 1: nothing is lost but put off."""
    e, residual, given_sum, decoded_sum = encoding(name), None, 0.0, 0.0
    for turn in range(rounds):
        delta = update(seed + turn)
        data, residual = e.encode(delta, residual, key=seed + turn)
        given_sum = given_sum + encoded_values(delta)
        decoded_sum = decoded_sum + encoded_values(e.decode(data))
    np.testing.assert_allclose(given_sum - in_order(e, residual), decoded_sum, atol=rounds * 1e-5)


def test_feedback_keeps_small_values_alive():
    """float16 has nothing between 0 and 6e-8, so 1e-9 alone would be lost every time."""
    layout = ParameterLayout.build([("w", "F32", (1,), "average")])
    e, delta = encoding("fp16", layout, ()), ParameterBuffer.zeros(layout)
    delta["w"][...] = 1e-9
    residual, total = None, 0.0
    for turn in range(640):
        data, residual = e.encode(delta, residual, key=turn)
        total += float(e.decode(data)["w"][0])
    assert total == pytest.approx(640e-9, abs=2.0**-24)


@pytest.mark.parametrize("name", NAMES)
def test_sums_have_the_bits_of_the_decoded_updates(name):
    e, grid = encoding(name), 2.0**-40
    encoded = [e.encode(update(seed), None, key=seed).data for seed in range(4)]
    plain, sliced = (UpdateSum(e.layout, named_accumulator("exact")) for _ in range(2))
    for each in (plain, sliced):
        each.open(grid)
    fused = {segment: _zeros(segment) for segment in e.layout.segments}
    for weight, data in enumerate(encoded, 3):
        plain.add([(0, e.decode(data).data)], weight)
    for weight, data in reversed(list(enumerate(encoded, 3))):  # in another order
        sliced.add(e.slices(data), weight)
        e.accumulate(data, fused.__getitem__, weight, grid)
    plain.close()
    sliced.close()
    for segment in e.layout.segments:
        wanted = b"".join(total.tobytes() for _, total in plain.blocks(segment))
        assert b"".join(total.tobytes() for _, total in sliced.blocks(segment)) == wanted
        assert fused[segment].tobytes() == wanted


def _zeros(segment):
    counts = segment.kind is TensorKind.COUNTER
    return np.zeros(segment.size, NUMPY_DTYPES[segment.dtype] if counts else np.float64)


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_sum_in_float32_works_without_a_grid(name):
    layout = ParameterLayout.build([("w", "F32", (700,), "average"), ("v", "F32", (9,), "running")])
    e, delta = encoding(name, layout, ()), ParameterBuffer.zeros(layout)
    for values in delta.values():
        values[...] = np.random.default_rng(0).standard_normal(values.shape)
    data = e.encode(delta, None, key=3).data
    totals = {segment: np.zeros(segment.size, np.float32) for segment in layout.segments}
    e.accumulate(data, totals.__getitem__, 2.0, None)
    decoded = e.decode(data)
    for segment, total in totals.items():
        np.testing.assert_array_equal(total, 2 * decoded.data[segment.start : segment.stop].view(np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_slices_suit_an_inspector_and_join_to_the_vector(name):
    e = encoding(name)
    data = e.encode(update(5), None, key=5).data.tobytes()
    inspector, joined = UpdateInspector(e.layout, Bounds(64.0)), b""
    for offset, piece in e.slices(data):
        assert offset == len(joined)
        inspector.feed(offset, piece)
        joined += piece.tobytes()
    inspector.verdict()
    assert joined == e.decode(data).data.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_many_parts_comes_back(name):
    layout = ParameterLayout.build(
        [
            ("w", "F32", (2**18 + 5,), "average"),
            ("x", "F64", (7,), "average"),
            ("r", "F32", (9,), "running"),
        ]
    )
    e, delta = encoding(name, layout, ()), ParameterBuffer.zeros(layout)
    for values in delta.values():
        values[...] = np.random.default_rng(0).standard_normal(values.shape)
    data, residual = e.encode(delta, None, key=3)
    decoded = e.decode(data)
    np.testing.assert_array_equal(decoded["r"], delta["r"])
    if name != "none":
        lost = np.concatenate([delta["x"] - decoded["x"], delta["w"] - decoded["w"]])
        np.testing.assert_allclose(residual, lost, atol=1e-6)


def test_equal_keys_encode_alike_and_others_do_not():
    e = encoding("int8")
    first = e.encode(update(1), None, key=1).data
    np.testing.assert_array_equal(e.encode(update(1), None, key=1).data, first)
    assert np.any(e.encode(update(1), None, key=2).data != first)


@pytest.mark.parametrize("name", NAMES)
def test_a_layout_of_nothing_is_encoded_as_nothing(name):
    e = encoding(name, ParameterLayout.build([]), ())
    data, residual = e.encode(ParameterBuffer.zeros(e.layout), None, key=0)
    assert data.size == residual.size == e.nbytes == 0
    assert e.decode(data.tobytes()) == ParameterBuffer.zeros(e.layout)


@pytest.mark.parametrize("name", NAMES[1:])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("tensor", ["double", "weight"])
def test_a_value_that_is_not_finite_is_refused_by_name(name, bad, tensor):
    delta = update(1)
    delta[tensor].ravel()[2] = bad
    with pytest.raises(UpdateError, match=f"tensor '{tensor}' with its residual is {bad}") as caught:
        encoding(name).encode(delta, None, key=1)
    assert (caught.value.flaw.code, caught.value.flaw.tensor) == ("not-finite", tensor)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_double_beyond_float32_is_cut_to_its_largest_number(name):
    delta = update(1)
    delta["double"][...] = [1e300, -1e300, 0]
    data, residual = encoding(name).encode(delta, None, key=1)
    assert np.isfinite(residual).all()
    assert np.isfinite(encoding(name).decode(data)["double"]).all()


def test_an_update_or_residual_of_another_model_is_refused():
    other = ParameterBuffer.zeros(ParameterLayout.build([("w", "F32", (3,), "average")]))
    with pytest.raises(LayoutError, match="vector does not fit its encoding"):
        encoding("int8").encode(other, None, key=0)
    with pytest.raises(LayoutError, match=r"residual of shape \(4,\), expected \(710,\)"):
        encoding("int8").encode(update(1), np.zeros(4, np.float32), key=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [-1, 1, 4096])
def test_another_number_of_bytes_is_refused(name, change):
    e = encoding(name)
    data = e.encode(update(1), None, key=1).data.tobytes()
    data = data[:change] if change < 0 else data + bytes(change)
    with pytest.raises(
        UpdateError, match=rf"encoded update has {len(data)} bytes, expected {e.nbytes}"
    ) as it:
        e.check(data)
    assert it.value.flaw.code == "size"


@pytest.mark.parametrize("name", NAMES[1:])
def test_hostile_bytes_are_refused_by_tensor(name):
    e = encoding(name)
    data = e.encode(update(1), None, key=1).data
    part = next(part for part in e.parts if part.tensor and part.tensor.name == "bias")
    data[part.at : part.at + part.nbytes] = 0xFF  # NaN in every float
    with pytest.raises(UpdateError, match="tensor 'bias', encoded bytes ") as caught:
        e.decode(data)
    assert (caught.value.flaw.code, caught.value.flaw.tensor) == ("not-finite", "bias")


def test_padding_that_is_not_zero_is_refused():
    e = encoding("int8")
    data = e.encode(update(1), None, key=1).data
    ends = [part.at + part.nbytes for part in e.parts]
    gap = next(end for end, part in zip(ends, e.parts[1:], strict=False) if end < part.at)
    data[gap] = 1
    with pytest.raises(UpdateError, match="padding, expected zeros") as caught:
        e.check(data)
    assert caught.value.flaw.code == "layout"


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_any_bytes_are_refused_or_give_finite_numbers(name, data):
    e = encoding(name)
    raw = bytearray(e.encode(update(1), None, key=1).data.tobytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, e.nbytes - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = e.decode(raw)
    except UpdateError:
        return
    if name != "none":
        assert np.isfinite(encoded_values(decoded)).all()


def test_a_part_beyond_four_gigabytes_is_decoded_from_a_mapping(tmp_path):
    """A file of 4.3 GB that is nearly all hole: nothing reads or keeps the whole."""
    layout = ParameterLayout.build([("w", "F32", (2**32 + 5,), "average")])
    e = encoding("int8", layout, ())
    path = tmp_path / "encoded"
    with path.open("wb") as file:
        file.truncate(e.nbytes)
    mapped = np.memmap(path, np.uint8, "r+")
    last = e.parts[-1]
    mapped[last.at : last.at + 4].view(np.float32)[:] = 0.5
    mapped[-1] = 100
    assert last.start == 2**34
    assert last.at > 2**32
    np.testing.assert_array_equal(e.decode_part(mapped, last).view(np.float32), [0, 0, 0, 0, 50])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_encoded_once_has_the_bytes_of_a_first_update(name):
    e = encoding(name)
    assert e.encode_once(update(3), key=9).tobytes() == e.encode(update(3), None, key=9).data.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_decoding_into_a_buffer_changes_nothing_but_that(name):
    e = encoding(name)
    data = e.encode_once(update(3), key=9)
    model = ParameterBuffer.zeros(LAYOUT)
    assert e.decode(data, model.moving) == e.decode(data)
    assert model.moving == e.decode(data)
    assert not model["mine"].any()


def test_touched_names_the_first_tensor_that_loses_something():
    e = encoding("int8")
    assert e.touched(["bias", "weight"]) == "weight"
    assert e.touched(["b*"]) == "bias"
    assert e.touched(["head", "mean", "half", "count"]) == ""
    assert encoding("none").touched(["*"]) == ""
    with pytest.raises(LayoutError, match="'wieght' is to be exact, but fits no tensor"):
        e.touched(["wieght"])
