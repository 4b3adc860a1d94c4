"""The one spelling of a value is that of RFC 8785, whichever encoder was asked."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from routeiq_audit.canonical import canonical

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner),
    max_leaves=20,
)


@given(VALUES)
def test_every_value_is_spelled_as_the_standard_says(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(VALUES)
def test_what_was_spelled_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value), parse_int=_as_floats_are) == value


def _as_floats_are(digits: str) -> int | float:
    return int(digits) if abs(int(digits)) < 2**53 else float(digits)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ({"b": 1, "a": 1.0}, b'{"a":1,"b":1}'),
        ({"é": 1, "z": 2, "€": 3}, '{"z":2,"é":1,"€":3}'.encode()),
        (1e-7, b"1e-7"),
        (1e21, b"1e+21"),
        (333333333.33333329, b"333333333.3333333"),
        (2**53, b'"9007199254740992"'),
        (-(2**70), b'"-1180591620717411303424"'),
        (math.nan, b'"nan"'),
        (("x", frozenset({1})), b'["x",[1]]'),
        ("\u2028\x07", '"\u2028\\u0007"'.encode()),
    ],
)
def test_what_json_does_not_know_becomes_text(value: Any, spelled: bytes) -> None:
    assert canonical(value) == spelled
