import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.zfed.simulation.simulated import (
    SIZE,
    Steps,
    configured,
    expected_model,
    run_directory,
    run_once,
    sized,
)
from zfed.errors import RunFailedError
from zfed.facts import (
    Connecting,
    Disconnected,
    Evaluated,
    EvaluationSkipped,
    ModelReady,
    NodeJoined,
    NodeLeft,
    NodeRefused,
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    TaskFailed,
    UpdateRefused,
)
from zfed.partition import Partition
from zfed.simulation import Simulation
from zfed.task import DataSummary, TrainResult
from zfed.transport import LinkFaults

NAMES = ("alice", "bob", "carol")
EVALUATED = {"first": True, "every": 2, "last": True, "timeout_s": 60.0}


def three(*, seed=0, faults=None, work_s=None, **options):
    simulation = Simulation(seed=seed, faults=faults, work_s=work_s or (lambda node, work: 1.0))
    for number, name in enumerate(NAMES, start=1):
        simulation.add(name, sized(number), **options)
    return simulation


def committed(simulation):
    return simulation.told(RoundCommitted)


def check_run(simulation, config, ended):
    """What holds of every run, whatever happened to it."""
    facts = committed(simulation)
    assert [fact.version for fact in facts] == list(range(1, len(facts) + 1))
    assert [fact.round for fact in facts] == [fact.version for fact in facts]
    for fact in facts:
        assert fact.workers == sorted(set(fact.workers))
        assert math.isclose(sum(fact.weights), 1.0)
        for worker, share in zip(fact.workers, fact.weights, strict=True):
            total = sum(NAMES.index(each) + 1 for each in fact.workers)
            assert math.isclose(share, (NAMES.index(worker) + 1) / total)
    if ended.model is not None:
        np.testing.assert_allclose(ended.model["w"], expected_model(simulation, config), atol=1e-5)


# ---- without trouble ----------------------------------------------------------------------------


def test_run_ends_with_the_exact_mean_of_every_update():
    simulation, config = three(), configured(wait_for="3")
    ended = run_once(simulation, config)
    assert (ended.finish.status, ended.finish.rounds_done, ended.finish.version) == ("completed", 5, 5)
    assert [fact.workers for fact in committed(simulation)] == [list(NAMES)] * 5
    check_run(simulation, config, ended)


def test_run_with_a_sum_in_float32_ends_with_the_mean():
    simulation, config = three(), configured(wait_for="3", accumulator="float32", memory_budget="1GB")
    ended = run_once(simulation, config)
    assert ended.finish.version == 5
    check_run(simulation, config, ended)


def test_every_worker_ends_with_the_run():
    simulation = three()
    run_once(simulation, configured(wait_for="3"))
    simulation.settle(until=simulation.clock.now + 10)
    assert [simulation.finish_of(name).status for name in NAMES] == ["completed"] * 3


def test_state_of_a_task_counts_the_rounds_that_were_committed():
    simulation = three()
    run_once(simulation, configured(wait_for="3"))
    seen = [fact.per_worker["bob"].metrics["committed_before"] for fact in committed(simulation)]
    assert seen == [0, 1, 2, 3, 4]


def test_evaluator_gives_the_first_model_and_evaluates_the_rounds_asked_for():
    simulation = three()
    simulation.add("examiner", Steps, kind="evaluator")
    ended = run_once(simulation, configured(wait_for="3", evaluate=EVALUATED))
    assert ended.finish.evaluated
    assert [fact.round for fact in simulation.told(Evaluated)] == [1, 2, 4, 5]
    assert [fact.source for fact in simulation.told(ModelReady)] == ["examiner"]
    last = simulation.told(Evaluated)[-1]
    assert last.metrics["total"] == pytest.approx(float(ended.model["w"].sum()), abs=1e-5)


def test_own_models_of_workers_are_evaluated_beside_the_federated_one():
    simulation = three()
    simulation.add("examiner", Steps, kind="evaluator")
    run_once(simulation, configured(rounds=1, wait_for="3", evaluate={**EVALUATED, "workers": True}))
    assert {fact.subject for fact in simulation.told(Evaluated)} == {*NAMES, "federated"}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.1, 20.0), min_size=3, max_size=3), st.integers(0, 1000))
