from __future__ import annotations

import os

from zfed.checkpoint import RunDirectory
from zfed.chronicle.holder import holder


def test_a_held_run_names_its_process_and_stays_held(tmp_path):
    with RunDirectory.create(tmp_path, "run", "") as run:
        assert holder(run.path) == str(os.getpid())
        assert holder(run.path) == str(os.getpid())


def test_a_run_that_was_let_go_has_no_holder(tmp_path):
    with RunDirectory.create(tmp_path, "run", "") as run:
        path = run.path
    assert (path / "lock").exists()
    assert holder(path) is None


def test_a_folder_without_a_lock_has_no_holder_and_is_left_as_it_is(tmp_path):
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
