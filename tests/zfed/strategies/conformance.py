"""What every strategy keeps to. A test module inherits `StrategyConformance` and says how to make one."""

import itertools
import math
import os
import random
import tracemalloc
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from tests.zfed.strategies.contributions import contribution
from zfed.compression import Encodings
from zfed.errors import CheckpointError, LayoutError, RunFailedError, UpdateError
from zfed.params import ParameterBuffer, TensorKind, widened
from zfed.strategies import choose_grid, encode_delta

FLOATS = ["F64", "F32", "F16", "BF16"]
VALUE_RANGE = 8.0
LARGE = 1_000_000
"""Length of the large tensors where memory is measured: what is temporary is small beside them."""


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


@cache
def large_model_and_update():
    model = make_model(size=LARGE)
    return model.read_only(), make_update(model, 1)


def chunks(update, size=64):
    view = memoryview(update.moving.data)
    return [(start, view[start : start + size]) for start in range(0, max(len(view), 1), size)]


def learned_norm(update):
    squares = [
        np.square(widened(update[tensor.name], tensor.dtype).astype(np.float64)).sum()
        for tensor in update.layout.tensors
        if tensor.kind is TensorKind.AVERAGE
    ]
    return math.sqrt(math.fsum(squares))


def sent(strategy, updates, shares):
    """What the engine makes of updates of these shares: each says all that a strategy may need."""
    return [
        strategy.needs.weighed(
            contribution(
                share,
                f"w{number}",
                steps=number + 1,
                norm=learned_norm(update),
                metrics=dict.fromkeys(strategy.needs.metrics, 0.5 + number),
            )
        )
        for number, (update, share) in enumerate(zip(updates, shares, strict=True))
    ]


def grid_of(strategy, shares):
    return choose_grid([share * strategy.needs.largest_factor for share in shares], VALUE_RANGE)