def test_order_in_which_updates_arrive_changes_no_bit_of_the_model(seconds, seed):
    times = dict(zip(NAMES, seconds, strict=True))
    config = configured(rounds=3, wait_for="3")
    in_step = run_once(three(), config)
    faults = LinkFaults(delay_s=(0.0, 0.5))
    shuffled = run_once(three(seed=seed, faults=faults, work_s=lambda node, work: times[node]), config)
    assert shuffled.model.data.tobytes() == in_step.model.data.tobytes()


# ---- faults of the network and of nodes -----------------------------------------------------------

FAULTS = st.builds(
    LinkFaults,
    delay_s=st.tuples(st.floats(0, 0.01), st.floats(0.01, 0.5)),
    loss=st.sampled_from([0.0, 0.02, 0.2]),
    duplication=st.sampled_from([0.0, 0.1, 0.5]),
    reordering=st.sampled_from([0.0, 0.1, 0.5]),
    cut=st.sampled_from([0.0, 0.01, 0.1]),
)
TROUBLES = st.lists(
    st.tuples(
        st.floats(0.0, 100.0),
        st.sampled_from(NAMES),
        st.sampled_from(["crash", "isolate", "crash unseen"]),
        st.floats(0.1, 40.0),
    ),
    max_size=6,
)
PEACE_AT = 150.0


def trouble(simulation, at, node, kind, lasting):
    """Something bad happens to a node, and ends."""
    if kind != "crash":
        simulation.at(at, lambda: simulation.network.isolate(node))
        simulation.at(at + lasting, lambda: simulation.network.reconnect(node))
    if kind != "isolate":
        simulation.at(at, lambda: simulation.crash(node))
        simulation.at(at + lasting, lambda: simulation.restart(node))


def troubled(seed, faults, troubles):
    simulation = three(seed=seed, faults=faults, work_s=lambda node, work: simulation.random.uniform(0.1, 30))
    for each in troubles:
        trouble(simulation, *each)

    def make_peace():
        simulation.network.faults = LinkFaults()

    simulation.at(PEACE_AT, make_peace)
    return simulation


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), FAULTS, TROUBLES)
def test_run_ends_right_whatever_happens_until_faults_end(seed, faults, troubles):
    config = configured(rounds=4, round_retries=1000, wait_for="2", round_timeout_s=40.0)
    simulation = troubled(seed, faults, troubles)
    ended = run_once(simulation, config, until=PEACE_AT + 3600.0)
    check_run(simulation, config, ended)
    if ended.finish.status != "completed":
        assert "first model" in ended.finish.reason
    simulation.settle(until=simulation.clock.now + 100)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), FAULTS, TROUBLES)
def test_same_seed_gives_the_same_trace_and_bytes(seed, faults, troubles):
    config = configured(rounds=3, round_retries=1000, wait_for="2", round_timeout_s=40.0)

    def run():
        simulation = troubled(seed, faults, troubles)
        ended = run_once(simulation, config, until=PEACE_AT + 3600.0)
        return simulation.trace, None if ended.model is None else ended.model.data.tobytes()

    assert run() == run()


@pytest.mark.parametrize("duplication", [0.3, 1.0])
def test_messages_that_come_twice_count_once(duplication):
    simulation = three(faults=LinkFaults(duplication=duplication, held_back_s=5.0))
    config = configured(wait_for="3")
    ended = run_once(simulation, config)
    assert ended.finish.status == "completed"
    check_run(simulation, config, ended)


def test_worker_that_crashed_is_waited_for_and_counts_when_it_is_back_in_time():
    simulation = three()
    simulation.at(3.0, lambda: simulation.crash("bob"))
    simulation.at(5.0, lambda: simulation.restart("bob"))
    run_once(simulation, configured(rounds=1, wait_for="3"))
    [fact] = committed(simulation)
    assert fact.workers == list(NAMES)
    assert [(each.node, each.rejoined) for each in simulation.told(NodeJoined)][-1] == ("bob", True)


def test_round_goes_on_without_a_worker_that_does_not_come_back():
    simulation = three()
    simulation.at(3.0, lambda: simulation.crash("bob"))
    run_once(simulation, configured(rounds=2, wait_for="3", rejoin_grace_s=4.0))
    first, second = committed(simulation)
    assert first.workers == second.workers == ["alice", "carol"]
    assert first.missing == ["bob (lost, and not back in time)"]
    assert first.seconds < 10


