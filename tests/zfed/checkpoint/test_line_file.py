from pathlib import Path

import pytest

from tests.zfed.checkpoint.faulty_disk import FaultyDisk
from tests.zfed.checkpoint.limits import largest_file
from zfed.checkpoint.line_file import LineFile
from zfed.errors import CheckpointError


def test_lines_are_in_the_file_at_once_and_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    for line in (b"one", b"two"):
        lines = LineFile(path)
        lines.append(line, sync=line == b"two")
        assert path.read_bytes().endswith(line + b"\n")
        lines.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_full_disk_takes_the_line_back_and_the_file_goes_on_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    lines = LineFile(path)
    lines.append(b"x" * 90)
    with largest_file(100), pytest.raises(CheckpointError, match=f"cannot write {path}: File too large"):
        lines.append(b"y" * 90)
    assert path.read_bytes() == b"x" * 90 + b"\n"
    lines.append(b"z", sync=True)
    lines.close()
    assert path.read_bytes() == b"x" * 90 + b"\nz\n"


def test_a_line_that_cannot_be_taken_back_ends_the_file(tmp_path: Path) -> None:
    disk = FaultyDisk()
    lines = LineFile(tmp_path / "lines", disk=disk)
    disk.failing = {"write", "truncate"}
    with pytest.raises(CheckpointError, match=r"cannot write .*: Input/output error"):
        lines.append(b"one")
    disk.failing = set()
    with pytest.raises(CheckpointError, match="is closed; start the same command again"):
        lines.append(b"two")


def test_a_failed_fsync_ends_the_file_and_says_that_nobody_knows(tmp_path: Path) -> None:
    disk = FaultyDisk()
    lines = LineFile(tmp_path / "lines", disk=disk)
    lines.append(b"one", sync=True)
    disk.failing = {"sync"}
    with pytest.raises(
        CheckpointError, match=r"nobody knows .* on the disk: .*; start the same command again"
    ):
        lines.append(b"two", sync=True)
    disk.failing = set()
    with pytest.raises(CheckpointError, match="is closed"):
        lines.append(b"three")
    assert (tmp_path / "lines").read_bytes() == b"one\n"


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot open"):
        LineFile(tmp_path)
