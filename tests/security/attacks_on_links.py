"""Attacks on links and addresses that only one person or one agent may use: questions of consent, their answers,
webhooks. Each tells whether it got through.

What protects against them is written in `protections_of_tools`; the same is tried step by step in
`plugins/oauth/tests/pages/test_consent_is_personal.py` and `plugins/a2a/tests/test_push.py`.
"""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from routeiq_oauth.delegation.discovery import Server
from routeiq_oauth.delegation.questions import Question
from routeiq_oauth.vault.grant import Owner
from routeiq_sdk.values.delegation import Delegate, OutboundAuth

from .attacks import Bed
from .tool_field import ScriptedAgent, say

_NUMBERS = itertools.count()
_BROWSER = "b" * 43
"""A browser that was here before, as its cookie names it."""


async def question_of_another(bed: Bed) -> bool:
    """Ann sends her link to Eve, who opens it. Shown the form, Eve would connect her own account for Ann."""
    id = await _outbound(bed).questions.ask(_question(bed))
    status, page = await _opened(bed, f"/connections/consent/{id}")
    return status == 200 and "is to be used in your name" in page


async def answer_of_another(bed: Bed) -> bool:
    """Eve opens the way back from the authorization server that belongs to Ann's browser."""
    outbound, question = _outbound(bed), _question(bed)
    url = await outbound.consent.depart(question, "the browser of Ann", bed.gateway.url)
    (state,) = parse_qs(urlsplit(url).query)["state"]
    before = len(bed.canary.requests)
    await _opened(bed, f"/connections/callback?state={state}&code=of-eve")
    return len(bed.canary.requests) > before


async def webhook_of_another(bed: Bed) -> bool:
    """Somebody who learned the address that an agent was given posts there, without the secret."""
    agent: ScriptedAgent = bed.kept["agent"]
    hook = {"url": f"{bed.canary.base_url}/hook", "token": "the client's own"}
    before = len(agent.heard)
    _, said = await say(bed.gateway, {"text": "a task"}, key="person-ann", taskPushNotificationConfig=hook)
    assert "task-of-the-agent" in said, said
    told = json.loads(agent.heard[before])["params"]["configuration"]["taskPushNotificationConfig"]
    assert "the client's own" not in json.dumps(told)
    done = {"state": "TASK_STATE_COMPLETED"}
    forged = {"statusUpdate": {"taskId": "task-of-the-agent", "contextId": "c-1", "status": done}}
    headers = {"authorization": "Bearer person-eve", "x-a2a-notification-token": "a guess"}
    async with bed.gateway.session.post(told["url"], json=forged, headers=headers) as response:
        return response.status == 200


def _outbound(bed: Bed) -> Any:
    (oauth,) = [member.instance for member in bed.gateway.runtime.plugins.members if member.name == "oauth"]
    return oauth._parts.outbound


def _question(bed: Bed) -> Question:
    base, number = bed.canary.base_url, next(_NUMBERS)
    auth = OutboundAuth(mode="authorization_code", client_id="gateway", issuer=base)
    server = Server(base, f"{base}/token", authorization_endpoint=f"{base}/authorize")
    delegate = Delegate(f"mcp:s{number}", base, auth)
    return Question("", Owner("-", "user:person-ann"), delegate, server, base, (), "person-ann")


async def _opened(bed: Bed, path: str) -> tuple[int, str]:
    headers = {"authorization": "Bearer person-eve", "cookie": f"routeiq_browser={_BROWSER}"}
    async with bed.gateway.session.get(path, headers=headers) as response:
        return response.status, await response.text()
