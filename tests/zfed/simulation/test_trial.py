from dataclasses import replace

import pytest

from zfed.config import ScheduleConfig, SelectConfig
from zfed.facts import RoundCommitted
from zfed.nodes.held_updates import HeldUpdates
from zfed.nodes.task_host import TaskHost
from zfed.rounds.cohort import Roster
from zfed.rounds.rounds import Rounds
from zfed.rounds.schedule import Schedule
from zfed.rounds.staleness import Staleness
from zfed.simulation.fake_disk import FakeDisk
from zfed.simulation.invariants import BrokenPromise
from zfed.simulation.schedule import TOO_LONG, Fault, Spoilt, draw_schedule
from zfed.simulation.tally import Tally
from zfed.simulation.trial import perform, perform_twice, perform_undisturbed
from zfed.strategies import UsualNorm
from zfed.strategies.mean import FedAvg
from zfed.strategies.robust import Median
from zfed.transport.memory import LinkFaults

SEEDS_AT_ONCE = 10
BREAKING = Fault(
    kind="weather", at=0.0, lasting_s=20.0, weather=LinkFaults(delay_s=(0.01, 0.1), cut=0.05, loss=0.02)
)


def befallen(*faults, rounds=8, schedule=None, **run):
    """Three workers, a task with state, and these faults."""
    drawn = draw_schedule(0)
    config = replace(
        drawn.config,
        schedule=schedule or ScheduleConfig(),
        select=SelectConfig(),
        run=replace(
            drawn.config.run,
            **{"rounds": rounds, "wait_for": "3", "min_workers": 3, "compress": "none", **run},
            compress_model="none",
            upload_slots=8,
        ),
    )
    return replace(
        drawn,
        config=config,
        examples={"w1": 1, "w2": 2, "w3": 4},
        stateful=True,
        work_s=(0.1, 2.0),
        faults=faults,
        peace_at=max((fault.at + fault.lasting_s for fault in faults), default=0.0),
    )


@pytest.mark.parametrize("first", range(0, 100, SEEDS_AT_ONCE))
def test_no_promise_is_broken_whatever_goes_wrong(first):
    for seed in range(first, first + SEEDS_AT_ONCE):
        perform(draw_schedule(seed))


def test_a_run_without_faults_counts_everybody_in_every_round():
    outcome = perform(befallen())
    assert outcome.cohorts == (("w1", "w2", "w3"),) * 8
    assert not outcome.faults


def test_the_same_seed_gives_the_same_run_and_the_same_bytes():
    schedule = draw_schedule(4)
    perform_twice(schedule, perform(schedule))


def test_a_run_in_which_everybody_answered_has_the_bytes_of_an_undisturbed_one():
    schedule = befallen(BREAKING, round_timeout_s=1000.0, rejoin_grace_s=1000.0)
    outcome = perform(schedule)
    assert outcome.cohorts == (("w1", "w2", "w3"),) * 8
    perform_undisturbed(schedule, outcome)


BUFFERED = ScheduleConfig(kind="buffered", goal="2", staleness="polynomial:1", max_staleness=5)


def test_a_run_without_a_barrier_makes_each_version_of_its_goal_and_counts_old_updates_less():
    outcome = perform(befallen(schedule=BUFFERED, min_workers=1))
    assert {len(cohort) for cohort in outcome.cohorts} == {2}
    assert len(set(outcome.cohorts)) > 1
    committed = [told.fact for told in outcome.trace if isinstance(told.fact, RoundCommitted)]
    assert any(part.staleness for fact in committed for part in fact.per_worker.values())


def test_every_step_is_told_in_words_to_whoever_wants_to_know():
    lines = []
    perform(befallen(rounds=1), lines.append)
    text = "\n".join(lines)
    for said in ("-> TRAIN", "<- UPDATE", "disk: sync /runs/fuzzed/journal.jsonl", "has done CommitVersion"):
        assert said in text
    assert perform(befallen(rounds=1)).rounds == 1


# ---- what is broken on purpose is noticed ---------------------------------------------------------


def broken(schedule):
    with pytest.raises(BrokenPromise) as caught:
        perform(schedule)
    return str(caught.value)


def test_an_update_that_counts_twice_is_noticed(monkeypatch):
    hold = FedAvg.hold

    def twice(self, update, chunks):
        hold(self, update, chunks)
        hold(self, replace(update, weight=update.weight if update.weight == 1 else 0.0), chunks)

    monkeypatch.setattr(FedAvg, "hold", twice)
    assert "version 1 is not the mean of the updates of w1, w2, w3" in broken(
        befallen(weighting="examples", accumulator="float32")
    )


