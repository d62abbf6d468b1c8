from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from zfed.data.verify import check_file, read_digests, record_digests
from zfed.errors import DataError


@pytest.fixture
def labels(tiny, tmp_path):
    """The path of a correct file, and its entry in the catalog."""
    file = tiny.dataset.files["test"][1]
    return tiny.write(tmp_path / "raw") / file.name, file


def test_a_correct_file_passes(labels):
    check_file(*labels)


def test_each_kind_of_damage_is_named(labels):
    path, file = labels
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=f"is truncated: it has {file.size - 1} bytes, expected {file.size}"):
        check_file(path, file)
    path.write_bytes(content + b"x")
    with pytest.raises(DataError, match="is too long"):
        check_file(path, file)
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(DataError, match=f"is damaged: its sha256 is [0-9a-f]{{64}}, expected {file.sha256}"):
        check_file(path, file)
    path.unlink()
    with pytest.raises(DataError, match="is missing"):
        check_file(path, file)


def test_a_recorded_digest_stands_in_for_an_unknown_one(labels):
    path, file = labels
    unknown = replace(file, sha256=None)
    with pytest.raises(DataError, match=r"checksum is known for t10k-labels-idx1-ubyte\.gz only"):
        check_file(path, unknown)
    record_digests(path.parent, {file.name: file.sha256})
    check_file(path, unknown)
    path.write_bytes(b"x" * file.size)
    with pytest.raises(DataError, match="is damaged"):
        check_file(path, unknown)


def test_recording_keeps_what_was_recorded(tmp_path):
    record_digests(tmp_path, {"b": "1", "a": "2"})
    record_digests(tmp_path, {"b": "3"})
    assert read_digests(tmp_path) == {"a": "2", "b": "3"}


def test_a_damaged_record_is_as_none(tmp_path):
    (tmp_path / "SHA256SUMS").write_bytes(b"\xff\xfe one\n\n two three four\n")
    assert "one" not in read_digests(tmp_path).values()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_record_can_be_checked_without_zfed(labels):
    path, file = labels
    record_digests(path.parent, {file.name: file.sha256})
    subprocess.run(["sha256sum", "--check", "--status", "SHA256SUMS"], cwd=path.parent, check=True)
