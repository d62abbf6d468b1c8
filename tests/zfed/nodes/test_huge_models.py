"""A model of 5 GiB, on its way from file to wire to file, of which hardly a page is touched."""

import numpy as np
import pytest

from zfed.checkpoint import SpilledPart, map_model
from zfed.checkpoint.safetensors_header import encode_header
from zfed.checkpoint.spill_file import BLOCK_BYTES
from zfed.nodes.upload_plan import MemoryBudget, plan_uploads
from zfed.params import ParameterLayout
from zfed.strategies import Bounds, UpdateInspector
from zfed.strategies.coverage import Coverage
from zfed.strategies.pieces import pieces
from zfed.wire.codec import decode, encode
from zfed.wire.digests import layout_blob
from zfed.wire.messages import Blob, Chunk, Pull, Update, Vector
from zfed.wire.transfer import Intake, Puller, Shelf

GIB = 1 << 30
NBYTES = 5 * GIB
LAYOUT = ParameterLayout.build([("w", "F32", (5, 1 << 28), "average")])
LAST = NBYTES - 8
"""Where the last two numbers begin: beyond what 32 bits can count, with a sign or without."""

NUMBERS = np.array([1.5, -2.5], np.float32)
BLOB = Blob(id="model:1", bytes=NBYTES, digest="xxh3-128:" + "0" * 32)


@pytest.fixture
def sparse_file(tmp_path):
    """A model file of 5 GiB of zeros, which take no room, and two numbers at the end."""
    path = tmp_path / "v00001.safetensors"
    header = encode_header(LAYOUT, {})
    with open(path, "wb") as file:
        file.write(header)
        file.seek(LAST, 1)
        file.write(NUMBERS.tobytes())
    assert path.stat().st_blocks * 512 < 1 << 20
    return path


def test_mapped_file_is_served_to_its_last_byte(sparse_file):
    model = map_model(sparse_file, moving_only=True)
    assert model["w"].shape == (5, 1 << 28)
    assert model["w"][-1, -2:].tolist() == [1.5, -2.5]
    shelf = Shelf()
    shelf.put("model:1", model.data.data)
    served = shelf.take(Pull(blob="model:1", offset=LAST, bytes=8))
    assert bytes(served) == NUMBERS.tobytes()


def test_every_byte_is_pulled_once():
    intake = Intake(BLOB, lambda offset, data: None)
    ranges = []
    while (wanted := intake.next_range(1 << 20)) is not None:
        ranges.append(wanted)
    assert ranges[-1] == (NBYTES - (1 << 20), 1 << 20)
    coverage = Coverage(NBYTES)
    for offset, size in ranges:
        coverage.add(offset, size)
    assert coverage.fault() is None


def test_range_beyond_4_gib_travels_and_is_stored_where_it_belongs():
    pulls, stored = [], []
    intake = Intake(BLOB, lambda offset, data: stored.append((offset, bytes(data))))
    while (wanted := intake.next_range(1 << 30)) is not None:
        last = wanted
    assert last == (4 * GIB, GIB)
    intake.give_back(LAST, 8)
    puller = Puller(pulls.append)
    puller.start(intake, 0.0)
    [pull] = pulls
    heard = decode(encode(pull, epoch=1), sender="coordinator").message
    assert (heard.offset, heard.bytes) == (LAST, 8)
    frames = encode(Chunk(blob=heard.blob, offset=heard.offset), epoch=1, payload=NUMBERS.tobytes())
    envelope = decode(frames, sender="node")
    puller.receive(envelope.message, envelope.payload, 0.1)
    assert stored == [(LAST, NUMBERS.tobytes())]


def test_offer_of_it_is_a_message_like_any():
    vector = Vector(name="delta", layout=layout_blob("l", LAYOUT.to_bytes()), data=BLOB)
    update = Update(assignment=(1, 1), version=0, vectors=[vector], examples=1)
    assert decode(encode(update, epoch=1), sender="node").message == update


def test_element_beyond_4_gib_is_found_and_named():
    [(segment, first, values)] = pieces(LAYOUT, LAST, NUMBERS.tobytes())
    assert (segment.size, first) == (5 << 28, (5 << 28) - 2)
    assert values.tolist() == [1.5, -2.5]
    inspector = UpdateInspector(LAYOUT, Bounds(64.0))
    inspector.feed(LAST, np.array([1.0, np.nan], np.float32).tobytes())
    assert f"at (4, {(1 << 28) - 1})" in str(inspector._fault[1])


def test_slices_of_a_spilled_update_are_read_from_where_they_were_written():
    class Tape:
        nbytes = 2 * NBYTES

        def read(self, offset, nbytes):
            return offset.to_bytes(8, "little") + bytes(nbytes - 8)

    part = SpilledPart(Tape(), NBYTES, NBYTES)
    assert len(part) == 5 * GIB // BLOCK_BYTES
    offset, data = next(each for each in part if each[0] > 4 * GIB)
    assert int.from_bytes(data[:8], "little") == NBYTES + offset


def test_plan_counts_it():
    budget = MemoryBudget(10 * NBYTES, "--memory-budget")
    plan = plan_uploads(budget, LAYOUT, strategy_bytes=3 * NBYTES, slots=8, own_models=False)
    assert (plan.in_memory, plan.on_disk) == (5, 3)
