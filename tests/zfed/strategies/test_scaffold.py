"""SCAFFOLD against a plain implementation of the paper's algorithm 1, which uploads what zfed need not."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from conformance import StrategyConformance, chunks
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.strategies.contributions import contribution
from tests.zfed.strategies.scaffold_paper import SIZE, Problem, paper
from zfed.control_variates import CONTROL, STEP_SUM, ControlVariates
from zfed.errors import CheckpointError, ConfigError, UpdateError
from zfed.params import ParameterBuffer
from zfed.strategies import FedAvg, choose_grid, encode_delta
from zfed.strategies.known_workers import NAMES
from zfed.strategies.scaffold import LEAST_STEP_SUM, Scaffold


class TestScaffold(StrategyConformance):
    def make(self):
        return Scaffold()


@dataclass
class Run:
    """The same with zfed's two halves, and nothing going up but the update and one number."""

    problem: Problem
    strategy: Scaffold
    weights: np.ndarray
    dtype: type = np.float64
    states: dict = field(default_factory=dict)

    def __post_init__(self):
        self.model = ParameterBuffer.from_arrays({"x": np.zeros(SIZE, self.dtype)})
        self.strategy.start(self.model)

    def update_of(self, worker):
        state = self.states.setdefault(worker, {})
        control = ControlVariates(self.strategy.vectors.get(CONTROL, {}), state)
        x, rate = self.model["x"].copy(), self.problem.rates[worker]
        for _ in range(self.problem.steps[worker]):
            correction = control.corrections.get("x", 0)
            x -= (rate * (self.problem.gradient(worker, x) + correction)).astype(self.dtype)
        metrics = control.settle(self.model, {"x": x}, self.problem.steps[worker] * rate)
        share = float(self.weights[worker])
        update = self.strategy.needs.weighed(contribution(share, f"w{worker}", metrics=metrics))
        return update, encode_delta(self.model, {"x": x})

    def round(self, cohort, hold=False):
        shares = [self.weights[worker] for worker in cohort]
        self.strategy.open_round(choose_grid(shares, 16.0))
        for worker in cohort:
            update, delta = self.update_of(worker)
            (self.strategy.hold if hold else self.strategy.accumulate)(update, chunks(delta))
        self.model = self.strategy.finish(self.model)
        return self.model["x"], self.strategy.vectors.get(CONTROL, {"x": None})["x"]


COHORTS = st.lists(st.sets(st.integers(0, 5), min_size=1).map(sorted), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), COHORTS, st.sampled_from([0.5, 1.0]), st.booleans())
def test_model_and_control_variate_are_those_of_the_paper_whoever_takes_part(seed, cohorts, rate, hold):
    problem = Problem.drawn(seed, workers=6)
    run = Run(problem, Scaffold(workers=6, server_learning_rate=rate), np.ones(6))
    for (x, c), cohort in zip(paper(problem, cohorts, rate), cohorts, strict=True):
        model, control = run.round(cohort, hold)
        np.testing.assert_allclose(model, x, atol=1e-7)  # the grid is 2^-28 for the second sum
        np.testing.assert_allclose(control, c, atol=1e-7)


@pytest.mark.parametrize("accumulator", ["exact", "float32"])
def test_float32_stays_by_the_paper_over_fifty_rounds(accumulator):
    problem = Problem.drawn(3, workers=6)
    rng = np.random.default_rng(4)
    cohorts = [sorted(rng.choice(6, 3, replace=False)) for _ in range(50)]
    run = Run(problem, Scaffold(workers=6, accumulator=accumulator), np.ones(6), np.float32)
    for cohort in cohorts:
        model, control = run.round(cohort)
    *_, (x, c) = paper(problem, cohorts)
    np.testing.assert_allclose(model, x, atol=1e-5)
    np.testing.assert_allclose(control, c, atol=1e-5)


