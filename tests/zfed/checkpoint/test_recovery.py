import json
from pathlib import Path

import pytest

from tests.zfed.checkpoint.runs import begin, commit, evaluate, events, model, open_round
from zfed.checkpoint import RunDirectory, read_journal
from zfed.errors import CheckpointError


def test_a_run_goes_on_with_its_past_and_under_its_key(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "rounds = 9\n") as run:
        key = run.key
        assert run.history == ()
        run.next_incarnation(-1)
        commit(run, 0)
    with RunDirectory.resume(run.path) as again:
        assert (again.key, again.torn_bytes) == (key, 0)
        assert events(again.history) == ["started -1", "committed 0"]
        assert again.next_incarnation(0) == 2
        commit(again, 1)
    with RunDirectory.resume(run.path) as third:
        assert events(third.history) == ["started -1", "committed 0", "started 0", "committed 1"]
        assert third.next_incarnation(1) == 3


def test_a_torn_line_is_dropped_for_good_and_said(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=2)
    whole = (path / "journal.jsonl").read_bytes()
    (path / "journal.jsonl").write_bytes(whole + b'{"crc":"12')
    with RunDirectory.resume(path) as run:
        assert run.torn_bytes == 10
        assert run.journal_path.read_bytes() == whole
        run.next_incarnation(1)
    assert read_journal(run.journal_path).torn_bytes == 0


def test_what_was_never_finished_or_committed_is_removed(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=3)
    kept = {file for file in path.rglob("*") if file.is_file()}
    with RunDirectory.resume(path) as run:
        run.save_model(7, model(7))
        run.save_state(7, {"a": model(7)["w"]})
        run.save_update(7, "alice", model(7))
    for folder in (path, *run.folders):
        (folder / ".v00007.safetensors.0a1b2c3d.tmp").write_bytes(b"half")
    (path / "models" / "notes.txt").write_text("mine")
    RunDirectory.resume(path).close()
    assert {file for file in path.rglob("*") if file.is_file()} == {*kept, path / "models" / "notes.txt"}


def test_own_models_stay_until_they_are_evaluated(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=4)
    own = path / "updates" / "r00002-alice.safetensors"
    with RunDirectory.resume(path) as run:
        assert own.exists()
        evaluate(run, 2, "federated")
    with RunDirectory.resume(path) as run:
        assert own.exists()
        evaluate(run, 2, "alice")
    RunDirectory.resume(path).close()
    assert not own.exists()


def test_metrics_are_those_of_what_counts(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=4)
    with RunDirectory.resume(path) as run:
        evaluate(run, 2, "federated")
        before = run.metrics_path.read_text().splitlines()
        commit(run, 4)
        run.record_metrics({"event": "evaluated", "round": 9, "subject": "federated"})
        run.next_incarnation(3)
    content = run.metrics_path.read_text()
    run.metrics_path.write_text(before[1] + "\n" + content + '{"event":"rou')
    with RunDirectory.resume(path) as run:
        assert run.metrics_path.read_text().splitlines() == before
    run.metrics_path.unlink()
    with RunDirectory.resume(path) as run:
        records = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    assert [(record["event"], record["round"]) for record in records] == [
        *[("round", number) for number in range(4)],
        ("evaluated", 2),
    ]


def test_what_is_taken_back_is_gone_from_history_and_metrics_at_once(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=4)
    with RunDirectory.resume(path) as run:
        before = run.metrics_path.read_text().splitlines()
        run.next_incarnation(1)
        assert events(run.history)[-1] == "committed 1"
        assert run.metrics_path.read_text().splitlines() == before[:2]
        commit(run, 2)
        assert run.metrics_path.read_text().splitlines() == before[:3]


def test_a_changed_configuration_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=1)
    (path / "run.toml").write_text("rounds = 90\n")
    with pytest.raises(CheckpointError, match=r"run.toml was changed: .* put it back as it was.*as a flag$"):
        RunDirectory.resume(path)
    (path / "run.toml").unlink()
    with pytest.raises(CheckpointError, match=r"cannot read .*run.toml: No such file.*; put it back"):
        RunDirectory.resume(path)


def test_a_folder_without_a_run_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no run in .*nothing"):
        RunDirectory.resume(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="there is no run in"):
        RunDirectory.resume(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_journal_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=1)
    lines = (path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (path / "journal.jsonl").write_bytes(b"".join(lines[1:]))
    with pytest.raises(CheckpointError, match="begins with 'started', expected 'created'"):
        RunDirectory.resume(path)


def test_a_run_that_is_open_is_not_resumed(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=1)
    with RunDirectory.resume(path), pytest.raises(CheckpointError, match="in use"):
        RunDirectory.resume(path)
    RunDirectory.resume(path).close()


def test_folders_that_are_gone_are_made_again(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=0)
    for folder in ("models", "state", "updates"):
        (path / folder).rmdir()
    with RunDirectory.resume(path) as run:
        open_round(run, 0)
        commit(run, 0)


def test_versions_of_earlier_starts_are_dropped_too(tmp_path: Path) -> None:
    path = begin(tmp_path, versions=4)
    with RunDirectory.resume(path) as run:
        run.drop_versions(3, keep={1})
    assert [file.name for file in sorted((path / "models").iterdir())] == [
        "v00001.safetensors",
        "v00003.safetensors",
    ]
    assert [file.name for file in sorted((path / "state").iterdir())] == [
        "v00001.safetensors",
        "v00003.safetensors",
    ]


def test_what_only_people_read_stays_in_the_journal_and_is_not_held(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "run", "") as run:
        run.next_incarnation(-1)
        for event in ("accepted", "joined"):
            run.journal.append({"event": event, "node": "alice"}, sync=False)
    with RunDirectory.resume(run.path) as again:
        assert [line["event"] for line in again.history] == ["started", "joined"]
        again.forget_history()
        assert again.history == ()
    written = [record["event"] for record in read_journal(run.journal_path).records]
    assert written == ["created", "started", "accepted", "joined"]
