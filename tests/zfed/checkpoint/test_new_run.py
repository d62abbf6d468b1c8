from pathlib import Path

import pytest

from tests.zfed.checkpoint.runs import begin
from zfed.checkpoint import RunDirectory, read_journal
from zfed.checkpoint.lock import FolderLock
from zfed.errors import CheckpointError
from zfed.wire.digests import digest_of


def test_a_run_begins_with_its_key_and_the_digest_of_its_configuration(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "rounds = 3\n", wall_clock=lambda: 0.0) as run:
        pass
    (created,) = read_journal(run.journal_path).records
    assert created == {
        "event": "created",
        "key": run.key,
        "config": digest_of(b"rounds = 3\n"),
        "at": "1970-01-01T00:00:00Z",
    }
    assert len(run.key) == 32


def test_two_runs_of_one_name_have_different_keys(tmp_path: Path) -> None:
    with (
        RunDirectory.create(tmp_path / "a", "run", "") as one,
        RunDirectory.create(tmp_path / "b", "run", "") as two,
    ):
        assert one.key != two.key


def test_a_folder_holds_a_run_once_its_journal_has_a_line(tmp_path: Path) -> None:
    assert not RunDirectory.holds_run(tmp_path)
    assert not RunDirectory.holds_run(tmp_path / "nothing")
    path = begin(tmp_path, versions=0)
    assert RunDirectory.holds_run(path)
    journal = path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:50])
    assert not RunDirectory.holds_run(path)


def test_what_a_killed_start_has_left_is_laid_out_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    for folder in ("models", "state", "updates"):
        (path / folder).mkdir(parents=True)
    (path / "lock").write_text("4711\n")
    (path / "run.toml").write_text("rounds = 4\n")
    (path / ".journal.jsonl.0a1b2c3d.tmp").write_bytes(b'{"crc"')
    with RunDirectory.create(tmp_path, "run", "rounds = 5\n"):
        assert (path / "run.toml").read_text() == "rounds = 5\n"


@pytest.mark.parametrize("name", ["notes.txt", "run.toml", "metrics.jsonl", "models/v00000.safetensors"])
def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path, name: str) -> None:
    file = tmp_path / "run" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(CheckpointError, match=rf"holds no run that can be resumed, but {name}, .*--run DIR"):
        RunDirectory.create(tmp_path, "run", "")
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


def test_two_starts_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    first = FolderLock(tmp_path / "run")
    with pytest.raises(CheckpointError, match="in use"):
        RunDirectory.create(tmp_path, "run", "")
    first.close()
    RunDirectory.create(tmp_path, "run", "").close()
