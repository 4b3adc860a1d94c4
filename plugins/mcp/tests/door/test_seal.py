"""What a client carries for the gateway comes back as it was sealed, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_mcp.door.seal import Seal, SealBroken

KEY, NEXT = b"a" * 32, b"b" * 40
SEAL = Seal([KEY], "session")


@given(content=st.binary(max_size=1500), bound=st.text(max_size=50))
def test_what_was_sealed_is_opened_by_who_it_was_sealed_for(content: bytes, bound: str) -> None:
    sealed = SEAL.close(content, bound)
    assert SEAL.open(sealed, bound) == content
    assert all("!" <= letter <= "~" for letter in sealed)
    assert len(sealed) <= (len(content) + 32) * 4 // 3 + 4
    assert content not in sealed.encode() or len(content) < 4


@given(content=st.binary(max_size=200), data=st.data())
def test_any_change_breaks_it(content: bytes, data: st.DataObject) -> None:
    sealed = SEAL.close(content, "me")
    place = data.draw(st.integers(0, len(sealed) - 1))
    letter = data.draw(st.characters(codec="latin-1").filter(lambda letter: letter != sealed[place]))
    changed = data.draw(
        st.sampled_from(
            [
                sealed[:place] + letter + sealed[place + 1 :],
                sealed[:place] + sealed[place + 1 :],
                sealed[:place] + letter + sealed[place:],
                sealed[: place or 1],
                sealed + "=",
                sealed + "\n",
            ]
        )
    )
    if changed != sealed:
        with pytest.raises(SealBroken):
            SEAL.open(changed, "me")


@given(bound=st.text(max_size=20), other=st.text(max_size=20), text=st.text(max_size=200))
def test_nobody_else_opens_it_and_nothing_else_is_taken_for_one(bound: str, other: str, text: str) -> None:
    sealed = SEAL.close(b"x", bound)
    if bound != other:
        with pytest.raises(SealBroken):
            SEAL.open(sealed, other)
    with pytest.raises(SealBroken):
        SEAL.open(text, bound)


def test_one_purpose_does_not_open_what_another_sealed_and_keys_can_be_changed() -> None:
    sealed = SEAL.close(b"x", "me")
    with pytest.raises(SealBroken):
        Seal([KEY], "state").open(sealed, "me")
    changed = Seal([NEXT, KEY], "session")
    assert changed.open(sealed, "me") == b"x"
    with pytest.raises(SealBroken):
        SEAL.open(changed.close(b"y", "me"), "me")
    assert len({SEAL.close(b"x", "me") for _ in range(100)}) == 100


@pytest.mark.parametrize("keys", [[], [b"short"], [KEY, b"short"]])
def test_a_key_that_is_too_short_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Seal(keys, "session")
