"""The worker: trains where the data are."""

from __future__ import annotations

from zfed.nodes.member import Member


class Worker(Member):
    """Holds training data; trains from each model it is sent and offers what changed."""

    kind = "worker"
