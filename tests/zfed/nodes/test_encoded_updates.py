import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.compression import Encodings
from zfed.nodes.coordinator_words import InspectUpdate, UpdateInspected
from zfed.nodes.encoded_updates import inspect, joined
from zfed.params import ParameterBuffer
from zfed.strategies import NO_NORM_LIMIT, Bounds, Verdict

LEVELS = ("bf16", "fp16", "int8", "topk:0.1")
DELTA = ParameterBuffer.from_arrays(
    {"w": np.linspace(-1, 1, 500, dtype=np.float32), "seen": np.array(3, np.int64)}
)
ENCODINGS = Encodings(DELTA.layout)


def encoded(level, delta=DELTA):
    encoding = ENCODINGS.at(level)
    return encoding, encoding.encode_once(delta, key=1).tobytes()


def cut(data, borders):
    edges = sorted({0, len(data), *(border % len(data) for border in borders)})
    return [(start, data[start:stop]) for start, stop in itertools.pairwise(edges)]


def asked(level, *, data=None, value_range=64.0, max_norm=NO_NORM_LIMIT):
    encoding, good = encoded(level)
    chunks = [(0, good if data is None else data)]
    return InspectUpdate((1, 1), "xxh3-128:" + "0" * 32, chunks, encoding, Bounds(value_range, max_norm))


@given(st.sampled_from(LEVELS), st.lists(st.integers(0, 10_000), max_size=5), st.randoms())
def test_encoded_form_is_put_together_whatever_the_order_of_its_chunks(level, borders, random):
    encoding, data = encoded(level)
    chunks = cut(data, borders)
    random.shuffle(chunks)
    assert joined(chunks, encoding).tobytes() == data


@pytest.mark.parametrize("level", LEVELS)
def test_good_update_passes_and_its_norm_and_largest_value_are_told(level):
    job = asked(level)
    decoded = job.encoding.decode(job.chunks[0][1])["w"].astype(np.float64)
    verdict = Verdict(norm=pytest.approx(np.linalg.norm(decoded)), largest=np.abs(decoded).max())
    assert inspect(job) == UpdateInspected((1, 1), job.digest, verdict)


@pytest.mark.parametrize("level", LEVELS)
def test_a_norm_that_is_too_large_is_refused_with_its_tensor(level):
    flaw = inspect(asked(level, max_norm=1.0)).found
    assert (flaw.code, flaw.tensor, flaw.limit) == ("norm", "w", "1")
    assert float(flaw.seen) > 1.0


@pytest.mark.parametrize("level", LEVELS)
def test_value_beyond_the_rounds_range_is_refused_with_its_tensor(level):
    found = inspect(asked(level, value_range=0.5)).found
    assert found.code == "value-range"
    assert "tensor 'w'" in found.reason
    assert "--value-range" in found.reason


@pytest.mark.parametrize("level", LEVELS)
def test_bytes_that_nobody_encodes_are_refused_with_their_tensor(level):
    encoding, data = encoded(level)
    found = inspect(asked(level, data=data[:8] + b"\xff" * (encoding.nbytes - 8))).found
    assert found.code in ("not-finite", "layout")
    assert "tensor 'w'" in found.reason
