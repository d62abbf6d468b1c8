from __future__ import annotations

import pytest

from tests.zfed.chronicle.journals import write_run
from zfed.chronicle import find_run
from zfed.errors import UsageError


def test_a_run_is_found_by_its_id_and_by_its_path(tmp_path):
    path = write_run(tmp_path / "runs" / "monday")
    assert find_run("monday", tmp_path / "runs") == path
    assert find_run(str(path), tmp_path / "elsewhere") == path


def test_an_unknown_run_names_the_nearest(tmp_path):
    write_run(tmp_path / "monday")
    with pytest.raises(UsageError, match=r'no run "mnday" in .*; did you mean "monday"\?'):
        find_run("mnday", tmp_path)


def test_a_folder_that_is_no_run_is_none(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match='no run "data"'):
        find_run("data", tmp_path)


def test_without_a_folder_of_runs_it_says_how_they_are_begun(tmp_path):
    with pytest.raises(UsageError, match="begin a run with"):
        find_run("monday", tmp_path / "runs")
