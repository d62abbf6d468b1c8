import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.config import EvaluateConfig
from zfed.errors import ConfigError
from zfed.rounds.watch import Watch, check_evaluation, watched_metric

values = st.lists(st.integers(-5, 5).map(float), max_size=20)


def watching(metric="accuracy", **settings):
    return Watch(EvaluateConfig(watch=metric, **settings))


def seen(watch, values):
    for round, value in enumerate(values, start=1):
        assert watch.see(round, round, {watch.metric: value})
    return watch


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy", ("accuracy", True)),
        ("loss", ("loss", False)),
        ("+loss", ("loss", True)),
        ("-wer", ("wer", False)),
        ("+f2", ("f2", True)),
    ],
)
def test_a_name_or_its_sign_says_which_way_is_better(text, expected):
    assert watched_metric(text) == expected


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"watch": "f2"}, r"--watch f2: .* write --watch=\+f2 or --watch=-f2"),
        ({"watch": "-"}, "--watch '-': expected the name of a metric"),
        ({"watch": "+round"}, "expected the name of a metric"),
        ({"patience": 3}, "--patience 3 waits for a better version, but nothing says what is better"),
        ({"watch": "loss", "watch_on": "workers"}, "needs --evaluate-by workers or both, it is evaluator"),
        ({"watch": "loss", "by": "workers"}, "--watch-on central needs --evaluate-by evaluator or both"),
        ({"by": "workers", "workers": True}, "use --evaluate-by both"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        check_evaluation(EvaluateConfig(**settings))


@pytest.mark.parametrize("settings", [{}, {"watch": "loss", "by": "both", "watch_on": "workers"}])
def test_a_table_that_agrees_with_itself_is_not(settings):
    check_evaluation(EvaluateConfig(**settings))


def test_only_the_evaluations_that_are_to_be_watched_are():
    assert [watching().heeds(subject) for subject in ("federated", "workers", "alice")] == [
        True,
        False,
        False,
    ]
    on_workers = watching(by="both", watch_on="workers")
    assert [on_workers.heeds(subject) for subject in ("federated", "workers")] == [False, True]
    assert not Watch(EvaluateConfig()).heeds("federated")


@given(values, st.booleans())
def test_the_best_version_is_the_first_of_the_best_value(values, higher):
    watch = seen(watching("+f2" if higher else "-f2"), values)
    if not values:
        assert watch.best is None
        return
    best = (max if higher else min)(values)
    assert (watch.best.value, watch.best.round) == (best, values.index(best) + 1)


@given(values, st.integers(1, 4))
def test_the_run_ends_once_so_many_evaluations_in_a_row_were_no_better(values, patience):
    watch = watching(patience=patience)
    best, since = float("-inf"), 0
    for round, value in enumerate(values, start=1):
        watch.see(round, round, {"accuracy": value})
        best, since = (value, 0) if value > best else (best, since + 1)
        assert bool(watch.reason_to_stop(round)) == (since >= patience)


def test_what_is_better_by_less_than_min_delta_is_the_best_version_and_still_no_reason_to_wait():
    watch = seen(watching(patience=2, min_delta=0.25), [0.5, 0.625, 0.6875])
    assert watch.best.round == 3
    assert watch.unimproved == 2


def test_small_steps_that_add_up_to_min_delta_are_a_reason_to_wait():
    watch = seen(watching(patience=3, min_delta=0.25), [0.5, 0.625, 0.75])
    assert watch.unimproved == 0


def test_the_reason_to_stop_says_what_was_seen_and_how_much_too_late_it_was():
    watch = seen(watching(patience=2), [0.5, 0.75, 0.75, 0.5])
    assert watch.reason_to_stop(4) == (
        "early stop: accuracy has not become better in 2 evaluations, the best was 0.75 in round 2"
    )
    assert watch.reason_to_stop(5).endswith("; 1 round more was made until that was known")
    assert watch.reason_to_stop(7).endswith("; 3 rounds more were made until that was known")


def test_without_patience_nothing_is_a_reason_to_stop():
    assert not seen(watching(), [0.5] * 20).reason_to_stop(20)


@pytest.mark.parametrize("metrics", [{}, {"accuracy": {"0": 1.0}}, {"loss": 1.0}])
def test_an_evaluation_without_the_number_changes_nothing(metrics):
    watch = watching(patience=1)
    assert not watch.see(1, 1, metrics)
    assert (watch.best, watch.unimproved) == (None, 0)
