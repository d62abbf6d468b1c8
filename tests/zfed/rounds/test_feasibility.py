from dataclasses import replace

import pytest

from zfed.config import CoordinatorConfig, RunConfig, ScheduleConfig, SelectConfig
from zfed.errors import ConfigError
from zfed.rounds.feasibility import check_plan
from zfed.strategies import Needs
from zfed.strategies.robust import Bulyan, Krum, Median, TrimmedMean
from zfed.strategies.scaffold import Scaffold

MEAN = Needs()


def config(wait_for="7", *, min_workers=1, cohort="", rule="uniform", **schedule):
    return CoordinatorConfig(
        run=RunConfig(wait_for=wait_for, min_workers=min_workers),
        schedule=ScheduleConfig(**schedule),
        select=SelectConfig(cohort=cohort, rule=rule),
    )


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        (config("1"), MEAN),
        (config("1"), Median().needs),
        (config("5"), Krum(byzantine=1).needs),
        (config("a,b,c,d,e,f,g"), Bulyan(byzantine=1).needs),
        (config(kind="quorum", goal="80%"), Krum(byzantine=1).needs),
        (config(kind="quorum", goal="7"), MEAN),
        (config(kind="buffered", goal="5"), Krum(byzantine=1).needs),
        (config(kind="async"), MEAN),
        (config(kind="over-select", cohort="5"), TrimmedMean(trim=2).needs),
        (config("100", cohort="1%", rule="poisson"), Krum(byzantine=1).needs),
        (config("3", cohort="10"), MEAN),
        (config(kind="buffered", goal="6", cohort="5"), MEAN),  # so many work at the same time
    ],
)
def test_a_run_that_can_make_versions_may_begin(given, needs):
    check_plan(given, needs)


@pytest.mark.parametrize(
    ("rule", "wait_for", "wanted"),
    [
        (Krum(byzantine=2), "6", 7),
        (Bulyan(byzantine=1), "a,b,c", 7),
        (TrimmedMean(trim=2), "4", 5),
    ],
)
def test_too_few_workers_for_what_the_strategy_has_to_bear_are_told_how_many_it_needs(rule, wait_for, wanted):
    with pytest.raises(ConfigError) as caught:
        check_plan(config(wait_for), rule.needs)
    assert f"{rule.needs.strategy} needs {wanted} updates for each version" in str(caught.value)
    assert f"--wait-for {wait_for} begins with" in str(caught.value)
    assert f"wait for {wanted} workers" in str(caught.value)


@pytest.mark.parametrize("rule", [Median(), Bulyan()])
def test_a_rule_that_compares_updates_cannot_be_given_one_at_a_time(rule):
    wanted = (
        f"compares the updates of a version: use --schedule buffered with --goal {max(2, rule.needs.updates)}"
    )
    with pytest.raises(ConfigError, match=wanted):
        check_plan(config(kind="async"), rule.needs)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (config(kind="buffered", goal="3"), "--schedule buffered"),
        (config(kind="async"), "--schedule async"),
        (config(kind="quorum", goal="3", late="carry"), "--late carry"),
    ],
)
def test_a_strategy_that_needs_updates_of_the_newest_version_goes_with_no_schedule_that_has_others(
    given, said
):
    with pytest.raises(
        ConfigError, match=f"{said} lets updates of older versions count, scaffold can use none"
    ):
        check_plan(given, Scaffold().needs)
    check_plan(config(kind="quorum", goal="3"), Scaffold().needs)


@pytest.mark.parametrize("kind", ["quorum", "buffered"])
def test_more_updates_than_workers_never_come(kind):
    with pytest.raises(
        ConfigError, match=r"--goal 8 is more than the 7 that --wait-for asks for.* --wait-for 8"
    ):
        check_plan(config(kind=kind, goal="8"), MEAN)


def test_more_updates_than_a_cohort_has_never_come():
    with pytest.raises(ConfigError, match="--goal 6 is more than the 5 that --cohort asks for"):
        check_plan(config(kind="quorum", goal="6", cohort="5"), MEAN)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (config(kind="buffered", goal="3"), "--goal 3"),
        (config(kind="quorum", goal="50%"), "--goal 50%"),
        (config(kind="over-select", cohort="4"), "--cohort 4"),
        (config(cohort="50%"), "--cohort 50%"),
    ],
)
def test_versions_of_too_few_updates_are_refused(given, said):
    with pytest.raises(ConfigError, match=f"{said} makes versions of [34] updates, krum .* needs 5"):
        check_plan(given, Krum(byzantine=1).needs)


def test_a_selection_that_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="--select-by poisson with no --cohort"):
        check_plan(config(rule="poisson"), MEAN)
    with pytest.raises(ConfigError, match="--schedule buffered goes on with workers"):
        check_plan(config(rule="poisson", cohort="10%", kind="buffered", goal="2"), MEAN)
    with pytest.raises(ConfigError, match=r"--select 'gpu,,x', at character 5"):
        check_plan(replace(config(), select=SelectConfig(where="gpu,,x")), MEAN)


def test_versions_that_would_never_be_committed_are_refused():
    with pytest.raises(
        ConfigError, match="--goal 3 makes versions of 3 updates, --min-workers 4 commits none"
    ):
        check_plan(config(kind="buffered", goal="3", min_workers=4), MEAN)
