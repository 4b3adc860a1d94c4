"""What of prompts and answers leaves the gateway: nothing, unless somebody said so; and never a key."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_callbacks.payload import Finished, Shape
from routeiq_callbacks.tenants import Tenants, _named
from routeiq_sdk import Principal
from routeiq_sdk.messages import MessageLogging, Messages
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.testing.fakes import make_record
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import KEY
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder

PROMPT = "my secret plan, mail ada@example.com"


async def told(
    gateway: StartGateway, telling: Any, recorder: Recorder, *, stream: bool = False, **block: Any
) -> dict[str, Any]:
    litellm = block.pop("litellm", None)
    target = {"kind": "webhook", "url": recorder.url}
    running = await gateway(telling(target, litellm=litellm, **block))
    if stream:
        await running.stream("m", PROMPT)
    else:
        await running.chat("m", PROMPT)
    (sent,) = await recorder.until(1)
    (payload,) = sent.json()
    assert isinstance(payload, dict)
    return payload


@pytest.mark.parametrize("stream", [False, True])
async def test_no_text_leaves_by_default(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream, stream: bool
) -> None:
    scripted_upstream.default = Reply.stream("the answer") if stream else Reply.chat("the answer")
    payload = await told(gateway, telling, recorder, stream=stream)
    assert (payload["messages"], payload["response"]) == (None, None)
    assert "secret plan" not in recorder.everything()
    assert "the answer" not in recorder.everything()


@pytest.mark.parametrize("stream", [False, True])
async def test_full_tells_prompt_and_answer(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream, stream: bool
) -> None:
    scripted_upstream.default = Reply.stream("the answer") if stream else Reply.chat("the answer")
    payload = await told(gateway, telling, recorder, stream=stream, messages={"mode": "full"})
    assert payload["messages"][0]["content"] == PROMPT
    assert "the answer" in str(payload["response"])


async def test_masked_hides_addresses_and_keys(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    payload = await told(gateway, telling, recorder, messages={"mode": "masked"})
    assert payload["messages"][0]["content"] == "my secret plan, mail [masked]"


async def test_turn_off_message_logging_wins(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    payload = await told(
        gateway, telling, recorder, messages={"mode": "full"}, litellm={"turn_off_message_logging": True}
    )
    assert payload["messages"] is None


async def test_no_key_leaves(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    await told(gateway, telling, recorder, messages={"mode": "full"})
    assert KEY not in recorder.everything()
    assert "sk-upstream" not in recorder.everything()


async def test_callers_can_be_redacted(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    payload = await told(gateway, telling, recorder, litellm={"redact_user_api_key_info": True})
    assert payload["metadata"]["user_api_key_hash"] == "**********"


async def test_fields_can_be_left_out(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    litellm = {"standard_logging_payload_excluded_fields": ["requester_ip_address", "routeiq"]}
    payload = await told(gateway, telling, recorder, litellm=litellm)
    assert not {"requester_ip_address", "routeiq"} & set(payload)


def own_project(**more: Any) -> dict[str, Any]:
    told = {"langfuse_public_key": "pk", "langfuse_secret_key": "sk", "langfuse_host": "https://lf.example.com"}
    return {"logging": [{"callback_name": "langfuse", "callback_type": "success", "callback_vars": {**told, **more}}]}


def test_a_team_has_a_project_of_its_own() -> None:
    principal = Principal("k", attributes={"team_metadata": own_project()})
    assert list(_named(principal)) == [(("pk", "sk", "https://lf.example.com"), "success")]


def test_a_tenants_words_never_reach_into_the_environment() -> None:
    principal = Principal("k", attributes={"metadata": own_project(langfuse_secret_key="os.environ/HOME")})
    assert list(_named(principal)) == []


async def test_a_tenants_project_is_told_and_is_no_address_of_the_operator() -> None:
    gateway, tenants = FakeGateway(), Tenants()
    tenants.open(gateway)
    shape = Shape(Messages(MessageLogging()), redact_callers=False, excluded=frozenset())
    ctx = make_context(principal=Principal("k", attributes={"metadata": own_project()}))
    tenants.put(Finished(ctx, make_record(), shape))
    await tenants.close(2.0)
    (call,) = gateway.egress.calls
    assert call.url == "https://lf.example.com/api/public/ingestion"
    (telling,) = tenants._known.values()
    assert telling.target.origins == ()
    await gateway.aclose()
