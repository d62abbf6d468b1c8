"""What to do about what a check of a run directory has found."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from zfed.checkpoint import Finding


def remedies(path: Path, findings: Iterable[Finding]) -> list[str]:
    """Sentences for a person; none if nothing has to be done.

    What is wrong with a journal or a run.toml comes with its own remedy.

    Args:
        path: The run directory.
        findings: What `zfed.checkpoint.verify` has found there.
    """
    listed = list(findings)
    damaged = {_part(found) for found in listed if not found.ok}
    sentences = []
    if damaged & {"models", "state"}:
        command = f"zfed coordinator --run {shlex.quote(str(path))}"
        whole = _whole_versions(listed)
        if whole:
            sentences.append(
                f"a start refuses what is damaged and goes on from version {max(whole)}: {command}"
            )
        else:
            sentences.append("no version is whole: put copies of these files back, or begin another run")
    if "updates" in damaged:
        sentences.append("a worker's own model that is damaged is not evaluated: a start says so and goes on")
    if "model.safetensors" in damaged:
        sentences.append("model.safetensors is a copy of the last version: take that from models/, or resume")
    return sentences


def _part(found: Finding) -> str:
    """The folder that a file lies in, or else its name."""
    return Path(found.path).parts[0]


def _whole_versions(findings: Iterable[Finding]) -> list[int]:
    """Versions whose model, and state if there is one, are as committed."""
    good: dict[str, bool] = {}
    for found in findings:
        if _part(found) in ("models", "state"):
            name = Path(found.path).stem
            good[name] = good.get(name, True) and found.ok
    return [int(name.removeprefix("v")) for name, whole in good.items() if whole]
