"""Without torch, as on a board that only coordinates, its tests are left out, and the report says so.

Property tests draw 50 examples, which keeps all tests under three minutes; HYPOTHESIS_EXAMPLES draws more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import settings

settings.register_profile(
    "zfed",
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "50")),
    deadline=None,  # a busy machine is no counterexample
)
settings.load_profile("zfed")

NEEDS_TORCH = ["examples", "tools", "zfed/tasks", "zfed/torch"]
collect_ignore = [] if find_spec("torch") else NEEDS_TORCH


@pytest.fixture(scope="session", autouse=True)
def own_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test's node keeps goes where this user's nodes keep theirs, its keys neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        yield


def pytest_report_header() -> list[str]:
    return [f"no torch here: left out are {', '.join(collect_ignore)}"] if collect_ignore else []
