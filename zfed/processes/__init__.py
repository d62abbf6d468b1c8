"""Processes on this machine: children that are started, heard and ended, and what processes use."""

from zfed.processes.cpu_time import cpu_seconds
from zfed.processes.fleet import STOP_LADDER, Child, Fleet

__all__ = ["STOP_LADDER", "Child", "Fleet", "cpu_seconds"]
