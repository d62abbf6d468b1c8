"""Journals as runs write them, with as much in each line as a test needs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zfed.checkpoint import Journal

BEGAN = 1_735_787_040
"""2025-01-02 03:04:00 UTC: when a journal's first line was written."""

METRICS = {"event": "round", "seconds": 1.5, "bytes_down": 2e6, "bytes_up": 1e6, "train": {"loss": 0.25}}

RUN: list[dict[str, Any]] = [
    {"event": "created", "key": "ab" * 16, "config": "sha"},
    {"event": "started", "incarnation": 1, "version": -1},
    {"event": "joined", "node": "alice", "kind": "worker", "examples": 10, "rejoined": False},
    {"event": "joined", "node": "bob", "kind": "worker", "examples": 20, "rejoined": False},
    {"event": "committed", "version": 0, "model": "m0", "state": "", "source": "alice"},
    {"event": "opened", "round": 1, "attempt": 1, "version": 0, "cohort": ["alice", "bob"]},
    {"event": "accepted", "round": 1, "node": "bob", "assignment": [1, 2]},
    {"event": "accepted", "round": 1, "node": "alice", "assignment": [1, 1]},
    {"event": "committed", "version": 1, "round": 1, "workers": ["alice", "bob"], "metrics": METRICS},
    {
        "event": "evaluated",
        "round": 1,
        "subject": "federated",
        "node": "eve",
        "metrics": {"event": "evaluated", "round": 1, "subject": "federated", "examples": 8, "accuracy": 0.5},
    },
    {"event": "opened", "round": 2, "attempt": 1, "version": 1, "cohort": ["alice", "bob"]},
    {"event": "accepted", "round": 2, "node": "bob", "assignment": [1, 4]},
]
"""A run of two workers in the middle of its second round."""


def write_run(path: Path, records: Iterable[Mapping[str, Any]] = RUN, *, rounds: int = 3) -> Path:
    """Make a run directory with these lines in its journal, a second apart from `BEGAN` on."""
    path.mkdir(parents=True)
    (path / "run.toml").write_text(f"[run]\nrounds = {rounds}\n")
    seconds = itertools.count(BEGAN)
    journal = Journal(path / "journal.jsonl", wall_clock=lambda: next(seconds))
    for record in records:
        journal.append(record, sync=False)
    journal.close()
    return path
