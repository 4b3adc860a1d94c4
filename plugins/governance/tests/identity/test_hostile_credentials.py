"""Whatever stands where a key should, on every header that may carry one: it is refused as a wrong key, never a fault,
never repeated, and it reaches the database as a bound hash alone."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import Share, StartGateway

HEADERS = ("authorization", "x-litellm-api-key", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key")
_SEEDS = (
    "sk-' OR '1'='1",
    "sk-'; DROP TABLE routeiq_keys; --",
    'sk-" UNION SELECT * FROM routeiq_keys --',
    "sk-%27%20OR%201%3D1",
    "sk-%00%0a%0d",
    "sk-a\x00b",
    "\x00",
    "\r\nx-admin: 1",
    "sk-\x1b[31m",
    "sk-\\x00",
    "sk-:name $1 %s ?",
    "null",
    "undefined",
    "Bearer Bearer sk-x",
    "Basic Og==",
    "AWS4-HMAC-SHA256 Credential=Bearer sk-x/2026/us/s3/aws4_request",
    "sk-${jndi:ldap://x}",
    "{{7*7}}",
    "../../etc/passwd",
    "sk-" + "a" * 5000,
    "a" * 1_000_000,
    "sk-" + "é" * 400,
    "0" * 64,
    "master",
    "gateway",
    "é" * 20,
    "a.b.c",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
    "eyJ..",
    "*",
    "-1",
    "sk-\u202e",
    "sk-\ud800",
    "sk-\uffff\U0010ffff",
)
_SIGNS = "abcXYZ019-_.~!#$&*'\"`;:,<>/\\|(){}[]%=+ \x00\x01\x7f\t\r\n\u00e9\u4e2d\u202e\U0001f600"
_BODY = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "x"}]}).encode()


def values(count: int) -> list[str]:
    """So many of them, the same each time."""
    rng = random.Random(20)
    made = ["".join(rng.choices(_SIGNS, k=rng.randint(2, 120))) for _ in range(count - len(_SEEDS))]
    return [*_SEEDS, *made]


async def ask(running: TestGateway, method: str, path: str, header: str, value: bytes) -> tuple[int, bytes]:
    """One request given to the application itself, since no HTTP server lets all of these through."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (header.encode(), value)],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    told = iter([{"type": "http.request", "body": _BODY, "more_body": False}])
    status, answer = 0, b""

    async def receive() -> Any:
        return next(told, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await running.app(scope, receive, send)
    return status, answer


@contextmanager
def noted(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """All statements that this engine runs, with their values."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.timeout(300)
async def test_hostile_values_on_every_header(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, share: Share
) -> None:
    running = await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "routeiq": {"plugins": {"governance": {}}},
        }
    )
    members = running.runtime.plugins.members
    parts = next(member.instance for member in members if member.name == "governance")._parts
    before = dict(parts.identity._known)
    wrong: list[tuple[str, str, int, bytes]] = []
    with noted(parts.database.engine.sync_engine) as statements:
        sent_values = [each for each in enumerate(values(2000)) if each[0] < len(_SEEDS) or share(each[0], 7)]
        for number, value in sent_values:
            raw = value.encode("utf-8", "surrogatepass")
            for header in HEADERS:
                sent = b"Bearer " + raw if header == "authorization" else raw
                method, path = ("POST", "/v1/chat/completions") if number % 2 else ("GET", "/key/info")
                status, answer = await ask(running, method, path, header, sent)
                named = len(raw) > 8 and raw.strip() in answer
                if status != 401 or named or json.loads(answer)["error"]["type"] not in _REFUSED:
                    wrong.append((header, value[:40], status, answer[:200]))
    assert wrong == []
    assert dict(parts.identity._known) == before
    assert scripted_upstream.requests == []
    assert len(statements) >= 0.95 * len(sent_values), "they were looked up"
    of_keys = {statement for statement, _ in statements if "routeiq_keys" in statement}
    assert len(of_keys) == 1, "one statement, whatever was sent"
    for statement, bound in statements:
        if statement in of_keys:
            assert re.fullmatch("[0-9a-f]{64}", bound[0]), (statement, bound)


_REFUSED = {"token_not_found_in_db", "auth_error"}


@pytest.mark.parametrize("value", ["sk-" + "x" * 100_000, "sk-\u00e9", "sk-' OR 1=1"])
async def test_over_http_too(gateway: StartGateway, scripted_upstream: ScriptedUpstream, value: str) -> None:
    running = await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "routeiq": {"plugins": {"governance": {}}},
        }
    )
    raw = value.encode().decode("latin-1")
    headers = {"authorization": f"Bearer {raw}"}
    async with running.session.post("/v1/chat/completions", data=_BODY, headers=headers) as response:
        assert response.status in (401, 431)
    async with running.session.get("/key/list") as response:
        assert response.status == 200, "the table of keys is still there"
