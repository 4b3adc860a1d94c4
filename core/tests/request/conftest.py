"""Bodies and contexts as the road makes them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from routeiq.request.context import RequestContext
from routeiq.wires.body import Body, read_fields
from routeiq_sdk import Principal
from routeiq_sdk.values.http import Headers

ADMIN = Principal("master", kind="admin")


def body_of(wire: str = "openai-chat", model: str = "asked", **fields: Any) -> Body:
    raw = read_fields(orjson.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}))
    return Body(wire, raw, model, fields.get("stream") is True)


def context_of(
    headers: dict[str, str] | None = None, principal: Principal | None = ADMIN, body: Body | None = None
) -> RequestContext:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    ctx = RequestContext(
        request_id="req-1",
        surface="chat",
        route="/v1/chat/completions",
        method="POST",
        path="/v1/chat/completions",
        headers=Headers(raw),
        client="127.0.0.1",
        config="revision",
    )
    if principal is not None:
        ctx.identify(principal)
    ctx.understand(body or body_of())
    return ctx


@pytest.fixture
def make_body():
    return body_of


@pytest.fixture
def make_ctx():
    return context_of
