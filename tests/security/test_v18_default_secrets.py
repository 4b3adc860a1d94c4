"""V18: the gateway does not start with a secret that can be guessed, and nothing that a client says about itself in a
header grants it anything."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from routeiq.config import ConfigErrors, loads
from routeiq_testkit.raw import raw_exchange, raw_request

WEAK = (
    "sk-1234", "sk-12345678", "1234567890123456", "changeme", "change-me-change-me", "password", "passwordpassword1",
    "", "admin", "adminadminadminadmin", "router-key", "sk-litellm-master-key", "litellm-master-key", "sk-master-key",
    " ", "your-master-key-here", "sk-replace-me-replace-me", "aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababab",
    "secret", "sk-example-example-example", "test-key-test-key-test", "sk-default-default-default",
    "qwertyuiopasdfgh", "\t\n", "sk-0123456789abcdefghijklmnop", "routeiq-gateway-secret",
)  # fmt: skip
CLAIMS = (
    "X-RouteIQ-Admin", "X-RouteIQ-Principal", "X-RouteIQ-User", "X-RouteIQ-Role", "X-RouteIQ-Key",
    "X-RouteIQ-Internal", "X-RouteIQ-Authenticated", "X-RouteIQ-Request-Id", "X-RouteIQ-Profile", "X-LiteLLM-Key-Id",
    "X-LiteLLM-User-Id", "X-LiteLLM-User-Role", "X-LiteLLM-Team-Id", "X-LiteLLM-Model-Id", "X-LiteLLM-Internal",
    "X-LiteLLM-Master-Key", "X-LiteLLM-Allowed-Routes", "X-LiteLLM-End-User-Id", "X-LiteLLM-Customer-Id",
    "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Remote-User",
    "Remote-User", "X-Auth-Request-User", "X-User", "X-Auth-Request-Email", "X-Authenticated-User", "X-WEBAUTH-USER",
    "X-Consumer-Username", "X-Consumer-Custom-ID", "X-Credential-Identifier", "X-Amzn-Oidc-Identity",
    "X-Goog-Authenticated-User-Email", "X-MS-CLIENT-PRINCIPAL-NAME", "X-SSL-Client-Verify", "X-Client-Cert",
    "X-Forwarded-Client-Cert", "X-Real-IP", "X-Forwarded-For", "X-Internal", "X-Original-User", "X-Admin", "X-Role",
    "X-Is-Admin", "X-Bypass-Auth", "X-Debug", "X-Api-Version", "Impersonate-User",
)  # fmt: skip
VALUES = ("admin", "master", "true", "proxy_admin", "127.0.0.1")


@pytest.mark.parametrize("key", WEAK)
def test_a_key_that_can_be_guessed_stops_the_start(key: str) -> None:
    with pytest.raises(ConfigErrors, match=r"general_settings\.master_key") as caught:
        loads("general_settings: {master_key: os.environ/KEY}\n", env={"KEY": key})
    if len(key.strip()) > 6:
        assert f"{key} " not in str(caught.value)


def test_no_key_at_all_stops_the_start_whatever_is_allowed() -> None:
    for text in ("{}", "general_settings: {}", "routeiq: {server: {allow_weak_master_key: true}}"):
        with pytest.raises(ConfigErrors, match="master_key is missing"):
            loads(text, env={})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "gateway.example"])
def test_a_weak_key_is_for_loopback_alone(host: str) -> None:
    text = "general_settings: {master_key: sk-1234}\nrouteiq: {server: {allow_weak_master_key: true, host: '%s'}}\n"
    with pytest.raises(ConfigErrors, match="listen on loopback"):
        loads(text % host, env={})
    config = loads(text % "127.0.0.1", env={})
    with pytest.raises(ConfigErrors, match="listen on loopback"):
        config.with_server(host=host)


async def test_the_command_itself_refuses_and_shows_no_key(tmp_path: Path) -> None:
    weak = "sk-litellm-changeme-1234"
    (tmp_path / "routeiq.yaml").write_text("general_settings: {master_key: os.environ/WEAK_KEY}\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "routeiq", "serve", "--port", "0", "--config", "routeiq.yaml",
        cwd=tmp_path, env={"WEAK_KEY": weak, "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode != 0
    assert b"general_settings.master_key is weak" in said
    assert weak.encode() not in said


@pytest.mark.parametrize("claim", CLAIMS)
async def test_no_header_takes_the_place_of_a_key(fortress, scripted_upstream, claim: str) -> None:
    running = await fortress()
    for target in ("/v1/models", "/key/list", "/routeiq/v1/status"):
        for value in VALUES:
            reply = await raw_exchange(running.url, raw_request("GET", target, ("Host", "localhost"), (claim, value)))
            assert reply.status == 401, (target, claim, value)
    assert scripted_upstream.requests == []


async def test_no_header_lifts_a_key_above_what_it_may(fortress) -> None:
    """The weakest of keys, with every claim at once and one by one: admin routes stay shut, and it stays itself."""
    running = await fortress()
    async with running.session.post("/key/generate", json={"models": ["fast"]}) as response:
        assert response.status == 200
        key = (await response.json())["key"]
    bearer = ("Authorization", f"Bearer {key}")
    everything = [(claim, value) for claim in CLAIMS for value in ("admin", "proxy_admin")]
    for extra in ([], everything, *([(claim, "proxy_admin")] for claim in CLAIMS)):
        told = [("Host", "localhost"), bearer, *extra]
        reply = await raw_exchange(running.url, raw_request("GET", "/routeiq/v1/status", *told))
        assert reply.status == 403, extra
        reply = await raw_exchange(
            running.url, raw_request("POST", "/key/generate", *told, ("Content-Length", "2"), body=b"{}")
        )
        assert reply.status in (401, 403), extra
        reply = await raw_exchange(running.url, raw_request("GET", "/v1/models", *told))
        assert reply.status == 200, extra


async def test_a_clients_request_id_is_not_taken_for_ours(gateway) -> None:
    running = await gateway({})
    told = [("Host", "localhost"), ("X-RouteIQ-Request-Id", "chosen"), ("X-LiteLLM-Call-Id", "chosen")]
    reply = await raw_exchange(running.url, raw_request("GET", "/v1/models", *told))
    assert reply.status == 401
    assert b"chosen" not in reply.data
