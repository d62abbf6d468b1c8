"""TOML texts, with the name of the file they came from for whoever has to correct them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zfed.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Document:
    """A parsed configuration file; without a file, an empty one."""

    name: str = ""
    tables: Mapping[str, Any] = field(default_factory=dict)


def parse_document(text: str, name: str) -> Document:
    """Parse a configuration file.

    Raises:
        ConfigError: If it is not TOML; the message names the file and the line.
    """
    try:
        return Document(name, tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # not only TOMLDecodeError: of 5000 digits or brackets
        raise ConfigError(f"{name}: not valid TOML: {str(error)[:200]}") from None


def toml_value(text: str) -> Any:
    """The value that TOML would read from `key = <text>`.

    Raises:
        ValueError: If it is none.
    """
    try:
        document = tomllib.loads(f"value = {text}")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if list(document) != ["value"]:
        raise ValueError("more than one value")
    return document["value"]


def toml_text(value: object) -> str:
    """The value as TOML on one line: texts, truth values, finite numbers, lists and tables of them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{toml_key(key)} = {toml_text(each)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml_text(each) for each in value)}]"
    # A JSON string is a TOML basic string, but for the one control character that JSON leaves as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(key: str) -> str:
    """A key, in quotes where TOML needs them."""
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else toml_text(key)
