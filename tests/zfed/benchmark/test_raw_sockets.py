from __future__ import annotations

import threading
from queue import Queue

import numpy as np
import pytest

from zfed.benchmark.raw_sockets import CHUNK, serve, take_part
from zfed.facts import CoordinatorStarted, NodeStarted, RoundCommitted


@pytest.mark.parametrize("length", [2, CHUNK, 2 * CHUNK + 17])
def test_every_round_moves_the_model_to_each_worker_and_back_and_keeps_its_mean(tmp_path, length):
    facts: Queue = Queue()
    result = []

    def be_coordinator():
        result.append(serve(facts.put, length=length, workers=2, rounds=3, models=tmp_path))

    coordinator = threading.Thread(target=be_coordinator)
    coordinator.start()
    started = facts.get(timeout=10)
    assert isinstance(started, CoordinatorStarted)
    told: list = []
    workers = [
        threading.Thread(target=take_part, args=(started.address, length, 3, told.append)) for _ in range(2)
    ]
    for thread in workers:
        thread.start()
    for thread in [*workers, coordinator]:
        thread.join(timeout=20)
        assert not thread.is_alive()

    assert [type(fact) for fact in told] == [NodeStarted, NodeStarted]
    rounds = [facts.get_nowait() for _ in range(facts.qsize())]
    assert [fact.round for fact in rounds if isinstance(fact, RoundCommitted)] == [1, 2, 3]
    assert {(fact.bytes_down, fact.bytes_up) for fact in rounds} == {(2 * length * 4, 2 * length * 4)}
    # The mean of equal models is the model, on the grid that sums are exact on.
    first = np.random.default_rng(0).random(length, np.float32)
    np.testing.assert_allclose(result[0], first, rtol=0, atol=2.0**-38)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["v00001", "v00002", "v00003"]
    assert files[-1].read_bytes() == result[0].tobytes()
