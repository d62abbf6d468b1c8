import pytest

from zfed.compression import FAMILIES, checked_level, checked_model_level, create_codec, family
from zfed.errors import ConfigError


@pytest.mark.parametrize("name", ["bf16", "fp16", "int8", "topk:0.01", "topk:1.0"])
def test_a_codec_is_called_what_it_was_made_by(name):
    codec = create_codec(name)
    assert codec is not None
    assert codec.name == name


def test_none_is_no_codec():
    assert create_codec("none") is None


def test_another_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r'compression "int9" is unknown: .*int8'):
        create_codec("int9")
    with pytest.raises(ConfigError, match='compression "int8:3" is unknown'):
        create_codec("int8:3")


@pytest.mark.parametrize("ratio", ["", "x", "0", "-0.1", "1.01", "nan", "inf"])
def test_a_ratio_out_of_range_is_refused(ratio):
    with pytest.raises(ConfigError, match=r"expected a ratio above 0 and at most 1, for instance topk:0\.01"):
        create_codec(f"topk:{ratio}")


@pytest.mark.parametrize("name", ["none", "bf16", "fp16", "int8", "topk:0.5"])
def test_a_level_is_of_one_family(name):
    assert family(name) in FAMILIES
    assert checked_level(name) == name


def test_equal_levels_have_one_spelling():
    assert checked_level("topk:0.0100") == checked_level("topk:1e-2") == "topk:0.01"


def test_top_k_is_no_level_of_a_model():
    assert checked_model_level("int8") == "int8"
    with pytest.raises(ConfigError, match=r'"topk:0\.01" makes no sense for a model: .* choose none, bf16'):
        checked_model_level("topk:0.01")
