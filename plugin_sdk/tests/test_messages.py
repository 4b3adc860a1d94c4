"""What of prompts and answers may be kept: the operator's word, and less when a team, a key or a caller says so."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from routeiq_sdk import Principal
from routeiq_sdk.messages import MessageLogging, Messages
from routeiq_sdk.testing import make_context


def mode(config: dict[str, Any], key: Any = None, team: Any = None, headers: Any = (), **more: Any) -> str:
    attributes = {name: told for name, told in (("metadata", key), ("team_metadata", team)) if told is not None}
    ctx = make_context(principal=Principal("k", attributes=attributes), headers=headers)
    return Messages(MessageLogging(**config), **more).mode(ctx)


FULL, OFF = {"message_logging": "full"}, {"message_logging": "off"}
MASKED = {"message_logging": "masked"}


@pytest.mark.parametrize(
    ("config", "key", "team", "kept"),
    [
        ({}, None, None, "off"),
        ({"mode": "full"}, None, None, "full"),
        ({"mode": False}, None, None, "off"),
        ({"mode": "full"}, {"message_logging": False}, None, "off"),
        ({"mode": "full"}, MASKED, None, "masked"),
        ({"mode": "full"}, OFF, None, "off"),
        ({"mode": "full"}, None, OFF, "off"),
        ({"mode": "full"}, FULL, OFF, "off"),
        ({"mode": "full"}, {"turn_off_message_logging": True}, None, "off"),
        ({"mode": "off"}, FULL, None, "off"),
        ({"mode": "off", "overrides": True}, FULL, None, "full"),
        ({"mode": "off", "overrides": True}, None, MASKED, "masked"),
        ({"mode": "masked", "overrides": True}, FULL, OFF, "off"),
        ({"mode": "masked", "overrides": True}, FULL, MASKED, "full"),
        ({"mode": "full"}, {"message_logging": "nonsense"}, None, "full"),
        ({"mode": "full"}, "no mapping", None, "full"),
    ],
)
def test_who_may_say_what(config: dict[str, Any], key: Any, team: Any, kept: str) -> None:
    assert mode(config, key, team) == kept


def test_a_caller_may_ask_for_less() -> None:
    assert mode({"mode": "full"}, headers={"x-litellm-enable-message-redaction": "true"}) == "off"
    assert mode({"mode": "off"}, headers={"litellm-disable-message-redaction": "true"}) == "off"


def test_turned_off_is_off_for_all() -> None:
    assert mode({"mode": "full", "overrides": True}, FULL, turned_off=True) == "off"


def test_never_says_whether_hooks_may_be_idle() -> None:
    assert Messages(MessageLogging()).never
    assert not Messages(MessageLogging(mode="masked")).never
    assert not Messages(MessageLogging(overrides=True)).never
    assert Messages(MessageLogging(mode="full", overrides=True), turned_off=True).never


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key sk-abcdefghijklmnop and more", "key [masked] and more"),
        ("mail ada@example.com", "mail [masked]"),
        ("card 4111 1111 1111 1111 please", "card [masked] please"),
        ("Bearer abcdefghijkl", "[masked]"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "[masked]"),
        ("order 66 in 2026", "order 66 in 2026"),
        ("project X-17", "project [masked]"),
    ],
)
def test_masked_hides_secrets_and_addresses(text: str, shown: str) -> None:
    messages = Messages(MessageLogging(mode="masked", mask=(r"X-\d+",)))
    assert messages.prompt(make_context(text))[0]["content"].rstrip() == shown


def test_long_texts_are_cut() -> None:
    messages = Messages(MessageLogging(mode="full", max_chars=10))
    assert messages.prompt(make_context("a" * 50))[0]["content"] == "a" * 10 + "[cut]"


def test_a_stream_is_remembered_over_all_its_texts() -> None:
    messages, ctx = Messages(MessageLogging(mode="full")), make_context()
    for text in ("one", "two"):
        kept = messages.watch_stream(ctx)
        assert kept is not None
        assert kept.feed(text) == [text]
        assert kept.end() == []
    assert messages.answer(ctx) == "onetwo"


def test_nothing_is_remembered_that_may_not_be_kept() -> None:
    messages, ctx = Messages(MessageLogging()), make_context()
    assert messages.watch_stream(ctx) is None
    messages.keep_answer(ctx, {"choices": []})
    assert (messages.answer(ctx), messages.prompt(ctx)) == (None, None)


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(ValidationError, match="no regular expression"):
        MessageLogging(mask=("(",))
