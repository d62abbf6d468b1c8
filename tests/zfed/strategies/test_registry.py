import pytest

from zfed.config import records
from zfed.errors import ConfigError
from zfed.strategies import STRATEGIES, FedAvg, FedAvgM, create_strategy, strategy_options


def test_strategies_are_made_by_name_with_their_options():
    assert type(create_strategy("fedavg")) is FedAvg
    strategy = create_strategy("fedavgm", server_learning_rate=0.2, server_momentum=0.5)
    assert isinstance(strategy, FedAvgM)
    assert (strategy.server_learning_rate, strategy.server_momentum) == (0.2, 0.5)


def test_an_unknown_name_tells_the_nearest():
    with pytest.raises(ConfigError, match='strategy "fedavgn" is unknown: did you mean "fedavg'):
        create_strategy("fedavgn")


def test_an_unknown_option_tells_the_nearest():
    with pytest.raises(ConfigError, match='no option "server_momentun": did you mean "server_momentum"'):
        create_strategy("fedavgm", server_momentun=0.5)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_option_is_a_setting_of_the_run_table(name):
    assert strategy_options(name) <= set(records.RunConfig.__dataclass_fields__)
