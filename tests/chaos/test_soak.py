from tests.chaos.soak import soaked_run

SECONDS = 120.0
SEED = 1


def test_two_minutes_of_random_kills_break_no_promise_and_memory_and_descriptors_do_not_grow(
    tmp_path, figure
):
    """The bounded version of `make soak`."""
    soaked_run(tmp_path, SECONDS, SEED, lambda said: figure(f"soak: {said}"))
