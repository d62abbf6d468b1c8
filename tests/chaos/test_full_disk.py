"""The disk fills up while a version is committed: the run says so, waits, and goes on when there is room."""

import subprocess

import pytest

from tests.chaos.runs import Run
from zfed.facts import NotWritten, RoundCommitted

DISK = "24m"
MODEL_NUMBERS = 1_000_000


@pytest.fixture
def small_disk(fleet):
    """A disk of its own for the run: a tmpfs of 24 MB."""
    path = fleet.folder / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", path], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    yield path
    fleet.close()
    subprocess.run(["umount", path], check=True)


def fill(path):
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)) == 1 << 16:
                pass
        except OSError:
            return


def test_round_that_meets_a_full_disk_does_not_commit_says_so_and_commits_when_there_is_room(
    fleet, small_disk
):
    run = Run(fleet, "--rounds", 4, "--keep-models", 2, name="disk/run", pause_s=0.5, width=MODEL_NUMBERS)
    run.await_event("committed", version=1)
    filler = small_disk / "filler"
    fill(filler)
    failed = run.coordinator.awaited(NotWritten, lambda fact: fact.retry_s > 0)
    assert "No space left on device" in failed.reason
    version = run.events("committed")[-1]["version"]
    run.coordinator.awaited(
        NotWritten, lambda fact: len(run.coordinator.told(NotWritten)) > 1
    )  # it tries again
    assert run.events("committed")[-1]["version"] == version
    assert not list((run.path / "models").glob(f"v{version + 1:05d}*"))
    filler.unlink()
    run.finish()
    assert [fact.workers for fact in run.coordinator.told(RoundCommitted)] == [["alice", "bob"]] * 4
    assert set(run.trainings().values()) == {1}
