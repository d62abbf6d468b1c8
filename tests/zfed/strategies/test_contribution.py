import math
from dataclasses import FrozenInstanceError

import pytest

from tests.zfed.strategies.contributions import contribution
from zfed.errors import UpdateError
from zfed.strategies import Needs


def refused(needs, update):
    with pytest.raises(UpdateError) as caught:
        needs.weighed(update)
    assert caught.value.flaw.code == "strategy"
    return str(caught.value)


def test_without_needs_an_update_weighs_its_share():
    assert Needs().weighed(contribution(share=7.0, weight=0.0)).weight == 7.0


def test_the_factor_sees_an_update_without_weight_and_scales_its_share():
    seen = []
    needs = Needs(factor=lambda update: seen.append(update) or 0.5)
    update = contribution(share=7.0, weight=0.0)
    assert needs.weighed(update).weight == 3.5
    assert seen == [update]


def test_steps_and_metrics_that_are_needed_must_be_there():
    assert "took 0 steps, fednova needs" in refused(
        Needs(strategy="fednova", steps=True), contribution(steps=0)
    )
    needs = Needs(strategy="qfedavg", metrics=("loss",))
    assert "no number 'loss' among its metrics, which qfedavg needs" in refused(needs, contribution())
    assert "no number 'loss'" in refused(needs, contribution(metrics={"loss": {"0": 1.0}}))
    assert needs.weighed(contribution(metrics={"loss": 1.0})).weight == 1.0


@pytest.mark.parametrize("factor", [-0.1, 2.1, math.nan, math.inf])
def test_a_factor_out_of_range_refuses_the_update(factor):
    needs = Needs(strategy="mine", factor=lambda update: factor, largest_factor=2.0)
    assert "mine counts it" in refused(needs, contribution())


def test_needs_never_change():
    with pytest.raises(FrozenInstanceError):
        Needs().updates = 2
