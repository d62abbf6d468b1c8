"""Strategies by the name a configuration gives them."""

from __future__ import annotations

from typing import Final

from zfed.strategies.adaptive import FedAdagrad, FedAdam, FedYogi
from zfed.strategies.base import Strategy
from zfed.strategies.bounded import NormBounding
from zfed.strategies.fair import QFedAvg
from zfed.strategies.mean import FedAvg
from zfed.strategies.normalised import FedNova
from zfed.strategies.robust import (
    Bulyan,
    CentredClipping,
    FLTrust,
    GeometricMedian,
    Krum,
    Median,
    MultiKrum,
    TrimmedMean,
)
from zfed.strategies.scaffold import Scaffold
from zfed.strategies.server_optimizer import FedAvgM

STRATEGIES: Final[dict[str, type[Strategy]]] = {
    "fedavg": FedAvg,
    "fedavgm": FedAvgM,
    "fedadagrad": FedAdagrad,
    "fedadam": FedAdam,
    "fedyogi": FedYogi,
    "fednova": FedNova,
    "qfedavg": QFedAvg,
    "norm-bounding": NormBounding,
    "scaffold": Scaffold,
    "median": Median,
    "trimmed-mean": TrimmedMean,
    "krum": Krum,
    "multi-krum": MultiKrum,
    "bulyan": Bulyan,
    "geometric-median": GeometricMedian,
    "centred-clipping": CentredClipping,
    "fltrust": FLTrust,
}
