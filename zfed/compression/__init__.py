"""Updates and models in fewer bytes: codecs by name, and the encoded form of a whole vector."""

from zfed.compression.codec import Codec, Fault
from zfed.compression.encoding import Encoded, Encoding
from zfed.compression.encodings import Encodings
from zfed.compression.parts import Part, matched
from zfed.compression.registry import (
    COMPRESSION,
    FAMILIES,
    checked_level,
    checked_model_level,
    create_codec,
    family,
)
from zfed.compression.warming import warm_up

__all__ = [
    "COMPRESSION",
    "FAMILIES",
    "Codec",
    "Encoded",
    "Encoding",
    "Encodings",
    "Fault",
    "Part",
    "checked_level",
    "checked_model_level",
    "create_codec",
    "family",
    "matched",
    "warm_up",
]
