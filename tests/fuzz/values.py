"""Values for the fields of messages: of the type that the field has, or of none that anybody expects."""

from __future__ import annotations

import random
import re
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import inspect

from zfed.wire.codec import KINDS

FITTING: Final = ("w1", "a" * 32, "sha256:" + "0" * 64, "xxh3-128:" + "0" * 32)
"""For every pattern that texts must have, one that has it."""

REMEMBERED: Final = 24
"""Values of a field that are kept: old enough to be of another session, new enough to be of this run."""

DEEP: Final = "a list, a thousand deep"
"""Stands for itself until the header is written: no encoder writes so deep a list."""

STRANGE: Final[tuple[Any, ...]] = (
    *(None, True, False, -1, 0, 1, 2, 2**31, 2**53, 2**62 - 1, 2**62, 2**63, 2**64 - 1),
    *(0.5, -0.0, 5e-324, 1e9, 1.7e308, -1.7e308),
    *("", "x", "x" * 600, "../../etc/passwd", "/dev/null", "\0", "\u202e\ud7ff", "federated", "layout", DEEP),
    *(
        [],
        {},
        [0],
        [1, 1],
        [2**62 - 1, 2**62 - 1],
        [[]],
        {"": {}},
        {"loss": 1.7e308},
        {"loss": -1.7e308},
        {"h": {"0": 1.7e308}},
    ),
)

_SHAPES: Final = {
    sender: {kind: inspect.type_info(record) for kind, record in records.items()}
    for sender, records in KINDS.items()
}


class Values:
    """Draws values for fields: mostly such as that field has had, in whatever message, of whomever.

    So a forged message names assignments, blobs and epochs that there are, and gets past the first check.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._seen: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def learn(self, fields: dict[str, Any]) -> None:
        """Remember what the fields of a header hold, those within them too."""
        for name, value in fields.items():
            self._seen[name].append(value)
            if isinstance(value, dict):
                self.learn(value)

    def message(self, sender: str, kind: str = "") -> dict[str, Any]:
        """The header of a message that `sender` may send, with fields of the right types."""
        kind = kind or self._draw.choice(list(_SHAPES[sender]))
        fields = self._of("", _SHAPES[sender][kind])
        return {"kind": kind, "epoch": self._known("epoch", 1), **fields}

    def spoil(self, fields: dict[str, Any]) -> None:
        """Change one of the fields, or of those within them."""
        name = self._draw.choice(list(fields) or ["kind"])
        value = fields.get(name)
        if isinstance(value, dict) and value and self._draw.random() < 0.7:
            self.spoil(value)
        elif isinstance(value, list) and value and self._draw.random() < 0.5:
            self._spoil_item(name, value)
        elif self._draw.random() < 0.1:
            fields.pop(name, None)
        else:
            fields[name] = self._other(name, value)

    def _spoil_item(self, name: str, items: list[Any]) -> None:
        index = self._draw.randrange(len(items))
        if isinstance(items[index], dict):
            self.spoil(items[index])
        else:
            items[index] = self._other(name, items[index])

    def _other(self, name: str, value: Any) -> Any:
        how = self._draw.random()
        if how < 0.4:
            return self._known(name, value)
        if how < 0.6 and type(value) is int:
            return value + self._draw.choice((-1, 1, 4, -4, 1 << 20, 1 << 32))
        if how < 0.85:  # of the same type, so that what is wrong is not seen at once
            return self._strange(each for each in STRANGE if type(each) is type(value))
        return self._strange(STRANGE)

    def _strange(self, values: Iterable[Any]) -> Any:
        return _copied(self._draw.choice([*values] or [None]))

    def _known(self, name: str, otherwise: Any) -> Any:
        seen = self._seen.get(name)
        return _copied(self._draw.choice(seen)) if seen else otherwise

    def _of(self, name: str, kind: inspect.Type) -> Any:
        """A value of a type; `name` is that of its field."""
        draw = self._draw
        if name in self._seen and draw.random() < 0.8:
            return self._known(name, None)
        match kind:
            case inspect.StructType():
                wanted = [field for field in kind.fields if field.required or draw.random() < 0.3]
                return {field.name: self._of(field.name, field.type) for field in wanted}
            case inspect.UnionType():
                return self._of(name, draw.choice(kind.types))
            case inspect.LiteralType():
                return draw.choice(kind.values)
            case inspect.TupleType():
                return [self._of("", item) for item in kind.item_types]
            case inspect.ListType():
                return [
                    self._of("", kind.item_type) for _ in range(max(kind.min_length or 0, draw.randint(0, 2)))
                ]
            case inspect.DictType():
                return {
                    self._of("", kind.key_type): self._of("", kind.value_type)
                    for _ in range(draw.randint(0, 2))
                }
            case inspect.IntType():
                return draw.choice(
                    (kind.ge or 0, 1, 2, 3, draw.randrange(1 << 20), kind.le or (kind.lt or 1 << 62) - 1)
                )
            case inspect.FloatType():
                return draw.choice((0.0, 0.5, 2.0, kind.le or 1.7e308))
            case inspect.StrType(pattern=str(pattern)):
                return draw.choice([text for text in FITTING if re.search(pattern, text)])
            case inspect.StrType():
                return draw.choice(("x", "none", "delta", "x" * (kind.max_length or 64)))
            case inspect.NoneType():
                return None
            case inspect.BoolType():
                return draw.random() < 0.5
            case _:
                return self._strange(STRANGE)


def _copied(value: Any) -> Any:
    """The same value, of JSON, to be spoiled alone."""
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def written(fields: dict[str, Any]) -> bytes:
    """The header of these fields."""
    deep = b"[" * 1000 + b"]" * 1000
    return msgspec.json.encode(fields).replace(msgspec.json.encode(DEEP), deep)