def test_worker_cut_off_while_it_trains_offers_what_it_has_when_it_is_back():
    simulation = three(work_s=lambda node, work: 5.0 if work.kind == "train" else 0.1)
    simulation.at(2.0, lambda: simulation.network.isolate("bob"))
    simulation.at(15.0, lambda: simulation.network.reconnect("bob"))
    run_once(simulation, configured(rounds=1, wait_for="3", rejoin_grace_s=30.0))
    [fact] = committed(simulation)
    assert fact.workers == list(NAMES)
    assert simulation.clock.now < 15.0 + 15.0


def test_worker_that_joins_late_takes_part_from_the_next_round_on():
    simulation = three()
    simulation.at(4.0, lambda: simulation.add("dave", Steps))
    run_once(simulation, configured(rounds=5, wait_for="3"))
    cohorts = [fact.workers for fact in committed(simulation)]
    assert cohorts[0] == list(NAMES)
    assert cohorts[-1] == [*NAMES, "dave"]


def test_worker_that_leaves_is_not_waited_for():
    simulation = three(work_s=lambda node, work: 2.0)
    simulation.at(4.5, lambda: simulation.stop("bob", "enough"))
    run_once(simulation, configured(rounds=2, wait_for="3"))
    first, _ = committed(simulation)
    assert (first.workers, first.missing) == (["alice", "carol"], ["bob (left)"])
    assert [fact.reason for fact in simulation.told(NodeLeft)] == ["enough"]
    assert first.seconds < 5


def test_too_few_workers_are_waited_for_and_then_the_run_fails_with_the_model_kept():
    simulation = three()
    simulation.at(4.5, lambda: [simulation.crash(name) for name in ("bob", "carol")])
    config = configured(rounds=50, wait_for="3", min_workers=3, round_timeout_s=20.0, wait_timeout_s=60.0)
    ended = run_once(simulation, config)
    assert ended.finish.status == "failed"
    assert ended.finish.rounds_done == ended.finish.version == len(committed(simulation)) > 0
    assert [fact.attempt for fact in simulation.told(RoundRetried)] == [1]
    check_run(simulation, config, ended)


def test_worker_offers_the_same_update_again_when_its_round_is_tried_again():
    trained = []

    class Watched(Steps):
        def train(self, parameters, context):
            trained.append((self.node, context.round))
            return super().train(parameters, context)

    simulation = Simulation()
    for name in NAMES:
        simulation.add(name, Watched)
    simulation.at(3.0, lambda: simulation.crash("bob"))
    simulation.at(30.0, lambda: simulation.restart("bob"))
    run_once(simulation, configured(rounds=1, wait_for="3", min_workers=3, rejoin_grace_s=1.0))
    assert [fact.attempt for fact in simulation.told(RoundOpened)][-1] > 1
    assert trained.count(("alice", 1)) == 1


def test_evaluator_that_goes_away_is_asked_again_when_it_is_back():
    simulation = three()
    simulation.add("examiner", Steps, kind="evaluator")
    simulation.at(4.2, lambda: simulation.crash("examiner"))
    simulation.at(20.0, lambda: simulation.restart("examiner"))
    ended = run_once(simulation, configured(wait_for="3", evaluate=EVALUATED))
    assert ended.finish.evaluated
    assert [fact.round for fact in simulation.told(Evaluated)][-1] == 5
    assert not simulation.told(EvaluationSkipped)


def test_run_without_an_evaluator_goes_on_and_says_so():
    simulation = three()
    ended = run_once(simulation, configured(wait_for="3", evaluate=EVALUATED))
    assert (ended.finish.status, ended.finish.evaluated) == ("completed", False)
    assert {fact.reason for fact in simulation.told(EvaluationSkipped)} >= {"no evaluator took part"}


# ---- what stays on disk -------------------------------------------------------------------------


def versions_on_disk(directory):
    return [int(path.name[1:6]) for path in sorted((directory.path / "models").iterdir())]


@pytest.mark.parametrize(
    ("keep", "left"), [(1, [5]), (3, [3, 4, 5]), (6, [0, 1, 2, 3, 4, 5]), (0, [0, 1, 2, 3, 4, 5])]
)
def test_newest_versions_stay_on_disk(keep, left):
    with run_directory() as directory:
        three().run(configured(wait_for="3", keep_models=keep), directory)
        assert versions_on_disk(directory) == left


