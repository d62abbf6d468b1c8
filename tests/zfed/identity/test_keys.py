from contextlib import suppress

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from zfed.errors import UsageError
from zfed.identity import NodeKey, PublicKey, curves

KEY, OTHER = NodeKey.generate(), NodeKey.generate()


def test_a_curve_key_is_the_one_that_zeromq_would_make_of_the_same_secret():
    z85_of_public = zmq.curve_public(z85.encode(KEY.curve_secret))
    assert z85.decode(z85_of_public) == KEY.public.curve


def test_a_public_key_is_one_word_that_parses_to_itself():
    text = KEY.public.text
    assert len(text.split()) == 1
    assert PublicKey.parse(text) == KEY.public
    assert len(KEY.public.key_id) == 43


def test_a_secret_file_holds_all_of_a_key():
    assert NodeKey.parse(KEY.to_text()) == KEY


def test_no_representation_shows_a_secret():
    shown = f"{KEY!r} {KEY}"
    for secret in (KEY.curve_secret, KEY.signing_secret):
        assert repr(secret) not in shown
        assert repr(secret)[2:10] not in shown


def test_a_rotated_key_is_another_key_with_the_same_fingerprint():
    new = KEY.rotated()
    assert new.public.key_id != KEY.public.key_id
    assert new.public.fingerprint == KEY.public.fingerprint != OTHER.public.fingerprint
    assert PublicKey.parse(new.public.text) == new.public


def test_a_curve_key_that_the_identity_did_not_sign_is_refused():
    forged = PublicKey(OTHER.public.curve, KEY.public.signing, KEY.public.signature)
    with pytest.raises(UsageError, match="its signature is wrong; copy again"):
        PublicKey.parse(forged.text)


def test_a_signature_of_the_bare_key_is_none_of_the_key_as_a_zfed_key():
    bare = curves.sign(KEY.signing_secret, KEY.public.curve)
    with pytest.raises(UsageError, match="signature"):
        PublicKey.parse(PublicKey(KEY.public.curve, KEY.public.signing, bare).text)


def test_a_secret_that_is_pasted_as_a_public_key_is_not_shown():
    secret = KEY.to_text().strip()
    with pytest.raises(UsageError) as caught:
        PublicKey.parse(secret)
    assert "secret key, which never leaves its file" in str(caught.value)
    assert secret.removeprefix("zfed-secret-")[:8] not in str(caught.value)


def test_a_damaged_secret_file_is_refused_without_being_shown():
    with pytest.raises(UsageError) as caught:
        NodeKey.parse(KEY.to_text()[:-5])
    assert KEY.to_text()[12:20] not in str(caught.value)


@given(at=st.integers(0, 1023), key=st.sampled_from([KEY.public, OTHER.public]))
def test_a_public_key_with_any_bit_flipped_is_refused(at, key):
    raw = bytearray(key.curve + key.signing + key.signature)
    raw[at // 8] ^= 1 << at % 8
    flipped = PublicKey(bytes(raw[:32]), bytes(raw[32:64]), bytes(raw[64:]))
    with pytest.raises(UsageError):
        PublicKey.parse(flipped.text)


@given(
    st.text(max_size=300) | st.text("ABCabc019-_=+/", max_size=300).map(lambda text: f"zfed-key-{text}"),
)
def test_any_text_is_a_public_key_that_says_exactly_this_or_is_refused(text):
    with suppress(UsageError):
        assert PublicKey.parse(text).text == text


def test_a_text_that_decodes_to_a_key_but_is_not_its_text_is_refused():
    text = KEY.public.text
    for other in (f"{text}=", f" {text}", text[:-1] + chr(ord(text[-1]) + 1)):
        with pytest.raises(UsageError):
            PublicKey.parse(other)
