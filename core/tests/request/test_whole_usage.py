"""An answer that nobody gets was paid for all the same: its usage is read from its bytes."""

from __future__ import annotations

import pytest

from routeiq.request.frames import whole_usage
from routeiq_sdk import Usage

CHAT = b'{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}'
MESSAGE = b'{"type": "message", "usage": {"input_tokens": 7, "output_tokens": 3}}'


@pytest.mark.parametrize(("wire", "body"), [("openai-chat", CHAT), ("anthropic-messages", MESSAGE)])
def test_the_usage_of_a_whole_answer_is_read_on_each_wire(wire: str, body: bytes) -> None:
    assert whole_usage(wire, body) == Usage(7, 3)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"usage": 4}', b'{"usage": {"other": 1}}'])
def test_an_answer_that_tells_no_usage_has_none(body: bytes) -> None:
    assert whole_usage("openai-chat", body) is None
