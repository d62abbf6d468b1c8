import pytest

from zfed.errors import ConfigError
from zfed.params import TensorKind
from zfed.partition import Partition
from zfed.task import Context, Setup
from zfed.tasks import load_task


@pytest.mark.usefixtures("tiny_data")
def test_a_resnet_trains_on_small_grey_images_and_keeps_its_batch_norm_local() -> None:
    task = load_task("torchvision", {"model": "resnet18", "local": "*bn*"})
    assert task.prepare(Setup(node="w", kind="worker", partition=Partition())).examples == 60
    start = task.initial_parameters(Context(seed=1))
    result = task.train(start, Context(round=1, settings={"batches": 1, "batch_size": 4}))
    kinds = {spec.name: spec.kind for spec in result.parameters.layout.tensors}
    assert kinds["bn1.running_mean"] is TensorKind.LOCAL
    assert kinds["conv1.weight"] is TensorKind.AVERAGE
    assert result.parameters["fc.weight"].shape == (10, 512)
    assert result.parameters["bn1.num_batches_tracked"] == 1


@pytest.mark.parametrize("model", ["resnet81", "googlenet", "raft_large"])
def test_a_network_that_cannot_be_used_is_refused_with_the_nearest(model: str) -> None:
    with pytest.raises(ConfigError, match=f"no usable classifier '{model}'; "):
        load_task("torchvision", {"model": model})
