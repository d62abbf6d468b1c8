from pathlib import Path

import pytest

from zfed.config import CoordinatorConfig, RunConfig
from zfed.errors import ConfigError
from zfed.nodes.strategy_choice import SHARED, configured_strategy, strategy_lines
from zfed.plugins import settings_of
from zfed.strategies import STRATEGIES, FedAvg, FedAvgM, GuardedStrategy, Needs

DOCS = Path(__file__).parents[3] / "docs"

OWN = '''
from zfed.strategies import FedAvg, Strategy

class Half(FedAvg):
    """Half a step."""
    def __init__(self, *, server_learning_rate: float = 0.5, by: float = 1.0, accumulator: str = "exact"):
        super().__init__(server_learning_rate=server_learning_rate * by, accumulator=accumulator)

class Unfinished(Strategy):
    pass

NUMBER = 5
'''


def chosen(strategy="fedavg", options=None, **run):
    return configured_strategy(
        CoordinatorConfig(run=RunConfig(strategy=strategy, **run), strategy=options or {})
    )


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_settings_of_the_run_that_a_strategy_takes_go_to_it():
    made = chosen("fedavgm", server_learning_rate=0.2, server_momentum=0.5).strategy
    assert isinstance(made, FedAvgM)
    assert (made.server_learning_rate, made.server_momentum) == (0.2, 0.5)


def test_a_learning_rate_that_nobody_gave_is_the_strategys_own(own):
    assert chosen("fedavg").strategy.server_learning_rate == 1.0
    choice = chosen(f"{own}:Half")
    assert choice.options == {"server_learning_rate": 0.5, "by": 1.0, "accumulator": "exact"}
    assert choice.words() == f"{own}:Half, server_learning_rate 0.5, by 1.0, accumulator exact"


def test_an_option_that_has_the_name_of_another_setting_of_the_run_is_the_strategys(own):
    own.write_text(OWN.replace("by: float", "max_norm: float").replace("* by", "* max_norm"))
    assert chosen(f"{own}:Half", {"max_norm": 2.0}, max_norm=7.0).options["max_norm"] == 2.0
    assert chosen(f"{own}:Half", max_norm=7.0).options["max_norm"] == 1.0


def test_a_users_own_strategy_is_made_with_its_options_and_guarded(own):
    made = chosen(f"{own}:Half", {"by": 1}, server_learning_rate=0.25).strategy
    assert isinstance(made, GuardedStrategy)
    assert made.needs == Needs(strategy=f"{own}:Half")


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_strategy_of_zfed_is_guarded(name):
    parameters = settings_of(STRATEGIES[name]).values()
    needed = {each.name: 1.0 for each in parameters if each.default is each.empty}
    assert type(chosen(name, needed).strategy) is STRATEGIES[name]


def test_an_option_without_a_default_must_be_given():
    with pytest.raises(ConfigError, match="'norm-bounding' needs the option 'bound': --option bound=VALUE"):
        chosen("norm-bounding")


@pytest.mark.parametrize(
    ("strategy", "options", "message"),
    [
        ("fedavgn", {}, "unknown strategy 'fedavgn'; did you mean \"fedavg"),
        ("fedavg", {"trim": 1}, "strategy 'fedavg' has no option 'trim'"),
        ("fedavgm", {"server_momentum": 0.5}, "stands in [run]: say --server-momentum, not --option"),
        ("{own}:Half", {"by": "much"}, "option by is 'much', expected a number"),
        ("{own}:Hal", {}, "has no class 'Hal'; did you mean \"Half\"?"),
        ("{own}:NUMBER", {}, "is no strategy but a int: it must be a class derived from zfed.strategies"),
        ("{own}:Unfinished", {}, "making it failed: TypeError: Can't instantiate abstract class"),
        ("{own}", {}, "add the name of its class"),
        ("no.such.module:Name", {}, "importing no.such.module failed: ModuleNotFoundError"),
    ],
)
def test_what_is_no_strategy_or_no_option_is_refused_with_what_there_is(own, strategy, options, message):
    with pytest.raises(ConfigError) as caught:
        chosen(strategy.format(own=own), options)
    assert message in str(caught.value)


def test_every_strategy_is_listed_with_each_option_and_its_meaning():
    lines = list(strategy_lines())
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == list(STRATEGIES)
    assert all(line.partition(": ")[2] for line in lines)
    assert "  --server-momentum 0.9: From 0, which is `FedAvg`, to below 1." in lines
    assert any(line.startswith("  --option tau=0.001: ") for line in lines)
    assert any(line.startswith("  --option bound=VALUE: ") for line in lines)


def test_the_pages_tell_of_every_strategy_and_of_each_of_its_own_options():
    pages = "".join((DOCS / name).read_text("utf-8") for name in ("strategies.md", "robust.md"))
    for name, found in STRATEGIES.items():
        assert f"`{name}`" in pages
        for option in set(settings_of(found)) - set(SHARED):
            assert f"`{option}`" in pages, f"{name} has the option {option}"


def test_a_strategy_of_zfed_may_be_named_by_its_class_too():
    assert chosen("zfed.strategies.mean:FedAvg").name == "zfed.strategies.mean:FedAvg"
    assert FedAvg.__doc__
