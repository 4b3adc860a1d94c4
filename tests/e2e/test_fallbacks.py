"""Promise: when a group fails the next one is asked, by the kind of failure, within bounds, and the client can see it.
Retries inside a group are `test_retries`'s.
"""

from __future__ import annotations

from typing import Any

import openai
import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import anthropic_row, openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
TOO_LONG = Reply.error(
    400, "invalid_request_error", "This model's maximum context length is 10.", "context_length_exceeded"
)
REFUSED = Reply.error(400, "invalid_request_error", "Not allowed.", "content_policy_violation")

AUTH = """
from routeiq_sdk import Plugin, Principal, hookimpl


class Fixture(Plugin):
    name = "narrow"

    @hookimpl
    async def authenticate(self, ctx):
        return Principal("ada", models=frozenset({"a", "c"}))
"""


async def _gateway(gateway: Any, up: ScriptedUpstream, names: str = "abcd", **router: Any) -> Any:
    rows = [openai_row(name, up.base_url, name) for name in names]
    return await gateway({"model_list": rows, "router_settings": {"num_retries": 0, **router}})


def _asked(up: ScriptedUpstream) -> str:
    return "".join(request.model or "?" for request in up.requests)


async def test_the_groups_fallbacks_are_asked_in_order(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b", "c"]}])
    up.script(Reply.error(500), Reply.error(503))
    status, headers, body = await gw.chat("a")
    assert (status, _asked(up), body["model"]) == (200, "abc", "a")
    assert (headers["x-litellm-attempted-fallbacks"], headers["x-litellm-attempted-retries"]) == ("2", "0")
    assert (headers["x-litellm-model-group"], headers["x-routeiq-model"]) == ("c", "c")
    (record,) = await gw.recorded()
    assert (record.requested_model, record.model, len(record.attempts)) == ("a", "c", 3)


@pytest.mark.parametrize("failure", [Reply.error(400), Reply.error(401), Reply.rate_limited(60), Reply.cut()])
async def test_any_failure_falls_back(gateway, scripted_upstream: ScriptedUpstream, failure: Any) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b"]}])
    up.script(failure)
    assert ((await gw.chat("a"))[0], _asked(up)) == (200, "ab")


async def test_retries_of_each_group_come_first_and_are_counted_apart(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    rows = [openai_row("a", up.base_url, name, order=place) for place, name in enumerate("ax", 1)]
    rows.append(openai_row("b", up.base_url, "b"))
    router = {"num_retries": 1, "fallbacks": [{"a": ["b"]}], "disable_cooldowns": True}
    gw = await gateway({"model_list": rows, "router_settings": router})
    up.script(Reply.error(500), Reply.error(500))
    status, headers, _ = await gw.chat("a")
    assert (status, _asked(up)) == (200, "axb")
    assert (headers["x-litellm-attempted-retries"], headers["x-litellm-attempted-fallbacks"]) == ("1", "1")


async def test_a_stream_falls_back_before_its_first_event(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b", "c"]}])
    up.script(Reply.cut(after_events=0), Reply.html(200), Reply.stream(["from c"]))
    raw = await openai_client(gw).chat.completions.with_raw_response.create(model="a", messages=HELLO, stream=True)
    assert raw.headers["x-litellm-attempted-fallbacks"] == "2"
    chunks = [chunk async for chunk in raw.parse()]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "from c"
    assert {chunk.model for chunk in chunks} == {"a"}


async def test_a_fallback_may_speak_another_wire(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("a", up.base_url, "a"), anthropic_row("b", up.origin, "b")]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0, "fallbacks": [{"a": ["b"]}]}})
    up.script(Reply.error(500), Reply.message("Bonjour."))
    status, _, body = await gw.chat("a")
    assert (status, body["choices"][0]["message"]["content"]) == (200, "Bonjour.")


