"""What fuzzing found once is not found again, and hypothesis looks for more nearby."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import NAMES, target

TARGETS = [target(name) for name in NAMES]
by_name = pytest.mark.parametrize("target", TARGETS, ids=NAMES)
findings = [
    pytest.param(each, path, id=f"{each.name}-{path.name}") for each in TARGETS for path in each.findings
]


@by_name
def test_what_zfed_itself_writes_is_understood(target):
    assert all(target.take(seed) for seed in target.seeds() if seed)


@pytest.mark.parametrize(("target", "path"), findings)
def test_a_finding_is_understood_or_refused_with_a_declared_error(target, path):
    target.take(path.read_bytes())


@by_name
@settings(max_examples=100)
@given(st.data())
def test_any_bytes_are_understood_or_refused_with_a_declared_error(target, data):
    text = data.draw(st.sampled_from(target.seeds()) | st.binary(max_size=200))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(place, min(len(text), place + 20)))
        text = (
            text[:place]
            + data.draw(st.binary(max_size=5) | st.sampled_from([b"1e999", b"[" * 999]))
            + text[end:]
        )
    target.take(text)
