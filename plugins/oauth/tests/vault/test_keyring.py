"""The vault's keys: what is sealed opens at its place alone, under keys that rotate."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_oauth.vault.keyring import Keyring, Unsealable, open_keyring
from routeiq_sdk import PluginError, Secret

OLD, NEW = b"o" * 32, b"n" * 32
PLACES = st.lists(st.text(max_size=6), max_size=4).map(tuple)


@given(plain=st.binary(max_size=64), here=PLACES, there=PLACES)
def test_a_text_opens_where_it_was_sealed_and_nowhere_else(
    plain: bytes, here: tuple[str, ...], there: tuple[str, ...]
) -> None:
    keys = Keyring([NEW])
    sealed = keys.seal(plain, *here)
    assert keys.open(sealed, *here) == plain
    if here != there:
        with pytest.raises(Unsealable):
            keys.open(sealed, *there)


@given(at=st.integers(min_value=0, max_value=60), bit=st.integers(min_value=0, max_value=7))
def test_a_changed_text_opens_nowhere(at: int, bit: int) -> None:
    keys = Keyring([NEW])
    sealed = bytearray(keys.seal(b"a token of some length, sealed", "here"))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(Unsealable):
        keys.open(bytes(sealed), "here")


def test_the_first_key_writes_and_all_of_them_read() -> None:
    before = Keyring([OLD]).seal(b"token", "here")
    rotated = Keyring([NEW, OLD])
    assert rotated.open(before, "here") == b"token"
    assert rotated.is_old(before)
    after = rotated.seal(b"token", "here")
    assert not rotated.is_old(after)
    with pytest.raises(Unsealable):
        Keyring([OLD]).open(after, "here")


def test_the_embedded_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    first = open_keyring((), tmp_path, shared=False)
    sealed = first.seal(b"token", "here")
    assert open_keyring((), tmp_path, shared=False).open(sealed, "here") == b"token"
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600]


def test_replicas_need_a_configured_key(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="vault_keys"):
        open_keyring((), tmp_path, shared=True)
    with pytest.raises(PluginError, match="shorter than 32"):
        open_keyring((Secret("short"),), tmp_path, shared=False)
