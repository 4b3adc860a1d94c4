"""V14: secrets of every kind are sown in every place that takes one; then the gateway is driven through success, every
error, streams and crashes, and all that leaves it is searched: not one is found."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import anthropic_row, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.raw import raw_exchange, raw_request

from .served_gateway import serving

NAMES = (
    "provider", "header", "anthropic", "master", "pepper", "sealing", "scim", "client-secret", "session", "webhook",
    "otel", "unknown-bearer", "malformed", "redis", "variable", "langfuse", "query",
    "mcp-token", "mcp-header", "mcp-client", "mcp-sealing", "mcp-added", "agent", "agent-sealing", "vault",
)  # fmt: skip
# No prefix and no shape that a pattern could know: what hides these is that they are known, or never written.
CANARY = {
    name: f"Zq{number:02d}canary{name.replace('-', '')}{number * 7919 + 104729:x}xkv"
    for number, name in enumerate(NAMES)
}

LEAKY = f'''
from routeiq_sdk import Plugin, PluginConfig, Reject, RequestError, hookimpl

TOLD = "cannot use {CANARY["provider"]} nor {CANARY["master"]}, said https://u:{CANARY["redis"]}@db/x"

class Fixture(Plugin):
    """Throws texts that hold secrets wherever a request asks for it."""

    @hookimpl
    async def authenticate(self, ctx):
        self._throw(ctx, "authenticate")

    @hookimpl
    async def guard_request(self, ctx):
        self._throw(ctx, "guard_request")
        if ctx.headers.get("x-leak") == "reject":
            return Reject(400, TOLD)

    @hookimpl
    def record(self, ctx, record):
        self._throw(ctx, "record")

    @hookimpl
    async def before_attempt(self, ctx, attempt):
        self._throw(ctx, "before_attempt")

    @hookimpl
    def register_routes(self, routes):
        routes.add("GET", "/fixture/crash", self.crash, access="admin", action="f:use", summary="Crashes")

    async def crash(self, request):
        raise RuntimeError(TOLD)

    def _throw(self, ctx, hook):
        if ctx.headers.get("x-leak") == hook:
            raise RuntimeError(TOLD + str(ctx.headers.get("authorization")))
'''


class Recorder:
    """Takes every post, as receivers of telemetry do, and keeps what it was told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if not self.path.startswith(("/mcp", "/token")):  # servers and their tokens: no telemetry
                    bodies.append(self.path.encode() + b"\n" + body)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    yield found
    found.close()


def found_in(data: bytes) -> list[str]:
    """The canaries in some bytes, also as base64, as hexadecimal digits and turned round."""
    hits = []
    for name, canary in CANARY.items():
        told = canary.encode()
        spellings = (
            told,
            told.hex().encode(),
            told[::-1],
            *(base64.b64encode(b"x" * pad + told)[4:-4] for pad in range(3)),
        )
        if any(spelling in data for spelling in spellings):
            hits.append(name)
    return hits


