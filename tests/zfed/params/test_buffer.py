import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.params.strategies import buffers, layouts
from zfed.errors import LayoutError
from zfed.params import ParameterBuffer, ParameterLayout, TensorKind
from zfed.params.dtypes import NUMPY_DTYPES

quick = settings(max_examples=50, deadline=None)


def bits(array: np.ndarray) -> bytes:
    return array.tobytes()


@quick
@given(buffers())
def test_arrays_come_back_exact_to_the_bit(buffer: ParameterBuffer) -> None:
    specs = buffer.layout.tensors
    again = ParameterBuffer.from_arrays(
        dict(buffer),
        kinds={spec.name: spec.kind for spec in specs},
        dtypes={spec.name: "BF16" for spec in specs if spec.dtype == "BF16"},
    )
    assert again == buffer
    for name, array in buffer.items():
        assert (again[name].shape, again[name].dtype, bits(again[name])) == (
            array.shape,
            array.dtype,
            bits(array),
        )


@quick
@given(buffers())
def test_filled_copies_every_tensor_exactly(buffer: ParameterBuffer) -> None:
    again = ParameterBuffer.filled(buffer.layout, dict(buffer))
    assert again == buffer
    assert not np.shares_memory(again.data, buffer.data)


@quick
@given(buffers(), st.sampled_from([">", "<"]))
def test_other_byte_orders_and_strides_are_converted(buffer: ParameterBuffer, order: str) -> None:
    strange = {
        name: array.astype(array.dtype.newbyteorder(order), order="F") for name, array in buffer.items()
    }
    again = ParameterBuffer.filled(buffer.layout, strange)
    for name, array in buffer.items():
        # on its way through another byte order numpy may quiet a NaN; elsewhere all bits are kept
        np.testing.assert_array_equal(again[name], array)


@quick
@given(buffers())
def test_items_are_views_of_the_vector(buffer: ParameterBuffer) -> None:
    for spec in buffer.layout.tensors:
        view = buffer[spec.name]
        assert view.flags.aligned
        assert not spec.nbytes or np.shares_memory(view, buffer.data)


def test_writing_to_an_item_writes_to_the_vector() -> None:
    buffer = ParameterBuffer.from_arrays({"a": np.zeros(3, np.float32), "b": np.zeros((), np.int64)})
    buffer["a"][1] = 1.0
    buffer["b"][...] = 7
    assert bytes(buffer.data) == (7).to_bytes(8, "little") + b"\0\0\0\0" + b"\0\0\x80\x3f" + b"\0\0\0\0"


@given(layouts)
def test_a_new_buffer_is_zero_and_aligned(layout: ParameterLayout) -> None:
    buffer = ParameterBuffer.zeros(layout)
    assert buffer.data.shape == (layout.nbytes,)
    assert buffer.data.ctypes.data % 64 == 0 or not layout.nbytes
    assert not buffer.data.any()


@quick
@given(buffers())
def test_parts_are_views_that_hold_the_same_tensors(buffer: ParameterBuffer) -> None:
    for part in (buffer.moving, buffer.frozen, buffer.local, buffer.shared):
        for name, array in part.items():
            assert bits(array) == bits(buffer[name])
            assert not array.nbytes or np.shares_memory(array, buffer[name])
    assert len(buffer.shared) + len(buffer.local) == len(buffer)
    assert len(buffer.moving) + len(buffer.frozen) == len(buffer.shared)


@quick
@given(buffers())
def test_a_copy_is_equal_and_apart(buffer: ParameterBuffer) -> None:
    twin = buffer.read_only().copy()
    assert twin == buffer
    assert not np.shares_memory(twin.data, buffer.data)
    twin.data[...] = ~twin.data
    assert (twin == buffer) == (not any(spec.nbytes for spec in buffer.layout.tensors))


def test_padding_between_groups_does_not_count() -> None:
    layout = ParameterLayout.build([("a", "F32", (1,), "average"), ("b", "F32", (1,), "frozen")])
    one, other = ParameterBuffer.zeros(layout), ParameterBuffer.zeros(layout)
    other.data[5] = 1
    assert one == other


def test_equal_bytes_under_another_layout_are_not_equal() -> None:
    one = ParameterBuffer.from_arrays({"a": np.zeros(2, np.float32)})
    assert one != ParameterBuffer.from_arrays({"a": np.zeros(1, np.float64)})
    assert one != {"a": np.zeros(2, np.float32)}


