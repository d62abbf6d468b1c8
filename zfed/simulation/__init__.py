"""Many nodes in one thread under a virtual clock, with the logics, numbers and files of real ones."""

from zfed.simulation.coordinator import COORDINATOR
from zfed.simulation.driven import Told
from zfed.simulation.world import SimulatedEnd, Simulation

__all__ = ["COORDINATOR", "SimulatedEnd", "Simulation", "Told"]
