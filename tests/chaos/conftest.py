"""Chaos: what breaks on real machines, done to real processes. `make chaos`, as root where links are cut."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chaos.lossy_link import Network
from tests.figures import figure, pytest_configure, pytest_terminal_summary  # noqa: F401  # pytest finds them here
from tests.processes import Fleet


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path)
    yield made
    made.close()


@pytest.fixture
def network():
    made = Network()
    yield made
    made.close()


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory):
    """Compiles a library of this folder; what it returns is the environment that puts it into a process."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here, and what is put into the process is written in C")
    folder = tmp_path_factory.mktemp("preloaded")

    def environment(name, **settings):
        library = folder / f"{name}.so"
        if not library.exists():
            source = Path(__file__).with_name(f"{name}.c")
            words = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl", "-lpthread"]
            subprocess.run(words, check=True)
        return {"LD_PRELOAD": str(library), **{key: str(value) for key, value in settings.items()}}

    return environment
