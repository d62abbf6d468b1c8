"""How many rounds of a tiny task a core simulates; extra_info holds rounds per second."""

from tests.zfed.simulation.simulated import configured, run_once, sized
from zfed.simulation import Simulation

ROUNDS = 100


def simulate():
    simulation = Simulation(work_s=lambda node, work: 0.01)
    for name in ("alice", "bob", "carol"):
        simulation.add(name, sized(3))
    run_once(simulation, configured(rounds=ROUNDS, wait_for="3"))


def test_simulated_rounds_of_three_workers(benchmark):
    benchmark.pedantic(simulate, rounds=5, warmup_rounds=1)
    if benchmark.stats is not None:  # None where benchmarks only run once, as tests
        benchmark.extra_info["rounds_per_s"] = ROUNDS / benchmark.stats.stats.min
