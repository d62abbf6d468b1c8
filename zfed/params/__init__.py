"""Models as one flat vector: what lies where (`ParameterLayout`) and the numbers (`ParameterBuffer`)."""

from zfed.params.buffer import ParameterBuffer, fitting, matched_kinds
from zfed.params.dtypes import dtype_name, narrowed, widened
from zfed.params.layout import ParameterLayout, Segment
from zfed.params.layout_codec import MAX_DESCRIPTION_BYTES
from zfed.params.pool import BufferPool
from zfed.params.tensor import TensorKind, TensorSpec, default_kind

__all__ = [
    "MAX_DESCRIPTION_BYTES",
    "BufferPool",
    "ParameterBuffer",
    "ParameterLayout",
    "Segment",
    "TensorKind",
    "TensorSpec",
    "default_kind",
    "dtype_name",
    "fitting",
    "matched_kinds",
    "narrowed",
    "widened",
]
