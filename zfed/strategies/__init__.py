"""How updates become a model: numbers in, numbers out."""

from zfed.strategies.adaptive import FedAdagrad, FedAdam, FedYogi
from zfed.strategies.array_strategy import ArrayStrategy
from zfed.strategies.base import Strategy
from zfed.strategies.bounded import NormBounding
from zfed.strategies.contribution import Contribution, Needs
from zfed.strategies.delta import apply_delta, encode_delta
from zfed.strategies.fair import QFedAvg
from zfed.strategies.grid import choose_grid, next_value_range
from zfed.strategies.guarded import GuardedStrategy
from zfed.strategies.inspection import NO_NORM_LIMIT, Bounds, UpdateInspector, Verdict
from zfed.strategies.mean import FedAvg
from zfed.strategies.normalised import FedNova
from zfed.strategies.registry import STRATEGIES
from zfed.strategies.server_optimizer import FedAvgM
from zfed.strategies.usual_norm import UsualNorm, median_norm
from zfed.strategies.warming import warm_up

__all__ = [
    "NO_NORM_LIMIT",
    "STRATEGIES",
    "ArrayStrategy",
    "Bounds",
    "Contribution",
    "FedAdagrad",
    "FedAdam",
    "FedAvg",
    "FedAvgM",
    "FedNova",
    "FedYogi",
    "GuardedStrategy",
    "Needs",
    "NormBounding",
    "QFedAvg",
    "Strategy",
    "UpdateInspector",
    "UsualNorm",
    "Verdict",
    "apply_delta",
    "choose_grid",
    "encode_delta",
    "median_norm",
    "next_value_range",
    "warm_up",
]
