"""Round engines: who is asked for what, and when a round closes."""

from zfed.rounds.cohort import WaitFor
from zfed.rounds.evaluation import FEDERATED, WORKERS
from zfed.rounds.sync import SyncRounds

__all__ = ["FEDERATED", "WORKERS", "SyncRounds", "WaitFor"]
