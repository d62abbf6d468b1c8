from __future__ import annotations

import hashlib
from dataclasses import asdict

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import DataError, UsageError
from zfed.partition import MAX_PARTS, Partition, draw_root, hold_out

SCHEMES = ["iid", "shards", "dirichlet:0.3", "dirichlet:0.000001", "dirichlet:1000"]

label_arrays = st.lists(st.integers(0, 9), max_size=200).map(lambda items: np.array(items, dtype=np.uint8))
schemes = st.sampled_from(SCHEMES)
seeds = st.integers(0, 2**63 - 1)
label_choices = st.none() | st.sets(st.integers(0, 9), min_size=1)


def parts_of(scheme: str, parts: int, *, seed: int = 0, labels: str | None = None) -> list[Partition]:
    return [
        Partition.parse(labels=labels, spec=f"{scheme}:{part}/{parts}", seed=seed)
        for part in range(1, parts + 1)
    ]


def as_text(chosen: set[int] | None) -> str | None:
    return None if chosen is None else ",".join(map(str, chosen))


@given(label_arrays, schemes, st.integers(1, 12), seeds, label_choices)
def test_parts_are_disjoint_ascending_and_cover_the_chosen_labels(labels, scheme, parts, seed, chosen):
    selections = [part.select(labels) for part in parts_of(scheme, parts, seed=seed, labels=as_text(chosen))]
    for selection in selections:
        assert selection.dtype == np.int64
        assert np.all(np.diff(selection) > 0)
    wanted = [i for i, label in enumerate(labels) if chosen is None or label in chosen]
    assert sorted(np.concatenate(selections).tolist()) == wanted


@given(label_arrays, schemes, seeds)
def test_a_part_depends_on_the_labels_and_the_seed_alone(labels, scheme, seed):
    spec = f"{scheme}:2/3"
    first = Partition.parse(spec=spec, seed=seed).select(labels)
    np.random.seed(1)  # noqa: NPY002 -- the global generator must not matter
    Partition.parse(spec=spec, seed=seed + 1 if seed < 2**63 - 1 else 0).select(labels)
    wider = labels.astype(np.int64)
    assert np.array_equal(first, Partition.parse(spec=spec, seed=seed).select(wider))


@given(st.sets(st.integers(0, 20), min_size=1), st.randoms(use_true_random=False))
def test_labels_may_be_written_in_any_order(chosen, random):
    shuffled = [str(label) for label in chosen]
    random.shuffle(shuffled)
    partition = Partition.parse(labels=",".join(shuffled))
    assert partition.labels == tuple(sorted(chosen))
    assert Partition.parse(labels=partition.describe().removeprefix("labels ")) == partition


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_seeds_make_other_parts(scheme):
    labels = np.arange(2000, dtype=np.uint8) % 10
    selections = {parts_of(scheme, 10, seed=seed)[0].select(labels).tobytes() for seed in range(8)}
    assert len(selections) > 1


@given(label_arrays, st.integers(1, 12))
def test_iid_parts_differ_in_size_by_at_most_one(labels, parts):
    sizes = [part.select(labels).size for part in parts_of("iid", parts)]
    assert max(sizes) - min(sizes) <= 1


def test_shards_give_most_parts_only_two_labels():
    labels = np.repeat(np.arange(10), 100)
    kinds = [np.unique(labels[part.select(labels)]).size for part in parts_of("shards", 10)]
    assert max(kinds) <= 2


def test_small_alpha_concentrates_a_label_and_large_alpha_spreads_it():
    labels = np.repeat(np.arange(10), 300)

    def largest_share(alpha: str) -> float:
        counts = np.array(
            [
                np.bincount(labels[part.select(labels)], minlength=10)
                for part in parts_of(f"dirichlet:{alpha}", 5)
            ]
        )
        return float(np.mean(counts.max(axis=0) / 300))

    assert largest_share("0.01") > 0.8
    assert largest_share("1000") < 0.3


