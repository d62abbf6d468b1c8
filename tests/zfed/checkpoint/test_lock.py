import os
import subprocess
import sys
from pathlib import Path

import pytest

from zfed.checkpoint.lock import FolderLock
from zfed.errors import CheckpointError

HOLD = """
import sys
from pathlib import Path
from zfed.checkpoint.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    with pytest.raises(CheckpointError, match=f"is in use by process {os.getpid()}$"):
        FolderLock(tmp_path)
    first.close()
    first.close()
    FolderLock(tmp_path).close()


def test_another_process_is_named_and_its_death_frees_the_folder(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(CheckpointError, match=f"is in use by process {process.pid}$"):
            FolderLock(tmp_path)
        process.kill()
    FolderLock(tmp_path).close()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot lock"):
        FolderLock(tmp_path / "no")
