"""A process that dies at any point of its disk calls, by a kill or with the power, is followed by another."""

import random
from pathlib import Path

import pytest

from tests.zfed.checkpoint.runs import commit, evaluate, model, open_round, state
from zfed.checkpoint import RunDirectory, content_digest
from zfed.simulation.fake_disk import FakeDisk, ProcessDied

PATH = Path("/home/runs/run")
LAST = 3


class Career:
    """Starts the same command until it comes to its end, and knows what it was told was durable."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.promised = -1
        self.key = ""

    def start(self, disk: FakeDisk) -> None:
        """One process, as a coordinator does it."""
        if RunDirectory.holds_run(PATH, disk=disk):
            run = RunDirectory.resume(PATH, disk=disk)
        else:
            assert not self.key, "a run that had begun is gone"
            run = RunDirectory.create(PATH.parent, PATH.name, "rounds = 3\n", disk=disk)
        with run:
            assert self.key in ("", run.key)
            self.key = run.key
            self._go_on(run)

    def _go_on(self, run: RunDirectory) -> None:
        saved = run.newest_intact()
        version = -1 if saved is None else saved.version
        assert version >= self.promised
        if saved is not None:
            assert saved.damaged == ()
            assert content_digest(saved.model) == content_digest(model(version))
            assert saved.state["momentum"].tolist() == state(version)["momentum"].tolist()
        self.promised = max(version, self.promised)
        run.next_incarnation(version)
        for wanted in range(version + 1, LAST + 1):
            open_round(run, wanted)
            commit(run, wanted, worker="alice" if wanted == 2 else "")
            self.promised = wanted
            run.drop_versions(wanted - 1)
        evaluate(run, 2, "federated")
        run.publish_final_model(LAST)


def points() -> int:
    """How many points there are at which an undisturbed start may die."""
    disk = FakeDisk()
    disk.dies_in = limit = 1_000_000
    Career(0).start(disk)
    return limit - disk.dies_in


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_start_goes_on_from_whatever_the_one_before_has_left(power_cut: bool) -> None:
    for point in range(1, points() + 1):
        career, disk = Career(point), FakeDisk()
        disk.dies_in = point
        died = 0
        while True:
            try:
                career.start(disk)
                break
            except ProcessDied:
                died += 1
                disk = disk.after_power_cut(career.random) if power_cut else disk.after_kill()
                disk.dies_in = career.random.randint(1, 150) if died < 4 else 0
            except BaseException as error:
                raise AssertionError(f"point {point}, after {died} deaths: {error}") from error
        assert career.promised == LAST
