"""What a manifest accepts, that each has one spelling, and what reading one refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from routeiq_routing_ml.artifact import canonical
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.manifest import MOST_BYTES, Manifest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ENTRY = {"size": 3, "sha256": "0" * 64}


@given(settings=st.dictionaries(st.text(), JSON, max_size=5), metrics=st.dictionaries(st.text(), JSON, max_size=3))
def test_what_is_written_is_read_and_spelled_the_same(settings: dict[str, Any], metrics: dict[str, Any]) -> None:
    made = Manifest(
        strategy="knn", version=1, created="2026-01-31T12:00:00Z", trainer="t", features={}, pool=("a", "b"),
        settings=settings, metrics=metrics, files={"report.html": ENTRY},
    )  # fmt: skip
    read = Manifest.parse(made.to_bytes(), "manifest.json")
    assert read == made
    assert read.to_bytes() == made.to_bytes()
    assert read.digest() == made.digest()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pool": ["a"]}, "pool"),
        ({"pool": ["a", "a"]}, "twice"),
        ({"pool": ["a", ""]}, "pool"),
        ({"pool": [f"m{n}" for n in range(1001)]}, "pool"),
        ({"version": 0}, "version"),
        ({"version": 1 << 63}, "version"),
        ({"version": 1.0}, "version"),
        ({"version": True}, "version"),
        ({"created": "yesterday"}, "created"),
        ({"created": "2026-01-31T12:00:00"}, "zone"),
        ({"expires": "2026-01-31"}, "zone"),
        ({"metrics": {"gap": float("nan")}}, "not JSON|not in JSON|Out of range"),
        ({"settings": {"text": "\ud800"}}, "surrogates"),
        ({"settings": {"big": "x" * MOST_BYTES}}, "at most"),
        ({"files": {"model.pkl": ENTRY}}, "run code"),
        ({"files": {"MODEL.JOBLIB": ENTRY}}, "run code"),
        ({"files": {"../x": ENTRY}}, "file name"),
        ({"files": {"manifest.json": ENTRY}}, "not listed"),
        ({"files": {"a": ENTRY, "A": ENTRY}}, "case"),
        ({"files": {"a": {"size": -1, "sha256": "0" * 64}}}, "size"),
        ({"files": {"a": {"size": 1, "sha256": "0" * 63}}}, "sha256"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_manifest_that_makes_no_sense_cannot_be_made(
    manifest: Callable[..., Manifest], change: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        manifest(**change)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a manifest"),
        (b"[]", "no schema number"),
        (b"null", "no schema number"),
        (b'{"schema":0}', "no schema number"),
        (b'{"schema":true}', "no schema number"),
        (b'{"schema":2}', "made by a newer version"),
        (b'{"schema":1}', "strategy: Field required"),
        (b'{"a":1,"a":1,"schema":1}', "twice"),
        (b'{"schema":1,"x":NaN}', "NaN"),
        (b'{"schema":1,"x":1e999}', "too large"),
        (b'{"schema": 1}', "canonical"),
        (b'{"x":"\\u0041","schema":1}', "canonical"),
        (b"\xff", "not a manifest"),
        (b"[" * 100_000, "nested"),
        (b" " * (MOST_BYTES + 1), "more than"),
    ],
)
def test_reading_refuses_whatever_no_writer_writes_and_names_the_file(data: bytes, says: str) -> None:
    with pytest.raises(ArtifactError, match=says) as caught:
        Manifest.parse(data, "/router/manifest.json")
    assert str(caught.value).startswith("/router/manifest.json: ")
    assert caught.value.mend


@given(JSON)
def test_each_value_has_one_spelling(value: Any) -> None:
    data = canonical.encode(value)
    assert canonical.decode_canonical(data) == json.loads(data)
    assert canonical.encode(canonical.decode(data)) == data


def test_the_end_is_told_in_utc(manifest: Callable[..., Manifest]) -> None:
    end = manifest(expires="2026-03-01T01:00:00+02:00").expires_at()
    assert end is not None
    assert end.isoformat() == "2026-02-28T23:00:00+00:00"
