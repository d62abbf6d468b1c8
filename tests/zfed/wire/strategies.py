"""Hypothesis strategies for messages, made from the types of the records themselves."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from zfed.wire.messages import Blob, Hello, PartitionClaim

_TEXT = st.characters(exclude_categories=["Cs"])  # JSON carries no lone surrogates
_PLAIN = st.none() | st.booleans() | st.integers(0, 2**53) | st.text(_TEXT, max_size=5)


def messages(record: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any message of this kind."""
    return _of(inspect.type_info(record))


def _of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StructType():
            required = {field.name: _of(field.type) for field in kind.fields if field.required}
            optional = {field.name: _of(field.type) for field in kind.fields if not field.required}
            return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind.cls(**fields))
        case inspect.IntType():
            top = kind.le if kind.le is not None else (kind.lt or 2**53) - 1
            return st.integers(kind.ge or 0, top)
        case inspect.FloatType():
            return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)
        case inspect.StrType(pattern=str(pattern)):
            return st.from_regex(pattern)
        case inspect.StrType():
            return st.text(_TEXT, min_size=kind.min_length or 0, max_size=min(kind.max_length or 20, 20))
        case inspect.ListType():
            return st.lists(_of(kind.item_type), min_size=kind.min_length or 0, max_size=3)
        case inspect.DictType():
            return st.dictionaries(_of(kind.key_type), _of(kind.value_type), max_size=3)
        case inspect.TupleType():
            return st.tuples(*map(_of, kind.item_types))
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.UnionType():
            return st.one_of(*map(_of, kind.types))
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.AnyType():
            return st.recursive(_PLAIN, lambda inner: st.lists(inner, max_size=2), max_leaves=4)
    raise TypeError(kind)


def hello(node: str = "alice", *, instance: int = 1) -> Hello:
    """A HELLO that differs from another only where it must."""
    return Hello(
        protocol="zfed/1",
        node=node,
        node_kind="worker",
        instance=f"{instance:032x}",
        version="0.1.0",
        layout=Blob(id="layout", bytes=10, digest="sha256:" + "0" * 64),
        examples=100,
        partition=PartitionClaim(),
    )
