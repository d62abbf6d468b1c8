from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.wire.digests import blob_of, digest_of, hasher_for, layout_blob
from zfed.wire.messages import Blob


def test_known_digests():
    # XXH3-128 of nothing and of "a", as in the specification's own test vectors
    assert digest_of(b"") == "xxh3-128:99aa06d3014798d86001c324468d497f"
    assert digest_of(b"a") == "xxh3-128:a96faf705af16834e6c632b61e964e1f"
    assert layout_blob("l", b"{}").digest == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"


@given(st.lists(st.binary(max_size=300)))
def test_pieces_have_the_digest_of_the_whole(pieces):
    whole = b"".join(pieces)
    for offer in (blob_of, layout_blob):
        blob = offer("b", whole)
        hasher = hasher_for(blob.digest)
        for piece in pieces:
            hasher.update(memoryview(piece))
        assert blob.digest.endswith(":" + hasher.hexdigest())
        assert blob.bytes == len(whole)


BAD = [
    "",
    "x",
    "md5:" + "0" * 32,
    "sha256:" + "0" * 63,
    "xxh3-128:" + "0" * 33,
    "xxh3-128:" + "G" * 32,
    "sha256:" + "0" * 64 + "\n",
]


@pytest.mark.parametrize("digest", BAD)
def test_a_digest_of_no_known_algorithm_is_no_blob(digest):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": "b", "bytes": 1, "digest": digest}, Blob)
