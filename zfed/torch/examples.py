"""A node's part of a PyTorch data set, fetched batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, TensorDataset, default_collate

from zfed.errors import DataError, TaskError
from zfed.partition import Partition

Batch: TypeAlias = tuple[torch.Tensor, torch.Tensor]
Data: TypeAlias = "Dataset[Any] | BatchDataset | tuple[torch.Tensor, torch.Tensor]"
Indices: TypeAlias = NDArray[np.int64]


@runtime_checkable
class BatchDataset(Protocol):
    """A data set that is fastest when asked for a whole batch."""

    def __len__(self) -> int: ...

    def batch(self, indices: Indices) -> Batch:
        """Inputs and targets of these examples, the batch in front."""
        ...


@dataclass(frozen=True)
class Examples:
    """Some examples of a data set.

    Attributes:
        dataset: Yields (input, target) per index; or has a method `batch`, which is asked instead.
        indices: The examples that are meant.
    """

    dataset: Dataset[Any] | BatchDataset
    indices: Indices

    @classmethod
    def select(cls, data: Data, partition: Partition) -> Examples:
        """This node's part of the data.

        Raises:
            DataError: If the part is empty, or needs labels where the data have none.
        """
        dataset = TensorDataset(*data) if isinstance(data, tuple) else data
        indices = partition.select(_labels_for(partition, dataset))
        if not indices.size:
            raise DataError(
                f"partition {partition.describe()!r} of {_size(dataset)} examples is empty: choose other "
                "labels or another part"
            )
        return cls(dataset, indices)

    def __len__(self) -> int:
        return self.indices.size

    def batch(self, positions: Indices | slice) -> Batch:
        """Inputs and targets of the examples at these positions of `indices`."""
        chosen = self.indices[positions]
        if isinstance(self.dataset, BatchDataset):
            return self.dataset.batch(chosen)
        if isinstance(self.dataset, TensorDataset):
            inputs, targets = (tensor[torch.from_numpy(chosen)] for tensor in self.dataset.tensors)
            return inputs, targets
        inputs, targets = default_collate([self.dataset[int(index)] for index in chosen])
        return inputs, targets

    def label_counts(self) -> dict[str, int]:
        """Examples per label; empty if the data have no integer labels."""
        labels = _labels(self.dataset)
        if labels is None:
            return {}
        values, counts = np.unique(labels[self.indices], return_counts=True)
        return {str(value): int(count) for value, count in zip(values, counts, strict=True)}


def _labels_for(partition: Partition, dataset: Dataset[Any] | BatchDataset) -> NDArray[Any]:
    """What the partition is chosen by: the labels, or zeros where only the number of examples matters."""
    labels = _labels(dataset)
    if labels is not None:
        return labels
    if partition.labels is not None or not partition.spec.startswith(("all", "iid")):
        raise DataError(
            f"partition {partition.describe()!r} chooses by label, but these data have no integer labels: "
            "use iid, or give the data set an attribute 'targets'"
        )
    return np.zeros(_size(dataset), np.uint8)


def _labels(dataset: Dataset[Any] | BatchDataset) -> NDArray[Any] | None:
    """Integer labels (n,): what torchvision's data sets call targets, or the last tensor."""
    targets = dataset.tensors[-1] if isinstance(dataset, TensorDataset) else getattr(dataset, "targets", None)
    if targets is None:
        return None
    labels = np.asarray(targets)
    return labels if labels.ndim == 1 and labels.dtype.kind in "iu" else None


def _size(dataset: Dataset[Any] | BatchDataset) -> int:
    try:
        return len(dataset)  # type: ignore[arg-type]
    except TypeError:
        raise TaskError(
            f"data() returned {type(dataset).__name__}, which has no length: zfed needs a data set that can "
            "be indexed, not a stream"
        ) from None
