from pathlib import Path

import numpy as np
import pytest

from tests.zfed.checkpoint.faulty_disk import FaultyDisk
from tests.zfed.checkpoint.runs import begin, commit, model, state
from zfed.checkpoint import RunDirectory, write_model
from zfed.checkpoint.digest import digests_of
from zfed.errors import CheckpointError


def test_the_newest_version_comes_back_with_all_that_was_committed(tmp_path: Path) -> None:
    with RunDirectory.resume(begin(tmp_path, versions=3)) as run:
        saved = run.newest_intact()
        assert saved is not None
        assert (saved.version, saved.damaged, saved.record["round"]) == (2, (), 2)
        assert saved.digests == digests_of(model(2))
        assert saved.model == model(2)
        assert not saved.model.data.flags.writeable
        for name, array in state(2).items():
            np.testing.assert_array_equal(saved.state[name], array)
            assert saved.state[name].shape == array.shape


def test_a_run_without_a_version_has_none_to_go_on_from(tmp_path: Path) -> None:
    with RunDirectory.resume(begin(tmp_path, versions=0)) as run:
        assert run.newest_intact() is None


def test_a_strategy_without_state_gets_none_back(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        run.commit(version=0, model=run.save_model(0, model(0)).content, state="", facts={})
    with RunDirectory.resume(run.path) as run:
        saved = run.newest_intact()
        assert saved is not None
        assert saved.state == {}


def test_all_newer_versions_that_were_refused_are_named(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=4)
    (path / "models" / "v00003.safetensors").unlink()
    (path / "state" / "v00002.safetensors").write_bytes(b"short")
    with RunDirectory.resume(path) as run:
        saved = run.newest_intact()
    assert saved is not None
    assert saved.version == 1
    assert [sentence.split(": ")[0] for sentence in saved.damaged] == [
        f"cannot read {path}/models/v00003.safetensors",
        f"{path}/state/v00002.safetensors is not a valid model file",
    ]


def test_a_disk_that_cannot_be_read_is_a_reason_not_a_crash(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with RunDirectory.resume(begin(tmp_path, versions=1), disk=disk) as run:
        disk.failing = {"read"}
        with pytest.raises(CheckpointError, match=r"no version .* can be read back: .*Input/output error"):
            run.newest_intact()


def test_an_older_version_is_served_if_it_is_what_was_committed(tmp_path: Path) -> None:
    with RunDirectory.resume(begin(tmp_path, versions=2)) as run:
        commit(run, 2)
        for version in (0, 2):
            served = run.served(version)
            assert served.model == model(version).moving
            assert served.digests == digests_of(model(version))
        write_model(run.model_path(0), model(9))
        with pytest.raises(CheckpointError, match=r"v00000.safetensors holds numbers with digest"):
            run.served(0)
        with pytest.raises(CheckpointError, match="version 7 was not committed"):
            run.served(7)


def test_a_version_that_was_taken_back_is_not_served(tmp_path: Path) -> None:
    with RunDirectory.resume(begin(tmp_path, versions=2)) as run:
        run.next_incarnation(0)
        with pytest.raises(CheckpointError, match="version 1 was not committed"):
            run.served(1)


def test_an_own_model_is_served_if_it_is_what_was_saved(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=3)
    with RunDirectory.resume(path) as run:
        digest = digests_of(model(102)).content
        assert run.own_model(2, "alice", digest).model == model(102).moving
        with pytest.raises(CheckpointError, match="committed were xxh3-128:0"):
            run.own_model(2, "alice", "xxh3-128:0")
        with pytest.raises(CheckpointError, match="cannot read"):
            run.own_model(2, "bob", digest)