def test_dirichlet_parts_have_the_variance_of_their_distribution():
    # one label, n examples, N parts: a part's count is Dirichlet-multinomial, whose variance is
    # n p (1 - p) (n + N alpha) / (1 + N alpha) with p = 1 / N
    examples, parts, alpha = 100, 4, 0.5
    labels = np.zeros(examples, dtype=np.uint8)
    counts = [
        Partition(spec=f"dirichlet:{alpha}:1/{parts}", seed=seed).select(labels).size for seed in range(2000)
    ]
    p = 1 / parts
    expected = examples * p * (1 - p) * (examples + parts * alpha) / (1 + parts * alpha)
    assert np.mean(counts) == pytest.approx(examples * p, rel=0.08)
    assert np.var(counts) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("spec", "digest"),
    [
        ("iid:1/10", "8b402a29d7be9e05"),
        ("shards:1/10", "143426d2ef61262c"),
        ("dirichlet:0.3:1/10", "eb8630bb7ec8a904"),
    ],
)
def test_parts_never_change_between_releases(spec, digest):
    labels = np.arange(1000) * 7919 % 10
    selection = Partition.parse(labels="0-8", spec=spec, seed=42).select(labels)
    assert hashlib.sha256(selection.astype("<i8").tobytes()).hexdigest()[:16] == digest


def test_labels_alone_select_those_labels():
    labels = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
    assert Partition.parse(labels="1,5-9").select(labels).tolist() == [1, 3, 4, 5, 7, 8]
    assert Partition().select(labels).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("iid:0/10", "parts count from 1"),
        ("iid:11/10", "no part 11 of 10"),
        ("iid:1/0", "0 parts, expected 1 to"),
        (f"iid:1/{MAX_PARTS + 1}", f"expected 1 to {MAX_PARTS}"),
        ("iid", "for instance iid:1/10"),
        ("iid:1", "for instance iid:1/10"),
        ("iid:-1/10", "for instance iid:1/10"),
        ("iid:\u0661/10", "for instance iid:1/10"),
        ("iid:0.3:1/10", "for instance iid:1/10"),
        ("dirichlet:1/10", "for instance dirichlet:0.3:1/10"),
        ("dirichlet:0:1/10", "alpha is '0'"),
        ("dirichlet:-1:1/10", "alpha is '-1'"),
        ("dirichlet:nan:1/10", "alpha is 'nan'"),
        ("dirichlet:inf:1/10", "alpha is 'inf'"),
        ("dirichlet:x:1/10", "alpha is 'x'"),
        ("diriclet:0.3:1/10", "did you mean 'dirichlet'"),
        ("1/10", "expected one of all, iid, shards, dirichlet"),
        ("all:1/2", "'all' has no parts"),
        ("", "unknown scheme ''"),
        ("iid:1/10" + " " * 50 + "x" * 50, "limit is 64"),
    ],
)
def test_a_scheme_that_cannot_be_is_refused_with_what_can(spec, message):
    with pytest.raises(UsageError, match=message):
        Partition.parse(spec=spec)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("", "for instance 0-3"),
        ("a", "for instance 0-3"),
        ("-1", "for instance 0-3"),
        ("0,", "for instance 0-3"),
        ("3-0", "write 0-3"),
        ("0-99999", "above 4095"),
    ],
)
def test_labels_that_cannot_be_are_refused_with_what_can(labels, message):
    with pytest.raises(UsageError, match=message):
        Partition.parse(labels=labels)


def test_a_negative_seed_is_refused():
    with pytest.raises(UsageError, match="seed -1"):
        Partition.parse(seed=-1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "all"),
        ({"labels": "3,0-2,7"}, "labels 0-3,7"),
        ({"spec": "dirichlet:0.30:1/10"}, "dirichlet:0.3:1/10 seed 0"),
        ({"labels": "5", "spec": "iid:02/10", "seed": 7}, "labels 5, iid:2/10 seed 7"),
    ],
)
def test_a_partition_describes_itself_in_one_way(arguments, text):
    assert Partition.parse(**arguments).describe() == text


