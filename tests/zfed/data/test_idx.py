from __future__ import annotations

import contextlib
import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zfed.data import idx
from zfed.data.idx import read_idx
from zfed.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def pack(array: np.ndarray) -> bytes:
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


any_array = st.sampled_from(list(CODES)).flatmap(
    lambda dtype: arrays.arrays(np.dtype(dtype), arrays.array_shapes(min_side=0, max_side=5))
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "file"


@given(array=any_array, packed=st.booleans())
def test_what_was_written_is_read_plain_or_packed(path, array, packed):
    content = pack(array)
    path.write_bytes(gzip.compress(content) if packed else content)
    seen = read_idx(path)
    assert seen.shape == array.shape
    assert pack(seen) == content
    assert not seen.flags.writeable


@given(array=any_array, cut=st.integers(1, 50), packed=st.booleans())
def test_a_file_cut_anywhere_is_refused(path, array, cut, packed):
    content = pack(array)
    content = content[: max(0, len(content) - cut)]
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=r"truncated|no IDX file"):
        read_idx(path)


@given(content=st.binary(max_size=64), packed=st.booleans())
def test_any_bytes_are_read_or_refused(path, content, packed):
    path.write_bytes(gzip.compress(content) if packed else content)
    with contextlib.suppress(DataError):
        assert not read_idx(path).flags.writeable


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no IDX file"),
        (b"\x89PNG\r\n", "no IDX file: it starts with the bytes 89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "no IDX file"),
        (b"\0\0\x08\0", "0 dimensions, expected 1 to 8"),
        (b"\0\0\x08\xff" + b"\1" * 1020, "255 dimensions"),
        (b"\0\0\x08\x02\0\0\0\1", "truncated: its header ends after 8 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "truncated: 0 bytes of values"),
        (b"\0\0\x08\x01\0\0\0\1ab", "too long: 2 bytes of values"),
        (b"\x1f\x8bnot gzip at all", "cannot be read"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\1a")[:-6], "cannot be read"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_hostile_file_is_refused_by_name(tmp_path, content, complaint):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        read_idx(path)


def test_a_file_that_unpacks_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "MAX_UNPACKED_BYTES", 3 << 20)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(8 << 20)))
    with pytest.raises(DataError, match="unpacks to more than 3145728 bytes"):
        read_idx(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(DataError, match=r"nothing is missing"):
        read_idx(tmp_path / "nothing")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path)


def test_real_packed_files_are_read(kmnist_folder):
    images = read_idx(kmnist_folder / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(kmnist_folder / "t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == [1000] * 10
