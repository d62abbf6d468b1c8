from importlib.util import find_spec

import pytest

from tests.chaos.published_killed import DATA, compare

SEED = 4


@pytest.mark.mnist
@pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="MNIST is not here: zfed data get mnist")
@pytest.mark.skipif(find_spec("torch") is None, reason="no torch here")
def test_published_recipe_with_its_coordinator_killed_ten_times_ends_with_the_same_bytes(tmp_path, figure):
    for sentence in compare(tmp_path, SEED):
        figure(f"published recipe, seed {SEED}: {sentence}")
