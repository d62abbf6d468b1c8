import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.checkpoint.limits import largest_file
from tests.zfed.checkpoint.runs import commit
from zfed.checkpoint import Journal, RunDirectory, content_digest, map_model, read_journal, read_model
from zfed.checkpoint.lock import FolderLock
from zfed.errors import CheckpointError, UsageError
from zfed.params import ParameterBuffer

NOON = "1970-01-01T12:00:06Z"
MODEL = ParameterBuffer.from_arrays({"w": np.arange(6, dtype=np.float32).reshape(2, 3)})


def test_a_new_run_is_laid_out(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "runs", "first", "rounds = 3\n") as run:
        assert run.path == tmp_path / "runs" / "first"
        assert (run.path / "run.toml").read_text() == "rounds = 3\n"
        names = {path.name for path in run.path.iterdir()}
    assert names == {"run.toml", "journal.jsonl", "metrics.jsonl", "models", "state", "updates", "lock"}


def test_a_run_that_is_there_is_not_touched(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "run", "rounds = 3\n").close()
    with pytest.raises(
        CheckpointError, match=r"holds a run already: choose another folder with --run DIR, or remove it"
    ):
        RunDirectory.create(tmp_path, "run", "rounds = 4\n")
    assert (tmp_path / "run" / "run.toml").read_text() == "rounds = 3\n"


@pytest.mark.parametrize("run_id", ["", ".", "..", "../x", "a/b", "/x", "-x", "x\n", "é", "x" * 129])
def test_a_run_id_is_never_a_path(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="run id"):
        RunDirectory.create(tmp_path, run_id, "")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_said_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(
        CheckpointError, match=r"cannot make the run directory .*; choose a folder.*--run DIR"
    ):
        RunDirectory.create(tmp_path / "runs", "run", "")