def run_round(strategy, model, updates, shares, grid=None, size=64, order=None):
    """One round of updates of w0, w1, ... with these shares, which come in this order."""
    told = sent(strategy, updates, shares)
    strategy.open_round(grid or grid_of(strategy, shares))
    for number in range(len(updates)) if order is None else order:
        strategy.accumulate(told[number], chunks(updates[number], size))
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

    What a strategy by its paper does otherwise, its test class sets to None and says why.

    Attributes:
        rounding: Relative error of the sum of a few float32 numbers: none if it is exact.
    """

    rounding = 0.0

    def make(self):
        raise NotImplementedError

    def plain(self):
        """A strategy of this kind that takes the mean as it is in its first round."""
        return self.make()

    def started(self, model):
        strategy = self.make()
        strategy.start(model)
        return strategy

    @pytest.fixture
    def model(self):
        return make_model()

    @pytest.fixture
    def strategy(self, model):
        return self.started(model)

    @pytest.fixture
    def count(self):
        """Enough updates for a version, and more than two."""
        return max(4, self.make().needs.updates)

    @pytest.fixture
    def fewest(self):
        return self.make().needs.updates

    @pytest.fixture
    def updates(self, model, count):
        return [make_update(model, seed) for seed in range(1, count + 1)]

    @pytest.fixture
    def shares(self, count):
        return [3.0, 0.5, 1000.0, 17.25, *range(2, count - 2)]

    def test_bytes_do_not_depend_on_the_order_of_updates(self, model, updates, shares):
        orders = list(itertools.permutations(range(len(updates))))
        results = set()
        for order in random.Random(1).sample(orders, min(8, len(orders))):
            strategy = self.started(model)
            new = run_round(strategy, model, updates, shares, order=order)
            results.add((moving_bytes(new), strategy.largest_delta, str(state_bytes(strategy))))
        assert len(results) == 1

    @pytest.mark.parametrize("level", ["bf16", "int8", "topk:0.3"])
    def test_encoded_updates_count_as_what_they_stand_for(self, model, updates, shares, level):
        encoding = Encodings(model.layout).at(level)
        encoded = [encoding.encode_once(update.moving, key=number) for number, update in enumerate(updates)]
        clear = [encoding.decode(data) for data in encoded]
        decoded, direct = self.started(model), self.started(model)
        wanted = run_round(decoded, model, clear, shares)
        direct.open_round(grid_of(direct, shares))
        for told, data in reversed(list(zip(sent(direct, clear, shares), encoded, strict=True))):
            direct.accumulate_encoded(told, partial(encoding.accumulate, data))
        new = direct.finish(model)
        if self.rounding:
            for name in new:
                np.testing.assert_allclose(
                    as_numbers(new, name), as_numbers(wanted, name), rtol=1e-2, atol=1e-4
                )
        else:
            assert (moving_bytes(new), state_bytes(direct)) == (moving_bytes(wanted), state_bytes(decoded))

    def test_bytes_do_not_depend_on_slices_or_their_order(self, model, updates, shares):
        results = set()
        for size in (8, 24, 64, 1 << 20):
            strategy = self.started(model)
            strategy.open_round(grid_of(strategy, shares))
            for told, update in zip(sent(strategy, updates, shares), updates, strict=True):
                strategy.accumulate(told, reversed(chunks(update, size)))
            results.add(moving_bytes(strategy.finish(model)))
        assert len(results) == 1

    def test_slices_at_odd_addresses_are_read_right(self, model, updates, shares):
        expected = run_round(self.started(model), model, updates, shares)
        shifted = self.started(model)
        shifted.open_round(grid_of(shifted, shares))
        for told, update in zip(sent(shifted, updates, shares), updates, strict=True):
            shifted.accumulate(told, [(0, memoryview(b"\0" + update.data.tobytes())[1:])])
        assert moving_bytes(shifted.finish(model)) == moving_bytes(expected)

    @pytest.mark.parametrize("held", [(0, 1, 2, 3), (1, 3), (3, 0)])
    @pytest.mark.parametrize("size", [8, 64, 1 << 20])
    def test_bytes_do_not_depend_on_whether_updates_are_held(self, model, updates, shares, held, size):
        shares[1] = 0.0
        expected, strategy = self.started(model), self.started(model)
        updates, shares = [*updates, updates[0]], [*shares, 2.0]
        new = run_round(expected, model, updates, shares)
        strategy.open_round(grid_of(strategy, shares))
        for index, told in enumerate(sent(strategy, updates, shares)):
            add = strategy.hold if index in held else strategy.accumulate
            add(told, list(reversed(chunks(updates[index], size))))
        assert moving_bytes(strategy.finish(model)) == moving_bytes(new)
        assert state_bytes(strategy) == state_bytes(expected)
        assert strategy.largest_delta == expected.largest_delta

    def test_held_updates_longer_than_a_block_are_summed_right(self, fewest):
        model = make_model(size=70_000)
        shares = [float(number) for number in range(1, max(2, fewest) + 1)]
        updates = [make_update(model, seed) for seed in range(len(shares))]
        results = set()
        for size, hold in ((1 << 20, False), (1 << 20, True), (1048, True), (1 << 30, True)):
            strategy = self.started(model)
            strategy.open_round(grid_of(strategy, shares))
            for told, update in zip(sent(strategy, updates, shares), updates, strict=True):
                (strategy.hold if hold else strategy.accumulate)(told, chunks(update, size))
            results.add((moving_bytes(strategy.finish(model)), str(state_bytes(strategy))))
        assert len(results) == 1

    def test_stretches_of_the_new_model_are_told_in_order_and_do_not_change_after(self, fewest):
        model = make_model(size=100_000)
        strategy = self.started(model)
        updates = [make_update(model, seed) for seed in range(1, fewest + 1)]
        strategy.open_round(grid_of(strategy, [1.0] * fewest))
        for told, update in zip(sent(strategy, updates, [1.0] * fewest), updates, strict=True):
            strategy.accumulate(told, chunks(update, 1 << 20))
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

    @pytest.mark.parametrize("add", ["hold", "accumulate"])
    def test_an_update_in_part_cannot_become_a_model(self, model, updates, strategy, add):
        strategy.open_round(2.0**-40)
        [told] = sent(strategy, updates[:1], [1.0])
        with pytest.raises(LayoutError, match="are missing"):
            getattr(strategy, add)(told, chunks(updates[0])[1:])
        with pytest.raises(ValueError, match="in part"):
            strategy.finish(model)

    def test_an_update_of_weight_zero_changes_nothing(self, model, updates, shares):
        results = []
        for more in (0, 2):
            strategy = self.started(model)
            with_more = [*updates, *updates[:more]]
            new = run_round(strategy, model, with_more, [*shares, *[0.0] * more], grid=2.0**-40)
            results.append((moving_bytes(new), state_bytes(strategy)))
        assert results[0] == results[1]

    def test_updates_of_weight_one_count_alike(self, model, updates):
        """Whoever sends which: the same bytes, for all that a strategy needs to know is the same, too."""
        results = set()
        for turn in range(2):
            strategy = self.started(model)
            given = updates[turn:] + updates[:turn]
            told = [
                replace(each, steps=3, norm=2.0, metrics=dict.fromkeys(strategy.needs.metrics, 0.5))
                for each in sent(strategy, given, [1.0] * len(given))
            ]
            strategy.open_round(grid_of(strategy, [1.0] * len(given)))
            for each, update in zip(told, given, strict=True):
                strategy.accumulate(strategy.needs.weighed(each), chunks(update))
            results.add(moving_bytes(strategy.finish(model)))
        assert len(results) == 1

    def test_one_worker_gives_that_worker(self, model, updates, fewest):
        """Or as many as there must be, if all say the same."""
        strategy = self.plain()
        strategy.start(model)
        shares = [5.0] * fewest
        new = run_round(strategy, model, updates[:1] * fewest, shares)
        grid = grid_of(strategy, shares)
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

    def test_counters_become_the_maximum_over_the_updates(self, model, updates, shares, strategy):
        new = run_round(strategy, model, updates, shares)
        for name in ("batches", "small", "seen"):
            np.testing.assert_array_equal(new[name], np.max([update[name] for update in updates], axis=0))

    def test_tensors_that_do_not_move_are_kept(self, model, updates, shares, strategy):
        new = run_round(strategy, model, updates, shares)
        assert new.layout == model.layout
        for name in ("frozen", "own"):
            assert new[name].tobytes() == model[name].tobytes()

    def test_the_model_passed_in_is_untouched(self, model, updates, shares, strategy):
        before = model.data.tobytes()
        new = run_round(strategy, model.read_only(), updates, shares)
        assert model.data.tobytes() == before
        assert not np.shares_memory(new.data, model.data)

    def test_a_restored_strategy_goes_on_with_the_same_bytes(self, model, updates, shares, strategy):
        middle = run_round(strategy, model, updates, shares)
        saved = {name: array.copy() for name, array in strategy.state.items()}
        expected = run_round(strategy, middle, updates, shares[::-1])
        other = self.started(middle)
        other.restore(saved)
        assert moving_bytes(run_round(other, middle, updates, shares[::-1])) == moving_bytes(expected)
        assert state_bytes(other) == state_bytes(strategy)

    def test_what_it_says_it_sends_follows_from_its_state(self, model, updates, shares, strategy):
        before = {name: vector.data.tobytes() for name, vector in strategy.vectors.items()}
        handed_out = strategy.vectors
        new = run_round(strategy, model, updates, shares)
        other = self.started(new)
        other.restore(strategy.state)
        assert sorted(strategy.vectors) == sorted(strategy.needs.sends)
        assert other.vectors == strategy.vectors
        assert {name: vector.data.tobytes() for name, vector in handed_out.items()} == before

    def test_state_that_was_handed_out_never_changes(self, model, updates, shares, strategy):
        states = [strategy.state]
        before = [state_bytes(strategy)]
        for _ in range(3):
            model = run_round(strategy, model, updates, shares)
            states.append(strategy.state)
            before.append(state_bytes(strategy))
        assert [{n: (a.dtype, a.tobytes()) for n, a in state.items()} for state in states] == before

    def test_state_of_something_else_is_refused(self, strategy):
        with pytest.raises(CheckpointError, match="'other' belongs to another"):
            strategy.restore({**strategy.state, "other": np.zeros(1)})
        name = next(iter(strategy.state))
        with pytest.raises(CheckpointError, match=f"{name}' is missing"):
            strategy.restore({})
        with pytest.raises(CheckpointError, match=r"is float32 of shape \(1,\), expected"):
            strategy.restore({**strategy.state, name: np.zeros(1, np.float32)})

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    @pytest.mark.parametrize("name", ["f64", "f32", "f16", "running_mean"])
    def test_what_is_not_finite_never_reaches_model_or_state(
        self, model, updates, shares, strategy, name, bad
    ):
        before = state_bytes(strategy)
        told = sent(strategy, updates, shares)
        updates[1][name].flat[1] = bad  # as if the inspection had been forgotten
        strategy.open_round(grid_of(strategy, shares))
        for each, update in zip(told, updates, strict=True):
            strategy.accumulate(each, chunks(update))
        with pytest.raises(RunFailedError, match=f"tensor '{name}'"):
            strategy.finish(model)
        assert state_bytes(strategy) == before

    def test_a_mean_that_half_precision_cannot_hold_is_refused(self, model, updates, strategy, fewest):
        model["f16"][:] = 60_000
        strategy.start(model)
        told = sent(strategy, updates[:1] * fewest, [1.0] * fewest)
        updates[0]["f16"][:] = 60_000
        strategy.open_round(2.0**-30)
        for each in told:
            strategy.accumulate(each, chunks(updates[0]))
        with pytest.raises(RunFailedError, match="tensor 'f16': the new model would hold"):
            strategy.finish(model)

    def test_small_steps_add_up_in_half_precision(self, model, fewest):
        strategy = self.plain()
        model["f16"][:] = 1.0
        strategy.start(model)
        step = ParameterBuffer.zeros(model.layout.moving)
        step["f16"][:] = 2.0**-13  # an eighth of what float16 can tell from 1
        new = model
        for _ in range(16):
            new = run_round(strategy, new, [step] * fewest, [1.0] * fewest)
        assert np.all(new["f16"] > 1.0)

    def test_a_round_without_weight_is_refused(self, model, updates, strategy):
        strategy.open_round(2.0**-40)
        for told, update in zip(sent(strategy, updates, [0.0] * len(updates)), updates, strict=True):
            strategy.accumulate(told, chunks(update))
        with pytest.raises(RunFailedError, match="no update of this round has a weight above 0"):
            strategy.finish(model)

    @pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
    def test_a_weight_that_is_none_is_refused_and_adds_nothing(
        self, model, updates, shares, strategy, weight
    ):
        expected = moving_bytes(run_round(self.started(model), model, updates, shares))
        strategy.open_round(grid_of(strategy, shares))
        told = sent(strategy, updates, shares)
        with pytest.raises(UpdateError, match="weight is") as caught:
            strategy.accumulate(replace(told[0], weight=weight), chunks(updates[1]))
        assert caught.value.flaw.code == "weight"
        for each, update in zip(told, updates, strict=True):
            strategy.accumulate(each, chunks(update))
        assert moving_bytes(strategy.finish(model)) == expected

    def test_a_round_opened_again_forgets_its_updates(self, model, updates, shares, strategy):
        strategy.open_round(grid_of(strategy, shares))
        strategy.accumulate(sent(strategy, updates, shares)[0], chunks(updates[0]))
        again = run_round(strategy, model, updates[::-1], shares)
        assert moving_bytes(again) == moving_bytes(
            run_round(self.started(model), model, updates[::-1], shares)
        )

    def test_largest_delta_is_that_of_the_mean(self, model, updates, shares, strategy):
        run_round(strategy, model, updates, shares)
        weights = np.array([told.weight for told in sent(strategy, updates, shares)])
        largest = 0.0
        for tensor in model.layout.moving.tensors:
            if tensor.kind is not TensorKind.COUNTER and tensor.size:
                deltas = np.array([widened(each[tensor.name], tensor.dtype) for each in updates], np.float64)
                total = np.abs(np.tensordot(weights, deltas, 1)).max()
                largest = max(largest, total / self.divisor(strategy, tensor.kind, updates, shares))
        assert strategy.largest_delta == pytest.approx(largest, rel=1e-9 + self.rounding)

    def divisor(self, strategy, kind, updates, shares):
        """What a sum is divided by to give the mean of tensors of this kind."""
        return sum(told.weight for told in sent(strategy, updates, shares))

    @pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="a million elements, one by one")
    def test_memory_is_what_was_declared(self, fewest):
        # Kernels may compile in this first round, which takes memory of its own.
        model = make_model()
        run_round(self.started(model), model, [make_update(model, 1)] * fewest, [1.0] * fewest)
        model, update = large_model_and_update()
        given = model, [update] * fewest, [1.0] * fewest
        self.started(model)  # what a test's own class keeps of a model is none of the strategy's memory
        tracemalloc.start()
        try:
            strategy = self.started(model)
            served = [strategy.vectors]
            new = run_round(strategy, *given, size=1 << 20)
            served.append(strategy.vectors)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert new.layout == model.layout
        assert peak == pytest.approx(strategy.memory(model.layout, fewest), rel=0.1)
