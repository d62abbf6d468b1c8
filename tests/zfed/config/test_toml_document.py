from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config.toml_document import parse_document, toml_key, toml_text, toml_value
from zfed.errors import ConfigError

# TOML text holds any Unicode scalar value; lone surrogates are none.
texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    texts | numbers | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@given(values)
def test_a_value_written_as_toml_reads_back_as_itself(value):
    assert toml_value(toml_text(value)) == value


@given(texts, values)
def test_a_key_written_as_toml_reads_back_as_itself(key, value):
    assert parse_document(f"{toml_key(key)} = {toml_text(value)}", "x").tables == {key: value}


@pytest.mark.parametrize("text", ["", "plain", "1\nother = 2", "'open"])
def test_what_is_no_value_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        toml_value(text)


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, "9" * 5000], ids=["brackets", "digits"])
def test_what_is_too_long_for_the_parser_is_refused_as_any_other_text(text):
    with pytest.raises(ConfigError, match=r"x: not valid TOML: .{5,200}$"):
        parse_document(f"value = {text}", "x")
    with pytest.raises(ValueError, match=r"."):
        toml_value(text)
