import pytest

from zfed.compression import Encodings
from zfed.compression.encodings import MOST_KEPT
from zfed.errors import ConfigError, LayoutError
from zfed.params import ParameterLayout

LAYOUT = ParameterLayout.build([("w", "F32", (9,), "average"), ("b", "F32", (3,), "average")])


def test_an_encoding_is_made_once():
    encodings = Encodings(LAYOUT)
    assert encodings.at("int8") is encodings.at("int8")
    assert encodings.at("int8").level == "int8"
    assert encodings.at("bf16") is not encodings.at("int8")


def test_none_is_no_encoding():
    assert Encodings(LAYOUT, exact=["nothing"]).at("none") is None


def test_exact_tensors_are_exact_at_every_level():
    for level in ("bf16", "int8", "topk:0.5"):
        encoded = [part.tensor.name for part in Encodings(LAYOUT, exact=["b"]).at(level).parts if part.tensor]
        assert encoded == ["w"]


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="unknown"):
        Encodings(LAYOUT).at("int9")
    with pytest.raises(LayoutError, match="fits no tensor"):
        Encodings(LAYOUT, exact=["c"]).at("int8")


def test_only_the_latest_few_are_kept():
    encodings = Encodings(LAYOUT)
    first = encodings.at("int8")
    last = [encodings.at(f"topk:{1 / number}") for number in range(1, MOST_KEPT + 1)][-1]
    assert encodings.at("int8") is not first
    assert encodings.at(last.level) is last
