import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config import SelectConfig
from zfed.engine import NodeReady
from zfed.errors import ConfigError
from zfed.rounds.schedule import Schedule
from zfed.rounds.selection import Selection

TRIALS = 2000
SIGMAS = 5.0
"""A frequency this far off its law would come once in two million seeds; the seed is fixed."""


def worker(name, examples=100):
    return NodeReady(node=name, kind="worker", examples=examples)


def crowd(count, examples=lambda place: 100):
    return [worker(f"w{place:03}", examples(place)) for place in range(count)]


def selection(seed=7, **settings):
    return Selection(SelectConfig(**settings), seed)


def names(drawn):
    return [node.node for node in drawn.workers]


def frequencies(select, workers, wanted):
    """How often each worker was drawn in so many rounds."""
    return Counter(
        name
        for round in range(TRIALS)
        for name in names(select.choose(workers, round=round, attempt=1, wanted=wanted, least=0))
    )


def within(seen, expected_share):
    """True if a count of so many trials is what chance makes of this probability."""
    spread = math.sqrt(TRIALS * expected_share * (1 - expected_share))
    return abs(seen - TRIALS * expected_share) <= SIGMAS * spread


@given(
    count=st.integers(1, 30),
    wanted=st.none() | st.integers(1, 40),
    rule=st.sampled_from(["uniform", "size"]),
    seed=st.integers(0, 2**53 - 1),
    order=st.randoms(use_true_random=False),
)
def test_who_is_drawn_depends_on_seed_round_and_attempt_alone(count, wanted, rule, seed, order):
    workers = crowd(count, examples=lambda place: place)
    shuffled = list(workers)
    order.shuffle(shuffled)
    select = selection(seed, rule=rule, cohort="1")
    drawn = names(select.choose(workers, round=3, attempt=2, wanted=wanted))
    assert drawn == names(select.choose(shuffled, round=3, attempt=2, wanted=wanted))
    assert drawn == sorted(set(drawn))
    assert len(drawn) == min(count, count if wanted is None else wanted)


def test_another_round_attempt_or_seed_draws_others():
    workers = crowd(1000)
    draws = [
        names(selection(seed).choose(workers, round=round, attempt=attempt, wanted=10))
        for seed, round, attempt in [(7, 1, 1), (7, 2, 1), (7, 1, 2), (8, 1, 1)]
    ]
    assert all(
        set(one).isdisjoint(other) or len(set(one) & set(other)) < 3
        for one in draws
        for other in draws
        if one is not other
    )


def test_a_draw_is_the_same_on_every_machine_and_for_ever():
    """A resumed run may go on with another version of Python or numpy."""
    assert names(selection(1).choose(crowd(20), round=1, attempt=1, wanted=4)) == [
        "w002",
        "w006",
        "w008",
        "w019",
    ]
    by_size = selection(1, rule="size", cohort="4")
    assert names(by_size.choose(crowd(20, lambda place: place), round=1, attempt=1, wanted=4)) == [
        "w004",
        "w005",
        "w015",
        "w016",
    ]


def test_uniform_draws_each_worker_equally_often():
    seen = frequencies(selection(), crowd(12), wanted=3)
    assert len(seen) == 12
    assert all(within(count, 3 / 12) for count in seen.values())


def test_uniform_draws_each_pair_equally_often():
    pairs = Counter(
        tuple(names(selection().choose(crowd(4), round=round, attempt=1, wanted=2)))
        for round in range(TRIALS)
    )
    assert len(pairs) == 6
    assert all(within(count, 1 / 6) for count in pairs.values())


def test_by_size_one_is_drawn_in_proportion_to_its_examples():
    workers = crowd(4, examples=lambda place: 100 * (place + 1))
    seen = frequencies(selection(rule="size", cohort="1"), workers, wanted=1)
    for place, node in enumerate(workers):
        assert within(seen[node.node], (place + 1) / 10)


def test_by_size_a_second_is_drawn_in_proportion_among_the_others():
    """Without replacement: P(a, b) + P(b, a), each the product of two shares."""
    workers = [worker("a", 600), worker("b", 300), worker("c", 100)]
    select = selection(rule="size", cohort="2")
    pairs = Counter(
        tuple(names(select.choose(workers, round=round, attempt=1, wanted=2))) for round in range(TRIALS)
    )
    share = {"a": 0.6, "b": 0.3, "c": 0.1}
    for one, other in [("a", "b"), ("a", "c"), ("b", "c")]:
        either = share[one] * share[other] * (1 / (1 - share[one]) + 1 / (1 - share[other]))
        assert within(pairs[one, other], either)


