"""Fuzzing guided by coverage: `python -m tests.fuzz.atheris_engine TARGET [what libFuzzer takes]`."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    """Fuzz until libFuzzer has enough; it ends the process."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["zfed", "tomllib", "tomli", "tests.fuzz.targets"]):
        from tests.fuzz.targets import target

        found = target(name)

    def take(data: bytes) -> None:
        found.take(data)

    atheris.Setup(sys.argv, take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