def test_version_that_waits_for_its_evaluation_stays_until_that_is_done():
    simulation, seen = three(), []
    simulation.add("examiner", Steps, kind="evaluator")
    simulation.at(3.6, lambda: simulation.crash("examiner"))  # while it evaluates version 1
    simulation.at(7.0, lambda: simulation.restart("examiner"))
    config = configured(rounds=30, wait_for="3", keep_models=1, evaluate={**EVALUATED, "every": 0})
    with run_directory() as directory:
        for second in (4.5, 9.5):
            simulation.at(second, lambda: seen.append(versions_on_disk(directory)))
        simulation.run(config, directory)
    assert seen[0] == [1, 2]
    assert len(seen[1]) == 1
    assert [fact.round for fact in simulation.told(Evaluated)] == [1, 30]


def test_version_that_waits_for_its_evaluation_keeps_no_others_on_disk():
    simulation, seen = three(), []
    config = configured(rounds=30, wait_for="3", keep_models=2, evaluate={**EVALUATED, "every": 0})
    with run_directory() as directory:
        simulation.at(20.0, lambda: seen.append(versions_on_disk(directory)))
        simulation.run(config, directory)
    first, *newest = seen[0]
    assert first == 1
    assert len(newest) == 2
    assert newest[0] > 2


# ---- who may take part --------------------------------------------------------------------------------


def test_second_node_of_a_name_is_refused_while_the_first_answers():
    simulation = three()
    simulation.at(2.0, lambda: simulation.add("bob", Steps))
    ended = run_once(simulation, configured(rounds=20, wait_for="3"))
    assert ended.finish.status == "completed"
    assert [fact.code for fact in simulation.told(NodeRefused)] == ["name-taken"]
    assert "in use" in simulation.finish_of("bob").reason
    assert all(fact.workers == list(NAMES) for fact in committed(simulation))


def test_node_with_another_layout_is_refused_by_its_first_tensor():
    class Wider(Steps):
        def initial_parameters(self, context):
            return {"w": np.zeros(SIZE + 1, np.float32)}

    simulation = three()
    simulation.at(2.0, lambda: simulation.add("dave", Wider))
    ended = run_once(simulation, configured(wait_for="3"))
    assert ended.finish.status == "completed"
    [fact] = simulation.told(NodeRefused)
    assert fact.code == "layout"
    assert "tensor 'w': shape (7,) here, (6,) there" in fact.reason
    assert fact.reason in simulation.finish_of("dave").reason


def test_two_workers_on_one_part_are_refused_with_both_names():
    simulation = three()
    part = Partition.parse(spec="iid:1/2")
    simulation.at(1.0, lambda: simulation.add("dave", Steps, partition=part))
    simulation.at(2.0, lambda: simulation.add("erin", Steps, partition=part))
    run_once(simulation, configured(wait_for="3", rounds=5))
    [fact] = simulation.told(NodeRefused)
    assert fact.reason.startswith("erin and dave cannot both take part")


def test_nan_in_an_update_is_refused_by_worker_round_and_tensor_and_the_run_goes_on():
    class Broken(Steps):
        def train(self, parameters, context):
            result = super().train(parameters, context)
            if context.round == 2:
                result.parameters["w"][3] = np.nan
            return result

    simulation = Simulation()
    for name, task in zip(NAMES, (sized(1), Broken, sized(3)), strict=True):
        simulation.add(name, task)
    run_once(simulation, configured(rounds=3, wait_for="3"))
    [fact] = simulation.told(UpdateRefused)
    assert (fact.node, fact.round, fact.code) == ("bob", 2, "not-finite")
    assert "bob in round 2" in fact.reason
    assert "'w' is nan at (3,)" in fact.reason
    assert simulation.told(UpdateRefused, "bob")
    assert [fact.workers for fact in committed(simulation)] == [list(NAMES), ["alice", "carol"], list(NAMES)]
    metrics = committed(simulation)[2].per_worker["bob"].metrics
    assert metrics["committed_before"] == 1  # what round 2 left behind was rolled back


class Opposed(Steps):
    """Workers whose updates cancel but for very little, as near a model that suits none of them alone."""

    def train(self, parameters, context):
        step = 1.0 if self.node == "alice" else -1.0 + 1e-5
        return TrainResult(parameters={"w": parameters["w"] + np.float32(step)}, examples=self.examples)


