"""Processes on this machine: children that are started, heard and ended, and what processes use."""

from zfed.processes.cpu_time import cpu_seconds, process_cpu_seconds
from zfed.processes.fleet import STOP_LADDER, Child, Fleet
from zfed.processes.termination import ended_by_sigterm

__all__ = ["STOP_LADDER", "Child", "Fleet", "cpu_seconds", "ended_by_sigterm", "process_cpu_seconds"]
