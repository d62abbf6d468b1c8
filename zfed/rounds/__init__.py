"""The round engine: who is asked for what, and when a round closes."""

from zfed.rounds.cohort import WaitFor
from zfed.rounds.evaluation import FEDERATED, WORKERS
from zfed.rounds.rounds import Rounds
from zfed.rounds.schedule import Schedule

__all__ = ["FEDERATED", "WORKERS", "Rounds", "Schedule", "WaitFor"]
