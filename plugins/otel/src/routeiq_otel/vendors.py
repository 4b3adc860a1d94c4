"""Receivers that LiteLLM's callbacks stand for: their URLs and headers, from the variables that LiteLLM reads.

Facts only. They take traces.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from typing import Any

from routeiq_otel.endpoints import checked
from routeiq_sdk import Secret

Receiver = dict[str, Any]
Env = Mapping[str, str]


def destinations(callbacks: Collection[str], env: Env) -> tuple[list[Receiver], list[str]]:
    """Receivers for these callbacks, and a line for each that lacks a variable. Raises `ValueError` for a bad URL."""
    found, notices = list[Receiver](), list[str]()
    for name, make in _MAKERS.items():
        if name in callbacks:
            try:
                receiver = make(env)
            except KeyError as missing:
                notices.append(f"the callback {name} is off: the variable {missing.args[0]} is not set")
                continue
            checked(receiver["url"])
            found.append(receiver)
    return found, notices


def _langfuse(env: Env) -> Receiver:
    pair = f"{env['LANGFUSE_PUBLIC_KEY']}:{env['LANGFUSE_SECRET_KEY']}"
    host = env.get("LANGFUSE_OTEL_HOST") or env.get("LANGFUSE_HOST") or "https://us.cloud.langfuse.com"
    base = host.rstrip("/").removesuffix("/api/public/otel")
    headers = {"authorization": Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")}
    return {"url": f"{base}/api/public/otel/v1/traces", "headers": headers}


def _arize(env: Env) -> Receiver:
    space = env.get("ARIZE_SPACE_ID") or env["ARIZE_SPACE_KEY"]
    url = env.get("ARIZE_HTTP_ENDPOINT", "https://otlp.arize.com/v1/traces")
    return {"url": url, "headers": {"space_id": Secret(space), "api_key": Secret(env["ARIZE_API_KEY"])}}


def _phoenix(env: Env) -> Receiver:
    url = env.get("PHOENIX_COLLECTOR_HTTP_ENDPOINT") or env.get("PHOENIX_COLLECTOR_ENDPOINT")
    key = env.get("PHOENIX_API_KEY")
    if url is None:
        url, key = "https://app.phoenix.arize.com/v1/traces", env["PHOENIX_API_KEY"]
    if not url.rstrip("/").endswith("/v1/traces"):
        url = f"{url.rstrip('/')}/v1/traces"
    return {"url": url, "headers": {} if key is None else {"authorization": Secret(f"Bearer {key}")}}


_MAKERS: Mapping[str, Callable[[Env], Receiver]] = {
    "langfuse_otel": _langfuse,
    "arize": _arize,
    "arize_phoenix": _phoenix,
}
