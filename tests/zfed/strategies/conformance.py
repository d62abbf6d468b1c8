"""What every strategy keeps to. A test module inherits `StrategyConformance` and says how to make one."""

import itertools
import os
import tracemalloc
from functools import partial

import numpy as np
import pytest

from zfed.compression import Encodings
from zfed.errors import CheckpointError, LayoutError, RunFailedError, UpdateError
from zfed.params import ParameterBuffer, TensorKind, widened
from zfed.strategies import choose_grid, encode_delta

FLOATS = ["F64", "F32", "F16", "BF16"]
VALUE_RANGE = 8.0


def bfloat16(values):
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def make_model(seed=0, size=37):
    """Every dtype and kind, odd sizes, a scalar and an empty tensor."""
    rng = np.random.default_rng(seed)
    return ParameterBuffer.from_arrays(
        {
            "f64": rng.standard_normal((3, 5)),
            "f32": rng.standard_normal((size, 2)).astype(np.float32),
            "f16": rng.standard_normal(size).astype(np.float16),
            "bf16": bfloat16(rng.standard_normal(7)),
            "running_mean": rng.standard_normal(size).astype(np.float32),
            "running_half": rng.standard_normal(3).astype(np.float16),
            "batches": np.array(rng.integers(0, 100), np.int64),
            "small": rng.integers(-100, 100, 5, np.int8),
            "seen": rng.integers(0, 2, 9).astype(bool),
            "empty": np.zeros((0, 4), np.float32),
            "frozen": rng.standard_normal(4).astype(np.float32),
            "own": rng.standard_normal(2).astype(np.float32),
        },
        kinds={"running*": TensorKind.RUNNING, "frozen": TensorKind.FROZEN, "own": TensorKind.LOCAL},
        dtypes={"bf16": "BF16"},
    )


def make_update(model, seed):
    """An update as a worker near `model` would send it."""
    return encode_delta(model, make_model(seed, model["f16"].size))


def chunks(update, size=64):
    view = memoryview(update.moving.data)
    return [(start, view[start : start + size]) for start in range(0, max(len(view), 1), size)]


def run_round(strategy, model, updates, weights, grid=None, size=64):
    strategy.open_round(grid or choose_grid([w for w in weights if w > 0] or [1.0], VALUE_RANGE))
    for update, weight in zip(updates, weights, strict=True):
        strategy.accumulate(chunks(update, size), weight)
    return strategy.finish(model)


def as_numbers(buffer, name):
    dtype = buffer.layout.tensor(name).dtype
    return widened(buffer[name], dtype) if dtype in FLOATS else buffer[name]


def moving_bytes(buffer):
    return buffer.moving.data.tobytes()


def state_bytes(strategy):
    return {name: (array.dtype, array.tobytes()) for name, array in strategy.state.items()}


