"""The bridge towards legacy clients: results of the modern era as theirs, and its rounds of input as questions.

The way back, a modern client before a legacy server, is in `rounds`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from routeiq_mcp.door import consent
from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.door.peers import LegacyPeer, lacking
from routeiq_mcp.seams import Face, Json, McpError
from routeiq_mcp.wire import codes, keys
from routeiq_sdk import Context, Gateway

_STATE_ONLY_SECONDS: Final = (0.05, 0.1, 0.25)


async def ask_face(
    face: Face, ctx: Context, method: str, params: Json, peer: LegacyPeer, gateway: Gateway, options: DoorOptions
) -> dict[str, Any]:
    """Answer a legacy client's request. Raises what the face raises."""
    asked: Json = params
    waits = 0
    for _ in range(options.rounds + 1):
        try:
            result = await face.request(ctx, method, asked, peer)
        except Exception as error:
            wanted = consent.pages(error)
            if not wanted:
                raise
            text = await _visit(ctx, peer, wanted, gateway, options)
            if text is not None:
                return legacy_result(method, consent.told(method, wanted, text))
            continue
        if result.get("resultType") != "input_required":
            return legacy_result(method, result)
        requests = _requests(method, result)
        missing = [name for one in requests.values() for name in _lacks(peer, one)]
        if missing:
            text = f"this needs a client that can be asked ({', '.join(sorted(set(missing)))}); this one cannot"
            return legacy_result(method, consent.tool_error(method, text))
        asked = dict(params)
        if requests:
            waits = 0
            asked["inputResponses"] = await _ask_all(peer, requests)
        else:
            await asyncio.sleep(_STATE_ONLY_SECONDS[min(waits, len(_STATE_ONLY_SECONDS) - 1)])
            waits += 1
        if "requestState" in result:
            asked["requestState"] = result["requestState"]
    text = f"the server went on asking after {options.rounds} rounds"
    return legacy_result(method, consent.tool_error(method, text))


def legacy_result(method: str, result: Json) -> dict[str, Any]:
    """A modern result without what a legacy client does not know."""
    kept = dict(result)
    kept.pop("resultType", None)
    if method in keys.CACHEABLE:
        kept.pop("ttlMs", None)
        kept.pop("cacheScope", None)
    meta = kept.get("_meta")
    if isinstance(meta, Mapping) and keys.SERVER_INFO in meta:
        rest = {key: value for key, value in meta.items() if key != keys.SERVER_INFO}
        if rest:
            kept["_meta"] = rest
        else:
            del kept["_meta"]
    return kept


def _requests(method: str, result: Json) -> dict[str, Json]:
    if method not in keys.MAY_ASK:
        raise McpError(codes.INTERNAL_ERROR, f"the server asked for input to {method}, which has no input")
    requests = result.get("inputRequests")
    if requests is None:
        return {}
    if not isinstance(requests, Mapping) or not all(
        isinstance(one, Mapping) and isinstance(one.get("method"), str) for one in requests.values()
    ):
        raise McpError(codes.INTERNAL_ERROR, "the server asked for input in a way that cannot be understood")
    return dict(requests)


def _lacks(peer: LegacyPeer, request: Json) -> Sequence[str]:
    needed = lacking(peer.capabilities, peer.version, request["method"], request.get("params") or {})
    return () if needed is None else [f"{name} {' '.join(parts)}".strip() for name, parts in needed.items()]


async def _ask_all(peer: LegacyPeer, requests: Mapping[str, Json]) -> dict[str, Json]:
    async with asyncio.TaskGroup() as group:
        asking = {
            key: group.create_task(_ask(peer, one["method"], one.get("params") or {})) for key, one in requests.items()
        }
    responses: dict[str, Json] = {}
    for key, task in asking.items():
        outcome = task.result()
        if isinstance(outcome, McpError):
            raise outcome
        responses[key] = outcome
    return responses


async def _ask(peer: LegacyPeer, method: str, params: Json) -> Json | McpError:
    """An error is returned, so that a group of one and a group of many fail alike."""
    try:
        return await peer.ask(method, params)
    except McpError as error:
        return error


async def _visit(
    ctx: Context, peer: LegacyPeer, wanted: Sequence[consent.Page], gateway: Gateway, options: DoorOptions
) -> str | None:
    """Have the user visit pages; the reason why it did not come to that, else `None`.

    Raises the error of 2025-11-25 when the page is open, but the user takes longer than the request can wait.
    """
    for page in wanted:
        if lacking(peer.capabilities, peer.version, "elicitation/create", page.asked()) is not None:
            return "The user has to agree first. Open this page, then call again:"
        said = await peer.ask("elicitation/create", page.asked())
        if said.get("action") != "accept":
            return "The user did not agree. Without that the call cannot be made; this is the page:"
    if not await consent.answered(gateway, ctx, wanted, options.consent_seconds):
        raise consent.required(wanted)
    for page in wanted:
        if page.ours:
            await peer.notify("notifications/elicitation/complete", {"elicitationId": page.id})
    return None
