"""A comparison with numbers that are easy to follow."""

from pathlib import Path

from zfed.benchmark import Comparison, Measured, Plan


def measured(round_s: float, cpu_s: float) -> Measured:
    return Measured(
        round_s=round_s,
        fastest_s=round_s / 2,
        slowest_s=round_s * 2,
        cpu_s=cpu_s,
        cpu_coordinator_s=cpu_s / 2,
        cpu_workers_s=[cpu_s / 4, cpu_s / 4],
        peak_coordinator_bytes=80_000_000,
        peak_workers_bytes=[20_000_000, 30_000_000],
        bytes_down=40_000_000,
        bytes_up=20_000_000,
    )


def comparison(*, durable: bool = False) -> Comparison:
    plan = Plan(
        model_bytes=20_000_000, workers=2, rounds=10, blocks=3, folder=Path("somewhere"), durable=durable
    )
    averaging_s = {"zfed kernels": 0.01, "numpy in place": 0.02, "np.average of a stack": 0.035}
    return Comparison(
        plan=plan,
        encrypted=measured(0.09, 2.4),
        plain=measured(0.06, 1.5),
        raw=measured(0.05, 1.0),
        averaging_s=averaging_s,
    )
