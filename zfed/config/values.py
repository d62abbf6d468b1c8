"""Values of settings: read from text, or checked as TOML gave them."""

from __future__ import annotations

import typing
from typing import Any

from zfed.config.limits import ANY, Interval
from zfed.config.nearest import nearest_name
from zfed.config.sizes import parse_size
from zfed.config.tables import Setting
from zfed.config.toml_document import toml_value
from zfed.errors import ConfigError

_TRUTHS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_NOUNS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_PLURALS = {str: "texts", int: "whole numbers"}


def value_from_text(setting: Setting, text: str, where: str) -> Any:
    """The value that a flag or an environment variable gives; a list is `1,11` or `[1, 11]`.

    Raises:
        ConfigError: If the text is no such value, or out of range. `where` opens the message.
    """
    item = _item_type(setting)
    try:
        value = _parsed(setting.type, text) if item is None else _parsed_list(item, text)
    except (ValueError, KeyError):
        raise _unexpected(setting, text, where) from None
    return _checked(setting, value, text, where)


def value_from_toml(setting: Setting, value: object, where: str) -> Any:
    """The value that a TOML file gives.

    Raises:
        ConfigError: If it is of another type, or out of range. `where` opens the message.
    """
    item = _item_type(setting)
    if (setting.joined or setting.size) and not isinstance(value, (str, bool)):
        converted: Any = _joined(value)
    elif item is None:
        converted = _converted(setting.type, value)
    else:
        converted = [_converted(item, each) for each in value] if isinstance(value, list) else None
    if converted is None or (item is not None and None in converted):
        raise _unexpected(setting, value, where)
    return _checked(setting, converted, value, where)


def expectation(setting: Setting) -> str:
    """What a setting's value may be, in words."""
    if setting.choices:
        return f"one of {', '.join(setting.choices)}"
    if setting.size:
        return _with_limits("a number of bytes, as 200MB or 1.5GiB", setting)
    item = _item_type(setting)
    kind = _NOUNS[setting.type] if item is None else f"a list of {_PLURALS[item]}"
    return _with_limits(kind if item is None else f"{kind}, each", setting)


def _with_limits(kind: str, setting: Setting) -> str:
    limits = str(setting.limits)
    if not limits:
        return kind.removesuffix(", each")
    return f"{kind} {limits}" if kind.endswith(", each") else f"{kind}, {limits}"


def _item_type(setting: Setting) -> type | None:
    """The type of a list's items; None if the setting is no list."""
    arguments = typing.get_args(setting.type)
    return arguments[0] if arguments else None


def _parsed(type: type, text: str) -> Any:
    return _TRUTHS[text.strip().lower()] if type is bool else type(text)


def _parsed_list(item: type, text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        items = toml_value(text)
        return [_parsed(item, str(each)) for each in items]
    return [_parsed(item, part.strip()) for part in text.split(",") if part.strip()]


def _converted(type: type, value: object) -> Any:
    """The value if it is of the type (a whole number is a number, a truth value is not), else None."""
    if isinstance(value, bool):
        return value if type is bool else None
    if type is float and isinstance(value, int):
        return float(value)
    return value if isinstance(value, type) else None


def _joined(value: object) -> str | None:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, (str, int)) for each in value):
        return ",".join(str(each) for each in value)
    return None


def _checked(setting: Setting, value: Any, seen: object, where: str) -> Any:
    if setting.choices and value not in setting.choices:
        nearest = nearest_name(value, setting.choices)
        raise _unexpected(setting, seen, where, f'; did you mean "{nearest}"?' if nearest else "")
    if setting.size and not _is_size(value, setting.limits):
        raise _unexpected(setting, seen, where)
    numbers = value if isinstance(value, list) else [value]
    if _bounded(setting) and not all(number in setting.limits for number in numbers):
        raise _unexpected(setting, seen, where)
    return value


def _is_size(text: str, limits: Interval) -> bool:
    if not text:
        return limits == ANY
    try:
        size = parse_size(text)
    except ConfigError:
        return False
    return limits == ANY or size in limits


def _bounded(setting: Setting) -> bool:
    return setting.type is float or (setting.limits != ANY and not setting.size)


def _unexpected(setting: Setting, seen: object, where: str, remedy: str = "") -> ConfigError:
    shown = f'"{seen}"' if isinstance(seen, str) else repr(seen)
    return ConfigError(f"{where}: expected {expectation(setting)}; seen {shown}{remedy}")