def test_updates_that_cancel_do_not_narrow_the_range_for_the_next_ones():
    simulation = Simulation()
    for name in ("alice", "bob"):
        simulation.add(name, Opposed)
    run_once(simulation, configured(rounds=4, wait_for="2"))
    assert not simulation.told(UpdateRefused)
    assert [len(fact.workers) for fact in committed(simulation)] == [2, 2, 2, 2]


def test_task_that_raises_is_told_with_its_traceback_and_the_others_go_on():
    class Failing(Steps):
        def train(self, parameters, context):
            raise RuntimeError("no more paper")

    simulation = Simulation()
    for name, task in zip(NAMES, (sized(1), Failing, sized(3)), strict=True):
        simulation.add(name, task)
    ended = run_once(simulation, configured(rounds=2, wait_for="3"))
    assert ended.finish.status == "completed"
    facts = simulation.told(TaskFailed)
    assert [(fact.node, fact.round, fact.error) for fact in facts] == [
        ("bob", 1, "RuntimeError: no more paper"),
        ("bob", 2, "RuntimeError: no more paper"),
    ]
    assert "in train" in simulation.told(TaskFailed, "bob")[0].traceback
    assert all(fact.workers == ["alice", "carol"] for fact in committed(simulation))


def test_worker_that_claims_more_examples_than_it_declared_is_told_so_by_its_own_node():
    class Boasting(Steps):
        def prepare(self, setup):
            super().prepare(setup)
            return DataSummary(examples=2)

        examples = 3

    simulation = three()
    simulation.add("dave", Boasting)
    run_once(simulation, configured(rounds=1, wait_for="4"))
    [fact] = simulation.told(TaskFailed)
    assert "examples is 3, allowed are 1 to 2" in fact.error


# ---- from run to run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause_s", [0.0, 3600.0])
def test_nodes_that_stay_take_part_in_the_next_run(pause_s):
    simulation = three(stay=True)
    config = configured(rounds=3, wait_for="3")
    first = run_once(simulation, config)
    simulation.settle(until=simulation.clock.now + pause_s)
    assert all(simulation.finish_of(name) is None for name in NAMES)
    simulation.trace.clear()
    with run_directory("second") as directory:
        second = simulation.run(config, directory)
    assert second.finish.status == "completed"
    assert second.model.data.tobytes() == first.model.data.tobytes()


def test_node_that_stays_waits_for_the_next_run_longer_than_for_the_first():
    simulation = three(stay=True, connect_timeout_s=60.0)
    run_once(simulation, configured(rounds=1, wait_for="3"))
    simulation.settle(until=simulation.clock.now + 24 * 3600.0)
    assert all(simulation.finish_of(name) is None for name in NAMES)


def test_update_of_one_run_is_never_counted_in_the_next():
    """The second coordinator numbers its assignments from the start again."""
    simulation = three(stay=True, work_s=lambda node, work: 3.0 if work.kind == "train" else 0.1)
    config = configured(rounds=2, wait_for="3")
    with run_directory("first") as directory, pytest.raises(RunFailedError):
        simulation.run(config, directory, until=3.5)  # updates are offered, and the coordinator is gone
    simulation.trace.clear()
    other = configured(rounds=2, wait_for="3", seed=1)
    with run_directory("second") as directory:
        second = simulation.run(other, directory)
    check_run(simulation, other, second)


def test_node_without_a_coordinator_says_so_and_gives_up_in_time():
    simulation = Simulation()
    simulation.add("alice", Steps, connect_timeout_s=32.0)
    simulation.settle(until=100.0)
    assert [fact.elapsed_s for fact in simulation.told(Connecting, "alice")] == [5, 10, 15, 20, 25, 30]
    finish = simulation.finish_of("alice")
    assert finish.status == "failed"
    assert "--connect-timeout" in finish.reason


def test_worker_notices_that_a_silent_coordinator_is_gone():
    simulation = three(connect_timeout_s=60.0)
    simulation.at(2.5, lambda: [simulation.network.isolate(name) for name in NAMES])
    with run_directory() as directory, pytest.raises(RunFailedError):
        simulation.run(configured(rounds=1000, wait_for="3"), directory, until=30.0)
    assert [fact.reason for fact in simulation.told(Disconnected, "alice")] == ["silent for 10 s"]
