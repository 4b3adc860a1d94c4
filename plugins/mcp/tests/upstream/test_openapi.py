"""An HTTP API as tools: each argument goes where the document says, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from routeiq_mcp.seams import McpError
from routeiq_mcp.upstream import OperationChoice, ServerSpec, WatchedUpstream, open_upstream
from routeiq_mcp.upstream.failures import Failure
from routeiq_sdk import ConfigError
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.values.delegation import OutboundAuth

from .parts import INBOUND, Client, caller, calling, text_of
from .servers import Recorder, serving


def document(**changes: Any) -> dict[str, Any]:
    pet = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "nullable": True},
            "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
        },
        "required": ["name"],
    }
    paths = {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": "getPet", "summary": "Get a pet", "tags": ["read"]},
            "delete": {"tags": ["write"]},
        },
        "/pets": {
            "get": {
                "operationId": "find pets!",
                "tags": ["read"],
                "parameters": [
                    {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "ids", "in": "query", "explode": False, "schema": {"type": "array"}},
                    {"name": "filter", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "string"}},
                    {"$ref": "#/components/parameters/Limit"},
                ],
            },
            "post": {
                "operationId": "createPet",
                "tags": ["write"],
                "parameters": [{"name": "body", "in": "query", "schema": {"type": "string"}}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                },
            },
        },
        "/form": {
            "post": {
                "operationId": "form",
                "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}},
            }
        },
        "/image": {"get": {"operationId": "image"}},
        "/away": {"get": {"operationId": "away"}},
        "/remote": {
            "post": {
                "operationId": "remote",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "http://169.254.169.254/x.json"}}},
                },
            }
        },
    }
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "7", "description": "All pets."},
        "paths": paths,
        "components": {"schemas": {"Pet": pet}, "parameters": {"Limit": limit}},
        **changes,
    }


async def echo(request: Request) -> Response:
    if request.url.path == "/image":
        return Response(b"\x89PNG", media_type="image/png")
    if request.url.path == "/away":
        return RedirectResponse("http://169.254.169.254/")
    if request.url.path == "/pets/lost":
        return JSONResponse({"error": "no such pet"}, 404)
    body = (await request.body()).decode()
    raw = request.scope["raw_path"].decode()
    return JSONResponse({"method": request.method, "path": raw, "query": request.url.query, "body": body})


@asynccontextmanager
async def api(told: dict[str, Any] | None = None, **spec: Any) -> AsyncIterator[tuple[WatchedUpstream, Recorder]]:
    """The API, its document at `/openapi.json`."""

    async def described(request: Request) -> Response:
        return JSONResponse(told if told is not None else document())

    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route("/openapi.json", described), Route("/{path:path}", echo, methods=methods)])
    recorder = Recorder(app)
    async with serving(recorder) as base, calling(base) as gateway:
        made = {"url": f"{base}/openapi.json", "trusted": True, **spec}
        yield open_upstream(ServerSpec("pets", transport="openapi", **made), gateway), recorder


async def call(upstream: WatchedUpstream, name: str, **arguments: Any) -> dict[str, Any]:
    return dict(await upstream.request(caller(), "tools/call", {"name": name, "arguments": arguments}, Client()))


async def test_each_operation_is_a_tool() -> None:
    async with api() as (upstream, recorder):
        facts = await upstream.facts(caller())
        assert (facts.info["name"], facts.info["version"], facts.instructions) == ("Pets", "7", "All pets.")
        listed = await upstream.request(caller(), "tools/list", {}, Client())
        tools = {tool["name"]: tool for tool in listed["tools"]}
        # `remote` refers to another document, and none is fetched.
        assert set(tools) == {"getPet", "delete_pets_id", "find_pets", "createPet", "form", "image", "away"}
        assert tools["getPet"]["inputSchema"]["required"] == ["id"]
        assert tools["getPet"]["annotations"]["readOnlyHint"] is True
        assert tools["delete_pets_id"]["annotations"]["destructiveHint"] is True
        assert set(tools["find_pets"]["inputSchema"]["properties"]) == {"tag", "ids", "filter", "X-Trace", "limit"}
        body = tools["createPet"]["inputSchema"]["properties"]["body"]
        assert body["properties"]["name"]["type"] == ["string", "null"]
        assert body["properties"]["age"] == {"type": "integer", "exclusiveMinimum": 0}
        assert "$ref" not in json.dumps(listed)
        assert "body_query" in tools["createPet"]["inputSchema"]["properties"]
        assert [one.path for one in recorder.seen] == ["/openapi.json"]


async def test_arguments_go_where_the_document_says() -> None:
    async with api() as (upstream, recorder):
        told = await call(
            upstream, "find_pets", tag=["a b", "c&d"], ids=[1, 2], filter={"color": "red"}, limit=5, **{"X-Trace": "t"}
        )
        got = told["structuredContent"]
        assert got["query"] == "tag=a%20b&tag=c%26d&ids=1%2C2&filter%5Bcolor%5D=red&limit=5"
        assert recorder.seen[-1].headers["x-trace"] == "t"
        created = await call(upstream, "createPet", body={"name": "Rex"}, body_query="q")
        assert json.loads(created["structuredContent"]["body"]) == {"name": "Rex"}
        assert created["structuredContent"]["query"] == "body=q"
        assert recorder.seen[-1].headers["content-type"] == "application/json"
        form = await call(upstream, "form", body={"a": "1 2", "b": [True, 3]})
        assert form["structuredContent"]["body"] == "a=1+2&b=true&b=3"


@pytest.mark.parametrize("value", ["../admin", "a/b", "a?b=c", "a#b", "%2e%2e%2f", "é", "a;b"])
async def test_no_argument_leaves_its_segment_of_the_path(value: str) -> None:
    async with api() as (upstream, _):
        got = (await call(upstream, "getPet", id=value))["structuredContent"]
        assert got["path"].startswith("/pets/")
        assert got["path"].count("/") == 2
        assert got["query"] == ""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("getPet", {"id": ".."}),
        ("getPet", {"id": ""}),
        ("getPet", {}),
        ("getPet", {"id": "1", "unheard": 1}),
        ("createPet", {}),
        ("find_pets", {"X-Trace": "a\r\nx-evil: 1"}),
    ],
)
async def test_arguments_that_make_no_request_are_told_to_the_model(name: str, arguments: dict[str, Any]) -> None:
    async with api() as (upstream, recorder):
        told = await call(upstream, name, **arguments)
        assert told["isError"] is True
        assert "argument" in text_of(told)
        assert [one.path for one in recorder.seen] == ["/openapi.json"]


async def test_a_status_that_is_no_success_is_an_error_of_the_tool() -> None:
    async with api() as (upstream, _):
        told = await call(upstream, "getPet", id="lost")
        assert told["isError"] is True
        assert [part["text"] for part in told["content"]] == ["HTTP status 404", '{"error":"no such pet"}']
        with pytest.raises(McpError):
            await call(upstream, "no_such_tool")


async def test_a_picture_is_a_picture_and_a_redirect_is_not_followed() -> None:
    async with api() as (upstream, recorder):
        told = await call(upstream, "image")
        assert told["content"] == [{"type": "image", "mimeType": "image/png", "data": "iVBORw=="}]
        with pytest.raises(Failure) as caught:
            await call(upstream, "away")
        assert caught.value.kind == "redirect"
        assert recorder.seen[-1].path == "/away"


async def test_operations_are_chosen_by_name_and_tag() -> None:
    async def names(choice: OperationChoice) -> set[str]:
        async with api(operations=choice) as (upstream, _):
            listed = await upstream.request(caller(), "tools/list", {}, Client())
            return {tool["name"] for tool in listed["tools"]}

    assert await names(OperationChoice(include_tags=("read",))) == {"getPet", "find_pets"}
    assert await names(OperationChoice(include_tags=("read",), exclude=("find*",))) == {"getPet"}
    assert await names(OperationChoice(include=("*Pet",), exclude_tags=("write",))) == {"getPet"}


async def test_the_document_is_fetched_without_credentials_and_the_api_called_with_them() -> None:
    auth = OutboundAuth(mode="static", headers={"X-Key": SecretStr("of-the-gateway")})
    async with api(auth=auth) as (upstream, recorder):
        await call(upstream, "getPet", id="1")
        fetched, called = recorder.seen
        assert "x-key" not in fetched.headers
        assert called.headers["x-key"] == "of-the-gateway"
        assert not any(INBOUND in one.text for one in recorder.seen)


@pytest.mark.parametrize("server", ["http://169.254.169.254/", "https://elsewhere.example/v1", "//evil.example/"])
async def test_a_document_does_not_send_calls_to_another_origin(server: str) -> None:
    async with api(document(servers=[{"url": server}])) as (upstream, recorder):
        with pytest.raises(Failure) as caught:
            await upstream.facts(caller())
        assert caught.value.kind == "protocol"
        assert len(recorder.seen) == 1


async def test_the_documents_own_path_is_taken() -> None:
    async with api(document(servers=[{"url": "/v2"}])) as (upstream, _):
        assert (await call(upstream, "getPet", id="1"))["structuredContent"]["path"] == "/v2/pets/1"


async def test_a_file_needs_the_operators_address(tmp_path: Path) -> None:
    path = tmp_path / "pets.yaml"
    path.write_text(yaml.safe_dump(document()), encoding="utf-8")
    gateway = FakeGateway("mcp")
    with pytest.raises(ConfigError, match="address"):
        open_upstream(ServerSpec("pets", "openapi", document=path, trusted=True), gateway)
    with pytest.raises(ConfigError, match="YAML alone"):
        open_upstream(ServerSpec("pets", "openapi", document=path, base_url="https://x.example"), gateway)
    upstream = open_upstream(
        ServerSpec("pets", "openapi", document=path, base_url="https://x.example", trusted=True), gateway
    )
    listed = await upstream.request(caller(), "tools/list", {}, Client())
    assert "getPet" in {tool["name"] for tool in listed["tools"]}
    (tmp_path / "bad.yaml").write_text("openapi: 3.1.0\npaths: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="neither JSON nor YAML"):
        open_upstream(
            ServerSpec("bad", "openapi", document=tmp_path / "bad.yaml", base_url="https://x.example", trusted=True),
            gateway,
        )


async def test_schemas_that_grow_without_bound_cost_no_more_than_an_operation() -> None:
    schemas: dict[str, Any] = {
        f"S{n}": {
            "type": "object",
            "properties": {f"p{m}": {"$ref": f"#/components/schemas/S{n + 1}"} for m in range(9)},
        }
        for n in range(30)
    }
    schemas["S30"] = {"type": "string"}
    paths = {
        "/bomb": {
            "post": {
                "operationId": "bomb",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}},
            }
        },
        "/fine": {"get": {"operationId": "fine"}},
    }
    async with api(document(paths=paths, components={"schemas": schemas})) as (upstream, _):
        listed = await upstream.request(caller(), "tools/list", {}, Client())
        assert [tool["name"] for tool in listed["tools"]] == ["fine"]
