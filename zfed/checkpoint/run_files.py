"""What lies where in the folder of a run.

runs/<run id>/
  run.toml            the resolved configuration
  journal.jsonl       what happened; see `zfed.checkpoint.journal`
  models/             v00000.safetensors, ...
  state/              v00000.safetensors, ...: strategy state and float32 masters
  updates/            r00001-alice.safetensors, ...: workers' own models waiting for evaluation
  metrics.jsonl       one line per round and per evaluation
  health.json         how the coordinator is, while it is at work
  model.safetensors   the last model, once the run is done
  best.safetensors    the best one, if a metric was watched
  lock                held by the process that owns the folder
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

_LONGEST_FILE_PART: Final = 200  # file systems allow names of 255 bytes
_VERSION: Final = re.compile(r"v(\d{5,})\.safetensors")


class RunFiles:
    """The paths of one run's files; whether they are there is another matter.

    Attributes:
        path: The folder.
        run_id: Its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name

    @property
    def config_path(self) -> Path:
        """The resolved configuration, written once."""
        return self.path / "run.toml"

    @property
    def journal_path(self) -> Path:
        """What happened."""
        return self.path / "journal.jsonl"

    @property
    def metrics_path(self) -> Path:
        """What plots and dashboards read."""
        return self.path / "metrics.jsonl"

    @property
    def health_path(self) -> Path:
        """How the coordinator is, while it is at work."""
        return self.path / "health.json"

    @property
    def final_model_path(self) -> Path:
        """The model that the run ended with."""
        return self.path / "model.safetensors"

    @property
    def best_model_path(self) -> Path:
        """The best model by the metric that was watched, if one was."""
        return self.path / "best.safetensors"

    @property
    def lock_path(self) -> Path:
        """What the owning process holds; the first file of a run."""
        return self.path / "lock"

    @property
    def folders(self) -> tuple[Path, Path, Path]:
        """Where models, strategy states and workers' own models lie."""
        return self.path / "models", self.path / "state", self.path / "updates"

    def model_path(self, version: int) -> Path:
        """File of a model version."""
        return self.path / "models" / f"v{version:05d}.safetensors"

    def state_path(self, version: int) -> Path:
        """File of the strategy state that belongs to a model version."""
        return self.path / "state" / f"v{version:05d}.safetensors"

    def update_path(self, round: int, worker: str) -> Path:
        """File of a worker's own model; whatever the name, it lies in `updates/`."""
        return self.path / "updates" / f"r{round:05d}-{_file_part(worker)}.safetensors"


def version_of(name: str) -> int | None:
    """The version whose model or state a file of this name holds; None if it is named otherwise."""
    match = _VERSION.fullmatch(name)
    return int(match[1]) if match else None


def _file_part(name: str) -> str:
    """A name from another machine as a part of a file name: different for different names, never a path."""
    escaped = quote(name, safe="", errors="surrogatepass")
    if len(escaped) <= _LONGEST_FILE_PART:
        return escaped
    # quote never gives "%s": no short name is mistaken for a long one
    return "%sha256-" + hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
