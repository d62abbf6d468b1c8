import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.checkpoint.limits import largest_file
from zfed.checkpoint import SpilledPart, SpillFile
from zfed.checkpoint.spill_file import BLOCK_BYTES
from zfed.errors import CheckpointError


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 200), max_size=6), st.randoms())
def test_what_was_written_in_any_order_is_read_back(tmp_path_factory, content, cuts, random):
    file = SpillFile(tmp_path_factory.getbasetemp(), len(content))
    borders = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    slices = list(itertools.pairwise(borders))
    random.shuffle(slices)
    for start, stop in slices:
        file.write(start, memoryview(content)[start:stop])
    start = borders[len(borders) // 2]
    part = SpilledPart(file, start, len(content) - start)
    assert b"".join(data for _, data in part) == content[start:]
    assert list(part) == list(part)


def test_part_is_read_in_blocks(tmp_path):
    content = os.urandom(2 * BLOCK_BYTES + 8)
    file = SpillFile(tmp_path, len(content))
    file.write(0, content)
    part = SpilledPart(file, 8, len(content) - 8)
    assert [(offset, len(data)) for offset, data in part] == [(0, BLOCK_BYTES), (BLOCK_BYTES, BLOCK_BYTES)]
    assert len(part) == 2
    assert b"".join(data for _, data in part) == content[8:]


def test_file_has_no_name_that_a_killed_process_could_leave(tmp_path):
    file = SpillFile(tmp_path, 1000)
    file.write(0, b"x" * 1000)
    assert list(tmp_path.iterdir()) == []


def test_file_takes_all_its_room_at_once_and_no_hole_is_left(tmp_path):
    file = SpillFile(tmp_path, 1 << 20)
    assert os.fstat(file._file._descriptor).st_blocks * 512 >= 1 << 20


def test_file_that_nobody_refers_to_is_closed(tmp_path):
    before = descriptors()
    file = SpillFile(tmp_path, 1000)
    part = SpilledPart(file, 0, 10)
    del file
    assert descriptors() == before + 1
    del part
    assert descriptors() == before


def test_disk_that_is_full_is_found_before_a_byte_is_written(tmp_path):
    before = descriptors()
    with largest_file(1 << 16), pytest.raises(CheckpointError) as caught:
        SpillFile(tmp_path, 1 << 20)
    message = str(caught.value)
    assert message.startswith(f"no room for 1.0 MB in {tmp_path}: File too large; ")
    assert message.endswith(" MB are free there")
    assert descriptors() == before
    assert list(tmp_path.iterdir()) == []


def test_disk_that_has_room_for_one_has_none_for_a_second_until_the_first_is_gone(small_disk):
    first = SpillFile(small_disk, 700_000)
    first.write(0, b"x" * 700_000)
    with pytest.raises(CheckpointError) as caught:
        SpillFile(small_disk, 700_000)
    assert f"no room for 0.7 MB in {small_disk}: No space left on device; 0." in str(caught.value)
    assert first.read(699_990, 100) == b"x" * 10
    del first
    with pytest.raises(CheckpointError, match=r"beside 0\.5 MB for the next version"):
        SpillFile(small_disk, 700_000, spare=500_000)
    SpillFile(small_disk, 700_000, spare=300_000)


def test_folder_that_is_gone_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=str(tmp_path / "gone")):
        SpillFile(tmp_path / "gone", 10)