async def test_when_all_fail_the_last_failure_is_told_with_the_fallbacks(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b"]}])
    up.script(Reply.error(500), Reply.error(403, "permission_error", "Not you."))
    status, _, body = await gw.chat("a")
    assert (status, body["error"]["type"]) == (403, "permission_error")
    assert "Not you." in body["error"]["message"]
    assert "Received Model Group=a" in body["error"]["message"]


@pytest.mark.parametrize(("most", "asked"), [(0, "a"), (1, "ab"), (2, "abc"), (5, "abcd")])
async def test_no_more_fallbacks_than_the_router_allows(
    gateway, scripted_upstream: ScriptedUpstream, most: int, asked: str
) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b", "c", "d"]}], max_fallbacks=most)
    up.default = Reply.error(500)
    assert ((await gw.chat("a"))[0], _asked(up)) == (500, asked)


async def test_fallbacks_of_fallbacks_go_no_circles(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b"]}, {"b": ["c", "a"]}, {"c": ["a", "b"]}])
    up.default = Reply.error(500)
    assert ((await gw.chat("a"))[0], _asked(up)) == (500, "abc")


async def test_default_fallbacks_are_for_those_without_their_own(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b"]}], default_fallbacks=["d"])
    up.script(Reply.error(500))
    await gw.chat("c")
    up.script(Reply.error(500))
    await gw.chat("a")
    assert _asked(up) == "cdab"


async def test_they_may_be_written_in_litellm_settings_and_with_a_star(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    rows = [openai_row(name, up.base_url, name) for name in "abc"]
    settings = {"fallbacks": [{"*": ["c"]}], "num_retries": 0}
    gw = await gateway({"model_list": rows, "litellm_settings": settings})
    up.script(Reply.error(500))
    assert ((await gw.chat("b"))[0], _asked(up)) == (200, "bc")


@pytest.mark.parametrize(("failure", "asked"), [(TOO_LONG, "ab"), (REFUSED, "ac"), (Reply.error(500), "ad")])
async def test_each_kind_of_failure_has_its_own_fallbacks(
    gateway, scripted_upstream: ScriptedUpstream, failure: Any, asked: str
) -> None:
    up = scripted_upstream
    gw = await _gateway(
        gateway,
        up,
        context_window_fallbacks=[{"a": ["b"]}],
        content_policy_fallbacks=[{"a": ["c"]}],
        fallbacks=[{"a": ["d"]}],
    )
    up.script(failure)
    assert ((await gw.chat("a"))[0], _asked(up)) == (200, asked)


async def test_a_prompt_too_long_is_told_as_such(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(TOO_LONG)
    status, _, body = await gw.chat("a")
    assert status == 400
    assert body["error"]["message"].startswith("litellm.ContextWindowExceededError: ")


async def test_an_anthropic_prompt_too_long_goes_to_the_longer_model(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    rows = [anthropic_row("a", up.origin, "a"), openai_row("b", up.base_url, "b")]
    router = {"num_retries": 0, "context_window_fallbacks": [{"a": ["b"]}]}
    gw = await gateway({"model_list": rows, "router_settings": router})
    up.script(Reply.anthropic_error(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"))
    assert ((await gw.chat("a"))[0], _asked(up)) == (200, "ab")


async def test_the_clients_own_fallbacks_replace_the_configured_ones(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["d"]}])
    up.script(Reply.error(500), Reply.error(500))
    client: openai.AsyncOpenAI = openai_client(gw)
    answer = await client.chat.completions.create(model="a", messages=HELLO, extra_body={"fallbacks": ["b", "c"]})
    assert answer.choices
    assert _asked(up) == "abc"
    assert "fallbacks" not in up.requests[0].json


async def test_the_clients_fallback_may_bring_its_own_messages(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up)
    shorter = [{"role": "user", "content": "shorter"}]
    up.script(Reply.error(500))
    status, _, _ = await gw.chat("a", fallbacks=[{"model": "b", "messages": shorter, "temperature": 0.5}])
    assert status == 200
    assert up.requests[1].json == {"model": "b", "messages": shorter, "temperature": 0.5}


async def test_each_fallback_of_the_client_is_asked_once(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up)
    up.default = Reply.error(500)
    status, _, _ = await gw.chat("a", fallbacks=[{"model": "b", "seed": 1}, {"model": "a", "seed": 2}, "c", "nobody"])
    assert (status, _asked(up)) == (500, "abac")


async def test_the_override_of_the_body_replaces_the_maps(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["d"]}], context_window_fallbacks=[{"a": ["d"]}])
    up.script(Reply.error(500), TOO_LONG, Reply.chat())
    override = {"fallbacks": [{"a": ["b"]}], "context_window_fallbacks": {"b": ["c"]}}
    assert ((await gw.chat("a", router_settings_override=override))[0], _asked(up)) == (200, "abc")


async def test_a_fallback_is_no_way_round_the_models_a_key_may_use(
    gateway, scripted_upstream: ScriptedUpstream, plugin_folder
) -> None:
    up = scripted_upstream
    plugin_folder.install("narrow", AUTH, kind="auth")
    rows = [openai_row(name, up.base_url, name) for name in "abc"]
    gw = await gateway(
        {
            "model_list": rows,
            "router_settings": {"num_retries": 0, "fallbacks": [{"a": ["b", "c"]}]},
            "routeiq": {"plugins": {"narrow": {}}},
        }
    )
    up.script(Reply.error(500), Reply.error(500))
    assert ((await gw.chat("a"))[0], _asked(up)) == (500, "ac")
    assert (await gw.chat("b"))[0] == 403
    up.script(Reply.error(500))
    assert (await gw.chat("a", fallbacks=["b"]))[0] == 500
    assert _asked(up) == "aca"


async def test_embeddings_fall_back_too(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, fallbacks=[{"a": ["b"]}])
    up.script(Reply.error(500))
    async with gw.session.post("/v1/embeddings", json={"model": "a", "input": "x"}) as response:
        assert (response.status, (await response.json())["model"]) == (200, "a")
    assert _asked(up) == "ab"
