"""How long a device takes for a piece of work."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from zfed.config.train import TrainSettings
from zfed.simulation.profiles import Device

FORWARD_SHARE: Final = 1 / 3
"""Of an example's training time that evaluating it takes: the backward pass costs as much as two forward ones
(Kaplan et al., arXiv 2001.08361, table 1)."""


def train_s(device: Device, settings: Mapping[str, Any], examples: int) -> float:
    """Seconds for one order to train.

    Args:
        device: Who trains.
        settings: The `[train]` table; keys that only the task knows are left to it.
        examples: How many the device has.

    Raises:
        ConfigError: If a key of `TrainSettings` has a value that cannot be.
    """
    known = {each.name for each in dataclasses.fields(TrainSettings)}
    train = TrainSettings.parse({key: value for key, value in settings.items() if key in known})
    seen = train.batches * train.batch_size if train.batches else (train.epochs or 1) * examples
    return device.example_s * seen


def evaluate_s(device: Device, examples: int) -> float:
    """Seconds for a model to be evaluated on a device's own data."""
    return device.example_s * examples * FORWARD_SHARE