def test_it_converges_where_federated_averaging_drifts():
    """As in the paper's figure 1: two workers differ in optimum and curvature, and take many steps."""
    problem = Problem(
        np.tile([[1.0], [3.0]], SIZE), np.tile([[2.0], [-1.0]], SIZE), steps=(10, 10), rates=(0.1, 0.1)
    )
    optimum = problem.optimum(np.ones(2))
    ends = {}
    for name, strategy in (("scaffold", Scaffold()), ("fedavg", FedAvg())):
        run = Run(problem, strategy, np.ones(2))
        for _ in range(60):
            model, _ = run.round([0, 1])
        ends[name] = np.abs(model - optimum).max()
    assert ends["scaffold"] < 1e-6
    assert ends["fedavg"] > 0.1


def test_it_drifts_neither_with_different_weights_and_different_numbers_of_steps():
    """With a control variate that is the plain mean, the weights would be lost."""
    weights = np.array([1.0, 2.0, 7.0, 30.0])
    problem = Problem.drawn(1, workers=4, steps=(1, 5, 2, 11), rates=(0.02, 0.05, 0.08, 0.03))
    run = Run(problem, Scaffold(), weights)
    for _ in range(400):
        model, control = run.round(range(4))
    np.testing.assert_allclose(model, problem.optimum(weights), atol=1e-6)
    own = np.array([run.states[worker][f"{CONTROL}.x"] for worker in range(4)])
    np.testing.assert_allclose(control, (weights[:, None] * own).sum(axis=0) / weights.sum(), atol=1e-6)


def test_workers_that_join_late_join_the_mean():
    problem = Problem.drawn(2, workers=6)
    run = Run(problem, Scaffold(), np.ones(6))
    for cohort in ([0, 1], [0, 1, 2], [3], [2, 4], [5, 0]):
        _, control = run.round(cohort)
        own = [state[f"{CONTROL}.x"] for state in run.states.values()]
        np.testing.assert_allclose(control, np.mean(own, axis=0), atol=1e-9)


def test_a_round_opened_again_forgets_who_had_answered():
    problem = Problem.drawn(2, workers=3)
    run = Run(problem, Scaffold(), np.ones(3))
    run.strategy.open_round(2.0**-40)
    update, delta = run.update_of(2)
    run.strategy.accumulate(update, chunks(delta))
    run.states.clear()
    run.round([0, 1])
    assert run.strategy.state[NAMES].tobytes() == b"w0\nw1"


def test_the_vector_holds_the_learned_tensors_in_what_is_computed_with():
    model = ParameterBuffer.from_arrays(
        {"half": np.zeros((2, 2), np.float16), "double": np.zeros(3), "single": np.zeros(4, np.float32)}
    )
    strategy = Scaffold()
    strategy.start(model)
    [(name, vector)] = strategy.vectors.items()
    assert name == CONTROL == strategy.needs.sends[0]
    assert {name: (array.dtype, array.shape) for name, array in vector.items()} == {
        "double": (np.float64, (3,)),
        "single": (np.float32, (4,)),
        "half": (np.float32, (2, 2)),
    }


@pytest.mark.parametrize("value", [0.0, -1.0, LEAST_STEP_SUM / 2])
def test_an_update_that_went_nowhere_is_refused(value):
    with pytest.raises(UpdateError, match=r"scaffold needs at least 1\.52588e-05: a larger learning_rate"):
        Scaffold().needs.weighed(contribution(metrics={STEP_SUM: value}))


def test_an_update_of_a_task_that_does_not_correct_its_steps_is_refused():
    with pytest.raises(UpdateError, match=f"no number '{STEP_SUM}' among its metrics, which scaffold needs"):
        Scaffold().needs.weighed(contribution(metrics={"loss": 1.0}))


def test_an_update_of_an_older_version_is_refused():
    with pytest.raises(UpdateError, match="started 2 versions ago"):
        Scaffold().needs.weighed(contribution(metrics={STEP_SUM: 1.0}, staleness=2))


def test_a_negative_number_of_workers_is_refused():
    with pytest.raises(ConfigError, match="workers is -1"):
        Scaffold(workers=-1)


def test_state_without_its_workers_is_refused():
    strategy = Scaffold()
    strategy.start(ParameterBuffer.from_arrays({"x": np.zeros(2)}))
    state = {name: array for name, array in strategy.state.items() if name != NAMES}
    with pytest.raises(CheckpointError, match="which workers took part"):
        strategy.restore(state)