def config(up: ScriptedUpstream, recorder: Recorder, folder: Path) -> dict[str, Any]:
    """A secret in every field that takes one."""
    row = openai_row("fast", up.base_url, api_key=CANARY["provider"], extra_headers={"x-team": CANARY["header"]})
    claude = anthropic_row("claude", up.origin)
    claude["litellm_params"]["api_key"] = CANARY["anthropic"]
    plugins = {
        "leaky": {},
        "governance": {"pepper": CANARY["pepper"], "encryption_key": CANARY["sealing"]},
        "policy-cedar": {},
        "prometheus": {},
        "audit": {"sinks": [{"kind": "file", "path": str(folder / "audit")}]},
        "callbacks": {
            "targets": [
                {"kind": "webhook", "url": f"{recorder.url}/hook", "headers": {"x-token": CANARY["webhook"]}},
                {"kind": "langfuse", "host": recorder.url, "public_key": "pk-public", "secret_key": CANARY["langfuse"]},
            ]
        },
        "otel": {
            "endpoint": f"{recorder.url}/otel", "protocol": "http/protobuf", "headers": {"x-token": CANARY["otel"]},
            "logs": True, "linger_seconds": 0.05, "sample": 1.0, "compression": "none",
        },
        "oidc": {
            "issuers": [{"issuer": "http://127.0.0.1:9/", "audience": "routeiq"}],
            "login": {
                "client_id": "routeiq", "client_secret": CANARY["client-secret"], "public_url": "http://127.0.0.1:4000",
                "session_secret": CANARY["session"],
            },
            "scim": {"token": CANARY["scim"]},
        },
        "mcp": {"encryption_key": CANARY["mcp-sealing"], "list_seconds": 0},
        "oauth": {
            "issuers": [{"issuer": "http://127.0.0.1:9", "jwks_url": "http://127.0.0.1:9/jwks"}],
            "vault_keys": [CANARY["vault"] + "-long-enough"],
        },
        "a2a": {
            "encryption_key": CANARY["agent-sealing"],
            "agents": {
                "actor": {
                    "url": recorder.url,
                    "auth": {"mode": "static", "headers": {"authorization": f"Bearer {CANARY['agent']}"}},
                }
            },
        },
    }  # fmt: skip
    client = {"mode": "client_credentials", "client_id": "gw", "client_secret": CANARY["mcp-client"]}
    return {
        "mcp_servers": {
            "wiki": {"url": f"{recorder.url}/mcp", "auth_type": "bearer_token", "auth_value": CANARY["mcp-token"]},
            "git": {"url": f"{recorder.url}/mcp", "static_headers": {"x-token": CANARY["mcp-header"]}},
            "mail": {
                "url": f"{recorder.url}/mcp",
                "auth": {**client, "issuer": recorder.url, "token_url": f"{recorder.url}/token"},
            },
        },
        "model_list": [row, claude],
        "general_settings": {"master_key": CANARY["master"]},
        "router_settings": {"num_retries": 0},
        "environment_variables": {
            "SOME_API_KEY": CANARY["variable"],
            "SPARE_DATABASE_URL": f"postgresql://u:{CANARY['redis']}@127.0.0.1:1/d",
        },
        "routeiq": {"logs": {"level": "debug", "format": "json"}, "plugins": plugins},
    }


VERSION = "2026-07-28"
MODERN = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
}


def asking(path: str, key: str | None, body: bytes, *headers: tuple[str, str], method: str = "POST") -> bytes:
    told = [("Host", "localhost"), *headers, ("Content-Length", str(len(body)))]
    told += [("Authorization", f"Bearer {key}")] if key is not None else []
    return raw_request(method, path, *told, body=body)


def chat(model: str = "fast", **fields: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}], **fields}).encode()


def angry(status: int) -> Reply:
    """A provider that quotes what it was told."""
    told = f"Incorrect API key provided: {CANARY['provider']}. Team {CANARY['header']} is unknown."
    body = {"error": {"message": told, "type": "auth", "code": CANARY["provider"], "param": CANARY["anthropic"]}}
    return Reply.json(body, status, {"x-request-id": "r", "x-ratelimit-note": CANARY["provider"]})


REPLIES = [
    *(angry(status) for status in (400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 529)),
    Reply.garbage(), Reply.not_json(), Reply.empty(), Reply.html(), Reply.redirect("http://127.0.0.1:1/x"),
]  # fmt: skip


