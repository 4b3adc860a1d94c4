"""The example from beginning to end: two skills read by both drafts of discovery and over MCP, and a third uploaded.

Every digest that the gateway tells is compared with the bytes that it sends.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import shutil
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import aiohttp
from live_demo.processes import Server, ServerFailed, serving

_CONFIG = Path(__file__).resolve().parent.parent / "routeiq.yaml"
_UPLOAD = "---\nname: haiku\ndescription: Write a haiku on a change.\n---\n\nFive, seven, five.\n"
_VERSION = "2026-07-28"


@dataclass(frozen=True)
class Told:
    """What one way of reading skills gave: the skills, and how many digests held."""

    way: str
    skills: list[str]
    verified: int


def run(folder: Path, *, as_json: bool) -> int:
    """Give the tour; the exit code."""
    out = sys.stderr if as_json else sys.stdout
    try:
        told = asyncio.run(_tour(folder, out))
    except ServerFailed as failure:
        print(f"skills: {failure}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps([asdict(each) for each in told], indent=2), flush=True)
    return 0


async def _tour(folder: Path, out: TextIO) -> list[Told]:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    key = "sk-" + secrets.token_urlsafe(32)
    async with AsyncExitStack() as stack:
        gateway: Server = await stack.enter_async_context(
            serving(
                "gateway",
                *("-m", "routeiq", "serve", "--config", _CONFIG, "--port", "0"),
                log=folder / "gateway.log",
                environment={"ROUTEIQ_MASTER_KEY": key, "EXAMPLE_DATA": str(data)},
            )
        )
        headers = {"authorization": f"Bearer {key}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(gateway.url, headers=headers))
        told = [await _discovered(session), await _listed(session), await _over_mcp(session), await _uploaded(session)]
    for each in told:
        print(f"\n{each.way}", file=out)
        print(f"  skills     {', '.join(each.skills)}", file=out)
        print(f"  verified   {each.verified} digests", file=out)
    verified = sum(each.verified for each in told)
    print(f"\nIn short: {len(told)} ways to the skills, {verified} digests verified.", file=out, flush=True)
    return told


async def _discovered(session: aiohttp.ClientSession) -> Told:
    index = json.loads(await _get(session, "/.well-known/agent-skills/index.json"))
    for entry in index["skills"]:
        _verify(await _get(session, entry["url"]), entry["digest"])
    names = [f"{entry['name']} ({entry['type']})" for entry in index["skills"]]
    return Told("Agent Skills Discovery 0.2.0", names, len(names))


async def _listed(session: aiohttp.ClientSession) -> Told:
    index = json.loads(await _get(session, "/.well-known/skills/index.json"))
    for entry in index["skills"]:
        for path in entry["files"]:
            await _get(session, f"/.well-known/skills/{entry['name']}/{path}")
    return Told("Draft 0.1", [f"{entry['name']} ({len(entry['files'])} files)" for entry in index["skills"]], 0)


async def _over_mcp(session: aiohttp.ClientSession) -> Told:
    skills = (await _call(session, "skills/list", {}))["skills"]
    verified = 0
    for skill in skills:
        for file in skill["resources"]:
            (content,) = (await _call(session, "resources/read", {"uri": file["uri"]}))["contents"]
            data = content["text"].encode() if "text" in content else base64.b64decode(content["blob"])
            _verify(data, file["digest"])
            verified += 1
    return Told("MCP (skills/list, resources/read)", [skill["uri"] for skill in skills], verified)


async def _uploaded(session: aiohttp.ClientSession) -> Told:
    form = aiohttp.FormData(quote_fields=False)  # the name holds a path
    form.add_field("files[]", _UPLOAD.encode(), filename="haiku/SKILL.md", content_type="text/markdown")
    async with session.post("/v1/skills", data=form) as response:
        response.raise_for_status()
    listed = json.loads(await _get(session, "/v1/skills"))
    return Told("/v1/skills (uploaded)", [skill["display_name"] for skill in listed["data"]], 0)


async def _get(session: aiohttp.ClientSession, path: str) -> bytes:
    async with session.get(path) as response:
        response.raise_for_status()
        return await response.read()


async def _call(session: aiohttp.ClientSession, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """One request of MCP's current revision, which needs no handshake."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": _VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "example", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": _VERSION,
        "mcp-method": method,
        **({"mcp-name": params["uri"]} if "uri" in params else {}),
    }
    async with session.post("/skills/mcp", json=message, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
    if "error" in answer:
        raise ServerFailed(f"{method}: {answer['error']['message']}")
    result: dict[str, Any] = answer["result"]
    return result


def _verify(data: bytes, digest: str) -> None:
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise ServerFailed("a digest does not hold")
