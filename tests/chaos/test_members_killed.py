"""Workers and evaluators that die, stop for a while, and come back."""

import random
import signal
import time

from safetensors.numpy import load_file

from tests.chaos.runs import Run
from zfed.facts import (
    Evaluated,
    NodeJoined,
    NodeLeft,
    Progress,
    RoundCommitted,
    RunEnded,
    UpdateRefused,
    Waiting,
)

STOPPED_S = 60.0
GONE_S = 60.0
KILLS = 6
SEED = 1


def test_worker_killed_in_the_middle_of_training_rejoins_under_its_name_and_trains_that_round_anew(fleet):
    run = Run(fleet, "--rounds", 3, "--rejoin-grace", 20, pause_s=0.5)
    run.await_training("alice", round=2)
    run.workers["alice"].process.kill()
    run.start_worker("alice")
    run.finish()
    assert [fact.workers for fact in run.coordinator.told(RoundCommitted)] == [["alice", "bob"]] * 3
    assert run.coordinator.told(NodeJoined, node="alice")[-1].rejoined
    assert set(run.trainings().values()) == {1}  # the one that was killed never ended


def test_workers_killed_again_and_again_end_with_the_same_bytes_with_what_compression_owes(fleet):
    """What top-k left out of an update is state of the worker: lost, or counted twice, it would show."""
    models = []
    for name, kills in (("plain", 0), ("killed", KILLS)):
        flags = ("--rounds", 25, "--min-workers", 2, "--rejoin-grace", 30, "--compress", "topk:0.1")
        run = Run(fleet, *flags, name=name, pause_s=0.1, remember=True)
        draw = random.Random(SEED)
        for _ in range(kills):
            time.sleep(draw.uniform(0.2, 2.0))  # any moment will do
            doomed = draw.choice(sorted(run.workers))
            run.workers[doomed].process.kill()
            run.start_worker(doomed)
        run.finish()
        counted = [
            worker.told(Progress, stage="train")[-1].metrics["rounds"] for worker in run.workers.values()
        ]
        assert counted == [25.0, 25.0]
        model = load_file(run.path / "model.safetensors")  # its header names the run
        models.append({name: array.tobytes() for name, array in model.items()})
    assert models[0] == models[1]


def test_worker_killed_and_not_back_is_left_out_when_its_grace_is_over_and_rejoins_later(fleet):
    run = Run(fleet, "--rounds", 400, "--rejoin-grace", 1, pause_s=0.5)
    run.await_training("alice", round=1)
    run.workers["alice"].process.kill()
    alone = run.coordinator.awaited(RoundCommitted, round=1)
    assert alone.workers == ["bob"]
    assert alone.missing[0].startswith("alice (lost, and not back")
    run.start_worker("alice")
    run.coordinator.awaited(RoundCommitted, workers=["alice", "bob"])
    run.coordinator.interrupt()
    run.coordinator.exit_code()


def test_worker_killed_in_the_middle_of_its_upload_leaves_no_half_update_and_its_slot_is_freed(fleet):
    """4 MB at 2 MB/s, one upload slot: if it stayed taken, the round could not end."""
    run = Run(
        fleet, "--rounds", 2, "--rejoin-grace", 5, "--upload-slots", 1, "--limit-down", 2, width=1_000_000
    )
    first = run.await_event("accepted", round=1)["node"]
    [doomed] = set(run.workers) - {first}
    time.sleep(1.0)  # it has the slot now, and half of its way behind it
    run.workers[doomed].process.kill()
    run.start_worker(doomed)
    run.finish()
    assert [fact.workers for fact in run.coordinator.told(RoundCommitted)] == [["alice", "bob"]] * 2
    assert len(run.events("accepted", node=doomed)) == 2


def test_worker_stopped_for_a_minute_is_left_out_told_that_it_is_late_and_takes_part_again(fleet):
    run = Run(fleet, "--rounds", 400, "--rejoin-grace", 2, pause_s=0.2)
    run.await_training("alice", round=1)
    stopped = run.workers["alice"].process
    stopped.send_signal(signal.SIGSTOP)
    continue_at = time.monotonic() + STOPPED_S
    left = run.coordinator.awaited(NodeLeft, node="alice")
    assert left.reason == "no answer for 10 s"
    alone = run.coordinator.awaited(RoundCommitted, workers=["bob"])
    assert alone.missing[0].startswith("alice (lost, and not back")
    run.coordinator.awaited(RoundCommitted, round=alone.round + 5)  # the others go on
    time.sleep(max(continue_at - time.monotonic(), 0))
    stopped.send_signal(signal.SIGCONT)
    back = run.coordinator.awaited(NodeJoined, node="alice", rejoined=True)
    assert back.rejoined
    refused = run.workers["alice"].awaited(UpdateRefused, round=alone.round)
    assert refused.code == "stale"
    run.coordinator.awaited(RoundCommitted, lambda fact: fact.round > alone.round and "alice" in fact.workers)
    run.coordinator.interrupt()
    run.coordinator.exit_code()
    counted = [line["workers"].count("alice") for line in run.events("committed") if line["version"]]
    assert max(counted) == 1


def test_evaluator_killed_does_not_stop_training_and_what_is_owed_is_done_when_it_returns(fleet):
    run = Run(fleet, "--rounds", 4, "--evaluate-every", 1, "--evaluate-last", evaluator=True, pause_s=0.3)
    run.coordinator.awaited(Evaluated, round=1)
    run.evaluator.process.kill()
    run.coordinator.awaited(RoundCommitted, round=4)
    run.start_evaluator()
    run.finish()
    assert [fact.round for fact in run.coordinator.told(Evaluated)] == [1, 2, 3, 4]
    assert run.coordinator.told(RunEnded)[0].evaluated


def test_run_whose_workers_are_all_gone_for_a_minute_says_whom_it_waits_for_and_goes_on_with_them(fleet):
    run = Run(fleet, "--rounds", 4, pause_s=0.5)
    run.await_training("alice", round=2)
    for worker in run.workers.values():
        worker.process.kill()
    back_at = time.monotonic() + GONE_S
    for name in run.workers:
        run.coordinator.awaited(Waiting, lambda fact, name=name: name in fact.missing)
    time.sleep(max(back_at - time.monotonic(), 0))
    committed = len(run.events("committed"))
    for name in list(run.workers):
        run.start_worker(name)
    run.finish()
    assert committed == 2  # version 0 and that of round 1
    assert [fact.workers for fact in run.coordinator.told(RoundCommitted)] == [["alice", "bob"]] * 4


def test_workers_find_a_coordinator_that_comes_back_on_another_address_of_their_list(fleet):
    run = Run(fleet, "--rounds", 4, pause_s=0.5)
    run.await_event("committed", version=2)
    run.kill()
    run.bind = run.other_bind
    run.restart()
    run.await_workers()
    run.finish()
    assert set(run.trainings().values()) == {1}
