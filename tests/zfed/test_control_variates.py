import numpy as np
import pytest

from zfed.config.train import TrainSettings
from zfed.control_variates import CONTROL, STEP_SUM, ControlVariates
from zfed.errors import ConfigError, TaskError
from zfed.task import Context

MODEL = {"w": np.float32([1, 2]), "b": np.float64([3])}
COMMON = {"w": np.float32([0.5, -0.25]), "b": np.float64([2])}


def arrays(**values):
    return {name: np.array(value, MODEL[name].dtype) for name, value in values.items()}


def test_a_run_without_control_variates_corrects_nothing():
    assert ControlVariates.of(Context(), TrainSettings()) is None


@pytest.mark.parametrize(
    "wanted", [{"optimizer": "adam"}, {"momentum": 0.9}, {"proximal": 0.1}], ids=lambda each: next(iter(each))
)
def test_steps_that_are_not_those_of_plain_sgd_are_refused(wanted):
    context = Context(vectors={CONTROL: COMMON})
    with pytest.raises(ConfigError, match=rf"asks for {next(iter(wanted))}.*scaffold corrects plain sgd"):
        ControlVariates.of(context, TrainSettings(**wanted))


def test_a_worker_is_corrected_by_how_its_own_variate_differs_from_the_common_one():
    control = ControlVariates(COMMON, {f"{CONTROL}.w": np.float32([1, 1])})
    np.testing.assert_array_equal(control.corrections["w"], [-0.5, -1.25])
    np.testing.assert_array_equal(control.corrections["b"], [2])  # one that is not there yet is 0


def test_the_new_variate_is_the_mean_of_the_gradients_that_were_seen():
    """Five steps by hand, each along gradient + c - c_i."""
    state = {f"{CONTROL}.{name}": np.ones_like(array) for name, array in MODEL.items()}
    control = ControlVariates(COMMON, state)
    gradients = [arrays(w=[step, -step], b=[step**2]) for step in range(5)]
    model = {name: array.copy() for name, array in MODEL.items()}
    for gradient in gradients:
        for name, array in model.items():
            array -= np.float32(0.125) * (gradient[name] + control.corrections[name])
    metrics = control.settle(MODEL, model, 5 * 0.125)
    assert metrics == {STEP_SUM: 0.625}
    for name in MODEL:
        mean = np.mean([gradient[name] for gradient in gradients], axis=0)
        np.testing.assert_allclose(state[f"{CONTROL}.{name}"], mean, atol=1e-6)
        assert state[f"{CONTROL}.{name}"].dtype == MODEL[name].dtype


def test_half_precision_is_computed_in_float32():
    before, after = np.float16([1]), np.float16([0.5])
    bits = {"w": before, "b": np.float32([1]).view(np.uint32).__rshift__(16).astype(np.uint16)}
    trained = {"w": after, "b": np.float32([0.5]).view(np.uint32).__rshift__(16).astype(np.uint16)}
    state = {}
    ControlVariates({"w": np.zeros(1, np.float32), "b": np.zeros(1, np.float32)}, state).settle(
        bits, trained, 0.25
    )
    assert {name: (array.dtype, array[0]) for name, array in state.items()} == {
        f"{CONTROL}.w": (np.float32, 2.0),
        f"{CONTROL}.b": (np.float32, 2.0),
    }


def test_without_a_step_there_is_no_variate():
    state = {}
    with pytest.raises(TaskError, match="no step was taken"):
        ControlVariates(COMMON, state).settle(MODEL, MODEL, 0.0)
    assert state == {}