def partition(spec: str = "all", labels: str | None = None, seed: int = 0) -> Partition:
    return Partition.parse(labels=labels, spec=spec, seed=seed)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (partition("iid:1/3"), partition("iid:1/3"), "both hold part 1 of 3"),
        (partition("iid:1/3"), partition("iid:2/3", seed=1), "different seeds, 0 and 1"),
        (partition("iid:1/3"), partition("iid:2/4"), "split differently"),
        (partition("iid:1/3"), partition("shards:2/3"), "split differently"),
        (partition("dirichlet:0.3:1/3"), partition("dirichlet:0.5:2/3"), "split differently"),
        (partition("iid:1/3", "0-3"), partition("iid:2/3", "3-6"), "overlapping labels"),
        (partition("iid:1/3", "0-3"), partition("iid:2/3"), "overlapping labels, 0-3 and all"),
    ],
)
def test_partitions_that_cannot_both_be_right_conflict(one, other, reason):
    assert reason in one.conflict(other)
    assert other.conflict(one) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (partition("iid:1/3"), partition("iid:2/3")),
        (partition("iid:1/3", "0-3"), partition("iid:1/3", "4-6", seed=1)),
        (partition(labels="0-3"), partition(labels="0-3")),
        (partition(), partition()),
        (partition(), partition("iid:1/3")),
    ],
)
def test_partitions_that_may_both_be_right_do_not_conflict(one, other):
    assert one.conflict(other) is None
    assert other.conflict(one) is None


@given(label_arrays, *[st.tuples(schemes, st.integers(1, 3), st.integers(1, 2), label_choices)] * 2)
def test_splits_without_a_conflict_share_no_example(labels, one, other):
    first, second = (
        partition(f"{scheme}:{min(part, 3)}/3", as_text(chosen), seed)
        for scheme, part, seed, chosen in (one, other)
    )
    if first.conflict(second) is None:
        assert not set(first.select(labels)) & set(second.select(labels))


def test_a_partition_from_the_wire_is_checked():
    sent = partition("dirichlet:0.3:1/3", "0-3", seed=5)
    assert msgspec.convert(msgspec.to_builtins(sent), Partition) == sent
    for damage in (
        {"spec": "iid:0/3"},
        {"labels": [3, 1]},
        {"labels": []},
        {"seed": -1},
        {"spec": "?" * 10**6},
    ):
        with pytest.raises(msgspec.ValidationError) as caught:
            msgspec.convert({**asdict(sent), **damage}, Partition)
        assert len(str(caught.value)) < 300


@given(st.sets(st.integers(0, 999), min_size=2), st.floats(0.001, 0.999), st.floats(0.001, 0.999), seeds)
def test_what_is_held_out_is_disjoint_from_what_is_trained_on_and_grows_with_the_share(
    part, one, other, seed
):
    mine = np.array(sorted(part), dtype=np.int64)
    (training, held), (_, more) = (hold_out(mine, share, seed) for share in sorted((one, other)))
    assert training.size
    assert held.size
    assert sorted([*training, *held]) == sorted(part)
    assert np.all(np.diff(training) > 0)
    assert np.all(np.diff(held) > 0)
    assert set(held) <= set(more)


def test_what_is_held_out_is_the_same_for_ever():
    training, held = hold_out(np.arange(10, 20), 0.3, 7)
    assert held.tolist() == [13, 14, 16]
    assert training.tolist() == [10, 11, 12, 15, 17, 18, 19]


def test_of_one_example_none_can_be_held_out():
    with pytest.raises(DataError, match="of 1 examples none can be held out"):
        hold_out(np.array([4]), 0.1, 0)


@given(st.integers(2, 200), st.data(), st.integers(0, 5))
def test_root_examples_and_what_is_evaluated_on_are_disjoint_and_all(size, data, seed):
    mine = np.sort(np.random.default_rng(size).choice(1000, size, replace=False))
    count = data.draw(st.integers(1, size - 1))
    root, rest = draw_root(mine, count, seed)
    assert root.size == count
    np.testing.assert_array_equal(np.sort(np.concatenate([root, rest])), mine)
    assert (np.diff(root) > 0).all()
    assert (np.diff(rest) > 0).all()
    np.testing.assert_array_equal(draw_root(mine, count, seed)[0], root)


@pytest.mark.parametrize("count", [10, 11])
def test_root_examples_leave_something_to_evaluate_on(count):
    with pytest.raises(DataError, match=f"--root-examples {count} leaves none of 10 examples to evaluate on"):
        draw_root(np.arange(10), count, 0)
