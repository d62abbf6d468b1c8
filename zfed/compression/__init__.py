"""Updates in fewer bytes: codecs by name, and the encoded form of a whole update."""

from zfed.compression.codec import Codec, Fault
from zfed.compression.encoding import Encoded, Encoding
from zfed.compression.parts import Part
from zfed.compression.registry import COMPRESSION, create_codec

__all__ = ["COMPRESSION", "Codec", "Encoded", "Encoding", "Fault", "Part", "create_codec"]
