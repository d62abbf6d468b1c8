import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.params.strategies import entry_lists, layouts
from zfed.errors import LayoutError
from zfed.params import MAX_DESCRIPTION_BYTES, ParameterLayout, Segment, TensorKind
from zfed.params.layout import MAX_TENSORS
from zfed.params.tensor import MOVING

LENET = (
    ("conv1.weight", "F32", (20, 1, 5, 5), "average"),
    ("conv1.bias", "F32", (20,), "average"),
    ("bn.mean", "F32", (20,), "running"),
    ("bn.steps", "I64", (), "counter"),
    ("table", "F16", (3, 3), "frozen"),
    ("head", "F32", (5,), "local"),
)


def lenet(**changes: tuple[str, str, tuple[int, ...], str] | None) -> ParameterLayout:
    """The layout above, with some entries changed or (None) left out."""
    changed = (changes.get(entry[0].replace(".", "_"), entry) for entry in LENET)
    return ParameterLayout.build(entry for entry in changed if entry is not None)


def test_groups_follow_one_another_and_the_widest_come_first() -> None:
    placed = [(spec.name, spec.offset) for spec in lenet().tensors]
    assert placed == [
        ("bn.steps", 0),
        ("conv1.weight", 8),
        ("conv1.bias", 2008),
        ("bn.mean", 2088),
        ("table", 2176),  # 64-byte boundary after 2168
        ("head", 2240),
    ]
    assert lenet().nbytes == 2260


def test_segments_are_the_runs_of_one_dtype_and_kind() -> None:
    segments = lenet().segments
    assert segments == (
        Segment("I64", TensorKind.COUNTER, 0, 8),
        Segment("F32", TensorKind.AVERAGE, 8, 2088),
        Segment("F32", TensorKind.RUNNING, 2088, 2168),
        Segment("F16", TensorKind.FROZEN, 2176, 2194),
        Segment("F32", TensorKind.LOCAL, 2240, 2260),
    )
    assert [segment.size for segment in segments] == [1, 520, 20, 9, 5]


@given(layouts)
def test_no_padding_inside_a_group_and_every_tensor_is_aligned(layout: ParameterLayout) -> None:
    for group in (layout.moving, layout.frozen, layout.local):
        assert group.nbytes == sum(spec.nbytes for spec in group.tensors)
        assert all(spec.offset % spec.numpy_dtype.itemsize == 0 for spec in group.tensors)
    for spec in layout.tensors:
        first_of_group = spec.name in {
            g.tensors[0].name for g in (layout.moving, layout.frozen, layout.local) if g.tensors
        }
        assert not first_of_group or spec.offset % 64 == 0


@given(layouts)
def test_what_is_sent_is_a_prefix_of_the_vector(layout: ParameterLayout) -> None:
    assert layout.tensors[: len(layout.shared.tensors)] == layout.shared.tensors
    assert layout.shared.tensors[: len(layout.moving.tensors)] == layout.moving.tensors


@given(layouts)
def test_segments_cover_each_tensor_once(layout: ParameterLayout) -> None:
    assert sum(segment.size for segment in layout.segments) == sum(spec.size for spec in layout.tensors)
    for before, after in zip(layout.segments, layout.segments[1:], strict=False):
        assert before.stop <= after.start
        assert (before.dtype, before.kind) != (after.dtype, after.kind)


@given(layouts)
def test_tensor_at_finds_the_tensor_of_each_byte_and_no_other(layout: ParameterLayout) -> None:
    owners = {byte: spec for spec in layout.tensors for byte in range(spec.offset, spec.stop)}
    for byte in range(-1, layout.nbytes + 1):
        if byte in owners:
            assert layout.tensor_at(byte) == owners[byte]
        else:
            with pytest.raises(LayoutError, match=f"byte {byte} of"):
                layout.tensor_at(byte)


@given(layouts)
def test_bytes_give_the_same_layout_back(layout: ParameterLayout) -> None:
    again = ParameterLayout.from_bytes(layout.to_bytes())
    assert again == layout
    assert hash(again) == hash(layout)
    assert again.digest == layout.digest


