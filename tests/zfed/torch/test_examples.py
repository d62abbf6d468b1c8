from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from zfed.errors import DataError, TaskError
from zfed.partition import Partition
from zfed.torch.examples import Batch, Examples

INPUTS = torch.arange(20.0).reshape(10, 2)
TARGETS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


class Pairs(Dataset[tuple[torch.Tensor, int]]):
    targets = TARGETS.tolist()

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return INPUTS[index], self.targets[index]


class Batched:
    targets = TARGETS.numpy()

    def __len__(self) -> int:
        return 10

    def batch(self, indices: np.ndarray) -> Batch:
        return INPUTS[torch.from_numpy(indices)], TARGETS[torch.from_numpy(indices)]


@pytest.mark.parametrize("data", [(INPUTS, TARGETS), TensorDataset(INPUTS, TARGETS), Pairs(), Batched()])
def test_tensors_data_sets_and_batchers_give_the_same_batches(data: object) -> None:
    examples = Examples.select(data, Partition.parse(labels="1-2"))
    assert len(examples) == 6
    assert examples.label_counts() == {"1": 3, "2": 3}
    inputs, targets = examples.batch(np.array([0, 5]))
    assert torch.equal(inputs, INPUTS[[1, 8]])
    assert torch.equal(targets, TARGETS[[1, 8]])
    assert torch.equal(examples.batch(slice(4, 9))[1], torch.tensor([1, 2]))


def test_data_without_labels_can_still_be_split_evenly() -> None:
    data = (INPUTS, torch.rand(10))
    examples = Examples.select(data, Partition.parse(spec="iid:1/2"))
    assert len(examples) == 5
    assert examples.label_counts() == {}


@pytest.mark.parametrize("partition", [Partition.parse(labels="0"), Partition.parse(spec="shards:1/2")])
def test_choosing_by_labels_that_are_not_there_is_refused(partition: Partition) -> None:
    with pytest.raises(DataError, match="no integer labels"):
        Examples.select((INPUTS, torch.rand(10)), partition)


def test_an_empty_part_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"labels 7-9.* of 10 examples is empty"):
        Examples.select((INPUTS, TARGETS), Partition.parse(labels="7-9"))


def test_a_stream_is_refused() -> None:
    class Stream(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            return iter([])

    with pytest.raises(TaskError, match="Stream, which has no length"):
        Examples.select(Stream(), Partition())
