"""The engine `presidio`, with Presidio itself: its patterns, its blank pipeline, and no connection to anywhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_guard_pii.found import apart
from routeiq_guard_pii.presidio import Presidio
from routeiq_sdk.testing.fakes import make_context

from .test_pii_contract import asked, guard, pieces_of, row, streamed


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    tried: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> NoReturn:
        tried.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield tried
    assert tried == [], "it reached for the network"


@cache
def loaded() -> Presidio:
    return Presidio()


def test_its_patterns_find_what_they_know_and_fetch_nothing() -> None:
    text = "Card 4111 1111 1111 1111, mail bob@example.com,\nphone 212-555-0147, SSN 536-90-4399, from 203.0.113.7"
    found = {(text[each.start : each.end], each.entity) for each in loaded().find(text)}
    assert found >= {
        ("4111 1111 1111 1111", "CREDIT_CARD"),
        ("bob@example.com", "EMAIL_ADDRESS"),
        ("212-555-0147", "PHONE_NUMBER"),
        ("536-90-4399", "US_SSN"),
        ("203.0.113.7", "IP_ADDRESS"),
    }
    assert not loaded().known & {"PERSON", "LOCATION", "NRP"}, "a blank pipeline knows no names"


LINES = st.lists(
    st.sampled_from(["bob@example.com", "my card ", "4111 1111 1111 1111", "SSN", "536-90-4399", " ", "\n", "x"]),
    max_size=9,
).map("".join)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(text=LINES, more=LINES)
def test_what_has_settled_is_judged_the_same_whatever_comes_after_and_before(text: str, more: str) -> None:
    engine = loaded()
    cut = engine.settled(text)
    right = [each._replace(start=each.start + cut, end=each.end + cut) for each in engine.find(text[cut:] + more)]
    assert apart(engine.find(text + more)) == apart([*engine.find(text[:cut]), *right])


def test_a_row_masks_and_streams_with_it_and_thresholds_hold() -> None:
    config = {"EMAIL_ADDRESS": "MASK", "US_SSN": "MASK", "US_PASSPORT": "MASK"}
    made = guard(row(engine="presidio", mode=["pre_call", "post_call"], pii_entities_config=config))
    assert asked(made, "bob@example.com 4111 1111 1111 1111") == ["<EMAIL_ADDRESS> 4111 1111 1111 1111"]
    said = "one bob@example.com\ntwo 536-90-4399"
    for cuts in ([], [3, 9], list(range(len(said)))):
        out = streamed(made.stream_filter(make_context()), pieces_of(said, cuts))
        assert out == "one <EMAIL_ADDRESS>\ntwo <US_SSN>"
    strict = guard(row(engine="presidio", pii_entities_config=config, presidio_score_thresholds={"US_SSN": 0.9}))
    assert asked(strict, "536-90-4399") is None


def test_an_entity_that_presidio_has_no_pattern_for_stops_the_start() -> None:
    with pytest.raises(ValueError, match="no recogniser for PERSON"):
        guard(row(engine="presidio", pii_entities_config={"PERSON": "MASK"}))