@given(entry_lists, st.randoms(use_true_random=False))
def test_laying_out_again_changes_nothing(entries: list, random) -> None:
    random.shuffle(entries)
    layout = ParameterLayout.build(entries)
    assert ParameterLayout.build((s.name, s.dtype, s.shape, s.kind) for s in layout.tensors) == layout


@given(layouts, layouts)
def test_digests_are_equal_exactly_where_no_difference_is_found(
    one: ParameterLayout, other: ParameterLayout
) -> None:
    assert one.first_difference(one) is None
    assert (one.first_difference(other) is None) == (one.digest == other.digest)


def test_digest_is_stable() -> None:
    assert lenet().to_bytes() == (
        b'{"format":"zfed-layout/1","tensors":[["bn.steps","I64",[],"counter"],'
        b'["conv1.weight","F32",[20,1,5,5],"average"],["conv1.bias","F32",[20],"average"],'
        b'["bn.mean","F32",[20],"running"],["table","F16",[3,3],"frozen"],["head","F32",[5],"local"]]}'
    )
    assert lenet().digest == "sha256:d8e4f0c19c3c945caf14891f56fba8e589640bcd10b7f10f96d814152324082c"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            {"conv1_weight": ("conv1.weight", "F32", (10, 1, 5, 5), "average")},
            "tensor 'conv1.weight': shape (20, 1, 5, 5) here, (10, 1, 5, 5) there",
        ),
        (
            {"conv1_bias": ("conv1.bias", "F64", (20,), "average")},
            "tensor 'conv1.bias': dtype F32 here, F64 there",
        ),
        ({"bn_mean": ("bn.mean", "F32", (20,), "local")}, "tensor 'bn.mean': kind running here, local there"),
        ({"conv1_bias": None}, "tensor 'conv1.bias' is missing there"),
        ({"table": None}, "tensor 'table' is missing there"),
    ],
)
def test_first_difference_names_the_tensor_and_both_sides(change: dict, difference: str) -> None:
    assert lenet().first_difference(lenet(**change)) == difference
    assert lenet().digest != lenet(**change).digest


def test_first_difference_sees_what_only_the_other_has() -> None:
    assert lenet(conv1_bias=None).first_difference(lenet()) == "tensor 'conv1.bias' is missing here"


def test_first_difference_sees_another_order() -> None:
    here = ParameterLayout.build([("a", "F32", (), "average"), ("b", "F32", (), "average")])
    there = ParameterLayout.build([("b", "F32", (), "average"), ("a", "F32", (), "average")])
    assert here.first_difference(there) == "tensor 'a' here is at the place of 'b' there"


@pytest.mark.parametrize("change", [{"head": None}, {"head": ("head", "F64", (2, 2), "local")}])
def test_local_tensors_do_not_count(change: dict) -> None:
    assert lenet().digest == lenet(**change).digest
    assert lenet().first_difference(lenet(**change)) is None
    assert lenet(**change).first_difference(lenet()) is None
    assert lenet() != lenet(**change)


def test_five_gibibytes_are_laid_out_without_memory() -> None:
    layout = ParameterLayout.build(
        [("w", "F32", (5, 1 << 28), "average"), ("b", "BF16", (3,), "average"), ("s", "I64", (), "counter")]
    )
    assert layout.nbytes == 5 * 2**30 + 6 + 8
    assert layout.tensor_at(5 * 2**30 + 8).name == "b"
    assert layout.tensor_at(5 * 2**30 + 7).name == "w"
    assert layout.segments[1].size == 5 * 2**28