async def test_no_secret_leaves_a_gateway(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, recorder: Recorder, plugin_folder: PluginFolder, monkeypatch
) -> None:
    up, key = scripted_upstream, CANARY["master"]
    plugin_folder.install("leaky", LEAKY)
    monkeypatch.setenv("PYTHONPATH", str(plugin_folder.folder))
    answers: dict[str, bytes] = {}
    async with serving(tmp_path, config(up, recorder, tmp_path)) as served:

        async def ask(name: str, request: bytes) -> bytes:
            reply = await raw_exchange(served.url, request, quiet_seconds=10)
            answers[name] = reply.data
            return reply.data

        assert served.url, served.said.decode()
        made = await raw_exchange(served.url, asking("/key/generate", key, b'{"models": ["fast"]}'))
        virtual = json.loads(made.body)["key"]
        for path in ("/v1/chat/completions", "/v1/messages"):
            for model in ("fast", "claude"):
                for stream in (False, True):
                    up.default = Reply.fitting()
                    told = await ask(
                        f"{path} {model} {stream}", asking(path, key, chat(model, stream=stream, max_tokens=9))
                    )
                    assert b" 200 " in told[:16], told
        for number, reply in enumerate(REPLIES):
            for stream in (False, True):
                up.script(reply)
                await ask(f"provider {number} {stream}", asking("/v1/chat/completions", key, chat(stream=stream)))
        up.script(Reply.cut(after_events=1))
        await ask("cut", asking("/v1/chat/completions", key, chat(stream=True)))
        up.script(Reply.stream_error(f"no {CANARY['provider']}"))
        await ask("stream error", asking("/v1/chat/completions", key, chat(stream=True)))
        for hook in ("authenticate", "guard_request", "record", "before_attempt", "reject"):
            for token in (key, virtual):
                request = asking("/v1/chat/completions", token, chat(), ("X-Leak", hook))
                await ask(f"{hook} {token == key}", request)
        await ask("crash", asking("/fixture/crash", key, b"", method="GET"))
        malformed, query = CANARY["malformed"], CANARY["query"]
        for number, body in enumerate(
            (
                f'{{"model": "fast", "api_key": "{malformed}", ',
                f'{{"{malformed}',
                f'{{"model": "fast", "api_key": "{malformed}", "messages": []}}',
                f'{{"model": "fast", "messages": [], "temperature": {malformed}}}',
                f'["{malformed}"]',
            )
        ):
            for path in ("/v1/chat/completions", "/v1/messages", "/key/generate", "/routeiq/v1/route"):
                await ask(f"malformed {number} {path}", asking(path, key, body.encode()))
        for carrier in ("Authorization", "X-Api-Key", "Api-Key", "X-Litellm-Api-Key", "Cookie"):
            value = f"Bearer {CANARY['unknown-bearer']}"
            await ask(carrier, asking("/v1/chat/completions", None, chat(), (carrier, value)))
            await ask(f"{carrier} leak", asking("/v1/models", None, b"", (carrier, value), ("X-Leak", "authenticate")))
        for path in ("/nothing", "/v1/models", "/sso/callback", "/sso/login", "/key/list", "/fixture/crash"):
            await ask(
                f"query {path}", asking(f"{path}?api_key={query}&code={query}&state={query}", key, b"", method="GET")
            )
        for scim in (CANARY["scim"], CANARY["unknown-bearer"]):
            await ask(f"scim {scim}", asking("/scim/v2/Users", scim, b"", method="GET"))
        document = json.loads((await raw_exchange(served.url, asking("/openapi.json", None, b"", method="GET"))).body)
        for path, operations in document["paths"].items():
            if "get" in operations:
                shown = re.sub(r"\{\w+\}", "fast", path)
                await ask(f"GET {path}", asking(shown, key, b"", method="GET"))
        added = {
            "server_name": "late", "url": "https://late.example/mcp", "auth_type": "bearer_token",
            "credentials": {"auth_value": CANARY["mcp-added"]},
        }  # fmt: skip
        assert b" 201 " in (await ask("added", asking("/v1/mcp/server", key, json.dumps(added).encode())))[:16]
        for server in ("wiki", "git", "mail", "late"):
            for method, params in (("tools/list", {}), ("tools/call", {"name": "x", "arguments": {}})):
                rpc = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": MODERN}}
                headers = [("Accept", "application/json, text/event-stream"), ("Mcp-Method", method)]
                headers += [("Mcp-Protocol-Version", VERSION), *([("Mcp-Name", "x")] if "name" in params else [])]
                told = await ask(
                    f"{server} {method}", asking(f"/{server}/mcp", key, json.dumps(rpc).encode(), *headers)
                )
                assert b'"error"' in told, told
        sent = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
        rpc = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": sent}}
        await ask("agent", asking("/a2a/actor", key, json.dumps(rpc).encode(), ("A2A-Version", "1.0")))
        for path in (
            "/v1/mcp/server",
            "/v1/mcp/server/health",
            "/v1/mcp/server/wiki",
            "/v1/mcp/server/late",
            "/v1/agents",
        ):
            await ask(f"told {path}", asking(path, key, b"", method="GET"))
        for decision in re.findall(rb'"decision_id": ?"([^"]+)"', b"".join(answers.values()))[:5]:
            await ask("decision", asking(f"/routeiq/v1/decisions/{decision.decode()}", key, b"", method="GET"))
        assert len(answers) > 150
        os.kill(served.process.pid, 1)  # a reload is told, too
        await ask("reload", asking("/routeiq/v1/reload", key, b""))
        async with asyncio.timeout(20):
            while len(recorder.bodies) < 4:
                await asyncio.sleep(0.05)
        limits = Path(f"/proc/{served.process.pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits)
        assert await served.stopped() == 0
        said = bytes(served.said)

    assert {name: hits for name, data in answers.items() if (hits := found_in(data))} == {}
    assert b"plugin failed" in said
    assert b"unexpected failure" in said
    assert found_in(said) == []
    assert virtual.encode() not in said
    assert found_in(b"\n".join(recorder.bodies)) == []
    assert virtual.encode() not in b"\n".join(recorder.bodies)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "routeiq.yaml"]
    files = [path for path in files if plugin_folder.folder not in path.parents]
    assert any("audit" in str(path) for path in files)
    assert {str(path): hits for path in files if (hits := found_in(path.read_bytes()))} == {}
    assert [str(path) for path in files if virtual.encode() in path.read_bytes()] == []


