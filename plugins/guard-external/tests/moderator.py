"""A moderation service on a loopback port: it speaks every contract, refuses `badword`, and rewrites `private`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_testkit import Reply, ScriptedUpstream

BAD, PRIVATE, HIDDEN = "badword", "private", "[hidden]"


def texts_of(asked: Mapping[str, Any]) -> list[str]:
    """The texts of a question, in whatever contract."""
    if "input" in asked:
        return list(asked["input"])
    texts = asked.get("texts")
    if texts is None:
        return [*(each["content"] for each in asked["messages"]), asked.get("response", "")]
    return [each["text"] if isinstance(each, Mapping) else each for each in texts]


def verdict(path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a question."""
    texts = texts_of(asked)
    bad = [BAD in text for text in texts]
    rewritten = [text.replace(PRIVATE, HIDDEN) for text in texts]
    if path.endswith("/moderations"):
        return {"id": "modr-1", "model": asked["model"], "results": [_result(each) for each in bad]}
    if path.endswith("/beta/litellm_basic_guardrail_api"):
        if any(bad):
            return {"action": "BLOCKED", "blocked_reason": f"it says {BAD}"}
        return {"action": "NONE"} if rewritten == texts else {"action": "GUARDRAIL_INTERVENED", "texts": rewritten}
    if path.endswith("/v2/guard"):
        return {"flagged": any(bad), "breakdown": [{"detector_type": "moderated_content/hate", "detected": any(bad)}]}
    if path.endswith("/validate"):
        changed = rewritten != texts and "response" in asked
        action = "block" if any(bad) else "modify" if changed else "passthrough"
        return {"action": action, "revised_response": rewritten[-1]}
    if any(bad):
        return {"allow": False, "reason": f"it says {BAD}"}
    return {"allow": True, "texts": rewritten}


def _result(bad: bool) -> dict[str, Any]:
    score = 0.9 if bad else 0.01
    return {
        "flagged": bad,
        "categories": {"hate": bad, "violence": False},
        "category_scores": {"hate": score, "violence": 0.2},
    }


def moderator() -> ScriptedUpstream:
    """The service; script replies for what else it should do."""
    return ScriptedUpstream(default=Reply.choose(lambda asked: Reply.json(verdict(asked.path, asked.json))))
