"""Data sets: getting them onto this machine, verified, and reading them."""

from zfed.data.catalog import DATASETS, Dataset, Split, default_root, find_dataset
from zfed.data.fetch import get_dataset, missing_files
from zfed.data.idx import read_idx
from zfed.data.load import load_split
from zfed.data.progress import Progress
from zfed.data.torchvision_compat import import_torchvision

__all__ = [
    "DATASETS",
    "Dataset",
    "Progress",
    "Split",
    "default_root",
    "find_dataset",
    "get_dataset",
    "import_torchvision",
    "load_split",
    "missing_files",
    "read_idx",
]
