import numpy as np
import pytest

from zfed.data import default_root, find_dataset, load_split
from zfed.errors import DataError
from zfed.partition import Partition
from zfed.task import Context, NodeKind, Setup
from zfed.tasks.fashion_mnist import FashionMnist
from zfed.tasks.image_classifier import ImageClassifier
from zfed.tasks.kmnist import Kmnist
from zfed.tasks.mnist import Mnist

MNIST = find_dataset("mnist").folder(default_root())
TASKS = [Mnist, FashionMnist, Kmnist]


def setup(kind: NodeKind = "worker", **partition: str) -> Setup:
    return Setup(node="n", kind=kind, partition=Partition.parse(**partition))


@pytest.mark.parametrize("task", TASKS)
def test_the_network_is_that_of_the_published_demo(task: type[ImageClassifier]) -> None:
    arrays = task().initial_parameters(Context(seed=1))
    assert {name: array.shape for name, array in arrays.items()} == {
        "conv1.weight": (20, 1, 5, 5),
        "conv1.bias": (20,),
        "conv2.weight": (50, 20, 5, 5),
        "conv2.bias": (50,),
        "fc1.weight": (500, 800),
        "fc1.bias": (500,),
        "fc2.weight": (10, 500),
        "fc2.bias": (10,),
    }
    assert sum(array.size for array in arrays.values()) == 431_080


@pytest.mark.usefixtures("tiny_data")
def test_a_worker_trains_on_its_labels_of_the_training_images() -> None:
    summary = Mnist().prepare(setup(labels="4-6"))
    assert (summary.examples, summary.classes) == (18, 10)
    assert summary.label_counts == {"4": 6, "5": 6, "6": 6}


@pytest.mark.usefixtures("tiny_data")
def test_an_evaluator_has_all_test_images() -> None:
    assert Mnist().prepare(setup("evaluator")).examples == 20


@pytest.mark.usefixtures("tiny_data")
def test_it_learns_what_it_is_shown_and_nothing_else() -> None:
    worker, evaluator = Mnist(), Mnist()
    worker.prepare(setup(labels="0-4"))
    evaluator.prepare(setup("evaluator"))
    result = worker.train(
        worker.initial_parameters(Context(seed=2)),
        Context(round=1, seed=3, settings={"epochs": 8, "batch_size": 6, "learning_rate": 0.05}),
    )
    metrics = evaluator.evaluate(result.parameters, Context()).metrics
    assert metrics["correct"] == 10
    assert sum(metrics["predicted"][str(label)] for label in range(5)) == 20


@pytest.mark.usefixtures("tiny_data")
def test_the_same_seed_gives_the_same_bytes() -> None:
    def trained() -> bytes:
        task = Mnist()
        task.prepare(setup())
        start = task.initial_parameters(Context(seed=2))
        settings = {"batches": 5, "batch_size": 16, "learning_rate": 0.1}
        return task.train(start, Context(round=1, seed=3, settings=settings)).parameters.data.tobytes()

    assert trained() == trained()


def test_missing_data_are_refused_with_how_to_get_them(tmp_path: object) -> None:
    with pytest.raises(DataError, match="zfed data get mnist"):
        Mnist(root=str(tmp_path)).prepare(setup())


@pytest.mark.mnist
@pytest.mark.skipif(not MNIST.is_dir(), reason="no MNIST here: zfed data get mnist")
def test_normalisation_and_label_counts_are_those_of_the_real_digits() -> None:
    images, _ = load_split("mnist", "train")
    counts = np.bincount(images.reshape(-1), minlength=256) / images.size
    values = np.arange(256) / 255
    mean = float(counts @ values)
    deviation = float(np.sqrt(counts @ (values - mean) ** 2))
    assert (mean, deviation) == (
        pytest.approx(Mnist.mean, abs=5e-5),
        pytest.approx(Mnist.deviation, abs=5e-5),
    )
    sizes = [Mnist().prepare(setup(labels=labels)).examples for labels in ("0-3", "4-6", "7-9")]
    assert [*sizes, Mnist().prepare(setup("evaluator")).examples] == [24_754, 17_181, 18_065, 10_000]
