import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zfed.data.batches import shuffled_batches


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
