"""What a simulated node may do to its disk: only files of these names, whatever anybody calls himself."""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = r"v\d{5,}\.safetensors"
_UPDATE: Final = r"r\d{5,}-[\w.%~-]+\.safetensors"
_KEPT: Final = r"\d{6}-[0-9a-f]{32}(\.lock|\.json|\.\d+\.safetensors)"


def _also_temporary(name: str) -> str:
    """A file appears under a temporary name beside its own."""
    return rf"{name}|\.({name})\.[0-9a-f]{{8}}\.tmp"


_FILES: Final = (
    r"/runs/fuzzed/(lock|run\.toml)",
    rf"/runs/fuzzed/({_also_temporary(r'run.toml|(journal|metrics).jsonl|model.safetensors')})",
    rf"/runs/fuzzed/(models|state)/({_also_temporary(_VERSION)})",
    rf"/runs/fuzzed/updates/({_also_temporary(_UPDATE)})",
    rf"/state/(w\d|examiner)/({_also_temporary(_KEPT)})",
)
_FOLDERS: Final = r"/|/runs(/fuzzed(/models|/state|/updates)?)?|/state(/w\d|/examiner)?"
_CALL: Final = re.compile(
    rf"[a-z ]+ (scratch file|{_FOLDERS}|{'|'.join(_FILES)})( \d+ bytes| (to|as) [^/ ]+)?", re.ASCII
)


def is_expected(call: str) -> bool:
    """True if a call of `FakeDisk` is about a file or folder that a run has."""
    return _CALL.fullmatch(call) is not None
