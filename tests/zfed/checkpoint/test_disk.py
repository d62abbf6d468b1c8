import os
from pathlib import Path

import pytest

from zfed.checkpoint import OS_DISK, PRIVATE_DISK


def test_a_file_grows_at_its_end_and_can_be_cut(tmp_path: Path) -> None:
    file = OS_DISK.create(tmp_path / "file")
    file.write(b"abc")
    file.write(memoryview(b"def"))
    assert file.size == 6
    file.truncate(2)
    file.write(b"!")
    file.sync()
    file.close()
    file.close()
    more = OS_DISK.append(tmp_path / "file")
    more.write(b"?")
    more.close()
    assert OS_DISK.read(tmp_path / "file") == b"ab!?"


def test_a_new_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        OS_DISK.create(tmp_path / "file")
    with pytest.raises(FileExistsError):
        OS_DISK.link(tmp_path / "file", tmp_path / "file")
    with pytest.raises(FileExistsError):
        OS_DISK.make_folder(tmp_path / "file")
    assert OS_DISK.read(tmp_path / "file") == b"old"


def test_a_folder_is_made_in_one_that_is_there(tmp_path: Path) -> None:
    OS_DISK.make_folder(tmp_path / "b")
    OS_DISK.append(tmp_path / "a").close()
    OS_DISK.sync_folder(tmp_path)
    assert OS_DISK.entries(tmp_path) == ["a", "b"]
    with pytest.raises(FileNotFoundError):
        OS_DISK.make_folder(tmp_path / "no" / "folder")


def test_a_mapping_outlives_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    mapped = OS_DISK.map(path)
    assert mapped.readonly
    (tmp_path / "other").write_bytes(b"replaced")
    OS_DISK.replace(tmp_path / "other", path)
    OS_DISK.remove(path)
    assert bytes(mapped) == b"content"
    assert not OS_DISK.exists(path)


def test_an_empty_file_can_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert bytes(OS_DISK.map(tmp_path / "file")) == b""


def test_a_lock_has_one_holder_whom_its_file_names(tmp_path: Path) -> None:
    held = OS_DISK.lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        OS_DISK.lock(tmp_path / "lock")
    assert OS_DISK.read(tmp_path / "lock") == b"%d\n" % os.getpid()
    held.close()
    OS_DISK.lock(tmp_path / "lock").close()


def test_the_room_of_a_scratch_file_is_taken_from_what_is_free(tmp_path: Path) -> None:
    scratch = OS_DISK.scratch(tmp_path, 10)
    scratch.write_at(4, b"abcdef")
    assert scratch.read_at(0, 100) == bytes(4) + b"abcdef"
    assert OS_DISK.entries(tmp_path) == []
    assert OS_DISK.free(tmp_path) > 0


@pytest.mark.parametrize("call", [OS_DISK.append, OS_DISK.create, OS_DISK.lock])
def test_a_link_that_somebody_planted_is_not_followed(tmp_path: Path, call) -> None:
    mine, planted = tmp_path / "mine", tmp_path / "journal.jsonl"
    mine.write_bytes(b"precious")
    planted.symlink_to(mine)
    with pytest.raises(OSError, match=r"File exists|Too many levels of symbolic links"):
        call(planted)
    assert mine.read_bytes() == b"precious"


def test_nobody_else_may_look_at_what_is_private(tmp_path: Path) -> None:
    PRIVATE_DISK.make_folder(tmp_path / "folder")
    PRIVATE_DISK.create(tmp_path / "file").close()
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"folder": 0o700, "file": 0o600}