def test_a_read_only_buffer_cannot_be_written_through_any_view() -> None:
    buffer = ParameterBuffer.from_arrays({"a": np.zeros(3, np.float32)})
    shut = buffer.read_only()
    for array in (shut["a"], shut.data, shut.moving["a"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    buffer["a"][0] = 1
    assert shut["a"][0] == 1


def test_default_kinds_follow_the_dtype() -> None:
    buffer = ParameterBuffer.from_arrays([np.zeros((), dtype) for dtype in NUMPY_DTYPES.values()])
    kinds = {spec.dtype: spec.kind for spec in buffer.layout.tensors}
    assert {name for name, kind in kinds.items() if kind is TensorKind.AVERAGE} == {"F64", "F32", "F16"}
    assert all(kind is TensorKind.COUNTER for name, kind in kinds.items() if name[0] != "F")


def test_arrays_of_a_list_are_named_by_position() -> None:
    buffer = ParameterBuffer.from_arrays([np.zeros(2, np.float16), np.ones((), np.float64)])
    assert buffer["0"].shape == (2,)
    assert buffer["1"] == 1.0


def test_a_name_goes_before_patterns_and_the_first_pattern_wins() -> None:
    zero = np.zeros(1, np.float32)
    buffer = ParameterBuffer.from_arrays(
        {"bn1.mean": zero, "bn1.weight": zero, "bn1[x]": zero, "fc": zero},
        kinds={
            "bn*.mean": TensorKind.RUNNING,
            "bn*": TensorKind.LOCAL,
            "bn1.weight": TensorKind.AVERAGE,
            "bn1[x]": TensorKind.FROZEN,
        },
    )
    kinds = {spec.name: spec.kind.value for spec in buffer.layout.tensors}
    assert kinds == {"bn1.mean": "running", "bn1.weight": "average", "bn1[x]": "frozen", "fc": "average"}


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(LayoutError, match=r"'bm\*' is to be local, but fits no tensor"):
        ParameterBuffer.from_arrays({"bn": np.zeros(1)}, kinds={"bm*": TensorKind.LOCAL})


@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        ({"w": "F16"}, "'w' is said to be F16, but holds uint16"),
        ({"v": "BF16"}, "no such tensor"),
    ],
)
def test_dtypes_that_do_not_fit_are_refused(dtypes: dict[str, str], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        ParameterBuffer.from_arrays({"w": np.zeros(1, np.uint16)}, dtypes=dtypes)


def test_arrays_that_no_vector_holds_are_refused_by_name() -> None:
    with pytest.raises(LayoutError, match="tensor 'w': dtype complex64") as caught:
        ParameterBuffer.from_arrays({"w": np.zeros(1, np.complex64)})
    assert caught.value.tensor == "w"


LAYOUT = ParameterLayout.build([("w", "F32", (2, 2), "average"), ("h", "BF16", (3,), "average")])
W, H = np.zeros((2, 2), np.float32), np.zeros(3, np.uint16)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"h": H}, "'w' is missing"),
        ({"w": W[0], "h": H}, r"'w': shape \(2,\), expected \(2, 2\)"),
        ({"w": W.astype(np.float64), "h": H}, "'w': dtype float64, expected float32"),
        ({"w": [[0, 0], [0, 0]], "h": H}, "'w': dtype int64, expected float32"),
        ({"w": W, "h": H.view(np.float16)}, "'h': dtype float16, expected uint16 bits of BF16"),
        ({"w": W, "h": H, "x": W}, "'x' is not in the layout"),
    ],
)
def test_filled_names_the_first_tensor_that_does_not_fit(arrays: dict, message: str) -> None:
    with pytest.raises(LayoutError, match=message) as caught:
        ParameterBuffer.filled(LAYOUT, arrays)
    assert f"'{caught.value.tensor}'" in message


@pytest.mark.parametrize(
    "data",
    [
        np.zeros(21, np.uint8),
        np.zeros(23, np.uint8),
        np.zeros(22, np.int8),
        np.zeros((1, 22), np.uint8),
        np.zeros(44, np.uint8)[::2],
    ],
)
def test_only_the_right_vector_is_taken(data: np.ndarray) -> None:
    with pytest.raises(LayoutError):
        ParameterBuffer(LAYOUT, data)


def test_a_given_vector_is_not_copied_and_may_be_unaligned() -> None:
    space = np.zeros(23, np.uint8)
    buffer = ParameterBuffer(LAYOUT, space[1:])
    buffer["w"][0, 0] = 1
    assert space[3:5].tobytes() == b"\x80\x3f"


def test_an_unknown_name_is_a_key_error_as_in_any_mapping() -> None:
    buffer = ParameterBuffer.zeros(LAYOUT)
    assert "x" not in buffer
    assert buffer.get("x") is None
    with pytest.raises(KeyError):
        buffer["x"]


def test_buffers_can_be_pickled_and_copied_by_python() -> None:
    buffer = ParameterBuffer.from_arrays({"w": np.arange(3)})
    assert pickle.loads(pickle.dumps(buffer)) == buffer
    assert copy.deepcopy(buffer) == buffer
