from __future__ import annotations

from pathlib import Path

import pytest

from zfed.data.catalog import DATASETS, default_root, find_dataset
from zfed.errors import UsageError


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
def test_each_data_set_has_a_digest_of_the_right_form_for_each_file(dataset):
    assert set(dataset.files) == {"train", "test"}
    assert len(dataset.classes) == 10
    for file in dataset.all_files:
        assert len(bytes.fromhex(file.gzip_md5)) == 16
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32


def test_sizes_follow_from_the_header():
    images, labels = DATASETS["mnist"].files["train"]
    assert (images.size, labels.size) == (47_040_016, 60_008)


def test_files_lie_where_torchvision_looks_for_them():
    assert DATASETS["fashion-mnist"].folder(Path("data")) == Path("data/FashionMNIST/raw")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'fashion-mnist'"):
        find_dataset("Fashion_MNIST")
    with pytest.raises(UsageError, match="expected one of mnist, fashion-mnist, kmnist"):
        find_dataset("cifar")


def test_the_environment_names_the_root(monkeypatch):
    monkeypatch.setenv("ZFED_DATA", "/somewhere")
    assert default_root() == Path("/somewhere")
    monkeypatch.setenv("ZFED_DATA", "")
    assert default_root() == Path("data")
