"""litellm connects through the gateway's egress alone: what the operator did not write stays out of reach."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from routeiq.egress import EgressPolicy
from routeiq.errors import UpstreamError
from routeiq.upstream.litellm_line import Line, LineBroken
from routeiq_sdk import RequestError
from routeiq_testkit import Reply

from .conftest import HELLO, LIMITS

FAMILIES = pytest.mark.parametrize("provider", ["openai", "anthropic", "cohere_chat"])
PIXEL = b"\x89PNG\r\n\x1a\n"
PICTURE = Reply.raw(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 8\r\n\r\n" + PIXEL)
AS_DATA = "data:image/png;base64,iVBORw0KGgo="


def showing(url: str, **part: Any) -> dict[str, Any]:
    shown = part or {"type": "image_url", "image_url": {"url": url}}
    content = [{"type": "text", "text": "See http://text.example/ too"}, shown]
    return {"model": "fast", "messages": [{"role": "user", "content": content}]}


@FAMILIES
async def test_a_private_address_that_nobody_wrote_is_refused(lane: Any, provider: str) -> None:
    with pytest.raises(UpstreamError, match="egress rules refuse") as caught:
        await lane.ask(provider=provider, api_base=f"{lane.stranger.origin}/v1")
    assert (caught.value.status, caught.value.dispatched) == (0, False)


@FAMILIES
async def test_a_redirect_is_not_followed(lane: Any, provider: str) -> None:
    lane.upstream.script(Reply.redirect(f"{lane.stranger.origin}/v1/chat/completions"))
    with pytest.raises(UpstreamError, match="redirect") as caught:
        await lane.ask(provider=provider)
    assert caught.value.kind == "garbage"
    assert len(lane.upstream.requests) == 1


async def test_metadata_services_are_out_of_reach(lane: Any) -> None:
    with capture_logs() as logs, pytest.raises(UpstreamError, match="egress rules refuse"):
        await lane.ask(api_base="http://169.254.169.254/v1")
    assert "never reachable" in logs[-1]["reason"]


async def test_what_a_strangers_name_resolves_to_is_told_to_the_log_alone(lane: Any) -> None:
    with capture_logs() as logs, pytest.raises(UpstreamError) as caught:
        await lane.ask(api_base="http://intranet.example/v1")
    assert "127.0.0.1" not in str(caught.value)
    assert "127.0.0.1 is a loopback address" in logs[-1]["reason"]


async def test_a_call_stays_within_the_reach_of_its_tenant(lane: Any) -> None:
    reach = EgressPolicy.compile([], [], {"red": ["api.example.com"]}).reach(["red"])
    for fields in (HELLO, {**HELLO, "stream": True}):
        with pytest.raises(UpstreamError, match="egress list of 'red'") as caught:
            await lane.ask(fields, limits=replace(LIMITS, reach=reach))
        assert (caught.value.kind, caught.value.status, caught.value.dispatched) == ("vetoed", 403, False)
    assert lane.upstream.connections_seen == 0


async def test_an_image_outside_the_tenants_reach_is_a_403(lane: Any) -> None:
    reach = EgressPolicy.compile([], [], {"red": ["api.example.com"]}).reach(["red"])
    port = lane.upstream.origin.rpartition(":")[2]
    part = {"type": "image_url", "image_url": {"url": f"http://pictures.example:{port}/a.png"}}
    with pytest.raises(RequestError, match="egress list of 'red'") as caught:
        await lane.ask({"messages": [{"role": "user", "content": [part]}]}, limits=replace(LIMITS, reach=reach))
    assert (caught.value.status, caught.value.param) == (403, "messages.0.content.0")
    assert lane.upstream.connections_seen == 0


async def test_without_a_call_of_the_gateway_litellm_connects_to_nothing(lane: Any, library: Any) -> None:
    for provider, base in (("openai", lane.upstream.base_url), ("anthropic", lane.upstream.origin)):
        with pytest.raises(Exception, match=r"onnection|on behalf of a request"):
            await library.chat(
                model=f"{provider}/m",
                api_base=base,
                api_key="k",
                messages=[{"role": "user", "content": "hi"}],
                max_retries=0,
            )
    assert lane.upstream.connections_seen == 0


async def test_blocking_clients_go_the_same_way(lane: Any) -> None:
    import litellm

    line = Line(lane.egress, None)
    line.use()
    answered = await asyncio.to_thread(litellm.module_level_client.get, f"{lane.upstream.base_url}/models")
    assert answered.json()["object"] == "list"
    with pytest.raises(LineBroken, match="loopback address"):
        await asyncio.to_thread(litellm.module_level_client.get, f"{lane.stranger.origin}/")
    with pytest.raises(LineBroken, match="event loop"):
        litellm.module_level_client.get(f"{lane.upstream.base_url}/models")
    await line.close()
    with pytest.raises(LineBroken, match="over"):
        await asyncio.to_thread(litellm.module_level_client.get, f"{lane.upstream.base_url}/models")


async def test_closing_a_line_frees_a_thread_that_waits_on_it(lane: Any) -> None:
    import litellm

    lane.upstream.script(Reply.hang())
    line = Line(lane.egress, None)
    line.use()
    waiting = asyncio.ensure_future(asyncio.to_thread(litellm.module_level_client.post, lane.upstream.base_url))
    await lane.upstream.until_requests(1)
    await line.close()
    with pytest.raises(httpx.ReadError):
        await asyncio.wait_for(waiting, 5)
    await lane.upstream.requests[0].disconnected.wait()


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_an_image_named_by_url_is_put_into_the_prompt(lane: Any, provider: str) -> None:
    port = lane.upstream.origin.rpartition(":")[2]
    lane.upstream.script(PICTURE)
    await lane.answer(showing(f"http://pictures.example:{port}/a.png"), provider=provider)
    fetched, asked = lane.upstream.requests
    assert (fetched.method, fetched.path) == ("GET", "/a.png")
    assert "authorization" not in fetched.headers
    text, image = asked.fields["messages"][0]["content"]
    assert text["text"] == "See http://text.example/ too"
    if provider == "openai":
        assert image["image_url"]["url"] == AS_DATA
    else:
        assert image["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


async def test_a_file_named_by_url_is_put_into_the_prompt(lane: Any) -> None:
    port = lane.upstream.origin.rpartition(":")[2]
    lane.upstream.script(PICTURE)
    url = f"http://pictures.example:{port}/a.png"
    await lane.answer(showing(url, type="file", file={"file_id": url}))
    assert lane.upstream.requests[1].fields["messages"][0]["content"][1]["file"]["file_data"] == AS_DATA


@pytest.mark.parametrize("kind", ["stranger", "operator", "metadata", "redirect"])
async def test_an_image_at_an_address_out_of_reach_is_refused(lane: Any, kind: str) -> None:
    port = lane.upstream.origin.rpartition(":")[2]
    lane.upstream.script(Reply.redirect(f"{lane.stranger.origin}/a.png", status=302))
    url = {
        "stranger": f"{lane.stranger.origin}/a.png",
        "operator": f"{lane.upstream.origin}/a.png",
        "metadata": "http://169.254.169.254/latest/meta-data",
        "redirect": f"http://pictures.example:{port}/a.png",
    }[kind]
    with pytest.raises(RequestError, match="cannot fetch") as caught:
        await lane.ask(showing(url), provider="anthropic")
    assert (caught.value.status, caught.value.param) == (400, "messages.0.content.1")
    assert "127.0.0.1" not in caught.value.message
    assert len(lane.upstream.requests) == (1 if kind == "redirect" else 0)


async def test_an_image_that_is_no_image_is_refused(lane: Any) -> None:
    port = lane.upstream.origin.rpartition(":")[2]
    lane.upstream.script(Reply.html(404), Reply.html(200))
    for why in ("status 404", "does not say that it is an image"):
        with pytest.raises(RequestError, match=why):
            await lane.ask(showing(f"http://pictures.example:{port}/a"))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video_url", "video_url": {"url": "https://videos.example/a.mp4"}},
        {"type": "document", "source": {"type": "url", "url": "HTTPS://files.example/a.pdf"}},
        {"type": "image_url", "image_url": {"url": AS_DATA, "thumbnail": "http://pictures.example/t.png"}},
    ],
)
async def test_other_content_named_by_url_is_refused(lane: Any, part: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="inline"):
        await lane.ask(showing("", **part))
    assert lane.upstream.requests == []


async def test_too_many_remote_images_are_refused(lane: Any) -> None:
    parts = [{"type": "image_url", "image_url": {"url": f"https://pictures.example/{n}.png"}} for n in range(17)]
    with pytest.raises(RequestError, match="more than 16"):
        await lane.ask({"model": "fast", "messages": [{"role": "user", "content": parts}]})


async def test_a_provider_that_goes_around_the_egress_is_not_called(lane: Any) -> None:
    with pytest.raises(UpstreamError, match="around the egress"):
        await lane.ask(provider="aiohttp_openai")
