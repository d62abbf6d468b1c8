"""Updates as a strategy sees them, but for their values."""

from zfed.strategies import Contribution


def contribution(weight=1.0, node="alice", **more):
    """One whose weight is its share, if nothing else is said."""
    values = {"examples": 10, "steps": 3, "norm": 1.0, "metrics": {}, "share": weight, "weight": weight}
    return Contribution(node=node, **{**values, **more})
