from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from zfed.data.progress import ignore_progress
from zfed.data.unpack import unpack_file
from zfed.errors import DataError


@pytest.fixture
def file(tiny):
    return tiny.dataset.files["train"][0]


@pytest.mark.parametrize("packed", [False, True])
def test_a_right_file_is_made_and_every_piece_is_reported(tiny, tmp_path, file, packed):
    seen = []
    source = tiny.write(tmp_path / "source", packed=packed)
    digest = unpack_file(file, source, tmp_path / "made", lambda *progress: seen.append(progress))
    assert (tmp_path / "made").read_bytes() == tiny.contents[file.name]
    assert digest == file.sha256
    assert [done for done, _, _ in seen] == [1 << 20, 2 << 20, file.size]
    assert {(total, what) for _, total, what in seen} == {(file.size, file.name)}


def test_the_other_form_serves_where_one_is_damaged(tiny, tmp_path, file):
    source = tiny.write(tmp_path / "source", packed=True)
    (source / file.name).write_bytes(b"damaged")
    unpack_file(file, source, tmp_path / "made", ignore_progress)
    assert (tmp_path / "made").read_bytes() == tiny.contents[file.name]


def test_each_kind_of_damage_is_named(tiny, tmp_path, file):
    content = tiny.contents[file.name]
    for damaged, complaint in (
        (gzip.compress(content[:-1], 1), f"truncated: it has {file.size - 1} bytes"),
        (gzip.compress(content + b"x", 1), "too long"),
        (gzip.compress(content[:-1] + b"x", 1), f"damaged: its sha256 is .*expected {file.sha256}"),
        (tiny.packed[file.name][:-100], "cannot be read"),
        (b"<html>no such page</html>", "cannot be read: Not a gzipped file"),
    ):
        (tmp_path / f"{file.name}.gz").write_bytes(damaged)
        with pytest.raises(DataError, match=complaint):
            unpack_file(file, tmp_path, tmp_path / "made", ignore_progress)


def test_a_file_that_unpacks_without_end_fills_no_disk(tmp_path, file):
    (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(bytes(40 << 20), 1))
    with pytest.raises(DataError, match="too long"):
        unpack_file(file, tmp_path, tmp_path / "made", ignore_progress)
    assert (tmp_path / "made").stat().st_size <= file.size


def test_a_missing_file_is_named(tmp_path, file):
    with pytest.raises(DataError, match="train-images-idx3-ubyte is missing there"):
        unpack_file(file, tmp_path, tmp_path / "made", ignore_progress)


def test_where_only_the_packed_form_has_a_checksum_only_that_form_is_taken(tiny, tmp_path, file):
    unknown = replace(file, sha256=None)
    plain = tiny.write(tmp_path / "plain")
    with pytest.raises(DataError, match=r"cannot be checked: a checksum is known for .*\.gz only"):
        unpack_file(unknown, plain, tmp_path / "made", ignore_progress)
    packed = tiny.write(tmp_path / "packed", packed=True)
    assert unpack_file(unknown, packed, tmp_path / "made", ignore_progress) == file.sha256
    with pytest.raises(DataError, match=r"damaged: its md5 is .*, expected 0000"):
        unpack_file(replace(unknown, gzip_md5="0000"), packed, tmp_path / "made", ignore_progress)
