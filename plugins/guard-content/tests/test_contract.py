"""What every guard promises, inherited from the SDK: with words, with expressions, with everything."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_guard_content.plugin import GuardContent
from routeiq_sdk.testing import GuardContract


def config(**params: Any) -> dict[str, Any]:
    filled = {
        "guardrail": "guard-content",
        "mode": ["pre_call", "during_call", "post_call"],
        "default_on": True,
        **params,
    }
    return {"guardrails": [{"guardrail_name": "rules", "litellm_params": filled}]}


TICKET = {"pattern_type": "regex", "name": "ticket", "pattern": r"\bTCK-\d{6}\b"}
SSN = {"pattern_type": "prebuilt", "pattern_name": "us_ssn"}
ALLOWED = ("A quiet evening.", "TCK-12345 is too short, and ```python``` is code within a sentence.", "été\n\n")


class TestWords(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(blocked_words=[{"keyword": "secret plan"}])
    allowed = ALLOWED
    refused = ("the Secret  plan", "s\u200becret plan")


class TestMaskedWords(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(mode="post_call", blocked_words=[{"keyword": "titan", "action": "MASK"}])
    allowed = ALLOWED
    refused = ()
    rewritten = {"Titan, and titans": "[KEYWORD_REDACTED], and [KEYWORD_REDACTED]s"}


class TestExpressions(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(patterns=[TICKET])
    allowed = ALLOWED
    refused = ("see TCK-123456.",)


class TestMaskedExpressions(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(mode="post_call", patterns=[{**SSN, "action": "MASK"}])
    allowed = ALLOWED
    refused = ()
    rewritten = {"It is 123-45-6789.": "It is [US_SSN_REDACTED]."}


class TestCategories(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(categories=[{"category": "harmful_violence", "score_threshold": 3}])
    allowed = (*ALLOWED, "a murder mystery")
    refused = ("how to kill someone", "assassinate him, and get away with murder")


class TestCode(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(guardrail="block_code_execution", blocked_languages=["python"])
    allowed = (*ALLOWED, "```text\nx\n```\n")
    refused = ("Run this:\n```python\nprint(1)\n```\n",)


class TestMaskedCode(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(mode="post_call", guardrail="block_code_execution", action="mask")
    allowed = ALLOWED
    refused = ()
    rewritten = {"a\n```py\nx = 1\n```\nb": "a\n[CODE_BLOCK_REDACTED]\nb"}


class TestSchema(GuardContract):
    plugin = GuardContent
    name = "guard-content"
    config = config(mode="post_call", json_schema={"type": "object"})
    allowed = ('{"a": 1}', "")
    refused = ("[1]", "no JSON")

    @pytest.mark.parametrize("hook", ["guard_request", "guard_during"])
    def test_requests_it_refuses_do_not_pass(self, hook: str) -> None:
        assert hook in self.make().idle_hooks, "it looks at answers alone"

    test_a_request_it_cannot_read_does_not_pass = test_requests_it_refuses_do_not_pass
    test_nothing_refused_passes_while_the_outside_is_down = test_requests_it_refuses_do_not_pass