def test_poisson_draws_each_worker_for_itself():
    select, workers = selection(rule="poisson", cohort="20%"), crowd(10)
    draws = [select.choose(workers, round=round, attempt=1, wanted=None, least=0) for round in range(TRIALS)]
    assert all(drawn.draws == 1 for drawn in draws)
    sizes = Counter(len(drawn.workers) for drawn in draws)
    for size in range(11):
        assert within(sizes[size], math.comb(10, size) * 0.2**size * 0.8 ** (10 - size))
    both = sum({"w000", "w001"} <= set(names(drawn)) for drawn in draws)
    assert within(both, 0.2 * 0.2)


def test_poisson_draws_again_below_the_least_and_says_how_often():
    select, workers = selection(rule="poisson", cohort="10%"), crowd(5)
    draws = [select.choose(workers, round=round, attempt=1, wanted=None, least=1) for round in range(TRIALS)]
    assert all(drawn.workers for drawn in draws)
    again = sum(drawn.draws > 1 for drawn in draws)
    assert within(again, 0.9**5)
    part = sum("w000" in names(drawn) for drawn in draws)
    assert within(part, 0.1 / (1 - 0.9**5))  # as the module says


def test_poisson_gives_up_what_hardly_ever_happens():
    select = selection(rule="poisson", cohort="0.001%")
    with pytest.raises(ConfigError, match=r"1000 draws, of 0\.0010% of 3 workers each, .* fewer than 3"):
        select.choose(crowd(3), round=1, attempt=1, wanted=None, least=3)


def test_a_share_of_all_is_all():
    select = selection(rule="poisson", cohort="100%")
    assert names(select.choose(crowd(3), round=1, attempt=1, wanted=None)) == ["w000", "w001", "w002"]


def test_the_cohort_is_a_number_or_a_share_of_those_here():
    assert selection().wanted(50) is None
    assert selection(cohort="8").wanted(50) == 8
    assert selection(cohort="10%").wanted(45) == 5
    assert selection(cohort="10%", min_cohort=8).wanted(45) == 8
    assert selection(rule="poisson", cohort="10%").wanted(50) is None


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"rule": "poisson"}, r"poisson with no --cohort.* as --cohort 10%, or select uniform"),
        ({"rule": "poisson", "cohort": "5"}, r"poisson with --cohort 5: .* as --cohort 10%"),
        ({"rule": "size"}, r"size without --cohort asks everybody"),
        ({"cohort": "many"}, r"--cohort is 'many', expected a number"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, why):
    with pytest.raises(ConfigError, match=why):
        selection(**settings)


SCHEDULES = {
    "sync": Schedule(),
    "over-select": Schedule(kind="over-select", oversampling=1.3),
    "carried": Schedule(kind="quorum", carries=True),
    "buffered": Schedule(kind="buffered", carries=True, joins=True),
}


@pytest.mark.parametrize(
    ("settings", "schedule", "why"),
    [
        ({"rule": "poisson", "cohort": "5%"}, "over-select", r"but --schedule over-select asks for more"),
        ({"rule": "poisson", "cohort": "5%"}, "carried", r"quorum goes on with workers .* --late refuse"),
        ({"rule": "poisson", "cohort": "5%"}, "buffered", r"buffered goes on .* select uniform"),
        ({"cohort": "5", "min_cohort": 6}, "sync", r"--cohort 5 is fewer than --min-cohort 6"),
    ],
)
def test_a_selection_that_contradicts_the_rest_is_refused_with_the_remedy(settings, schedule, why):
    with pytest.raises(ConfigError, match=why):
        selection(**settings).check(SCHEDULES[schedule])


@pytest.mark.parametrize(
    ("settings", "schedule"),
    [
        ({}, "buffered"),
        ({"rule": "poisson", "cohort": "5%"}, "sync"),
        ({"cohort": "8"}, "over-select"),
        ({"cohort": "100"}, "buffered"),  # only a limit there
        ({"cohort": "2", "min_cohort": 3}, "buffered"),
    ],
)
def test_a_selection_that_fits_is_not_refused(settings, schedule):
    selection(**settings).check(SCHEDULES[schedule])
