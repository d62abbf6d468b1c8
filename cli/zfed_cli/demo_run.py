"""Runs a demo's processes as one: their lines on one console, their end in order."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from zfed.config import CoordinatorConfig
from zfed.config.tables import NODE
from zfed.errors import RunFailedError
from zfed.facts import CoordinatorStarted, Fact
from zfed.processes import Child, Fleet, ended_by_sigterm
from zfed.telemetry import open_observer
from zfed_cli.demo_timing import RoundsTiming
from zfed_cli.plan import Process
from zfed_cli.relay import Relay

_FAREWELL_S = 10.0
"""Seconds that nodes have to end by themselves once the coordinator has."""

_EXPLANATION_S = 2.0
"""Seconds that a coordinator has to say that the run is over, when a node has ended with an error first."""

_ALIGNED_FROM_COLUMNS = 80
"""On a narrower terminal, names before lines take no more room than they need."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def run_processes(config: CoordinatorConfig, processes: Sequence[Process], data: Path | None) -> int:
    """Start a coordinator and its nodes, show them until the run is over, and return the exit code.

    Args:
        config: What the coordinator runs; `run.run` is its directory.
        processes: The coordinator first.
        data: Folder of the data sets, if a person named one.

    Raises:
        RunFailedError: If a process ended before the run did; names its log.
    """
    directory = Path(config.run.run)
    aside = config.report.format == "json"
    wide = shutil.get_terminal_size().columns >= _ALIGNED_FROM_COLUMNS
    width = max(len(process.name) for process in processes) if wide else 0
    logs = directory / "logs"
    resumed = logs.is_dir()  # by a demo of before; its logs are added to
    # Logs of a new run begin beside its directory: the coordinator makes that only where nothing is yet.
    first = logs if resumed else directory.with_name(f"{directory.name}.logs")
    with (
        ended_by_sigterm(),
        open_observer(config.report.format, groups=config.evaluate.groups) as observer,
        Relay(width, aside=aside) as relay,
        Fleet(first, relay.pass_on) as fleet,
    ):
        coordinator, *nodes = (
            fleet.start(process.name, _command(process), _environment(process, data)) for process in processes
        )
        timing = RoundsTiming([node.process.pid for node in nodes])

        def keep_logs(fact: Fact) -> None:
            if isinstance(fact, CoordinatorStarted) and not resumed:
                fleet.move_logs(logs)

        relay.observe(coordinator, keep_logs, timing, observer)
        failed = _wait_for_end(fleet, coordinator, relay)
    if failed is not None:  # told last, when the logs lie where they stay
        raise RunFailedError(
            f"{_describe_end(failed)}{_way_on(directory)}; its log: {fleet.log_path(failed.name)}"
        )
    for line in [*timing.summary(), _traffic(config)]:
        print(line, file=sys.stderr if aside else sys.stdout)
    code = coordinator.exit_code
    return 1 if code is None or code < 0 else code


def _wait_for_end(fleet: Fleet, coordinator: Child, relay: Relay) -> Child | None:
    """Return when the coordinator and, in time, the nodes have ended; or a child that ended too early."""
    while (child := fleet.wait()) is not None and child is not coordinator:
        if child.exit_code != 0 and not _is_over(fleet, relay):
            return child
    if not relay.run_ended:
        return coordinator
    while fleet.running() and fleet.wait(_FAREWELL_S) is not None:
        pass
    return None


def _is_over(fleet: Fleet, relay: Relay) -> bool:
    """True if the run was over when a node ended with an error; the node's end may be seen first."""
    fleet.listen_until(lambda: relay.run_ended, _EXPLANATION_S)
    return relay.run_ended


def _traffic(config: CoordinatorConfig) -> str:
    if config.run.insecure:
        return "traffic: not encrypted, as --insecure asks"
    return "traffic: encrypted, with keys that were made for this demo and are gone now"


def _describe_end(child: Child) -> str:
    code = child.exit_code or 0
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    why = f" ({child.last_error})" if child.last_error else ""
    return f"{child.name} {how} before the run was over{why}"


def _way_on(directory: Path) -> str:
    """Where a run has begun: what tells how to go on with it."""
    return f"; how to go on: zfed runs show {shlex.quote(str(directory))}" if directory.is_dir() else ""


def _command(process: Process) -> list[str]:
    # A later flag replaces an earlier one: whatever the file says, these speak to this process.
    return [sys.executable, "-m", "zfed_cli.main", *process.arguments, "--format", "json"]


def _environment(process: Process, data: Path | None) -> dict[str, str]:
    """This process's environment, but for what the zfed.toml alone decides for a node."""
    ours = {setting.variable for setting in NODE.settings}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment["PYTHONUNBUFFERED"] = "1"
    if data is not None:
        environment["ZFED_DATA"] = str(data)
    if process.threads > 0:
        # Read when the libraries are loaded, so that no pool of threads is made that is not wanted.
        environment.update(dict.fromkeys(_THREAD_VARIABLES, str(process.threads)))
    return environment
