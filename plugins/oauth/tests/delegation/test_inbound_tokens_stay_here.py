"""What a caller presents to the gateway never reaches an upstream, in whatever mode, place or trouble."""

from __future__ import annotations

from typing import Any

import pytest

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE
from ..outbound import Open, call, connect

SECRET = "s3cret/with +odd: characters"
CLIENT = {"client_id": "gateway", "client_secret": SECRET}
MODES: dict[str, dict[str, Any]] = {
    "none": {"mode": "none"},
    "static": {"mode": "static", "headers": {"Authorization": "Bearer fixed"}},
    "passthrough": {"mode": "passthrough", "header": "X-Upstream-Token"},
    "client_credentials": {"mode": "client_credentials", **CLIENT},
    "authorization_code": {"mode": "authorization_code"},
    "token_exchange": {"mode": "token_exchange", **CLIENT},
    "id_jag": {"mode": "id_jag", **CLIENT},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["key", "token"])
async def test_a_recording_upstream_never_sees_it(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream, mode: str, kind: str
) -> None:
    auth = dict(MODES[mode]) | ({"identity_provider": server.url} if mode == "id_jag" else {})
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    inbound = ALICE if kind == "key" else server.caller_token("alice")
    if mode == "authorization_code":
        await connect(running, "a", inbound)
    for headers in (
        {},
        {"x_upstream_token": inbound},
        {"x_upstream_token": f"Bearer {inbound}"},
        {"cookie": f"session={inbound}"},
        {"x_api_key": inbound, "api_key": inbound},
    ):
        await call(running, "a", inbound, **headers)
    upstream.refuses_all = True
    await call(running, "a", inbound)
    server.trouble.down = True
    await call(running, "a", inbound)
    assert inbound not in upstream.everything()
    assert upstream.seen or (mode in ("token_exchange", "id_jag") and kind == "key")