BROKEN = {
    "a wrong type": ("routeiq", {"limits": "oops"}),
    "an unknown key": ("routeiq", {"unknown": {"api_key": CANARY["query"]}}),
    "a store": ("routeiq", {"state": {"url": f"redis+wrong://u:{CANARY['redis']}@h:1/0"}}),
    "a secret of a wrong type": ("general_settings", {"master_key": [CANARY["master"]]}),
    "a plugin's config": ("routeiq", {"plugins": {"oidc": {"scim": {"token": CANARY["scim"], "x": CANARY["query"]}}}}),
    "a bad address": ("routeiq", {"plugins": {"governance": {"database_url": f"oops://u:{CANARY['redis']}@h/d"}}}),
    "rows": ("model_list", [{"model_name": "x", "litellm_params": {"api_key": CANARY["provider"], "rpm": "many"}}]),
    "rows of a wrong shape": ("model_list", {"api_key": CANARY["provider"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", [None, *BROKEN])
async def test_commands_show_no_secret_of_a_good_or_a_broken_file(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, recorder: Recorder, name: str | None
) -> None:
    written = config(scripted_upstream, recorder, tmp_path)
    del written["routeiq"]["plugins"]["leaky"]
    if name is not None:
        section, value = BROKEN[name]
        whole = isinstance(value, dict) and isinstance(written.get(section), dict)
        written[section] = {**written[section], **value} if whole else value
    path = tmp_path / "routeiq.yaml"
    path.write_text(json.dumps(written))
    commands = [["check", "--config", str(path)], ["check", "--json", "--config", str(path)]]
    if name is None:
        commands += [
            ["plugins", "list", "--config", str(path)],
            ["plugins", "order", "--config", str(path)],
            ["schema"],
        ]
    else:
        commands += [["serve", "--port", "0", "--config", str(path)]]
    for command in commands:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "routeiq", *command,
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(90):
            said, _ = await process.communicate()
        assert found_in(said) == [], (command, said.decode())
        assert said
        assert (process.returncode == 0) is (name is None), (command, said.decode())
        assert b"Traceback" not in said


async def test_workers_leave_no_core_files(tmp_path: Path) -> None:
    async with serving(tmp_path, {}, "--workers", "2") as served:
        children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
        assert len(children) >= 2
        for pid in (str(served.process.pid), *children):
            assert re.search(r"Max core file size\s+0\s+0\s", Path(f"/proc/{pid}/limits").read_text()), pid
