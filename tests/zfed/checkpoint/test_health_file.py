import pytest

from zfed.checkpoint import Health, is_temporary, read_health, remove_health, write_health
from zfed.errors import CheckpointError
from zfed.facts import DoorCounts

HEALTH = Health(
    at=1.5,
    pid=7,
    run="r",
    version=3,
    round=4,
    nodes=["alice"],
    encrypted=True,
    admitting=False,
    troubles=["no room"],
    door=DoorCounts(keys={"admitted": 1}),
)


def test_what_is_written_is_read_and_replaces_what_was_there(tmp_path):
    (tmp_path / "health.json").write_text("something old")
    write_health(tmp_path, HEALTH)
    assert read_health(tmp_path) == HEALTH
    assert [path.name for path in tmp_path.iterdir()] == ["health.json"]


def test_no_file_is_no_coordinator(tmp_path):
    assert read_health(tmp_path) is None
    remove_health(tmp_path)
    write_health(tmp_path, HEALTH)
    remove_health(tmp_path)
    assert read_health(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
def test_another_file_of_that_name_is_said_to_be_none(tmp_path, content):
    (tmp_path / "health.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"health\.json is not a coordinator's health"):
        read_health(tmp_path)


def test_what_a_killed_process_left_half_is_removed_by_the_next_start(tmp_path):
    (tmp_path / "health.json").mkdir()
    with pytest.raises(OSError, match=r"health\.json"):
        write_health(tmp_path, HEALTH)
    [left] = [path.name for path in tmp_path.iterdir() if path.is_file()]
    assert is_temporary(left)
