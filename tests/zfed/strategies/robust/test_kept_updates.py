import numpy as np
import pytest

from tests.zfed.strategies.contributions import contribution
from zfed.errors import RunFailedError
from zfed.params import ParameterBuffer
from zfed.strategies.robust.kept_updates import KeptUpdates
from zfed.strategies.robust.rows import block_bytes, row_bytes

LAYOUT = ParameterBuffer.from_arrays(
    {"w": np.zeros(4, np.float32), "h": np.zeros(4, np.float16), "n": np.zeros(1, np.int64)}
).layout


def kept(combine=lambda rows: None, fewest=1):
    return KeptUpdates(LAYOUT, combine, fewest)


def add(updates, name, value=1.0):
    update = ParameterBuffer.zeros(LAYOUT)
    for tensor in LAYOUT.tensors:
        update[tensor.name][...] = value
    updates.add(contribution(node=name), [(0, update.data.tobytes())])


def test_rows_are_in_the_order_of_names_however_they_come():
    updates = kept()
    updates.open(1.0)
    for number, name in enumerate(["carol", "alice", "bob"]):
        add(updates, name, number)
    assert [next(iter(row.values()))[0] for row in updates.rows] == [1, 2, 0]


def test_a_row_is_float32_for_half_precision():
    updates = kept()
    updates.open(1.0)
    add(updates, "alice", 1.5)
    [row] = updates.rows
    assert {segment.dtype: values.dtype for segment, values in row.items()} == {
        "F32": np.float32,
        "F16": np.float32,
        "I64": np.int64,
    }
    assert sum(values.nbytes for values in row.values()) == row_bytes(LAYOUT) == 4 * 4 + 4 * 4 + 8
    assert KeptUpdates.memory(LAYOUT, 3) == 3 * (row_bytes(LAYOUT) + block_bytes(LAYOUT))


def test_memory_of_a_round_is_that_of_the_next():
    updates = kept()
    updates.open(1.0)
    add(updates, "alice")
    add(updates, "bob")
    before = {id(values) for row in updates.rows for values in row.values()}
    updates.open(1.0)
    add(updates, "carol")
    assert {id(values) for row in updates.rows for values in row.values()} < before


def test_a_number_that_is_not_finite_names_worker_and_tensor_and_is_forgotten_with_its_round():
    updates = kept()
    updates.open(1.0)
    add(updates, "alice")
    bad = ParameterBuffer.zeros(LAYOUT)
    bad["h"][1] = np.inf
    updates.add(contribution(node="mallory"), [(0, bad.data.tobytes())])
    with pytest.raises(RunFailedError, match="tensor 'h': the update of mallory holds a number that is not"):
        updates.close()
    updates.open(1.0)
    add(updates, "alice")
    assert updates.close() == 1.0