class StrategyConformance:
    """Inherit, and override `make`.

    Attributes:
        rounding: Relative error of the sum of a few float32 numbers: none if it is exact.
    """

    rounding = 0.0

    def make(self):
        raise NotImplementedError

    def plain(self):
        """A strategy of this kind that takes the mean as it is in its first round."""
        return self.make()

    @pytest.fixture
    def model(self):
        return make_model()

    @pytest.fixture
    def updates(self, model):
        return [make_update(model, seed) for seed in (1, 2, 3, 4)]

    @pytest.fixture
    def strategy(self, model):
        strategy = self.make()
        strategy.start(model)
        return strategy

    def test_bytes_do_not_depend_on_the_order_of_updates(self, model, updates):
        weights = [3.0, 0.5, 1000.0, 17.25]
        results = set()
        for order in itertools.permutations(range(4)):
            strategy = self.make()
            strategy.start(model)
            new = run_round(strategy, model, [updates[i] for i in order], [weights[i] for i in order])
            results.add((moving_bytes(new), strategy.largest_delta, str(state_bytes(strategy))))
        assert len(results) == 1

    @pytest.mark.parametrize("level", ["bf16", "int8", "topk:0.3"])
    def test_encoded_updates_count_as_what_they_stand_for(self, model, updates, level):
        encoding, weights = Encodings(model.layout).at(level), [3.0, 0.0, 1000.0, 17.25]
        encoded = [encoding.encode_once(update.moving, key=number) for number, update in enumerate(updates)]
        decoded, direct = self.make(), self.make()
        decoded.start(model)
        wanted = run_round(decoded, model, [encoding.decode(data) for data in encoded], weights)
        direct.start(model)
        direct.open_round(choose_grid(weights, VALUE_RANGE))
        for data, weight in reversed(list(zip(encoded, weights, strict=True))):
            direct.accumulate_encoded(partial(encoding.accumulate, data), weight)
        new = direct.finish(model)
        if self.rounding:
            for name in new:
                np.testing.assert_allclose(
                    as_numbers(new, name), as_numbers(wanted, name), rtol=1e-2, atol=1e-4
                )
        else:
            assert (moving_bytes(new), state_bytes(direct)) == (moving_bytes(wanted), state_bytes(decoded))

    def test_bytes_do_not_depend_on_slices_or_their_order(self, model, updates):
        results = set()
        for size in (8, 24, 64, 1 << 20):
            strategy = self.make()
            strategy.start(model)
            strategy.open_round(choose_grid([2.0], VALUE_RANGE))
            strategy.accumulate(reversed(chunks(updates[0], size)), 2.0)
            results.add(moving_bytes(strategy.finish(model)))
        assert len(results) == 1

    def test_slices_at_odd_addresses_are_read_right(self, model, updates, strategy):
        grid = choose_grid([1.0], VALUE_RANGE)
        expected = run_round(strategy, model, updates[:1], [1.0], grid)
        raw = b"\0" + updates[0].data.tobytes()
        shifted = self.make()
        shifted.start(model)
        shifted.open_round(grid)
        shifted.accumulate([(0, memoryview(raw)[1:])], 1.0)
        assert moving_bytes(shifted.finish(model)) == moving_bytes(expected)

    @pytest.mark.parametrize("held", [(0, 1, 2, 3), (1, 3), (3, 0)])
    @pytest.mark.parametrize("size", [8, 64, 1 << 20])
    def test_bytes_do_not_depend_on_whether_updates_are_held(self, model, updates, held, size):
        weights = [3.0, 0.0, 1000.0, 17.25]
        expected = self.make()
        expected.start(model)
        new = run_round(expected, model, updates, weights)
        strategy = self.make()
        strategy.start(model)
        strategy.open_round(choose_grid([3.0, 1000.0, 17.25], VALUE_RANGE))
        for index, (update, weight) in enumerate(zip(updates, weights, strict=True)):
            add = strategy.hold if index in held else strategy.accumulate
            add(list(reversed(chunks(update, size))), weight)
        assert moving_bytes(strategy.finish(model)) == moving_bytes(new)
        assert state_bytes(strategy) == state_bytes(expected)
        assert strategy.largest_delta == expected.largest_delta

    def test_held_updates_longer_than_a_block_are_summed_right(self):
        model = make_model(size=100_000)
        updates = [make_update(model, seed) for seed in (1, 2)]
        results = set()
        for size, hold in ((1 << 20, False), (1 << 20, True), (104, True), (1 << 30, True)):
            strategy = self.make()
            strategy.start(model)
            strategy.open_round(choose_grid([1.0, 2.0], VALUE_RANGE))
            for update, weight in zip(updates, (1.0, 2.0), strict=True):
                (strategy.hold if hold else strategy.accumulate)(chunks(update, size), weight)
            results.add((moving_bytes(strategy.finish(model)), str(state_bytes(strategy))))
        assert len(results) == 1

    def test_stretches_of_the_new_model_are_told_in_order_and_do_not_change_after(self, updates):
        model = make_model(size=100_000)
        strategy = self.make()
        strategy.start(model)
        strategy.open_round(choose_grid([1.0], VALUE_RANGE))
        strategy.accumulate(chunks(make_update(model, 1), 1 << 20), 1.0)
        new = ParameterBuffer(model.layout, np.full(model.layout.nbytes, 255, np.uint8))
        told = []
        strategy.finish_into(
            new, model, lambda start, stop: told.append((start, stop, new.data[start:stop].tobytes()))
        )
        borders = [0, *(stop for _, stop, _ in told)]
        assert [start for start, _, _ in told] == borders[:-1]
        assert borders[-1] == model.layout.moving.nbytes
        assert b"".join(data for _, _, data in told) == moving_bytes(new)
        for name in ("frozen", "own"):
            assert new[name].tobytes() == model[name].tobytes()

    def test_an_update_in_part_cannot_be_held(self, model, updates, strategy):
        strategy.open_round(2.0**-40)
        with pytest.raises(LayoutError, match="are missing"):
            strategy.hold(chunks(updates[0])[1:], 1.0)
        with pytest.raises(ValueError, match="in part"):
            strategy.finish(model)

    def test_an_update_of_weight_zero_changes_nothing(self, model, updates):
        results = []
        for weights in ([2.0, 3.0], [2.0, 3.0, 0.0, 0.0]):
            strategy = self.make()
            strategy.start(model)
            new = run_round(strategy, model, updates[: len(weights)], weights, grid=2.0**-40)
            results.append((moving_bytes(new), state_bytes(strategy)))
        assert results[0] == results[1]

    def test_one_worker_gives_that_worker(self, model, updates):
        strategy = self.plain()
        strategy.start(model)
        new = run_round(strategy, model, updates[:1], [5.0])
        grid = choose_grid([5.0], VALUE_RANGE)
        for tensor in model.layout.moving.tensors:
            if tensor.kind is TensorKind.COUNTER:
                np.testing.assert_array_equal(new[tensor.name], updates[0][tensor.name])
                continue
            base, delta, result = (
                widened(buffer[tensor.name], tensor.dtype).astype(np.float64)
                for buffer in (model, updates[0], new)
            )
            ulp = {"F64": 2.0**-52, "F32": 2.0**-23, "F16": 2.0**-10, "BF16": 2.0**-7}[tensor.dtype]
            bound = grid / (2 * 5.0) + ulp * np.abs(base + delta) + self.rounding * np.abs(delta) + 2.0**-24
            assert np.all(np.abs(result - (base + delta)) <= bound), tensor.name

    def test_counters_become_the_maximum_over_the_updates(self, model, updates, strategy):
        new = run_round(strategy, model, updates, [1.0] * 4)
        for name in ("batches", "small", "seen"):
            np.testing.assert_array_equal(new[name], np.max([update[name] for update in updates], axis=0))

    def test_tensors_that_do_not_move_are_kept(self, model, updates, strategy):
        new = run_round(strategy, model, updates, [1.0] * 4)
        assert new.layout == model.layout
        for name in ("frozen", "own"):
            assert new[name].tobytes() == model[name].tobytes()

    def test_the_model_passed_in_is_untouched(self, model, updates, strategy):
        before = model.data.tobytes()
        new = run_round(strategy, model.read_only(), updates, [1.0] * 4)
        assert model.data.tobytes() == before
        assert not np.shares_memory(new.data, model.data)

    def test_a_restored_strategy_goes_on_with_the_same_bytes(self, model, updates, strategy):
        middle = run_round(strategy, model, updates[:2], [1.0, 2.0])
        saved = {name: array.copy() for name, array in strategy.state.items()}
        expected = run_round(strategy, middle, updates[2:], [3.0, 4.0])
        other = self.make()
        other.start(middle)
        other.restore(saved)
        assert moving_bytes(run_round(other, middle, updates[2:], [3.0, 4.0])) == moving_bytes(expected)
        assert state_bytes(other) == state_bytes(strategy)

    def test_state_that_was_handed_out_never_changes(self, model, updates, strategy):
        states = [strategy.state]
        before = [state_bytes(strategy)]
        for update in updates:
            model = run_round(strategy, model, [update], [1.0])
            states.append(strategy.state)
            before.append(state_bytes(strategy))
        assert [{n: (a.dtype, a.tobytes()) for n, a in state.items()} for state in states] == before

    def test_state_of_something_else_is_refused(self, model, strategy):
        with pytest.raises(CheckpointError, match="'other' belongs to another"):
            strategy.restore({**strategy.state, "other": np.zeros(1)})
        name = next(iter(strategy.state))
        with pytest.raises(CheckpointError, match=f"{name}' is missing"):
            strategy.restore({})
        with pytest.raises(CheckpointError, match=r"is float32 of shape \(1,\), expected"):
            strategy.restore({**strategy.state, name: np.zeros(1, np.float32)})

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    @pytest.mark.parametrize("name", ["f64", "f32", "f16", "running_mean"])
    def test_what_is_not_finite_never_reaches_model_or_state(self, model, updates, strategy, name, bad):
        before = state_bytes(strategy)
        updates[1][name].flat[1] = bad  # as if the inspection had been forgotten
        with pytest.raises(RunFailedError, match=f"tensor '{name}'"):
            run_round(strategy, model, updates, [1.0] * 4)
        assert state_bytes(strategy) == before

    def test_a_mean_that_half_precision_cannot_hold_is_refused(self, model, updates, strategy):
        model["f16"][:] = 60_000
        strategy.start(model)
        updates[0]["f16"][:] = 60_000
        with pytest.raises(RunFailedError, match="tensor 'f16': the new model would hold"):
            run_round(strategy, model, updates[:1], [1.0], grid=2.0**-30)

    def test_small_steps_add_up_in_half_precision(self, model):
        strategy = self.plain()
        model["f16"][:] = 1.0
        strategy.start(model)
        step = ParameterBuffer.zeros(model.layout.moving)
        step["f16"][:] = 2.0**-13  # an eighth of what float16 can tell from 1
        new = model
        for _ in range(16):
            new = run_round(strategy, new, [step], [1.0])
        assert np.all(new["f16"] > 1.0)

    def test_a_round_without_weight_is_refused(self, model, updates, strategy):
        strategy.open_round(2.0**-40)
        strategy.accumulate(chunks(updates[0]), 0.0)
        with pytest.raises(RunFailedError, match="no update of this round has a weight above 0"):
            strategy.finish(model)

    @pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
    def test_a_weight_that_is_none_is_refused_and_adds_nothing(self, model, updates, strategy, weight):
        expected = moving_bytes(run_round(strategy, model, updates[:1], [1.0]))
        strategy.start(model)
        strategy.open_round(choose_grid([1.0], VALUE_RANGE))
        with pytest.raises(UpdateError, match="weight is") as caught:
            strategy.accumulate(chunks(updates[1]), weight)
        assert caught.value.flaw.code == "weight"
        strategy.accumulate(chunks(updates[0]), 1.0)
        assert moving_bytes(strategy.finish(model)) == expected

    def test_an_update_in_part_cannot_become_a_model(self, model, updates, strategy):
        strategy.open_round(2.0**-40)
        with pytest.raises(LayoutError, match="are missing"):
            strategy.accumulate(chunks(updates[0])[1:], 1.0)
        with pytest.raises(ValueError, match="in part"):
            strategy.finish(model)

    def test_a_round_opened_again_forgets_its_updates(self, model, updates, strategy):
        strategy.open_round(choose_grid([1.0], VALUE_RANGE))
        strategy.accumulate(chunks(updates[0]), 1.0)
        again = run_round(strategy, model, updates[1:2], [1.0])
        strategy.start(model)
        assert moving_bytes(again) == moving_bytes(run_round(strategy, model, updates[1:2], [1.0]))

    def test_largest_delta_is_that_of_the_mean(self, model, updates, strategy):
        run_round(strategy, model, updates[:2], [1.0, 3.0])
        largest = 0.0
        for tensor in model.layout.moving.tensors:
            if tensor.kind is not TensorKind.COUNTER and tensor.size:
                one, other = (widened(update[tensor.name], tensor.dtype) for update in updates[:2])
                largest = max(largest, np.abs((one.astype(float) + 3 * other.astype(float)) / 4).max())
        assert strategy.largest_delta == pytest.approx(largest, rel=1e-9 + self.rounding)

    @pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="a million elements, one by one")
    def test_memory_is_not_more_than_declared(self):
        model = make_model(size=300_000)
        update = make_update(model, 1)
        strategy = self.make()
        strategy.start(model)  # kernels may compile in this first round, which takes memory of its own
        run_round(strategy, model, [update], [1.0], size=1 << 20)
        tracemalloc.start()
        try:
            strategy = self.make()
            strategy.start(model)
            new = run_round(strategy, model, [update], [1.0], size=1 << 20)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert new.layout == model.layout
        declared = strategy.memory(model.layout)
        assert 0.7 * declared <= peak <= declared + 3_000_000  # temporary blocks, and a slice widened
