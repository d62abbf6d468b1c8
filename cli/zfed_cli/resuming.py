"""What a coordinator runs with: what was said for this start, above what its run was begun with."""

from __future__ import annotations

from pathlib import Path

from zfed.config import Inputs, ResolvedCoordinator, resolve_coordinator, resolve_resumed
from zfed.errors import ConfigError
from zfed_cli.options import read_document


def resolve_run(inputs: Inputs) -> ResolvedCoordinator:
    """Resolve a coordinator's configuration; that of a run that is there if its directory holds one.

    Raises:
        ConfigError: If a value is wrong, or would make another run of the one that is there.
    """
    given = resolve_coordinator(inputs)
    if not given.config.run.run:
        return given

    from zfed.checkpoint import RunDirectory
    from zfed.checkpoint.run_files import RunFiles

    path = Path(given.config.run.run)
    if not RunDirectory.holds_run(path):
        return given
    try:
        begun = read_document(str(RunFiles(path).config_path))
    except ConfigError as error:
        raise ConfigError(
            f"{error}; this is the run's own file: put it back as it was, or begin another run with --run DIR"
        ) from error
    return resolve_resumed(inputs, begun)
