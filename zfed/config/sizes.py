"""Sizes in bytes as people write them: "200MB", "64 KiB"."""

from __future__ import annotations

import re
from typing import Final

from zfed.errors import ConfigError

UNITS: Final = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
}
"""Bytes of each unit, in capitals; a number alone counts bytes."""

_SIZE = re.compile(r"\s*(?P<number>\d+(\.\d*)?|\.\d+)\s*(?P<unit>[A-Za-z]*)\s*")


def parse_size(text: str) -> int:
    """The number of bytes, rounded down; upper and lower case are the same.

    Raises:
        ConfigError: If it is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None or match["unit"].upper() not in UNITS:
        raise ConfigError(
            f"size is {text!r}, expected a number of bytes, or one with KB, MB, GB, KiB, MiB or GiB"
        )
    whole, _, fraction = match["number"].partition(".")
    # In integers: 2.3 MB as a float would be a byte short.
    digits, scale = int(whole + fraction), int(10 ** len(fraction))
    return digits * UNITS[match["unit"].upper()] // scale
