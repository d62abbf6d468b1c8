from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zfed.benchmark import make_plan
from zfed.benchmark.plan import MEMORY_FOLDER, in_memory
from zfed.errors import ConfigError, UsageError


def plan(size="1MB", *, workers=3, rounds=2, blocks=1, folder=None):
    return make_plan(size, workers=workers, rounds=rounds, blocks=blocks, folder=folder)


def test_the_size_becomes_whole_float32_numbers(tmp_path):
    made = plan("1003", folder=tmp_path)
    assert (made.model_bytes, made.length) == (1000, 250)


def test_two_rounds_more_are_run_than_counted(tmp_path):
    assert plan(rounds=5, folder=tmp_path).rounds_run == 7


@pytest.mark.parametrize("wrong", [{"size": "7"}, {"workers": 0}, {"rounds": 0}, {"blocks": -1}])
def test_numbers_out_of_range_are_refused_by_name(tmp_path, wrong):
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} is .*expected at least"):
        plan(folder=tmp_path, **wrong)


def test_models_that_do_not_fit_are_refused_before_anything_is_started(tmp_path):
    with pytest.raises(UsageError, match=r"need .* MB in .* MB are free; choose a smaller --size"):
        plan("1000GB", rounds=1000, folder=tmp_path)


@pytest.mark.skipif(not MEMORY_FOLDER.is_dir(), reason="no /dev/shm on this system")
def test_rounds_take_no_room_in_memory_where_only_the_newest_models_are_kept():
    free = shutil.disk_usage(MEMORY_FOLDER).free
    assert plan(str(free // 5), rounds=1000).rounds_run == 1002
    with pytest.raises(UsageError, match="4 models of"):
        plan(str(free // 3), rounds=1000)


def test_a_folder_that_is_none_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (Path("/nowhere/at/all"), tmp_path / "file"):
        with pytest.raises(UsageError, match=f"cannot write to {path}: .*; choose another --run-directory"):
            plan(folder=path)


def test_a_size_that_is_too_small_is_named_as_it_was_given(tmp_path):
    with pytest.raises(ConfigError, match="size is 5, expected at least 8"):
        plan("5", folder=tmp_path)


@pytest.mark.skipif(not MEMORY_FOLDER.is_dir(), reason="no /dev/shm on this system")
def test_by_default_runs_are_written_in_memory():
    made = plan()
    assert made.folder == MEMORY_FOLDER
    assert not made.durable


@pytest.mark.skipif(not Path("/proc/self/mounts").exists(), reason="no /proc on this system")
def test_a_folder_of_processes_is_not_memory_to_write_to():
    assert not in_memory(Path("/proc"))
