"""Rules that a few hostile workers cannot lead astray: they look at all updates of a round together."""

from zfed.strategies.robust.bulyan import Bulyan
from zfed.strategies.robust.centred_clipping import CentredClipping
from zfed.strategies.robust.columns import Median, TrimmedMean
from zfed.strategies.robust.fltrust import FLTrust
from zfed.strategies.robust.geometric_median import GeometricMedian
from zfed.strategies.robust.krum import Krum, MultiKrum

__all__ = [
    "Bulyan",
    "CentredClipping",
    "FLTrust",
    "GeometricMedian",
    "Krum",
    "Median",
    "MultiKrum",
    "TrimmedMean",
]
