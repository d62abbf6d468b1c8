"""kill -9 the coordinator: started again with the same command, the run goes on as if nothing had been.

Workers are back within 15 s, no update is trained again, and the final model has the same bytes as that of an
undisturbed run of the same seed.
"""

import pytest

from tests.chaos.runs import NAMES, Run
from tests.processes import Fleet

ROUNDS = 6
FLAGS = ("--rounds", ROUNDS, "--strategy", "fedavgm", "--upload-slots", 1)
"""With state of the strategy; with one slot an update is added to the sum before the other has come."""
COMMIT_ROUNDS = 40


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Runs that nobody disturbs: flags -> the final model's bytes and the number of steps of one commit."""
    known = {}

    def run(preloaded, *flags):
        if flags not in known:
            folder = tmp_path_factory.mktemp("undisturbed")
            fleet = Fleet(folder)
            log = folder / "steps"
            try:
                run = Run(
                    fleet,
                    *flags,
                    environment=preloaded("kill_at", KILL_AT_FOLDER=folder / "run", KILL_AT_LOG=log),
                    remember=True,
                )
                known[flags] = run.finish(), steps_of_a_commit(run, log)
            finally:
                fleet.close()
        return known[flags]

    return run


def began_version(run, version):
    """The first step of a commit, as the library names it."""
    return f"create {run.path}/models/.v{version:05d}"


def steps_of_a_commit(run, log):
    """From the first step of version 2's commit to that of the next, both in the middle of a run."""
    lines = log.read_text().splitlines()
    first, after = (
        next(place for place, line in enumerate(lines) if line.startswith(began_version(run, version)))
        for version in (2, 3)
    )
    return after - first


def assert_nothing_was_lost(run, rounds):
    """Each worker has trained each round exactly once, and each version was committed once."""
    assert run.trainings() == {(name, number): 1 for name in NAMES for number in range(1, rounds + 1)}
    assert [line["version"] for line in run.events("committed")] == list(range(rounds + 1))


@pytest.mark.parametrize("event", ["committed", "opened", "accepted"])
def test_killed_between_rounds_or_while_collecting_or_accumulating_it_goes_on_with_the_same_bytes(
    fleet, preloaded, undisturbed, figure, event
):
    """Between rounds: at the commit. Collecting: all are asked. Accumulating: one of two has come."""
    expected, _ = undisturbed(preloaded, *FLAGS)
    run = Run(fleet, *FLAGS, pause_s=0.3, remember=True)
    for number in (2, 4, 5):
        if event == "accepted":
            run.await_event(event, round=number, node="alice")
        else:
            run.await_event(event, round=number)
        run.kill()
        run.restart()
        run.await_workers()
    assert run.finish() == expected
    assert_nothing_was_lost(run, ROUNDS)
    figure(f"killed at {event!r}: workers back after {max(run.recoveries_s):.1f} s at most")


@pytest.mark.parametrize("torn", [0, 1], ids=["instead-of-it", "half-of-a-write-done"])
def test_killed_at_each_step_of_a_commit_and_before_announcing_it_goes_on_with_the_same_bytes(
    fleet, preloaded, undisturbed, figure, torn
):
    """Every write, fsync, rename and unlink from the checkpoint's first to the last before the next one."""
    flags = (*FLAGS, "--rounds", COMMIT_ROUNDS)
    expected, steps = undisturbed(preloaded, *flags)
    assert 10 < steps < COMMIT_ROUNDS

    def deadly(step):
        version = 1 + max([line["version"] for line in run.events("committed")], default=0)
        return preloaded(
            "kill_at",
            KILL_AT_FOLDER=run.path,
            KILL_AT_FROM=began_version(run, version),
            KILL_AT_STEP=step,
            KILL_AT_TORN=torn,
        )

    run = Run(fleet, *flags, remember=True)
    run.await_event("committed", version=1)
    run.kill()
    kills = 0
    for step in range(1, steps + 1):
        run.restart(deadly(step))
        kills += run.killed()
    run.restart()
    run.await_workers()
    assert run.finish() == expected
    assert kills == steps
    assert_nothing_was_lost(run, COMMIT_ROUNDS)
    figure(f"killed at each of the {steps} steps of a commit: the same bytes")


def test_killed_at_each_step_of_its_own_start_it_starts_with_the_same_command(fleet, preloaded):
    """Also while the run directory is made, and while a torn journal is mended."""
    run = Run(fleet, "--rounds", 2, "--restart-grace", 2, environment=dying_start(preloaded, fleet, 1))
    step = 1
    while run.killed():
        step += 1
        run.restart(dying_start(preloaded, fleet, step))
    assert step > 20
    run.finish()
    assert_nothing_was_lost(run, 2)


def dying_start(preloaded, fleet, step):
    return preloaded("kill_at", KILL_AT_FOLDER=fleet.folder / "run", KILL_AT_STEP=step)
