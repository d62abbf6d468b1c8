import pytest

from zfed.compression import create_codec
from zfed.compression.parts import lay_out, matched
from zfed.errors import LayoutError
from zfed.params import ParameterLayout

LAYOUT = ParameterLayout.build(
    [
        ("a", "F32", (3,), "average"),
        ("b", "F32", (5,), "average"),
        ("c", "F32", (7,), "average"),
        ("empty", "F32", (0,), "average"),
        ("mean", "F32", (4,), "running"),
        ("half", "BF16", (3,), "average"),
        ("double", "F64", (2,), "average"),
        ("count", "I64", (), "counter"),
    ]
)
NAMES = ["none", "bf16", "fp16", "int8", "topk:0.25"]


def parts(codec, exact=(), layout=LAYOUT):
    return lay_out(layout, create_codec(codec), exact)


def told(codec, exact=()):
    return [part.tensor.name if part.tensor else part.stop - part.start for part in parts(codec, exact)]


@pytest.mark.parametrize("codec", NAMES)
@pytest.mark.parametrize("exact", [(), ("b",), ("[ac]", "double")])
def test_parts_cover_the_vector_in_order_and_do_not_meet_in_the_encoded_form(codec, exact):
    start = at = first = 0
    for part in parts(codec, exact):
        assert part.start == start
        assert at <= part.at < at + 8
        assert part.first == first
        start, at = part.stop, part.at + part.nbytes
        first += part.size if part.tensor else 0
    assert start == LAYOUT.nbytes


def test_only_learned_numbers_of_four_and_eight_bytes_are_encoded():
    assert told("int8") == ["double", 8, "a", "b", "c", 16, 6]


def test_tensors_that_must_be_exact_are_and_neighbours_become_one_part():
    assert told("int8", ["a", "b"]) == ["double", 8, 32, "c", 16, 6]
    assert told("int8", ["*"]) == told("none")


def test_without_a_codec_the_encoded_form_is_the_vector():
    assert all(part.at == part.start and part.at + part.nbytes == part.stop for part in parts("none"))


def test_a_name_that_fits_nothing_is_refused():
    with pytest.raises(LayoutError, match="'d' is to be exact, but fits no tensor that is sent") as caught:
        parts("int8", ["a", "d"])
    assert caught.value.tensor == "d"
    assert str(caught.value).endswith("there are 'a', 'b', 'c', 'count', 'double', 'empty', 'half', 'mean'")


def test_of_many_tensors_a_refusal_lists_the_first():
    layout = ParameterLayout.build([(f"t{number:02d}", "F32", (1,), "average") for number in range(20)])
    with pytest.raises(LayoutError, match=r"there are 't00', .*'t07' and 12 more$"):
        matched(layout, ["u*"])


@pytest.mark.parametrize("codec", NAMES)
def test_offsets_beyond_four_gigabytes_are_whole(codec):
    huge = ParameterLayout.build(
        [("small", "F32", (3,), "average"), ("w", "F32", (3 * 2**30 + 1,), "average")]
    )
    last = parts(codec, layout=huge)[-1]
    assert last.stop == huge.nbytes == 3 * 2**32 + 16
    size = create_codec(codec).part_size if codec != "none" else 2**18
    assert last.stop - last.start == (3 * 2**30 + 1) % size * 4 or last.tensor is None