def test_an_update_that_is_kept_and_forgotten_is_noticed(monkeypatch):
    combine = Median._combine
    monkeypatch.setattr(Median, "_combine", lambda self, rows: combine(self, rows[1:]))
    assert "is not the median of the updates of w1, w2, w3" in broken(
        befallen(strategy="median", memory_budget="")
    )


def test_a_worker_that_trains_twice_is_noticed(monkeypatch):
    monkeypatch.setattr(HeldUpdates, "find", lambda self, order: None)
    assert "trains twice from version" in broken(befallen(BREAKING, round_timeout_s=1000.0))


def test_an_old_update_that_counts_as_much_as_a_new_one_is_noticed(monkeypatch):
    monkeypatch.setattr(Staleness, "factor", lambda self, staleness: 1.0)
    assert "is not the mean of the updates of" in broken(befallen(schedule=BUFFERED, min_workers=1))


def test_an_update_that_is_too_old_and_counts_is_noticed(monkeypatch):
    of = Schedule.of
    monkeypatch.setattr(Schedule, "of", lambda *tables: replace(of(*tables), max_staleness=20))
    strict = replace(BUFFERED, goal="1", max_staleness=1)
    assert "versions behind; allowed are 1" in broken(befallen(schedule=strict, min_workers=1))


def test_an_accepted_update_that_is_in_no_version_is_noticed(monkeypatch):
    make = Rounds._make_version
    monkeypatch.setattr(
        Rounds, "_make_version", lambda self, attempt, parts, now: make(self, attempt, parts[1:], now)
    )
    # Of what is compressed no model is computed again, and without state no task can tell
    said = broken(replace(befallen(compress="int8"), stateful=False))
    assert said == "version 1 is of w2, w3; for round 1 updates were accepted of w1, w2, w3"


def spoilt(*rounds, **run):
    bad = Spoilt(worker="w2", rounds=frozenset(rounds), value=TOO_LONG)
    return replace(befallen(min_workers=2, **run), spoilt=bad)


def test_a_worker_whose_updates_are_no_good_is_left_out_and_then_benched():
    outcome = perform(spoilt(2, 4, strikes=2))
    everybody, others = ("w1", "w2", "w3"), ("w1", "w3")
    assert outcome.cohorts == (everybody, others, everybody, others, others, others, others, others)


def test_an_update_that_is_no_good_and_counts_is_noticed(monkeypatch):
    monkeypatch.setattr(UsualNorm, "limit", lambda self, max_norm, max_ratio: 1e9)
    assert "version 2 holds an update of w2 that is no good" in broken(spoilt(2))


def test_a_benched_worker_that_is_asked_again_is_noticed(monkeypatch):
    monkeypatch.setattr(Roster, "remove", lambda self, name: True)
    assert "version 3 holds an update of w2, benched before" in broken(spoilt(2, strikes=1))


def test_state_that_is_not_kept_is_noticed(monkeypatch):
    monkeypatch.setattr(TaskHost, "keep", lambda self, assignment: None)
    monkeypatch.setattr(TaskHost, "settle", lambda self, counted, version: None)
    assert "works that count; there are 1" in broken(befallen())


POWER_CUTS = [
    Fault(kind="power cut", at=at, lasting_s=1.0, nodes=("coordinator",)) for at in (6.0, 9.0, 12.0)
]


def test_a_run_goes_on_after_power_cuts_with_the_bytes_of_an_undisturbed_one():
    schedule = befallen(*POWER_CUTS)
    outcome = perform(schedule)
    assert outcome.faults == {"power cut": 3}
    perform_undisturbed(schedule, outcome)


def test_a_disk_that_does_not_do_what_it_says_is_noticed(monkeypatch):
    monkeypatch.setattr(FakeDisk, "_sync", lambda self, full, content: None)
    said = [broken(replace(befallen(*POWER_CUTS), seed=seed)) for seed in range(5)]
    for each in said:
        assert any(words in each for words in ("could not go on", "was told of", "cannot be read"))


def test_updates_that_are_never_let_go_are_noticed(monkeypatch):
    monkeypatch.setattr(HeldUpdates, "settle", lambda self, assignment: True)
    assert "updates held by w" in broken(befallen())


def test_a_run_that_differs_from_one_time_to_the_next_is_noticed(monkeypatch):
    original, schedule = Tally.train, befallen(rounds=1)
    outcome = perform(schedule)

    def train(self, parameters, context):
        result = original(self, parameters, context)
        return replace(result, metrics={**result.metrics, "calls": 1})

    monkeypatch.setattr(Tally, "train", train)
    with pytest.raises(BrokenPromise, match="gave two different runs"):
        perform_twice(schedule, outcome)
