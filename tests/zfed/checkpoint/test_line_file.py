from pathlib import Path

import pytest

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


def test_a_full_disk_takes_the_line_back_and_ends_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    lines = LineFile(path)
    lines.append(b"x" * 90)
    with largest_file(100), pytest.raises(CheckpointError, match=f"cannot write {path}: File too large"):
        lines.append(b"y" * 90)
    assert path.read_bytes() == b"x" * 90 + b"\n"
    with pytest.raises(CheckpointError, match="is closed"):
        lines.append(b"z")
    lines.close()


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot open"):
        LineFile(tmp_path)
