import os
from pathlib import Path

import pytest

from zfed.identity.key_files import write_file
from zfed.identity.watched_file import WatchedFile


def test_a_file_that_is_replaced_twice_between_two_looks_is_seen_at_once(tmp_path):
    """The second may get the inode of the first, and would then look like a file written over in place."""
    path = tmp_path / "authorized-nodes"
    write_file(path, "")
    watched = WatchedFile(path)
    for number in range(20):
        watched.look()
        write_file(path, f"# {number}\n")
        write_file(path, f"# {number}, and more\n")
        assert watched.changed(os.stat(path).st_mtime)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc on this system")
def test_as_many_files_are_open_after_many_looks_as_after_one(tmp_path):
    path = tmp_path / "authorized-nodes"
    write_file(path, "")
    watched = WatchedFile(path)
    watched.look()
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        watched.look()
    assert len(os.listdir("/proc/self/fd")) == opened
    del watched
    assert len(os.listdir("/proc/self/fd")) == opened - 1
