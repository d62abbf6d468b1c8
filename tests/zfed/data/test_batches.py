import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config.train import TrainSettings
from zfed.data.batches import batches_of_round, shuffled_batches
from zfed.task import Context, StoppedError


@given(
    examples=st.integers(1, 40), size=st.integers(1, 50), epochs=st.integers(1, 3), seed=st.integers(0, 99)
)
def test_every_pass_holds_every_example_once(examples: int, size: int, epochs: int, seed: int) -> None:
    per_epoch = -(-examples // size)
    batches = list(shuffled_batches(examples, size, epochs * per_epoch, np.random.default_rng(seed)))
    for epoch in range(epochs):
        seen = np.concatenate(batches[epoch * per_epoch : (epoch + 1) * per_epoch])
        assert sorted(seen.tolist()) == list(range(examples))


def test_the_seed_alone_decides_the_order() -> None:
    def drawn(seed: int) -> list[list[int]]:
        return [batch.tolist() for batch in shuffled_batches(50, 8, 20, np.random.default_rng(seed))]

    assert drawn(1) == drawn(1) != drawn(2)


@given(examples=st.integers(1, 40), size=st.integers(1, 50), limit=st.floats(0, 5), epochs=st.integers(1, 4))
def test_an_owner_gets_the_first_batches_of_the_same_round_up_to_the_limit(
    examples: int, size: int, limit: float, epochs: int
) -> None:
    settings = TrainSettings(epochs=epochs, batch_size=size)

    def seen(context: Context) -> list[list[int]]:
        return [batch.tolist() for batch in batches_of_round(examples, settings, context)]

    whole = seen(Context(seed=3))
    limited = seen(Context(seed=3, should_finish=lambda epochs: epochs >= limit))
    assert len(whole) == settings.batch_count(examples)
    assert limited == whole[: len(limited)]
    passes = [sum(map(len, whole[:count])) / examples for count in range(1, len(whole) + 1)]
    enough = next((count for count, done in enumerate(passes, start=1) if done >= limit), len(whole))
    assert len(limited) == enough


def test_a_round_that_is_done_asks_no_owner_whether_to_go_on() -> None:
    asked: list[float] = []

    def should_finish(epochs: float) -> bool:
        asked.append(epochs)
        return False

    context = Context(should_finish=should_finish)
    assert len(list(batches_of_round(10, TrainSettings(batch_size=5, epochs=2), context))) == 4
    assert asked == [0.5, 1.0, 1.5]


def test_a_round_that_nobody_wants_any_more_stops() -> None:
    with pytest.raises(StoppedError):
        next(batches_of_round(10, TrainSettings(), Context(should_stop=lambda: True)))
