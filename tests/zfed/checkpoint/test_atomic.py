import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.zfed.checkpoint.limits import largest_file
from zfed.checkpoint.atomic import write_atomically
from zfed.errors import CheckpointError


def test_a_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_atomically(path, [b"ne", memoryview(b"w")], 3)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", [b""], 0)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with largest_file(1000), pytest.raises(CheckpointError) as caught:
        write_atomically(path, [bytes(600), bytes(600)], 1200)
    assert str(caught.value).startswith(f"cannot write {path}: File too large; 1200 bytes are needed, ")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_source_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def chunks():
        yield b"some"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", chunks(), 8)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file or directory"):
        write_atomically(tmp_path / "no" / "file", [b""], 0)


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from zfed.checkpoint.atomic import write_atomically
path, n = Path(sys.argv[1]), 0
while True:
    n += 1
    write_atomically(path, [bytes([n % 256]) * 100_000] * 10, 1_000_000)
    if n == 1:
        print("written", flush=True)
"""


def test_whoever_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    seed = random.randrange(1000)
    delays = random.Random(seed)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delays.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert content == content[:1] * 1_000_000, f"seed {seed}"