@pytest.fixture
def _not_root() -> Iterator[None]:
    """Root may write anywhere: be nobody for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("_not_root")
def test_an_unwritable_folder_is_said_with_the_remedy() -> None:
    with pytest.raises(CheckpointError, match="Permission denied; choose a folder you can write to"):
        RunDirectory.create(Path("/"), "zfed-run", "")


def test_a_run_that_could_not_be_laid_out_can_be_tried_again(tmp_path: Path) -> None:
    with largest_file(10), pytest.raises(CheckpointError, match="File too large"):
        RunDirectory.create(tmp_path, "run", "x" * 100)
    assert not RunDirectory.holds_run(tmp_path / "run")
    RunDirectory.create(tmp_path, "run", "y" * 100).close()
    assert RunDirectory.holds_run(tmp_path / "run")
    assert (tmp_path / "run" / "run.toml").read_text() == "y" * 100


def test_the_folder_is_owned_until_it_is_closed(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run, pytest.raises(CheckpointError, match="in use"):
        FolderLock(run.path)
    FolderLock(run.path).close()


def test_a_committed_version_names_the_bytes_of_model_and_state(tmp_path: Path) -> None:
    state = {"momentum": np.ones(6, np.float32), "steps": np.array(3)}
    with RunDirectory.create(tmp_path, "run", "") as run:
        model_digest, state_digest = run.save_model(1, MODEL).content, run.save_state(1, state)
        run.commit(version=1, model=model_digest, state=state_digest, facts={"round": 1})
    record = read_journal(run.path / "journal.jsonl").records[-1]
    assert (record["event"], record["version"], record["round"]) == ("committed", 1, 1)
    saved, saved_state = read_model(run.model_path(1)), read_model(run.state_path(1))
    assert saved == MODEL
    assert content_digest(saved) == record["model"]
    assert content_digest(saved_state) == record["state"]
    for name, array in state.items():
        np.testing.assert_array_equal(saved_state[name], array)


def test_files_are_named_by_version(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        assert run.model_path(7).relative_to(run.path) == Path("models/v00007.safetensors")
        assert run.state_path(123456).relative_to(run.path) == Path("state/v123456.safetensors")
        run.save_model(7, MODEL)
        assert run.publish_final_model(7) == run.path / "model.safetensors"
        assert read_model(run.final_model_path) == MODEL


def test_final_model_is_a_second_name_of_its_version_and_replaces_an_older_one(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        for version in (1, 2, 2):
            run.save_model(version, MODEL)
            run.publish_final_model(version)
            assert run.final_model_path.samefile(run.model_path(version))
        assert sorted(path.name for path in run.path.glob("*.safetensors*")) == ["model.safetensors"]
        assert not list(run.path.glob(".*.tmp"))


def test_a_strategy_without_state_has_no_file_of_it(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        assert run.save_state(1, {}) == ""
        assert not run.state_path(1).exists()


def test_dropped_versions_are_gone_from_disk_but_not_for_who_has_mapped_them(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        for version in range(5):
            run.save_model(version, MODEL)
            run.save_state(version, {"momentum": np.ones(6, np.float32)})
        mapped = map_model(run.model_path(1))
        run.model_path(0).unlink()  # by somebody else
        run.drop_versions(4, keep={2})
        run.drop_versions(2)
        for folder in ("models", "state"):
            names = sorted(path.name for path in (run.path / folder).iterdir())
            assert names == ["v00002.safetensors", "v00004.safetensors"]
        assert mapped == MODEL
        run.drop_versions(4)
        assert not run.model_path(2).exists()


def test_final_model_without_links_is_the_version_itself(tmp_path, monkeypatch) -> None:
    def no_links(source: Path, path: Path) -> None:
        raise OSError("this file system has no links")

    with RunDirectory.create(tmp_path, "run", "") as run:
        run.save_model(7, MODEL)
        monkeypatch.setattr("os.link", no_links)
        assert run.publish_final_model(7) == run.model_path(7)


HOSTILE = [
    "../../evil",
    "/etc/passwd",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "a\0b",
    "\n",
    "x" * 5000,
    "é" * 200,
    "con",
    "\ud800",
]


@pytest.mark.parametrize("worker", HOSTILE)
def test_a_workers_name_is_never_a_path(tmp_path: Path, worker: str) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        path = run.update_path(1, worker)
        path.write_bytes(b"")
    assert path.parent == run.path / "updates"
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture(scope="module")
def open_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDirectory]:
    with RunDirectory.create(tmp_path_factory.mktemp("runs"), "run", "") as run:
        yield run


@given(st.lists(st.text(max_size=80) | st.sampled_from(HOSTILE), min_size=2, max_size=6, unique=True))
def test_two_workers_never_share_a_file(open_run: RunDirectory, workers: list[str]) -> None:
    paths = {open_run.update_path(1, worker) for worker in workers}
    assert len(paths) == len(workers)


def test_an_update_is_kept_with_its_facts(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        digests = run.save_update(3, "alice", MODEL)
        path = run.update_path(3, "alice")
        assert path.name == "r00003-alice.safetensors"
        assert read_model(path) == run.map_update(3, "alice") == MODEL
        assert digests.content == content_digest(MODEL)
        run.save_update(4, "alice", MODEL)
        run.drop_updates(3)
        assert [path.name for path in (run.path / "updates").iterdir()] == ["r00004-alice.safetensors"]


def test_incarnations_count_from_one_and_are_journaled(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "", wall_clock=lambda: 12 * 3600.5) as run:
        assert [run.next_incarnation(-1), run.next_incarnation(4)] == [1, 2]
        created, *started = read_journal(run.journal_path).records
    assert created["event"] == "created"
    assert started == [
        {"event": "started", "incarnation": 1, "version": -1, "at": NOON},
        {"event": "started", "incarnation": 2, "version": 4, "at": NOON},
    ]


def test_metrics_are_plain_json_lines_that_are_there_at_once(tmp_path: Path) -> None:
    record = {"event": "evaluated", "round": 1, "subject": "federated", "accuracy": 0.5}
    with RunDirectory.create(tmp_path, "run", "") as run:
        run.record_metrics(record)
        run.record_metrics(record)
        lines = run.metrics_path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record, record]


def test_a_closed_run_takes_no_more_records(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "run", "")
    run.close()
    run.close()
    with pytest.raises(CheckpointError, match="is closed"):
        run.next_incarnation(-1)


def append_many(journal: Journal) -> None:
    for _ in range(100):
        journal.append({"event": "accepted"}, sync=True)


def test_a_full_disk_commits_nothing_and_once_there_is_room_the_run_goes_on(small_disk: Path) -> None:
    with RunDirectory.create(small_disk, "run", "rounds = 9\n") as run:
        run.next_incarnation(-1)
        commit(run, 0)
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(1 << 20))
        before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
        with pytest.raises(
            CheckpointError, match=r"cannot write .*v00001.*No space left on device; \d+ bytes"
        ):
            commit(run, 1)
        with pytest.raises(CheckpointError, match=r"cannot write .*journal.jsonl: No space left on device"):
            append_many(run.journal)  # its last page has room for some
        after = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
        assert after.pop(run.journal_path).startswith(before.pop(run.journal_path))
        assert after == before
        assert read_journal(run.journal_path).torn_bytes == 0
        ballast.unlink()
        commit(run, 1)
    with RunDirectory.resume(run.path) as run:
        saved = run.newest_intact()
        assert saved is not None
        assert (saved.version, saved.damaged) == (1, ())


def test_the_checkpoint_package_loads_no_torch() -> None:
    code = "import sys, zfed.checkpoint; sys.exit(bool({'torch', 'numba', 'zmq'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