def test_a_layout_without_tensors_is_one() -> None:
    layout = ParameterLayout.build([])
    assert (layout.nbytes, layout.segments, layout.moving) == (0, (), layout)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (("", "F32", (1,), "average"), "1 to 512 characters"),
        (("x" * 513, "F32", (1,), "average"), "1 to 512 characters"),
        (("\ud800", "F32", (1,), "average"), "not valid Unicode"),
        (("__metadata__", "F32", (1,), "average"), "reserved"),
        (("w", "C64", (1,), "average"), "dtype 'C64' is not one of F64"),
        (("w", "F32", (-1,), "average"), r"shape \(-1,\)"),
        (("w", "F32", (True,), "average"), "shape"),
        (("w", "F32", (1.0,), "average"), "shape"),
        (("w", "F32", (1,) * 33, "average"), "33 dimensions, limit is 32"),
        (("w", "F32", (2**31, 2**31), "average"), "more than 2"),
        (("w", "F32", (0, 2**62), "average"), "more than 2"),
        (("w", "F32", (1,), "mean"), "kind 'mean' is not one of average"),
        (("w", "I32", (1,), "average"), "kind average needs floats, dtype is I32"),
        (("w", "BOOL", (1,), "running"), "kind running needs floats"),
        (("w", "F32", (1,), "counter"), "kind counter needs integers"),
    ],
)
def test_impossible_tensors_are_refused(entry: tuple, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        ParameterLayout.build([entry])


def test_two_tensors_of_one_name_are_refused() -> None:
    with pytest.raises(LayoutError, match="'w' is there twice") as caught:
        ParameterLayout.build([("w", "F32", (1,), "average")] * 2)
    assert caught.value.tensor == "w"


def test_vectors_beyond_63_bits_are_refused() -> None:
    half = 2**60
    with pytest.raises(LayoutError, match="'b' ends beyond"):
        ParameterLayout.build((name, "F32", (half,), "average") for name in "abc")


def test_too_many_tensors_are_refused() -> None:
    with pytest.raises(LayoutError, match="limit is 65536"):
        ParameterLayout.build((str(i), "F32", (), "average") for i in range(MAX_TENSORS + 1))


HEAD = b'{"format":"zfed-layout/1","tensors":['


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"tensors":[]}',
        b'{"format":"zfed-layout/2","tensors":[]}',
        b'{"format":"zfed-layout/1"}',
        b'{"format":"zfed-layout/1","tensors":{}}',
        b'{"format":"zfed-layout/1","tensors":[],"more":1}',
        b'{"format":"zfed-layout/1","format":"zfed-layout/1","tensors":[]}',
        b'{"format":"zfed-layout/1", "tensors":[]}',
        b'{"format":"zfed-layout/1","tensors":[]}\n',
        HEAD + b'["w","F32",[1]]]}',
        HEAD + b'["w","F32","1","average"]]}',
        HEAD + b'[1,"F32",[1],"average"]]}',
        HEAD + b'["w","F32",[1.0],"average"]]}',
        HEAD + b'["w","F32",[true],"average"]]}',
        HEAD + b'["w","F32",[18446744073709551616],"average"]]}',
        HEAD + b'["w","F32",[9223372036854775807],"average"]]}',
        HEAD + b'["\\u0077","F32",[1],"average"]]}',
        HEAD + b'["w","F32",[1],"average"],["v","F64",[1],"average"]]}',
        HEAD + b'["w","F32",[1],"local"],["v","F32",[1],"frozen"]]}',
        HEAD + b"[" * 100_000,
    ],
)
def test_hostile_bytes_are_refused(hostile: bytes) -> None:
    with pytest.raises(LayoutError):
        ParameterLayout.from_bytes(hostile)


@pytest.mark.parametrize("item", [b"[]", b"0", b'"w"', b'{"a":[]}', b'["w","F32",{},"average"]'])
def test_a_long_description_of_another_form_takes_no_more_memory_than_a_short_one(item: bytes) -> None:
    hostile = HEAD + b",".join([item] * (1_000_000 // len(item))) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(LayoutError, match="format"):
            ParameterLayout.from_bytes(hostile)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_description_beyond_the_limit_is_not_parsed() -> None:
    with pytest.raises(LayoutError, match="limit is 8388608"):
        ParameterLayout.from_bytes(bytes(MAX_DESCRIPTION_BYTES + 1))


@given(layouts, st.data())
def test_a_changed_byte_is_refused_or_another_layout(layout: ParameterLayout, data: st.DataObject) -> None:
    encoded = bytearray(layout.to_bytes())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = ParameterLayout.from_bytes(encoded)
    except LayoutError:
        return
    assert other != layout
    assert other.to_bytes() == encoded


def test_every_kind_but_frozen_and_local_moves() -> None:
    assert set(TensorKind) == MOVING | {TensorKind.FROZEN, TensorKind.LOCAL}
