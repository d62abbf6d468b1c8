from pathlib import Path

import pytest

from tests.zfed.checkpoint.runs import begin, commit, model
from zfed.checkpoint import RunDirectory, verify, write_model
from zfed.errors import CheckpointError


def test_an_intact_run_has_no_fault_and_is_not_changed(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=3)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    findings = verify(path)
    assert all(found.ok for found in findings)
    assert [found.path for found in findings] == [
        "journal.jsonl",
        "run.toml",
        *(f"{folder}/v{version:05d}.safetensors" for version in range(3) for folder in ("models", "state")),
        "updates/r00002-alice.safetensors",
    ]
    assert findings[0].sentence == "8 lines, all checksums right"
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_a_run_that_goes_on_is_verified_too(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=2)
    with RunDirectory.resume(path) as run:
        run.journal_path.write_bytes(run.journal_path.read_bytes() + b'{"cr')
        assert "a last one of 4 bytes is not finished" in verify(path)[0].sentence


def test_an_older_version_that_was_dropped_is_no_fault_but_the_newest_must_be_there(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=3)
    with RunDirectory.resume(path) as run:
        run.drop_versions(2)
    assert all(found.ok for found in verify(path))
    run.model_path(2).unlink()
    assert [(found.path, found.ok) for found in verify(path) if not found.ok] == [
        ("models/v00002.safetensors", False)
    ]


@pytest.mark.parametrize(
    "name", ["models/v00001.safetensors", "state/v00000.safetensors", "updates/r00002-alice.safetensors"]
)
def test_other_numbers_than_those_committed_are_a_fault_with_both_digests(tmp_path: Path, name: str) -> None:
    path = begin(tmp_path, versions=3)
    found = write_model(path / name, model(50)).content
    (fault,) = [found for found in verify(path) if not found.ok]
    assert fault.path == name
    assert f"{path / name} holds numbers with digest {found}, committed were xxh3-128:" in fault.sentence


def test_a_final_model_is_the_version_that_the_run_ended_with(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=2)
    with RunDirectory.resume(path) as run:
        run.publish_final_model(1)
        run.journal.append({"event": "ended", "status": "completed", "reason": "", "version": 1}, sync=True)
    assert verify(path)[-1].sentence == "version 1, which the run ended with"
    write_model(run.final_model_path, model(0))
    assert not verify(path)[-1].ok
    with RunDirectory.resume(path) as run:
        run.next_incarnation(1)
    assert all(found.ok for found in verify(path))  # it is no end any more


def test_a_best_model_is_the_version_that_the_end_names(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=3)
    with RunDirectory.resume(path) as run:
        run.publish_best_model(1)
        line = {"event": "ended", "status": "completed", "reason": "", "version": 2, "best": 1}
        run.journal.append(line, sync=True)
    [best] = [found for found in verify(path) if found.path == "best.safetensors"]
    assert (best.ok, best.sentence) == (True, "version 1, the best by the metric that was watched")
    write_model(run.best_model_path, model(0))
    assert [found.path for found in verify(path) if not found.ok] == ["best.safetensors"]


def test_a_changed_configuration_is_a_fault_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=1)
    (path / "run.toml").write_text("rounds = 90\n")
    assert [(found.path, found.ok) for found in verify(path)] == [
        ("journal.jsonl", True),
        ("run.toml", False),
        ("models/v00000.safetensors", True),
        ("state/v00000.safetensors", True),
    ]


def test_a_damaged_journal_is_the_only_finding(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=1)
    journal = path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"started", b"Started"))
    (fault,) = verify(path)
    assert (fault.path, fault.ok) == ("journal.jsonl", False)
    assert "line 2 of" in fault.sentence
    assert "head -n 1" in fault.sentence


def test_versions_that_were_taken_back_are_not_looked_for(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=4)
    with RunDirectory.resume(path) as run:
        run.next_incarnation(1)
        commit(run, 2)
    run.model_path(3).write_bytes(b"damaged")
    assert all(found.ok for found in verify(path))


def test_a_folder_without_a_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no run in"):
        verify(tmp_path)
