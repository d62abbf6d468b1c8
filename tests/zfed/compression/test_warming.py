import subprocess
import sys

import pytest

from zfed.compression import warm_up
from zfed.errors import ConfigError

SCRIPT = """
import sys
from zfed.compression import warm_up
warm_up(["none"])
print("numba" in sys.modules)
warm_up(["int8", "topk:0.5"])
print("numba" in sys.modules)
"""


def test_levels_are_compiled_and_none_needs_nothing():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_unknown_level_is_refused():
    with pytest.raises(ConfigError, match="int9"):
        warm_up(["int9"])
