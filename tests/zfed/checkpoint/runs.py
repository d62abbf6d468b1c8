"""A run with a past, as a coordinator leaves it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zfed.checkpoint import RunDirectory
from zfed.params import ParameterBuffer


def model(version: int) -> ParameterBuffer:
    """The model of a version."""
    return ParameterBuffer.from_arrays({"w": np.full((2, 3), version, np.float32)})


def state(version: int) -> dict[str, Any]:
    """The strategy state of a version."""
    return {"momentum": np.full(6, version, np.float32), "steps": np.array(version)}


def commit(run: RunDirectory, version: int, *, worker: str = "") -> None:
    """Commit a version; with `worker`, its own model is to be evaluated, besides the federated one."""
    digest = run.save_model(version, model(version)).content
    facts: dict[str, Any] = {"round": version, "evaluations": []}
    if worker:
        own = run.save_update(version, worker, model(100 + version)).content
        facts["evaluations"] = [
            {"subject": "federated", "assignment": (1, 2 * version), "model": ""},
            {"subject": worker, "assignment": (1, 2 * version + 1), "model": own},
        ]
    metrics = {"event": "round", "round": version, "seconds": 0.5}
    run.commit(
        version=version,
        model=digest,
        state=run.save_state(version, state(version)),
        facts=facts | {"metrics": metrics},
    )
    run.record_metrics(metrics | {"per_worker": {"alice": {"steps": version}}})


def evaluate(run: RunDirectory, round: int, subject: str) -> None:
    """Answer an evaluation."""
    metrics = {"event": "evaluated", "round": round, "subject": subject, "accuracy": 0.5}
    run.journal.append(
        {"event": "evaluated", "round": round, "subject": subject, "metrics": metrics}, sync=True
    )
    run.record_metrics(metrics)


def begin(root: Path, *, versions: int) -> Path:
    """A run that was killed after its last version was committed; returns its folder."""
    with RunDirectory.create(root, "run", "rounds = 9\n") as run:
        run.next_incarnation(-1)
        for version in range(versions):
            open_round(run, version)
            commit(run, version, worker="alice" if version == 2 else "")
        return run.path


def open_round(run: RunDirectory, version: int) -> None:
    """Open the round that leads to a version."""
    run.journal.append({"event": "opened", "round": version, "version": version - 1}, sync=False)


def events(lines: Any) -> list[str]:
    """The lines as short words, as "committed 2"."""
    return [_word(line) for line in lines]


def _word(line: Mapping[str, Any]) -> str:
    number = line.get("version" if line["event"] in ("committed", "started") else "round", "")
    return f"{line['event']} {number}".strip()
